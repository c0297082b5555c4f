"""The plan for people: symbols, folding, reasons, costs, what stands against it."""

import json
from dataclasses import replace
from decimal import Decimal

import jsonschema
import pytest

from imagebatch.cli.schemas import schema_of
from imagebatch.cli.screen import Paint, broken
from imagebatch.cli.views.markdown import plan_markdown
from imagebatch.cli.views.money_text import cost_text
from imagebatch.cli.views.plan_json import plan_json
from imagebatch.cli.views.plan_text import SYMBOLS, groups, nothing_line, plan_lines
from imagebatch.model.money import UNKNOWN_COST, Cost, Money
from imagebatch.plan.types import ACTIONS, Action, Blocker, Change, Plan
from tests.unit.plan.worlds import BUY, CREATE, World, entry_of, variant

PLAIN = Paint()


def create(address: str, **more: object) -> Change:
    """A change as the planner makes it for something new."""
    made = Change(
        address=address, action="create", reason="new", detail="not in the lock", provider="studio", costs=(CREATE,),
        variant=variant(address),
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]  # fields of a Change, by name


def plan_of(*changes: Change, blocked_by: tuple[Blocker, ...] = ()) -> Plan:
    """A plan with its counts and sums."""
    counts: dict[Action, int] = {action: sum(one.action == action for one in changes) for action in ACTIONS}
    costs = tuple(cost for change in changes for cost in change.costs)
    return Plan(changes=changes, counts=counts, costs=costs, blocked_by=blocked_by)


def text(*changes: Change, **more: object) -> list[str]:
    """The view's lines, without colour."""
    return plan_lines(plan_of(*changes), paint=PLAIN, **more)  # type: ignore[arg-type]  # keywords of plan_lines


def test_three_equal_changes_fold_into_one_line_with_their_number_and_two_addresses() -> None:
    lines = text(*(create(f"hero[season={name}]") for name in ("autumn", "spring", "winter")))
    assert lines == [
        "  +   create  3 × hero[season=autumn] … hero[season=winter]",
        "              new: not in the lock · studio · 3 × 0.04 EUR = 0.12 EUR (exact)",
        "",
        "Plan: 3 to create. Cost: 0.12 EUR (3 exact, 0 estimated, 0 unknown).",
    ]


def test_candidates_that_wait_for_a_pick_and_are_fetched_have_no_output_that_could_be_missing() -> None:
    world, wanted = World(), variant("icon", policy={"pick": "review"})
    world.have("icon", entry_of(wanted, picked=(), outputs=()), stored=False)
    plan = world.plan([wanted])
    assert plan.changes[0].reason == "output_missing"
    assert plan_lines(plan, paint=PLAIN)[:2] == [
        "  <=  fetch   icon",
        "              picture not here: its candidates wait for a pick · studio",
    ]
    assert "picture not here `its candidates wait for a pick`" in plan_markdown(plan)


def test_two_changes_and_those_of_other_assets_or_prices_stay_apart() -> None:
    changes = [create("a[x=1]"), create("a[x=2]"), create("b"), create("a[x=3]", costs=(BUY,))]
    assert [len(group.changes) for group in groups(changes, folded=True)] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "hidden",
    [
        {"action": "delete", "reason": "removed", "variant": None, "costs": ()},
        {"action": "forget", "reason": "removed", "variant": None, "costs": ()},
        {"action": "keep", "reason": "protected", "costs": ()},
        {"costs": (UNKNOWN_COST,)},
        {"variant": variant("a", policy={"protect": True})},
        {"entry": replace(entry_of(variant("a")), held=True)},
        {"also": ("delete",)},
    ],
)
def test_a_fold_never_hides_a_delete_a_protected_variant_or_an_unknown_price(hidden: dict[str, object]) -> None:
    changes = [create(f"a[x={number}]", **hidden) for number in range(5)]
    assert [len(group.changes) for group in groups(changes, folded=True)] == [1] * 5


def test_nothing_folds_when_detail_is_asked_for() -> None:
    changes = [create(f"a[x={number}]") for number in range(5)]
    assert len(groups(changes, folded=False)) == 5


def test_every_action_has_a_symbol_that_stands_with_its_word() -> None:
    for action in ACTIONS:
        line = text(create("a", action=action))[0]
        assert line.split()[:2] == [SYMBOLS[action][0], action]


def test_long_pairs_of_addresses_take_two_lines_of_80_columns() -> None:
    changes = [create(f"product[SKU-{number}-{'x' * 40}]") for number in (1, 2, 3)]
    lines = text(*changes)
    assert lines[0] == f"  +   create  3 × product[SKU-1-{'x' * 40}]"
    assert lines[1] == f"                … product[SKU-3-{'x' * 40}]"


def test_what_stands_against_the_apply_is_named_with_the_flag_that_lifts_it() -> None:
    blockers = (
        Blocker(code="budget.exceeded", message="3.20 EUR is over the limit of 2 EUR.", force="cost"),
        Blocker(
            code="x",
            message="Give the price:\n  price: {create: 1 EUR}\nor --force unknown-price.",
            force="unknown-price",
        ),
    )  # fmt: skip
    lines = plan_lines(plan_of(create("a"), blocked_by=blockers), paint=PLAIN)
    start = lines.index("This would stop the apply:")
    assert lines[start + 1 : start + 5] == [
        "  x 3.20 EUR is over the limit of 2 EUR. Lift it with --force cost.",
        "  x Give the price:",
        "      price: {create: 1 EUR}",
        "    or --force unknown-price.",
    ]


def test_simulated_providers_are_named_in_line_and_note() -> None:
    lines = text(create("a"), simulated=("hub", "studio"))
    assert "studio (simulated)" in lines[1]
    assert "Simulated: studio draws with the built-in simulator; nothing is paid." in lines


def test_foreign_text_in_a_plan_is_escaped() -> None:
    lines = text(create("a", action="keep", reason="failed", detail="rejected: \x1b[2J\n::add-mask::x"))
    assert "\\x1b[2J\\n::add-mask::x" in lines[1]
    assert all(line.isprintable() for line in lines)


def test_warnings_stand_below_their_change() -> None:
    lines = text(create("a", warnings=("one", "two", "three", "four")))
    assert [line.strip() for line in lines if "warning:" in line] == [
        "warning: one", "warning: two", "warning: three", "warning: and 1 more (-v shows them)",
    ]  # fmt: skip


def test_an_empty_plan_says_that_there_is_nothing_to_do() -> None:
    plan = Plan(changes=(), counts={"noop": 20})
    assert nothing_line(plan, paint=PLAIN) == "Nothing to do: 20 variants are as the manifests want."


@pytest.mark.parametrize(
    ("costs", "count", "expected"),
    [
        ((), 1, ""),
        ((CREATE,), 1, "0.04 EUR (exact)"),
        ((CREATE, BUY), 2, "2 × 0.39 EUR = 0.78 EUR (estimated)"),
        ((UNKNOWN_COST,), 1, "price unknown"),
        ((CREATE, UNKNOWN_COST), 1, "0.04 EUR (exact) + price unknown"),
        ((Cost(money=Money(amount=Decimal(0), currency="EUR"), basis="exact"),), 9, "0 EUR (exact)"),
    ],
)
def test_figures_say_how_well_they_are_known(costs: tuple[Cost, ...], count: int, expected: str) -> None:
    assert cost_text(costs, count) == expected


def test_the_json_document_fits_its_schema_and_names_what_is_simulated() -> None:
    document = json.loads(plan_json(plan_of(create("a"), create("b", costs=(UNKNOWN_COST,))), simulated=("studio",)))
    jsonschema.validate(document, schema_of("plan"))
    assert document["simulated"] == ["studio"]
    assert document["changes"][1]["cost"] == [{"basis": "unknown"}]


def test_long_lines_break_between_words_and_keep_their_indent() -> None:
    assert broken("    one two three four", 14) == ["    one two", "    three four"]
    assert broken("\x1b[1mone\x1b[0m two", 7) == ["\x1b[1mone\x1b[0m two"]
    assert broken("x" * 30, 10) == ["x" * 30]
