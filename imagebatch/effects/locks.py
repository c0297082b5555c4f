"""The operating system's lock on a file, by filelock: closed on exec, and the file stays when it is released."""

import contextlib
import os
from pathlib import Path
from typing import Protocol


class SystemLock(Protocol):
    """One file's lock; it goes with the process that holds it."""

    def acquire(self, timeout_s: float) -> bool:
        """Whether the lock was got within the time.

        Raises OSError, and NotImplementedError where the file system has no locks.
        """
        ...

    def is_in_place(self) -> bool:
        """Whether the locked file still has its name."""
        ...

    def release(self) -> None:
        """Let go; never raises."""
        ...


def file_lock(path: Path, mode: int) -> SystemLock:
    """The lock on the file at `path`, which is made with `mode` where there is none."""
    return _FileLock(path, mode)


class _FileLock:
    def __init__(self, path: Path, mode: int) -> None:
        from filelock import FileLock  # it imports asyncio, which a plan has no use for

        self._path = path
        self._lock = FileLock(
            path,
            mode=mode,
            is_singleton=False,
            thread_local=False,
            preserve_lock_file=True,
            fallback_to_soft=False,
        )
        self._inode: tuple[int, int] | None = None

    def acquire(self, timeout_s: float) -> bool:
        from filelock import Timeout

        try:
            self._lock.acquire(timeout=timeout_s, poll_interval=0.05)
        except Timeout:
            return False
        found = os.stat(self._path)  # noqa: PTH116  # this is where the system is called
        self._inode = (found.st_dev, found.st_ino)
        return True

    def is_in_place(self) -> bool:
        try:
            found = os.stat(self._path)  # noqa: PTH116  # as above
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._inode

    def release(self) -> None:
        with contextlib.suppress(OSError):
            self._lock.release()
