"""A plan kept in a file: what it was made from, and every step it would take.

Applying it plans afresh and compares: only where inputs, lock and every single step are the same is it applied, so a
saved plan can neither do something else than what was approved nor be applied twice.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from imagebatch.errors import PlanError, RefusedError
from imagebatch.model.canonical import Json
from imagebatch.model.money import parse_money
from imagebatch.plan.document import PLAN_FORMAT, PLAN_FORMAT_VERSION, plan_document
from imagebatch.plan.options import FORCES, Force, InDoubt, PlanOptions
from imagebatch.plan.types import Change, Plan

NO_LOCK: Final = "absent"
_FORCE_HINT: Final = "Apply it all the same, where each of its steps is still what it was: --force stale"
_IN_DOUBT: tuple[InDoubt, ...] = ("stop", "skip", "resend")


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedStep:
    """One change as it was approved."""

    address: str
    action: str
    reason: str | None
    attempt: int
    draw: str | None
    also: tuple[str, ...] = ()
    cost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """A plan as read back. `lock` is the lock's sha256 when it was made, `absent` where there was none."""

    lineage: str
    lock: str
    inputs: Mapping[str, str]
    options: PlanOptions
    steps: tuple[SavedStep, ...]


def encode_saved(plan: Plan, *, lock: str, options: PlanOptions) -> str:
    """The saved plan's text.

    `lock` is the sha256 of the lock's bytes, `NO_LOCK` where there is none. Raises ValueError for a plan without
    lineage: without one a first plan could be applied twice.
    """
    if plan.lineage is None:
        raise ValueError("a plan is saved with the lineage of its project")
    document = plan_document(plan)
    document |= {
        "lock": lock,
        "inputs": dict(sorted(plan.inputs.items())),
        "options": _options_document(options),
        "steps": [_step_document(step) for step in _steps(plan)],
    }
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=False) + "\n"


def is_saved(text: str) -> bool:
    """Whether a text is a plan of ours, of whatever version."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("format") == PLAN_FORMAT


def decode_saved(text: str, *, path: str = "the saved plan") -> SavedPlan:
    """Read a saved plan.

    Raises PlanError (`plan.unreadable`) for anything that is none, or that a newer imagebatch wrote.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise _unreadable(path, "It is not JSON.") from None
    if not isinstance(document, dict) or document.get("format") != PLAN_FORMAT:
        raise _unreadable(path, f"It does not say `format: {PLAN_FORMAT}`.")
    version = str(document.get("format_version", ""))
    if version.split(".", maxsplit=1)[0] != PLAN_FORMAT_VERSION.split(".", maxsplit=1)[0]:
        raise _unreadable(path, f"It has format version {version!r}; this program reads {PLAN_FORMAT_VERSION}.")
    if "steps" not in document:
        raise _unreadable(path, "It is the output of `plan --json`; save a plan with `plan --out`.")
    try:
        return SavedPlan(
            lineage=_text(document["lineage"]),
            lock=_text(document["lock"]),
            inputs={_text(name): _text(digest) for name, digest in document["inputs"].items()},
            options=_options(document["options"]),
            steps=tuple(_step(step) for step in document["steps"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unreadable(path, f"A part of it is missing or is of the wrong kind ({error}).") from None


def check_fresh(
    saved: SavedPlan, *, lineage: str | None, lock: str, inputs: Mapping[str, str], forced: bool = False
) -> None:
    """Refuse a saved plan whose project, lock or inputs are not those it was made from.

    `forced` (`--force stale`) lets another lock and other inputs pass: `check_same` still holds each step to the plan.

    Raises RefusedError (`plan.stale`) that names what changed.
    """
    if lineage != saved.lineage:
        raise _stale("It was made for another project: the lineage differs.")
    if forced:
        return
    if lock != saved.lock:
        raise _stale("The lock has changed since the plan was made.", _FORCE_HINT)
    changed = sorted(name for name in saved.inputs.keys() | inputs.keys() if saved.inputs.get(name) != inputs.get(name))
    if changed:
        shown = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" if len(changed) > 5 else "")
        raise _stale(f"These files have changed since the plan was made: {shown}.", _FORCE_HINT)


def check_same(saved: SavedPlan, plan: Plan) -> None:
    """Refuse to apply where a fresh plan takes other steps than the saved one.

    Raises RefusedError (`plan.stale`) that names the first address that differs.
    """
    fresh = _steps(plan)
    if fresh == saved.steps:
        return
    old = {step.address: step for step in saved.steps}
    new = {step.address: step for step in fresh}
    address = min(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    before, after = old.get(address), new.get(address)
    raise _stale(
        f"{address} would now be {after.action if after else 'unchanged'}; "
        f"the saved plan says {before.action if before else 'unchanged'}. Pictures or files have changed since."
    )


def _steps(plan: Plan) -> tuple[SavedStep, ...]:
    return tuple(_saved(change) for change in plan.changes if change.action != "noop" or change.also)


def _saved(change: Change) -> SavedStep:
    known = change.known.draw if change.known is not None else None
    wanted = change.variant.draw if change.variant is not None else None
    return SavedStep(
        address=change.address,
        action=change.action,
        reason=change.reason,
        attempt=change.attempt,
        draw=known or wanted or (change.entry.draw if change.entry is not None else None),
        also=change.also,
        cost=tuple(str(cost.money) if cost.money is not None else "unknown" for cost in change.costs),
    )


def _step_document(step: SavedStep) -> Json:
    document: dict[str, Json] = {"address": step.address, "action": step.action}
    if step.reason is not None:
        document["reason"] = step.reason
    document["attempt"] = step.attempt
    if step.draw is not None:
        document["draw"] = step.draw
    if step.also:
        document["also"] = list(step.also)
    if step.cost:
        document["cost"] = list(step.cost)
    return document


def _step(document: Mapping[str, Json]) -> SavedStep:
    reason, draw = document.get("reason"), document.get("draw")
    return SavedStep(
        address=_text(document["address"]),
        action=_text(document["action"]),
        reason=None if reason is None else _text(reason),
        attempt=_number(document["attempt"]),
        draw=None if draw is None else _text(draw),
        also=_texts(document.get("also", [])),
        cost=_texts(document.get("cost", [])),
    )


def _options_document(options: PlanOptions) -> Json:
    document: dict[str, Json] = {}
    if options.selected is not None:
        document["selected"] = sorted(options.selected)
    for name, values in (
        ("force", options.forces),
        ("retry", options.retry),
        ("redraw", options.redraw),
        ("destroy", options.destroy),
    ):
        if values:
            document[name] = sorted(values)
    if options.max_cost is not None:
        document["max_cost"] = [str(money) for money in options.max_cost]
    if options.max_creates is not None:
        document["max_creates"] = options.max_creates
    if options.in_doubt != "stop":
        document["in_doubt"] = options.in_doubt
    return document


def _options(document: Mapping[str, Json]) -> PlanOptions:
    selected, max_cost, max_creates = (document.get(name) for name in ("selected", "max_cost", "max_creates"))
    return PlanOptions(
        selected=None if selected is None else frozenset(_texts(selected)),
        forces=frozenset(_force(name) for name in _texts(document.get("force", []))),
        retry=frozenset(_texts(document.get("retry", []))),
        redraw=frozenset(_texts(document.get("redraw", []))),
        destroy=frozenset(_texts(document.get("destroy", []))),
        max_cost=None if max_cost is None else tuple(parse_money(text) for text in _texts(max_cost)),
        max_creates=None if max_creates is None else _number(max_creates),
        in_doubt=_in_doubt(_text(document.get("in_doubt", "stop"))),
    )


def _force(name: str) -> Force:
    # An unknown name is the ValueError that the caller turns into a message.
    return FORCES[FORCES.index(name)]


def _in_doubt(name: str) -> InDoubt:
    return _IN_DOUBT[_IN_DOUBT.index(name)]


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _texts(value: Json) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return tuple(_text(item) for item in value)


def _number(value: Json) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no number")
    return value


def _stale(detail: str, *hints: str) -> RefusedError:
    return RefusedError(
        "Stale plan",
        f"{detail} It is not applied, because it is no longer what was looked at.",
        code="plan.stale",
        hints=("Make a new plan: imagebatch plan --out FILE", *hints),
    )


def _unreadable(path: str, detail: str) -> PlanError:
    return PlanError(
        "Saved plan cannot be read",
        f"{path}: {detail}",
        code="plan.unreadable",
        hints=("Make a new plan: imagebatch plan --out FILE",),
    )
