"""Picks after a rename: bound to draws and bytes, they belong to a picture and go where it goes."""

from collections.abc import Iterable
from dataclasses import replace

from imagebatch.model.generation import Entry
from imagebatch.model.picks import Pick, Picks
from imagebatch.model.recorded import Recorded
from imagebatch.model.variant import Variant
from imagebatch.plan.picking import picked_by_bytes


def followed_picks(picks: Picks, variants: Iterable[Variant], recorded: Recorded) -> Picks:
    """`picks` with the decisions of addresses that nobody wants any more given to those that took their place.

    That is a wanted address without a decision of its own that makes the same request: one that the lock does not know
    yet, or one that has just these pictures picked. Where more than one could be meant nothing is guessed.
    """
    if not picks.picks:
        return picks
    known = tuple(variants)
    wanted = {variant.address for variant in known}
    left = [pick for address, pick in picks.picks.items() if address not in wanted and pick.use]
    takers: dict[str, list[str]] = {pick.for_draw: [] for pick in left}
    for variant in known if left else ():
        if variant.draw in takers and variant.address not in picks.picks:
            takers[variant.draw].append(variant.address)
    found: dict[str, Pick] = {}
    for draw, addresses in takers.items():
        decided = [pick for pick in left if pick.for_draw == draw]
        new = [address for address in addresses if address not in recorded]
        if len(decided) == len(new) == 1:
            found[new[0]] = decided[0]
        for address in addresses:
            standing = [pick for pick in decided if address in recorded and _stands(pick, recorded.entry(address))]
            if standing:
                found[address] = standing[0]
    return replace(picks, picks={**picks.picks, **found}) if found else picks


def draw_that_counts(address: str, picks: Picks, recorded: Recorded) -> str:
    """The draw that a recorded address answers to: its own, or the one for which a person let its picture stand."""
    pick = picks.picks.get(address)
    own = recorded.glance(address).draw
    if pick is None or pick.was == "pick" or not _stands(pick, recorded.entry(address)):
        return own
    return pick.for_draw


def _stands(pick: Pick, entry: Entry) -> bool:
    return bool(entry.picked) and picked_by_bytes(pick.use, entry.candidates) == entry.picked
