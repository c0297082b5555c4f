"""The states that `state:` selects by, read from a plan over everything."""

from typing import Literal

from imagebatch.model.generation import Entry
from imagebatch.plan.reasons import SIMULATED
from imagebatch.plan.types import Action, Change, Plan

State = Literal[
    "new", "changed", "failed", "blocked", "missing", "unpicked", "pending", "in-doubt", "orphan", "simulated",
]  # fmt: skip
STATES: tuple[State, ...] = State.__args__  # type: ignore[attr-defined]  # typing has no public way to list a Literal

_STILL: frozenset[Action] = frozenset({"noop", "wait", "fetch"})


def states_of(plan: Plan) -> dict[str, frozenset[State]]:
    """States by address, for a plan that was made without selection and with `detail`; several may hold at once."""
    return {change.address: frozenset(_states(change)) for change in plan.changes}


def _states(change: Change) -> set[State]:
    found: set[State] = set()
    entry, variant = change.entry, change.variant
    status = entry.status if entry is not None else None
    kind = entry.type if entry is not None else variant.type if variant is not None else ""
    if variant is None:
        found.add("orphan")
    elif entry is None and change.action != "noop" and change.reason not in {"pending", "in_doubt"}:
        found.add("new")
    elif _differs(change):
        found.add("changed")
    if status == "failed" or change.reason in {"failed", "paid_failure"}:
        found.add("failed")
    if status == "blocked" or change.reason == "blocked":
        found.add("blocked")
    if status == "pending" or change.reason == "pending":
        found.add("pending")
    if status == "in_doubt" or change.reason == "in_doubt":
        found.add("in-doubt")
    if change.reason in {"unavailable", "output_missing"} or "fetch" in change.also:
        found.add("missing")
    if kind.startswith(SIMULATED) and (entry is not None or change.action == "noop"):
        found.add("simulated")
    if is_unpicked(change):
        found.add("unpicked")
    return found


def recorded_states(entry: Entry) -> frozenset[State]:
    """The states that an entry has whatever is wanted now."""
    by_status: dict[str, State] = {
        "failed": "failed", "blocked": "blocked", "pending": "pending", "in_doubt": "in-doubt",
    }  # fmt: skip
    found = {by_status[entry.status]} if entry.status in by_status else set()
    return frozenset(found | ({"simulated"} if entry.type.startswith(SIMULATED) else set()))


def is_unpicked(change: Change) -> bool:
    """Whether a picture is there, and a person has yet to choose among its candidates."""
    entry, variant = change.entry, change.variant
    return (
        entry is not None
        and variant is not None
        and entry.status == "succeeded"
        and variant.policy.pick == "review"
        and (change.unpicked or not change.picked)
        and change.reason != "rejected_pick"
    )


def _differs(change: Change) -> bool:
    if change.action == "keep":
        return change.reason in {"protected", "edited"}
    return change.action not in _STILL and change.reason not in {"output_missing", "failed"}
