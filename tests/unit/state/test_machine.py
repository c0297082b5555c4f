"""The table of legal moves, read as sentences about money."""

import contextlib

import pytest

from imagebatch.errors import StateError
from imagebatch.model.event import (
    Abandoned,
    Accepted,
    BoughtStored,
    Doubted,
    Dropped,
    Event,
    Fetched,
    Intended,
    Kept,
    Observed,
    Refused,
)  # fmt: skip
from imagebatch.model.generation import Bought, Failure
from imagebatch.state.machine import Phase, advance
from tests.unit.state.worlds import TOKEN, entry, facts, intended

NO = Failure(kind="rejected", message="no")
PHASES: tuple[Phase | None, ...] = (
    None, "intended", "pending", "in_doubt", "succeeded", "failed", "blocked", "closed",
)  # fmt: skip


def create() -> Intended:
    return intended()


def accepted(step: str = "create") -> Accepted:
    return Accepted(step=step, token=TOKEN, attempt=1, generation="g")  # type: ignore[arg-type]  # one of three words


def observed(status: str = "succeeded") -> Observed:
    return Observed(token=TOKEN, status=status)  # type: ignore[arg-type]  # one of three words


@pytest.mark.parametrize("phase", ["pending", "succeeded", "failed", "blocked", "in_doubt"])
def test_a_create_never_starts_where_an_answer_is_known_or_may_be(phase: Phase) -> None:
    with pytest.raises(StateError) as caught:
        advance(phase, create())
    assert caught.value.code == "state.illegal_move"
    assert phase in caught.value.detail
    assert "intended create" in caught.value.detail


@pytest.mark.parametrize(
    ("events", "end"),
    [
        ([create(), accepted(), observed()], "succeeded"),
        ([create(), accepted(), observed("failed")], "failed"),
        ([create(), accepted(), observed("blocked")], "blocked"),
        ([create(), Refused(step="create", token=TOKEN, failure=NO), create()], "intended"),
        ([create(), Doubted(step="create", token=TOKEN, why="reset"), accepted()], "pending"),
        ([create(), Doubted(step="create", token=TOKEN, why="reset")], "in_doubt"),
        ([create(), Abandoned(token=TOKEN, why="window"), create()], "intended"),
        ([create(), Abandoned(token=TOKEN, why="window"), accepted()], "pending"),
        ([accepted(), observed()], "succeeded"),
        ([observed("failed"), intended(step="retry", generation="g"), accepted("retry")], "pending"),
        ([intended(step="retry", generation="g"), Refused(step="retry", token=TOKEN, failure=NO)], "failed"),
        ([observed("failed"), intended(step="retry"), Abandoned(token=TOKEN, why="gone")], "failed"),
        ([observed(), intended(step="buy", candidate="a"), accepted("buy")], "succeeded"),
        ([observed(), Fetched(token=TOKEN, index=1, facts=facts())], "succeeded"),
        ([observed(), BoughtStored(token=TOKEN, index=1, bought=Bought(resolution="full"))], "succeeded"),
        ([Kept(address="a", entry=entry()), Dropped(address="a")], None),
    ],
)
def test_lives_of_an_attempt(events: list[Event], end: Phase | None) -> None:
    phase: Phase | None = None
    for event in events:
        phase = advance(phase, event)
    assert phase == end


@pytest.mark.parametrize(
    ("phase", "event"),
    [
        ("intended", observed()),
        ("closed", observed()),
        ("intended", intended(step="buy")),
        ("failed", intended(step="buy")),
        ("succeeded", intended(step="retry")),
        ("succeeded", accepted()),
        ("pending", Refused(step="create", token=TOKEN, failure=NO)),
        ("pending", Doubted(step="create", token=TOKEN, why="late")),
        ("intended", Fetched(token=TOKEN, index=1, facts=facts())),
        ("in_doubt", BoughtStored(token=TOKEN, index=1, bought=Bought(resolution="full"))),
    ],
)
def test_moves_that_make_no_sense_are_refused_by_both_names(phase: Phase, event: Event) -> None:
    with pytest.raises(StateError) as caught:
        advance(phase, event)
    assert phase in caught.value.detail
    assert TOKEN in caught.value.detail


@pytest.mark.parametrize("phase", PHASES)
def test_every_phase_and_event_has_one_answer(phase: Phase | None) -> None:
    steps = ("create", "retry", "buy")
    events: list[Event] = [
        *(intended(step=step) for step in steps),
        *(accepted(step) for step in steps),
        *(Refused(step=step, token=TOKEN, failure=NO) for step in steps),  # type: ignore[arg-type]  # three words
        *(Doubted(step=step, token=TOKEN, why="x") for step in steps),  # type: ignore[arg-type]  # three words
        Abandoned(token=TOKEN, why="x"),
        *(observed(status) for status in ("succeeded", "failed", "blocked")),
        Fetched(token=TOKEN, index=1, facts=facts()),
        BoughtStored(token=TOKEN, index=1, bought=Bought(resolution="full")),
    ]
    after: list[Phase | None] = []
    for event in events:
        with contextlib.suppress(StateError):
            after.append(advance(phase, event))
    assert len(after) >= 4
    assert set(after) <= set(PHASES)
