"""What a project has spent, from the cost ledgers of this checkout: for the budget, and for people."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from imagebatch.effects.files import exists
from imagebatch.errors import PlanError
from imagebatch.model.money import Money, read_money, totals
from imagebatch.pipeline.homes import homes_of
from imagebatch.pipeline.project import Project
from imagebatch.plan.budget import Funds
from imagebatch.plan.options import PlanOptions
from imagebatch.providers.registry import SIMULATED
from imagebatch.run.spending import Limit
from imagebatch.state.attempts import Attempt
from imagebatch.state.cost_file import COST_LEDGER, Now, read_costs
from imagebatch.state.costs import CostLine, CostText, settled, spent_in
from imagebatch.state.draws import DrawIndex
from imagebatch.state.store import DRAWS, FOLDER, NO_LINEAGE, StateStore


def read_ledgers(home: Path) -> CostText:
    """The lines of a project's ledger and of that of `run "PROMPT"` in it. Raises StateError."""
    found = [read_costs(one / FOLDER / COST_LEDGER) for one in homes_of(home)]
    lines = tuple(line for one in found for line in one.lines)
    return CostText(lines=lines, unreadable=sum(one.unreadable for one in found))


def read_funds(project: Project, now: Now, *, run: tuple[Money, ...] = ()) -> Funds:
    """The budget, and what of it is gone; `run` is what the run that asks has spent.

    The ledger is read only where a month has a limit. Raises StateError where it cannot be read: a budget that cannot
    be judged allows nothing.
    """
    budget = project.settings.budget
    if not budget.month:
        return Funds(budget=budget, run=run)
    month = f"{now().astimezone(UTC):%Y-%m}"
    ledger = read_ledgers(project.home)
    spent, unknown = spent_in(ledger.lines, month)
    return Funds(
        budget=budget,
        run=run,
        month=spent,
        month_name=month,
        unknown=unknown,
        unreadable=ledger.unreadable,
        # Asked once: in later rounds the answer is the same, and the index may be long.
        uncounted=0 if run else uncounted_draws(project.home, project.settings.lineage, ledger),
    )


def uncounted_draws(home: Path, lineage: str | None, ledger: CostText) -> int:
    """How many draws of this checkout cost something and have no line in any ledger: it was deleted, or is younger.

    Of a draw whose cost is unknown only a ledger without any line can tell. Raises StateError.
    """
    told = {line.token for line in ledger.lines}
    found = 0
    for one in homes_of(home):
        if not exists(one / FOLDER / DRAWS):
            continue
        mine = lineage or StateStore(one).open_for_plan(lineage=None).lineage or NO_LINEAGE
        index = DrawIndex(one / FOLDER / DRAWS, lineage=mine)
        try:
            found += sum(_cost_something(drawn, told) for drawn in index.every())
        finally:
            index.close()
    return found


def _cost_something(drawn: Attempt, told: Collection[str]) -> bool:
    if drawn.token in told or drawn.type.startswith(SIMULATED):
        return False
    amounts = [money.amount for text in drawn.cost if (money := read_money(text)) is not None]
    return any(amounts) if drawn.cost else not told


def limits_of(funds: Funds, options: PlanOptions, max_cost: tuple[Money, ...]) -> tuple[Limit, ...]:
    """What a run may spend, for each limit that holds for it; none where --force cost lifts them."""
    if "cost" in options.forces:
        return ()
    gone = {money.currency: money.amount for money in funds.month}
    by_run = [Limit(money=money, name="--max-cost") for money in max_cost]
    by_run += [Limit(money=money, name="budget: run") for money in funds.budget.run]
    by_month = [
        Limit(money=money, name="budget: month", before=gone[money.currency])
        if money.currency in gone
        else Limit(money=money, name="budget: month")
        for money in funds.budget.month
    ]
    return (*by_run, *by_month)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one provider was paid in one month (`2026-11`, UTC).

    `steps` counts the paid steps, `unknown` those without a known price. `in_doubt` is what of `spent` may not have
    been charged: nobody knows, or it was given up.
    """

    month: str
    provider: str
    steps: int
    spent: tuple[Money, ...]
    in_doubt: tuple[Money, ...] = ()
    unknown: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CostReport:
    """The paid steps that were asked for, each as it stands now, their sums, and the ledger's unreadable lines."""

    steps: tuple[CostLine, ...]
    sums: tuple[Spent, ...]
    unreadable: int = 0


def cost_report(home: Path, *, run: str | None = None, month: str | None = None) -> CostReport:
    """What a project has spent, perhaps only in one run (`last` for the newest) or one month.

    Raises StateError where the ledger cannot be read, PlanError for a run that it does not have.
    """
    ledger = read_ledgers(home)
    steps = tuple(sorted(settled(ledger.lines), key=lambda line: line.time))
    if run is not None:
        wanted = max((line.run for line in steps), default="") if run == "last" else run
        steps = tuple(line for line in steps if line.run == wanted)
        if not steps:
            raise PlanError(
                "no such run",
                f"The cost ledger has no paid step of a run {run}. It has those of this checkout only.",
                hints=("see the runs that paid for something: imagebatch report --csv",),
                code="report.unknown_run",
            )
    if month is not None:
        steps = tuple(line for line in steps if line.time.startswith(f"{month}-"))
    return CostReport(steps=steps, sums=summed(steps), unreadable=ledger.unreadable)


def summed(steps: Iterable[CostLine]) -> tuple[Spent, ...]:
    """Settled lines by month and provider, in that order; what was never taken is no step."""
    groups: dict[tuple[str, str], list[CostLine]] = {}
    for line in steps:
        if line.state != "not_paid":
            groups.setdefault((line.time[: len("2026-11")], line.provider), []).append(line)
    return tuple(
        Spent(
            month=month,
            provider=provider,
            steps=len(lines),
            spent=totals(line.cost for line in lines),
            in_doubt=totals(line.cost for line in lines if line.state in {"in_doubt", "given_up"}),
            unknown=sum(line.cost.money is None for line in lines),
        )
        for (month, provider), lines in sorted(groups.items())
    )
