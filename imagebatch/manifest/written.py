"""Numbers that remember how they were written, so that `1.10` is shown as `1.10`.

A number whose usual text is what was written stays a plain `int` or `float`; only the others carry their text.
"""

import re
from typing import Any, Final, Self, TypeAlias

# A parsed value: nothing, true or false, a number, text, a mapping, a list. Its shape is for the schema to prove.
Value: TypeAlias = Any

MAX_DIGITS: Final = 400
_INT = re.compile(r"[-+]?[0-9]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_OCT = re.compile(r"0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_SMALL = re.compile(r"[-+.0]*[1-9]")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]")


class WrittenInt(int):
    """An integer with the text it was written as."""

    text: str

    def __new__(cls, value: int, text: str) -> Self:
        made = super().__new__(cls, value)
        made.text = text
        return made

    def __str__(self) -> str:
        return self.text


class WrittenFloat(float):
    """A float with the text it was written as."""

    text: str

    def __new__(cls, value: float, text: str) -> Self:
        made = super().__new__(cls, value)
        made.text = text
        return made

    def __str__(self) -> str:
        return self.text


class NotANumber(ValueError):
    """A scalar that looks like a number and may not be one; the text says why and what to write."""


def read_number(text: str) -> int | float | None:
    """Read a plain scalar by the YAML 1.2 core rules; None where it is not a number.

    Raises NotANumber for `007`, `.nan`, `.inf` and numbers too large to hold.
    """
    if _FLOAT.fullmatch(text):
        return _decimal(text)
    if _HEX.fullmatch(text) or _OCT.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise NotANumber(f"a number of {len(text)} characters is too large; quote it if it is text")
        return WrittenInt(int(text, 0), text)
    if _NOT_FINITE.fullmatch(text):
        raise NotANumber(f"{text} is not a finite number; quote it if it is text")
    return None


def show(value: Value) -> str:
    """The text of an axis value, key or cell: numbers as written, `true` and `false` in small letters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def packed(value: Value) -> Value:
    """`value` in the form that goes to the rendering child: a number with a text becomes the pair (number, text)."""
    if isinstance(value, (WrittenInt, WrittenFloat)):
        return (int(value) if isinstance(value, WrittenInt) else float(value), value.text)
    if isinstance(value, dict):
        return {key: packed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [packed(item) for item in value]
    return value


def plain(value: Value) -> Value:
    """`value` with plain dictionaries, lists and numbers only: what drafts hold."""
    if isinstance(value, (WrittenInt, WrittenFloat)):
        return int(value) if isinstance(value, WrittenInt) else float(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def _decimal(text: str) -> int | float:
    if _LEADING_ZERO.match(text):
        raise NotANumber(f"{text[:40]} starts with 0 and could be read in two ways; quote it")
    if len(text) > MAX_DIGITS:
        raise NotANumber(f"a number of {len(text)} characters is too large; quote it if it is text")
    if _INT.fullmatch(text):
        whole = int(text)
        return whole if str(whole) == text else WrittenInt(whole, text)
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise NotANumber(f"{text[:40]} is too large for a number; quote it if it is text")
    if number == 0 and _SMALL.match(text):
        raise NotANumber(f"{text[:40]} is too small for a number and would become 0; quote it if it is text")
    return number if repr(number) == text else WrittenFloat(number, text)
