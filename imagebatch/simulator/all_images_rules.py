"""What All-Images.ai accepts in a create or an update, in the wording of NestJS with class-validator."""

import re
from collections.abc import Mapping
from typing import Any

from imagebatch.simulator.loose import Loose

SIZES: dict[str, tuple[int, int]] = {
    "1:1": (1024, 1024),
    "3:2": (1344, 896),
    "2:3": (896, 1344),
    "4:7": (832, 1456),
    "7:4": (1456, 832),
    "5:4": (1200, 960),
    "4:5": (960, 1200),
    "16:9": (1304, 744),
    "9:16": (744, 1304),
}
DEFAULT_FORMAT = "3:2"
CHOICES: dict[str, tuple[str, ...]] = {
    "templatePrompt": ("realisticQuality", "realisticManuel"),
    "format": tuple(SIZES),
    "weather": ("sunny", "cloudy", "foggy", "rainy", "thunderstorm", "snowy"),
    "time": ("sunrise", "morning", "afternoon", "sunset", "evening", "golden hour", "night", "midnight"),
}
RANGES: dict[str, int] = {"chaos": 100, "stylize": 1000}
NAMES = (
    "sujetMode",
    "templatePrompt",
    "angle",
    "photographe",
    "time",
    "weather",
    "format",
    "camera",
    "interdiction",
    "version",
    "chaos",
    "stylize",
    "fromImageUrl",
)
_MIDJOURNEY = re.compile(r"(?:^|\s)--[a-z]+\b")
_ASPECT = re.compile(r"--(?:aspect|ar)\s+(\d{1,3})\s*:\s*(\d{1,3})")


def problems(body: Loose, *, partial: bool = False, strict: bool = False) -> list[str]:
    """List what is wrong with a body; an empty list means it is accepted.

    Args:
        body: the JSON of the request.
        partial: an update, where every field may be left out.
        strict: `Time` in capitals is refused too.
    """
    if not isinstance(body, Mapping):
        return [
            "name should not be empty",
            "mode must be one of the following values: simple, advanced",
            "prompt should not be empty",
        ]
    found: list[str] = []
    for field in ("name", "prompt"):
        found += _text(body, field, required=not partial)
    found += _choice(body, "mode", ("simple", "advanced"), required=not partial)
    found += _choice(body, "processMode", ("relax", "fast"), required=False)
    found += _text(body, "additionalPrompt", required=False)
    found += [
        f"{name} must be shorter than or equal to {most} characters"
        for name, most in (("prompt", 4096), ("additionalPrompt", 1024))
        if _long(body, name, most)
    ]
    if body.get("optimizePrompt") is not None and not isinstance(body["optimizePrompt"], bool):
        found.append("optimizePrompt must be a boolean value")
    tags = body.get("tags")
    if tags is not None and not isinstance(tags, list):
        found.append("tags must be an array")
    elif tags and not all(isinstance(tag, str) for tag in tags):
        found.append("each value in tags must be a string")
    if body.get("metaData") is not None and not isinstance(body["metaData"], Mapping):
        found.append("metaData must be an object")
    found += _params(body.get("params"), strict=strict)
    if body.get("mode") == "simple" and isinstance(body.get("prompt"), str) and _MIDJOURNEY.search(body["prompt"]):
        found.append("prompt must not contain Midjourney parameters in simple mode")
    return found


def _text(body: Mapping[str, Any], field: str, *, required: bool) -> list[str]:
    value = body.get(field)
    if value is None:
        return [f"{field} should not be empty", f"{field} must be a string"] if required else []
    if not isinstance(value, str):
        return [f"{field} must be a string"]
    return [f"{field} should not be empty"] if not value.strip() and field != "additionalPrompt" else []


def _choice(body: Mapping[str, Any], field: str, values: tuple[str, ...], *, required: bool) -> list[str]:
    value = body.get(field)
    if (value is None and not required) or value in values:
        return []
    return [f"{field} must be one of the following values: {', '.join(values)}"]


def _long(body: Mapping[str, Any], field: str, most: int) -> bool:
    return isinstance(body.get(field), str) and len(body[field]) > most


def _params(params: Loose, *, strict: bool) -> list[str]:
    if params is None:
        return []
    if not isinstance(params, list):
        return ["params must be an array"]
    found: list[str] = []
    for index, param in enumerate(params):
        name, value = (param.get("name"), param.get("value")) if isinstance(param, Mapping) else (None, None)
        known = "time" if name == "Time" and not strict else name
        if known not in NAMES:
            found.append(f"params.{index}.name must be one of the following values: {', '.join(NAMES)}")
        elif isinstance(value, bool) or not isinstance(value, str | int | float):
            found.append(f"params.{index}.value must be a string")
        else:
            found += _value(f"params.{index}.value", str(known), str(value))
    return found


def _value(place: str, name: str, value: str) -> list[str]:
    if name in CHOICES and value not in CHOICES[name]:
        return [f"{place} must be one of the following values: {', '.join(CHOICES[name])}"]
    if name in RANGES and not (re.fullmatch(r"\d{1,4}", value) and int(value) <= RANGES[name]):
        return [f"{place} must not be greater than {RANGES[name]}", f"{place} must not be less than 0"]
    return []


def param(body: Mapping[str, Any], name: str) -> str:
    """Give a param's value as text; the last one counts."""
    values = [str(p["value"]) for p in body.get("params") or () if str(p["name"]).lower() == name.lower()]
    return values[-1] if values else ""


def size_of(body: Mapping[str, Any]) -> tuple[int, int]:
    """Give width and height in pixels of the preview: by `format`, or by `--ar` in advanced mode.

    The sizes are those that the vendor's own plugin shows; 4:5 follows by symmetry.
    """
    if body.get("mode") == "advanced" and (found := _ASPECT.search(str(body.get("prompt", "")))):
        name = f"{int(found[1])}:{int(found[2])}"
        if name in SIZES:
            return SIZES[name]
        across, down = max(int(found[1]), 1), max(int(found[2]), 1)
        edge = min(max((across / down) ** 0.5, 0.5), 2.0)
        return round(1024 * edge / 8) * 8, round(1024 / edge / 8) * 8
    if body.get("mode") == "advanced":
        return SIZES["1:1"]
    return SIZES[param(body, "format") or DEFAULT_FORMAT]
