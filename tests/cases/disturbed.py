"""Commands that are disturbed: killed or signalled at an effect, or told by the disk that it cannot."""

import atexit
import errno
import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from tests.cases.scenes import APPLY
from tests.cases.world import Ran, World
from tests.program.running import Place, Server
from tests.seams.watching import watched

CREATE: Final = "POST /all-images/v1/image-generations"
INSTANT: Final = "POST /openai/v1/images/generations"


@cache
def server() -> Server:
    """The fork server of this process, ended with it."""
    made = Server(Path(mkdtemp(prefix="imagebatch-cases-")))
    atexit.register(made.close)
    return made


def launched(
    world: World, *arguments: str, kill: Place | None = None, by: int = signal.SIGKILL, trace: Path | None = None
) -> Ran:
    """A command in a process of its own, which gets a signal just before an effect."""
    began = time.monotonic()
    run = server().run(world.project, *arguments, kill=kill, by=by, trace=trace, environ=world.variables())
    return world.came_of(arguments, run.code, run.out, run.err, began)


def places(world: World) -> list[Place]:
    """The effects of an undisturbed apply, in order, of a twin: same project, other lineage and accounts."""
    twin = World(name=f"{world.name}-twin", base=world.base / "twin", simulated=world.simulated)
    twin.copy_from(world)
    twin.settings = world.settings
    twin.write("imagebatch.yaml", twin.project_file(lineage=twin.lineage))
    trace = world.base / "trace"
    ran = launched(twin, *APPLY, trace=trace)
    assert ran.code == 0, str(ran)
    seen: Counter[str] = Counter()
    found: list[Place] = []
    for name in trace.read_text("utf-8").splitlines():
        seen[name] += 1
        found.append((name, seen[name]))
    return found


def before(found: Sequence[Place], mark: str, name: str) -> Place:
    """The last effect of a name before the first one whose name begins with `mark`."""
    first = next(index for index, place in enumerate(found) if place[0].startswith(mark))
    return next(place for place in reversed(found[:first]) if place[0].startswith(name))


def after(found: Sequence[Place], mark: str, name: str) -> Place:
    """The first effect of a name behind the first one whose name begins with `mark`."""
    first = next(index for index, place in enumerate(found) if place[0].startswith(mark))
    return next(place for place in found[first + 1 :] if place[0].startswith(name))


def killed(world: World, where: Callable[[Sequence[Place]], Place], *arguments: str) -> Ran:
    """A command that dies before an effect, which is chosen from those of an undisturbed run."""
    ran = launched(world, *(arguments or APPLY), kill=where(places(world)))
    assert ran.code == -signal.SIGKILL, str(ran)
    return ran


def broken(
    world: World, name: str, fault: Callable[[str], Exception], *, once: bool = False, behind: Sequence[str] = ()
) -> Ran:
    """An apply whose disk fails at effects that begin with `name`, once those that `behind` names have come in turn."""
    hit = 0
    awaited = list(behind)

    def hook(effect: str) -> None:
        nonlocal hit
        if awaited:
            if effect.startswith(awaited[0]):
                del awaited[0]
        elif effect.startswith(name) and not (once and hit):
            hit += 1
            raise fault(effect)

    with watched(hook):
        ran = world.run(*APPLY)
    assert hit, f"nothing was done that begins with {name}"
    return ran


def failing(number: int) -> Callable[[str], OSError]:
    """What the system says of a call with this errno."""
    return lambda _: OSError(number, os.strerror(number))


def full(effect: str) -> Exception:
    """What a full disk says to an effect, by whose way it goes."""
    if not effect.endswith(".db"):
        return failing(errno.ENOSPC)(effect)
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorname = "SQLITE_FULL"
    return error
