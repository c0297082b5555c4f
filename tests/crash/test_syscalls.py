"""Calls of the system that kill or fail at the n-th time, under the unmodified program, by strace; then an apply.

A point is a call, how often it goes well, and what happens then: the process is killed, or the call fails once, or it
fails from then on. `IMAGEBATCH_SYSCALL_POINTS` takes another number of points, `all` each of them once.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.crash.benches import PROJECT
from tests.crash.checking import Snapshot, bills, differences, doubts, leftovers, snapshot, troubled, unaccounted
from tests.crash.projects import LINEAGE
from tests.crash.sweeping import MOST_APPLIES, NOTHING, Case, decided, served
from tests.crash.tally import CLASSES, Account, Tally, account
from tests.program.providing import Providers
from tests.program.running import Run, Server

pytestmark = pytest.mark.slow

POINTS: Final = 12
LONGEST_S: Final = 90.0
REPOSITORY: Final = Path(__file__).resolve().parents[2]
SETTINGS: Final = PROJECT.replace("LINEAGE", LINEAGE)
# One of each class of provider, a ladder of files, a purchase.
MANIFEST: Final = """\
assets:
  fox:
    prompt: "A fox"
    params: {format: 1:1}
    resolution: full
    output: "outputs/fox.jpg"
  mug:
    prompt: "A mug"
    provider: hub
    params: {model: openai/gpt-image-2, size: 1024x640, output_format: jpeg}
    outputs:
      - path: "outputs/mug.jpg"
      - {path: "outputs/mug-100.webp", width: 100}
  pen:
    prompt: "A pen"
    provider: retouch
    params: {model: gpt-image-2, size: 1024x640, quality: low, output_format: jpeg}
    output: "outputs/pen.jpg"
"""
FAULTS: Final[Mapping[str, tuple[str, ...]]] = {
    "write": ("ENOSPC", "EIO", "EINTR"),
    "pwrite64": ("ENOSPC", "EIO"),
    "fsync": ("EIO", "ENOSPC", "EINTR"),
    "fdatasync": ("EIO", "ENOSPC"),
    "rename": ("EACCES", "EIO", "ENOSPC"),
    "renameat": ("EACCES", "EIO", "ENOSPC"),
    "link": ("EACCES", "EIO"),
    "linkat": ("EACCES", "EIO"),
    "unlink": ("EACCES", "EIO"),
    "unlinkat": ("EACCES", "EIO"),
    "connect": ("ECONNRESET", "EACCES", "EINTR"),
    "sendto": ("ECONNRESET", "EIO"),
    "recvfrom": ("ECONNRESET", "EIO"),
    "openat": ("EMFILE", "EACCES", "ENOSPC", "EINTR"),
}
# One dies once, and whoever is interrupted asks again, for ever if need be.
_ONCE: Final = frozenset({"KILL", "EINTR"})
_CALL: Final = re.compile(r"(?P<process>\d+) +(?P<name>\w+)\(")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A call of the system, and what happens at its n-th time in a thread."""

    call: str
    number: int
    fault: str
    lasting: bool = False

    @property
    def injection(self) -> str:
        """How strace is told."""
        what = "signal=KILL" if self.fault == "KILL" else f"error={self.fault}"
        return f"inject={self.call}:{what}:when={self.number}{'+' if self.lasting else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of a point."""

    point: Point
    disturbed: Run
    applies: tuple[Run, ...]
    wrong: tuple[str, ...]
    account: Account
    doubts: int
    double: int
    lost: int

    def __str__(self) -> str:
        codes = [run.code for run in self.applies]
        said = [f"said: {self.disturbed.out[-900:]}{self.disturbed.err[-900:]}"]
        head = f"{self.point.injection}: {self.disturbed.code}, then {codes}"
        return "\n    ".join([head, *(line for one in (*self.wrong, *said) for line in one.splitlines())])


def strace_refuses() -> str | None:
    """Why no call can be disturbed here; None where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    try:
        tried = subprocess.run(
            ["strace", "-f", "-qq", "-o", os.devnull, "-e", "inject=getpid:error=EIO:when=99", "true"],
            capture_output=True, check=False, timeout=30, text=True,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"strace cannot be used: {error}"
    return None if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.strip()[:200]}"


def traced(case: Case, *options: str) -> Run:
    """The program as its users start it, under strace."""
    command = ["strace", "-f", "-qq", *options, sys.executable, "-m", "imagebatch", "apply", "-y", "--timeout", "10"]
    environ = {**case.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        command, cwd=case.folder, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
    ) as process:  # fmt: skip
        try:
            out, err = process.communicate(timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            out, err = process.communicate()
            return Run(code=-99, out=out, err=f"{err}\nit hung")
    return Run(code=process.returncode, out=out, err=err)


def calls_of(trace: str) -> Mapping[str, list[int]]:
    """How often each call was made in a thread once the program had begun to read its project.

    Of files only the first thread's count: its imports came before, and they are not ours to keep together.
    """
    first = ""
    seen: Counter[tuple[str, str]] = Counter()
    found: dict[str, set[int]] = {}
    begun = False
    for line in trace.splitlines():
        match = _CALL.match(line)
        if match is None:
            continue
        first = first or match["process"]
        begun = begun or "imagebatch.yaml" in line
        key = (match["process"], match["name"])
        seen[key] += 1
        if begun and (match["name"] != "openat" or match["process"] == first):
            found.setdefault(match["name"], set()).add(seen[key])
    return {name: sorted(numbers) for name, numbers in found.items()}


def every_point(calls: Mapping[str, Sequence[int]]) -> dict[tuple[str, str, bool], list[Point]]:
    """All points by what they do, in order of their number."""
    ways = [
        (call, fault, lasting)
        for call in sorted(FAULTS.keys() & calls.keys())
        for fault in ("KILL", *FAULTS[call])
        for lasting in ((False,) if fault in _ONCE else (False, True))
    ]
    return {
        way: [Point(call=way[0], number=number, fault=way[1], lasting=way[2]) for number in calls[way[0]]]
        for way in ways
    }


def chosen(calls: Mapping[str, Sequence[int]], asked: str) -> list[Point]:
    """`asked` points (`all` for each), every way in turn, at places far apart."""
    by_way = every_point(calls)
    if asked == "all":
        return [point for points in by_way.values() for point in points]
    chance = random.Random("syscalls")  # noqa: S311  # the same points every time
    ways = sorted(by_way)
    chance.shuffle(ways)
    turns = [ways[index % len(ways)] for index in range(int(asked))]
    return list(dict.fromkeys(chance.choice(by_way[way]) for way in turns))


class Sweep:
    """Points, two at a time, each with a project and a provider of its own."""

    def __init__(
        self, servers: Sequence[Server], providers: Providers, base: Path, home: Path, reference: Snapshot
    ) -> None:
        self._free = list(servers)
        self._providers = providers
        self._lock = threading.Lock()
        self._base = base
        self._home = home
        self._reference = reference

    def run(self, points: Sequence[Point]) -> list[Verdict]:
        """What came of each."""
        with ThreadPoolExecutor(len(self._free)) as threads:
            return list(threads.map(self._one, range(len(points)), points))

    def _one(self, number: int, point: Point) -> Verdict:
        with self._lock:
            server = self._free.pop()
        try:
            name = f"point-{number}"
            with served(self._providers, self._base, self._home, name, project=SETTINGS, manifest=MANIFEST) as case:
                verdict = self._verdict(server, case, point)
            if not verdict.wrong:
                shutil.rmtree(case.folder)
            return verdict
        finally:
            with self._lock:
                self._free.append(server)

    def _verdict(self, server: Server, case: Case, point: Point) -> Verdict:
        disturbed = traced(case, "-o", os.devnull, "-e", f"trace={point.call}", "-e", point.injection)

        def apply() -> Run:
            return server.run(case.folder, "apply", "-y", environ=case.environ)

        applies = [apply()]
        while len(applies) < MOST_APPLIES and NOTHING not in applies[-1].out:
            applies.append(apply())
        # The loop's own pipe is a socket too, and no network can cut it.
        wrong = troubled([*applies] if "_read_from_self" in disturbed.err else [disturbed, *applies])
        if disturbed.code == -99:
            wrong.append("it hung")
        there = (case.folder / "imagebatch.lock").exists()
        declared = doubts(case.folder) if there else {}
        lost = unaccounted(case.folder, case.simulator) if there else []
        wrong += lost
        found = account(case.folder, case.simulator)
        if not there:
            wrong += ["there is no lock", *(f"exit {run.code}: {(run.out + run.err)[-600:]}" for run in applies)]
        elif declared:
            wrong += [f"{address} is in doubt, though its provider lists" for address in declared if address == "fox"]
            wrong += decided(server, case, declared)[1]
        else:
            now = snapshot(case.folder, case.simulator)
            wrong += differences(self._reference, now) + leftovers(case.folder)
            wrong += [f"exit {run.code}: {(run.out + run.err)[-600:]}" for run in applies[-1:] if run.code != 0]
        double = sum(count - 1 for count in bills(case.simulator).values())
        wrong += [f"billed {double} times too often"] if double else []
        return Verdict(
            point=point, disturbed=disturbed, applies=tuple(applies), wrong=tuple(wrong), account=found,
            doubts=len(declared), double=double, lost=len(lost),
        )  # fmt: skip


def test_a_call_that_kills_or_fails_costs_no_picture_twice_and_loses_none(
    servers: list[Server],
    providers: Providers,
    tmp_path: Path,
    home: Path,
    record_property: Callable[[str, object], None],
) -> None:
    refusal = strace_refuses()
    if refusal is not None:
        pytest.skip(refusal)
    began = time.monotonic()
    trace = tmp_path / "trace"
    with served(providers, tmp_path, home, "undisturbed", project=SETTINGS, manifest=MANIFEST) as case:
        run = traced(case, "-o", str(trace), "-e", f"trace={','.join(FAULTS)}")
        assert run.code == 0, run.out + run.err
        again = servers[0].run(case.folder, "apply", "-y", environ=case.environ)
        assert NOTHING in again.out
        reference = snapshot(case.folder, case.simulator)
    assert set(reference.bills.values()) == {1}
    calls = calls_of(trace.read_text("utf-8", "replace"))
    points = chosen(calls, os.environ.get("IMAGEBATCH_SYSCALL_POINTS", str(POINTS)))
    verdicts = Sweep(servers, providers, tmp_path, home, reference).run(points)
    bad = [one for one in verdicts if one.wrong]
    tally = Tally(level="Y")
    for one in verdicts:
        tally.add(one.account, kinds=dict.fromkeys(CLASSES.values(), 1), runs=1 + len(one.applies), lost=one.lost)
    record_property("seen", tally.seen(time.monotonic() - began))
    figure = (
        f"calls of the system: {len(verdicts)} points, {sum(one.double for one in verdicts)} double pays, "
        f"{sum(one.lost for one in verdicts)} losses, {sum(1 for one in verdicts if one.doubts)} left doubts, "
        f"{len(bad)} wrong, {time.monotonic() - began:.0f} s"
    )
    assert tally.counts["double pays"] == tally.counts["undeclared losses"] == 0, figure
    assert not bad, "\n\n".join([figure, *map(str, bad)])
