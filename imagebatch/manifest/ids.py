"""Ids of assets: what may be one."""

import unicodedata
from typing import Final

from imagebatch.manifest.characters import BAD_IN_NAME, describe_char

MAX_ID_CHARS: Final = 100


def id_fault(name: str) -> str | None:
    """Why a text cannot be an asset id, as a clause; None where it can."""
    bad = BAD_IN_NAME.search(name)
    if bad is not None:
        return f"holds {describe_char(bad[0])}"
    if not name:
        return "is empty"
    if len(name) > MAX_ID_CHARS:
        return f"has {len(name)} characters; at most {MAX_ID_CHARS} are allowed"
    normal = unicodedata.normalize("NFC", name)
    marked = all(char.isalnum() or char in "._-" or unicodedata.category(char).startswith("M") for char in normal)
    if not marked:
        return "has other characters than letters, digits, . _ -"
    return "is a name that folders use for themselves" if not normal.strip(".") else None
