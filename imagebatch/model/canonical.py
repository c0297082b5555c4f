"""Canonical JSON and the fingerprints made from it.

After an adapter has put a request in wire form every number is an integer within 2^53 or has become its
shortest decimal text, so sorted, compact `json.dumps` without ASCII escapes is RFC 8785 (JCS) for what we hash.
RFC 8785 sorts keys by UTF-16 code units; keys here are ASCII names or metadata keys, for which `_utf16` sorts rightly.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

MAX_SAFE_INTEGER = 2**53

encoded = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
"""A value as compact JSON in its own order; `json.dumps` would make an encoder for each call."""


def canonical(value: Json) -> str:
    """Render `value` as canonical JSON (RFC 8785).

    Raises ValueError for a float or an integer beyond 2^53: the caller has to turn it into text first.
    """
    return encoded(_checked(value))


def decimals_as_text(value: Json) -> Json:
    """`value` with every fraction as its shortest decimal text, so that `canonical` takes it; integers stay numbers."""
    if isinstance(value, Mapping):
        return {key: decimals_as_text(inner) for key, inner in value.items()}
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, str | int) or value is None:
        return value
    return [decimals_as_text(item) for item in value]


def fingerprint(text: str) -> str:
    """`sha256:` and 64 hex digits of the UTF-8 bytes of `text`."""
    return "sha256:" + hashlib.sha256(text.encode("utf-8")).hexdigest()


def draw_fingerprint(provider_type: str, body: str) -> str:
    """The fingerprint of a request.

    `body` is the request's canonical JSON in wire form, without its provider type.
    """
    before, after = draw_frame(provider_type)
    return fingerprint(f"{before}{body}{after}")


def draw_frame(provider_type: str) -> tuple[str, str]:
    """What stands before and after a request's canonical JSON in the text that a draw fingerprint is made of."""
    return '{"request":', f',"type":{json.dumps(provider_type)}}}'


def _checked(value: Json) -> Json:
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {key: _checked(value[key]) for key in sorted(value, key=_utf16)}
    if isinstance(value, int):
        if abs(value) > MAX_SAFE_INTEGER:
            raise ValueError(f"the integer {value} is beyond 2^53; write it as text")
        return value
    if isinstance(value, float):
        raise ValueError(f"the number {value} is not an integer; write it as text")
    return [_checked(item) for item in value]


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")
