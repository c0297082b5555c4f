"""`checks:` as a manifest writes it: its shape, and the checks that it asks for."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from imagebatch.manifest.characters import nearest, quoted
from imagebatch.manifest.written import Value
from imagebatch.model.checks import LEVELS, PLUGIN, PLUGIN_NAME, Check, CheckName, Level

FORMATS: Final = ("png", "jpg", "jpeg", "webp", "avif")
_SIZE: Final = re.compile(r"[1-9][0-9]{0,4}x[1-9][0-9]{0,4}")
_BYTES: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?(B|kB|MB|KiB|MiB)")
_UNITS: Final = {"B": 1, "kB": 1000, "MB": 1000_000, "KiB": 1024, "MiB": 1024 * 1024}
_MOST: Final = {"sharpness": 1_000_000, "distinct": 64}


def _read(name: CheckName, value: Value) -> str | None:
    """A check's value as its text; None for one that is no such value."""
    if name in {"alpha", "not_blank"}:
        return str(value).lower() if isinstance(value, bool) else None
    if isinstance(value, bool):
        return None
    if name in _MOST:
        return str(int(value)) if isinstance(value, int) and 1 <= value <= _MOST[name] else None
    if name == "max_bytes" and isinstance(value, int):
        return str(int(value)) if value > 0 else None
    if not isinstance(value, str):
        return None
    if name == "size":
        return value if _SIZE.fullmatch(value) else None
    if name == "format":
        return {"jpg": "jpeg"}.get(value, value) if value in FORMATS else None
    found = _BYTES.fullmatch(value)
    return str(int(float(found[1]) * _UNITS[found[2]])) if found is not None else None


_MEANT: Final[Mapping[CheckName, str]] = {
    "size": "a size like 1024x1024",
    "format": f"one of {', '.join(FORMATS)}",
    "alpha": "true or false",
    "not_blank": "true or false",
    "sharpness": "a whole number from 1 to 1000000",
    "distinct": "a whole number of bits from 1 to 64",
    "max_bytes": "an amount like 400 kB or 2 MB",
}


def _of(name: CheckName) -> BeforeValidator:
    def checked(value: Value) -> Value:
        inner = value
        if isinstance(value, dict):
            unknown = next((key for key in value if key not in {"is", "level"}), None)
            if unknown is not None:
                near = nearest(str(unknown), ("is", "level"))
                asked = f"; did you mean {near}?" if near else "; write {is: VALUE, level: warn}"
                text = f"has the key {quoted(str(unknown))}, which is not known here{asked}"
                raise PydanticCustomError("manifest.unknown_key", "{text}", {"text": text})
            if value.get("level", "fail") not in LEVELS:
                raise PydanticCustomError("manifest.range", "has another level than fail or warn")
            inner = value.get("is")
        if _read(name, inner) is None:
            text = f"must be {_MEANT[name]}, or {{is: VALUE, level: warn}}"
            raise PydanticCustomError("manifest.type", "{text}", {"text": text})
        return value

    return BeforeValidator(checked)


def without_plugins(value: Any) -> Any:  # noqa: ANN401  # whatever somebody wrote
    """What is left of `checks:` without those of plug-ins, whose form is looked at here; any params will do."""
    if not isinstance(value, dict):
        return value
    for key, given in value.items():
        if not str(key).startswith(PLUGIN):
            continue
        if PLUGIN_NAME.fullmatch(str(key)) is None:
            text = f"{quoted(str(key))} is no plug-in's name: small letters, digits, `.`, `_` and `-` after {PLUGIN}"
            raise PydanticCustomError("manifest.type", "{text}", {"text": text})
        if is_long(given) and (given.keys() - {"is", "level"} or given.get("level", "fail") not in LEVELS):
            text = f"{quoted(str(key))} must be its params, or {{is: PARAMS, level: fail|warn}}"
            raise PydanticCustomError("manifest.type", "{text}", {"text": text})
    return {key: given for key, given in value.items() if not str(key).startswith(PLUGIN)}


def is_long(given: Value) -> bool:
    """Whether a plug-in's params are written as `{is: PARAMS, level: warn}`."""
    return isinstance(given, dict) and bool(given.keys() & {"is", "level"})


def _shape(value: dict[str, Any]) -> WithJsonSchema:
    inner = {
        "type": "object",
        "required": ["is"],
        "properties": {
            "is": {**value, "description": "The check's value."},
            "level": {"enum": ["fail", "warn"], "description": "Whether it fails, or warns only; fail by default."},
        },
        "additionalProperties": False,
    }
    return WithJsonSchema({"anyOf": [value, inner]})


_FLAG: Final = {"type": "boolean"}


class ChecksGiven(BaseModel):
    """What is to be true of the picked picture and its files; a value may be `{is: VALUE, level: warn}`."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        defer_build=True,
        json_schema_extra={
            "patternProperties": {
                f"^{PLUGIN_NAME.pattern}$": {
                    "description": "A check of an installed package: its params, or {is: PARAMS, level: warn}; "
                    "false takes back what defaults ask for."
                }
            }
        },
    )

    size: Annotated[Any, _of("size"), _shape({"type": "string", "pattern": "^[1-9][0-9]*x[1-9][0-9]*$"})] = Field(
        default=None, description="Of the picked picture, in pixels.", examples=["1024x1024"]
    )
    format: Annotated[Any, _of("format"), _shape({"enum": list(FORMATS)})] = Field(
        default=None, description="Of the picked picture, as delivered."
    )
    alpha: Annotated[Any, _of("alpha"), _shape(_FLAG)] = Field(
        default=None, description="Whether any pixel lets the background through."
    )
    not_blank: Annotated[Any, _of("not_blank"), _shape(_FLAG)] = Field(
        default=None, description="Not one colour all over."
    )
    sharpness: Annotated[Any, _of("sharpness"), _shape({"type": "integer", "minimum": 1, "maximum": 1_000_000})] = (
        Field(default=None, description="At least; the variance of the Laplacian at a fixed size.", examples=[60])
    )
    distinct: Annotated[Any, _of("distinct"), _shape({"type": "integer", "minimum": 1, "maximum": 64})] = Field(
        default=None,
        description="How many of 64 bits of its difference hash differ from every other picture, at least.",
        examples=[8],
    )
    max_bytes: Annotated[Any, _of("max_bytes"), _shape({"type": ["string", "integer"]})] = Field(
        default=None, description="Of each output, at most.", examples=["400 kB"]
    )


def _params(params: Value) -> str:
    return json.dumps(params, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def read_checks(given: Mapping[str, Value]) -> tuple[Check, ...]:
    """The checks that settled values ask for, by name; `not_blank: false` asks for nothing."""
    made: list[Check] = []
    for name, value in sorted(given.items()):
        if name.startswith(PLUGIN):
            params, level = (value.get("is", True), value.get("level", "fail")) if is_long(value) else (value, "fail")
            if params is not False:
                made.append(Check(name=name, wanted=_params(params), level=cast("Level", level)))
            continue
        inner: dict[str, Value] = value if isinstance(value, dict) else {"is": value}
        known = cast("CheckName", name)
        wanted = _read(known, inner.get("is"))
        if wanted is not None and (known, wanted) != ("not_blank", "false"):
            made.append(Check(name=known, wanted=wanted, level=cast("Level", inner.get("level", "fail"))))
    return tuple(made)
