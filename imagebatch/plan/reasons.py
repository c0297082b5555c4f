"""Why a picture has to be drawn anew: the difference of two requests, in one code and one short sentence."""

import json
from collections.abc import Mapping

from imagebatch.plan.types import Reason

SIMULATED = "simulator:"

_REFERENCE_KEYS = frozenset({"references", "reference_images", "image", "images", "mask"})
_COUNT_KEYS = frozenset({"count", "n"})
# The order decides which code stands for a request that changed in several ways.
_RANK: tuple[Reason, ...] = ("prompt", "model", "params", "references", "count")


def why_other_draw(*, old_type: str, old_request: str, new_type: str, new_request: str) -> tuple[Reason, str]:
    """The reason code and a short text for a draw fingerprint that differs.

    Requests are canonical JSON in wire form; they are parsed only here, when a redraw is due anyway.
    """
    if old_type != new_type:
        if old_type.removeprefix(SIMULATED) == new_type.removeprefix(SIMULATED):
            if new_type.startswith(SIMULATED):
                return "simulated", "the present picture is real, the wanted one would be simulated"
            return "simulated", "the present picture is simulated"
        return "provider", f"provider type {old_type} -> {new_type}"
    names = _differences(_flat(old_request), _flat(new_request))
    codes = {_code(name) for name in names}
    reason: Reason = next((code for code in _RANK if code in codes), "params")
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return reason, f"{shown} changed" if shown else "the request changed"


def _flat(request: str) -> dict[str, object]:
    try:
        body = json.loads(request)
    except ValueError:
        return {"request": request}
    if not isinstance(body, dict):
        return {"request": body}
    flat: dict[str, object] = {}
    for name, value in body.items():
        if name == "params" and isinstance(value, Mapping):
            flat.update({f"params.{inner}": item for inner, item in value.items()})
        else:
            flat[name] = value
    return flat


def _differences(old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    missing = object()
    return sorted(
        (name for name in old.keys() | new.keys() if old.get(name, missing) != new.get(name, missing)),
        key=lambda name: (_RANK.index(_code(name)), name),
    )


def _code(name: str) -> Reason:
    bare = name.removeprefix("params.")
    if bare == "prompt":
        return "prompt"
    if bare == "model":
        return "model"
    if bare in _REFERENCE_KEYS:
        return "references"
    if bare in _COUNT_KEYS:
        return "count"
    return "params"
