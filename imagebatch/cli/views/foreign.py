"""The one place where text that others wrote is made safe to print.

Prompts, provider messages, file names and YAML values may hold terminal escapes, direction overrides or GitHub log
commands. Everything that is not plainly visible becomes a visible escape, the text stays on one line, and is cut.
"""

import json
import re
from collections.abc import Mapping

LIMIT = 500

# Where JSON's own escaping stops: DEL, C1, soft hyphen, marks of direction, zero-width and other format characters,
# line and paragraph separators, byte-order mark, interlinear marks, lone surrogates, tags.
_HIDDEN_IN_JSON = re.compile(
    "[\x7f-\x9f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# U+3164 and its like count as letters and are shown as nothing.
_BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u17b4\u17b5")


def shown(text: str, limit: int = LIMIT) -> str:
    """Foreign text on one line: what cannot be seen is escaped, what is longer than `limit` characters is cut."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    if cut.isprintable() and not _BLANK_LETTERS.intersection(cut):
        return cut
    return "".join(_visible(char) for char in cut)


def without_log_command(line: str) -> str:
    """A line that no CI takes for a command: GitHub runs what follows `::` at a line's start, blanks skipped."""
    bare = line.lstrip()
    if bare.startswith("::"):
        line = line[: len(line) - len(bare)] + "\\x3a" + bare[1:]
    return line.replace("##[", "##\\x5b")


def json_text(value: object, *, indent: int | None = None) -> str:
    """JSON in which every character that could disturb a terminal is an escape; readable letters stay as they are."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
    return _HIDDEN_IN_JSON.sub(_json_escape, text)


def without_absent(value: Mapping[str, object]) -> dict[str, object]:
    """The mapping without what is not there: None, and empty text, lists and mappings."""
    return {key: item for key, item in value.items() if item is not None and item not in ("", (), [], {})}


def _visible(char: str) -> str:
    if char.isprintable() and char not in _BLANK_LETTERS:
        return char
    if char in _SHORT:
        return _SHORT[char]
    if char in "\u00a0\u202f\u2009\u3000":
        return " "
    point = ord(char)
    if point <= 0xFF:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def _json_escape(match: re.Match[str]) -> str:
    point = ord(match[0])
    if point <= 0xFFFF:
        return f"\\u{point:04x}"
    high, low = divmod(point - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
