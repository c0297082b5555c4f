"""JSON Schemas of what imagebatch reads and writes. Project, manifest and picks come from their own models."""

import json
from typing import Any

MONEY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "amount": {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"},
        "currency": {"type": "string", "description": "Three letters, or credit."},
    },
}
BASIS = {"enum": ["exact", "estimated", "unknown"]}
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(kind: str) -> dict[str, Any]:
    """The schema of one kind."""
    if kind in {"project", "manifest", "picks"}:
        from imagebatch.manifest.schema import SchemaKind, json_schema

        kinds: dict[str, SchemaKind] = {"project": "project", "manifest": "manifest", "picks": "picks"}
        return json_schema(kinds[kind])
    return {"plan": _plan, "events": _events, "lock": _lock}[kind]()


def schema_text(kind: str) -> str:
    """The schema as it is committed and printed."""
    return json.dumps(schema_of(kind), indent=2, ensure_ascii=False) + "\n"


def _object(properties: dict[str, Any], required: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:  # noqa: ANN401  # JSON Schema
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {}), **more}


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_FIGURE = _object({**MONEY["properties"], "basis": BASIS, "count": _COUNT}, ("basis",))


def _change() -> dict[str, Any]:
    from typing import get_args

    from imagebatch.plan.types import ACTIONS, Reason

    return _object(
        {
            "address": _TEXT,
            "action": {"enum": list(ACTIONS)},
            "reason_code": {"enum": list(get_args(Reason))},
            "reason": _TEXT,
            "provider": _TEXT,
            "also": _array({"enum": list(ACTIONS)}),
            "attempt": {"type": "integer", "minimum": 1},
            "moved_from": _TEXT,
            "leader": {**_TEXT, "description": "The address whose draw is shared."},
            "picked": _array({"type": "integer", "minimum": 1}),
            "cost": _array(_FIGURE),
            "later": MONEY,
            "warnings": _array(_TEXT),
        },
        ("address", "action"),
    )


def _plan_parts() -> dict[str, Any]:
    from imagebatch.plan.types import ACTIONS

    return {
        "lineage": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "summary": _object(dict.fromkeys(ACTIONS, _COUNT), tuple(ACTIONS)),
        "cost": _array(_FIGURE),
        "later": _array(MONEY),
        "blocked_by": _array(_object({"code": _TEXT, "message": _TEXT, "force": _TEXT}, ("code", "message"))),
        "simulated": {**_array(_TEXT), "description": "Provider aliases that the simulator stands in for."},
        "notes": _array(_TEXT),
    }


def _plan() -> dict[str, Any]:
    return {
        "$schema": DIALECT,
        "title": "imagebatch plan --json",
        **_object(
            {
                "format": {"const": "imagebatch-plan"},
                "format_version": {"type": "string", "pattern": r"^1\.[0-9]+$"},
                "changes": _array(_change()),
                **_plan_parts(),
            },
            ("format", "format_version", "changes", "summary", "cost", "blocked_by"),
        ),
    }


def _events() -> dict[str, Any]:
    from imagebatch.cli.views.result_text import PAST
    from imagebatch.plan.types import ACTIONS

    ends = ("done", "failed", "blocked", "in_doubt", "pending", "unsent", "kept")
    counts = dict.fromkeys(
        (*PAST.values(), "kept", "failed", "blocked", "in_doubt", "pending", "unsent", "unpicked"), _COUNT
    )
    kinds: dict[str, dict[str, Any]] = {
        "version": _object({"imagebatch": _TEXT, "command": _TEXT}, ("imagebatch",)),
        "plan": _object(_plan_parts(), ("summary", "cost", "blocked_by")),
        "change": _change(),
        "progress": _object({"kind": _TEXT, "address": _TEXT, "message": _TEXT}, ("kind",)),
        "event": _object({"event": _TEXT, "address": _TEXT, "token": _TEXT}, ("event",)),
        "outcome": _object(
            {
                "address": _TEXT, "action": {"enum": list(ACTIONS)}, "end": {"enum": list(ends)}, "code": _TEXT,
                "message": _TEXT, "hint": _TEXT, "cost": _array(MONEY), "warnings": _array(_TEXT),
                "unpicked": {"type": "boolean"},
            },
            ("address", "action", "end"),
        ),
        "diagnostic": _object(
            {
                "severity": {"enum": ["error", "warning"]}, "code": _TEXT, "summary": _TEXT, "detail": _TEXT,
                "path": _TEXT, "line": _COUNT, "column": _COUNT, "address": _TEXT, "hint": _TEXT,
            },
            ("severity", "code", "summary"),
        ),
        "summary": _object(
            {
                "exit_code": {"type": "integer"}, **counts, "simulated": _COUNT,
                "duplicates": _COUNT, "originals_only_here": _COUNT, "unmet": _array(_unmet({"address": _TEXT})),
                "requests": {"type": "object", "additionalProperties": _COUNT}, "cost": _array(MONEY),
                "seconds": {"type": "number", "minimum": 0},
            },
            ("exit_code", *counts, "requests", "cost", "seconds"),
        ),
    }  # fmt: skip
    return {
        "$schema": DIALECT,
        "title": "imagebatch apply --json and wait --json, one object a line",
        **_object(
            {
                "type": {"enum": list(kinds)},
                "format": _TEXT,
                "format_version": {"type": "string", "pattern": r"^1\.[0-9]+$"},
            },
            ("type", "format", "format_version"),
        ),
        "allOf": [
            {"if": {"properties": {"type": {"const": name}}}, "then": {"$ref": f"#/$defs/{name}"}} for name in kinds
        ],
        "$defs": kinds,
    }


def _unmet(more: dict[str, Any]) -> dict[str, Any]:
    """A check that does not hold."""
    from imagebatch.model.checks import CHECKS, LEVELS, PLUGIN_NAME

    name = {"anyOf": [{"enum": sorted(CHECKS)}, {"type": "string", "pattern": f"^{PLUGIN_NAME.pattern}$"}]}
    fields = {"check": name, "level": {"enum": sorted(LEVELS)}, "wanted": _TEXT, "found": _TEXT}
    return _object({**more, **fields, "of": _TEXT}, (*more, *fields))


def _lock() -> dict[str, Any]:
    sha256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
    prefixed = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
    token = {"type": "string", "pattern": "^ib-[a-z2-7]{16}$"}
    facts = {"sha256": sha256, "width": _COUNT, "height": _COUNT, "media_type": _TEXT, "bytes": _COUNT}
    candidate = _object(
        {
            "id": _TEXT,
            **facts,
            "bought": _object({"resolution": {"enum": ["full", "upscale", "uhd"]}, **facts}, ("resolution",)),
        },
        ("id",),
    )
    drawn = {
        "draw": prefixed,
        "request": {"type": "object"},
        "attempt": {"type": "integer", "minimum": 1},
        "token": token,
        "generation": _TEXT,
        "candidates": _array(candidate),
        "picked": _array({"type": "integer", "minimum": 1}),
        "cost": _array(_TEXT),
    }
    entry = _object(
        {
            "provider": _TEXT,
            "type": _TEXT,
            **drawn,
            "labels": prefixed,
            "status": {"enum": ["pending", "succeeded", "failed", "blocked", "in_doubt"]},
            "outputs": _array(
                _object({"path": _TEXT, "develop": prefixed, "sha256": sha256, "bytes": _COUNT}, ("path", "sha256"))
            ),
            "on_remove": {"enum": ["keep", "trash", "delete"]},
            "failure": _object({"kind": _TEXT, "message": _TEXT}, ("kind", "message")),
            "parts": _array(
                _object({"token": token, "generation": _TEXT, "status": _TEXT, "candidates": _COUNT}, ("token",))
            ),
            "earlier": _array(_object({"provider": _TEXT, "type": _TEXT, **drawn}, ("draw", "token"))),
            "protect": {"type": "boolean"},
            "held": {"type": "boolean"},
            "checked": _object(
                {
                    "checks": prefixed,
                    "unmet": _array(_unmet({})),
                    "looks": _array({"type": "string", "pattern": "^[0-9a-f]{16}$"}),
                },
                ("checks",),
            ),
        },
        ("provider", "type", "draw", "request", "labels", "attempt", "token", "status"),
    )
    return {
        "$schema": DIALECT,
        "title": "imagebatch.lock",
        **_object(
            {
                "format": {"const": "imagebatch-lock"},
                "version": {"const": 1},
                "lineage": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
                "generations": {"type": "object", "additionalProperties": entry},
            },
            ("format", "version", "lineage", "generations"),
        ),
    }
