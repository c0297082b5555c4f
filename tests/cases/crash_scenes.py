"""The cases of the area crash: kill -9, power loss and broken callbacks at places of a run, and then an apply."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from tests.cases.disturbed import CREATE, INSTANT, after, before, broken, killed, launched, places
from tests.cases.scenes import APPLY, HERO, Scene, fine
from tests.cases.world import Ran, World
from tests.program.running import Place
from tests.simulation.disturbing import Disturbance, disturbance, disturbed

THREE: Final = ("fox", "owl", "jar")
_OUT: Final = "out"
POWER_LOSSES: Final = 30
"""Worlds that lose their power here; the simulation has thousands."""


def three(face: str) -> dict[str, Any]:
    """Three assets of one provider."""
    ext = HERO[face]["output"].rpartition(".")[2]
    return {name: {**HERO[face], "prompt": f"a {name}", "output": f"{_OUT}/{name}.{ext}"} for name in THREE}


def _whole(world: World, _: Ran) -> None:
    """All three are there, each drawn once, and nobody has to do anything by hand."""
    entries = world.entries()
    assert {name: entry["status"] for name, entry in entries.items()} == dict.fromkeys(THREE, "succeeded")
    assert {one["token"] for one in world.billed("create")} <= {entry["token"] for entry in entries.values()} | {""}
    assert all((world.project / output["path"]).is_file() for entry in entries.values() for output in entry["outputs"])
    assert not list(world.project.rglob("*.ib-tmp*"))
    assert not (world.project / ".imagebatch/lease.json").exists()


def _killed(
    where: Callable[[Sequence[Place]], Place],
    *,
    face: str = "all-images",
    then: Callable[[World, Ran], None] = lambda _, __: None,
    look: Callable[[World, Ran], None] = _whole,
) -> Callable[[], Scene]:
    """An apply dies at a place, `then` looks at what is left of it, and the next apply counts."""

    def before_it(world: World) -> None:
        then(world, killed(world, where))

    # One at a time: then the places of two runs are the same.
    usual = {"max_concurrency": 1}
    return lambda: Scene(face=face, assets=three(face), provider=usual, before=before_it, from_start=True, after=look)


def _nothing_sent(world: World, _: Ran) -> None:
    assert not world.billed("create")


def _half_a_lock(world: World, _: Ran) -> None:
    (temp,) = world.project.glob(".imagebatch.lock.ib-tmp*")
    data = temp.read_bytes()
    temp.write_bytes(data[: len(data) // 2])


def _in_doubt_alone(world: World, _: Ran) -> None:
    states = sorted(entry["status"] for entry in world.entries().values())
    assert states == ["in_doubt", "succeeded", "succeeded"]


def _lock_freed(places_: Sequence[Place]) -> Place:
    return next(place for place in reversed(places_) if place[0] == "unlink lease.json")


def _vm_gone() -> Scene:
    """The lock of an earlier run is in git; the rest of the machine is not."""

    def before_it(world: World) -> None:
        whole = three("all-images")
        world.assets({"fox": whole["fox"]})
        fine(world)
        world.assets(whole)
        ran = launched(world, *APPLY, kill=(f"got {CREATE}", 1))
        assert ran.code < 0, str(ran)
        shutil.rmtree(world.project / ".imagebatch")
        shutil.rmtree(world.project / _OUT)

    return Scene(assets=three("all-images"), before=before_it, from_start=True, after=_whole)


def _power_loss(*policies: str) -> Callable[[], Scene]:
    """The real program on a disk that forgets what was not synced, many times; then once more for all to see."""

    def before_it(_: World) -> None:
        ran = 0
        number = 0
        while ran < POWER_LOSSES:
            number += 97  # far apart, so that all scenarios and places come
            one: Disturbance = disturbance(number)
            if one.policy not in policies or one.life.scenario.name == "verbs":
                continue
            ran += 1
            verdict = disturbed(one)
            assert verdict.double_pays == 0, str(verdict)
            assert not verdict.wrong, str(verdict)

    return lambda: Scene(assets=three("all-images"), before=before_it, after=_whole)


def _out_of_memory() -> Scene:
    """The kernel kills with the signal that nobody hears, here while a picture comes in."""

    def before_it(world: World) -> None:
        killed(world, lambda found: after(found, f"got {CREATE}", "open ID.part"))

    return Scene(before=before_it, from_start=True)


def _callbacks() -> Scene:
    """Something of ours breaks in the middle: the run says so in one line, and the next one goes on."""

    def before_it(world: World) -> None:
        found = places(world)
        for name in ("commit journal.db", "replace HASH", "write imagebatch.lock"):
            assert any(place[0].startswith(name) for place in found)
            ran = broken(world, name, lambda _: RuntimeError("a callback broke"), once=True)
            assert ran.code in {1, 3}, str(ran)
            assert "Traceback" not in ran.err
            world.runs.remove(ran)  # an internal error is what it has to say

    return Scene(before=before_it, from_start=True)


SCENES: Final[Mapping[str, Callable[[], Scene]]] = {
    "cr-kill9-03": _killed(lambda found: before(found, f"send {CREATE}", "commit journal.db"), then=_nothing_sent),
    "cr-kill9-04": _killed(lambda found: after(found, "committed journal.db", f"send {CREATE}"), then=_nothing_sent),
    "cr-kill9-10": _killed(lambda found: after(found, "link ", f"fsync {_OUT}")),
    "cr-kill9-11": _killed(
        lambda found: after(found, "write imagebatch.lock", "fsync imagebatch.lock"), then=_half_a_lock
    ),
    "cr-kill9-13": _killed(lambda found: after(found, "replace imagebatch.lock", "vacuum journal.db")),
    "cr-kill9-14": _killed(_lock_freed),
    "cr-kill9-sync-spooled": _killed(lambda found: after(found, f"got {INSTANT}", "commit journal.db"), face="openai"),
    "cr-kill9-sync-half-spool": _killed(lambda found: (f"got {INSTANT}", 2), face="openai", look=_in_doubt_alone),
    "cr-power-loss": _power_loss("only what was synced"),
    "cr-power-loss-reorder": _power_loss("torn and reordered"),
    "cr-oom": _out_of_memory,
    "cr-python-exception": _callbacks,
    "cr-disk-gone": _vm_gone,
}
