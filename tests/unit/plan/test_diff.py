"""make_plan over whole worlds: each sentence of the contract's plan that can be said with a few variants."""

from tests.unit.plan.worlds import World, entry_of, variant


def test_what_the_lock_does_not_know_is_created() -> None:
    change = World().one(variant())
    assert (change.action, change.reason, change.attempt, change.costs) == ("create", "new", 1, (variant().price,))


def test_what_is_drawn_and_placed_is_left_alone_and_only_counted() -> None:
    wanted = variant()
    plan = World().have("hero", entry_of(wanted)).plan([wanted])
    assert (plan.changes, plan.counts["noop"], plan.costs, plan.empty) == ((), 1, (), True)
