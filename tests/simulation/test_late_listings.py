"""A listing that shows a create only after the window: where the balance tells, it is in doubt, and not paid again.

What is lost is an answer; a run that dies takes its reading of the balance with it (`docs/reliability.md`).
"""

import pytest

from imagebatch.model.event import Doubted
from tests.simulation.checking import wrong
from tests.simulation.disk import POLICIES, Policy
from tests.simulation.disturbing import WINDOW_S, reference, started
from tests.simulation.network import Losses, committed
from tests.simulation.running import apply
from tests.simulation.scenarios import SCENARIOS, Scenario, loaded
from tests.simulation.world import World

LISTABLE = tuple(one for one in SCENARIOS if one.kind == "listable" and not one.cloned)
LAGS_S = (WINDOW_S + 0.5, 20.0, float("inf"))
LOSSES = ("lost_before", "lost_after", "errors_after")


def late(scenario: Scenario, number: int, loss: str, lag_s: float) -> World:
    """A world in which one paid request of the next run is lost, and the listing shows nothing of it in time."""
    world = started(scenario, seed=number)
    world.providers.ways.list_lag_s = lag_s
    world.network.losses = Losses(**{loss: frozenset({number})})
    return world


@pytest.mark.parametrize("lag_s", LAGS_S)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("scenario", LISTABLE, ids=lambda scenario: scenario.name)
def test_what_is_listed_after_the_window_is_not_paid_again_where_the_balance_fell(
    scenario: Scenario, loss: str, lag_s: float
) -> None:
    doubts = 0
    for number in range(1, reference(scenario).paid_calls + 1):
        world = late(scenario, number, loss, lag_s)
        with world.installed():
            doubts += apply(world, loaded(scenario.now)).code == 3
            apply(world, loaded(scenario.now))
            assert max(world.providers.billed().values()) == 1
            world.providers.ways.list_lag_s = 0.0
            assert [apply(world, loaded(scenario.now)).code for _ in range(2)] == [0, 0]
        assert wrong(world, reference(scenario), scenario.kind) == []
    assert (doubts > 0) == (loss != "lost_before")


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("scenario", LISTABLE, ids=lambda scenario: scenario.name)
def test_a_doubt_that_the_balance_raised_outlives_every_death(scenario: Scenario, policy: Policy) -> None:
    raised = 0
    for number in range(1, reference(scenario).paid_calls + 1):
        world = late(scenario, number, "lost_after", float("inf"))
        world.watched = frozenset(range(1, 2 * reference(scenario).effects))
        with world.installed():
            apply(world, loaded(scenario.now))
        for copy in world.copies.values():
            if not _disputed(copy):
                continue  # the first reading of the balance died with the run
            raised += 1
            copy.reboot(policy)
            with copy.installed():
                for _ in range(2):
                    apply(copy, loaded(scenario.now))
                assert max(copy.providers.billed().values()) == 1, f"{number}: killed before {copy.died_at}"
                copy.providers.ways.list_lag_s = 0.0
                assert [apply(copy, loaded(scenario.now)).code for _ in range(2)] == [0, 0]
            assert wrong(copy, reference(scenario), scenario.kind) == []
    assert raised


def _disputed(world: World) -> bool:
    """Whether it is on disk that two witnesses disagree."""
    return any(isinstance(event, Doubted) and event.disputed for event in committed(world.databases))
