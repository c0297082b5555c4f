"""Brakes: when they bite, what they say, and what lifts them."""

from dataclasses import replace
from typing import Any

import pytest

from imagebatch.errors import PlanError
from imagebatch.model.generation import Failure
from imagebatch.model.money import UNKNOWN_COST
from imagebatch.model.recorded import KnownDraw
from imagebatch.model.settings import Brakes, Threshold
from imagebatch.plan.types import Plan
from tests.unit.plan.worlds import NO_BRAKES, World, entry_of, eur, variant


def many(count: int, prompt: str = "p") -> list[Any]:
    return [variant(f"x[{index:03}]", f"{prompt} {index}") for index in range(count)]


def world_of(count: int) -> World:
    world = World()
    for wanted in many(count):
        world.have(wanted.address, entry_of(wanted))
    return world


def codes(plan: Plan) -> list[str]:
    return [blocker.code for blocker in plan.blocked_by]


@pytest.mark.parametrize(
    ("recorded", "left", "bites"),
    [(9, 1, False), (10, 7, False), (10, 6, True), (100, 70, False), (100, 69, True)],
)
def test_the_percentage_of_removals_bites_from_ten_variants_on(recorded: int, left: int, *, bites: bool) -> None:
    plan = world_of(recorded).plan(many(recorded)[:left], brakes=Brakes())
    assert codes(plan) == (["delete.too_many"] if bites else [])


def test_the_number_of_removals_bites_always_beside_the_percentage() -> None:
    brakes = Brakes(max_deletes=Threshold(percent=50, count=2))
    plan = world_of(9).plan(many(6), brakes=brakes)
    assert [(b.code, b.force, "allows 2." in b.message) for b in plan.blocked_by] == [
        ("delete.too_many", "deletes", True)
    ]
    assert codes(world_of(9).plan(many(7), brakes=brakes)) == []


def test_an_emptied_manifest_hits_the_brake_and_force_lifts_it() -> None:
    plan = world_of(2).plan([], brakes=Brakes())
    assert codes(plan) == ["delete.too_many"]
    assert "ask for nothing any more" in plan.blocked_by[0].message
    assert codes(world_of(2).plan([], brakes=Brakes(), forces=frozenset({"deletes"}))) == []


def test_what_a_command_names_is_no_surprise() -> None:
    world = world_of(12)
    names = frozenset(wanted.address for wanted in many(12))
    assert codes(world.plan(many(12), brakes=Brakes(), destroy=names)) == []
    assert codes(world.plan(many(12), brakes=Brakes(), redraw=names)) == []
    for draws in [KnownDraw.of_entry(world.lock.entries[name]) for name in names]:
        world.know(replace(draws, failure=Failure(kind="gone", message="")))
    world.known.stored.clear()
    world.disk.files.clear()
    plan = world.plan(many(12), brakes=Brakes(), retry=names)
    assert (plan.counts["redraw"], codes(plan)) == (12, [])


def test_redraws_have_a_brake_of_their_own() -> None:
    plan = world_of(10).plan([*many(6), *many(10, "new")[6:]], brakes=Brakes())
    assert [(b.code, b.force) for b in plan.blocked_by] == [("budget.confirm", "redraws")]
    assert "4 of 10 pictures" in plan.blocked_by[0].message
    lifted = world_of(10).plan([*many(6), *many(10, "new")[6:]], brakes=Brakes(), forces=frozenset({"redraws"}))
    assert codes(lifted) == []


def test_too_many_creates_are_counted_by_parts() -> None:
    wanted = [*many(3), variant("grid", "four of them", parts=4)]
    assert codes(World().plan(wanted, max_creates=7)) == []
    plan = World().plan(wanted, max_creates=6)
    assert [(b.code, b.force) for b in plan.blocked_by] == [("budget.exceeded", None)]
    assert "7 creates; the limit is 6" in plan.blocked_by[0].message
    assert "sends 1 create; the limit is 0" in World().plan(many(1), max_creates=0).blocked_by[0].message


def test_what_is_deferred_or_settled_counts_as_the_create_that_it_may_become() -> None:
    doubtful = entry_of(variant("a"), status="in_doubt", generation=None, candidates=(), picked=(), outputs=())
    world = World().have("a", doubtful)
    plan = world.plan(
        [variant("a"), variant("b", "logo"), variant("c", "with it", pending_references=("b",))], max_creates=2
    )
    assert "3 creates; the limit is 2" in plan.blocked_by[0].message


@pytest.mark.parametrize("provider", ["studio", "hub"])
def test_in_doubt_stop_sends_nothing_that_costs_while_an_earlier_doubt_is_open(provider: str) -> None:
    doubtful = entry_of(
        variant("a", provider=provider), status="in_doubt", generation=None, candidates=(), picked=(), outputs=()
    )
    world = World().have("a", doubtful)
    alone, both = [variant("a", provider=provider)], [variant("a", provider=provider), variant("b", "logo")]
    assert codes(world.plan(both)) == []
    assert codes(world.plan(both, in_doubt="resend")) == []
    plan = world.plan(both, in_doubt="stop")
    assert codes(plan) == ["in_doubt.stop"]
    assert plan.blocked_by[0].message.startswith("In doubt: a; --in-doubt stop sends nothing")
    assert codes(world.plan(alone, in_doubt="stop")) == [], "what is left is to settle it"


def test_an_unknown_price_of_a_purchase_names_only_the_purchase() -> None:
    world = World().have("hero", entry_of(variant()))
    plan = world.plan([variant(policy={"resolution": "full"}, buy_price={})], max_cost=(eur("3"),))
    assert '  studio: {price: {buy: "0.00 EUR"}}' in plan.blocked_by[0].message.splitlines()


def test_many_files_in_the_way_are_named_in_short() -> None:
    world = World()
    world.disk.files = {f"outputs/x-{index:03}.jpg": "sha256:foreign" for index in range(5)}
    assert "and 2 more" in world.plan(many(5)).blocked_by[0].message


def test_a_cost_limit_holds_for_its_own_currency_and_the_command_line_replaces_it() -> None:
    brakes = Brakes(max_cost=(eur("0.10"),))
    plan = World().plan(many(3), brakes=brakes)
    assert "costs 0.12 EUR; the limit is 0.10 EUR" in plan.blocked_by[0].message
    assert (plan.blocked_by[0].code, plan.blocked_by[0].force) == ("budget.exceeded", "cost")
    assert codes(World().plan(many(3), brakes=brakes, max_cost=(eur("0.12"),))) == []
    assert codes(World().plan(many(3), brakes=brakes, forces=frozenset({"cost"}))) == []


def test_an_unknown_price_refuses_only_under_a_limit_and_gives_the_line_to_paste() -> None:
    wanted = [variant(price=UNKNOWN_COST, policy={"resolution": "full"}, buy_price={})]
    assert codes(World().plan(wanted)) == []
    plan = World().plan(wanted, max_cost=(eur("3"),))
    assert [(b.code, b.force) for b in plan.blocked_by] == [("budget.unknown_price", "unknown-price")]
    assert '  studio: {price: {create: "0.00 EUR", buy: "0.00 EUR"}}' in plan.blocked_by[0].message.splitlines()
    assert codes(World().plan(wanted, max_cost=(eur("3"),), forces=frozenset({"unknown-price"}))) == []


def test_more_variants_than_the_limit_are_an_error_of_input() -> None:
    brakes = Brakes(max_variants=3)
    assert World().plan(many(3), brakes=brakes).counts["create"] == 3
    with pytest.raises(PlanError, match="more than 3 variants") as caught:
        World().plan((wanted for wanted in many(4)), brakes=brakes)
    assert (caught.value.code, caught.value.exit_code) == ("plan.too_many", 1)


def test_without_brakes_nothing_stands_against_a_plan() -> None:
    assert codes(world_of(12).plan(many(12, "new"), brakes=NO_BRAKES)) == []
