"""Several accounts of one draw (lock, journal, draw index) made one: which is later, what only one knows; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from imagebatch.model.generation import Status
from imagebatch.model.recorded import KnownDraw
from imagebatch.state.attempts import Attempt, merged_candidates

_LATENESS: Final[Mapping[Status, int]] = {"in_doubt": 0, "pending": 1, "failed": 2, "blocked": 2, "succeeded": 2}
_REFUSED: Final = -1


def grouped(attempts: Iterable[Attempt]) -> list[list[Attempt]]:
    """Attempts by whole draw: those of one attempt number and salt are its parts, one for each part number."""
    groups: dict[tuple[int, str], dict[int, Attempt]] = {}
    loose: list[list[Attempt]] = []
    for attempt in attempts:
        parts = groups.setdefault((attempt.attempt, attempt.salt), {})
        if attempt.part in parts:
            loose.append([attempt])  # the same attempt under another token, as an import or an adoption makes it
        else:
            parts[attempt.part] = attempt
    return [list(parts.values()) for parts in groups.values()] + loose


def is_as_late(one: KnownDraw, other: KnownDraw) -> bool:
    """Whether `one` knows no earlier attempt than `other`, and no earlier status of the same one.

    Of lock and draw index neither is always the newer: the lock may have been taken back to an old commit, and the
    index hears nothing of what another checkout did. Of two ends of one attempt the lock's counts: it tells too what
    became of the pictures. A refusal is no end: what was refused is sent again under the same token.
    """
    return (one.attempt, _lateness(one)) >= (other.attempt, _lateness(other))


def _lateness(known: KnownDraw) -> int:
    ends = known.parts or (known,)
    refused = any(one.status == "failed" and one.generation is None for one in ends)
    return _REFUSED if refused and known.status == "failed" else _LATENESS[known.status]


def richer(one: KnownDraw, other: KnownDraw) -> KnownDraw:
    """`one`, which is newer, with the pictures that only `other` knows."""
    if one.status == other.status == "succeeded":
        candidates = merged_candidates(one.candidates or other.candidates, other.candidates)
        return replace(one, candidates=candidates, failure=one.failure or other.failure)
    if one.status == "in_doubt" and other.generation is not None and not one.parts:
        # The generation is known; what the journal has is a retry or a purchase of it, or bytes that came later.
        candidates = merged_candidates(other.candidates, one.candidates)
        return replace(other, candidates=candidates, open_intent=one.open_intent)
    return one
