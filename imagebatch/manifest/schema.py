"""Pydantic models of the project file, the manifests and `picks.yaml`: their shape, and the JSON Schemas made of it."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from imagebatch.manifest.checks import ChecksGiven, without_plugins
from imagebatch.manifest.output_words import Colour, Focus
from imagebatch.manifest.written import Value
from imagebatch.model.generation import MAX_ATTEMPT
from imagebatch.model.mark import Embed

T = TypeVar("T")
FORMAT_VERSION = 1


def _given(value: Value) -> Value:
    if value is None:
        raise PydanticCustomError("manifest.required", "is empty; write a value or leave the key out")
    return value


def _pick(value: Value) -> Value:
    if value in ("first", "all", "review") and isinstance(value, str):
        return value
    numbers = isinstance(value, list) and value and all(type(item) is int and item > 0 for item in value)
    if numbers and len(set(value)) == len(value):
        return value
    raise PydanticCustomError(
        "manifest.type", "must be first, all, review or a list of different candidate numbers like [1, 3]"
    )


def _texts(value: Value) -> Value:
    """Accept one text where a list of texts is meant."""
    if value is None or isinstance(value, list):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("manifest.type", "must be text, or a list of texts")
    return [value]


def _duration(value: Value) -> Value:
    if value is None or isinstance(value, str):
        return value
    raise PydanticCustomError("manifest.type", "has to be a time like 60s, 30m or 2h, with its unit")


Given = BeforeValidator(_given)
Text = Annotated[str | None, Given]
Flag = Annotated[bool | None, Given]
EmbedKind = Annotated[Embed | None, Given]
Texts = Annotated[list[str] | None, Given]
OneOrMore = Annotated[
    list[str] | None,
    BeforeValidator(_texts),
    Given,
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
Values = Annotated[dict[str, Any] | None, Given]
_SCALAR: dict[str, Any] = {"type": ["string", "number", "boolean"]}
Duration = Annotated[
    str | None, BeforeValidator(_duration), Given, WithJsonSchema({"type": "string", "examples": ["60s", "30m", "2h"]})
]
Limits = Annotated[
    Any,
    Given,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": ["string", "integer"]},
                {"type": "array", "items": {"type": ["string", "integer"]}},
            ]
        }
    ),
]


class Closed(BaseModel):
    """A mapping whose keys are all known; values are taken as they are, never converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class Style(Closed):
    """A named look that assets put on."""

    prompt_prefix: Text = Field(default=None, description="Goes before the prompt, joined with ', '.")
    prompt_suffix: Text = Field(
        default=None,
        description="Goes after the prompt, joined with ', '; in advanced mode before the first ' --'.",
        examples=["soft studio light, seamless white background"],
    )
    params: Values = Field(default=None, description="Params that the style sets.")
    vars: Values = Field(default=None, description="Variables that the style sets.")


class OutputFile(Closed):
    """One file made from a picked picture."""

    path: str = Field(
        description="Where the file goes, below the project's root; a template.",
        examples=["assets/products/{{ row.sku }}.png"],
    )
    width: Annotated[int | None, Given] = Field(default=None, ge=1, le=16384, description="Pixels.")
    height: Annotated[int | None, Given] = Field(default=None, ge=1, le=16384, description="Pixels.")
    fit: Annotated[Literal["contain", "cover", "fill"] | None, Given] = Field(
        default=None, description="How the picture fits into width and height."
    )
    quality: Annotated[int | None, Given] = Field(default=None, ge=1, le=100, description="Of the encoder, 1 to 100.")
    focus: Focus = Field(
        default=None, description="What a crop keeps: a side, a corner, or shares from the left and the top."
    )
    max_bytes: Annotated[int | None, Given] = Field(
        default=None, ge=1, le=67_108_864, description="Of the file: the best quality that fits is taken."
    )
    background: Colour = Field(default=None, description="Colour behind what is see-through.", examples=["#ffffff"])
    strip: Flag = Field(default=None, description="Colours become sRGB, and the file carries no colour profile.")
    embed: EmbedKind = Field(default=None, description="What this file says of its origin.")
    format: Annotated[Literal["png", "jpg", "jpeg", "webp", "avif"] | None, Given] = Field(
        default=None, description="Follows the extension; may be written where it agrees, and stands for {{ ext }}."
    )


class Common(Closed):
    """What defaults, assets and axis values may all set."""

    prompt: Text = Field(
        default=None, description="The prompt; a template.", examples=["A {{ season }} morning in a city park"]
    )
    template: Text = Field(
        default=None, description="A file below templates/ that gives the prompt.", examples=["product.j2"]
    )
    provider: Text = Field(default=None, description="A provider of imagebatch.yaml, or a built-in type.")
    params: Values = Field(
        default=None, description="What decides the picture, in the provider's words.", examples=[{"format": "3:2"}]
    )
    vars: Values = Field(default=None, description="Values that templates see as `vars`.", examples=[{"mood": "calm"}])
    styles: OneOrMore = Field(default=None, description="Styles to put on, in order.", examples=[["brand"]])
    references: OneOrMore = Field(
        default=None,
        description="Images to start from: project paths or `asset:ADDRESS`.",
        examples=[["data/logo.png"]],
    )
    resolution: Annotated[Literal["preview", "full", "upscale", "uhd"] | None, Given] = Field(
        default=None, description="What is bought for the picks; preview costs nothing more."
    )
    pick: Annotated[
        Any,
        BeforeValidator(_pick),
        WithJsonSchema(
            {
                "anyOf": [
                    {"enum": ["first", "all", "review"]},
                    {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1},
                ]
            }
        ),
    ] = Field(default=None, description="Which candidates become outputs.")
    until_picked: Annotated[Literal["first", "none"] | None, Given] = Field(
        default=None, description="With `pick: review`: what stands as output until somebody chooses."
    )
    distinct: Flag = Field(default=None, description="Draw apart from variants with an equal request.")
    name: Text = Field(default=None, description="The generation's name at the provider.")
    tags: OneOrMore = Field(default=None, description="Tags at the provider.", examples=[["campaign"]])
    metadata: Values = Field(default=None, description="Metadata at the provider.", examples=[{"campaign": "2026"}])
    alt: Text = Field(default=None, description="Text for those who cannot see the picture.")
    title: Text = Field(default=None, description="The picture's title.")
    protect: Flag = Field(default=None, description="No redraw and no removal.")
    on_remove: Annotated[Literal["keep", "trash", "delete"] | None, Given] = Field(
        default=None, description="What happens when the variant leaves the manifest."
    )
    on_replace: Annotated[Literal["keep", "delete"] | None, Given] = Field(
        default=None, description="What happens at the provider with a drawing that was replaced."
    )
    retries: Annotated[int | None, Given] = Field(
        default=None, ge=0, le=10, description="New attempts within one run after a failure that allows them."
    )
    embed: EmbedKind = Field(
        default=None, description="What files say of their origin: nothing, that it is AI, or the prompt, too."
    )
    checks: Annotated[ChecksGiven | None, BeforeValidator(without_plugins), Given] = Field(
        default=None,
        description="What is to be true of the picked picture and its files.",
        examples=[{"size": "1024x1024", "sharpness": {"is": 60, "level": "warn"}}],
    )
    on_reference_change: Annotated[Literal["redraw", "ask", "keep"] | None, Given] = Field(
        default=None, description="What happens to a picture whose references have other bytes now."
    )


class Defaults(Common):
    """Settings for every asset below."""

    output: Text = Field(default=None, description="Where the file goes; a template.")
    outputs: Annotated[list[OutputFile] | None, Given] = Field(
        default=None, description="Files to make.", examples=[[{"path": "outputs/hero.webp", "width": 800}]]
    )


class AxisValue(Defaults):
    """An axis value that carries settings."""

    id: Annotated[Any, Given, WithJsonSchema(_SCALAR)] = Field(description="The value's name in addresses.")


_AXIS_VALUE: dict[str, Any] = {
    "anyOf": [
        _SCALAR,
        {
            "type": "object",
            "required": ["id"],
            "propertyNames": {"enum": sorted(field.alias or name for name, field in AxisValue.model_fields.items())},
            "description": "An axis value that carries settings.",
        },
    ]
}


class Asset(Defaults):
    """One declaration: a picture, or a family of pictures."""

    matrix: Annotated[
        dict[str, list[Any]] | None,
        Given,
        WithJsonSchema(
            {"type": "object", "additionalProperties": {"type": "array", "minItems": 1, "items": _AXIS_VALUE}}
        ),
    ] = Field(
        default=None,
        description="Axes and their values; every combination is a variant.",
        examples=[{"season": ["spring", "summer"]}],
    )
    include: Annotated[list[dict[str, Any]] | None, Given] = Field(
        default=None, description="Combinations to add, as in GitHub Actions.", examples=[[{"season": "autumn"}]]
    )
    exclude: Annotated[list[dict[str, Any]] | None, Given] = Field(
        default=None, description="Combinations to leave out, as in GitHub Actions.", examples=[[{"season": "summer"}]]
    )
    for_each: Text = Field(
        default=None, description="A table (CSV, TSV, JSON, JSONL, YAML) or a glob.", examples=["data/products.csv"]
    )
    key: OneOrMore = Field(default=None, description="A column, columns or a template that names each row.")
    where: Text = Field(default=None, description="Rows to take; an expression.", examples=["row.active == 'yes'"])


class Move(Closed):
    """A rename, so that nothing is drawn again."""

    from_: str = Field(alias="from", description="The old address; * and ? are wild.", examples=["old-hero[*]"])
    to: str = Field(description="The new address, with as many wildcards.", examples=["hero[*]"])


class Manifest(Closed):
    """A file of manifests/: assets and what they share."""

    assets: Annotated[dict[str, Asset] | None, Given] = Field(
        default=None, description="Assets by id.", examples=[{"hero": {"prompt": "A lighthouse"}}]
    )
    defaults: Annotated[Defaults | None, Given] = Field(
        default=None, description="Settings of every asset in this file."
    )
    styles: Annotated[dict[str, Style] | None, Given] = Field(default=None, description="Styles of this file.")
    vars: Values = Field(default=None, description="Variables of every asset in this file.")
    moved: Annotated[list[Move] | None, Given] = Field(
        default=None, description="Renames.", examples=[[{"from": "old-hero", "to": "hero"}]]
    )


class Provider(Closed):
    """An account at a provider."""

    type: Text = Field(default=None, description="all-images, aigne-hub, openai or a plug-in's name.")
    base_url: Text = Field(default=None, description="Its address, or `simulator`.")
    api_key: Text = Field(
        default=None, description="One reference to an environment variable.", examples=["${ALL_IMAGES_API_KEY}"]
    )
    without_key: Annotated[Literal["error", "simulate"] | None, Given] = Field(
        default=None, description="What to do where the variable is not set."
    )
    max_concurrency: Annotated[int | None, Given] = Field(
        default=None, ge=1, le=10000, description="Generations in flight."
    )
    rate_limit: OneOrMore = Field(
        default=None, description="Requests of all kinds in a time.", examples=["60/min", ["10/s", "600/h"]]
    )
    consistency_window: Duration = Field(default=None, description="How long absence from a listing proves nothing.")
    deadline: Duration = Field(default=None, description="How long to ask, from acceptance on.")
    price: Annotated[dict[str, str] | None, Given] = Field(
        default=None, description="Overrides the built-in table.", examples=[{"create": "0 EUR", "buy": "0.35 EUR"}]
    )
    mount: Text = Field(default=None, description="aigne-hub: the path below which the hub is mounted.")
    dialect: Text = Field(default=None, description="aigne-hub: which of its paths the server speaks.")
    extra_body: Values = Field(default=None, description="openai: fields added to each create.")
    capabilities: Values = Field(default=None, description="openai: what a compatible server can do.")


class BrakeLimits(Closed):
    """Where a plan has to stop and ask."""

    max_deletes: Limits = Field(default=None, description="A share, a number, or both.", examples=[["30%", 25]])
    max_redraws: Limits = Field(default=None, description="A share, a number, or both.", examples=["30%"])
    max_cost: OneOrMore = Field(default=None, description="For each currency.", examples=[["20 EUR", "10 USD"]])
    max_variants: Annotated[int | None, Given] = Field(default=None, ge=1, le=10_000_000, description="Limit of input.")
    max_blocked: Annotated[int | None, Given] = Field(
        default=None, ge=1, le=1000, description="Prompts blocked in a row that stop a provider's creates for the run."
    )


class BudgetLimits(Closed):
    """The most that may be spent, for each currency."""

    run: OneOrMore = Field(default=None, description="By one run.", examples=[["5 EUR"]])
    month: OneOrMore = Field(
        default=None, description="In one calendar month, in UTC.", examples=[["50 EUR", "20 USD"]]
    )


class State(Closed):
    """Where the lease of a run is: in this checkout only, or on a remote that runs on other machines see, too."""

    lease: Annotated[Literal["local", "git"] | None, Given] = Field(
        default=None, description="git: also a ref of the remote, so that runs on two machines exclude each other."
    )
    remote: Text = Field(default=None, description="A remote of the repository.", examples=["origin"])


class JournalMirror(Closed):
    """Where else it is written down what is about to be paid."""

    mirror: Annotated[Literal["git"] | None, Given] = Field(
        default=None, description="git: on a ref of the remote, so that a machine that vanishes loses nothing."
    )
    remote: Text = Field(default=None, description="A remote of the repository.", examples=["origin"])


class Store(Closed):
    """Where originals, the pictures as they were delivered, are kept."""

    path: Text = Field(
        default=None,
        description="A folder below the project's root instead of .imagebatch/store.",
        examples=["originals"],
    )
    share: Annotated[str | None, Given] = Field(
        default=None,
        json_schema_extra={"pattern": r"^(none|git|lfs|dir:.+|.*\$\{.+)$"},
        description="How they live beyond this machine: none, git or lfs (committed by you), or dir: and a folder.",
        examples=["none", "git", "lfs", "dir:/mnt/team/originals"],
    )


class Signing(Closed):
    """With what derived files are signed (C2PA)."""

    certificate: Annotated[str, Given] = Field(
        description="A PEM file of the project: the signer's certificate, then those above it.",
        examples=["certs/chain.pem"],
    )
    key: Annotated[str, Given] = Field(
        description="Exactly one ${NAME}: a variable that holds the private key as PEM text, or where its file is.",
        examples=["${C2PA_KEY}"],
    )
    alg: Annotated[Literal["es256", "es384", "es512", "ps256", "ps384", "ps512", "ed25519"] | None, Given] = Field(
        default=None, description="What the key signs by (default es256).", examples=["es256"]
    )


class Project(Closed):
    """imagebatch.yaml: the project's settings."""

    version: int = Field(description="Of this format: 1.", examples=[1])
    lineage: Annotated[str | None, Given] = Field(
        default=None, pattern="^[0-9a-f]{32}$", description="Names the project for ever; written by imagebatch."
    )
    providers: Annotated[dict[str, Provider] | None, Given] = Field(
        default=None, description="Accounts by alias.", examples=[{"studio": {"type": "all-images"}}]
    )
    defaults: Annotated[Defaults | None, Given] = Field(default=None, description="Settings of every asset.")
    styles: Annotated[dict[str, Style] | None, Given] = Field(default=None, description="Styles of every manifest.")
    vars: Values = Field(default=None, description="Variables of every manifest.")
    brakes: Annotated[BrakeLimits | None, Given] = Field(default=None, description="Where a plan has to stop and ask.")
    budget: Annotated[BudgetLimits | None, Given] = Field(default=None, description="The most that may be spent.")
    state: Annotated[State | None, Given] = Field(
        default=None, description="What runs share.", examples=[{"lease": "git", "remote": "origin"}]
    )
    journal: Annotated[JournalMirror | None, Given] = Field(
        default=None, description="What is written down elsewhere.", examples=[{"mirror": "git", "remote": "origin"}]
    )
    store: Annotated[Store | None, Given] = Field(
        default=None,
        description="Where originals are kept.",
        examples=[{"path": "originals", "share": "lfs"}, {"share": "dir:/mnt/team/originals"}],
    )
    c2pa: Annotated[Signing | None, Given] = Field(
        default=None,
        description="With what derived files are signed.",
        examples=[{"certificate": "certs/chain.pem", "key": "${C2PA_KEY}"}],
    )


_HASH = "^sha256:[0-9a-f]{64}$"


class PickEntry(Closed):
    """A choice, bound to bytes."""

    for_: Annotated[str, Field(pattern=_HASH)] = Field(alias="for", description="The draw fingerprint it was made for.")
    use: list[Annotated[str, Field(pattern=_HASH)]] = Field(description="The chosen pictures' hashes, in order.")
    was: Literal["pick", "accept", "restore", "file"] = Field(default="pick", description="Which command chose.")
    file: Text = Field(default=None, description="A file of one's own.", examples=["art/crown.png"])


class RedoEntry(Closed):
    """A new attempt that was asked for."""

    attempt: int = Field(ge=1, le=MAX_ATTEMPT, description="The attempt to reach.")
    note: Text = Field(default=None, description="Why; for people.")
    add: Text = Field(default=None, description="Words that enter the prompt.")


class PicksFile(Closed):
    """picks.yaml: what people decided."""

    version: int = Field(description="Of this format: 1.", examples=[1])
    picks: Annotated[dict[str, PickEntry] | None, Given] = Field(default=None, description="Choices by address.")
    redo: Annotated[dict[str, RedoEntry] | None, Given] = Field(default=None, description="Redraws by address.")


SchemaKind = Literal["project", "manifest", "picks"]
_KINDS: dict[SchemaKind, type[Closed]] = {"project": Project, "manifest": Manifest, "picks": PicksFile}


def json_schema(kind: SchemaKind) -> dict[str, Any]:
    """The JSON Schema (draft-07) of one kind of file, as yaml-language-server reads it."""
    schema: dict[str, Any] = _draft07(
        _KINDS[kind].model_json_schema(by_alias=True, ref_template="#/definitions/{model}")
    )
    definitions = schema.pop("$defs", None)
    if kind != "picks":
        schema["patternProperties"] = {"^x(-.*)?$": {"description": "Ignored; a place for anchors."}}
    made = {"$schema": "http://json-schema.org/draft-07/schema#", **schema}
    if definitions:
        made["definitions"] = definitions
    return made


def _draft07(node: Value) -> Value:
    """Drop what only says 'or left out': `null` as an alternative, and defaults that are null."""
    if isinstance(node, list):
        return [_draft07(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _draft07(item) for key, item in node.items() if not (key == "default" and item is None)}
    choices = made.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        left = [choice for choice in choices if choice != {"type": "null"}]
        del made["anyOf"]
        made = {**left[0], **made} if len(left) == 1 else {"anyOf": left, **made}
    if "$ref" in made and len(made) > 1:  # draft-07 ignores what stands beside a $ref
        made = {"allOf": [{"$ref": made.pop("$ref")}], **made}
    return made
