"""One disturbance after the other: where a run dies, what the disk keeps, what the network loses, how time goes by.

A disturbance is a number. Forty in a row disturb the same life: one run of the real program by one scenario, with its
latencies and losses, which is ended at twenty places. Each end comes twice: an even number goes on undisturbed, the odd
one after it dies a second time. The number chooses places and what of the disk survives; what is left to chance follows
from it too. So `disturbed(disturbance(number))` is the same today and tomorrow, alone or in a row.

A run is made once for all that end it somewhere, and what the world was there is kept, for a process that is killed
does nothing more: only what it did to the world remains.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from random import Random

from imagebatch.errors import ImagebatchError
from imagebatch.state.lease import read_owner, release_lease
from imagebatch.state.store import FOLDER
from tests.simulation.checking import Undisturbed, doubts, lock_of, undisturbed, wrong
from tests.simulation.disk import POLICIES, Policy
from tests.simulation.network import LATENCIES, Losses
from tests.simulation.running import Ran, apply
from tests.simulation.scenarios import PROJECT, ROTATION, Scenario, loaded
from tests.simulation.weather import CALM, WEATHERS
from tests.simulation.world import HOME, World

ENDS_OF_A_LIFE = 20
WAYS_ON = 2
MOST_APPLIES = 3
WINDOW_S = 3.0
JOB_S = 0.05
SLOW_JOB_S = 80.0  # longer than the deadline of the scenarios' provider
HELD = "another run holds this project"
_TIMES = tuple(LATENCIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What a run goes through until it ends: the project, and how network and providers are meanwhile."""

    number: int
    scenario: Scenario
    latency: str
    weather: str
    losses: Losses
    list_lag_s: float
    job_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """What is done to one world: how its first life ends, and what comes after."""

    number: int
    life: Life
    crash_at: int
    policy: Policy
    second_crash_at: int | None
    second_policy: Policy
    latency_after: str
    robbed: bool = False
    """Not a crash: the run is stopped there, another one takes its lease and does everything, and then it goes on."""
    visited: bool = False
    """Not a crash either: another one begins meanwhile, and may do nothing while the project is held."""
    edited: bool = False
    """An address is taken out of the manifest, that is applied, and it comes back."""

    @property
    def alone(self) -> bool:
        """Whether it is one `kill -9` and nothing else: the disk goes on, nothing is lost, no lease is broken."""
        return (
            self.policy == "as it is"
            and self.second_crash_at is None
            and self.life.losses == Losses()
            and self.life.weather == "calm"
            and not self.met
            and not self.edited
        )

    @property
    def met(self) -> bool:
        """Whether it does not die there, but meets another run."""
        return self.robbed or self.visited

    def __str__(self) -> str:
        second = f", again at {self.second_crash_at} ({self.second_policy})" if self.second_crash_at else ""
        edited = ", an address leaves the manifest and comes back" if self.edited else ""
        dies = "loses its lease" if self.robbed else "is visited" if self.visited else "dies"
        life = self.life
        return (
            f"disturbance {self.number}: {life.scenario.name}, {dies} at effect {self.crash_at}{second}, "
            f"{self.policy}{edited}, {life.latency} and then {self.latency_after}, {life.losses}, "
            f"jobs of {life.job_s:.1f} s, listing late by {life.list_lag_s:.1f} s, weather {life.weather}"
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
        assert ran.code == scenario.code, ran
        effects = world.effects
        assert apply(world, loaded(scenario.now)).planned == scenario.left
    return undisturbed(world, effects)


def asked_too_often(scenario: Scenario) -> list[str]:
    """Which paid steps a run that nobody disturbs asks for more often than they are billed."""
    world = started(scenario, seed=1)
    billed, before = Counter(world.providers.bills), Counter(world.providers.requests)
    with world.installed():
        ran = apply(world, loaded(scenario.now))
    assert ran.code == scenario.code, ran
    paid = Counter(str(bill.step) for bill in (Counter(world.providers.bills) - billed).elements())
    asked = {step: world.providers.requests[step] - before[step] for step in ("create", "retry", "buy")}
    return [
        f"{step}: asked for {asked[step]} times, billed {paid[step]}" for step in asked if asked[step] != paid[step]
    ]


@cache
def _before(scenario: Scenario) -> World:
    world = World(0)
    world.disk.put(f"{HOME}/imagebatch.yaml", PROJECT.encode())
    world.providers.ways.job_s = JOB_S
    if scenario.before is not None:
        with world.installed():
            apply(world, loaded(scenario.before))
    if scenario.cloned:
        world.disk.drop(f"{HOME}/{FOLDER}")
    if scenario.stranger is not None:
        world.providers.give_away(scenario.stranger)
    return world


def started(scenario: Scenario, seed: int) -> World:
    """A world in which the scenario's run may begin."""
    world = World(seed)
    world.disk.put(f"{HOME}/imagebatch.yaml", PROJECT.encode())
    world.disk.put("/tmp/of-somebody-else", b"")  # a name in memory
    if scenario.before is not None:
        world.take_over(_before(scenario))
    world.providers.ways.job_s = JOB_S
    world.network.paid_calls = 0
    return world


def disturbance(number: int, scenarios: tuple[Scenario, ...] = ROTATION) -> Disturbance:
    """The disturbance with this number: every place of each scenario by every policy, then the same again otherwise."""
    end, way = divmod(number, WAYS_ON)
    turn, nth = divmod(end, ENDS_OF_A_LIFE)
    life = _life(turn, scenarios)
    # How many ends of this scenario have come before: each another place, and by another policy when all have come.
    at = turn % len(scenarios)
    lives = turn // len(scenarios) * scenarios.count(life.scenario) + scenarios[:at].count(life.scenario)
    places = reference(life.scenario).effects
    round_, place = divmod(lives * ENDS_OF_A_LIFE + nth, places)
    chance = Random(end)  # noqa: S311  # it has to be the same again
    latency, edited = chance.choice(_TIMES), chance.random() < 0.3  # the same on all ways: they may share a world
    fate = chance.random() if way == 0 else 1.0
    return Disturbance(
        number=number,
        life=life,
        crash_at=place + 1,
        policy=POLICIES[round_ % len(POLICIES)],
        latency_after=latency,
        robbed=fate < 0.06,
        visited=0.06 <= fate < 0.09,
        second_crash_at=chance.randrange(1, places) if way == 1 else None,
        second_policy=chance.choice(POLICIES),
        edited=edited and life.scenario.without is not None,
    )


@cache
def _life(number: int, scenarios: tuple[Scenario, ...]) -> Life:
    chance = Random(-number)  # noqa: S311  # it has to be the same again
    scenario = scenarios[number % len(scenarios)]
    calls = range(1, max(1, reference(scenario).paid_calls) + 1)
    paid = frozenset(chance.sample(calls, k=min(len(calls), chance.choice((1, 1, 2, 3)))))
    none: frozenset[int] = frozenset()
    fate = chance.random()
    return Life(
        number=number,
        scenario=scenario,
        latency=chance.choice(_TIMES),
        losses=Losses(
            lost_before=paid if fate < 0.1 else none,
            lost_after=paid if 0.1 <= fate < 0.25 else none,
            errors_after=paid if 0.25 <= fate < 0.35 else none,
        ),
        list_lag_s=chance.random() * (WINDOW_S - 0.1) if chance.random() < 0.3 else 0.0,
        job_s=SLOW_JOB_S if chance.random() < 0.03 else JOB_S,
        weather=chance.choice(tuple(WEATHERS)) if chance.random() < 0.5 else "calm",
    )


def disturbed(one: Disturbance, prepare: Callable[[World], None] | None = None) -> Verdict:
    """Let it happen, apply until everything is settled, and look. `prepare` is told of each world that is made."""
    (verdict,) = all_disturbed([one], prepare)
    return verdict


def all_disturbed(row: Sequence[Disturbance], prepare: Callable[[World], None] | None = None) -> Iterator[Verdict]:
    """The same for many; those of one life that stand next to each other share its run."""
    for life, ends in groupby(row, key=lambda one: one.life):
        wanted = list(ends)
        copies = ended(life, frozenset(one.crash_at for one in wanted if not one.met), prepare)
        for (crash_at, met), ways in groupby(wanted, key=lambda one: (one.crash_at, one.met)):
            if met or crash_at not in copies:  # it comes to its end before that effect
                for one in ways:
                    world = born(life, prepare)
                    yield _judged(world, one, _met(world, one) if met else [_applied(world, one)])
            else:
                yield from _went_on(copies.pop(crash_at), list(ways), prepare)


def born(life: Life, prepare: Callable[[World], None] | None) -> World:
    """A world in which a life may begin."""
    world = started(life.scenario, seed=life.number)
    world.network.latency = LATENCIES[life.latency]
    world.network.losses = life.losses
    world.providers.ways.list_lag_s = life.list_lag_s
    world.providers.ways.job_s = life.job_s
    world.providers.ways.weather = WEATHERS[life.weather]
    if prepare is not None:
        prepare(world)
    return world


def ended(life: Life, places: frozenset[int], prepare: Callable[[World], None] | None) -> dict[int, World]:
    """The worlds that are left when a life ends before each of these effects; it may not come to all."""
    if not places:
        return {}
    world = born(life, prepare)
    world.watched = places
    with world.installed():
        apply(world, loaded(life.scenario.now), crash_at=max(places))
    if prepare is not None:
        for copy in world.copies.values():
            prepare(copy)
    return world.copies


def _went_on(world: World, ways: list[Disturbance], prepare: Callable[[World], None] | None) -> Iterator[Verdict]:
    """What came of the ways on from one death, each of them one of those that begin alike."""
    first = ways[0]
    died = Ran(code=None, error=world.died_at, effects=first.crash_at, shared=True)
    places = [one.second_crash_at for one in ways if one.second_crash_at is not None]
    world.reseed(first.number // WAYS_ON)
    world.network.latency = LATENCIES[first.latency_after]
    world.reboot(first.policy)
    world.watched = frozenset(places)
    ran = _applied(world, first, crash_at=max(places) if len(places) == len(ways) else None)
    copies, world.watched = world.copies, frozenset()
    went_on: Verdict | None = None  # of all that do not die again: it is one and the same
    for one in ways:
        again = copies.get(one.second_crash_at or 0)
        if again is None:
            if went_on is None:
                went_on = _judged(world, one, [died, ran])
                yield went_on
            else:
                shared = tuple(replace(run, shared=True) for run in went_on.applies)
                yield replace(went_on, disturbance=one, applies=shared)
            continue
        if prepare is not None:
            prepare(again)
        again.reseed(one.number)
        again.reboot(one.second_policy)
        died_again = Ran(code=None, error=again.died_at, effects=one.second_crash_at or 0, shared=True)
        yield _judged(again, one, [died, died_again])


def _applied(world: World, one: Disturbance, *, crash_at: int | None = None, manifest: str | None = None) -> Ran:
    with world.installed():
        return apply(world, loaded(manifest or one.life.scenario.now), crash_at=crash_at)


def _judged(world: World, one: Disturbance, runs: list[Ran]) -> Verdict:
    """Apply until everything is settled, and look."""
    scenario, died_at = one.life.scenario, runs[0].error if runs[0].code is None else ""
    world.providers.ways.weather = CALM  # what it made impossible has to become possible by then
    runs, beside = list(runs), _beside_each_other(one, runs)
    if one.edited and scenario.without is not None:
        runs.append(_applied(world, one, manifest=scenario.without))
    recoveries, settled = 0, False
    while recoveries < MOST_APPLIES + 1 and not settled:
        bills, calls, lock = len(world.providers.bills), world.network.paid_calls, lock_of(world)
        runs.append(_applied(world, one))
        recoveries += 1
        settled = runs[-1].code in {0, 3} and len(world.providers.bills) == bills and lock_of(world) == lock
        settled = settled and world.network.paid_calls == calls  # what was sent may have been lost
    try:
        found = wrong(world, reference(scenario), scenario.kind, trash=not one.edited)
    except ImagebatchError as error:
        found = [f"what is left cannot be read: {error}"]
    found += beside
    if not settled:
        found.append(f"not settled after {recoveries} applies")
    return Verdict(
        disturbance=one,
        died_at=died_at,
        applies=tuple(runs),
        wrong=tuple(found),
        doubts=0 if found else len(doubts(world)),
        double_pays=sum(count - 1 for count in world.providers.billed().values()),
    )


def _met(world: World, one: Disturbance) -> list[Ran]:
    """A run is stopped, and another begins meanwhile: one that thinks it dead and breaks its lease, or a visitor."""
    runs: list[Ran] = []
    project = loaded(one.life.scenario.now)

    def meanwhile() -> None:
        owner = read_owner(HOME / FOLDER)
        if one.robbed and owner is not None:
            release_lease(HOME / FOLDER, lease_id=owner.id)
        if owner is not None or not one.robbed:
            runs.append(apply(world, project))

    world.meanwhile = (one.crash_at, meanwhile)
    runs.append(_applied(world, one))
    world.meanwhile = None
    return runs


def _beside_each_other(one: Disturbance, runs: list[Ran]) -> list[str]:
    """What is wrong where a visitor was let in and the other run was not at its end."""
    if not one.visited or len(runs) < 2 or HELD in runs[0].error or runs[1].code in {0, 3}:
        return []
    return [f"two runs at once: exit {runs[0].code} {runs[0].error}; exit {runs[1].code} {runs[1].error}"]
