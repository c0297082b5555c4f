"""One generation that several addresses hold: none of them starts it anew with another request, or has it deleted."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from imagebatch.model.generation import Entry
from imagebatch.plan.index import DrawHolders
from imagebatch.plan.types import Change


class Holding:
    """Who has a generation: by the lock, or because a change of this plan takes it.

    `moved_to` maps old addresses to new ones; `leaves` tells of a recorded address whether this plan drops it.
    """

    def __init__(
        self,
        changes: Mapping[str, Change],
        holders: DrawHolders,
        *,
        moved_to: Mapping[str, str],
        leaves: Callable[[str], bool],
    ) -> None:
        self._holders = holders
        self._moved_to = moved_to
        self._leaves = leaves
        self._taken: dict[str, set[str]] = {}
        for change in changes.values():
            if change.known is not None:
                self._taken.setdefault(change.known.token, set()).add(change.address)

    def others(self, address: str, entry: Entry) -> tuple[str, ...]:
        """The addresses beside `address` that have the generation of its `entry`, sorted."""
        found = set(self._taken.get(entry.token, ()))
        recorded = self._holders.recorded
        for holder in self._holders.holders(entry.draw):
            if recorded.entry(holder).token == entry.token and not self._leaves(holder):
                found.add(self._moved_to.get(holder, holder))
        return tuple(sorted(found - {address}))


def start_anew_apart(changes: dict[str, Change], holding: Holding) -> None:
    """A failed generation is not given another request while others hold it: they would get its picture for theirs.

    Works in place: such a change draws a generation of its own.
    """
    for address, change in changes.items():
        entry, variant = change.entry, change.variant
        if not change.in_place or entry is None or variant is None or entry.draw == variant.draw:
            continue
        if not all(_draw_together(change, changes.get(other)) for other in holding.others(address, entry)):
            changes[address] = replace(change, in_place=False)


def note_holders(changes: dict[str, Change], holding: Holding) -> None:
    """Write down who else holds what a change would have deleted, in place."""
    for address, change in changes.items():
        entry, variant = change.entry, change.variant
        if entry is None or variant is None or variant.policy.on_replace != "delete" or entry.generation is None:
            continue
        held_by = holding.others(address, entry)
        if held_by:
            changes[address] = replace(change, held_by=held_by)


def _draw_together(change: Change, other: Change | None) -> bool:
    """Whether the other address will share what this change draws."""
    if other is None or other.variant is None or change.variant is None or other.action == "noop":
        return False
    mine, theirs = change.variant, other.variant
    return mine.draw == theirs.draw and mine.provider == theirs.provider and not mine.policy.distinct
