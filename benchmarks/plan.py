"""How long `imagebatch plan` takes where nothing has changed, and how much memory, beside its floor and its peers.

    .venv/bin/python benchmarks/plan.py [--sizes 1000,10000,100000] [--rounds 7] [--keep DIR]

Every figure of one run comes from one machine within one run: the commands take turns, round by round, and each is
judged by its quickest run, because whatever else the machine does only ever makes a run slower. Exit code 1 where a
target is missed.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import peers
from measuring import BenchmarkError, Peak, Timings, Verdicts, environment, machine_line, peak_of, timed
from projects import write_done_project

HERE = Path(__file__).resolve().parent
SIZES = (1_000, 10_000, 100_000)
ROUNDS = 7
FEW_ABOVE = 20_000  # variants above which three rounds have to do
FEW = 3
NEW_OUTPUTS_S = 0.3  # files younger than the clock's tick are hashed again: let them age before the cache is warmed


@dataclass(slots=True, kw_only=True)
class Subject:
    """A command that is measured at one size."""

    name: str
    command: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    says: str = ""
    timings: Timings = field(default_factory=lambda: Timings([]))
    peak: Peak | None = None

    def go(self) -> None:
        """One timed run; it has to say what it says where nothing is to be done."""
        run = timed(self.command, cwd=self.cwd, env=self.env)
        if self.says not in run.output:
            raise BenchmarkError(f"{self.name} should say {self.says!r} and said:\n{run.output[-1000:]}")
        self.timings.runs.append(run)

    def weigh(self) -> None:
        """One more run, for its memory."""
        self.peak = peak_of(self.command, cwd=self.cwd, env=self.env)


def main() -> int:
    """Measure, print, judge."""
    options = _options()
    print(machine_line())
    print(f"best of {options.rounds} rounds in turns ({min(FEW, options.rounds)} above {FEW_ABOVE:,} variants)\n")
    with _workplace(options.keep) as place:
        startup = _measured([_ours(place, 1)], options.rounds)[0]
        print(f"start-up: imagebatch plan of one variant: {_figures(startup)}")
        print(f"\n{'variants':>8}  {'what':<16} {'wall':>8} {'median':>8} {'CPU':>8} {'own MiB':>8} {'children':>8}"
              f" {'together':>8}")  # fmt: skip
        found: dict[int, dict[str, Subject]] = {}
        for size in options.sizes:
            rounds = min(FEW, options.rounds) if size > FEW_ABOVE else options.rounds
            subjects = _measured(list(_subjects(place, size)), rounds)
            found[size] = {subject.name: subject for subject in subjects}
            for subject in subjects:
                print(f"{size:>8,}  {subject.name:<16} {_columns(subject)}")
    print()
    _ratios(found, startup.timings.best)
    return _judged(found, startup.timings.best)


def _subjects(place: Path, size: int) -> Iterator[Subject]:
    ours = _ours(place, size)
    yield ours
    yield Subject(
        name="floor",
        command=[sys.executable, str(HERE / "floor.py"), str(ours.cwd)],
        cwd=ours.cwd,
        env=environment(),
        says=f"{size} blocks, {size} with",
    )
    for make in (peers.doit, peers.terraform):
        peer = make(place, ours.cwd, size)
        if peer.why_not is not None:
            print(f"{size:>8,}  {peer.name:<16} skipped: {peer.why_not}")
        else:
            yield Subject(name=peer.name, command=peer.command, cwd=peer.cwd, env=peer.env, says=peer.says)


def _ours(place: Path, size: int) -> Subject:
    root = place / f"project-{size}"
    if not (root / "imagebatch.lock").exists():
        print(f"{size:>8,}  making the project …", end="\r", flush=True)
        write_done_project(root, size)
    program = Path(sys.executable).with_name("imagebatch")
    subject = Subject(
        name="imagebatch plan",
        command=[str(program), "-C", str(root), "plan"],
        cwd=root,
        env=environment(),
        says=f"Plan: {size} unchanged.",
    )
    timed(["sleep", str(NEW_OUTPUTS_S)], cwd=root, env=environment())
    timed(subject.command, cwd=root, env=subject.env)  # hashes every output once: the stat cache is warm from now on
    return subject


def _measured(subjects: list[Subject], rounds: int) -> list[Subject]:
    for _ in range(rounds):
        for subject in subjects:
            subject.go()
    for subject in subjects:
        subject.weigh()
    return subjects


def _figures(subject: Subject) -> str:
    peak = subject.peak or Peak(own=0, children=0)
    best, middle, cpu = subject.timings.best, subject.timings.middle, subject.timings.cpu
    return (
        f"{best:.3f} s wall (median {middle:.3f}), {cpu:.3f} s CPU; peak {peak.own:.0f} MiB and "
        f"{peak.children:.0f} MiB in its rendering child"
    )


def _columns(subject: Subject) -> str:
    peak = subject.peak or Peak(own=0, children=0)
    times = (subject.timings.best, subject.timings.middle, subject.timings.cpu)
    return " ".join(
        [*(f"{value:>6.3f} s" for value in times), *(f"{v:>8.0f}" for v in (peak.own, peak.children, peak.whole))]
    )


def _ratios(found: Mapping[int, Mapping[str, Subject]], startup: float) -> None:
    for size, subjects in found.items():
        ours = subjects["imagebatch plan"].timings.best
        ratios = [f"{(ours - startup) / subjects['floor'].timings.best:.2f} x the floor beyond start-up"]
        ratios += [
            f"{subjects[name].timings.best / ours:.1f} x as fast as {name}"
            for name in ("doit", "terraform plan")
            if name in subjects
        ]
        print(f"{size:>8,}  {', '.join(ratios)}")
    print()


def _judged(found: Mapping[int, Mapping[str, Subject]], startup: float) -> int:
    verdicts = Verdicts()
    small, large = found.get(10_000), found.get(100_000)
    if small is not None:
        ours, floor = small["imagebatch plan"], small["floor"].timings.best
        verdicts.judge("10,000: wall, 3 x floor + start-up", ours.timings.best, 3 * floor + startup, " s")
        if "doit" in small:
            verdicts.judge("10,000: wall, doit's", ours.timings.best, small["doit"].timings.best, " s")
        else:
            verdicts.skip("10,000: faster than doit", "doit is not there")
        verdicts.judge("10,000: peak memory", _whole(ours), 150, " MiB")
    if large is not None:
        verdicts.judge("100,000: peak memory", _whole(large["imagebatch plan"]), 550, " MiB")
    if small is not None and large is not None:
        growth = large["imagebatch plan"].timings.best / small["imagebatch plan"].timings.best
        verdicts.judge("100,000: wall, as often 10,000's", growth, 11.5, " x")
    return verdicts.show()


def _whole(subject: Subject) -> float:
    return subject.peak.whole if subject.peak is not None else 0.0


@contextmanager
def _workplace(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    with TemporaryDirectory(prefix="imagebatch-plan-", ignore_cleanup_errors=True) as place:
        yield Path(place)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=_numbers, default=SIZES, help="numbers of variants, separated by commas")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"runs of each command (default {ROUNDS})")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave the projects there for the next run")
    return parser.parse_args()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part.replace("_", "")) for part in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
