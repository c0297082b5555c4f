"""One YAML file is one case: what is wanted, what is recorded, and the plan that follows."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from imagebatch.model.generation import Failure
from imagebatch.model.money import parse_money
from imagebatch.model.picks import Pick, Picks
from imagebatch.model.settings import Brakes, Moved, Redo, Threshold
from imagebatch.plan.costs import summary_line
from imagebatch.plan.types import Plan
from tests.unit.plan.worlds import PLACE, World, entry_of, variant

CASES = sorted(Path(__file__).parent.glob("*.yaml"))


def wanted_of(spec: dict[str, Any]) -> Any:
    fields = dict(spec)
    policy = fields.get("policy", {})
    if isinstance(policy.get("pick"), list):
        policy["pick"] = tuple(policy["pick"])
    for name in ("outputs", "tags", "pending_references"):
        if name in fields:
            fields[name] = tuple(fields[name])
    return variant(**fields)


def world_of(case: dict[str, Any]) -> World:
    world = World()
    for address, spec in case.get("recorded", {}).items():
        fields = dict(spec)
        entry_fields = fields.pop("entry", {})
        placed, stored = fields.pop("placed", True), fields.pop("stored", True)
        if "failure" in entry_fields:
            entry_fields["failure"] = Failure(kind=entry_fields["failure"], message="no such luck")
        if entry_fields.get("status", "succeeded") != "succeeded":
            entry_fields |= {"candidates": (), "picked": (), "outputs": ()}
        if "picked" in entry_fields:
            entry_fields["picked"] = tuple(entry_fields["picked"])
        world.have(
            address, entry_of(wanted_of({"address": address, **fields}), **entry_fields), placed=placed, stored=stored
        )
    for path in case.get("edited", []):
        assert path in world.disk.files, f"{path} is not there to be edited"
        world.disk.files[path] = "sha256:by hand"
    world.disk.files.update(dict.fromkeys(case.get("foreign", []), "sha256:foreign"))
    world.picks = Picks(
        picks={address: pick_of(world, address, spec) for address, spec in case.get("picks", {}).items()},
        redo={address: Redo(**spec) for address, spec in case.get("redo", {}).items()},
    )
    return world


def pick_of(world: World, address: str, spec: dict[str, Any]) -> Pick:
    """`candidates` are numbers of the recorded draw, `for` is the prompt of the draw that they are picked for."""
    entry = world.lock.entries[address]
    use = []
    for index in spec["candidates"]:
        facts = entry.candidates[index - 1].facts
        assert facts is not None
        use.append(facts.sha256)
    draw = variant(address, spec["for"]).draw if "for" in spec else entry.draw
    return Pick(for_draw=draw, use=tuple(use), was=spec.get("was", "pick"))


def plan_of(case: dict[str, Any]) -> Plan:
    brakes = case.get("brakes", {})
    options: dict[str, Any] = {
        name: frozenset(value) if isinstance(value, list) else value for name, value in case.get("options", {}).items()
    }
    return world_of(case).plan(
        [wanted_of(spec) for spec in case.get("wanted", [])],
        moved=tuple(Moved(source=line["from"], target=line["to"], place=PLACE) for line in case.get("moved", [])),
        brakes=Brakes(
            max_deletes=Threshold(**brakes.get("max_deletes", {})),
            max_redraws=Threshold(**brakes.get("max_redraws", {})),
            max_cost=tuple(parse_money(text) for text in brakes.get("max_cost", [])),
        ),
        **options,
    )


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_case_gives_the_plan_that_it_says(path: Path) -> None:
    case = yaml.safe_load(path.read_text(encoding="utf-8"))
    plan = plan_of(case)
    shown = {
        change.address: " ".join([change.action, str(change.reason), *(f"+{action}" for action in change.also)])
        for change in plan.changes
    }
    assert shown == case["expect"]
    assert summary_line(plan) == case["summary"]
    assert [blocker.code for blocker in plan.blocked_by] == case.get("blocked_by", [])


def test_there_are_cases() -> None:
    assert len(CASES) >= 20
