"""The plan as a JSON document (`imagebatch-plan` 1.0); values that are absent are left out."""

from collections.abc import Sequence
from typing import Final

from imagebatch.model.canonical import Json
from imagebatch.model.money import Cost, Money
from imagebatch.plan.costs import grouped
from imagebatch.plan.types import PAID_ACTIONS, Action, Change, Plan

PLAN_FORMAT: Final = "imagebatch-plan"
PLAN_FORMAT_VERSION: Final = "1.0"

# The order in which the summary lists the actions is part of the format.
SUMMARY_ORDER: tuple[Action, ...] = (
    "create", "redraw", "retry", "buy", "wait", "update", "develop", "fetch", "adopt", "share", "move", "delete",
    "forget", "keep", "defer", "noop",
)  # fmt: skip


def plan_document(plan: Plan, *, detail: bool = False) -> dict[str, Json]:
    """The whole plan for `plan --json`; unchanged addresses only with `detail`."""
    document: dict[str, Json] = {"format": PLAN_FORMAT, "format_version": PLAN_FORMAT_VERSION}
    if plan.lineage is not None:
        document["lineage"] = plan.lineage
    document["changes"] = [
        change_document(change) for change in plan.changes if detail or change.action != "noop" or change.also
    ]
    document["summary"] = {action: plan.counts.get(action, 0) for action in SUMMARY_ORDER}
    document["cost"] = list(grouped(plan.costs))
    if plan.later:
        document["later"] = [money_document(money) for money in plan.later]
    document["blocked_by"] = [
        {"code": blocker.code, "message": blocker.message, **({"force": blocker.force} if blocker.force else {})}
        for blocker in plan.blocked_by
    ]
    if plan.notes:
        document["notes"] = list(plan.notes)
    return document


def change_document(change: Change) -> dict[str, Json]:
    """One change; `attempt` where something paid is sent, `cost` where something is paid."""
    document: dict[str, Json] = {"address": change.address, "action": change.action}
    if change.reason is not None:
        document["reason_code"] = change.reason
        document["reason"] = change.detail or change.reason.replace("_", " ")
    if change.provider:
        document["provider"] = change.provider
    if change.also:
        document["also"] = list(change.also)
    if change.action in PAID_ACTIONS and change.action != "buy":
        document["attempt"] = change.attempt
    if change.moved_from is not None:
        document["moved_from"] = change.moved_from
    if change.leader is not None:
        document["leader"] = change.leader
    if change.picked and change.action != "noop":
        document["picked"] = list(change.picked)
    if change.costs:
        document["cost"] = _figures(change.costs)
    if change.later is not None and change.later.money is not None:
        document["later"] = money_document(change.later.money)
    if change.warnings:
        document["warnings"] = list(change.warnings)
    return document


def money_document(money: Money) -> dict[str, Json]:
    """An amount as text, so that no reader makes a float of it."""
    return {"amount": format(money.amount, "f"), "currency": money.currency}


def _figures(costs: Sequence[Cost]) -> list[Json]:
    return [{name: value for name, value in figure.items() if name != "count"} for figure in grouped(tuple(costs))]
