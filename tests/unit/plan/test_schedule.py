"""The order of work."""

from imagebatch.model.variant import Reference
from imagebatch.plan.schedule import schedule
from tests.unit.plan.worlds import World, entry_of, variant


def test_moves_come_first_and_removals_last() -> None:
    world = World().have("old", entry_of(variant("old", "x"))).have("gone", entry_of(variant("gone", "y")))
    plan = world.plan([variant("new", "x"), variant("fresh", "z")])
    waves = schedule(plan)
    assert [(wave.name, [step.change.address for step in wave.steps]) for wave in waves] == [
        ("move", ["new"]),
        ("draw", ["fresh"]),
        ("remove", ["gone"]),
    ]


def test_what_others_share_or_refer_to_is_drawn_first() -> None:
    logo = variant("z-logo", "logo")
    product = variant("a-product", "product", references=(Reference(source="asset:z-logo", sha256=None),))
    plan = World().plan([logo, product, variant("b"), variant("c"), variant("m", "other")])
    (wave,) = schedule(plan)
    assert [(step.change.address, step.after) for step in wave.steps] == [
        ("b", ()),
        ("z-logo", ()),
        ("m", ()),
        ("c", ("b",)),
    ]
    assert (plan.changes[0].address, plan.changes[0].action) == ("a-product", "defer")


def test_another_pick_of_a_reference_defers_what_depends_on_it() -> None:
    logo = variant("logo", policy={"pick": (1, 2)})
    product = variant("product", "p", references=(Reference(source="asset:logo", sha256="sha256:old"),))
    world = World().have("logo", entry_of(logo)).have("product", entry_of(product))
    plan = world.plan([variant("logo", policy={"pick": (2,)}), product])
    assert [(change.address, change.action, change.costs) for change in plan.changes] == [
        ("logo", "develop", ()),
        ("product", "defer", (product.price,)),
    ]


def test_a_renamed_variant_that_is_deferred_takes_its_files_along() -> None:
    link = (Reference(source="asset:logo", sha256="sha256:old"),)
    world = World().have("old", entry_of(variant("old", "p", references=link)))
    plan = world.plan([variant("logo"), variant("new", "p", references=link)])
    deferred = plan.changes[1]
    assert (deferred.address, deferred.action, deferred.moved_from, deferred.also) == ("new", "defer", "old", ("move",))


def test_nothing_to_do_is_no_work() -> None:
    assert schedule(World().have("hero", entry_of(variant())).plan([variant()])) == ()


def test_a_change_of_a_reference_defers_what_depends_on_it_however_long_the_chain() -> None:
    def linked(address: str, source: str) -> object:
        return variant(address, address, references=(Reference(source=f"asset:{source}", sha256="sha256:old"),))

    b, c = linked("b", "a"), linked("c", "b")
    world = World().have("a", entry_of(variant("a", "before")))
    world.have("b", entry_of(b)).have("c", entry_of(c))  # type: ignore[arg-type]  # both are variants
    still = world.plan([variant("a", "before"), b, c])  # type: ignore[list-item]  # likewise
    assert still.changes == ()
    plan = world.plan([variant("a", "after"), b, c])  # type: ignore[list-item]  # likewise
    assert [(change.address, change.action) for change in plan.changes] == [
        ("a", "redraw"),
        ("b", "defer"),
        ("c", "defer"),
    ]
    assert plan.counts["noop"] == 0
    assert plan.changes[1].entry is not None
    selected = world.plan([variant("a", "after"), b, c], selected=frozenset({"a"}))  # type: ignore[list-item]  # likewise
    assert [(change.address, change.action) for change in selected.changes] == [("a", "redraw")]
