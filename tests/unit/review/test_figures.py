"""What a figure tells of an address, and how a prompt came to be another one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebatch.model.checks import Checked, Unmet
from imagebatch.model.generation import Entry, Failure
from imagebatch.model.picks import Pick, Picks
from imagebatch.model.settings import Redo
from imagebatch.review.figures import figure
from imagebatch.review.model import Figure
from imagebatch.review.visible import visible
from imagebatch.review.wording import MOST_WORDS, reworded
from tests.unit.review.entries import entry_of, picture


def of(entry: Entry | None, picks: Picks | None = None, address: str = "a[x=1]") -> Figure:
    return figure(address, entry=entry, variant=None, change=None, states=("orphan",), picks=picks or Picks())


def test_a_pick_is_shown_before_it_is_applied_and_an_old_one_is_not() -> None:
    entry = entry_of(candidates=3, picked=(1,))
    assert [shot.picked for shot in of(entry).shots] == [True, False, False]
    chosen = Pick(for_draw=entry.draw, use=(picture(3).sha256,))
    assert [shot.picked for shot in of(entry, Picks(picks={"a[x=1]": chosen})).shots] == [False, False, True]
    old = replace(chosen, for_draw="sha256:" + "0" * 64)
    assert [shot.picked for shot in of(entry, Picks(picks={"a[x=1]": old})).shots] == [True, False, False]


def test_a_redraw_tells_its_words_its_picture_before_and_why() -> None:
    one = of(
        entry_of("a red fox", before="a fox"), Picks(redo={"a[x=1]": Redo(attempt=2, note="warmer\x1b", add=None)})
    )
    assert [(piece.how, piece.text) for piece in one.prompt] == [("same", "a "), ("added", "red "), ("same", "fox")]
    assert [shot.sha256 for shot in one.before] == [picture(100).sha256]
    assert one.note == "warmer\\x1b"
    assert one.params == (("chaos", "20"), ("mode", "simple"))


def test_candidates_that_were_never_fetched_have_no_size() -> None:
    (shot,) = of(entry_of(fetched=False)).shots
    assert (shot.sha256, shot.width) == (None, 0)


def test_checks_that_do_not_hold_are_shown() -> None:
    small = Unmet(name="size", wanted="1024x1024", found="512x512", level="fail")
    told = replace(entry_of(), checked=Checked(checks="sha256:c", unmet=(small,)))
    assert [(one.name, one.level, one.text) for one in of(told).checks] == [("size", "fail", small.text)]
    assert of(entry_of()).checks == ()


@pytest.mark.parametrize("edited", ["", "[]", "{", '{"prompt": 7}', '{"params": [1]}', '"x"'])
def test_a_lock_that_somebody_edited_is_shown_all_the_same(edited: str) -> None:
    one = of(replace(entry_of(before="b"), request=edited), address="no[address")
    assert one.asset == "no[address"


def test_what_a_provider_says_is_shown_with_everything_in_it_visible() -> None:
    failed = replace(entry_of(), status="failed", failure=Failure(kind="provider", message="\x1b]8;;x\x07 \u202egpj"))
    assert of(failed).failure == "\\x1b]8;;x\\x07 \\u202egpj"


@given(st.text())
def test_no_hidden_character_is_left(text: str) -> None:
    left = visible(text)
    assert not [char for char in left if (ord(char) < 32 and char not in "\n\t") or 0x7F <= ord(char) < 0xA0]
    assert not set(left) & set("\u200b\u200e\u200f\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
    assert visible(left) == left


@given(st.text(max_size=60), st.text(max_size=60))
def test_the_pieces_give_both_texts_back(before: str, after: str) -> None:
    pieces = reworded(before, after)
    assert "".join(piece.text for piece in pieces if piece.how != "added") == before
    assert "".join(piece.text for piece in pieces if piece.how != "gone") == after


def test_a_very_long_prompt_is_not_compared_word_by_word() -> None:
    pieces = reworded("a " * MOST_WORDS, "b " * MOST_WORDS)
    assert [piece.how for piece in pieces] == ["gone", "added"]
