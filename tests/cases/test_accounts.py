"""What was sent to one account is settled there: another account that does not show it proves nothing."""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cases.scenes import APPLY, fine, rule, wrong
from tests.cases.world import KEY_VARIABLES, Simulated, World
from tests.seams.hurried import hurried

HERO = {"prompt": "a fox", "output": "out/hero.jpg"}
# What of an asset has to be asked of a provider.
ASKING: Mapping[str, Mapping[str, Any]] = {"resolution": {"resolution": "full"}, "labels": {"tags": ["new"]}}


def _account(world: World, face: str, **more: Any) -> Mapping[str, Any]:
    """An account of All-Images.ai, told from others by its key."""
    url = world.simulated.process.all_images_url
    key = f"${{{KEY_VARIABLES[face]}}}"
    return {"type": "all-images", "base_url": url, "api_key": key, "consistency_window": "0.2s", **more}


def _killed(tmp_path: Path, simulated: Simulated) -> World:
    """A project with two accounts, whose hero was sent to the first by a run that was killed before the answer."""
    world = World(name=f"{tmp_path.name}", base=tmp_path, simulated=simulated)
    _declare(world, first=_account(world, "all-images"), second=_account(world, "openai"))
    world.assets({"hero": {**HERO, "provider": "first"}})
    simulated.script([rule("create", {"accept": True, "then": "hang"}, match={"prompt": "a fox"})])
    process = world.start(*APPLY)
    try:
        while not world.billed("create"):
            assert process.poll() is None, "the run ended before it sent anything"
            time.sleep(0.05)
    finally:
        process.kill()
        process.communicate()
        simulated.forget()
    world.assets({"hero": {**HERO, "provider": "second"}})
    return world


def _declare(world: World, **providers: Mapping[str, Any]) -> None:
    whole = {"version": 1, "lineage": world.lineage, "providers": providers, "defaults": {"provider": "second"}}
    world.write("imagebatch.yaml", json.dumps(whole, indent=1) + "\n")


def test_it_is_taken_from_the_account_that_was_asked(tmp_path: Path, simulated: Simulated) -> None:
    world = _killed(tmp_path, simulated)
    ran = world.run(*APPLY)
    assert (ran.code, len(world.billed("create"))) == (0, 1), str(ran)
    assert world.entries()["hero"]["status"] == "succeeded"


def test_while_that_account_cannot_be_asked_nothing_is_sent_to_the_other(tmp_path: Path, simulated: Simulated) -> None:
    world = _killed(tmp_path, simulated)
    with wrong(world, [rule("list", {"status": 503})]), hurried():
        ran = world.run(*APPLY)
    assert (ran.code, len(world.billed("create"))) == (3, 1), str(ran)
    assert world.run(*APPLY).code == 0
    assert len(world.billed("create")) == 1


@pytest.mark.parametrize("elsewhere", ["undeclared", "another key"])
def test_where_that_account_is_gone_it_is_in_doubt_until_a_person_settles_it(
    elsewhere: str, tmp_path: Path, simulated: Simulated
) -> None:
    world = _killed(tmp_path, simulated)
    if elsewhere == "undeclared":
        _declare(world, second=_account(world, "openai"))
    else:
        world.assets({"hero": {**HERO, "provider": "first"}})
        moved = world.simulated.process.all_images_url.replace("127.0.0.1", "localhost")
        _declare(world, first={**_account(world, "openai"), "base_url": moved}, second=_account(world, "openai"))
    for _ in range(2):
        ran = world.run(*APPLY)
        assert (ran.code, ran.lines[-1]["in_doubt"], len(world.billed("create"))) == (3, 1, 1), str(ran)
        assert "proves nothing" in ran.out + ran.err, str(ran)
    (doubt,) = fine(world, "resolve", "--list", "--json").lines
    assert doubt["address"] == "hero"
    fine(world, "resolve", "hero", "--resend", "-y", "--json")
    assert len(world.billed("create")) == 2, "a person said so"
    assert world.run(*APPLY).code == 0


def _drawn(tmp_path: Path, simulated: Simulated) -> World:
    """A project with two accounts, whose hero the first has drawn."""
    world = World(name=f"{tmp_path.name}", base=tmp_path, simulated=simulated)
    _declare(world, first=_account(world, "all-images"), second=_account(world, "openai"))
    world.assets({"hero": {**HERO, "provider": "first"}})
    fine(world)
    return world


def _only_at_the_provider(world: World) -> None:
    shutil.rmtree(world.project / ".imagebatch/store")
    shutil.rmtree(world.project / "out")


def test_what_one_account_drew_is_bought_and_fetched_there_when_its_address_moves(
    tmp_path: Path, simulated: Simulated
) -> None:
    world = _drawn(tmp_path, simulated)
    world.assets({"hero": {**HERO, "provider": "second", "tags": ["new"]}})
    fine(world)
    assert world.entries()["hero"]["provider"] == "first"
    assert not fine(world, "plan", "--json").lines[0]["changes"], "a second plan is not empty"
    shutil.rmtree(world.project / ".imagebatch/store")
    (world.project / "out/hero.jpg").unlink()
    assert set(fine(world).ends.values()) == {"done"}
    world.assets({"hero": {**HERO, "provider": "second", "resolution": "full"}})
    (change,) = fine(world, "plan", "--json").lines[0]["changes"]
    assert (change["action"], change["provider"]) == ("buy", "first")
    assert set(fine(world).ends.values()) == {"done"}
    assert [one["operation"] for one in simulated.ledger(world.accounts)] == ["create", "buy"]
    assert len(world.billed("create")) == 1


def test_another_address_that_takes_the_draw_up_asks_the_account_that_drew_it(
    tmp_path: Path, simulated: Simulated
) -> None:
    world = _drawn(tmp_path, simulated)
    world.assets({"other": {**HERO, "output": "out/other.jpg", "provider": "second", "resolution": "full"}})
    fine(world)
    assert (world.entries()["other"]["provider"], len(world.billed("create"))) == ("first", 1)


@pytest.mark.parametrize("asked_by", ["bytes", "resolution", "labels"])
def test_an_alias_counts_as_renamed_once_the_new_one_has_shown_the_picture(
    asked_by: str, tmp_path: Path, simulated: Simulated
) -> None:
    world = _drawn(tmp_path, simulated)
    _declare(world, second=_account(world, "all-images"))
    hero: dict[str, Any] = {**HERO, "provider": "second"}
    world.assets({"hero": hero})
    assert not fine(world, "plan", "--json").lines[0]["changes"], "nothing is to be asked"
    fine(world)
    assert world.entries()["hero"]["provider"] == "first"
    if asked_by == "bytes":
        _only_at_the_provider(world)
    world.assets({"hero": {**hero, **ASKING.get(asked_by, {})}})
    assert set(fine(world).ends.values()) == {"done"}
    assert (world.entries()["hero"]["provider"], len(world.billed("create"))) == ("second", 1)
    assert not fine(world, "plan", "--json").lines[0]["changes"], "a second plan is not empty"


@pytest.mark.parametrize("same", [True, False], ids=["renamed", "a stranger"])
def test_what_is_replaced_is_deleted_under_the_new_name_where_that_shows_it(
    tmp_path: Path, simulated: Simulated, *, same: bool
) -> None:
    world = _drawn(tmp_path, simulated)
    generation = world.entries()["hero"]["generation"]
    _declare(world, second=_account(world, "all-images" if same else "openai"))
    world.assets({"hero": {**HERO, "prompt": "two", "provider": "second", "on_replace": "delete"}})
    ran = world.run(*APPLY)
    assert (ran.code, world.asked("all-images", "delete")) == ((0, 1) if same else (3, 0)), str(ran)
    fine(world)
    assert [one["generation"] for one in world.entries()["hero"]["earlier"]] == [generation]
    assert len(world.billed("create")) == 2, "what was drawn in its place is in the lock"
    if not same:
        _back_at_its_own(world)
        _only_at_the_provider(world)
        assert set(fine(world).ends.values()) == {"done"}, "it was never written off"
        assert len(world.billed("create")) == 2


def _moved_to_a_stranger(world: World, first: str, **more: Any) -> None:
    """The account that drew the hero is `first` ("undeclared", "another type"); the hero wants one that never did."""
    second = _account(world, "openai")
    url = world.simulated.process.openai_url
    other = {"type": "openai", "base_url": url, "api_key": f"${{{KEY_VARIABLES['openai']}}}"}
    _declare(world, second=second, **({"first": other} if first == "another type" else {}))
    world.assets({"hero": {**HERO, "provider": "second", **more}})


def _back_at_its_own(world: World) -> None:
    _declare(world, first=_account(world, "all-images"), second=_account(world, "openai"))
    world.assets({"hero": {**HERO, "provider": "first"}})


@pytest.mark.parametrize("first", ["undeclared", "another type"])
@pytest.mark.parametrize("wanted", ["nothing", "bytes", "resolution", "labels", "an earlier one"])
def test_an_account_that_never_had_a_picture_writes_nothing_off(
    wanted: str, first: str, tmp_path: Path, simulated: Simulated
) -> None:
    world = _drawn(tmp_path, simulated)
    if wanted == "an earlier one":
        world.assets({"hero": {**HERO, "prompt": "two", "provider": "first"}})
        fine(world)
    drawn = len(world.billed("create"))
    if wanted in {"bytes", "an earlier one"}:
        _only_at_the_provider(world)
    _moved_to_a_stranger(world, first, **ASKING.get(wanted, {}))
    fails = wanted not in {"nothing", "labels"}
    for _ in range(2):
        ran = world.run(*APPLY)
        assert ran.code == (3 if fails else 0), str(ran)
        assert not fails or "provider.unknown" in ran.codes, str(ran)
        told = "of type openai" if first == "another type" else "no longer declares"
        assert not fails or told in ran.out + ran.err, str(ran)
        assert "imagebatch retry" not in ran.out + ran.err, "it would pay for what the first account has"
        assert world.entries()["hero"]["provider"] == "first"
    world.run("retry", "hero", "-y", "--json")
    assert len(world.billed("create")) == drawn, "nothing has failed, so nothing is drawn again"
    _back_at_its_own(world)
    fine(world)
    _only_at_the_provider(world)
    assert set(fine(world).ends.values()) == {"done"}, "it is at the first account all the time"
    assert len(world.billed("create")) == drawn
    assert not simulated.ledger(world.accounts)[drawn:], "nothing was bought"


def test_where_nothing_is_ever_asked_a_new_name_is_written_down_at_once(tmp_path: Path, simulated: Simulated) -> None:
    world = World(name=f"{tmp_path.name}", base=tmp_path, simulated=simulated)
    url = world.simulated.process.openai_url
    account = {"type": "openai", "base_url": url, "api_key": f"${{{KEY_VARIABLES['openai']}}}"}
    hero = {"prompt": "a fox", "output": "out/hero.png", "params": {"model": "gpt-image-2", "size": "1024x1024"}}
    _declare(world, old=account, second=account)
    world.assets({"hero": {**hero, "provider": "old"}})
    fine(world)
    _declare(world, second=account)
    world.assets({"hero": {**hero, "provider": "second"}})
    (change,) = fine(world, "plan", "--json").lines[0]["changes"]
    assert (change["action"], change["reason"]) == ("update", "provider old is now second")
    fine(world)
    assert (world.entries()["hero"]["provider"], len(world.billed("create"))) == ("second", 1)
    assert not fine(world, "plan", "--json").lines[0]["changes"], "a second plan is not empty"


def test_a_failed_generation_is_not_started_again_at_an_account_that_never_had_it(
    tmp_path: Path, simulated: Simulated
) -> None:
    world = World(name=f"{tmp_path.name}", base=tmp_path, simulated=simulated)
    _declare(world, first=_account(world, "all-images"), second=_account(world, "openai"))
    failing = {**HERO, "prompt": "a fox [fail once]"}
    world.assets({"hero": {**failing, "provider": "first"}})
    assert world.run(*APPLY).code == 3
    world.assets({"hero": {**failing, "provider": "second"}})
    assert world.run(*APPLY).code == 3
    assert (world.entries()["hero"]["provider"], world.asked("all-images", "retry")) == ("second", 0)
    assert set(fine(world).ends.values()) == {"done"}, "there it is its own, and is started again under its id"


def test_what_is_being_drawn_at_an_alias_that_is_gone_is_not_written_off(tmp_path: Path, simulated: Simulated) -> None:
    world = World(name=f"{tmp_path.name}", base=tmp_path, simulated=simulated)
    both = {"first": _account(world, "all-images"), "second": _account(world, "openai")}
    _declare(world, **both)
    world.assets({"hero": {**HERO, "provider": "first"}})
    world.run(*APPLY, "--no-wait")
    assert world.entries()["hero"]["status"] == "pending"
    _declare(world, second=both["second"])
    world.assets({"hero": {**HERO, "provider": "second"}})
    for _ in range(2):
        ran = world.run(*APPLY)
        assert (ran.code, "provider.unknown" in ran.codes, len(world.billed("create"))) == (3, True, 1), str(ran)
        assert (world.entries()["hero"]["status"], world.entries()["hero"]["provider"]) == ("pending", "first")
    _declare(world, **both)
    assert set(fine(world).ends.values()) == {"done"}
    assert len(world.billed("create")) == 1


NOT_FOUND = {"status": 404, "json": {"message": "no such generation"}}


def test_what_is_there_again_after_a_404_is_told_as_fetched(tmp_path: Path, simulated: Simulated) -> None:
    world = _drawn(tmp_path, simulated)
    _only_at_the_provider(world)
    with wrong(world, [rule("poll", NOT_FOUND)]):
        assert world.run(*APPLY).code == 3
    ran = fine(world)
    assert (ran.ends["hero"], ran.lines[-1]["fetched"], ran.lines[-1]["failed"]) == ("done", 1, 0), str(ran)
    assert (world.project / "out/hero.jpg").exists()
    assert len(world.billed("create")) == 1


@pytest.mark.parametrize("in_lock", [True, False], ids=["an earlier one", "not in the lock"])
def test_one_404_about_a_draw_from_before_does_not_write_it_off(
    in_lock: bool, tmp_path: Path, simulated: Simulated
) -> None:
    world = _drawn(tmp_path, simulated)
    generation = world.entries()["hero"]["generation"]
    other = {**HERO, "output": "out/other.jpg", "prompt": "two", "provider": "first"}
    world.assets({"hero" if in_lock else "other": other})
    fine(world, *APPLY, "--force", "deletes")
    assert len(world.entries()) == 1
    _only_at_the_provider(world)
    world.assets({"hero": {**HERO, "provider": "first"}, **({} if in_lock else {"other": other})})
    with wrong(world, [rule("poll", NOT_FOUND, match={"id": generation})]):
        for _ in range(2):
            ran = world.run(*APPLY)
            assert (ran.code, ran.ends["hero"]) == (3, "failed"), str(ran)
    ran = fine(world)
    assert (ran.ends["hero"], world.entries()["hero"]["generation"]) == ("done", generation), str(ran)
    assert (world.project / "out/hero.jpg").exists()
    assert len(world.billed("create")) == 2
    assert not fine(world, "plan", "--json").lines[0]["changes"], "a second plan is not empty"


def _priced(world: World, first: str | None) -> None:
    """Both accounts sell pictures: the first for `first`, where its price is known, the second for next to nothing."""
    dear = {"price": {"create": "0 EUR", "buy": first}} if first is not None else {}
    cheap = {"price": {"create": "0 EUR", "buy": "0.01 EUR"}}
    _declare(world, first=_account(world, "all-images", **dear), second=_account(world, "openai", **cheap))


@pytest.mark.parametrize("when", ["drawn", "still being drawn", "drawn for another address"])
def test_a_purchase_has_the_price_of_the_account_that_sells(when: str, tmp_path: Path, simulated: Simulated) -> None:
    world = World(name=f"{tmp_path.name}", base=tmp_path, simulated=simulated)
    _priced(world, "5 EUR")
    world.assets({"hero": {**HERO, "provider": "first"}})
    if when == "still being drawn":
        world.run(*APPLY, "--no-wait")
    else:
        fine(world)
    name = "other" if when == "drawn for another address" else "hero"
    world.assets({name: {**HERO, "provider": "second", "resolution": "full"}})
    _priced(world, None)
    unknown = world.run(*APPLY, "--max-cost", "1 EUR")
    assert (unknown.code, "budget.unknown_price" in unknown.codes) == (4, True), str(unknown)
    assert "first: {price: {buy:" in unknown.out + unknown.err, str(unknown)
    _priced(world, "5 EUR")
    plan = fine(world, "plan", "--json").lines[0]
    (figure,) = [one for one in plan["cost"] if one["amount"] != "0"]
    assert (figure["amount"], figure["currency"]) == ("5", "EUR")
    refused = world.run(*APPLY, "--max-cost", "1 EUR")
    assert (refused.code, "budget.exceeded" in refused.codes) == (4, True), str(refused)
    assert [one["operation"] for one in simulated.ledger(world.accounts)] == ["create"]
    ran = fine(world, *APPLY, "--max-cost", "5 EUR")
    assert ran.lines[-1]["cost"] == [{"amount": "5", "currency": "EUR"}], str(ran)
    entry = world.entries()[name]
    assert entry["provider"] == "first"
    assert "5 EUR" in entry["cost"]
    booked = (world.project / ".imagebatch/ledger.csv").read_text("utf-8").splitlines()
    assert [line for line in booked if ",buy," in line and ",first,5,EUR," in line], booked
    assert [one["operation"] for one in simulated.ledger(world.accounts)] == ["create", "buy"]
