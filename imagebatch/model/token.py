"""Tokens: our names for single paid attempts, known before the call leaves."""

import base64
import hashlib
import re

from imagebatch.model.canonical import canonical

TOKEN_PATTERN = re.compile(r"ib-[a-z2-7]{16}")
LINEAGE_PATTERN = re.compile(r"[0-9a-f]{32}")


def make_token(*, lineage: str, draw: str, attempt: int, part: int = 0, salt: str = "") -> str:
    """`ib-` and 16 base32 characters for one paid attempt.

    `draw` is the draw fingerprint, `attempt` counts from 1, `part` from 0. `salt` is empty, or the address of a
    variant that has to be drawn apart from its equals. No address otherwise: a rename never loses a picture.
    """
    digest = hashlib.sha256(canonical([lineage, draw, attempt, part, salt]).encode()).digest()
    return "ib-" + base64.b32encode(digest)[:16].decode("ascii").lower()


def lineage_tag(lineage: str) -> str:
    """The tag that all generations of one project share, by which one listing finds them."""
    return "ibl-" + lineage[:16]
