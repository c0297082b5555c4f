"""The error for an address that names no picture, with those that were probably meant."""

import difflib
import shlex
from collections.abc import Iterable

from imagebatch.errors import PlanError

_NAMED = 3


def unknown_address(address: str, known: Iterable[str], *, summary: str, detail: str) -> PlanError:
    """`detail` says what is not there; where `address` is an asset's name, its own addresses are named instead."""
    addresses = sorted(known)
    below = [one for one in addresses if one.startswith(f"{address}[")]
    near = difflib.get_close_matches(address, addresses, n=1)
    hints = ["imagebatch status"]
    if below:
        detail = f"{address} is the name of an asset; this command takes the address of one picture."
        more = f" and {len(below) - _NAMED} more" if len(below) > _NAMED else ""
        hints.insert(0, f"name one: {', '.join(map(shlex.quote, below[:_NAMED]))}{more}")
    elif near:
        hints.insert(0, f"did you mean {shlex.quote(near[0])}?")
    return PlanError(summary, detail, hints=tuple(hints), code="plan.unknown_address", address=address)
