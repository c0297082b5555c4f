"""One disturbance after the other: where a run dies, what the disk keeps, what the network loses, how time goes by.

A disturbance is a number. It chooses the scenario, the effect before which the run dies, what of the disk survives, the
latencies; what is left to chance follows from it too. So `disturbed(number)` is the same today and tomorrow.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random

from imagebatch.errors import ImagebatchError
from imagebatch.pipeline.project import Project
from imagebatch.state.lease import read_owner, release_lease
from imagebatch.state.store import FOLDER
from tests.simulation.checking import Undisturbed, doubts, undisturbed, wrong
from tests.simulation.disk import POLICIES, Policy
from tests.simulation.network import LATENCIES, Losses
from tests.simulation.running import Ran, apply
from tests.simulation.scenarios import PROJECT, ROTATION, Scenario, loaded
from tests.simulation.world import HOME, World

MOST_APPLIES = 3
WINDOW_S = 3.0
JOB_S = 0.05
SLOW_JOB_S = 80.0  # longer than the deadline of the scenarios' provider
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
    job_s: float = JOB_S
    robbed: bool = False
    """Not a crash: the run is stopped there, another one takes its lease and does everything, and then it goes on."""

    @property
    def alone(self) -> bool:
        """Whether it is one `kill -9` and nothing else: the disk goes on, nothing is lost, no lease is broken."""
        return (
            self.policy == "as it is" and self.second_crash_at is None and self.losses == Losses() and not self.robbed
        )

    def __str__(self) -> str:
        second = f", again at {self.second_crash_at} ({self.second_policy})" if self.second_crash_at else ""
        dies = "loses its lease" if self.robbed else "dies"
        return (
            f"disturbance {self.number}: {self.scenario.name}, {dies} at effect {self.crash_at}{second}, "
            f"{self.policy}, {self.latency}, {self.losses}, jobs of {self.job_s:.1f} s, listing late by "
            f"{self.list_lag_s:.1f} s"
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
    world.providers.ways.job_s = JOB_S
    if scenario.before is not None:
        with world.installed():
            apply(world, loaded(scenario.before))
    return world


def started(scenario: Scenario, seed: int) -> World:
    """A world in which the scenario's run may begin."""
    world = World(seed)
    world.disk.put(f"{HOME}/imagebatch.yaml", PROJECT.encode())
    world.disk.put("/tmp/of-somebody-else", b"")  # a name in memory
    if scenario.before is not None:
        world.take_over(_before(scenario))
    world.providers.ways.job_s = JOB_S
    return world


def disturbance(number: int, scenarios: tuple[Scenario, ...] = ROTATION) -> Disturbance:
    """The disturbance with this number: every place of each scenario by every policy, then the same again otherwise."""
    chance = Random(number)  # noqa: S311  # it has to be the same again
    scenario = scenarios[number % len(scenarios)]
    # How often this scenario has come before: each time another place, and by another policy when all have come.
    rest = number // len(scenarios) * scenarios.count(scenario) + scenarios[: number % len(scenarios)].count(scenario)
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
        job_s=SLOW_JOB_S if chance.random() < 0.03 else JOB_S,
        robbed=chance.random() < 0.03,
    )


def disturbed(one: Disturbance, prepare: Callable[[World], None] | None = None) -> Verdict:
    """Let it happen, apply until everything is settled, and look."""
    project = loaded(one.scenario.now)
    world = started(one.scenario, seed=one.number)
    world.network.latency = LATENCIES[one.latency]
    world.network.losses = one.losses
    world.providers.ways.list_lag_s = one.list_lag_s
    world.providers.ways.job_s = one.job_s
    if prepare is not None:
        prepare(world)
    runs: list[Ran] = []
    with world.installed():
        if one.robbed:
            runs += _robbed(world, one, project)
        for crash_at, policy in ((one.crash_at, one.policy), (one.second_crash_at, one.second_policy)):
            if crash_at is not None and not one.robbed:
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
    try:
        found = wrong(world, reference(one.scenario), one.scenario.kind)
    except ImagebatchError as error:
        found = [f"what is left cannot be read: {error}"]
    if not settled:
        found.append(f"not settled after {recoveries} applies")
    twice = sum(count - 1 for count in world.providers.billed().values())
    verdict = Verdict(
        disturbance=one,
        died_at=died_at,
        applies=tuple(runs),
        wrong=tuple(found),
        doubts=0 if found else len(doubts(world)),
        double_pays=twice,
    )
    world.close()
    return verdict


def _robbed(world: World, one: Disturbance, project: Project) -> list[Ran]:
    """A run is stopped; somebody thinks that it is dead, breaks its lease and applies; then it goes on."""
    runs: list[Ran] = []

    def meanwhile() -> None:
        owner = read_owner(HOME / FOLDER)
        if owner is not None:
            release_lease(HOME / FOLDER, lease_id=owner.id)
            runs.append(apply(world, project))

    world.meanwhile = (one.crash_at, meanwhile)
    runs.append(apply(world, project))
    world.meanwhile = None
    return runs
