"""The plan as data: the JSON document and the last line."""

import json
from dataclasses import replace
from decimal import Decimal

from imagebatch.model.money import UNKNOWN_COST, Cost, Money
from imagebatch.plan.costs import summary_line, times
from imagebatch.plan.document import plan_document
from imagebatch.plan.types import Blocker, Change, Plan
from tests.unit.plan.worlds import World, entry_of, eur, variant


def test_the_document_of_one_new_variant_is_the_contracts_example() -> None:
    price = Cost(money=eur("0.35"), basis="estimated")
    plan = replace(World().plan([variant("hero[season=spring]", price=price)]), lineage=None)
    assert plan_document(plan) == {
        "format": "imagebatch-plan",
        "format_version": "1.0",
        "changes": [
            {
                "address": "hero[season=spring]",
                "action": "create",
                "reason_code": "new",
                "reason": "not in the lock",
                "provider": "studio",
                "attempt": 1,
                "cost": [{"amount": "0.35", "currency": "EUR", "basis": "estimated"}],
            }
        ],
        "summary": {
            "create": 1, "redraw": 0, "retry": 0, "buy": 0, "wait": 0, "update": 0, "develop": 0, "fetch": 0,
            "adopt": 0, "share": 0, "move": 0, "delete": 0, "forget": 0, "keep": 0, "defer": 0, "noop": 0,
        },
        "cost": [{"amount": "0.35", "currency": "EUR", "basis": "estimated", "count": 1}],
        "blocked_by": [],
    }  # fmt: skip
    assert list(plan_document(plan)["summary"])[:4] == ["create", "redraw", "retry", "buy"]  # type: ignore[arg-type]  # a mapping


def test_unchanged_addresses_are_in_the_document_only_with_detail() -> None:
    plan = World().have("hero", entry_of(variant())).plan([variant()], detail=True)
    assert plan_document(plan)["changes"] == []
    assert plan_document(plan, detail=True)["changes"] == [{"address": "hero", "action": "noop", "provider": "studio"}]


def test_everything_that_is_known_of_a_change_is_said() -> None:
    world = World().have("old", entry_of(variant("old", "x"), labels="sha256:other"))
    moved = variant("new", "x", policy={"resolution": "full", "pick": (2,)})
    review = variant("later", "y", policy={"resolution": "full", "pick": "review"})
    plan = world.plan([moved, review, variant("z", "z"), variant("z2", "z")])
    plan = replace(
        plan,
        changes=(replace(plan.changes[0], warnings=("careful",)), *plan.changes[1:]),
        blocked_by=(Blocker(code="x", message="m", force="cost"), Blocker(code="y", message="n")),
        notes=("a note",),
    )
    document = json.loads(json.dumps(plan_document(plan)))
    later, new, _, shared = document["changes"]
    assert (later["later"], later["warnings"]) == ({"amount": "1.40", "currency": "EUR"}, ["careful"])
    assert (new["action"], new["moved_from"], new["picked"], new["also"]) == (
        "buy", "old", [2], ["move", "update", "develop"],
    )  # fmt: skip
    assert shared["leader"] == "z"
    assert document["later"] == [{"amount": "1.40", "currency": "EUR"}]
    assert document["blocked_by"] == [{"code": "x", "message": "m", "force": "cost"}, {"code": "y", "message": "n"}]
    assert (document["notes"], document["lineage"]) == (["a note"], "5" * 32)


def test_the_last_line_is_the_contracts_example() -> None:
    counts = {"create": 12, "redraw": 3, "retry": 1, "buy": 2, "develop": 40, "move": 2, "keep": 1, "noop": 950}
    exact = [Cost(money=eur("0.35"), basis="exact")] * 12
    estimated = [
        Cost(money=Money(amount=Decimal("0.40"), currency="USD"), basis="estimated"),
        Cost(money=Money(amount=Decimal("0.40"), currency="USD"), basis="estimated"),
        Cost(money=eur("0.00"), basis="estimated"),
    ]
    plan = Plan(changes=(), counts=counts, costs=(*exact, *estimated), later=(eur("70.00"),))  # type: ignore[arg-type]  # a literal
    assert summary_line(plan) == (
        "Plan: 12 to create, 3 to redraw, 1 to retry, 2 to buy, 40 to develop, 2 to move, 1 kept, 950 unchanged. "
        "Cost: 4.20 EUR + 0.80 USD (12 exact, 3 estimated, 0 unknown); later, for picks: up to 70.00 EUR."
    )


def test_the_last_line_says_what_is_unknown_and_what_is_nothing() -> None:
    assert summary_line(Plan(changes=(), counts={})) == "Plan: nothing to do."
    unknown = Plan(changes=(), counts={"create": 1}, costs=(UNKNOWN_COST,))
    assert summary_line(unknown) == "Plan: 1 to create. Cost: unknown (0 exact, 0 estimated, 1 unknown)."
    later = Plan(changes=(), counts={"fetch": 1}, later=(eur("1.40"),))
    assert summary_line(later) == "Plan: 1 to fetch. Cost: later, for picks: up to 1.40 EUR."
    assert times(UNKNOWN_COST, 4) == UNKNOWN_COST
    both = replace(later, later_unknown=True)
    assert summary_line(both) == "Plan: 1 to fetch. Cost: later, for picks: up to 1.40 EUR + an unknown price."
    assert summary_line(replace(both, later=())) == "Plan: 1 to fetch. Cost: later, for picks: an unknown price."


def test_an_unknown_price_of_later_purchases_is_not_kept_quiet() -> None:
    policy = {"resolution": "uhd", "pick": "review"}
    assert World().plan([variant(policy=policy, buy_price={})]).later_unknown
    assert not World().plan([variant(policy=policy)]).later_unknown


def test_an_unknown_figure_has_no_amount() -> None:
    plan = World().plan([variant(price=UNKNOWN_COST)])
    assert plan_document(plan)["cost"] == [{"basis": "unknown", "count": 1}]


def test_a_plan_that_only_keeps_is_empty() -> None:
    keep = Change(address="a", action="keep", reason="protected")
    assert Plan(changes=(keep,), counts={"keep": 1}).empty
    assert not Plan(changes=(replace(keep, also=("develop",)),), counts={"keep": 1}).empty
