"""Where a plan has to stop and ask. A blocker never changes the plan: it stands beside it."""

from collections.abc import Sequence

from imagebatch.model.money import Money
from imagebatch.model.settings import Brakes, Threshold
from imagebatch.plan.budget import NO_FUNDS, Funds, max_cost_of, over_limits
from imagebatch.plan.costs import bought_price
from imagebatch.plan.foreign import Held
from imagebatch.plan.options import Force, PlanOptions
from imagebatch.plan.types import DRAW_ACTIONS, Action, Blocker, Change, Plan

PERCENT_BITES_FROM = 10
_REMOVALS: frozenset[Action] = frozenset({"forget", "delete"})


def blockers(
    plan: Plan,
    *,
    brakes: Brakes,
    options: PlanOptions,
    recorded: int,
    wanted: int,
    foreign: Sequence[str] = (),
    held: Sequence[Held] = (),
    funds: Funds = NO_FUNDS,
) -> tuple[Blocker, ...]:
    """Everything that would stop an apply of `plan`.

    `recorded` is how many variants the lock has, `wanted` how many the manifests ask for; `foreign` are files in the
    way, `held` those of addresses that keep them. What a command names itself (`destroy`, `redraw --now`, `retry`) is
    no surprise and counts against no brake.
    """
    found = [
        _removals(plan, brakes.max_deletes, recorded=recorded, wanted=wanted, forced="deletes" in options.forces),
        _redraws(plan, brakes.max_redraws, options, recorded=recorded),
        _creates(plan, options.max_creates),
        *over_limits(plan, brakes, funds, options),
        _unknown_prices(plan, (*max_cost_of(brakes, options), *funds.limits), options),
        _foreign(foreign, options),
        _held(held),
        _doubts(plan, options),
    ]
    return tuple(blocker for blocker in found if blocker is not None)


def _exceeds(count: int, threshold: Threshold, recorded: int) -> str | None:
    """The limit that `count` is over, in words."""
    if threshold.count is not None and count > threshold.count:
        return f"{threshold.count}"
    percent = threshold.percent
    if percent is not None and recorded >= PERCENT_BITES_FROM and count * 100 > percent * recorded:
        return f"{percent:g} %"
    return None


def _removals(plan: Plan, threshold: Threshold, *, recorded: int, wanted: int, forced: bool) -> Blocker | None:
    count = sum(change.action in _REMOVALS and change.reason == "removed" for change in plan.changes)
    if not count or forced:
        return None
    if not wanted:
        message = (
            f"The manifests ask for nothing any more, and {count} of {recorded} variants in the lock would be removed. "
            "If that is meant, add --force deletes."
        )
        return Blocker(code="delete.too_many", message=message, force="deletes")
    limit = _exceeds(count, threshold, recorded)
    if limit is None:
        return None
    message = f"{count} of {recorded} variants would be removed; brakes: max_deletes allows {limit}."
    return Blocker(code="delete.too_many", message=f"{message} Add --force deletes if it is meant.", force="deletes")


def _redraws(plan: Plan, threshold: Threshold, options: PlanOptions, *, recorded: int) -> Blocker | None:
    count = sum(_replaces(change) and change.address not in options.redraw | options.retry for change in plan.changes)
    limit = _exceeds(count, threshold, recorded)
    if limit is None or "redraws" in options.forces:
        return None
    message = (
        f"{count} of {recorded} pictures would be drawn anew; brakes: max_redraws allows {limit}. "
        "Look at the reasons in the plan; add --force redraws if it is meant."
    )
    return Blocker(code="budget.confirm", message=message, force="redraws")


def _replaces(change: Change) -> bool:
    if change.action == "redraw":
        return True
    return change.action == "defer" and change.entry is not None and change.entry.status == "succeeded"


def _creates(plan: Plan, limit: int | None) -> Blocker | None:
    if limit is None:
        return None
    count = sum(_sends(change) for change in plan.changes)
    if count <= limit:
        return None
    message = (
        f"The plan sends {_counted(count, 'create')}; the limit is {limit} (--max-creates). "
        "Raise it, or select fewer variants."
    )
    return Blocker(code="budget.exceeded", message=message)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _sends(change: Change) -> int:
    parts = change.variant.parts if change.variant is not None else 1
    if change.action in DRAW_ACTIONS:
        return 1 if change.in_place else parts
    if change.action == "defer" and change.costs:
        return parts
    return parts if change.action == "wait" and change.reason == "in_doubt" else 0


def _unknown_prices(plan: Plan, limits: Sequence[Money], options: PlanOptions) -> Blocker | None:
    if not limits:
        return None
    lines = sorted({line for change in plan.changes for line in _price_lines(change, limits[0].currency)})
    if not lines or "unknown-price" in options.forces:
        return None
    force: Force = "unknown-price"
    count = sum(any(cost.money is None for cost in change.costs) for change in plan.changes)
    message = (
        f"A cost limit is set, and the price of {_counted(count, 'change')} is unknown. "
        "Give the price in imagebatch.yaml:\n"
        + "\n".join(lines)
        + "\nor bound the run with --max-creates and --force unknown-price."
    )
    return Blocker(code="budget.unknown_price", message=message, force=force)


def _price_lines(change: Change, currency: str) -> list[str]:
    """Lines to paste below `providers:`, with the amount left to the user."""
    variant = change.variant
    if variant is None or not any(cost.money is None for cost in change.costs):
        return []
    draws = change.action in DRAW_ACTIONS or change.action in {"defer", "wait"}
    names: dict[str, list[str]] = {}
    if draws and variant.price.money is None:
        names.setdefault(variant.provider, []).append("create")
    if "buy" in {change.action, *change.also} and bought_price(variant, change.provider).money is None:
        names.setdefault(change.provider, []).append("buy")
    priced = {alias: ", ".join(f'{name}: "0.00 {currency}"' for name in each) for alias, each in names.items()}
    return [f"  {alias}: {{price: {{{prices}}}}}" for alias, prices in priced.items()]


def _foreign(paths: Sequence[str], options: PlanOptions) -> Blocker | None:
    if not paths or "overwrite" in options.forces:
        return None
    shown = ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
    message = (
        f"Files of which the lock knows nothing stand in the way: {shown}. "
        "Move them away, or add --force overwrite: they are replaced, and go to the trash."
    )
    return Blocker(code="path.not_ours", message=message, force="overwrite")


def _held(held: Sequence[Held]) -> Blocker | None:
    if not held:
        return None
    shown = "; ".join(f"{one.path} of {one.owner}, wanted by {one.address}" for one in held[:3])
    more = f" and {len(held) - 3} more" if len(held) > 3 else ""
    message = (
        f"Files stand in the way that other addresses keep: {shown}{more}. Two addresses cannot have one file: name "
        "another path, or let the other go first: select it, too, unprotect it, or remove it with imagebatch destroy."
    )
    return Blocker(code="path.held", message=message)


def _doubts(plan: Plan, options: PlanOptions) -> Blocker | None:
    """`--in-doubt stop`: nothing that costs is sent while it is open whether something before it was paid."""
    doubts = [change.address for change in plan.changes if change.reason == "in_doubt"]
    if options.in_doubt != "stop" or not doubts:
        return None
    others = [change for change in plan.changes if change.reason != "in_doubt"]
    if not any(_sends(change) or "buy" in {change.action, *change.also} for change in others):
        return None  # what asking settles is no longer in doubt when it is sent
    shown = ", ".join(doubts[:3]) + (f" and {len(doubts) - 3} more" if len(doubts) > 3 else "")
    message = (
        f"In doubt: {shown}; --in-doubt stop sends nothing that costs before that is settled. "
        "Ask the providers with `imagebatch refresh`, decide the rest with `imagebatch resolve --list`, "
        "or say --in-doubt skip."
    )
    return Blocker(code="in_doubt.stop", message=message)
