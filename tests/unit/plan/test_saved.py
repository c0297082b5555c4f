"""Saved plans: what they hold, and that nothing else than what they hold is ever applied."""

import json
from dataclasses import replace

import pytest

from imagebatch.errors import PlanError, RefusedError
from imagebatch.plan.options import PlanOptions
from imagebatch.plan.saved import NO_LOCK, SavedPlan, check_fresh, check_same, decode_saved, encode_saved
from imagebatch.plan.types import Plan
from tests.unit.plan.worlds import World, entry_of, eur, variant

LINEAGE = "5" * 32


def made(world: World) -> tuple[Plan, SavedPlan]:
    plan = world.plan([variant("a", "x"), variant("b", "y")])
    return plan, decode_saved(encode_saved(plan, lock=NO_LOCK, options=PlanOptions()))


def test_a_saved_plan_is_a_plan_document_with_inputs_and_comes_back_whole() -> None:
    options = PlanOptions(
        selected=frozenset({"a"}),
        forces=frozenset({"deletes", "cost"}),
        redraw=frozenset({"a"}),
        retry=frozenset({"b"}),
        destroy=frozenset({"c"}),
        max_cost=(eur("1.50"),),
        max_creates=3,
        in_doubt="resend",
    )
    plan = World().plan([variant("a", "x")])
    text = encode_saved(plan, lock="sha256:aa", options=options)
    document = json.loads(text)
    assert (document["format"], document["format_version"]) == ("imagebatch-plan", "1.0")
    assert document["inputs"] == {"manifests/a.yaml": "sha256:00"}
    saved = decode_saved(text)
    assert (saved.lineage, saved.lock, saved.options) == (LINEAGE, "sha256:aa", options)
    assert [(step.address, step.action, step.attempt, step.cost) for step in saved.steps] == [
        ("a", "create", 1, ("0.04 EUR",))
    ]
    check_same(saved, plan)


def test_a_plan_without_lineage_is_not_saved_because_it_could_be_applied_twice() -> None:
    with pytest.raises(ValueError, match="lineage"):
        encode_saved(replace(World().plan([]), lineage=None), lock=NO_LOCK, options=PlanOptions())


def test_a_saved_plan_is_refused_once_it_was_applied() -> None:
    world = World()
    plan, saved = made(world)
    check_fresh(saved, lineage=LINEAGE, lock=NO_LOCK, inputs=plan.inputs)
    world.perform(plan)
    with pytest.raises(RefusedError, match="lock has changed") as caught:
        check_fresh(saved, lineage=LINEAGE, lock="sha256:new", inputs=plan.inputs)
    assert (caught.value.code, caught.value.exit_code) == ("plan.stale", 4)
    with pytest.raises(RefusedError, match="a would now be unchanged; the saved plan says create"):
        check_same(saved, world.plan([variant("a", "x"), variant("b", "y")]))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"lineage": "6" * 32}, "lineage differs"),
        ({"lineage": None}, "lineage differs"),
        ({"inputs": {"manifests/a.yaml": "sha256:01"}}, "manifests/a.yaml"),
        ({"inputs": {}}, "manifests/a.yaml"),
        ({"inputs": {"manifests/a.yaml": "sha256:00", **{f"data/{n}.csv": "" for n in range(9)}}}, "and 4 more"),
    ],
)
def test_a_saved_plan_is_refused_where_its_world_changed(change: dict[str, object], says: str) -> None:
    _, saved = made(World())
    world = {"lineage": LINEAGE, "lock": NO_LOCK, "inputs": saved.inputs, **change}
    with pytest.raises(RefusedError, match=says):
        check_fresh(saved, **world)  # type: ignore[arg-type]  # keywords of the function itself


def test_a_draw_that_changed_between_is_stale_even_with_the_same_action() -> None:
    _, saved = made(World())
    with pytest.raises(RefusedError, match="b would now be create; the saved plan says create"):
        check_same(saved, World().plan([variant("a", "x"), variant("b", "other words")]))


def test_an_edit_by_hand_between_is_stale() -> None:
    world = World().have("a", entry_of(variant("a", "x")))
    wanted = [variant("a", "new words")]
    saved = decode_saved(encode_saved(world.plan(wanted), lock="sha256:aa", options=PlanOptions()))
    world.disk.files["outputs/a.jpg"] = "sha256:by hand"
    with pytest.raises(RefusedError, match="a would now be keep; the saved plan says redraw"):
        check_same(saved, world.plan(wanted))


def _broken() -> list[tuple[str, str]]:
    good = json.loads(encode_saved(World().plan([variant()]), lock=NO_LOCK, options=PlanOptions()))
    return [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "does not say"),
        (json.dumps({**good, "format": "other"}), "does not say"),
        (json.dumps({**good, "format_version": "2.0"}), "format version '2.0'"),
        (json.dumps({name: value for name, value in good.items() if name != "steps"}), "output of `plan --json`"),
        (json.dumps({name: value for name, value in good.items() if name != "lock"}), "missing"),
        (json.dumps({**good, "inputs": []}), "wrong kind"),
        (json.dumps({**good, "steps": [1]}), "wrong kind"),
        (json.dumps({**good, "steps": [{**good["steps"][0], "attempt": True}]}), "is no number"),
        (json.dumps({**good, "steps": [{**good["steps"][0], "also": "x"}]}), "is no list"),
        (json.dumps({**good, "lineage": 5}), "is no text"),
        (json.dumps({**good, "options": {"force": ["everything"]}}), "not in tuple"),
        (json.dumps({**good, "options": {"in_doubt": "guess"}}), "not in tuple"),
    ]


@pytest.mark.parametrize(("text", "says"), _broken())
def test_what_is_no_saved_plan_says_so(text: str, says: str) -> None:
    with pytest.raises(PlanError) as caught:
        decode_saved(text, path="plan.json")
    assert says in caught.value.detail
    assert (caught.value.code, caught.value.detail[:10]) == ("plan.unreadable", "plan.json:")
