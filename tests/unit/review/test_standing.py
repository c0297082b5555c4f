"""What stands at an address, and when its version changes."""

from dataclasses import replace

import pytest

from imagebatch.model.generation import Entry
from imagebatch.model.picks import Pick, Picks
from imagebatch.model.settings import Redo
from imagebatch.review.standing import Standing, standing
from tests.unit.review.entries import entry_of, picture

ENTRY = entry_of(candidates=3)


def at(entry: Entry | None = ENTRY, picks: Picks | None = None, *, by_manifest: bool = False) -> Standing:
    return standing("hero", entry, picks or Picks(), by_manifest=by_manifest)


def picks(*numbers: int, draw: str = ENTRY.draw, redo: Redo | None = None) -> Picks:
    use = tuple(picture(number).sha256 for number in numbers)
    return Picks(picks={"hero": Pick(for_draw=draw, use=use)}, redo={"hero": redo} if redo is not None else {})


def test_a_pick_stands_before_it_is_applied() -> None:
    assert at(picks=picks(2)).use == (picture(2).sha256,)
    assert at(replace(ENTRY, picked=(3,))).use == (picture(3).sha256,)


def test_a_pick_of_another_draw_does_not_stand() -> None:
    assert at(picks=picks(2, draw="sha256:" + "a" * 64)).use == ()


def test_a_rejection_stands_until_the_next_attempt_is_drawn() -> None:
    said = picks(redo=Redo(attempt=2, note="more gold"))
    stands = at(picks=said)
    assert (stands.rejected, stands.asked, stands.note, stands.use) == (True, True, "more gold", ())
    drawn = at(replace(ENTRY, attempt=2), said)
    assert (drawn.rejected, drawn.asked) == (False, False)


def test_protection_is_by_hand_or_by_the_manifest() -> None:
    assert (at(by_manifest=True).protected, at(by_manifest=True).held) == (True, False)
    held = at(replace(ENTRY, protect=True, held=True))
    assert (held.protected, held.held) == (True, True)


def test_nothing_stands_where_nothing_was_drawn() -> None:
    assert (at(None).draw, at(None).use) == ("", ())


def test_the_version_is_that_of_what_stands_there_alone() -> None:
    other = Picks(picks={"icon": Pick(for_draw=ENTRY.draw, use=(picture(1).sha256,))})
    assert at().version == at(picks=other).version


@pytest.mark.parametrize(
    "changed",
    [
        at(picks=picks(1)),
        at(picks=picks(2)),
        at(picks=picks(redo=Redo(attempt=2))),
        at(picks=picks(redo=Redo(attempt=2, note="x"))),
        at(replace(ENTRY, draw="sha256:" + "a" * 64)),
        at(replace(ENTRY, attempt=2)),
        at(replace(ENTRY, status="pending")),
        at(replace(ENTRY, candidates=ENTRY.candidates[:2])),
        at(replace(ENTRY, candidates=(*ENTRY.candidates[:2], replace(ENTRY.candidates[2], facts=picture(9))))),
        at(replace(ENTRY, picked=(1,))),
        at(replace(ENTRY, protect=True, held=True)),
        at(by_manifest=True),
        at(None),
    ],
)
def test_the_version_changes_with_whatever_a_decision_is_about(changed: Standing) -> None:
    assert changed.version != at().version
