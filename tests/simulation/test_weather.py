"""What a weather does to a run that nobody else disturbs, and what has to hold when it has gone by."""

import pytest

from tests.simulation.checking import entries, lock_of
from tests.simulation.disturbing import started
from tests.simulation.running import apply
from tests.simulation.scenarios import SCENARIOS, loaded
from tests.simulation.weather import CALM, WEATHERS, Weather
from tests.simulation.world import HOME

_THREE = """\
assets:
  mug: {prompt: a mug, provider: hub, params: {model: openai/flux-2, n: 3, output_format: jpeg}}
"""
_BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


@pytest.mark.parametrize("name", WEATHERS)
def test_a_weather_that_has_gone_by_leaves_nothing_undone(name: str) -> None:
    for scenario in SCENARIOS:
        for seed in range(3):
            world = started(scenario, seed=seed)
            world.providers.ways.weather = WEATHERS[name]
            with world.installed():
                apply(world, loaded(scenario.now))
                world.providers.ways.weather = CALM
                codes = [apply(world, loaded(scenario.now)).code for _ in range(3)]
            doubted = scenario.kind != "listable" and any(one.status == "in_doubt" for one in entries(world).values())
            assert codes[-1] == (3 if doubted else scenario.code), f"{scenario.name}, {seed}: {codes}"
            assert max(world.providers.billed().values(), default=1) == 1


@pytest.mark.parametrize("name", ["one at the hub", "one that nobody can tell of"])
def test_what_was_refused_and_then_paid_and_lost_is_in_doubt_in_the_lock(name: str) -> None:
    scenario = _BY_NAME[name]
    world = started(scenario, seed=1)
    world.providers.ways.weather = Weather(picky=1.0)
    with world.installed():
        assert apply(world, loaded(scenario.now)).code == 3
        world.providers.ways.weather = CALM
        world.watched = frozenset(range(1, 100))
        assert apply(world, loaded(scenario.now)).code == 0
    assert len(world.copies) > 20
    ends = set()
    for copy in world.copies.values():
        copy.reboot("as it is")
        with copy.installed():
            apply(copy, loaded(scenario.now))
        (entry,) = entries(copy).values()
        assert entry.status in {"succeeded", "in_doubt"}, f"killed before {copy.died_at}: {entry}"
        assert max(copy.providers.billed().values(), default=1) == 1
        ends.add(entry.status)
    assert ends == {"succeeded", "in_doubt"}


@pytest.mark.parametrize("manifest", [_BY_NAME["one that nobody can tell of"].now, _THREE], ids=["one", "three parts"])
@pytest.mark.parametrize("seed", range(1, 4))
def test_a_lock_from_before_what_was_refused_was_paid_pays_nothing_again(manifest: str, seed: int) -> None:
    """A revert takes it back, and so does a run that stood still when it was about to write it."""
    world = started(_BY_NAME["one"], seed=seed)
    project = loaded(manifest)
    world.providers.ways.weather = Weather(picky=1.0 if manifest != _THREE else 0.5)
    with world.installed():
        assert apply(world, project).code == 3
        refused = lock_of(world)
        world.providers.ways.weather = CALM
        assert apply(world, project).code == 0
        bills = list(world.providers.bills)
        world.disk.put(f"{HOME}/imagebatch.lock", refused)
        assert apply(world, project).code == 0
    assert world.providers.bills == bills
    assert [one.status for one in entries(world).values()] == ["succeeded"]
