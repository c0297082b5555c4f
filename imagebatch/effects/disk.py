"""The file system: the operating system's own calls by their own names, so that a test may put another disk there."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

from imagebatch.effects.locks import SystemLock, file_lock

PathLike = str | os.PathLike[str]

WINDOWS: Final = os.name == "nt"
_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0)
_PLAIN: Final = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)

READ: Final = os.O_RDONLY | _PLAIN
"""For reading whatever is there, through a link too."""
READ_REGULAR: Final = READ | _NO_LINK | getattr(os, "O_NONBLOCK", 0)
"""For reading what is no link; a pipe does not make it wait."""
READ_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
READ_REAL_FOLDER: Final = READ_FOLDER | _NO_LINK
NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_LINK | _PLAIN
"""For a file that is not there yet."""
OVER: Final = os.O_RDWR | os.O_CREAT | os.O_TRUNC | _NO_LINK | _PLAIN
"""For a file that is emptied where it is there."""
ADD: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND | _NO_LINK | _PLAIN
"""For a file that is added to."""


APPEND: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | _PLAIN
"""As `ADD`, through a link too."""


class Disk(Protocol):
    """What the program does to files. Each method is what its namesake in `os` is, and raises OSError as that does."""

    def open(self, path: PathLike, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int: ...
    def read(self, handle: int, count: int, /) -> bytes: ...
    def write(self, handle: int, data: bytes | memoryview, /) -> int: ...
    def lseek(self, handle: int, position: int, whence: int, /) -> int: ...
    def fsync(self, handle: int) -> None: ...
    def close(self, handle: int) -> None: ...
    def dup(self, handle: int, /) -> int: ...
    def fstat(self, handle: int) -> os.stat_result: ...
    def fchmod(self, handle: int, mode: int) -> None: ...

    def stat(self, path: PathLike, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result: ...
    def lstat(self, path: PathLike) -> os.stat_result: ...
    def listdir(self, path: PathLike) -> list[str]: ...
    def walk(
        self, top: PathLike, *, onerror: Callable[[OSError], object] | None = None
    ) -> Iterator[tuple[str, list[str], list[str]]]: ...
    def odd_names(self, path: PathLike) -> list[str]:
        """What in a folder is no regular file."""
        ...

    def realpath(self, path: PathLike) -> str: ...
    def lexists(self, path: PathLike) -> bool: ...

    def replace(
        self, src: PathLike, dst: PathLike, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None
    ) -> None: ...
    def link(
        self,
        src: PathLike,
        dst: PathLike,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None: ...
    def unlink(self, path: PathLike, *, dir_fd: int | None = None) -> None: ...
    def mkdir(self, path: PathLike, mode: int = 0o777, *, dir_fd: int | None = None) -> None: ...
    def rmdir(self, path: PathLike, *, dir_fd: int | None = None) -> None: ...
    def chmod(self, path: PathLike, mode: int) -> None: ...

    def sync(self) -> None:
        """Make everything durable that anybody has written; where the system cannot, nothing."""
        ...

    def free(self, path: PathLike) -> int:
        """How many bytes we may still write there."""
        ...

    def lock(self, path: Path, mode: int) -> SystemLock:
        """The system's lock on a file, not held yet."""
        ...


class PlainDisk:
    """The operating system's."""

    open = staticmethod(os.open)
    read = staticmethod(os.read)
    write = staticmethod(os.write)
    lseek = staticmethod(os.lseek)
    fsync = staticmethod(os.fsync)
    close = staticmethod(os.close)
    dup = staticmethod(os.dup)
    fstat = staticmethod(os.fstat)
    stat = staticmethod(os.stat)
    lstat = staticmethod(os.lstat)
    listdir = staticmethod(os.listdir)
    walk = staticmethod(os.walk)
    lexists = staticmethod(os.path.lexists)
    replace = staticmethod(os.replace)
    link = staticmethod(os.link)
    unlink = staticmethod(os.unlink)
    mkdir = staticmethod(os.mkdir)
    rmdir = staticmethod(os.rmdir)
    chmod = staticmethod(os.chmod)
    lock = staticmethod(file_lock)
    sync = staticmethod(getattr(os, "sync", lambda: None))

    @staticmethod
    def fchmod(handle: int, mode: int) -> None:
        if not WINDOWS:
            os.fchmod(handle, mode)

    @staticmethod
    def odd_names(path: PathLike) -> list[str]:
        with os.scandir(path) as entries:  # one call for a folder, where a look at each name would be 50,000
            return [os.fsdecode(entry.name) for entry in entries if not entry.is_file(follow_symlinks=False)]

    @staticmethod
    def realpath(path: PathLike) -> str:
        return os.path.realpath(os.fspath(path))

    @staticmethod
    def free(path: PathLike) -> int:
        return shutil.disk_usage(path).free
