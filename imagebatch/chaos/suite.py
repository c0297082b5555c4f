"""The proof: conformance, then in each weather runs that are killed, recovered and compared with an undisturbed one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from imagebatch.chaos.judging import ENDED, MOST_APPLIES, Fault, judge, settled
from imagebatch.chaos.promises import Judged, judge_promises
from imagebatch.chaos.running import apply, bills, chance, read_left, scratch, server, write_files
from imagebatch.chaos.traces import Applied, Left
from imagebatch.chaos.trial import Trial, project_files
from imagebatch.chaos.weather import AFTERWARDS, profile_text, yardstick
from imagebatch.effects import seams
from imagebatch.errors import ProviderError
from imagebatch.providers import registry

_SECOND_KILL: Final = 0.5
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbed:
    """One disturbed run: how often it was killed, how many applies settled it, and what is wrong."""

    seed: int
    kills: int
    applies: int
    paid: int
    doubts: int
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What came of one profile; runs that there was no time for are missing."""

    profile: str
    runs: tuple[Disturbed, ...]
    wanted: int

    @property
    def faults(self) -> tuple[Fault, ...]:
        """Everything that was wrong in it."""
        return tuple(fault for run in self.runs for fault in run.faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The whole result. `verdict` is `kept`, `broken`, or `unfinished` where the time was up."""

    trial: Trial
    promises: tuple[Judged, ...]
    weathers: tuple[Weather, ...] = field(default=())

    @property
    def verdict(self) -> str:
        """Whether the promises are kept."""
        if any(one.fault for one in self.promises) or any(one.faults for one in self.weathers):
            return "broken"
        return "unfinished" if any(len(one.runs) < one.wanted for one in self.weathers) else "kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where one run happens: the project's folder and the server's."""

    project: Path
    data: Path


def prove(trial: Trial, tell: Tell) -> Proof:
    """Try a provider; `tell` hears how far it is. Takes minutes.

    Raises ProviderError where not even an undisturbed run draws the project.
    """
    with scratch() as name:
        folder = Path(name)
        tell(f"conformance of {trial.type}")
        with _served(trial, folder / "conformance", AFTERWARDS, trial.seed) as base:
            promises = judge_promises(trial, base)
        suite = _Suite(trial, folder, tell)
        return Proof(trial=trial, promises=promises, weathers=tuple(suite.weathers()))


class _Suite:
    """The runs of one trial; undisturbed ones are made once for each pair of weather and seed."""

    def __init__(self, trial: Trial, folder: Path, tell: Tell) -> None:
        self._trial = trial
        self._folder = folder
        self._tell = tell
        self._until = seams.clock.monotonic() + trial.seconds
        self._yardsticks: dict[tuple[str, int], tuple[Left, float]] = {}
        self._can_list = registry.capabilities(trial.type).witness == "list"
        self._count = 0

    def weathers(self) -> Iterator[Weather]:
        for profile in self._trial.profiles:
            runs: list[Disturbed] = []
            for number in range(self._trial.runs):
                if seams.clock.monotonic() >= self._until:
                    break
                runs.append(self._disturbed(profile, number))
                wrong = f", {len(runs[-1].faults)} wrong" if runs[-1].faults else ""
                self._tell(f"{profile}: run {number + 1} of {self._trial.runs}{wrong}")
            yield Weather(profile=profile, runs=tuple(runs), wanted=self._trial.runs)

    def _disturbed(self, profile: str, number: int) -> Disturbed:
        """Kill an apply, perhaps the next one, too, in this weather; then apply in good weather until all is done."""
        seed = self._trial.seed + number
        wanted, length_s = self._yardstick(profile, seed)
        draw = chance(self._trial.seed, profile, number)
        moment = (number + draw()) / self._trial.runs * length_s  # one from each part of the run's time
        place = self._place()
        before = len(bills(self._trial.base_url) or ()) if self._trial.base_url is not None else 0
        with _served(self._trial, place.data, profile, seed) as base:
            kills = int(apply(place.project, base, kill_after_s=moment).killed)
            again = draw() * length_s if draw() < _SECOND_KILL else None
            kills += int(apply(place.project, base, kill_after_s=again).killed)
        with _served(self._trial, place.data, AFTERWARDS, seed) as base:
            applies = _settle(place.project, base)
            billed = bills(base)
        billed = billed[before:] if billed is not None else None
        found = read_left(place.project)
        faults = judge(wanted, found, applies, billed, can_list=self._can_list)
        return Disturbed(
            seed=seed, kills=kills, applies=len(applies), paid=len(billed or ()), doubts=len(found.doubts),
            faults=faults,
        )  # fmt: skip

    def _yardstick(self, profile: str, seed: int) -> tuple[Left, float]:
        """What an undisturbed run leaves, and how long it draws."""
        key = (yardstick(profile), seed)
        if key not in self._yardsticks:
            place = self._place()
            with _served(self._trial, place.data, key[0], seed) as base:
                first = apply(place.project, base)
            with _served(self._trial, place.data, AFTERWARDS, seed) as base:
                _settle(place.project, base)
            found = read_left(place.project)
            if not any(entry.status == "succeeded" for entry in found.entries.values()):
                raise ProviderError(
                    "not even an undisturbed run draws",
                    f"{self._trial.type} drew nothing at the test server: {' '.join(first.said.split())[-500:]}",
                    hints=("name a request that the server draws: --param NAME=VALUE", "or another API: --face openai"),
                    code="chaos.draws_nothing",
                )
            self._yardsticks[key] = (found, first.seconds)
        return self._yardsticks[key]

    def _place(self) -> _Place:
        self._count += 1
        project = self._folder / f"project-{self._count}"
        write_files(project, project_files(self._trial, number=self._count))
        return _Place(project=project, data=self._folder / f"server-{self._count}")


@contextmanager
def _served(trial: Trial, data: Path, profile: str, seed: int) -> Iterator[str]:
    """The base address of the type's server: the author's own, or the simulator in this weather."""
    if trial.base_url is not None:
        yield trial.base_url
        return
    with server(data, profile_text(profile, seed=seed)) as running:
        yield running.origin + trial.path


def _settle(project: Path, base: str) -> tuple[Applied, ...]:
    """Apply until one has nothing to do, ends badly, or there were too many."""
    applies: list[Applied] = []
    while len(applies) < MOST_APPLIES:
        before = read_left(project).lock
        applies.append(apply(project, base))
        if applies[-1].code not in ENDED or settled(applies[-1], changed=read_left(project).lock != before):
            return tuple(applies)
    return (*applies, apply(project, base))
