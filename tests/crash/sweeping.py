"""Sweeps: the same project run again and again, killed each time at another place, recovered, and compared."""

import json
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.checking import Bill, Snapshot, bills, differences, leftovers, snapshot, troubled
from tests.crash.projects import shared_beside, write_project
from tests.crash.tally import Account, account
from tests.program.providing import Providers
from tests.program.running import Place, Run, Server, environment

AT_ONCE = 2
MOST_APPLIES = 3
NOTHING = "Nothing to do"
KILLED = -9
PLACES = "IMAGEBATCH_CRASH_PLACES"

Environ = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One project of a sweep: its folder, its variables, and the data folder of its provider."""

    folder: Path
    environ: Environ
    simulator: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What came of one place: the killed runs, the applies after them, and what is not as it should be.

    `account` is how it stood after the applies, `lost` counts the bills that nobody accounted for then.
    """

    place: Place
    killed: tuple[Run, ...]
    applies: tuple[Run, ...]
    wrong: tuple[str, ...]
    account: Account
    lost: int
    doubts: int = 0

    @property
    def kills(self) -> int:
        """How many of its runs died."""
        return sum(run.code == KILLED for run in self.killed)

    def __str__(self) -> str:
        codes = [run.code for run in self.applies]
        died = [run.code for run in self.killed]
        head = f"killed before {json.dumps(self.place)}: {died}, then {codes}"
        said = [f"apply {number} said: {run.out}" for number, run in enumerate(self.applies, start=1)]
        return "\n    ".join([head, *(line for one in (*self.wrong, *said) for line in one.splitlines())])


@contextmanager
def served(providers: Providers, base: Path, home: Path, name: str, *, project: str, manifest: str) -> Iterator[Case]:
    """A fresh project, and a provider of its own that lives through all its runs."""
    folder = write_project(base / name, project, manifest)
    data = base / f"{name}-provider"
    shared = shared_beside(folder)
    shared.mkdir()
    with providers.start(data, folder / "profile.yaml") as origin:
        environ = environment(home, ORIGIN=origin, SHARED=str(shared))
        yield Case(folder=folder, environ=environ, simulator=data)


MakeCase = Callable[[str], AbstractContextManager[Case]]
Check = Callable[[Server, Case, Snapshot, list[Run]], tuple[list[str], int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Runs `apply` in cases that `make` makes; `check` settles what is left and says what is wrong.

    With `deaths` above 1 the run that recovers dies at the same place too, and so on: until that many have died or one
    has come to its end.
    """

    servers: Sequence[Server]
    make: MakeCase
    check: Check
    deaths: int = 1
    strays: set[Bill] = field(default_factory=set)
    free: list[Server] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def undisturbed(self, trace: Path) -> tuple[Snapshot, list[Place], list[Run]]:
        """One run that nobody disturbs: what it leaves, its effects in order, and it with an empty run after it."""
        with self.make(trace.stem) as case:
            run = self.servers[0].run(case.folder, "apply", "-y", trace=trace, environ=case.environ)
            again = self.servers[0].run(case.folder, "apply", "-y", environ=case.environ)
            seen: Counter[str] = Counter()
            places: list[Place] = []
            for name in trace.read_text(encoding="utf-8").splitlines():
                seen[name] += 1
                if trace.stem not in name.split():  # the project's own folder has another name in each case
                    places.append((name, seen[name]))
            self.strays.update(account(case.folder, case.simulator).strays)
            return snapshot(case.folder, case.simulator), places, [run, again]

    def run(self, reference: Snapshot, places: Sequence[Place]) -> list[Recovery]:
        """Kill at each place, recover, compare; two at a time."""
        self.free[:] = self.servers
        with ThreadPoolExecutor(len(self.servers)) as threads:
            return list(threads.map(lambda numbered: self._one(reference, *numbered), enumerate(places)))

    def _one(self, reference: Snapshot, number: int, place: Place) -> Recovery:
        with self._server() as server, self.make(f"kill-{number}") as case:
            killed: list[Run] = []
            while len(killed) < self.deaths and all(run.code == KILLED for run in killed):
                killed.append(server.run(case.folder, "apply", "-y", kill=place, environ=case.environ))
            applies: list[Run] = []
            while len(applies) < MOST_APPLIES and not (applies and NOTHING in applies[-1].out):
                applies.append(server.run(case.folder, "apply", "-y", environ=case.environ))
            found = account(case.folder, case.simulator)
            lost = found.strays - self.strays
            wrong, doubts = self.check(server, case, reference, applies)
            wrong += [f"billed and not accounted for: {bill}" for bill in sorted(lost)]
            wrong += [f"billed {found.double} times too often"] if found.double else []
            wrong += troubled([*killed, *applies])
            if not wrong:
                shutil.rmtree(case.folder)
            return Recovery(
                place=place, killed=tuple(killed), applies=tuple(applies), wrong=tuple(wrong), account=found,
                lost=len(lost), doubts=doubts,
            )  # fmt: skip

    @contextmanager
    def _server(self) -> Iterator[Server]:
        with self.lock:
            server = self.free.pop()
        try:
            yield server
        finally:
            with self.lock:
                self.free.append(server)


def as_undisturbed(_: Server, case: Case, reference: Snapshot, applies: list[Run]) -> tuple[list[str], int]:
    """Nothing may tell the recovered project from one that nobody disturbed."""
    wrong = differences(reference, snapshot(case.folder, case.simulator)) + leftovers(case.folder)
    wrong += [f"exit {run.code}: {(run.out + run.err)[-600:]}" for run in applies if run.code != 0]
    if NOTHING not in applies[-1].out:
        wrong.append(f"after {len(applies)} applies there is still something to do")
    return wrong, 0


def decided(server: Server, case: Case, found: Mapping[str, tuple[str, ...]]) -> tuple[frozenset[str], list[str]]:
    """A person looks at the bill and decides about each doubt: the addresses that were paid, and what is wrong then."""
    billed = bills(case.simulator)
    paid = frozenset(
        address for address, tokens in found.items() if any(("create", one, "") in billed for one in tokens)
    )
    for address in found:
        way = ("--resend", "-y") if address in paid else ("--abandon",)
        server.run(case.folder, "resolve", address, *way, environ=case.environ)
    last = [server.run(case.folder, "apply", "-y", environ=case.environ) for _ in range(2)]
    wrong = [f"after resolve, exit {run.code}: {run.out + run.err}"[-900:] for run in last if run.code != 0]
    if NOTHING not in last[-1].out:
        wrong.append("after resolve and an apply there is still something to do")
    return paid, wrong + leftovers(case.folder)


def chosen(places: Sequence[Place], count: int, around: Sequence[str] = ()) -> list[Place]:
    """`count` places spread evenly, and those around the first, the middle and the last of some requests.

    `IMAGEBATCH_CRASH_PLACES=all` takes every place, a number that many.
    """
    asked = os.environ.get(PLACES, str(count))
    if asked == "all":
        return list(places)
    count = min(int(asked), len(places))
    spread = [places[index * len(places) // count] for index in range(count)]
    near: list[Place] = []
    for name in (f"{step} {request}" for request in around for step in ("send", "recv", "got")):
        found = [place for place in places if place[0] == name]
        near += [found[0], found[len(found) // 2], found[-1]]
    return list(dict.fromkeys([*spread, *near]))
