"""The budget: by run and by month, for each currency, with what is gone already."""

from decimal import Decimal
from typing import Any

import pytest

from imagebatch.model.money import UNKNOWN_COST, Cost, Money, parse_money
from imagebatch.model.recorded import KnownDraw
from imagebatch.model.settings import Brakes, Budget
from imagebatch.plan.budget import Funds
from imagebatch.plan.costs import needed_of
from imagebatch.plan.types import Plan
from tests.unit.plan.worlds import World, entry_of, variant


def eur(amount: str) -> Cost:
    return Cost(money=parse_money(f"{amount} EUR"), basis="estimated")


def plan(funds: Funds, *wanted: Any, **options: Any) -> Plan:
    return World().plan(
        wanted or [variant("a", "a", price=eur("1")), variant("b", "b", price=eur("1"))], funds=funds, **options
    )


def funds(*, run: str = "", month: str = "", spent: str = "", **more: Any) -> Funds:
    budget = Budget(run=_money(run), month=_money(month))
    return Funds(budget=budget, month=_money(spent), month_name="2026-11", **more)


def _money(text: str) -> tuple[Money, ...]:
    return tuple(parse_money(one) for one in text.split(", ") if one)


def codes(made: Plan) -> list[str]:
    return [blocker.code for blocker in made.blocked_by]


@pytest.mark.parametrize(
    ("given", "blocked"),
    [
        (funds(run="2 EUR"), False),
        (funds(run="1.99 EUR"), True),
        (Funds(budget=Budget(run=_money("2 EUR")), run=_money("0.01 EUR")), True),
        (funds(month="5 EUR", spent="3 EUR"), False),
        (funds(month="5 EUR", spent="3.01 EUR"), True),
        (funds(month="5 EUR, 1 USD", spent="3 EUR, 9 USD"), False),
    ],
)  # fmt: skip
def test_a_plan_may_spend_what_is_left_and_no_more(given: Funds, *, blocked: bool) -> None:
    assert codes(plan(given)) == (["budget.exceeded"] if blocked else [])


def test_the_message_says_what_is_gone_and_force_cost_lifts_it() -> None:
    given = funds(month="5 EUR", spent="3.50 EUR")
    (blocker,) = plan(given).blocked_by
    assert blocker.force == "cost"
    assert blocker.message.startswith(
        "The plan costs 2 EUR, and of the 5 EUR that budget: month allows, 3.50 EUR are spent or in doubt in 2026-11"
    )
    assert codes(plan(given, forces=frozenset({"cost"}))) == []


def test_a_budget_refuses_an_unknown_price_as_a_cost_limit_does() -> None:
    unknown = variant("a", "a", price=UNKNOWN_COST)
    for given in (funds(run="5 EUR"), funds(month="5 EUR")):
        assert codes(plan(given, unknown)) == ["budget.unknown_price"]
        assert codes(plan(given, unknown, forces=frozenset({"unknown-price"}))) == []
    assert codes(plan(funds(), unknown)) == []


@pytest.mark.parametrize(
    ("limits", "name", "line"),
    [
        ({"funds": funds(run="9 USD")}, "budget: run", "  budget: {run: [9 USD, 0.00 EUR]}"),
        ({"funds": funds(month="9 USD, 9 credit")}, "budget: month", "  budget: {month: [9 USD, 9 credit, 0.00 EUR]}"),
        ({"funds": funds(), "max_cost": _money("9 USD")}, "--max-cost", "  --max-cost '0.00 EUR'"),
        (
            {"funds": funds(), "brakes": Brakes(max_cost=_money("9 USD"))},
            "brakes: max_cost",
            "  brakes: {max_cost: [9 USD, 0.00 EUR]}",
        ),
    ],
)
def test_a_limit_in_none_of_the_plans_currencies_refuses_as_an_unknown_price_does(
    limits: dict[str, Any], name: str, line: str
) -> None:
    made = plan(**limits)
    assert [(one.code, one.force) for one in made.blocked_by] == [("budget.currency", "cost")]
    assert f"The plan costs 2 EUR, and {name} is 9 " in made.blocked_by[0].message
    assert line in made.blocked_by[0].message.splitlines()
    assert codes(plan(**limits, forces=frozenset({"cost"}))) == []
    free = variant("a", "a", price=Cost(money=parse_money("0 EUR"), basis="exact"))
    assert codes(plan(limits.pop("funds"), free, **limits)) == [], "what is free needs no limit"


def test_each_kind_of_limit_has_to_hold_something() -> None:
    assert codes(plan(funds(run="1 USD", month="5 EUR"))) == ["budget.currency"]


def test_a_limit_that_holds_only_a_part_says_so_in_a_note() -> None:
    dollars = variant("b", "b", price=Cost(money=parse_money("6 USD"), basis="estimated"))
    made = plan(funds(run="1 EUR"), variant("a", "a", price=eur("1")), dollars)
    assert codes(made) == []
    (note,) = made.notes
    assert note.startswith("budget: run says nothing of USD, which this plan costs too: no limit holds there")
    assert note.endswith("; write budget: {run: [1 EUR, 0.00 USD]}")


def test_a_budget_that_is_overspent_stops_nothing_that_is_free() -> None:
    free = variant("a", "a", price=Cost(money=parse_money("0 EUR"), basis="exact"))
    assert codes(plan(funds(month="5 EUR", spent="9 EUR"), free)) == []


def test_what_is_in_doubt_is_in_the_ledger_already_and_may_be_settled() -> None:
    world, wanted = World(), variant("a", "a", price=eur("1"))
    entry = entry_of(wanted, status="in_doubt", generation=None, candidates=(), picked=(), outputs=())
    world.have("a", entry)
    world.know(KnownDraw.of_entry(entry))
    made = world.plan([wanted], funds=funds(month="5 EUR", spent="5 EUR"))
    assert [(one.action, one.reason) for one in made.changes] == [("wait", "in_doubt")]
    assert made.costs[0].money == parse_money("1 EUR")
    assert codes(made) == []
    assert needed_of(made, wanted.provider, "EUR") == {}


def test_what_a_plan_needs_is_told_by_draws_and_purchases() -> None:
    full = variant("a", "a", price=eur("1"), policy={"resolution": "full"}, buy_price={"full": eur("0.35")})
    assert needed_of(plan(funds(), full), full.provider, "EUR") == {"create": Decimal(1), "buy": Decimal("0.35")}
    assert needed_of(plan(funds(), full), full.provider, "USD") == {}
    assert needed_of(plan(funds(), full), "another", "EUR") == {}


def test_sums_that_cannot_be_whole_say_so() -> None:
    notes = funds(month="5 EUR", unknown=2, unreadable=1).notes
    assert ["2 paid steps have no known price" in notes[0], "1 line of .imagebatch/ledger.csv" in notes[1]] == [
        True,
        True,
    ]
    assert "1 draw has no line" in funds(month="5 EUR", uncounted=1).notes[0]
    assert funds(run="5 EUR", unknown=2, unreadable=1).notes == ()
