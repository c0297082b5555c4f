"""The cases of the area concurrency: two runs at once, in one checkout and in two, and what one leaves for the next."""

import errno
import fcntl
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cases.lock_scenes import until
from tests.cases.scenes import APPLY, PLAN, Scene, fine, shown
from tests.cases.world import Ran, World
from tests.repositories import clone, publish, refs, server

LEASE: Final = {"lease": "git", "remote": "origin"}
# As `APPLY`, but not compared with a plan afterwards: whoever stopped this one has ended by then.
AGAIN: Final = (*APPLY, "--no-progress")
_PATIENT: Final = {"deadline": "300s"}
_THREE: Final = {name: {"prompt": f"a fox called {name}", "output": f"out/{name}.jpg"} for name in ("a", "b", "c")}


def concurrency_scene(case: Mapping[str, Any], _: Mapping[str, Any] | None) -> Scene:
    """The scene of a case. Raises KeyError for an unknown one."""
    return SCENES[case["id"]]()


def shared_project(world: World) -> World:
    """The case's project as a clone of a server, with a shared lease; gives another machine's clone of it."""
    # The user's own name is none of git's business here, and an old clone may have been left by another process.
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage, state=LEASE))
    publish(world.project, server(world.base / "server"))
    other = World(name=world.name, base=world.base / "other", simulated=world.simulated)
    other.project.rmdir()
    clone(world.base / "server", other.project)
    return other


@contextmanager
def at_work(world: World, holder: World) -> Iterator["subprocess.Popen[bytes]"]:
    """An apply that is waiting for its first picture, and gets it at the end; what it paid does not count."""
    world.simulated.script([shown(status=2)])
    asked = world.asked("all-images", "poll")
    process = holder.start(*APPLY)
    try:
        until(lambda: world.asked("all-images", "poll") > asked or process.poll() is not None)
        assert process.poll() is None, f"the first run ended at once: {process.communicate()}"
        world.mark()
        yield process
        world.simulated.forget()
        if process.returncode is None:
            holder.ended(process, *APPLY)
    finally:
        world.simulated.forget()
        with suppress(ProcessLookupError):
            process.kill()
        process.communicate()


def _second_run(*command: str) -> Scene:
    """The command while another run holds the checkout."""

    def act(world: World) -> Ran:
        with at_work(world, world) as first:
            ran = world.run(*command)
            assert first.poll() is None, "the first run did not outlast the second"
        assert first.returncode == 0
        assert world.entries()["hero"]["status"] == "succeeded"
        return ran

    return Scene(provider=_PATIENT, act=act)


def _second_machine() -> Scene:
    """Two clones that share a lease."""

    def act(world: World) -> Ran:
        other = shared_project(world)
        with at_work(world, other) as first:
            ran = world.run(*AGAIN)
        assert first.returncode == 0
        assert refs(world.base / "server") == {}
        return ran

    def after(world: World, _: Ran) -> None:
        assert len(world.simulated.ledger(world.accounts)) == 1, "paid twice"

    return Scene(provider=_PATIENT, act=act, after=after)


def _stopped_holder() -> Scene:
    """A holder that sleeps while another machine breaks its lease and does its work."""

    def act(world: World) -> Ran:
        other = shared_project(world)
        world.write("imagebatch.yaml", world.project_file(lineage=world.lineage, state=LEASE))
        with at_work(world, world) as first:
            first.send_signal(signal.SIGSTOP)
            world.simulated.forget()
            held = fine(other, "lock", "show").out
            lease = held.partition("on the remote")[2].partition(" lease ")[2].split(",")[0]
            fine(other, "lock", "release", lease)
            fine(other, *APPLY, "--force", "new-lock")
            world.mark()
            first.send_signal(signal.SIGCONT)
            return world.ended(first, *AGAIN)

    def after(world: World, _: Ran) -> None:
        tokens = [one["token"] for one in world.simulated.ledger(world.accounts)]
        assert len(tokens) == len(set(tokens)) == 3, "paid twice"

    return Scene(assets=_THREE, provider={**_PATIENT, "max_concurrency": 1}, act=act, after=after)


def _killed_holder() -> Scene:
    """A run that was killed while its picture was being drawn."""

    def before(world: World) -> None:
        shared_project(world)
        world.simulated.script([shown(status=2)])
        process = world.start(*APPLY)
        try:
            until(lambda: world.asked("all-images", "poll") > 0 or process.poll() is not None)
            assert process.poll() is None, "the run ended before it could be killed"
        finally:
            process.kill()
            process.communicate()
            world.simulated.forget()

    return Scene(provider=_PATIENT, before=before, from_start=True)


def _orphan() -> Scene:
    """A run that was killed while its child still makes it the holder of the shared lease."""

    def before(world: World) -> None:
        shared_project(world)
        hook = world.base / "server" / "hooks" / "update"
        reached = world.base / "reached"
        hook.write_text(f'#!/bin/sh\ntouch "{reached}"\nsleep 2\n', encoding="utf-8")
        hook.chmod(0o755)
        process = world.start(*APPLY)
        try:
            until(reached.exists)
            children = [int(one) for one in _children_of(process.pid)]
            assert children, "the run has no child that could outlive it"
        finally:
            process.kill()
            process.communicate()
        hook.unlink()
        for one in children:
            os.kill(one, 0)  # it lives on

    def after(world: World, _: Ran) -> None:
        assert refs(world.base / "server") == {}

    return Scene(before=before, from_start=True, after=after)


def _children_of(pid: int) -> list[str]:
    """The children of all threads of a process."""
    return [one for path in Path(f"/proc/{pid}/task").glob("*/children") for one in path.read_text("ascii").split()]


def _no_locks() -> Scene:
    """A file system that knows no locks: the call itself says so."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    def act(world: World) -> Ran:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fcntl, "flock", refuse)
            return world.run(*AGAIN)

    return Scene(act=act)


def _linked_lock() -> Scene:
    """The lease's file as a link to another's file."""

    def before(world: World) -> None:
        victim = world.base / "elsewhere"
        victim.write_text("another's", encoding="utf-8")
        (world.project / ".imagebatch").mkdir()
        for name in ("lease.lock", "lock"):
            (world.project / ".imagebatch" / name).symlink_to(victim)

    def after(world: World, _: Ran) -> None:
        assert (world.base / "elsewhere").read_text("utf-8") == "another's"

    return Scene(before=before, after=after)


def _plan_twice(*, first_ever: bool) -> Scene:
    """A saved plan that was applied already."""

    def act(world: World) -> Ran:
        if first_ever:
            world.write("imagebatch.yaml", world.project_file())
        else:
            fine(world)
            world.assets(_THREE)
        path = str(world.project / "changes.plan")
        fine(world, "plan", "--out", path)
        fine(world, "apply", "--json", path)
        world.mark()
        return world.run("apply", "--json", path)

    return Scene(act=act)


def _wrong_id() -> Scene:
    """The id of another lease: here, and on the remote."""

    def act(world: World) -> Ran:
        other = shared_project(world)
        with at_work(world, other) as first:
            there = world.run("lock", "release", "ffffffff")
            assert (there.code, *there.codes) == (4, "lock.wrong_id"), str(there)
            here = other.run("lock", "release", "ffffffff")
            assert first.poll() is None
        assert first.returncode == 0
        return here

    return Scene(provider=_PATIENT, act=act)


SCENES: Final[Mapping[str, Callable[[], Scene]]] = {
    "co-two-applies-one-checkout": lambda: _second_run(*AGAIN),
    "co-two-runners-remote-lock": _second_machine,
    "co-lock-steal": _wrong_id,
    "co-lock-sigstop": _stopped_holder,
    "co-kill9-holder": _killed_holder,
    "co-nfs-flock": _no_locks,
    "co-lock-file-symlink": _linked_lock,
    "co-fork-inherits": _orphan,
    "co-plan-during-apply": lambda: _second_run(*PLAN),
    "co-stale-plan": lambda: _plan_twice(first_ever=False),
    "co-stale-plan-empty-state": lambda: _plan_twice(first_ever=True),
}
