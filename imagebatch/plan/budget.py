"""What the project's budget says to a plan: the most that one run may spend, and one calendar month (UTC)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from imagebatch.model.money import Cost, Money, decimal_text, totals
from imagebatch.model.settings import Brakes, Budget
from imagebatch.plan.options import PlanOptions
from imagebatch.plan.types import Blocker, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Funds:
    """The budget, and what of it is gone.

    `run` is what the run has spent that makes this plan (nothing, but for the rounds after the first), `month` what the
    cost ledger has of the month that is named `month_name` (`2026-11`); doubts are in both with what they may have
    cost. `unknown` counts the month's paid steps without a known price, `unreadable` the ledger's lines that say
    nothing, `uncounted` draws of this checkout that cost something and that the ledger says nothing of.
    """

    budget: Budget = field(default_factory=Budget)
    run: tuple[Money, ...] = ()
    month: tuple[Money, ...] = ()
    month_name: str = ""
    unknown: int = 0
    unreadable: int = 0
    uncounted: int = 0

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
        if self.uncounted:
            what = "1 draw has" if self.uncounted == 1 else f"{self.uncounted} draws have"
            found.append(
                f"budget: {what} no line in .imagebatch/ledger.csv (it was deleted, or is younger than what was "
                "drawn), so what was spent before is not counted"
            )
        return tuple(found)


NO_FUNDS = Funds()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bound:
    """One kind of limit: `allowed` by currency, what a plan costs by its count, what was spent before.

    `over` words that a cost and what was spent before are over a limit; `line` is how limits are written, `each` says
    that every one is written by itself.
    """

    name: str
    allowed: tuple[Money, ...]
    costs: Mapping[str, Decimal]
    spent: Mapping[str, Decimal]
    over: Callable[[str, str, Money], str]
    line: str
    each: bool = False

    @property
    def unheld(self) -> tuple[str, ...]:
        """The currencies that something is paid in and that it says nothing of; none where there is no limit."""
        held = {limit.currency for limit in self.allowed}
        return tuple(sorted(name for name, cost in self.costs.items() if cost and name not in held)) if held else ()

    @property
    def holds_any(self) -> bool:
        """Whether something is paid in one of its currencies."""
        return any(self.costs.get(limit.currency) for limit in self.allowed)

    @property
    def lacking(self) -> str:
        """What to write so that it holds all of them, with the amounts left to the user."""
        missing = [f"0.00 {name}" for name in self.unheld]
        if self.each:
            return " ".join(self.line.format(text) for text in missing)
        return self.line.format(", ".join([*map(str, self.allowed), *missing]))


def max_cost_of(brakes: Brakes, options: PlanOptions) -> tuple[Money, ...]:
    """The most that a run may cost: what the command says, else the project."""
    return options.max_cost if options.max_cost is not None else brakes.max_cost


def over_limits(plan: Plan, brakes: Brakes, funds: Funds, options: PlanOptions) -> list[Blocker]:
    """What of the limits on cost a plan would overrun, and which of them would hold nothing of it."""
    if "cost" in options.forces:
        return []
    found = []
    for bound in _bounds(plan, brakes, funds, options):
        for limit in bound.allowed:
            cost = bound.costs.get(limit.currency, Decimal(0))
            before = bound.spent.get(limit.currency, Decimal(0))
            if cost and cost + before > limit.amount:
                message = bound.over(_text(cost, limit), _text(before, limit) if before else "", limit)
                found.append(Blocker(code="budget.exceeded", message=message, force="cost"))
        if bound.unheld and not bound.holds_any:
            found.append(_unheld(bound))
    return found


def half_held(plan: Plan, brakes: Brakes, funds: Funds, options: PlanOptions) -> tuple[str, ...]:
    """What to say of limits on cost that hold only some of a plan's currencies."""
    return tuple(
        f"{bound.name} says nothing of {' and '.join(bound.unheld)}, which this plan costs too: no limit holds there, "
        f"for nothing is converted; write {bound.lacking}"
        for bound in _bounds(plan, brakes, funds, options)
        if bound.unheld and bound.holds_any
    )


def _bounds(plan: Plan, brakes: Brakes, funds: Funds, options: PlanOptions) -> tuple[_Bound, ...]:
    costs = _sums(totals(plan.costs))
    asked = options.max_cost is not None
    return (
        _Bound(
            name="--max-cost" if asked else "brakes: max_cost",
            allowed=max_cost_of(brakes, options),
            costs=costs,
            spent={},
            over=lambda cost, _, limit: (
                f"The plan costs {cost}; the limit is {limit}. "
                "Raise it with --max-cost, select fewer variants, or add --force cost."
            ),
            line="--max-cost '{}'" if asked else "brakes: {{max_cost: [{}]}}",
            each=asked,
        ),
        _Bound(
            name="budget: run",
            allowed=funds.budget.run,
            costs=costs,
            spent=_sums(funds.run),
            over=lambda cost, before, limit: (
                f"The plan costs {cost}{f', and {before} are spent in this run already' if before else ''}; budget: "
                f"run allows {limit}. Raise it in imagebatch.yaml, select fewer variants, or add --force cost."
            ),
            line="budget: {{run: [{}]}}",
        ),
        _Bound(
            name="budget: month",
            allowed=funds.budget.month,
            costs=_sums(totals(_new_costs(plan))),
            spent=_sums(funds.month),
            over=lambda cost, before, limit: (
                f"The plan costs {cost}, and of the {limit} that budget: month allows, "
                f"{before or f'0 {limit.currency}'} are spent or in doubt in {funds.month_name} (UTC). Raise it in "
                "imagebatch.yaml, select fewer variants, wait for the next month, or add --force cost."
            ),
            line="budget: {{month: [{}]}}",
        ),
    )


def _unheld(bound: _Bound) -> Blocker:
    """A limit that holds nothing of a plan was meant to hold it: that is refused, as an unknown price is."""
    costs = " + ".join(str(Money(amount=bound.costs[name], currency=name)) for name in bound.unheld)
    limits = " + ".join(str(limit) for limit in bound.allowed)
    message = (
        f"The plan costs {costs}, and {bound.name} is {limits}: nothing is converted, so that limit holds nothing of "
        f"it. Say what may be paid:\n  {bound.lacking}\nor add --force cost."
    )
    return Blocker(code="budget.currency", message=message, force="cost")


def _new_costs(plan: Plan) -> Iterable[Cost]:
    """The costs that the cost ledger cannot have yet: what is in doubt is in it with what it may have cost."""
    for change in plan.changes:
        counted = change.action == "wait" and change.reason == "in_doubt"
        yield from change.costs[1:] if counted else change.costs


def _sums(money: Iterable[Money]) -> Mapping[str, Decimal]:
    return {one.currency: one.amount for one in money}


def _text(amount: Decimal, limit: Money) -> str:
    return f"{decimal_text(amount)} {limit.currency}"
