"""The cases of the area disk: full, forbidden and odd disks under the real program."""

import errno
import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.cases.disturbed import broken, failing, full
from tests.cases.scenes import APPLY, HERO, Scene, fine
from tests.cases.world import Ran, World

_MANY: Final = 10
_SMALL: Final = 40 << 10
_INTERRUPTED: Final = """
import signal, sys
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
from imagebatch.cli.main import main
code = main(sys.argv[1:])
signal.setitimer(signal.ITIMER_REAL, 0)
sys.exit(code)
"""


def _recovered(paid: int = 1) -> Callable[[World, Ran], None]:
    """With a disk that works again the next apply ends it, and nothing more is paid than one picture each."""

    def after(world: World, _: Ran) -> None:
        ran = fine(world)
        assert set(ran.ends.values()) <= {"done"}
        assert len(world.billed("create")) == paid, "a full disk cost a picture"
        assert {entry["status"] for entry in world.entries().values()} == {"succeeded"}
        assert not fine(world, "plan", "--json").lines[0]["changes"]

    return after


def _no_intent() -> Scene:
    """Neither does the request leave whose intent cannot be written."""

    def after(world: World, ran: Ran) -> None:
        assert world.asked("all-images", "create") == 0
        _recovered()(world, ran)

    return Scene(act=lambda world: broken(world, "commit journal.db", full, behind=("replace lineage",)), after=after)


def _no_lock() -> Scene:
    def after(world: World, ran: Ran) -> None:
        assert world.lock.read_bytes() == (world.project / "lock-before").read_bytes(), "the old lock is not whole"
        _recovered(paid=1)(world, ran)

    def before(world: World) -> None:
        world.assets({"other": {"prompt": "an owl", "output": "out/owl.jpg"}})
        fine(world)
        world.write("lock-before", world.lock.read_bytes())
        world.assets({"hero": HERO["all-images"], "other": {"prompt": "an owl", "output": "out/owl.jpg"}})

    fault = failing(errno.ENOSPC)
    return Scene(before=before, act=lambda world: broken(world, "write imagebatch.lock", fault), after=after)


def _nothing_more() -> Scene:
    """From the create's answer on nothing at all can be written: what was taken is said."""

    def run(world: World) -> Ran:
        return broken(world, "", full, behind=("replace lineage", "committed journal.db"))

    def after(world: World, ran: Ran) -> None:
        (paid,) = world.billed("create")
        assert f"{paid['token']} was taken as generation {paid['generation_id']}" in ran.err + ran.out
        (said,) = ran.of_type("summary")
        assert (said["in_doubt"], said["requests"]["create"]) == (1, 1), "the summary tells nothing of it"
        _recovered()(world, ran)

    return Scene(act=run, after=after)


def _interrupted() -> Scene:
    """A timer of a millisecond interrupts whatever waits in the kernel."""

    def run(world: World) -> Ran:
        process = _started(world, [sys.executable, "-c", _INTERRUPTED])
        return world.ended(process, *APPLY)

    return Scene(act=run)


def limited(limit: int, soft: int) -> Callable[[World], Ran]:
    def run(world: World) -> Ran:
        code = f"import resource; resource.setrlimit({limit}, ({soft}, {soft}))\n"
        process = _started(world, [sys.executable, "-c", code + _PLAIN])
        return world.ended(process, *APPLY)

    return run


_PLAIN: Final = """
import sys
from imagebatch.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def _started(world: World, command: Sequence[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [*command, "-C", str(world.project), *APPLY], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, cwd=world.base, env={**world.variables(), "PYTHONPATH": str(_REPOSITORY)},
    )  # fmt: skip


_REPOSITORY: Final = Path(__file__).resolve().parents[2]


def _few_handles() -> Scene:
    """Too few for one generation: that is said before anything is paid. With a few more it is slow, and done."""
    assets = {f"fox-{number}": {"prompt": f"fox {number}", "output": f"out/{number}.jpg"} for number in range(_MANY)}

    def after(world: World, _: Ran) -> None:
        ran = limited(resource.RLIMIT_NOFILE, 48)(world)
        assert (ran.code, set(ran.ends.values())) == (0, {"done"}), str(ran)
        assert len(world.entries()) == len(world.billed("create")) == _MANY

    return Scene(assets=assets, act=limited(resource.RLIMIT_NOFILE, 32), after=after)


def _small_files() -> Scene:
    """No file may grow past a size that the picture has."""
    return Scene(act=limited(resource.RLIMIT_FSIZE, _SMALL), after=_recovered())


def _other_file_system() -> Scene:
    """As where `out` is mounted: nothing can be renamed or linked into it from elsewhere."""

    def run(world: World) -> Ran:
        with _apart_file_systems(world.project / "out"):
            return world.run(*APPLY)

    return Scene(act=run)


@contextmanager
def _apart_file_systems(folder: Path) -> Iterator[None]:
    """Between a folder and the rest of the world nothing is renamed or linked."""
    usual = {"replace": os.replace, "rename": os.rename, "link": os.link}

    def apart(name: str) -> Callable[..., None]:
        def call(src: Any, dst: Any, **folders: Any) -> None:
            there, here = (
                _folder_of(path, folders.get(key)) for path, key in ((src, "src_dir_fd"), (dst, "dst_dir_fd"))
            )
            if (there == folder) != (here == folder):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(src))
            usual[name](src, dst, **folders)

        return call

    try:
        for name in usual:
            setattr(os, name, apart(name))
        yield
    finally:
        for name, call in usual.items():
            setattr(os, name, call)


def _folder_of(path: Any, handle: int | None) -> Path:
    base = Path() if handle is None else Path(f"/proc/self/fd/{handle}").readlink()
    return (base / os.fsdecode(path)).resolve().parent


def _umask() -> Scene:
    def run(world: World) -> Ran:
        before = os.umask(0)
        try:
            return world.run(*APPLY)
        finally:
            os.umask(before)

    def after(world: World, _: Ran) -> None:
        state = world.project / ".imagebatch"
        assert stat.S_IMODE(state.stat().st_mode) == 0o700, "others may look into .imagebatch"
        private = {path.name: stat.S_IMODE(path.stat().st_mode) for path in state.glob("journal.db*")}
        assert set(private.values()) == {0o600}, private
        assert stat.S_IMODE((world.project / "out/hero.jpg").stat().st_mode) == 0o644
        assert stat.S_IMODE(world.lock.stat().st_mode) == 0o644

    return Scene(act=run, after=after)


def _leftover() -> Scene:
    """A dead run's half file lies beside the output; nobody takes it for a picture."""

    def before(world: World) -> None:
        world.write("out/.hero.jpg.ib-tmp-1234", b"half a picture")

    def after(world: World, _: Ran) -> None:
        assert (world.project / "out/hero.jpg").stat().st_size > 1000
        assert [one["path"] for one in world.entries()["hero"]["outputs"]] == ["out/hero.jpg"]

    return Scene(before=before, after=after)


def _one_name_in_two_cases() -> Scene:
    """On a disk that does not tell cases apart two such names would be one file: refused on every disk."""

    def after(world: World, _: Ran) -> None:
        two = {name: {**HERO["all-images"], "output": f"out/{name}.jpg"} for name in ("Hero", "hero2")}
        two["Hero"]["output"] = "out/HERO2.jpg"
        world.assets(two)
        refused = world.run(*APPLY)
        assert (refused.code, "path.collision" in refused.codes) == (1, True), str(refused)
        world.assets({"hero": HERO["all-images"]})
        assert not json.loads(world.run("plan", "--json").out)["changes"]

    return Scene(after=after)


SCENES: Final[Mapping[str, Callable[[], Scene]]] = {
    "di-enospc-intent": _no_intent,
    "di-enospc-lockfile": _no_lock,
    "di-enospc-everything": _nothing_more,
    "di-eintr": _interrupted,
    "di-emfile": _few_handles,
    "di-fsize": _small_files,
    "di-rename-exdev": _other_file_system,
    "di-umask": _umask,
    "di-tmp-leftover": _leftover,
    "di-case-insensitive-fs": _one_name_in_two_cases,
}
