"""The proof: conformance, then in each weather runs that are killed, recovered and compared with an undisturbed one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from imagebatch.chaos.judging import ENDED, MOST_APPLIES, Fault, judge, settled
from imagebatch.chaos.kit import Judged, Tell, TimeUpError, judge_promises
from imagebatch.chaos.running import LONGEST_S, apply, bills, chance, read_left, scratch, server, write_files
from imagebatch.chaos.traces import Applied, Left
from imagebatch.chaos.trial import Trial, project_files
from imagebatch.chaos.weather import AFTERWARDS, profile_text, yardstick
from imagebatch.effects import seams

_SECOND_KILL: Final = 0.5
_EARLY: Final = 0.2
Verdict = Literal["kept", "broken", "unproved", "unfinished"]


class _DrawsNothing(Exception):
    """Not even an undisturbed run draws; the text says what it said."""


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
    """The whole result. `late` says where the time was up, `undrawn` why not even an undisturbed run drew."""

    trial: Trial
    promises: tuple[Judged, ...]
    weathers: tuple[Weather, ...] = field(default=())
    late: str | None = None
    undrawn: str | None = None

    @property
    def kills(self) -> int:
        """How many runs were killed, in all weathers."""
        return sum(run.kills for one in self.weathers for run in one.runs)

    @property
    def verdict(self) -> Verdict:
        """Whether the promises are kept; `unproved` where nothing was drawn, or nothing killed."""
        if any(one.fault for one in self.promises) or any(one.faults for one in self.weathers):
            return "broken"
        if self.undrawn is not None:
            return "unproved"
        if self.late is not None:
            return "unfinished"
        return "kept" if self.kills else "unproved"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where one run happens: the project's folder and the server's."""

    project: Path
    data: Path


def prove(trial: Trial, tell: Tell) -> Proof:
    """Try a provider; `tell` hears how far it is. Takes minutes, at most `trial.seconds` and what ending them takes."""
    until = seams.clock.monotonic() + trial.seconds
    judged: list[Judged] = []
    weathers: list[Weather] = []
    late = undrawn = None
    with scratch() as name:
        folder = Path(name)
        tell(f"conformance of {trial.type}")
        try:
            with _served(trial, folder / "conformance", AFTERWARDS, trial.seed) as base:
                for one in judge_promises(trial, base, until=until, tell=tell):
                    judged.append(one)  # noqa: PERF402  # what came before the time was up counts
            _Suite(trial, folder, until, tell).try_all(weathers)
        except TimeUpError as up:
            late = str(up)
        except _DrawsNothing as nothing:
            undrawn = str(nothing)
    return Proof(trial=trial, promises=tuple(judged), weathers=tuple(weathers), late=late, undrawn=undrawn)


class _Suite:
    """The runs of one trial; undisturbed ones are made once for each pair of weather and seed."""

    def __init__(self, trial: Trial, folder: Path, until: float, tell: Tell) -> None:
        self._trial = trial
        self._folder = folder
        self._tell = tell
        self._until = until
        self._yardsticks: dict[tuple[str, int], tuple[Left, float]] = {}
        self._count = 0

    def try_all(self, found: list[Weather]) -> None:
        """Put what came of each profile into `found`. Raises TimeUpError, _DrawsNothing; what came before is in it."""
        for profile in self._trial.profiles:
            runs: list[Disturbed] = []
            try:
                for number in range(self._trial.runs):
                    runs.append(self._disturbed(profile, number))
                    wrong = f", {len(runs[-1].faults)} wrong" if runs[-1].faults else ""
                    self._tell(f"{profile}: run {number + 1} of {self._trial.runs}{wrong}")
                if not any(run.kills for run in runs):
                    self._tell(f"{profile}: every run ended before it was killed; one more is killed early")
                    runs.append(self._disturbed(profile, 0, part=_EARLY))
            finally:
                found.append(Weather(profile=profile, runs=tuple(runs), wanted=self._trial.runs))

    def _disturbed(self, profile: str, number: int, part: float = 1.0) -> Disturbed:
        """Kill an apply, perhaps the next one, too, in this weather; then apply in good weather until all is done.

        `part` is how much of the time that a run draws is used for the first kill.
        """
        seed = self._trial.seed + number
        wanted, length_s = self._yardstick(profile, seed)
        draw = chance(self._trial.seed, profile, number)
        moment = (number + draw()) / self._trial.runs * length_s * part  # one from each part of the run's time
        place = self._place()
        before = len(bills(self._trial.base_url) or ()) if self._trial.base_url is not None else 0
        with _served(self._trial, place.data, profile, seed) as base:
            kills = int(self._apply(place.project, base, kill_after_s=moment).killed)
            again = draw() * length_s if draw() < _SECOND_KILL else None
            kills += int(self._apply(place.project, base, kill_after_s=again).killed)
        # At the same address: another one is another server, whose listing proves nothing of what was sent to this.
        with _served(self._trial, place.data, AFTERWARDS, seed, port=urlsplit(base).port or 0) as base:
            applies = self._settle(place.project, base)
            billed = bills(base)
        billed = billed[before:] if billed is not None else None
        found = read_left(place.project)
        faults = judge(wanted, found, applies, billed, can_list=self._trial.can_list)
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
                first = self._apply(place.project, base)
            with _served(self._trial, place.data, AFTERWARDS, seed, port=urlsplit(base).port or 0) as base:
                self._settle(place.project, base)
            found = read_left(place.project)
            if not any(entry.status == "succeeded" for entry in found.entries.values()):
                said = f"no end within {LONGEST_S:.0f} s" if first.killed else f"exit code {first.code}"
                raise _DrawsNothing(f"{said}; {' '.join(first.said.split())[-500:] or 'it said nothing'}")
            self._yardsticks[key] = (found, first.seconds)
        return self._yardsticks[key]

    def _settle(self, project: Path, base: str) -> tuple[Applied, ...]:
        """Apply until one has nothing to do, ends badly, or there were too many."""
        applies: list[Applied] = []
        while len(applies) < MOST_APPLIES:
            before = read_left(project).lock
            applies.append(self._apply(project, base))
            if applies[-1].code not in ENDED or settled(applies[-1], changed=read_left(project).lock != before):
                return tuple(applies)
        return (*applies, self._apply(project, base))

    def _apply(self, project: Path, base: str, *, kill_after_s: float | None = None) -> Applied:
        """Raises TimeUpError where the time of the whole proof comes first: that run says nothing."""
        left = self._until - seams.clock.monotonic()
        if left > 0:
            applied = apply(project, base, kill_after_s=kill_after_s, longest_s=min(left, LONGEST_S))
            if not (applied.killed and seams.clock.monotonic() >= self._until):
                return applied
        raise TimeUpError("a run")

    def _place(self) -> _Place:
        self._count += 1
        project = self._folder / f"project-{self._count}"
        write_files(project, project_files(self._trial, number=self._count))
        return _Place(project=project, data=self._folder / f"server-{self._count}")


@contextmanager
def _served(trial: Trial, data: Path, profile: str, seed: int, port: int = 0) -> Iterator[str]:
    """The base address of the type's server: the author's own, or the simulator in this weather."""
    if trial.base_url is not None:
        yield trial.base_url
        return
    with server(data, profile_text(profile, seed=seed), port) as running:
        yield running.origin + trial.path
