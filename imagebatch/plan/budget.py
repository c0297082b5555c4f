"""What the project's budget says to a plan: the most that one run may spend, and one calendar month (UTC)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from imagebatch.model.money import Cost, Money, decimal_text, totals
from imagebatch.model.settings import Budget
from imagebatch.plan.options import PlanOptions
from imagebatch.plan.types import Blocker, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Funds:
    """The budget, and what of it is gone.

    `run` is what the run has spent that makes this plan (nothing, but for the rounds after the first), `month` what the
    cost ledger has of the month that is named `month_name` (`2026-11`); doubts are in both with what they may have
    cost. `unknown` counts the month's paid steps without a known price, `unreadable` the ledger's lines that say
    nothing.
    """

    budget: Budget = field(default_factory=Budget)
    run: tuple[Money, ...] = ()
    month: tuple[Money, ...] = ()
    month_name: str = ""
    unknown: int = 0
    unreadable: int = 0

    @property
    def limits(self) -> tuple[Money, ...]:
        """All limits, of whatever kind."""
        return (*self.budget.run, *self.budget.month)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person has to know about the sums."""
        if not self.budget.month:
            return ()
        found = []
        if self.unknown:
            what = "1 paid step has" if self.unknown == 1 else f"{self.unknown} paid steps have"
            found.append(f"budget: {what} no known price in {self.month_name}, and cannot be counted")
        if self.unreadable:
            what = "1 line" if self.unreadable == 1 else f"{self.unreadable} lines"
            found.append(
                f"budget: {what} of .imagebatch/ledger.csv cannot be read (cut off by a crash, or edited) and "
                "cannot be counted"
            )
        return tuple(found)


NO_FUNDS = Funds()


def over_budget(plan: Plan, funds: Funds, options: PlanOptions) -> list[Blocker]:
    """What of the budget a plan would overrun."""
    if "cost" in options.forces:
        return []
    found = []
    costs, spent = _sums(totals(plan.costs)), _sums(funds.run)
    for limit in funds.budget.run:
        cost = costs.get(limit.currency, Decimal(0))
        before = spent.get(limit.currency, Decimal(0))
        if cost and cost + before > limit.amount:
            gone = f", and {_text(before, limit)} are spent in this run already" if before else ""
            found.append(
                _blocker(
                    f"The plan costs {_text(cost, limit)}{gone}; budget: run allows {limit}.", "select fewer variants"
                )
            )
    costs, spent = _sums(totals(_new_costs(plan))), _sums(funds.month)
    for limit in funds.budget.month:
        cost = costs.get(limit.currency, Decimal(0))
        before = spent.get(limit.currency, Decimal(0))
        if cost and cost + before > limit.amount:
            found.append(
                _blocker(
                    f"The plan costs {_text(cost, limit)}, and of the {limit} that budget: month allows "
                    f"{_text(before, limit)} are spent or in doubt in {funds.month_name} (UTC).",
                    "select fewer variants, wait for the next month",
                )
            )
    return found


def _new_costs(plan: Plan) -> Iterable[Cost]:
    """The costs that the cost ledger cannot have yet: what is in doubt is in it with what it may have cost."""
    for change in plan.changes:
        counted = change.action == "wait" and change.reason == "in_doubt"
        yield from change.costs[1:] if counted else change.costs


def _blocker(what: str, ways: str) -> Blocker:
    message = f"{what} Raise it in imagebatch.yaml, {ways}, or add --force cost."
    return Blocker(code="budget.exceeded", message=message, force="cost")


def _sums(money: Iterable[Money]) -> Mapping[str, Decimal]:
    return {one.currency: one.amount for one in money}


def _text(amount: Decimal, limit: Money) -> str:
    return f"{decimal_text(amount)} {limit.currency}"
