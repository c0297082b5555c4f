"""Limits, tokens and prices of OpenAI's image models (API description of 2026-08, SDK types, price tables)."""

import math
import re
from dataclasses import dataclass
from decimal import Decimal

RETIRED = ("dall-e-2", "dall-e-3", "gpt-image-1")
STANDARD_SIZES = ("1024x1024", "1536x1024", "1024x1536", "auto")
_MILLION = Decimal(1_000_000)
_QUALITY_TOKENS = {"low": (272, 408, 400), "medium": (1056, 1584, 1568), "high": (4160, 6240, 6208)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What one model takes, and USD per million tokens of text in, image in and image out.

    `fidelities` are the values of `input_fidelity`; the free-size models want it left out, mini takes `low` only.
    """

    free_sizes: bool
    qualities: tuple[str, ...] = ("low", "medium", "high", "auto")
    fidelities: tuple[str, ...] = ()
    text_in: Decimal = Decimal(5)
    image_in: Decimal = Decimal(8)
    image_out: Decimal = Decimal(30)


_NEWEST = Model(free_sizes=True, qualities=("low", "medium", "high", "auto", "xhigh", "max"))
_ENDING = Model(free_sizes=False, fidelities=("high", "low"), image_out=Decimal(32))
MODELS: dict[str, Model] = {
    "gpt-image-1-mini": Model(
        free_sizes=False, fidelities=("low",), text_in=Decimal(2), image_in=Decimal("2.5"), image_out=Decimal(8)
    ),
    "gpt-image-1.5": _ENDING,
    "gpt-image-1.5-2025-12-16": _ENDING,
    "chatgpt-image-latest": _ENDING,
    "gpt-image-2": Model(free_sizes=True),
    "gpt-image-2-2026-04-21": Model(free_sizes=True),
    "gpt-image-2.5-sunburst": _NEWEST,
    "gpt-image-2.5-sunburst-2026-09-08": _NEWEST,
    "gpt-image-2.5-flare": _NEWEST,
    "gpt-image-2.5-flare-2026-09-08": _NEWEST,
    "gpt-image-2.6-sunburst": _NEWEST,
    "gpt-image-2.6-flare": _NEWEST,
}


def size_problem(model: Model, size: str) -> str:
    """Say what is wrong with a size for a model; an empty text means it is accepted."""
    if size in STANDARD_SIZES:
        return ""
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", size)
    if not model.free_sizes or not found:
        return f"Invalid value: '{size}'. Supported values are: {', '.join(repr(s) for s in STANDARD_SIZES)}."
    width, height = int(found[1]), int(found[2])
    if width % 16 or height % 16:
        return f"Invalid size '{size}'. Width and height must both be divisible by 16."
    if not width or not height or not 1 / 3 <= width / height <= 3:
        return f"Invalid size '{size}'. The aspect ratio must be between 1:3 and 3:1."
    if max(width, height) > 3840 or not 655_360 <= width * height <= 8_294_400:
        return f"Invalid size '{size}'. The requested resolution is outside the supported pixel budget."
    return ""


def output_tokens(name: str, quality: str, width: int, height: int) -> int:
    """Count the output tokens of one image; for `auto` quality medium is what the simulator draws."""
    grade = {"low": "low", "high": "high", "xhigh": "high", "max": "high"}.get(quality, "medium")
    if not MODELS[name].free_sizes:
        return _QUALITY_TOKENS[grade][0 if width == height else 1 if height > width else 2]
    factor = {"low": 16, "medium": 48, "high": 96}[grade]
    short = math.floor(factor * min(width, height) / max(width, height) + 0.5)
    return math.ceil(factor * short * (2_000_000 + width * height) / 4_000_000)


def price_of(name: str, *, text: int, image: int, out: int) -> str:
    """Give the price in USD of so many tokens, as decimal text."""
    model = MODELS[name]
    price = (model.text_in * text + model.image_in * image + model.image_out * out) / _MILLION
    return f"{price:.6f}"
