"""Tokens: our names for single paid attempts, known before the call leaves."""

import hashlib
import re

from imagebatch.model.canonical import canonical

TOKEN_PATTERN = re.compile(r"ib-[a-z2-7]{16}")
LINEAGE_PATTERN = re.compile(r"[0-9a-f]{32}")

_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
# Two characters at a time: a run makes several tokens a variant, and the library's base32 is the dearest part of each.
_PAIRS = tuple(first + second for first in _BASE32 for second in _BASE32)
_SHIFTS = range(70, -10, -10)


def make_token(*, lineage: str, draw: str, attempt: int, part: int = 0, salt: str = "") -> str:
    """`ib-` and 16 base32 characters for one paid attempt.

    `draw` is the draw fingerprint, `attempt` counts from 1, `part` from 0. `salt` is empty, or the address of a
    variant that has to be drawn apart from its equals. No address otherwise: a rename never loses a picture.
    """
    digest = hashlib.sha256(canonical([lineage, draw, attempt, part, salt]).encode()).digest()
    bits = int.from_bytes(digest[:10], "big")
    return "ib-" + "".join([_PAIRS[bits >> shift & 1023] for shift in _SHIFTS])


def lineage_tag(lineage: str) -> str:
    """The tag that all generations of one project share, by which one listing finds them."""
    return "ibl-" + lineage[:16]
