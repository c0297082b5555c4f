"""Shape of a parsed file against its pydantic model; every fault with its place and the nearest known name."""

import json
import re
import types
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from imagebatch.manifest.characters import foreign_letter, nearest, quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.written import Value
from imagebatch.manifest.yaml import Document, YList, YMap

M = TypeVar("M", bound=BaseModel)
Loc = tuple[str | int, ...]
_PLAIN = re.compile(r"[A-Za-z0-9$][\w$ %./-]*", re.ASCII)

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "list_type": "a list",
}
_FORMS = {
    "^[0-9a-f]{32}$": "of 32 characters, each 0-9 or a-f",
    "^sha256:[0-9a-f]{64}$": "sha256: and 64 characters, each 0-9 or a-f",
}
_RANGES = {
    "greater_than_equal": ("ge", "at least"),
    "less_than_equal": ("le", "at most"),
}
# What people write from other tools, or from later releases, and what to do instead.
_HINTS = {
    "headers": "headers cannot be set from a manifest",
    "match": "patterns in a manifest are globs (for_each), never regular expressions",
    "include": "every manifests/**/*.yaml is read by itself; nothing has to be included",
    "includes": "every manifests/**/*.yaml is read by itself; nothing has to be included",
    "data": "an asset names its table with for_each",
    "version": "version stands in imagebatch.yaml only",
    "providers": "providers are defined in imagebatch.yaml only",
    "model": "write it below params",
    "size": "write it below params",
    "n": "write it below params",
    "assets": "assets stand in manifests/*.yaml",
}


def check_shape(
    document: Document, model: type[M], findings: Findings, *, secret: bool = False, bad: list[Loc] | None = None
) -> M | None:
    """Validate a document's root.

    Args:
        document: the parsed file; keys `x` and `x-…` at its top are ignored.
        model: what it has to be.
        findings: where problems go.
        secret: True where no value may be repeated in a message.
        bad: gets the places of all faults, for callers that go on with the rest.

    Returns None where a problem was noted.
    """
    root = document.root
    if not isinstance(root, YMap):
        found = "a list" if isinstance(root, YList) else "a plain value"
        findings.add(
            "manifest.type",
            "top level must be a mapping",
            f"{document.path} holds {found} at its top; it has to be a mapping of keys.",
            place=document.place(()),
        )
        if bad is not None:
            bad.append(())
        return None
    kept = {key: value for key, value in root.items() if key != "x" and not key.startswith("x-")}
    try:
        return model.model_validate(kept)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            _note(document, model, dict(fault), findings, secret=secret)
            if bad is not None:
                bad.append(fault["loc"])
        return None


def check_part(
    document: Document,
    loc: tuple[str | int, ...],
    value: Value,
    model: type[M],
    findings: Findings,
    *,
    name: str = "",
    bad: list[Loc] | None = None,
) -> M | None:
    """Validate one mapping inside a document, at `loc`.

    `name` is what messages call the document's top; `bad` gets the places of all faults, below that mapping.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            moved = dict(fault)
            moved["inner"] = fault["loc"]
            moved["loc"] = (*loc, *fault["loc"])
            _note(document, model, moved, findings, secret=False, top=name)
            if bad is not None:
                bad.append(fault["loc"])
        return None


def _note(
    document: Document,
    model: type[BaseModel],
    fault: Mapping[str, Any],
    findings: Findings,
    *,
    secret: bool,
    top: str = "",
) -> None:
    loc: tuple[str | int, ...] = fault["loc"]
    name = _name((top, *loc) if top else loc)
    kind: str = fault["type"]
    secret = secret or "providers" in loc
    if kind == "extra_forbidden":
        _unknown(document, loc, _known(model, fault.get("inner", loc)[:-1]), findings, top)
        return
    if kind == "missing":
        findings.add("manifest.required", "key is missing", f"{name} is missing.", place=document.place(loc[:-1]))
        return
    code, detail = _worded(kind, name, fault, secret=secret)
    example = (
        _example(model, fault.get("inner", loc)) if code in {"type", "required"} and '; write "' not in detail else None
    )
    findings.add(
        f"manifest.{code}",
        _SUMMARIES.get(code, "value cannot be used"),
        detail,
        place=document.place(loc),
        hint=f"for example: {example}" if example else None,
    )


_SUMMARIES = {
    "type": "value of the wrong type",
    "required": "value is missing",
    "range": "value out of range",
    "unsupported": "not in this version",
}


def _worded(kind: str, name: str, fault: Mapping[str, Any], *, secret: bool) -> tuple[str, str]:
    value = fault["input"]
    context = fault.get("ctx") or {}
    if kind.startswith("manifest."):
        return kind.removeprefix("manifest."), f"{name} {fault['msg']}."
    if value is None:
        return "required", f"{name} is empty."
    if kind in _EXPECTED:
        text = f"{name} must be {_EXPECTED[kind]}"
        if kind == "string_type" and isinstance(value, (int, float)) and not secret:
            return "type", f'{text}; write "{_written(value)}".'
        return "type", f"{text}{_got(value, secret=secret)}."
    if kind in _RANGES:
        key, word = _RANGES[kind]
        return "range", f"{name} must be {word} {context.get(key)}{_got(value, secret=secret)}."
    if kind == "literal_error":
        near = (
            nearest(value, str(context.get("expected", "")).replace("'", "").replace(" or ", ", ").split(", "))
            if (isinstance(value, str))
            else None
        )
        end = f"; did you mean {near}?" if near else "."
        return "range", f"{name} must be {context.get('expected')}{_got(value, secret=secret)}{end}"
    if kind == "string_pattern_mismatch":
        return (
            "type",
            f"{name} does not have the form {_FORMS.get(str(context.get('pattern')), context.get('pattern'))}.",
        )
    return "type", f"{name}: {fault['msg']}."


def _unknown(document: Document, loc: tuple[str | int, ...], known: set[str], findings: Findings, top: str) -> None:
    key = str(loc[-1])
    near = nearest(key, known)
    letter = foreign_letter(key)
    detail = f"{quoted(key)} is not known here"
    if letter:
        detail += f"; {letter}"
    above = (top, *loc[:-1]) if top else loc[:-1]
    where = _name(above) if above else document.path
    hint = f"did you mean {near}?" if near else _HINTS.get(key)
    findings.add(
        "manifest.unknown_key",
        "unknown key",
        f"{detail}, in {where}." if near or hint else f"{detail}, in {where}; known: {', '.join(sorted(known))}.",
        place=document.place(loc, key=True),
        hint=hint,
    )


def _example(model: type[BaseModel], loc: tuple[str | int, ...]) -> str | None:
    """How the key at `loc`, or the nearest one around it that has an example, is written."""
    current: Any = model
    found: str | None = None
    for step in loc:
        model_here = _model_of(current)
        if model_here is None:
            arguments = get_args(_bare(current))
            current = arguments[-1] if arguments else None
            continue
        by_alias = {field.alias or name: field for name, field in model_here.model_fields.items()}
        if step not in by_alias:
            break
        current = by_alias[str(step)].annotation
        examples = by_alias[str(step)].examples
        found = f"{step}: {_flow(examples[0])}" if examples else None
    return found


def _flow(value: Value) -> str:
    """A value as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)


def _known(model: type[BaseModel], loc: tuple[str | int, ...]) -> set[str]:
    """The keys that the model at `loc` knows."""
    current: Any = model
    for step in loc:
        model_here = _model_of(current)
        if model_here is not None:
            by_alias = {field.alias or name: field for name, field in model_here.model_fields.items()}
            current = by_alias[str(step)].annotation if str(step) in by_alias else None
        else:
            arguments = get_args(_bare(current))
            current = arguments[-1] if arguments else None
    found = _model_of(current)
    return set() if found is None else {field.alias or name for name, field in found.model_fields.items()}


def _model_of(kind: Value) -> type[BaseModel] | None:
    kind = _bare(kind)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _bare(kind: Value) -> Value:
    while True:
        if hasattr(kind, "__metadata__"):  # Annotated
            kind = get_args(kind)[0]
        elif isinstance(kind, types.UnionType):
            kind = next(part for part in get_args(kind) if part is not type(None))
        else:
            return kind


def _name(loc: tuple[str | int, ...]) -> str:
    """`assets.hero.params`: where something is, for a sentence."""
    text = ""
    for step in loc:
        shown = step if isinstance(step, int) or (step.isprintable() and len(step) <= 100) else quoted(step)
        text += f"[{shown}]" if isinstance(shown, int) else f".{shown}" if text else str(shown)
    return text or "the file"


def _written(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _got(value: Value, *, secret: bool) -> str:
    """What stands there instead, as the end of a sentence; nothing where it may be a key."""
    if isinstance(value, dict):
        return ", got a mapping"
    if isinstance(value, list):
        return ", got a list"
    if secret:
        return ""
    return f", got the text {quoted(value)}" if isinstance(value, str) else f", got {_written(value)}"
