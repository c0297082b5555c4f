"""The plain seams, watched: a hook hears of every effect before it happens, by a name that is the same in every run.

Only what changes the world is told: a place between two readings cannot be told from the next change. The hook may
count, write down, raise what a broken disk would raise, or end the process.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from imagebatch.effects import seams
from imagebatch.effects.databases import BUSY_S, Databases
from imagebatch.effects.disk import ADD, APPEND, NEW, OVER, Disk, PathLike

Hook = Callable[[str], None]

WRITING: Final = frozenset({ADD, APPEND, NEW, OVER})
_TELLING: Final = re.compile(
    r"(?P<temp>^\.(?P<name>.+?)\.ib-tmp(?:-\d+)?$)|(?P<hash>^[0-9a-f]{64}\.)|(?P<part>^\d+-\d+\.part$)|(?P<token>^ib-[a-z2-7]{16}\.)"
)
_SQL: Final = {"COMMIT": "commit", "VACUUM": "vacuum", "PRAGMA wal_checkpoint(TRUNCATE)": "checkpoint"}


def place(path: PathLike) -> str:
    """A path's last name without what differs from run to run."""
    name = Path(path).name or "."
    found = _TELLING.match(name)
    if found is None:
        return name
    if found["temp"]:
        return str(found["name"])
    return "ID.part" if found["part"] else f"{'HASH' if found['hash'] else 'TOKEN'}.{name.partition('.')[2]}"


class WatchedDisk:
    """A disk whose changes are told before they happen."""

    def __init__(self, inner: Disk, hook: Hook) -> None:
        self._inner = inner
        self._hook = hook
        self._open: dict[int, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def open(self, path: PathLike, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags in WRITING:
            self._hook(f"open {place(path)}")
        handle = self._inner.open(path, flags, mode, dir_fd=dir_fd)
        self._open[handle] = place(path)
        return handle

    def write(self, handle: int, data: bytes | memoryview, /) -> int:
        self._hook(f"write {self._of(handle)}")
        return self._inner.write(handle, data)

    def fsync(self, handle: int) -> None:
        self._hook(f"fsync {self._of(handle)}")
        self._inner.fsync(handle)

    def close(self, handle: int) -> None:
        self._open.pop(handle, None)
        self._inner.close(handle)

    def dup(self, handle: int, /) -> int:
        other = self._inner.dup(handle)
        self._open[other] = self._of(handle)
        return other

    def fchmod(self, handle: int, mode: int) -> None:
        self._hook(f"chmod {self._of(handle)}")
        self._inner.fchmod(handle, mode)

    def replace(self, src: PathLike, dst: PathLike, **folders: int | None) -> None:
        self._hook(f"replace {place(dst)}")
        self._inner.replace(src, dst, **folders)

    def link(self, src: PathLike, dst: PathLike, **more: Any) -> None:
        self._hook(f"link {place(dst)}")
        self._inner.link(src, dst, **more)

    def unlink(self, path: PathLike, *, dir_fd: int | None = None) -> None:
        self._hook(f"unlink {place(path)}")
        self._inner.unlink(path, dir_fd=dir_fd)

    def mkdir(self, path: PathLike, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        self._hook(f"mkdir {place(path)}")
        self._inner.mkdir(path, mode, dir_fd=dir_fd)

    def rmdir(self, path: PathLike, *, dir_fd: int | None = None) -> None:
        self._hook(f"rmdir {place(path)}")
        self._inner.rmdir(path, dir_fd=dir_fd)

    def chmod(self, path: PathLike, mode: int) -> None:
        self._hook(f"chmod {place(path)}")
        self._inner.chmod(path, mode)

    def _of(self, handle: int) -> str:
        return self._open.get(handle, "?")


class WatchedDatabases:
    """Databases whose commits are told before they happen, and once more when they have."""

    def __init__(self, inner: Databases, hook: Hook) -> None:
        self._inner = inner
        self._hook = hook

    def connect(self, path: Path) -> sqlite3.Connection:
        hook = self._hook

        class Watched(sqlite3.Connection):
            def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
                verb = _SQL.get(sql)
                if verb is None:
                    return super().execute(sql, *parameters)
                hook(f"{verb} {path.name}")
                done = super().execute(sql, *parameters)
                if verb == "commit":
                    hook(f"committed {path.name}")
                return done

        return sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False, factory=Watched)

    def connect_read_only(self, path: Path) -> sqlite3.Connection:
        return self._inner.connect_read_only(path)


def watch(hook: Hook) -> Callable[[], None]:
    """Tell `hook` of every change from now on; what is given back ends that."""
    disk, databases = seams.disk, seams.databases
    seams.disk = WatchedDisk(disk, hook)
    seams.databases = WatchedDatabases(databases, hook)

    def end() -> None:
        seams.disk, seams.databases = disk, databases

    return end


@contextmanager
def watched(hook: Hook) -> Iterator[None]:
    """Tell `hook` of every change while the block runs; what was opened before stays unwatched."""
    end = watch(hook)
    try:
        yield
    finally:
        end()
