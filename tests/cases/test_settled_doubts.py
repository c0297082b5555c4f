"""A doubt that was settled once, here or elsewhere, stays settled: it is not paid again, and not asked about again."""

import time
from pathlib import Path

import pytest

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


def test_a_person_who_names_it_has_it_drawn_all_the_same(tmp_path: Path, simulated: Simulated) -> None:
    world = doubted(tmp_path, simulated)
    before = world.lock.read_bytes()
    fine(world, *RESEND)
    world.lock.write_bytes(before)
    world.mark()
    fine(world, *BY_NAME)
    assert (world.entries()["hero"]["attempt"], len(world.billed())) == (3, 1)
