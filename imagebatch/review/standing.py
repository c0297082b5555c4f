"""What stands at an address for those who decide: its version changes with whatever a decision is about. Pure.

A page sends the version that it showed. Where another one stands by then, somebody else has decided, or the pictures
are others, and what the page wants is asked about and not written.
"""

import hashlib
from dataclasses import dataclass

from imagebatch.model.canonical import Json, encoded
from imagebatch.model.generation import Entry
from imagebatch.model.picks import Picks
from imagebatch.plan.picking import hashes, picked_by_bytes, source_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The decision at one address: `use` are the pictures that stand, by the hashes that a page shows.

    `draw` and `attempt` are those of the pictures, empty and 0 where the lock has nothing. `rejected` tells that none
    of the pictures will do, `note` why. `asked` tells that one more draw is asked for. `held` is protection by hand,
    `protected` any.
    """

    version: str
    draw: str
    attempt: int
    use: tuple[str, ...]
    rejected: bool
    asked: bool
    note: str
    protected: bool
    held: bool

    def as_json(self, at: int) -> dict[str, Json]:
        """For a page; `at` is the revision since which it stands so."""
        return {
            "at": at,
            "version": self.version,
            "draw": self.draw,
            "attempt": self.attempt,
            "use": list(self.use),
            "rejected": self.rejected,
            "asked": self.asked,
            "note": self.note,
            "protected": self.protected,
            "held": self.held,
        }


def standing(address: str, entry: Entry | None, picks: Picks, *, by_manifest: bool) -> Standing:
    """What stands at `address`; `by_manifest` tells that its manifest protects it."""
    pick, redo = picks.picks.get(address), picks.redo.get(address)
    counts = picks.choice(address, entry.attempt) if entry is not None else None
    rejected = entry is not None and counts is not None and not counts.use and counts.for_draw == entry.draw
    protected = by_manifest or (entry is not None and (entry.protect or entry.held))
    seen: list[Json] = [
        [pick.for_draw, list(pick.use), pick.was, pick.file] if pick is not None else None,
        [redo.attempt, redo.note, redo.add] if redo is not None else None,
        [entry.draw, entry.attempt, entry.status, list(entry.picked)] if entry is not None else None,
        [list(hashes(one)) for one in entry.candidates] if entry is not None else None,
        [protected, entry is not None and entry.held],
    ]
    return Standing(
        version=hashlib.sha256(encoded(seen).encode("utf-8", "surrogatepass")).hexdigest()[:32],
        draw=entry.draw if entry is not None else "",
        attempt=entry.attempt if entry is not None else 0,
        use=() if rejected or entry is None else _shown(entry, shown_picks(address, entry, picks)),
        rejected=rejected,
        asked=entry is not None and redo is not None and redo.attempt > entry.attempt,
        note=(redo.note or "") if redo is not None else "",
        protected=protected,
        held=entry is not None and entry.held,
    )


def shown_picks(address: str, entry: Entry, picks: Picks) -> tuple[int, ...]:
    """What picks.yaml says of the present draw, else what the lock has: a pick is seen before it is applied."""
    pick = picks.picks.get(address)
    if pick is not None and pick.for_draw == entry.draw:
        return picked_by_bytes(pick.use, entry.candidates) or entry.picked
    return entry.picked


def _shown(entry: Entry, numbers: tuple[int, ...]) -> tuple[str, ...]:
    found = (source_of(entry.candidates[number - 1]) for number in numbers if number <= len(entry.candidates))
    return tuple(facts.sha256 for facts in found if facts is not None)
