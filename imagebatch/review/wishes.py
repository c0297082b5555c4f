"""What a page that is served asks for, read as the hostile text that everything over a network is. Pure.

    {"version": "…", "decision": {"address": "hero", "for": "sha256:…", "use": ["sha256:…"]}}
    {"version": "…", "decision": {"address": "hero", "for": "sha256:…", "seen": ["sha256:…"], "reject": "more gold"}}
    {"version": "…", "address": "hero", "protect": true}
    {"version": "…", "address": "hero", "undo": true}

A decision is what a gallery's file has of it; `version` is that of the standing that the page showed.
"""

from dataclasses import dataclass
from typing import Final

from imagebatch.review.decisions import Decision, read_decision
from imagebatch.state.strict import Fields, parse_json

MAX_WISH_BYTES: Final = 64 * 1024
_LONGEST_VERSION: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One wish for one address: exactly one of `decision`, `protect` (on or off) and `undo` says what."""

    address: str
    version: str
    decision: Decision | None = None
    protect: bool | None = None
    undo: bool = False


def decode_wish(data: bytes) -> Wish:
    """Read the body of a request.

    Raises ValueError with a sentence for whatever is not of this form.
    """
    if len(data) > MAX_WISH_BYTES:
        raise ValueError(f"it is over {MAX_WISH_BYTES // 1024} KiB")
    fields = Fields(parse_json(data.decode("utf-8")))
    version = fields.text("version")
    if len(version) > _LONGEST_VERSION:
        raise ValueError("version is too long")
    if fields.has("decision"):
        decision = read_decision(fields.inner("decision"), "decision")
        wish = Wish(address=decision.address, version=version, decision=decision)
    else:
        address, undo = fields.text("address"), fields.flag("undo")
        protect = fields.flag("protect") if fields.has("protect") else None
        if undo == (protect is not None):
            raise ValueError("it needs one of decision, protect and undo")
        wish = Wish(address=address, version=version, protect=protect, undo=undo)
    for name in fields.rest():
        raise ValueError(f"{name} is not known")
    return wish
