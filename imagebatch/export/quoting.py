"""Foreign text as a literal of a language: it ends where it should, and nothing of it is hidden from a reader. Pure."""

import json


def quoted(text: str) -> str:
    """A JSON string, which is one of JavaScript and TypeScript, too; what cannot be seen is an escape."""
    whole = json.dumps(text, ensure_ascii=False)
    shown = "".join(char if char.isprintable() else _escaped(char) for char in whole)
    return shown.replace("</", "<\\/")  # a page may hold it between script tags


def python_quoted(text: str) -> str:
    """A string literal of Python."""
    return quoted(text).replace("<\\/", "</") if _is_plain(text) else repr(text)


def css_quoted(text: str) -> str:
    """A string of CSS, also between style tags."""
    return '"' + "".join(char if _css_plain(char) else f"\\{ord(char):x} " for char in text) + '"'


def _escaped(char: str) -> str:
    point = ord(char)
    if point <= 0xFFFF:
        return f"\\u{point:04x}"
    high, low = divmod(point - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def _is_plain(text: str) -> bool:
    return text.isprintable() and "\\" not in text


def _css_plain(char: str) -> bool:
    return char.isprintable() and char not in '"\\<>' and char != "\0"
