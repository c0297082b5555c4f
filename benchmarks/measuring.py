"""Running a command and knowing what it took: wall time, CPU, and the peak memory of it and of each of its children."""

import argparse
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

LOOK_EVERY_S = 0.005
LONGEST_S = 900.0
# What would change the ways of the program, or of one that it is measured beside.
_DROPPED = ("IMAGEBATCH_", "PYTHON", "TF_", "ALL_IMAGES_", "AIGNE_", "OPENAI_", "GITHUB_")


class BenchmarkError(RuntimeError):
    """A measured command did not do what it was to be measured at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a command: seconds of wall time and CPU (all its processes together), what it said, how it ended."""

    wall_s: float
    cpu_s: float
    output: str
    code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """Peak resident memory in MiB: of the command's own process, and of its children, each at its own worst moment."""

    own: float
    children: float

    @property
    def whole(self) -> float:
        """All together: what a machine needs at the most, because pages that processes share count several times."""
        return self.own + self.children


@dataclass(slots=True)
class Timings:
    """Runs of one command."""

    runs: list[Run]

    @property
    def best(self) -> float:
        """The quickest run's wall seconds: what the command takes when nothing else does."""
        return min(run.wall_s for run in self.runs)

    @property
    def middle(self) -> float:
        """The median of the wall seconds."""
        return median(run.wall_s for run in self.runs)

    @property
    def cpu(self) -> float:
        """The least CPU seconds."""
        return min(run.cpu_s for run in self.runs)


def environment(**more: str) -> dict[str, str]:
    """The variables of a measured command: what a shell has, without anybody's keys and settings; and `more`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_DROPPED) and name != "CI"}
    return kept | more


def chosen_of(sections: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    """A type for an argument that names some of a benchmark's sections, separated by commas."""

    def parse(text: str) -> tuple[str, ...]:
        chosen = tuple(text.split(","))
        if not set(chosen) <= set(sections):
            raise argparse.ArgumentTypeError(f"sections are {', '.join(sections)}")
        return chosen

    return parse


def timed(command: Sequence[str], *, cwd: Path, env: Mapping[str, str], codes: Sequence[int] = (0,)) -> Run:
    """Run a command to its end.

    Raises BenchmarkError where it ends with another exit code than `codes`.
    """
    with Path(cwd, "benchmark.out").open("w+b") as out:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        output = out.read().decode("utf-8", "replace")
    if process.returncode not in codes:
        raise BenchmarkError(f"{' '.join(command)} ended with {process.returncode}:\n{output[-2000:]}")
    return Run(wall_s=wall, cpu_s=usage.ru_utime + usage.ru_stime, output=output, code=process.returncode)


def peak_of(command: Sequence[str], *, cwd: Path, env: Mapping[str, str], codes: Sequence[int] = (0,)) -> Peak:
    """Run a command once more, looking at its processes' high-water marks until it ends; its time is not counted.

    Raises BenchmarkError as `timed` does, and where the command runs longer than fifteen minutes.
    """
    process = subprocess.Popen(
        command, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    marks: dict[int, float] = {}
    deadline = time.monotonic() + LONGEST_S
    while process.poll() is None:
        for pid in (process.pid, *descendants(process.pid)):
            marks[pid] = max(marks.get(pid, 0.0), high_water(pid))
        if time.monotonic() > deadline:
            process.kill()
        time.sleep(LOOK_EVERY_S)
    if process.returncode not in codes:
        raise BenchmarkError(f"{' '.join(command)} ended with {process.returncode}")
    own = marks.pop(process.pid, 0.0)
    return Peak(own=own, children=sum(marks.values()))


def high_water(pid: int) -> float:
    """A process's peak resident memory so far, in MiB; 0 where it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    line = next((line for line in text.splitlines() if line.startswith("VmHWM:")), None)
    return int(line.split()[1]) / 1024 if line is not None else 0.0


def descendants(pid: int) -> list[int]:
    """The processes below one, children first."""
    try:
        found = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except OSError:
        return []
    return found + [below for child in found for below in descendants(child)]


def machine_line() -> str:
    """What this was measured on: processor, cores, memory, load, system, Python."""
    import platform

    cpu = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor() or platform.machine(),
    )
    total = next((int(line.split()[1]) / 1024**2 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    load = os.getloadavg()[0]
    return (
        f"machine: {cpu}, {os.cpu_count()} cores, {total:.0f} GiB, load {load:.1f} at the start, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


class Verdicts:
    """Targets held against figures; prints a line for each and remembers whether all were met."""

    def __init__(self) -> None:
        self.missed = 0
        self.lines: list[str] = []

    def judge(self, name: str, found: float, most: float, unit: str) -> None:
        """A figure that must not be above `most`."""
        met = found <= most
        self.missed += not met
        self.lines.append(f"{'met   ' if met else 'missed'}  {name}: {found:.2f}{unit}, at most {most:.2f}{unit}")

    def skip(self, name: str, why: str) -> None:
        """A target that cannot be measured here."""
        self.lines.append(f"skipped {name}: {why}")

    def show(self) -> int:
        """Print all lines; the exit code."""
        print("\n".join(self.lines))
        return 1 if self.missed else 0
