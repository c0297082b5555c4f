"""A doubt that was settled once, here or elsewhere, stays settled: it is not paid again, and not asked about again."""

import shutil
import time
from pathlib import Path

import pytest

from tests.cases.bodies import png
from tests.cases.scenes import APPLY, HERO, fine, rule, wrong
from tests.cases.test_doubts import listed
from tests.cases.world import Simulated, World

RESEND = (*APPLY, "--in-doubt", "resend")
BY_NAME = ("resolve", "hero", "--resend", "-y", "--json")


def doubted(tmp_path: Path, simulated: Simulated, name: str = "") -> World:
    """A project whose hero was drawn by a provider that keeps nothing, and whose answer was lost."""
    world = World(name=f"{tmp_path.name}{name}", base=tmp_path / name, simulated=simulated)
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage))
    world.assets({"hero": HERO["openai"]})
    lost = rule("create", {"accept": True, "then": "close"}, face="openai", match={"prompt": "a fox"}, times=1)
    with wrong(world, [lost]):
        assert world.run(*APPLY).code == 3
    return world


def killed(world: World, *arguments: str) -> None:
    """A run that is killed once what it sends was taken, before the answer."""
    before = len(world.billed("create"))
    hang = rule("create", {"accept": True, "then": "hang"}, face="openai", match={"prompt": "a fox"})
    world.simulated.script([hang])
    process = world.start(*arguments)
    try:
        while len(world.billed("create")) == before:
            assert process.poll() is None, "the run ended before it sent anything"
            time.sleep(0.05)
    finally:
        process.kill()
        process.communicate()
        world.simulated.forget()


@pytest.mark.parametrize("again", [RESEND, BY_NAME], ids=["apply", "resolve"])
def test_what_a_killed_run_sent_again_is_given_up_with_the_rest(
    again: tuple[str, ...], tmp_path: Path, simulated: Simulated
) -> None:
    world = doubted(tmp_path, simulated)
    killed(world, *again)
    assert [one["attempt"] for one in listed(world)] == [2], "the first was given up when the second left"
    assert fine(world, *again).ends == {"hero": "done"}
    assert (len(world.billed("create")), world.entries()["hero"]["attempt"]) == (3, 3)
    assert not listed(world)
    for command in (RESEND, APPLY, BY_NAME):
        assert world.run(*command).code == 0
    assert (len(world.billed("create")), world.entries()["hero"]["attempt"]) == (3, 3), "a good picture was paid again"


def test_a_doubt_is_no_reason_to_draw_over_the_picture_of_a_later_attempt(tmp_path: Path, simulated: Simulated) -> None:
    world = doubted(tmp_path, simulated)
    before = world.lock.read_bytes()
    fine(world, *RESEND)
    world.lock.write_bytes(before)  # git checkout: this lock tells of the first attempt alone, and nobody of its end
    world.mark()
    ran = world.run(*RESEND)
    assert (ran.code, ran.lines[-1]["in_doubt"], len(world.billed())) == (3, 1, 0), str(ran)
    assert [one["attempt"] for one in listed(world)] == [1]
    fine(world, "resolve", "hero", "--abandon")
    fine(world, *APPLY)
    assert (world.entries()["hero"]["attempt"], len(world.billed())) == (2, 0)


def test_nobody_sends_again_what_was_answered_by_a_later_attempt(tmp_path: Path, simulated: Simulated) -> None:
    world = doubted(tmp_path, simulated)
    before = world.lock.read_bytes()
    fine(world, *RESEND)
    world.lock.write_bytes(before)
    world.mark()
    refused = world.run(*BY_NAME)
    assert (refused.code, "resolve.drawn_since" in refused.codes, len(world.billed())) == (4, True, 0), str(refused)
    (change,) = fine(world, "plan", "--json").lines[0]["changes"]
    assert "attempt 2 was drawn since" in change["reason"]
    fine(world, "resolve", "hero", "--abandon")
    fine(world, *APPLY)
    assert (world.entries()["hero"]["attempt"], len(world.billed())) == (2, 0)


def test_a_person_who_names_a_doubtful_redraw_has_it_drawn_all_the_same(tmp_path: Path, simulated: Simulated) -> None:
    world = World(name=tmp_path.name, base=tmp_path, simulated=simulated)
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage))
    world.assets({"hero": HERO["openai"]})
    fine(world, *APPLY)
    lost = rule("create", {"accept": True, "then": "close"}, face="openai", match={"prompt": "a fox"}, times=1)
    with wrong(world, [lost]):
        assert world.run("redraw", "hero", "--now", "-y", "--json").code == 3
    world.mark()
    fine(world, *BY_NAME)
    assert (world.entries()["hero"]["attempt"], len(world.billed())) == (3, 1)


def elsewhere(world: World, *settled: str) -> None:
    """Another checkout settles the doubt and applies; this one takes its lock and its outputs over."""
    other = World(name=world.name, base=world.base / "elsewhere", simulated=world.simulated)
    for name in ("imagebatch.yaml", "imagebatch.lock", "manifests/case.yaml"):
        other.write(name, (world.project / name).read_bytes())
    saved = other.write("saved.png", png())
    fine(other, "resolve", "hero", *(str(saved) if word == "FILE" else word for word in settled))
    fine(other, *APPLY)
    assert other.entries()["hero"]["status"] == "succeeded"
    shutil.copytree(other.project / "out", world.project / "out", dirs_exist_ok=True)
    shutil.copy(other.lock, world.lock)


@pytest.mark.parametrize("settled", [("--file", "FILE"), ("--abandon",), ("--resend", "-y", "--json")])
def test_a_doubt_that_another_checkout_settled_is_none_here(
    settled: tuple[str, ...], tmp_path: Path, simulated: Simulated
) -> None:
    world = doubted(tmp_path, simulated)
    before = world.lock.read_bytes()
    elsewhere(world, *settled)
    entry = world.entries()["hero"]
    world.mark()
    if entry["attempt"] == 1:
        assert not listed(world)
        assert not fine(world, "plan", "--json").lines[0]["changes"]
        for command in (APPLY, RESEND, BY_NAME):
            assert world.run(*command).code == 0
    else:  # its token is another, and only here anybody knows whether the first was paid
        assert world.run(*RESEND).code == 3
        ran = fine(world, "resolve", "--list")
        assert "attempt 2 was drawn since" in ran.out
        assert "--resend" not in ran.out
    assert (world.entries()["hero"]["token"], len(world.billed())) == (entry["token"], 0), "it was paid again"
    if entry["attempt"] == 1:
        world.lock.write_bytes(before)
        ran = world.run(*RESEND)
        assert (ran.lines[-1]["in_doubt"], len(world.billed())) == (0, 0), "what the other checkout told was forgotten"


@pytest.mark.parametrize("way", [("--file", "FILE"), ("--abandon",)])
def test_what_an_old_lock_doubts_and_this_machine_knows_is_not_asked_of_a_person(
    way: tuple[str, ...], tmp_path: Path, simulated: Simulated
) -> None:
    world = doubted(tmp_path, simulated)
    old = world.lock.read_bytes()
    fine(world, "resolve", "hero", "--abandon")
    fine(world, *APPLY)
    picture = world.entries()["hero"]["candidates"]
    world.lock.write_bytes(old)
    world.mark()
    assert fine(world, "plan", "--json").lines[0]["changes"][0]["action"] == "adopt"
    assert not listed(world)
    saved = str(world.write("saved.png", png()))
    ran = world.run("resolve", "hero", *(saved if word == "FILE" else word for word in way))
    assert "othing" in ran.out + ran.err, str(ran)
    assert world.run(*BY_NAME).code == 0
    fine(world, *APPLY)
    assert (world.entries()["hero"]["candidates"], len(world.billed())) == (picture, 0)


def test_what_is_wanted_no_more_is_offered_only_what_helps(tmp_path: Path, simulated: Simulated) -> None:
    world = doubted(tmp_path, simulated)
    changed = {"hero": {**HERO["openai"], "prompt": "two foxes"}}
    for assets, words in ((changed, "its request changed"), ({}, "in no manifest any more")):
        world.assets(assets)
        told = fine(world, "resolve", "--list").out
        assert ("--resend" in told, "--abandon" in told, "--file" in told, words in told) == (False, True, True, True)
    refused = world.run("resolve", "hero", "--resend", "-y")
    assert (refused.code, "in no manifest any more" in refused.out + refused.err) == (4, True), str(refused)
    closed = fine(world, "resolve", "hero", "--abandon").out
    assert closed == "Closed 1 attempt; nothing of it is wanted, so nothing is drawn.\n"
    assert not listed(world)


@pytest.mark.parametrize("way", [("--file", "FILE"), ("--abandon",)])
def test_what_a_person_settles_is_told_to_programs_too(
    way: tuple[str, ...], tmp_path: Path, simulated: Simulated
) -> None:
    world = doubted(tmp_path, simulated)
    saved = str(world.write("saved.png", png()))
    (told,) = fine(world, "resolve", "hero", *(saved if word == "FILE" else word for word in way), "--json").lines
    assert (told["type"], told["command"], told["exit_code"]) == ("summary", "resolve", 0)
    (nothing,) = fine(world, "resolve", "hero", "--abandon", "--json").lines
    assert nothing["text"] == "Nothing is in doubt there."
    assert fine(world, "resolve", "--list", "--json").lines == ()


def test_what_two_checkouts_sent_again_is_told_to_be_paid_twice(tmp_path: Path, simulated: Simulated) -> None:
    world = doubted(tmp_path, simulated)
    elsewhere_too = World(name=world.name, base=tmp_path / "too", simulated=simulated)
    for name in ("imagebatch.yaml", "imagebatch.lock", "manifests/case.yaml"):
        elsewhere_too.write(name, (world.project / name).read_bytes())
    for one in (world, elsewhere_too):
        assert one.run(*BY_NAME).code == 0
    assert len(world.billed("create")) == 3
    shutil.copy(elsewhere_too.lock, world.lock)
    (change,) = fine(world, "plan", "--json").lines[0]["changes"]
    assert (change["action"], change["reason_code"]) == ("keep", "edited")
    assert "attempt 2, which another one drew, too: it was paid twice" in change["reason"]
    assert len(world.billed("create")) == 3
