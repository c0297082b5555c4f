"""Foreign text for a page: what a browser would hide, or use to turn a line around, becomes a visible escape. Pure.

Escaping for HTML is the templates' business; this is about characters that HTML lets through.
"""

import re
from typing import Final

# Control characters but line end and tab, marks of direction, zero-width and other format characters, surrogates.
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """The text with everything in it visible; line ends and tabs stay."""
    return _HIDDEN.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    point = ord(match[0])
    return f"\\x{point:02x}" if point <= 0xFF else f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"
