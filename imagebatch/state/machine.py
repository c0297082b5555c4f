"""The table of legal moves of one paid attempt; pure.

A phase is what is known of a token: nothing (None), `intended` (begun, no answer known), a status of the lock, or
`closed` (certainly not taken, or given up). A token that this journal has not seen may still have a past in the lock or
the draw index, so from None every move is legal that such a past could have.
"""

from collections.abc import Mapping
from typing import Final, Literal

from imagebatch.errors import StateError
from imagebatch.model.event import (
    Abandoned,
    Accepted,
    BoughtStored,
    Doubted,
    Event,
    Fetched,
    Intended,
    Observed,
    Refused,
)
from imagebatch.model.generation import Status

Phase = Status | Literal["intended", "closed"]

_BEFORE: Final = "nothing"
# Move -> phases it may start from. A create never starts where an answer is known or may be: that would pay twice.
_FROM: Final[Mapping[str, frozenset[str]]] = {
    "intended create": frozenset({_BEFORE, "intended", "closed"}),
    "intended retry": frozenset({_BEFORE, "intended", "closed", "failed", "blocked", "pending", "in_doubt"}),
    "intended buy": frozenset({_BEFORE, "succeeded"}),
    "accepted create": frozenset({_BEFORE, "intended", "in_doubt", "closed", "pending"}),
    "accepted retry": frozenset({_BEFORE, "intended", "in_doubt", "closed", "pending", "failed", "blocked"}),
    "accepted buy": frozenset({_BEFORE, "succeeded"}),
    "refused create": frozenset({"intended", "in_doubt"}),
    "refused retry": frozenset({_BEFORE, "intended", "in_doubt", "failed", "blocked", "pending"}),
    "refused buy": frozenset({_BEFORE, "succeeded"}),
    "doubted create": frozenset({"intended", "in_doubt"}),
    "doubted retry": frozenset({_BEFORE, "intended", "in_doubt", "failed", "blocked", "pending"}),
    "doubted buy": frozenset({_BEFORE, "succeeded"}),
    "abandoned": frozenset({_BEFORE, "intended", "in_doubt", "closed", "failed", "blocked", "succeeded", "pending"}),
    "observed": frozenset({_BEFORE, "pending", "in_doubt", "succeeded", "failed", "blocked"}),
    "fetched": frozenset({_BEFORE, "pending", "succeeded", "failed"}),
    "bought": frozenset({_BEFORE, "succeeded"}),
}


def advance(phase: Phase | None, event: Event) -> Phase | None:
    """The phase after `event`; events that carry no token change none.

    Raises StateError that names both where the move is not in the table.
    """
    move = _move(event)
    if move is None:
        return phase
    if (phase or _BEFORE) not in _FROM[move]:
        raise StateError(
            "an event does not follow from what is recorded",
            f"The attempt {getattr(event, 'token', '')} is {phase or 'unknown'}, so '{move}' cannot happen to it. "
            "Nothing more is sent for it.",
            hints=("See what the journal holds: imagebatch lock doctor",),
            code="state.illegal_move",
        )
    return _after(phase, event)


def _move(event: Event) -> str | None:
    match event:
        case Intended() | Accepted() | Refused() | Doubted():
            return f"{type(event).__name__.lower()} {event.step}"
        case Abandoned():
            return "abandoned"
        case Observed():
            return "observed"
        case Fetched():
            return "fetched"
        case BoughtStored():
            return "bought"
        case _:
            return None


def _after(phase: Phase | None, event: Event) -> Phase | None:
    match event:
        case Observed():
            return event.status
        case Accepted(step="create" | "retry"):
            return "pending"
        case Intended(step="create"):
            return "intended"
        case Doubted(step="create"):
            return "in_doubt"
        case Refused(step="create"):
            return "closed"
        case Abandoned():
            # An open retry or buy that is given up leaves the generation what it was before.
            return "closed" if phase in {None, "intended", "in_doubt", "closed"} else phase
        case Intended(step="retry") | Doubted(step="retry") | Refused(step="retry"):
            return "failed" if phase is None else phase
        case _:
            return phase
