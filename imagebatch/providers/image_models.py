"""What is known of the models behind OpenAI-like image APIs, as of 21 November 2026.

Facts from OpenAI's API description of August 2026, the types of its Python SDK 3.52, and its deprecation notices.
"""

import re
from dataclasses import dataclass

GPT_QUALITIES = ("low", "medium", "high", "auto")
GPT_SIZES = ("1024x1024", "1536x1024", "1024x1536", "auto")
GPT_FORMATS = ("png", "jpeg", "webp")
MAX_GPT_REFERENCES = 16
MAX_COUNT = 10
MAX_KEPT_COUNT = 1000
MAX_KEPT_EDGE = 16_384
MAX_KEPT_PIXELS = 50_000_000

_FREE_MIN_PIXELS, _FREE_MAX_PIXELS = 655_360, 8_294_400
_FREE_MAX_EDGE = 3840
_FREE_TRIED_PIXELS = 2560 * 1440

_SIZE = re.compile(r"([1-9][0-9]{0,4})\s?[xX×]\s?([1-9][0-9]{0,4})", re.ASCII)
_DATED = re.compile(r"-20[0-9]{2}-[01][0-9]-[0-3][0-9]$", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """Limits of one model.

    `sizes` are the only ones taken; None stands for any width and height within gpt-image-2's rules. `retired` and
    `ends` are dates. `gpt` models answer base64 always and take background, output_format and the like.
    """

    sizes: tuple[str, ...] | None
    qualities: tuple[str, ...] = GPT_QUALITIES
    max_prompt: int = 32_000
    gpt: bool = True
    input_fidelity: tuple[str, ...] = ("high", "low")
    retired: str | None = None
    ends: str | None = None


_FREE = ModelFacts(sizes=None, input_fidelity=())
_NEWEST = ModelFacts(sizes=None, qualities=(*GPT_QUALITIES, "xhigh", "max"), input_fidelity=())
_ENDING = ModelFacts(sizes=GPT_SIZES, ends="2026-12-01")

MODELS: dict[str, ModelFacts] = {
    "dall-e-2": ModelFacts(
        sizes=("256x256", "512x512", "1024x1024"), qualities=("standard",), max_prompt=1000, gpt=False,
        retired="2026-05-12",
    ),
    "dall-e-3": ModelFacts(
        sizes=("1024x1024", "1792x1024", "1024x1792"), qualities=("standard", "hd"), max_prompt=4000, gpt=False,
        retired="2026-05-12",
    ),
    "gpt-image-1": ModelFacts(sizes=GPT_SIZES, retired="2026-10-23"),
    "gpt-image-1-mini": ModelFacts(sizes=GPT_SIZES, input_fidelity=("low",), ends="2026-12-01"),
    "gpt-image-1.5": _ENDING,
    "chatgpt-image-latest": _ENDING,
    "gpt-image-2": _FREE,
    "gpt-image-2.5-sunburst": _NEWEST,
    "gpt-image-2.5-flare": _NEWEST,
    "gpt-image-2.6-sunburst": _NEWEST,
    "gpt-image-2.6-flare": _NEWEST,
}  # fmt: skip
LIVE = tuple(name for name, facts in MODELS.items() if facts.retired is None)


def base_name(model: str) -> str:
    """A model's name without its date: `gpt-image-2-2026-04-21` is `gpt-image-2`."""
    return _DATED.sub("", model)


def facts_of(model: str) -> ModelFacts | None:
    """What is known of a model by its bare name, dated or not; None for one that this version does not know."""
    return MODELS.get(model) or MODELS.get(base_name(model))


def pixels(size: str) -> tuple[int, int] | None:
    """Width and height of a size text; None for `auto` and everything else that names no pixels."""
    match = _SIZE.fullmatch(size.strip())
    return (int(match[1]), int(match[2])) if match else None


def size_problem(size: str, facts: ModelFacts) -> str | None:
    """Why a model does not take a size, as half a sentence; None where it does."""
    if facts.sizes is not None:
        return None if size in facts.sizes else f"{size!r} is not one of {', '.join(facts.sizes)}"
    if size == "auto":
        return None
    found = pixels(size)
    if found is None:
        return f"{size!r} is neither auto nor WIDTHxHEIGHT"
    width, height = found
    if width % 16 or height % 16:
        return f"{size}: width and height must be divisible by 16"
    if max(found) > 3 * min(found):
        return f"{size}: the longer side may be at most three times the shorter"
    if max(found) > _FREE_MAX_EDGE or not _FREE_MIN_PIXELS <= width * height <= _FREE_MAX_PIXELS:
        return (
            f"{size}: {width * height} pixels; the model takes {_FREE_MIN_PIXELS} to {_FREE_MAX_PIXELS} "
            f"and no side over {_FREE_MAX_EDGE}"
        )
    return None


def size_is_experimental(size: str, facts: ModelFacts) -> bool:
    """Whether OpenAI calls a size of a free-size model experimental (over 2560x1440)."""
    found = pixels(size)
    return facts.sizes is None and found is not None and found[0] * found[1] > _FREE_TRIED_PIXELS


def size_is_absurd(size: str) -> bool:
    """Whether no picture of this size could be kept here, whatever a server draws."""
    found = pixels(size)
    return found is not None and (max(found) > MAX_KEPT_EDGE or found[0] * found[1] > MAX_KEPT_PIXELS)
