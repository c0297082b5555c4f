"""The budget through the command line: what is held, what is counted, what a person sees of it."""

import csv
import json
import os
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from imagebatch.pipeline import balances
from imagebatch.state.cost_file import read_costs
from imagebatch.state.costs import settled
from tests.cases.scenes import APPLY, HERO, PLAN, fine, rule, shown, wrong
from tests.cases.world import Ran, Simulated, World

LEDGER = ".imagebatch/ledger.csv"
LOST = {"accept": True, "then": "close"}
_HUB = {"rules": {"dialect": "hub"}}
_ANY = {"rules": {"dialect": "any"}}


@pytest.fixture
def world(tmp_path: Path, simulated: Simulated, request: pytest.FixtureRequest) -> World:
    return World(name=request.node.name, base=tmp_path, simulated=simulated)


def hub(world: World, count: int, *, price: str | None = None, **more: Any) -> World:
    """A project of `count` pictures at the hub, each create 0.034 credit there."""
    told = {"price": {"create": price}} if price is not None else {}
    world.settings["aigne-hub"] = {"max_concurrency": 1, **told}
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage, **more))
    world.assets({f"fox-{number}": fox(number) for number in range(count)})
    return world


def fox(number: int) -> Mapping[str, Any]:
    return {**HERO["aigne-hub"], "prompt": f"fox {number}", "output": f"out/{number}.png"}


def refused(ran: Ran, code: str) -> None:
    assert (ran.code, ran.codes) == (4, frozenset({code})), str(ran)
    assert f"[{code}]" in ran.err


def creates(world: World) -> int:
    return world.asked(op="create")


def test_the_months_budget_is_held_over_several_runs_and_the_plan_says_so(world: World) -> None:
    hub(world, 2, budget={"month": ["0.1 credit"]})
    fine(world)
    world.assets({f"fox-{number}": fox(number) for number in range(3)})
    planned = world.run(*PLAN)
    (blocker,) = planned.lines[0]["blocked_by"]
    assert (planned.code, blocker["code"], blocker["force"]) == (0, "budget.exceeded", "cost")
    assert "0.068 credit are spent" in blocker["message"]
    world.mark()
    refused(world.run(*APPLY), "budget.exceeded")
    assert not world.asked()
    fine(world, *APPLY, "--force", "cost")
    assert creates(world) == 1


def test_what_was_spent_in_another_month_is_not_gone_from_this_one(world: World) -> None:
    hub(world, 1, budget={"month": ["0.05 credit"]})
    fine(world)
    ledger = world.project / LEDGER
    head, line = ledger.read_text("utf-8").splitlines()
    month = line[: len("2026-11")]
    ledger.write_text(f"{head}\n{line.replace(month, '2001-01')}\n", encoding="utf-8")
    world.assets({"fox-1": fox(1)})
    fine(world, *APPLY, "--force", "deletes")


def test_one_run_may_not_spend_more_than_its_budget(world: World) -> None:
    refused(hub(world, 3, budget={"run": "0.1 credit"}).run(*APPLY), "budget.exceeded")
    assert not world.asked()
    fine(world, *APPLY, "--select", "fox-0 fox-1")
    fine(world)  # each run has it anew


def test_a_budget_refuses_what_has_no_known_price(world: World) -> None:
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage, budget={"month": ["5 EUR"]}))
    world.assets({"hero": HERO["all-images"]})
    refused(world.run(*APPLY), "budget.unknown_price")
    fine(world, *APPLY, "--force", "unknown-price")
    notes = world.run(*PLAN).lines[0]["notes"]
    assert any("1 paid step has no known price" in note for note in notes), notes


def test_what_the_provider_charges_above_the_plan_is_gone_for_the_creates_after_it(world: World) -> None:
    """A charge too small to be a surprise still counts: three would have fitted by the plan, and two do."""
    hub(world, 3, price="0.0335 credit", budget={"run": ["0.101 credit"]})
    with wrong(world, [], _HUB, _ANY):
        ran = world.run(*APPLY)
    assert ran.code == 4, str(ran)
    assert sorted(ran.ends.values()) == ["done", "done", "unsent"]
    assert ran.codes == frozenset({"budget.exceeded"})
    assert len(world.billed("create")) == 2
    assert [line.state for line in read_costs(world.project / LEDGER).lines] == ["paid", "billed"] * 2


def test_a_create_that_was_lost_is_sent_again_by_another_run_alone(world: World) -> None:
    hub(world, 1, budget={"run": ["0.05 credit"]})
    with wrong(world, [rule("create", LOST, face="aigne-hub", times=1)]):
        ran = world.run(*APPLY, "--in-doubt", "resend")  # nothing was in doubt when that was said
    assert (ran.code, ran.ends) == (3, {"fox-0": "in_doubt"}), str(ran)
    assert len(world.billed("create")) == 1
    told = fine(world, *APPLY, "--in-doubt", "resend")  # another run, and a budget of its own
    assert told.ends == {"fox-0": "done"}
    (line, again) = settled(read_costs(world.project / LEDGER).lines)
    assert (line.state, again.state) == ("given_up", "paid")


def test_what_the_listing_shows_to_be_absent_was_not_paid_and_may_be_sent_again(world: World) -> None:
    world.settings["all-images"] = {"price": {"create": "1 EUR"}}
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage, budget={"run": "1 EUR"}))
    world.assets({"hero": HERO["all-images"]})
    with wrong(world, [rule("create", {"accept": False, "then": "close"}, times=1)]):
        fine(world)
    assert [line.state for line in read_costs(world.project / LEDGER).lines] == ["in_doubt", "not_paid", "paid"]
    assert "1 EUR for 1 paid step" in world.run("report").out


def test_what_is_sent_again_and_lost_again_is_sent_once(world: World) -> None:
    hub(world, 1)
    with wrong(world, [rule("create", LOST, face="aigne-hub", times=2)]):
        assert world.run(*APPLY).ends == {"fox-0": "in_doubt"}
        ran = world.run(*APPLY, "--in-doubt", "resend")
    assert (ran.code, ran.ends) == (3, {"fox-0": "in_doubt"}), str(ran)
    assert creates(world) == 2


# --- the balance ------------------------------------------------------------------------------------------------------


def test_a_plan_that_the_balance_cannot_pay_is_refused_before_anything_is_sent(world: World) -> None:
    hub(world, 3, price="0.6 credit")
    with wrong(world, [], {"rules": {"hub_credits": 1}}, {"rules": {"hub_credits": 10_000_000}}):
        ran = world.run(*APPLY)
        refused(ran, "budget.balance")
        assert "costs 1.8 credit by the plan, and the account has 1.0 credit left" in ran.err
        assert creates(world) == 0
        assert not world.lock.exists()
        fine(world, *APPLY, "--select", "fox-0")
        fine(world, *APPLY, "--force", "cost")  # in truth they are cheaper
    assert creates(world) == 3


def test_a_purchase_is_held_against_what_is_left_for_pictures(world: World) -> None:
    world.settings["all-images"] = {"price": {"create": "0 EUR", "buy": "1 credit"}}
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage))
    world.assets({"hero": {**HERO["all-images"], "resolution": "full"}})
    empty = rule("credit", {"status": 200, "json": {"credits": [{"type": "f_images", "credit": 0}]}})
    with wrong(world, [empty]):
        refused(world.run(*APPLY), "budget.balance")
    assert creates(world) == 0
    fine(world)


@pytest.mark.parametrize(
    "answer", [{"status": 500}, {"status": 404, "json": {}}, {"status": 200, "body": "<html>"}, {"then": "close"}]
)
def test_a_balance_that_cannot_be_read_is_a_warning_and_no_stop(
    world: World, answer: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(balances, "LOOK_S", 1.0)
    hub(world, 1)
    with wrong(world, [rule("quota", answer, face="aigne-hub")]):
        ran = fine(world)
    warnings = [one["message"] for one in ran.of_type("progress") if one["kind"] == "warning"]
    assert ["the balance of aigne-hub cannot be read" in one for one in warnings] == [True], str(ran)


def test_nobody_is_asked_for_a_balance_where_nothing_is_paid_in_its_unit(world: World) -> None:
    world.settings["all-images"] = {"price": {"create": "0.10 EUR"}}
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage))
    world.assets({"hero": HERO["all-images"]})
    fine(world)
    hub(world, 1)
    fine(world, *APPLY, "--force", "deletes")
    before = world.asked(op="quota")
    (world.project / "out/0.png").unlink()
    fine(world)
    # All-Images.ai is asked once, before the create: as a witness of creates, not to see whether the plan fits.
    assert (world.asked(op="credit"), before, world.asked(op="quota")) == (1, 1, 1)


# --- prompts that moderation blocks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("face", ["all-images", "openai"])
def test_prompts_that_are_blocked_one_after_the_other_stop_the_creates(world: World, face: str) -> None:
    world.settings[face] = {"max_concurrency": 1}
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage, brakes={"max_blocked": 2}))
    bad = {f"bad-{number}": {**HERO[face], "prompt": f"{number} [blocked]", "output": f"out/{number}.jpg"}
           for number in range(4)}  # fmt: skip
    world.assets(bad)
    with wrong(world, [shown(status=4, error="refused: content policy violation")] if face == "all-images" else []):
        ran = world.run(*APPLY)
    assert sorted(ran.ends.values()) == ["blocked", "blocked", "unsent", "unsent"], str(ran)
    assert (ran.code, "provider.blocked_streak" in ran.codes) == (3, True)
    assert creates(world) == 2
    assert len([one for one in ran.of_type("progress") if one["kind"] == "warning"]) == 1


def test_a_picture_between_them_breaks_the_row(world: World) -> None:
    world.settings["openai"] = {"max_concurrency": 1}
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage, brakes={"max_blocked": 2}))
    names = ("a [blocked]", "b", "c [blocked]", "d")
    world.assets({name[0]: {**HERO["openai"], "prompt": name, "output": f"out/{name[0]}.jpg"} for name in names})
    ran = world.run(*APPLY)
    assert ran.ends == {"a": "blocked", "b": "done", "c": "blocked", "d": "done"}, str(ran)


# --- the ledger and the report ----------------------------------------------------------------------------------------


def test_report_tells_what_was_paid_by_month_and_run_and_for_a_spreadsheet(world: World) -> None:
    assert "Nothing was paid." in hub(world, 2).run("report").out
    fine(world, *APPLY, "--select", "fox-0")
    fine(world)
    month = settled(read_costs(world.project / LEDGER).lines)[0].time[: len("2026-11")]
    assert "aigne-hub  0.068 credit for 2 paid steps" in world.run("report").out
    assert "aigne-hub  0.034 credit for 1 paid step" in world.run("report", "last").out
    assert "0.068" in world.run("report", "--month", month).out
    assert "Nothing was paid." in world.run("report", "--month", "2001-01").out
    rows = list(csv.DictReader(world.run("report", "--csv").out.splitlines()))
    assert [(row["address"], row["amount"], row["state"]) for row in rows] == [
        ("fox-0", "0.034", "paid"), ("fox-1", "0.034", "paid"),
    ]  # fmt: skip
    (told,) = world.run("report", "--json").lines
    assert (told["format"], len(told["steps"])) == ("imagebatch-report", 2)
    assert world.run("report", "nobody").code == 1
    assert world.run("report", "--month", "November").code == 64
    assert world.run("report", "--csv", "--json").code == 64


def test_what_the_simulator_draws_is_no_money(world: World) -> None:
    world.settings["all-images"] = {"base_url": "simulator", "price": {"create": "1 EUR"}}
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage, budget={"month": ["0.5 EUR"]}))
    world.assets({"hero": HERO["all-images"]})
    fine(world)
    assert not (world.project / LEDGER).exists()


def test_a_ledger_that_was_cut_off_goes_on_in_a_line_of_its_own(world: World) -> None:
    fine(hub(world, 1))
    ledger = world.project / LEDGER
    torn = ledger.read_bytes() + b"2026-11-28T00:00:00Z,r,fox"
    ledger.write_bytes(torn)
    world.assets({f"fox-{number}": fox(number) for number in range(2)})
    fine(world)
    assert ledger.read_bytes().startswith(torn + b"\n")
    told = world.run("report")
    assert "0.068 credit" in told.out
    assert "1 line of .imagebatch/ledger.csv cannot be read" in told.err


def test_a_killed_run_and_the_one_after_it_write_each_paid_step_down_once(world: World) -> None:
    """The kill comes while a create is under way: the provider takes and bills it, and nobody here hears of it."""
    hub(world, 3, budget={"month": ["1 credit"]})
    slow = rule("create", {"accept": True, "delay_s": 1.0}, face="aigne-hub", skip=1, times=1)
    with wrong(world, [slow]):
        process = world.start(*APPLY)
        for _ in range(2000):
            if creates(world) == 2:
                break
            threading.Event().wait(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        ran = world.run(*APPLY)
    lines = read_costs(world.project / LEDGER).lines
    assert [(line.token, line.state) for line in lines] == list(dict.fromkeys((one.token, one.state) for one in lines))
    now = {line.token: line.state for line in settled(lines)}
    billed = {one["token"] for one in world.billed("create")}
    assert billed <= now.keys()
    assert sorted(now.values()) == ["in_doubt", "paid", "paid"], str(ran)
    assert {one["token"] for one in json.loads(world.lock.read_text("utf-8"))["generations"].values()} == now.keys()
