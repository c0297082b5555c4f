"""Addresses: the stable names of variants.

`hero`, `hero[season=spring]`, `product[LMP-001]`, `product[LMP-001,angle=front]`: the data key first, then the
axes sorted by name. A key or a value that holds one of `[ ] , = "` or a blank is written as a JSON string.
State, plan and journal are keyed by the text; the parsed form is for selectors and messages.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

_SPECIAL = frozenset('[],="')


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A parsed address: asset id, data key or None, and (axis, value) pairs sorted by axis."""

    asset: str
    key: str | None = None
    axes: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return render_address(self.asset, self.key, dict(self.axes))


def render_address(asset: str, key: str | None, axes: Mapping[str, str]) -> str:
    """The text of an address; `axes` maps axis names to the values' texts."""
    parts = [] if key is None else [_quoted(key)]
    parts += [f"{name}={_quoted(axes[name])}" for name in sorted(axes)]
    return f"{asset}[{','.join(parts)}]" if parts else asset


def parse_address(text: str) -> Address:
    """Read an address back.

    Raises ValueError with a sentence when `text` is none.
    """
    asset, bracket, rest = text.partition("[")
    if not asset:
        raise ValueError(f"{text!r} has no asset id before the bracket" if text else "it is empty")
    if not bracket:
        return Address(asset=asset)
    if not rest.endswith("]"):
        raise ValueError(f"{text!r} does not end with a closing bracket")
    key: str | None = None
    axes: dict[str, str] = {}
    for index, (name, value) in enumerate(_parts(rest[:-1], text)):
        if name is None:
            if index:
                raise ValueError(f"{text!r} has a data key after an axis; the key comes first")
            key = value
        elif name in axes:
            raise ValueError(f"{text!r} names the axis {name!r} twice")
        else:
            axes[name] = value
    return Address(asset=asset, key=key, axes=tuple(sorted(axes.items())))


def _quoted(value: str) -> str:
    if value and not any(char in _SPECIAL or char.isspace() for char in value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _parts(inner: str, text: str) -> list[tuple[str | None, str]]:
    decoder = json.JSONDecoder()
    found: list[tuple[str | None, str]] = []
    at = 0
    while at <= len(inner):
        name: str | None = None
        if not inner.startswith('"', at):
            stop = _next_of(inner, at, ",=")
            if inner[stop : stop + 1] == "=":
                name, at = inner[at:stop], stop + 1
        if inner.startswith('"', at):
            try:
                value, at = decoder.raw_decode(inner, at)
            except ValueError:
                raise ValueError(f"{text!r} has a quoted part that is not a JSON string") from None
        else:
            stop = _next_of(inner, at, ",")
            value, at = inner[at:stop], stop
            if not value or any(char in _SPECIAL for char in value):
                raise ValueError(f"{text!r} has an empty or unquoted part {value!r}")
        found.append((name, value))
        if at < len(inner) and inner[at] != ",":
            raise ValueError(f"{text!r} has text after a quoted part")
        at += 1
    return found


def _next_of(text: str, at: int, chars: str) -> int:
    stops = [index for index in (text.find(char, at) for char in chars) if index >= 0]
    return min(stops, default=len(text))
