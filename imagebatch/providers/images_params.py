"""Params of the OpenAI-like image APIs in wire form: shared by `openai`, servers compatible with it, and AIGNE Hub.

Limits bind at OpenAI's public host; elsewhere they are warnings, because a compatible server has models and fields of
its own. What such a server knows and we do not goes out as it is, in `extra_body`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from imagebatch.model.canonical import Json
from imagebatch.model.capabilities import Encoded, ParamProblem
from imagebatch.model.money import UNKNOWN_COST, Cost, Money
from imagebatch.providers import image_models
from imagebatch.providers.image_models import ModelFacts
from imagebatch.providers.params import ParamReader, nearest

KNOWN = (
    "model", "n", "size", "quality", "style", "background", "output_format", "output_compression", "moderation",
    "input_fidelity", "user", "safety_identifier",
)  # fmt: skip
NOT_DECIDING = ("user", "safety_identifier")
_OURS = ("response_format", "responseFormat", "outputFileType")
_STREAMS = ("stream", "partial_images")
_NOT_KEPT = ("mask", "markup", "svg", "frame_count", "frame_duration_ms")
_ELSEWHERE = frozenset({"mode", "seed", "step", "steps"})  # documented by LocalAI and Ollama: no slips of the pen
_EXT = {"avif": "avif", "jpeg": "jpg", "jpg": "jpg", "png": "png", "webp": "webp"}
_RETIRED_DEFAULT = (
    "is missing; there is no default, because the APIs' own one, dall-e-2, was retired on 2026-05-12 and a model "
    "that changes under a manifest would redraw everything"
)

PriceOf = Callable[[str, tuple[int, int] | None, str | None], Money | None]


def no_price(_model: str, _size: tuple[int, int] | None, _quality: str | None) -> Money | None:
    """The price list of a server that nobody knows."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How one server of the family reads params.

    `strict` makes known limits errors. `honours_n` says that a create with n gives n pictures. `edits` says whether
    reference images can be sent. `extra_body` is what the project file adds to every request. `price_of` tells what one
    picture costs by bare model, pixels and quality; `price` is the project's own price of one picture.
    `max_prompt` is the project's own limit in characters. `edits_with` names the only models of OpenAI's that the
    server is known to edit with.
    """

    strict: bool
    honours_n: bool
    edits: bool = True
    hub: bool = False
    extra_body: Mapping[str, Json] = field(default_factory=dict)
    price: Money | None = None
    price_of: PriceOf = no_price
    max_prompt: int | None = None
    edits_with: frozenset[str] | None = None


def encode(params: Mapping[str, Json], references: int, rules: Rules) -> Encoded:
    """Put a manifest's params in wire form, all problems collected.

    `body` holds model, n (where over one) and the fields that decide the picture; those that this version does not
    know stand in `extra_body` as compact JSON text, so that their numbers reach the server as they were written.
    """
    reader = ParamReader(params)
    model = _model(reader, rules)
    bare = bare_model(model or "", hub=rules.hub)
    facts = image_models.facts_of(bare)
    count = reader.integer("n", 1, image_models.MAX_COUNT if rules.strict else image_models.MAX_KEPT_COUNT) or 1
    body: dict[str, Json] = {} if model is None else {"model": model}
    if count > 1:
        body["n"] = count
    body.update(_picture_fields(reader, facts, rules, references))
    extras: dict[str, Json] = {name: text for name in NOT_DECIDING if (text := reader.text(name)) is not None}
    _take_what_is_ours(reader)
    extra = _extra_body(reader, rules)
    if extra:
        body["extra_body"] = extra
    if references:
        _check_references(reader, references, model or "", rules)
    parts = 1 if count == 1 or (rules.honours_n and (facts is None or facts.gpt)) else count
    if count > image_models.MAX_COUNT:
        split = "" if parts == 1 else f"; it goes out as {parts} creates of one picture each"
        reader.warn("n", f"{count}: OpenAI's API takes 1..{image_models.MAX_COUNT} in one request{split}")
    _note_known(reader, params, bare, parts, rules)
    size, quality = body.get("size"), body.get("quality")
    asked = image_models.pixels(size) if isinstance(size, str) else None
    return Encoded(
        body=body,
        extras=extras,
        notes=tuple(reader.notes),
        problems=tuple(reader.problems),
        count=count,
        parts=parts,
        asked_size=asked,
        ext=_EXT.get(str(body.get("output_format", "png")), "png"),
        price=_price(rules, bare, asked, quality if isinstance(quality, str) else None, count),
    )


def check_prompt(prompt: str, encoded: Encoded, rules: Rules) -> tuple[ParamProblem, ...]:
    """What is wrong with a rendered prompt: empty, or longer than its model takes."""
    if not prompt.strip():
        return (ParamProblem(name="prompt", message="is empty", code="provider.prompt"),)
    if len(prompt) <= 1000 and rules.max_prompt is None:
        return ()
    model = encoded.body.get("model")
    facts = image_models.facts_of(bare_model(model, hub=rules.hub)) if isinstance(model, str) else None
    limit = rules.max_prompt or (facts.max_prompt if facts else None)
    if limit is None or len(prompt) <= limit:
        return ()
    message = f"has {len(prompt)} characters; {model} takes at most {limit}"
    severe = rules.strict or rules.max_prompt is not None
    return (
        ParamProblem(name="prompt", message=message, code="provider.prompt", severity="error" if severe else "warning"),
    )


_HUB_PROVIDERS = frozenset(
    {"openai", "anthropic", "bedrock", "deepseek", "google", "ollama", "openrouter", "xai", "doubao", "poe", "ideogram"}
)


def bare_model(model: str, *, hub: bool) -> str:
    """A model's name without the provider that a hub puts before it: `openai/gpt-image-2` is `gpt-image-2`."""
    provider, slash, name = model.partition("/")
    return name if hub and slash and provider.lower() in _HUB_PROVIDERS else model


def _model(reader: ParamReader, rules: Rules) -> str | None:
    absent = reader.peek("model") is None
    model = reader.text("model", longest=200, strict=rules.strict)
    if model is None:
        if absent:
            example = "openai/gpt-image-2" if rules.hub else "gpt-image-2"
            reader.error(
                "model", _RETIRED_DEFAULT, code="manifest.no_model", hint=f"for example: params: {{model: {example}}}"
            )
        return None
    facts = image_models.facts_of(bare_model(model, hub=rules.hub))
    live = ", ".join(image_models.LIVE)
    if facts is None:
        if rules.strict:
            close = nearest(model, image_models.LIVE)
            reader.warn(
                "model",
                f"{model!r} is not known to this version, so its limits are not checked (known: {live})",
                code="provider.model",
                hint=f"did you mean {close}?" if close else None,
            )
    elif facts.retired:
        message = f"OpenAI retired {model} on {facts.retired}; live are {live}"
        if rules.strict:
            reader.error("model", message, code="provider.model", hint="name a live model")
        else:
            reader.warn(
                "model", message, code="provider.model", hint="name a live model, unless this server has its own"
            )
    elif facts.ends:
        reader.warn(
            "model", f"OpenAI shuts {model} down on {facts.ends}", code="provider.model", hint="move to gpt-image-2"
        )
    return model


def _picture_fields(reader: ParamReader, facts: ModelFacts | None, rules: Rules, references: int) -> dict[str, Json]:
    found: dict[str, Json] = {
        "size": _size(reader, facts, rules),
        "quality": _one_of(reader, "quality", facts.qualities if facts else None, rules),
        "style": _one_of(reader, "style", ("vivid", "natural") if facts and not facts.gpt else (), rules, facts),
        "background": _one_of(reader, "background", ("transparent", "opaque", "auto"), rules, facts, gpt=True),
        "output_format": _output_format(reader, rules, facts),
        "moderation": _one_of(reader, "moderation", ("low", "auto"), rules, facts, gpt=True),
        "output_compression": reader.integer("output_compression", 0, 100, strict=rules.strict),
        "input_fidelity": _input_fidelity(reader, facts, rules, references),
    }
    file_format = found["output_format"]
    if found["background"] == "transparent" and file_format == "jpeg":
        reader.limit("background", "transparent needs output_format png or webp", strict=rules.strict)
    if found["output_compression"] is not None and file_format not in {"jpeg", "webp"}:
        reader.limit("output_compression", "needs output_format jpeg or webp", strict=rules.strict)
    return {name: value for name, value in found.items() if value is not None}


def _size(reader: ParamReader, facts: ModelFacts | None, rules: Rules) -> str | None:
    size = reader.text("size", longest=40, strict=rules.strict)
    if size is None:
        return None
    found = image_models.pixels(size)
    if found is not None:
        size = f"{found[0]}x{found[1]}"
    if image_models.size_is_absurd(size):
        reader.error(
            "size",
            f"{size} is over what can be kept here: {image_models.MAX_KEPT_EDGE} pixels a side, "
            f"{image_models.MAX_KEPT_PIXELS // 1_000_000} megapixels",
        )
        return None
    problem = image_models.size_problem(size, facts) if facts else None
    if problem is not None:
        reader.limit("size", problem, strict=rules.strict)
        return None if rules.strict else size
    if facts and image_models.size_is_experimental(size, facts):
        reader.warn("size", f"{size}: OpenAI calls sizes over 2560x1440 experimental")
    return size


def _one_of(
    reader: ParamReader, name: str, known: tuple[str, ...] | None, rules: Rules, facts: ModelFacts | None = None,
    *, gpt: bool = False,
) -> str | None:  # fmt: skip
    """A text of a known list; `gpt` fields belong to GPT image models, an empty list to no model of this kind."""
    if known is None or (facts is None and name != "quality"):
        return reader.text(name, longest=100, strict=rules.strict)
    if (gpt and facts and not facts.gpt) or not known:
        value = reader.text(name, longest=100, strict=rules.strict)
        if value is not None:
            reader.limit(name, "is not taken by this model", strict=rules.strict)
        return value
    return reader.choice(name, known, strict=rules.strict)


def _output_format(reader: ParamReader, rules: Rules, facts: ModelFacts | None) -> str | None:
    value = reader.text("output_format", longest=20, strict=rules.strict)
    if value is None:
        return None
    folded = "jpeg" if value.lower() == "jpg" else value.lower()
    if folded not in image_models.GPT_FORMATS:
        # A server may well ignore it; where it draws what cannot be kept, that is paid and is no picture here.
        kept = "" if folded in _EXT else f"; only {', '.join(sorted({*_EXT} - {'jpg'}))} are kept here"
        known = ", ".join(image_models.GPT_FORMATS)
        reader.limit("output_format", f"{value!r} is not one of {known}{kept}", strict=rules.strict)
        return None if rules.strict else folded
    if facts and not facts.gpt:
        reader.limit("output_format", "is not taken by this model", strict=rules.strict)
    return folded


def _input_fidelity(reader: ParamReader, facts: ModelFacts | None, rules: Rules, references: int) -> str | None:
    value = reader.text("input_fidelity", longest=20, strict=rules.strict)
    if value is None:
        return None
    if not references:
        reader.limit("input_fidelity", "speaks of reference images, and there are none", strict=rules.strict)
    elif facts and value not in facts.input_fidelity:
        known = ", ".join(facts.input_fidelity) or "none: leave it out"
        reader.limit("input_fidelity", f"{value!r} is not taken by this model (it takes {known})", strict=rules.strict)
    return value


def _take_what_is_ours(reader: ParamReader) -> None:
    for name in _OURS:
        if reader.take(name) is not None:
            reader.note(
                name, "dropped", "imagebatch asks for base64 where it is offered, and fetches addresses at once"
            )
    for name in _STREAMS:
        if reader.take(name):
            reader.error(
                name, "is not possible: whole pictures are kept, and an answer is read once", code="manifest.value"
            )
    for name in _NOT_KEPT:
        if reader.take(name) is not None:
            reader.error(name, "is not supported by this version", code="manifest.unknown_param")


def _extra_body(reader: ParamReader, rules: Rules) -> str:
    if rules.strict:
        reader.refuse_unknown(KNOWN)
        rest: dict[str, Json] = {}
    else:
        rest = reader.rest()
        for name in rest:
            close = nearest(name, KNOWN)
            if close and name not in _ELSEWHERE:
                reader.warn(name, "is no field of the images API", code="provider.param", hint=f"did you mean {close}?")
            reader.note(name, "sent", "not a field of the images API; goes out as it is")
    merged = {**rules.extra_body, **rest}
    if not merged:
        return ""
    try:
        return json.dumps(merged, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        reader.error("extra_body", f"is no JSON: {error}", code="manifest.type")
        return ""


def _check_references(reader: ParamReader, references: int, model: str, rules: Rules) -> None:
    bare = bare_model(model, hub=rules.hub)
    if not rules.edits:
        reader.error(
            "references", "are not taken by this server (capabilities: edits: false)", code="provider.references"
        )
    elif references > image_models.MAX_GPT_REFERENCES:
        reader.limit("references", f"{references} images; at most 16 are taken", strict=rules.strict)
    elif rules.edits_with is not None and bare not in rules.edits_with and _is_openais(model, bare):
        able = ", ".join(sorted(rules.edits_with))
        reader.warn(
            "references",
            f"a hub of version 0.9.4 edits with {able} only and answers 500 for {model}, so the create fails or stays "
            "in doubt",
            code="provider.references",
            hint="draw this asset at a provider of type openai",
        )
    elif bare.startswith("dall-e"):
        reader.limit("references", "are taken by GPT image models only", strict=rules.strict)


def _is_openais(model: str, bare: str) -> bool:
    """Whether a hub has a model drawn by OpenAI: it says so, or names no provider and is a model of theirs."""
    provider, slash, _ = model.partition("/")
    return provider.lower() == "openai" if slash else image_models.facts_of(bare) is not None


_HUB_PASSES: Mapping[str, frozenset[str]] = {
    "dall-e-3": frozenset({"quality", "style", "user"}),
    "gpt-image-1": frozenset({"background", "moderation", "output_compression", "output_format", "quality", "user"}),
}


def _hub_passes(model: str, bare: str, name: str) -> bool:
    """Whether a hub passes a field on: its class for OpenAI's models has a list of them, by model (observed in 0.9.4).

    Of other providers' classes nothing was observed.
    """
    provider, slash, _ = model.partition("/")
    if slash and provider.lower() in _HUB_PROVIDERS - {"openai"}:
        return True
    return name in _HUB_PASSES.get(bare, frozenset())


def _note_known(reader: ParamReader, params: Mapping[str, Json], bare: str, parts: int, rules: Rules) -> None:
    for name in KNOWN:
        if params.get(name) is None:
            continue
        if name == "n" and parts > 1:
            reader.note("n", "mapped", f"{parts} creates of one picture each: this model is not known to honour n")
        elif rules.hub and name not in {"model", "n", "size"} and not _hub_passes(str(params.get("model")), bare, name):
            reader.note(name, "sent", "a hub of version 0.9.4 does not pass it on for this model")
        else:
            reader.note(name)


def _price(rules: Rules, bare: str, size: tuple[int, int] | None, quality: str | None, count: int) -> Cost:
    money = rules.price or rules.price_of(image_models.base_name(bare), size, quality)
    if money is None:
        return UNKNOWN_COST
    return Cost(money=Money(amount=money.amount * Decimal(count), currency=money.currency), basis="estimated")
