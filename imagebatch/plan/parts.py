"""Requests that several creates make together: which creates are missing, and whether the rest would complete them."""

from imagebatch.model.generation import Entry
from imagebatch.model.recorded import KnownDraw
from imagebatch.plan.case import Case, bytes_at_hand


def lacks_parts(draw: KnownDraw) -> bool:
    """Whether creates of a draw are missing that no provider ever took, and none that one took has failed.

    Then the same attempt goes on: what was delivered stays, and only what is missing is sent.
    """
    missing = [part for part in draw.parts if part.status in {"failed", "blocked"}]
    return bool(missing) and all(part.generation is None for part in missing)


def not_here(case: Case, draw: KnownDraw) -> int:
    """How many pictures that other creates of a draw brought can be had nowhere: the rest would not complete them."""
    if case.world.abilities(draw.type).answers == "later":
        return 0  # its provider sends them again
    holder = _holder(case.entry, draw)
    here = (bytes_at_hand(index, draw, holder, case.world) for index in range(1, len(draw.candidates) + 1))
    return sum(not at_hand for at_hand in here)


def _holder(entry: Entry | None, draw: KnownDraw) -> Entry | None:
    return entry if entry is not None and entry.token == draw.token else None
