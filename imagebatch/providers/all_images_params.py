"""All-Images.ai: a manifest's params in wire form, and what may stand in a prompt.

Names and ranges are those of the provider's guide to creating a generation and of its published schema, captured in
2025; where the two disagree (`Time` and `time`, `stylize` to 100 or 1000, numbers or text) the schema's form is sent.
"""

import re
from collections.abc import Mapping

from imagebatch.model.canonical import Json
from imagebatch.model.capabilities import Encoded, ParamProblem
from imagebatch.model.generation import Resolution
from imagebatch.model.money import UNKNOWN_COST, Cost, Money
from imagebatch.providers.params import ParamReader

MAX_PROMPT = 4096
MAX_ADDITIONAL = 1024

FORMATS = ("1:1", "3:2", "2:3", "4:7", "7:4", "5:4", "4:5", "16:9", "9:16")
WEATHERS = ("sunny", "cloudy", "foggy", "rainy", "thunderstorm", "snowy")
TIMES = ("sunrise", "morning", "afternoon", "sunset", "evening", "golden hour", "night", "midnight")
TEMPLATES = ("realisticQuality", "realisticManuel")
MODES = ("simple", "advanced")
PROCESS_MODES = ("fast", "relax")
FREE_TEXT = ("angle", "camera", "fromImageUrl", "photographe", "sujetMode", "version")
VENDOR_PARAMS = ("templatePrompt", "format", "weather", "time", "chaos", "stylize", "interdiction", *FREE_TEXT)
OWN_PARAMS = ("mode", "additionalPrompt", "optimizePrompt", "processMode")
KNOWN = frozenset({*VENDOR_PARAMS, *OWN_PARAMS})

# The sizes that the provider's own plug-in shows; 4:5 is not among them, so nothing is asked of its pixels.
SIZES: Mapping[str, tuple[int, int]] = {
    "1:1": (1024, 1024), "3:2": (1344, 896), "2:3": (896, 1344), "4:7": (832, 1456), "7:4": (1456, 832),
    "5:4": (1200, 960), "16:9": (1304, 744), "9:16": (744, 1304),
}  # fmt: skip

_MIDJOURNEY = frozenset({
    "ar", "aspect", "bs", "c", "chaos", "creative", "cref", "cw", "draft", "end", "exp", "fast", "hd", "iw", "loop",
    "motion", "niji", "no", "oref", "ow", "p", "personalize", "profile", "public", "q", "quality", "r", "raw", "relax",
    "repeat", "s", "seed", "sref", "stealth", "stop", "style", "stylize", "sv", "sw", "test", "testp", "tile", "turbo",
    "upbeta", "uplight", "v", "version", "video", "vw", "w", "weird",
})  # fmt: skip
_DASHES = re.compile(r"(?:^|\s)--([A-Za-z]+)")


def encode(params: Mapping[str, Json], references: int, price: Mapping[str, Money]) -> Encoded:
    """Put a manifest's params in the wire form of a create, all problems collected.

    `body` holds `mode`, `params` as a mapping of texts, `additionalPrompt` and `optimizePrompt`; `processMode` decides
    no picture and is an extra.
    """
    reader = ParamReader(params)
    mode = reader.choice("mode", MODES) or "simple"
    body: dict[str, Json] = {"mode": mode}
    additional = reader.text("additionalPrompt", longest=MAX_ADDITIONAL)
    if additional is not None:
        body["additionalPrompt"] = additional
        if mode == "simple":
            reader.problems.extend(_midjourney_problems(additional, "additionalPrompt"))
    optimize = reader.flag("optimizePrompt")
    if optimize is not None:
        body["optimizePrompt"] = optimize
    process_mode = reader.choice("processMode", PROCESS_MODES)
    vendor = _vendor_params(reader)
    if not vendor.get("fromImageUrl", "https://").startswith(("https://", "http://")):
        reader.error(
            "fromImageUrl",
            "has to be an address on the net: All-Images.ai fetches it itself, and never sees a file of the project",
            hint="put it where the public can fetch it, or use an aigne-hub or openai provider with references",
        )
    reader.refuse_unknown(KNOWN)
    if mode == "advanced":
        _refuse_in_advanced(reader, vendor, {"additionalPrompt": additional, "optimizePrompt": optimize})
        vendor = {}
    if vendor:
        body["params"] = vendor
    if references:
        reader.error(
            "references",
            "All-Images.ai takes no reference images; its create call has no place for them",
            code="provider.references",
            hint="use an aigne-hub or openai provider for this asset",
        )
    for name in params:
        if name in KNOWN and params[name] is not None:
            reader.note(name)
    return Encoded(
        body=body,
        extras={"processMode": process_mode} if process_mode else {},
        notes=tuple(reader.notes),
        problems=tuple(reader.problems),
        asked_size=SIZES.get(vendor.get("format", "")),
        ext="jpg",
        price=_cost(price.get("create")),
        buy_price=_buy_prices(price),
    )


def check_prompt(prompt: str, encoded: Encoded) -> tuple[ParamProblem, ...]:
    """What is wrong with a rendered prompt: empty, over 4,096 characters, or Midjourney parameters in simple mode."""
    if not prompt.strip():
        return (ParamProblem(name="prompt", message="is empty", code="provider.prompt"),)
    found: tuple[ParamProblem, ...] = ()
    if len(prompt) > MAX_PROMPT:
        message = f"has {len(prompt)} characters; All-Images.ai takes at most {MAX_PROMPT}"
        found = (ParamProblem(name="prompt", message=message, code="provider.prompt"),)
    if "--" in prompt and encoded.body.get("mode") == "simple":
        found += _midjourney_problems(prompt, "prompt")
    return found


def _midjourney_problems(text: str, name: str) -> tuple[ParamProblem, ...]:
    words = dict.fromkeys(f"--{word}" for word in _DASHES.findall(text) if word.lower() in _MIDJOURNEY)
    if not words:
        return ()
    return (
        ParamProblem(
            name=name,
            message=f"holds Midjourney parameters ({', '.join(words)}), which simple mode forbids",
            code="provider.prompt",
            hint="use params such as format, chaos and stylize, or set params.mode: advanced",
        ),
    )


def _vendor_params(reader: ParamReader) -> dict[str, str]:
    _rename_time(reader)
    found: dict[str, str | None] = {
        "templatePrompt": reader.choice("templatePrompt", TEMPLATES),
        "format": reader.choice("format", FORMATS),
        "weather": reader.choice("weather", WEATHERS),
        "time": reader.choice("time", TIMES),
        "interdiction": _interdiction(reader),
    }
    chaos = reader.integer("chaos", 0, 100)
    stylize = reader.integer("stylize", 0, 1000)
    if stylize is not None and stylize > 100:
        reader.warn("stylize", f"is {stylize}; the provider's own pages disagree whether it ends at 100 or at 1000")
    found["chaos"] = None if chaos is None else str(chaos)
    found["stylize"] = None if stylize is None else str(stylize)
    for name in FREE_TEXT:
        found[name] = reader.text(name)
    return {name: value for name, value in found.items() if value is not None}


def _rename_time(reader: ParamReader) -> None:
    capital = reader.take("Time")
    if capital is None:
        return
    small = reader.take("time")
    if small is not None and small != capital:
        reader.error("Time", "stands beside time with another value; they are one param")
    reader.put_back("time", capital if small is None else small)
    reader.note("Time", "mapped", "the schema's name is time")


def _interdiction(reader: ParamReader) -> str | None:
    value = reader.take("interdiction")
    if isinstance(value, list | tuple):
        words = [word.strip() for word in value if isinstance(word, str) and word.strip()]
        if len(words) != len(value) or any("," in word for word in words):
            reader.error("interdiction", "as a list must hold words without commas", code="manifest.type")
            return None
        value = ", ".join(words)
    reader.put_back("interdiction", value)
    return reader.text("interdiction")


def _refuse_in_advanced(reader: ParamReader, vendor: Mapping[str, str], rest: Mapping[str, Json]) -> None:
    for name in vendor:
        reader.error(
            name,
            "has no place in advanced mode, where the prompt is a whole Midjourney prompt",
            hint=f"write it into the prompt ({_ADVANCED.get(name, '--…')}), or set params.mode: simple",
        )
    for name, value in rest.items():
        if value is not None:
            reader.warn(name, "is documented for simple mode only; it is sent in advanced mode all the same")


_ADVANCED = {
    "format": "--ar 3:2", "chaos": "--chaos 20", "stylize": "--stylize 100", "interdiction": "--no text, hands",
    "version": "--v 7",
}  # fmt: skip


def _cost(money: Money | None) -> Cost:
    return UNKNOWN_COST if money is None else Cost(money=money, basis="estimated")


def _buy_prices(price: Mapping[str, Money]) -> dict[Resolution, Cost]:
    resolutions: tuple[Resolution, ...] = ("full", "upscale", "uhd")
    return {name: _cost(price.get(name, price.get("buy"))) for name in resolutions}
