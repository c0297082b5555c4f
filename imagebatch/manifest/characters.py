"""Characters that text from outside must not hold, and nearest known names for messages."""

import re
import unicodedata
from collections.abc import Iterable
from typing import Literal

CharKind = Literal["control_char", "encoding"]

# C0 but tab and line ends, DEL, C1, line and paragraph separators, direction overrides and isolates (Trojan Source,
# CVE-2021-42574), a stray BOM, lone surrogates, and the two private characters that stand for candidate and ext.
_BAD = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ue000\ue001"
BAD_IN_TEXT = re.compile(f"[{_BAD}]")
# In names also line ends and everything that cannot be seen: zero-width characters, direction marks, soft hyphen, tags.
_INVISIBLE = (
    "\t\n\r\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u206f\u3164\ufe00-\ufe0f\uffa0"
)
BAD_IN_NAME = re.compile(f"[{_BAD}{_INVISIBLE}\ufff9-\ufffb\U000e0000-\U000e007f]")

_NAMES = {
    0x09: "a tab",
    0x0A: "a line end",
    0x0D: "a carriage return",
    0xFEFF: "a byte-order mark",
    0xE000: "a private-use character that imagebatch keeps for itself",
    0xE001: "a private-use character that imagebatch keeps for itself",
}


def describe_char(char: str) -> str:
    """`U+202E, an invisible or direction character`: the code point, never the character itself."""
    point = ord(char)
    if point in _NAMES:
        word = _NAMES[point]
    elif 0xD800 <= point <= 0xDFFF:
        word = "a lone surrogate"
    elif unicodedata.category(char) == "Cc":
        word = "a control character"
    else:
        word = "an invisible or direction character"
    return f"U+{point:04X}, {word}"


def char_kind(char: str) -> CharKind:
    """Which code a bad character gets: a lone surrogate is a fault of the encoding."""
    return "encoding" if 0xD800 <= ord(char) <= 0xDFFF else "control_char"


def quoted(text: str, limit: int = 80) -> str:
    """User text for a message: in double quotes, cut, with every unprintable character escaped."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return '"' + "".join(char if char.isprintable() else escaped(char) for char in cut) + '"'


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, None where none is near."""
    import difflib

    pool = sorted(set(known))
    if name in pool:
        return name
    lowered = {candidate.casefold(): candidate for candidate in reversed(pool)}
    found = difflib.get_close_matches(_latin(name).casefold()[:200], lowered, n=1, cutoff=0.6)
    return lowered[found[0]] if found else None


def foreign_letter(name: str) -> str | None:
    """A letter that only looks like a Latin one, described: `letter 1 is CYRILLIC SMALL LETTER ER, U+0440`."""
    for index, char in enumerate(name, start=1):
        if char in _LOOKALIKES:
            return f"letter {index} is {unicodedata.name(char, 'unnamed')}, U+{ord(char):04X}"
    return None


_LOOKALIKES = dict(
    zip(
        "аеорсухіјѕԁһԛԝвнкмтАВЕКМНОРСТХІЈЅαενοριτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
        "aeopcyxijsdhqwbhkmtABEKMHOPCTXIJSaevopituxABEZHIKMNOPTYX",
        strict=True,
    )
)


def _latin(name: str) -> str:
    return "".join(_LOOKALIKES.get(char, char) for char in unicodedata.normalize("NFKC", name))


def escaped(char: str) -> str:
    """A character as messages show what cannot be printed."""
    point = ord(char)
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"
