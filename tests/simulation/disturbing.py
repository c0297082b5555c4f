"""One disturbance after the other: where a run dies, what the disk keeps, what the network loses, how time goes by.

A disturbance is a number. It chooses the scenario, the effect before which the run dies, what of the disk survives, the
latencies; what is left to chance follows from it too. So `disturbed(number)` is the same today and tomorrow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random

from tests.simulation.checking import Undisturbed, doubts, undisturbed, wrong
from tests.simulation.disk import POLICIES, Policy
from tests.simulation.network import LATENCIES, Losses
from tests.simulation.running import Ran, apply
from tests.simulation.scenarios import PROJECT, SCENARIOS, Scenario, loaded
from tests.simulation.world import HOME, World

MOST_APPLIES = 3
WINDOW_S = 3.0
_TIMES = tuple(LATENCIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """What is done to one world."""

    number: int
    scenario: Scenario
    crash_at: int
    policy: Policy
    second_crash_at: int | None
    second_policy: Policy
    latency: str
    losses: Losses
    list_lag_s: float

    def __str__(self) -> str:
        second = f", again at {self.second_crash_at} ({self.second_policy})" if self.second_crash_at else ""
        return (
            f"disturbance {self.number}: {self.scenario.name}, dies at effect {self.crash_at}{second}, {self.policy}, "
            f"{self.latency}, {self.losses}, listing late by {self.list_lag_s:.1f} s"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of a disturbance."""

    disturbance: Disturbance
    died_at: str
    applies: tuple[Ran, ...]
    wrong: tuple[str, ...]
    doubts: int
    double_pays: int

    def __str__(self) -> str:
        runs = "; ".join(f"exit {ran.code} {ran.error}" for ran in self.applies)
        return "\n    ".join([f"{self.disturbance}\n    before {self.died_at}; {runs}", *self.wrong])


@cache
def reference(scenario: Scenario) -> Undisturbed:
    """What a scenario comes to when nobody disturbs it."""
    world = started(scenario, seed=0)
    with world.installed():
        ran = apply(world, loaded(scenario.now))
        assert ran.code == 0, ran
        effects = world.effects
        assert apply(world, loaded(scenario.now)).planned == 0
    return undisturbed(world, effects)


@cache
def _before(scenario: Scenario) -> World:
    world = World(0)
    world.disk.put(f"{HOME}/imagebatch.yaml", PROJECT.encode())
    world.providers.ways.job_s = 0.2
    if scenario.before is not None:
        with world.installed():
            apply(world, loaded(scenario.before))
    return world


def started(scenario: Scenario, seed: int) -> World:
    """A world in which the scenario's run may begin."""
    world = World(seed)
    world.disk.put(f"{HOME}/imagebatch.yaml", PROJECT.encode())
    if scenario.before is not None:
        world.take_over(_before(scenario))
    world.providers.ways.job_s = 0.2
    return world


def disturbance(number: int, scenarios: tuple[Scenario, ...] = SCENARIOS) -> Disturbance:
    """The disturbance with this number: every place of each scenario by every policy, then the same again otherwise."""
    chance = Random(number)  # noqa: S311  # it has to be the same again
    scenario = scenarios[number % len(scenarios)]
    rest = number // len(scenarios)
    places = reference(scenario).effects
    crash_at = rest % places + 1
    policy = POLICIES[rest // places % len(POLICIES)]
    second = chance.randrange(1, places) if chance.random() < 0.4 else None
    paid = frozenset({chance.randrange(1, 4)})
    none: frozenset[int] = frozenset()
    fate = chance.random()
    return Disturbance(
        number=number,
        scenario=scenario,
        crash_at=crash_at,
        policy=policy,
        second_crash_at=second,
        second_policy=chance.choice(POLICIES),
        latency=chance.choice(_TIMES),
        losses=Losses(
            lost_before=paid if fate < 0.08 else none,
            lost_after=paid if 0.08 <= fate < 0.2 else none,
            errors_after=paid if 0.2 <= fate < 0.26 else none,
        ),
        list_lag_s=chance.random() * (WINDOW_S - 0.1) if chance.random() < 0.3 else 0.0,
    )


def disturbed(one: Disturbance, prepare: Callable[[World], None] | None = None) -> Verdict:
    """Let it happen, apply until everything is settled, and look."""
    project = loaded(one.scenario.now)
    world = started(one.scenario, seed=one.number)
    world.network.latency = LATENCIES[one.latency]
    world.network.losses = one.losses
    world.providers.ways.list_lag_s = one.list_lag_s
    if prepare is not None:
        prepare(world)
    runs: list[Ran] = []
    with world.installed():
        for crash_at, policy in ((one.crash_at, one.policy), (one.second_crash_at, one.second_policy)):
            if crash_at is not None:
                runs.append(apply(world, project, crash_at=crash_at))
                if runs[-1].code is not None:
                    break
                world.reboot(policy)
        died_at = world.died_at
        recoveries, settled = 0, False
        while recoveries < MOST_APPLIES + 1 and not settled:
            bills, lock = len(world.providers.bills), world.disk.files("/project").get("imagebatch.lock")
            runs.append(apply(world, project))
            recoveries += 1
            settled = (
                runs[-1].code in {0, 3}
                and len(world.providers.bills) == bills
                and world.disk.files("/project").get("imagebatch.lock") == lock
            )
    found = wrong(world, reference(one.scenario), one.scenario.kind)
    if not settled:
        found.append(f"not settled after {recoveries} applies")
    twice = sum(count - 1 for count in world.providers.billed().values())
    verdict = Verdict(
        disturbance=one, died_at=died_at, applies=tuple(runs), wrong=tuple(found), doubts=len(doubts(world)),
        double_pays=twice,
    )  # fmt: skip
    world.close()
    return verdict
