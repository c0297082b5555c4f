"""The words of an entry of `outputs:` that have a shape of their own: where a crop goes, colours."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from imagebatch.manifest.written import Value

FOCUSES: Mapping[str, tuple[int, int]] = {
    "center": (5_000, 5_000), "top": (5_000, 0), "bottom": (5_000, 10_000), "left": (0, 5_000),
    "right": (10_000, 5_000), "top-left": (0, 0), "top-right": (10_000, 0), "bottom-left": (0, 10_000),
    "bottom-right": (10_000, 10_000),
}  # fmt: skip
"""The words for where a crop goes, in ten-thousandths from the left and from the top."""

_COLOUR = re.compile("#[0-9a-fA-F]{6}")


def _focus(value: Value) -> Value:
    if isinstance(value, str) and value in FOCUSES:
        return value
    if isinstance(value, list) and len(value) == 2 and all(map(_is_share, value)):
        return value
    raise PydanticCustomError(
        "manifest.type", f"must be one of {', '.join(FOCUSES)}, or two shares from 0 to 1 like [0.5, 0.2]"
    )


def _is_share(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _colour(value: Value) -> Value:
    if isinstance(value, str) and _COLOUR.fullmatch(value):
        return value
    if value is None:
        raise PydanticCustomError("manifest.required", 'is empty; write "#ffffff" in quotes, since # begins a comment')
    raise PydanticCustomError("manifest.type", 'must be a colour like "#ffffff"')


_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
Focus = Annotated[
    Any,
    BeforeValidator(_focus),
    WithJsonSchema(
        {"anyOf": [{"enum": list(FOCUSES)}, {"type": "array", "items": _SHARE, "minItems": 2, "maxItems": 2}]}
    ),
]
Colour = Annotated[
    str | None, BeforeValidator(_colour), WithJsonSchema({"type": "string", "pattern": f"^{_COLOUR.pattern}$"})
]
