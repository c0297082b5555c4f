"""One generation that several addresses hold: nobody changes or deletes it under the others."""

from imagebatch.model.generation import Entry, Failure
from imagebatch.model.variant import Variant
from imagebatch.plan.types import Plan
from tests.unit.plan.worlds import World, entry_of, variant


def failed(wanted: Variant) -> Entry:
    failure = Failure(kind="provider", message="")
    return entry_of(wanted, status="failed", failure=failure, candidates=(), picked=(), outputs=())


def in_place(plan: Plan) -> dict[str, bool]:
    return {change.address: change.in_place for change in plan.changes if change.action == "retry"}


def held_by(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {change.address: change.held_by for change in plan.changes if change.held_by}


def test_a_failed_generation_keeps_its_request_while_another_address_wants_it() -> None:
    world = World().have("a", failed(variant("a", "a fox")))
    plan = world.plan([variant("a", "a wolf"), variant("b", "a fox")])
    assert in_place(plan) == {"a": False, "b": True}


def test_of_two_that_share_a_failed_generation_the_one_that_changes_draws_its_own() -> None:
    shared = failed(variant("a", "a fox"))
    world = World().have("a", shared).have("b", shared)
    assert in_place(world.plan([variant("a", "a fox"), variant("b", "a wolf")])) == {"a": True, "b": False}
    assert in_place(world.plan([variant("a", "a lynx"), variant("b", "a wolf")])) == {"a": False, "b": False}


def test_those_that_change_alike_start_their_failed_generation_anew_together() -> None:
    shared = failed(variant("a", "a fox"))
    world = World().have("a", shared).have("b", shared)
    plan = world.plan([variant("a", "a wolf"), variant("b", "a wolf")])
    assert in_place(plan) == {"a": True}
    assert [(change.address, change.action) for change in plan.changes] == [("a", "retry"), ("b", "share")]


def test_one_that_leaves_the_lock_does_not_keep_a_failed_generation_from_another_request() -> None:
    shared = failed(variant("a", "a fox"))
    world = World().have("a", shared).have("b", shared)
    assert in_place(world.plan([variant("a", "a wolf")])) == {"a": True}
    # What is not selected stays as it is, so it counts.
    assert in_place(world.plan([variant("a", "a wolf")], selected=frozenset({"a"}))) == {"a": False}


def test_a_renamed_address_is_not_another_one() -> None:
    world = World().have("a", failed(variant("a", "a fox")))
    plan = world.plan([variant("b", "a fox")])
    assert held_by(plan) == {}
    assert in_place(plan) == {"b": True}


DELETES = {"on_replace": "delete"}


def test_what_replaces_a_generation_knows_who_else_has_it() -> None:
    world = World().have("a", entry_of(variant("a", "a fox"))).have("b", entry_of(variant("a", "a fox")))
    wanted = [variant("a", "a wolf", policy=DELETES), variant("b", "a fox")]
    assert held_by(world.plan(wanted)) == {"a": ("b",)}
    alone = World().have("a", entry_of(variant("a", "a fox")))
    assert held_by(alone.plan(wanted[:1])) == {}
    assert held_by(alone.plan(wanted)) == {"a": ("b",)}  # b adopts it in the same apply


def test_one_that_is_forgotten_in_the_same_apply_holds_nothing() -> None:
    world = World().have("a", entry_of(variant("a", "a fox"))).have("b", entry_of(variant("a", "a fox")))
    assert held_by(world.plan([variant("a", "a wolf", policy=DELETES)])) == {}
    assert held_by(world.plan([variant("a", "a wolf", policy=DELETES)], selected=frozenset({"a"}))) == {"a": ("b",)}
