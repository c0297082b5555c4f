"""Decisions as changes of picks.yaml: bound to draws and bytes."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from imagebatch.errors import PlanError
from imagebatch.manifest.picks import decode_picks, encode_picks
from imagebatch.model.generation import Candidate, Earlier, Entry, PictureFacts
from imagebatch.model.picks import Pick, Picks
from imagebatch.model.settings import Redo
from imagebatch.pipeline.picking import (
    accepted,
    past_draws,
    picked,
    redone,
    redraw_open,
    rejected,
    restored,
    taken_back,
)
from tests.unit.plan.worlds import entry_of, variant


def facts(digit: str) -> PictureFacts:
    """Bytes with a hash that can be recognised."""
    return PictureFacts(sha256="sha256:" + digit * 64, width=4, height=3, media_type="image/png", bytes=9)


def drawn() -> Entry:
    """Two candidates here, one that was never fetched, and one earlier draw."""
    candidates = (Candidate(id="1", facts=facts("a")), Candidate(id="2", facts=facts("b")), Candidate(id="3"))
    earlier = Earlier(
        provider="studio", type="all-images", attempt=1, draw="sha256:old", request="{}", token="ib-old",
        generation="g0", candidates=(Candidate(id="1", facts=facts("c")),), picked=(1,), cost=("1 EUR",),
    )  # fmt: skip
    made = entry_of(variant("hero"))
    return replace(made, candidates=candidates, picked=(1,), attempt=2, earlier=(earlier,))


def test_a_pick_names_the_draw_and_the_bytes_in_the_order_given() -> None:
    pick = picked(Picks(), "hero", drawn(), (2, 1)).picks["hero"]
    assert (pick.for_draw, pick.use, pick.was) == (drawn().draw, (facts("b").sha256, facts("a").sha256), "pick")


@pytest.mark.parametrize(
    ("entry", "numbers", "code"),
    [
        (drawn(), (4,), "pick.unknown"),
        (drawn(), (3,), "pick.not_here"),
        (drawn(), (1, 1), "pick.twice"),
        (replace(drawn(), status="pending"), (1,), "pick.nothing"),
        (replace(drawn(), candidates=()), (1,), "pick.nothing"),
    ],
)
def test_what_cannot_be_picked_is_refused(entry: Entry, numbers: tuple[int, ...], code: str) -> None:
    with pytest.raises(PlanError) as refused:
        picked(Picks(), "hero", entry, numbers)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("status", "hint"),
    [("pending", "imagebatch wait"), ("in_doubt", "imagebatch resolve --list"), ("failed", "imagebatch apply")],
)
def test_a_pick_without_candidates_names_what_goes_on(status: Any, hint: str) -> None:
    with pytest.raises(PlanError) as refused:
        picked(Picks(), "hero", replace(drawn(), status=status), (1,))
    assert refused.value.hints == (hint,)


def test_a_rejection_names_no_bytes_and_asks_for_another_attempt() -> None:
    asked = rejected(Picks(), "hero", drawn(), note="too dark", add="bright")
    assert asked.picks["hero"] == Pick(for_draw=drawn().draw, use=())
    assert asked.redo["hero"] == Redo(attempt=3, note="too dark", add="bright")
    assert decode_picks(encode_picks(asked)) == asked
    assert (asked.choice("hero", 2), asked.choice("hero", 3)) == (asked.picks["hero"], None)


@pytest.mark.parametrize("add", [None, "bright"])
def test_a_pick_after_a_rejection_takes_the_redraw_back(add: str | None) -> None:
    first = replace(drawn(), attempt=1, earlier=())
    back = picked(rejected(Picks(), "hero", first, note="too dark", add=add), "hero", first, (2,))
    assert (back.picks["hero"].use, dict(back.redo)) == ((facts("b").sha256,), {})


def test_accepting_binds_the_present_bytes_to_the_wanted_draw() -> None:
    pick = accepted(Picks(), "hero", drawn(), "sha256:wanted").picks["hero"]
    assert (pick.for_draw, pick.use, pick.was) == ("sha256:wanted", (facts("a").sha256,), "accept")
    with pytest.raises(PlanError) as refused:
        accepted(Picks(), "hero", replace(drawn(), picked=()), "sha256:wanted")
    assert refused.value.code == "accept.nothing"


def test_restoring_takes_the_number_that_history_shows() -> None:
    assert [(draw.number, draw.attempt) for draw in past_draws(drawn())] == [(0, 2), (1, 1)]
    pick = restored(Picks(), "hero", drawn(), 1, "sha256:wanted").picks["hero"]
    assert (pick.for_draw, pick.use, pick.was) == ("sha256:wanted", (facts("c").sha256,), "restore")
    for number in (0, 2):
        with pytest.raises(PlanError):
            restored(Picks(), "hero", drawn(), number, "sha256:wanted")


def unpicked() -> Entry:
    """A redraw of a draw from which nothing was picked; the third candidate of either was never fetched."""
    made = drawn()
    old = replace(made.earlier[0], draw=made.draw, picked=(), candidates=tuple(candidates_of("de")))
    return replace(made, picked=(), earlier=(old,))


def candidates_of(digits: str) -> list[Candidate]:
    """Candidates with these bytes, and one without."""
    return [Candidate(id=digit, facts=facts(digit)) for digit in digits] + [Candidate(id="last")]


def test_restoring_takes_the_candidate_that_is_named_of_that_very_draw() -> None:
    restoring = partial(restored, Picks(), "hero", unpicked(), 1, "sha256:wanted")
    assert restoring(candidates=(2, 1)).picks["hero"].use == (facts("e").sha256, facts("d").sha256)
    for candidates, code in (
        ((), "restore.nothing"),
        ((4,), "pick.unknown"),
        ((3,), "pick.not_here"),
        ((1, 1), "pick.twice"),
    ):
        with pytest.raises(PlanError) as refused:
            restoring(candidates=candidates)
        assert refused.value.code == code
        assert not any("imagebatch pick" in hint for hint in refused.value.hints), "that is about the present draw"
        if code in {"restore.nothing", "pick.not_here"}:
            assert refused.value.hints[-1] == "imagebatch restore hero --to 1 --candidate 1"
    other = restored(Picks(), "hero", drawn(), 1, "sha256:wanted", candidates=(1,)).picks["hero"]
    assert other.use == (facts("c").sha256,)


def test_a_pick_that_was_written_before_a_redraw_and_never_applied_tells_what_is_restored() -> None:
    before = replace(unpicked(), candidates=unpicked().earlier[0].candidates, earlier=(), attempt=1)
    written = picked(Picks(), "hero", before, (2,))
    again = redone(written, "hero", 1, note=None, add=None)
    assert restored(again, "hero", unpicked(), 1, "sha256:wanted").picks["hero"].use == (facts("e").sha256,)
    assert accepted(written, "hero", before, "sha256:wanted").picks["hero"].use == (facts("e").sha256,)


def test_of_a_draw_with_one_candidate_none_has_to_be_named() -> None:
    old = replace(unpicked().earlier[0], candidates=(Candidate(id="1", facts=facts("d")),))
    pick = restored(Picks(), "hero", replace(unpicked(), earlier=(old,)), 1, "sha256:wanted").picks["hero"]
    assert pick.use == (facts("d").sha256,)


def test_each_redraw_is_one_more_attempt_and_keeps_what_was_added() -> None:
    once = redone(Picks(), "hero", 1, note="dull", add="more gold")
    assert once.redo["hero"] == Redo(attempt=2, note="dull", add="more gold")
    twice = redone(once, "hero", 2, note=None, add=None)
    assert twice.redo["hero"] == Redo(attempt=3, note=None, add="more gold")
    waiting = redone(once, "hero", 1, note=None, add="")
    assert waiting.redo["hero"] == Redo(attempt=3, note=None, add=None)


def test_a_decision_leaves_all_others_alone() -> None:
    before = redone(picked(Picks(), "other", drawn(), (1,)), "third", 1, note=None, add=None)
    after = picked(before, "hero", drawn(), (2,))
    assert set(after.picks) == {"other", "hero"}
    assert after.redo == before.redo


def test_a_redraw_ends_what_stood_for_the_request_without_being_drawn_for_it() -> None:
    before = accepted(picked(Picks(), "other", drawn(), (1,)), "hero", drawn(), "sha256:wanted")
    assert set(redone(before, "hero", 2, note=None, add=None).picks) == {"other"}
    chosen = picked(Picks(), "hero", drawn(), (2,))
    assert redone(chosen, "hero", 2, note=None, add=None).picks == chosen.picks, "it is bound to the old bytes anyway"


def test_accepting_and_restoring_take_back_a_redraw_that_is_not_drawn_yet() -> None:
    asked = redone(Picks(), "hero", 2, note="again", add=None)
    assert redraw_open(asked, "hero", drawn())
    assert accepted(asked, "hero", drawn(), "sha256:wanted").redo == {}
    assert restored(asked, "hero", drawn(), 1, "sha256:wanted").redo == {}
    assert taken_back(asked, "hero", drawn()) == Picks()
    with_words = redone(Picks(), "hero", 2, note="again", add="more gold")
    kept = accepted(with_words, "hero", drawn(), "sha256:wanted")
    assert kept.redo == {"hero": Redo(attempt=2, note="again", add="more gold")}, "the words are in the prompt"
    assert not redraw_open(kept, "hero", drawn())
    done = Picks(redo={"hero": Redo(attempt=2, note="done")})
    assert taken_back(done, "hero", drawn()) == done
