"""A world for the real program to run in: disk, databases, time, chance, threads, children and network, all simulated.

A run dies at a chosen effect. What the disk keeps is decided by a policy; the provider goes on living. Everything comes
from one seed, so a world that went wrong can be made again.
"""

import asyncio
import json
import signal
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PosixPath
from random import Random
from typing import Any, ParamSpec, Self, TypeVar

from imagebatch.effects import seams
from imagebatch.effects.git import Git, GitFailed
from imagebatch.effects.processes import Child, ChildGone
from imagebatch.effects.threads import Begun, Pool, Repeating, Writer
from tests.seams.watching import place
from tests.simulation.databases import SimulatedDatabases
from tests.simulation.disk import Policy, SimulatedDisk
from tests.simulation.network import SimulatedNetwork
from tests.simulation.pictures import looked_at
from tests.simulation.providers import Providers
from tests.simulation.virtual_time import Crash, VirtualClock

P = ParamSpec("P")
T = TypeVar("T")


class SteadyPath(PosixPath):
    """A path that knows what it was joined to: a run joins the same names again and again."""

    __slots__ = ("_joined", "_text")
    _joined: dict[str, Self]
    _text: str

    def __truediv__(self, name: Any) -> Self:
        if not isinstance(name, str):
            return super().__truediv__(name)
        try:
            known = self._joined
        except AttributeError:
            known = self._joined = {}
        made = known.get(name)
        if made is None:
            if len(known) == _MOST_NAMES:
                known.clear()
            made = known[name] = super().__truediv__(name)
        return made

    def __fspath__(self) -> str:
        try:
            return self._text
        except AttributeError:
            self._text = super().__fspath__()
            return self._text


_MOST_NAMES = 1000
HOME: Path = SteadyPath("/project")


class World:
    """One world. `seed` decides everything that is left to chance in it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)  # noqa: S311  # it has to be the same again
        self.clock = VirtualClock()
        self.disk = SimulatedDisk(self.effect)
        self.databases = SimulatedDatabases(self.disk, self.effect)
        self.providers = Providers(self.clock, Random(seed + 1))  # noqa: S311  # as above
        self.network = SimulatedNetwork(self)
        self.threads = SimulatedThreads(self)
        self.processes = SimulatedProcesses(self)
        self.chance = SimulatedChance(self.random)
        self.crash_at: int | None = None
        self.crash_after = False
        self.effects = 0
        self.trace: list[str] | None = None
        self.dead = False
        self.died_at = ""
        self.meanwhile: tuple[int, Callable[[], None]] | None = None
        """What somebody else does at the n-th effect of the run, while it stands still."""
        self.watched: frozenset[int] = frozenset()
        """Before which effects of the run a copy of the world is kept."""
        self.copies: dict[int, World] = {}

    def effect(self, verb: str, what: str) -> None:
        """Something is about to change the world; the process may die before it."""
        if self.dead:
            raise Crash(f"{verb} {what} by a process that is dead")
        self.effects += 1
        if self.trace is not None:
            self.trace.append(f"{verb} {place(what)}")
        if self.meanwhile is not None and self.effects >= self.meanwhile[0] and verb != "send":
            # Not between a request's last check and its first byte: that nobody can prevent (docs/reliability.md).
            (_, others), self.meanwhile = self.meanwhile, None
            self._standing_still(others)
        if self.effects in self.watched:
            self.copies[self.effects] = self._copy(f"{verb} {place(what)}")
        if self.effects == self.crash_at:
            self.died_at = f"{verb} {place(what)}"
            self.dead = True
            raise Crash(self.died_at)

    def _standing_still(self, others: Callable[[], None]) -> None:
        """Let somebody else do something while this process is stopped in the middle of everything."""
        for under_way in self.network.late:
            self.network.arrive(under_way)  # the network does not stand still
        loop, number, effects = asyncio._get_running_loop(), self.processes.number, self.effects
        asyncio._set_running_loop(None)
        self.processes.standing_still = number
        self.processes.number += 100
        crash_at, self.crash_at = self.crash_at, None
        try:
            others()
        finally:
            asyncio._set_running_loop(loop)
            self.processes.standing_still = None
            self.processes.number, self.effects, self.crash_at = number, effects, crash_at

    def reboot(self, policy: Policy) -> None:
        """After the process ended: what the disk kept is what there is; what was under way arrives or does not."""
        self.disk.cut(policy, self.random)
        self.databases.cut(policy, self.random)
        self.network.cut(self.random)
        self.dead = False
        self.processes.number += 1

    def begin(self, crash_at: int | None = None) -> None:
        """A process starts; it dies at the `crash_at`-th effect from now."""
        self.effects = 0
        self.crash_at = crash_at

    @contextmanager
    def installed(self) -> Iterator[None]:
        """This world is the one that the program runs in."""
        names = ("disk", "databases", "clock", "chance", "threads", "processes", "network", "git")
        before = {name: getattr(seams, name) for name in names}
        for name in names:
            setattr(seams, name, getattr(self, name))
        try:
            yield
        finally:
            for name, one in before.items():
                setattr(seams, name, one)

    def take_over(self, other: "World") -> None:
        """Begin where another world stands: its disk, its databases, its network, and what its providers know."""
        self.disk.take_over(other.disk)
        self.databases.take_over(other.databases)
        self.providers.take_over(other.providers)
        self.network.take_over(other.network)
        self.clock.now = other.clock.now

    def _copy(self, died_at: str) -> "World":
        """This world as it is now, in which the process died."""
        other = World(self.seed)
        other.take_over(self)
        other.providers.ways = replace(self.providers.ways)
        other.dead, other.died_at = True, died_at
        return other

    def reseed(self, seed: int) -> None:
        """What is left to chance from now on follows from `seed`."""
        self.random.seed(seed)
        self.providers.random.seed(seed + 1)

    def git(self, root: Path, remote: str, variables: Mapping[str, str]) -> Git:
        """There is no repository here."""
        del root, remote, variables
        raise GitFailed("unusable", "no repository")


class SimulatedChance:
    """Chance from the world's seed."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def fraction(self) -> float:
        return self._random.random()

    def hex(self, count: int) -> str:
        return self._random.randbytes(count).hex()


class SimulatedThreads:
    """Work beside the loop, done on it after a moment: in one order, and others go on meanwhile."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def aside(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        await asyncio.sleep(self._world.random.random() * 0.002)
        return work(*args, **kwargs)

    def writer(self, step: Callable[[], bool], pause_s: Callable[[], float], *, linger_s: float, name: str) -> Writer:
        del linger_s, name
        return _Writer(step, pause_s)

    def repeating(self, work: Callable[[], None], every_s: float, *, name: str) -> Repeating:
        del work, every_s, name
        return _Nothing()

    def begin(self, work: Callable[[], None], *, name: str, after_s: float = 0.0) -> Begun:
        raise AssertionError(f"nothing of a run begins a thread of its own: {name} {work} {after_s}")

    def pool(self, count: int, *, name: str) -> Pool:
        del count, name
        return _Pool(self)


class _Nothing:
    def end(self) -> None:
        """It never began."""


class _Pool:
    def __init__(self, threads: SimulatedThreads) -> None:
        self._threads = threads

    def submit(self, work: Callable[[], T]) -> Awaitable[T]:
        return asyncio.ensure_future(self._threads.aside(work))

    def end(self) -> None:
        """Whatever is left is the loop's."""


class _Writer:
    def __init__(self, step: Callable[[], bool], pause_s: Callable[[], float]) -> None:
        self._step = step
        self._pause_s = pause_s
        self._alarm: asyncio.TimerHandle | None = None

    def wake(self) -> None:
        loop = asyncio._get_running_loop()
        if loop is None:
            self._due()  # whoever woke it has no loop, and waits
        elif self._alarm is None:
            self._alarm = loop.call_later(max(0.0, self._pause_s()) + 0.001, self._due)

    def hurry(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._due()

    def end(self) -> None:
        self.hurry()

    def _due(self) -> None:
        self._alarm = None
        self._step()


class SimulatedProcesses:
    """This process, and decoders that answer at once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.number = 4000
        self.standing_still: int | None = None

    def pid(self) -> int:
        return self.number

    def host(self) -> str:
        return "simulated"

    def cores(self) -> int:
        return 2

    def handles(self) -> int | None:
        return None

    def largest_file(self) -> int | None:
        return None

    def is_alive(self, pid: int) -> bool | None:
        return pid in {self.number, self.standing_still} and not self._world.dead

    def started(self, pid: int) -> str | None:
        return str(pid)

    def child(self, command: Sequence[str], environ: Mapping[str, str]) -> Child:
        del command, environ
        return _Decoder(self._world)

    def pipe_child(self, *_: object) -> Any:
        raise AssertionError("a run renders no template")

    def ignores(self, number: signal.Signals) -> bool:
        del number
        return False

    def on_signals(self, numbers: Sequence[signal.Signals], heard: Callable[[signal.Signals], None]) -> None:
        """Signals come to the real program only (level K)."""

    def after_signals(self, numbers: Sequence[signal.Signals], late: Callable[[int], None]) -> None:
        """As above."""

    def say_last(self, text: str) -> None:
        """As above."""

    def leave(self, code: int) -> None:
        raise Crash(str(code))


class _Decoder:
    """A decoder child: it reads what its parent wrote, and syncs what it found good."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._said: deque[bytes] = deque([b'{"ready": true}\n'])
        self.alive = True

    def say(self, line: bytes) -> None:
        job = json.loads(line)
        disk = self._world.disk
        if job["do"] == "check":
            found = looked_at(_content(disk, job["path"]))
            if "bad" not in found:
                handle = disk.open(job["path"], 0)
                disk.fsync(handle)
                disk.close(handle)
        else:
            data = b"developed " + _content(disk, job["source"])
            for steps in job["files"]:
                handle = disk.open(steps["target"], 0o1102)
                disk.write(handle, data)
                disk.close(handle)
            found = {"files": [{"bytes": len(data)} for _ in job["files"]]}
        self._said.append(json.dumps({**found, "job": job["job"]}).encode() + b"\n")

    def line(self, seconds: float, longest: int) -> bytes:
        del seconds, longest
        if not self._said:
            raise ChildGone
        return self._said.popleft()

    def signal(self, number: signal.Signals) -> None:
        del number

    def kill(self) -> None:
        self.alive = False

    def close(self) -> None:
        self.alive = False

    def end(self, patience_s: float) -> None:
        del patience_s
        self.alive = False


def _content(disk: SimulatedDisk, path: str) -> bytes:
    handle = disk.open(path, 0)
    data = disk.read(handle, 1 << 30)
    disk.close(handle)
    return data


def counted(names: Sequence[str]) -> Mapping[str, int]:
    """How often each effect happens in a trace."""
    return Counter(names)
