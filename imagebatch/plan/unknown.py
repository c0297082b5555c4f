"""The error for an address that names no picture, with those that were probably meant."""

import difflib
import shlex
from collections.abc import Iterable, Sequence

from imagebatch.errors import PlanError

_NAMED = 3
MOST_COMPARED = 20_000


def near_address(wanted: str, addresses: Sequence[str]) -> str | None:
    """The address most like `wanted`: one of the same asset where it has any, else whatever looks alike."""
    siblings = [one for one in addresses if one.partition("[")[0] == wanted.partition("[")[0]]
    for pool in (siblings, addresses):
        near = difflib.get_close_matches(wanted, pool[:MOST_COMPARED], n=1, cutoff=0.5)
        if near:
            return near[0]
    return None


def unknown_address(address: str, known: Iterable[str], *, summary: str, detail: str) -> PlanError:
    """`detail` says what is not there; where `address` is an asset's name, its own addresses are named instead."""
    addresses = sorted(known)
    below = [one for one in addresses if one.startswith(f"{address}[")]
    near = near_address(address, addresses)
    hints = ["imagebatch status"]
    if below:
        detail = f"{address} is the name of an asset; this command takes the address of one picture."
        more = f" and {len(below) - _NAMED} more" if len(below) > _NAMED else ""
        hints.insert(0, f"name one: {', '.join(map(shlex.quote, below[:_NAMED]))}{more}")
    elif near is not None and near != address:
        hints.insert(0, f"did you mean {shlex.quote(near)}?")
    return PlanError(summary, detail, hints=tuple(hints), code="plan.unknown_address", address=address)
