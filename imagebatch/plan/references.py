"""Pictures whose references have other bytes now, and that stay all the same until somebody asks for another."""

import json
import shlex

from imagebatch.model.generation import Entry
from imagebatch.model.picks import Pick
from imagebatch.model.variant import Variant
from imagebatch.plan.picking import picked_by_bytes

_KEY = "references"


def stays_with_references(variant: Variant, entry: Entry) -> bool:
    """Whether a picture stays although the bytes of its references changed, and nothing else of its request did.

    A reference that was added or taken away is a request of one's own making: that is drawn.
    """
    if variant.policy.on_reference_change == "redraw" or entry.status != "succeeded" or entry.type != variant.type:
        return False
    old, new = json.loads(entry.request), json.loads(variant.request)
    before, after = old.pop(_KEY, ()), new.pop(_KEY, ())
    return bool(old == new and before != after and len(before) == len(after))


def is_final(variant: Variant, entry: Entry, pick: Pick | None) -> bool:
    """Whether an entry's picture is the one that others may refer to: the wanted one, or one that stands for it."""
    if entry.status != "succeeded" or not entry.picked:
        return False
    if variant.policy.protect or entry.held or stays_with_references(variant, entry):
        return True
    if variant.pending_references:
        return False
    if entry.draw == variant.draw:
        return True
    chosen = pick is not None and pick.was != "pick" and pick.for_draw == variant.draw and bool(pick.use)
    return chosen and pick is not None and picked_by_bytes(pick.use, entry.candidates) == entry.picked


def how_to_say_yes(variant: Variant) -> str:
    """Why the picture stays, and where somebody was to be asked, the commands that answer."""
    if variant.policy.on_reference_change == "keep":
        return "its reference changed, and on_reference_change is keep"
    address = shlex.quote(variant.address)
    return f"its reference changed: `imagebatch redraw {address}` draws it anew, `imagebatch accept {address}` keeps it"


def what_is_lacking(address: str, entry: Entry | None, *, unpicked: bool) -> str:
    """What a reference to an address waits for, and the command that helps, where waiting alone does not."""
    quoted = shlex.quote(address)
    if unpicked:
        return f"{address} has no pick yet: `imagebatch pick {quoted} 1`"
    if entry is not None and entry.status in {"failed", "blocked", "in_doubt"}:
        return f"{address}, which is {entry.status.replace('_', ' ')}: `imagebatch explain {quoted}`"
    return address
