"""Globs over addresses: only `*` and `?` are wild, brackets are literal."""

import re


def glob_pattern(text: str) -> re.Pattern[str]:
    """The pattern of a whole address; each wildcard is a group."""
    return re.compile("".join(_piece(char) for char in text), re.DOTALL)


def fill_glob(target: str, groups: tuple[str, ...]) -> str:
    """Put what a source glob's wildcards matched in the places of the target's, in order."""
    values = iter(groups)
    return re.sub(r"[*?]", lambda match: next(values, match[0]), target)


def _piece(char: str) -> str:
    if char == "*":
        return "(.*)"
    return "(.)" if char == "?" else re.escape(char)
