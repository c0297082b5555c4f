"""Strict JSON, and typed reading of what it holds: the lock and the journal are hostile text like any other.

Python's own reader keeps the last of two equal keys and takes NaN; a lock that says two things at once must not
be read as one of them (RELIABILITY M15).
"""

import json
from collections.abc import Mapping
from typing import Final, NoReturn, TypeVar, cast

from imagebatch.model.canonical import Json, encoded

MAX_INTEGER: Final = 2**53
_L = TypeVar("_L", bound=str)


class DuplicateKeyError(ValueError):
    """One JSON object holds one key twice; `key` names it."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key!r} stands there twice")
        self.key = key


def parse_json(text: str) -> Json:
    """Read one JSON value.

    Raises ValueError with a sentence for text that is no JSON, equal keys in one object, NaN or Infinity, and nesting
    that is too deep to read.
    """
    try:
        return cast("Json", _DECODER.decode(text))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def compact(value: Json) -> str:
    """`value` as JSON without blanks, in its own order; escaped to ASCII only where UTF-8 could not hold it."""
    text = encoded(value)
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=True)
    return text


class Fields:
    """One JSON object that is read field by field; what nobody asked for is left over.

    Every method raises ValueError with a sentence that names the field when its value is of another type.
    """

    __slots__ = ("_left", "_where")

    def __init__(self, value: Json, where: str = "") -> None:
        if not isinstance(value, Mapping):
            raise ValueError(f"{where or 'the value'} is not an object")
        self._left = dict(value)
        self._where = f"{where}." if where else ""

    def text(self, name: str) -> str:
        """A string that has to be there."""
        value = self._left.pop(name, None)
        if not isinstance(value, str):
            self._wrong(name, "a text")
        return value

    def optional_text(self, name: str) -> str | None:
        """A string, or None where the field is absent."""
        return self.text(name) if name in self._left else None

    def choice(self, name: str, allowed: frozenset[_L]) -> _L:
        """A string out of a closed set."""
        value = self.text(name)
        if value not in allowed:
            raise ValueError(f"{self._where}{name} is {value!r}; known are {', '.join(sorted(allowed))}")
        return value

    def number(self, name: str, *, least: int = 0, most: int = MAX_INTEGER, default: int | None = None) -> int:
        """An integer from `least` to `most`; `default` where it is absent."""
        value = self._left.pop(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self._wrong(name, f"an integer from {least} " + ("on" if most == MAX_INTEGER else f"to {most}"))
        return value

    def flag(self, name: str) -> bool:
        """A boolean; False where it is absent."""
        value = self._left.pop(name, False)
        if not isinstance(value, bool):
            self._wrong(name, "true or false")
        return value

    def items(self, name: str) -> list[Json]:
        """A list; empty where it is absent."""
        value = self._left.pop(name, [])
        if not isinstance(value, list):
            self._wrong(name, "a list")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings; empty where it is absent."""
        values = self.items(name)
        if not all(isinstance(value, str) for value in values):
            self._wrong(name, "a list of texts")
        return tuple(cast("list[str]", values))

    def numbers(self, name: str, *, least: int = 0) -> tuple[int, ...]:
        """A list of integers; empty where it is absent."""
        values = self.items(name)
        for value in values:
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MAX_INTEGER:
                self._wrong(name, f"a list of integers from {least} on")
        return tuple(cast("list[int]", values))

    def inner(self, name: str) -> Json:
        """Whatever stands there; None where the field is absent."""
        return self._left.pop(name, None)

    def has(self, name: str) -> bool:
        """Whether the field is there and not read yet."""
        return name in self._left

    def rest(self) -> dict[str, Json]:
        """The fields that nobody asked for."""
        return self._left

    def _wrong(self, name: str, wanted: str) -> NoReturn:
        raise ValueError(f"{self._where}{name} has to be {wanted}")


def _pairs(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise DuplicateKeyError(key)
            seen.add(key)
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_refuse_constant)
