"""The few effects on disk that the state needs, each with a name, so that a test can stop the world at any of them.

`point` costs one look-up in production. A crash test sets a hook that counts, traces, kills or raises; the trace of an
undisturbed run is the list of kill points, so a sweep cannot miss a new effect.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Literal

from imagebatch.errors import StateError

Hook = Callable[[str], None]
PRIVATE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700
SHARED: Final = 0o644
TEMP_MARK: Final = ".ib-tmp-"

_CODES: Final = {
    errno.ENOSPC: ("disk.full", "the disk is full"),
    errno.EDQUOT: ("disk.full", "the disk quota is used up"),
    errno.EFBIG: ("disk.limit", "a file-size limit was reached"),
    errno.EROFS: ("disk.readonly", "the disk is read-only"),
    errno.EACCES: ("disk.denied", "permission was denied"),
    errno.EPERM: ("disk.denied", "permission was denied"),
}
_hooks: list[Hook] = []


def point(name: str) -> None:
    """An effect named `name` is about to happen."""
    for hook in _hooks:
        hook(name)


@contextmanager
def hooked(hook: Hook) -> Iterator[None]:
    """Call `hook` with the name of each effect while the block runs."""
    _hooks.append(hook)
    try:
        yield
    finally:
        _hooks.remove(hook)


WRITTEN_FIRST: Final = (
    "No request that costs money leaves before it is written down; one that had left already may have been paid, and "
    "the next apply finds it or shows it as in doubt."
)


def disk_error(error: OSError, path: Path, doing: str) -> StateError:
    """A foreign error of the disk in our words; `doing` completes 'imagebatch could not …'."""
    code, what = _CODES.get(error.errno or 0, ("disk.io", error.strerror or str(error)))
    return StateError(
        "the state cannot be kept on disk",
        f"imagebatch could not {doing} {path.name}: {what}. {WRITTEN_FIRST}",
        hints=(f"Make room or give rights in {path.parent.name or '.'}, then run the same command again",),
        code=code,
        path=path.name,
    )


def link_error(path: Path, kind: Literal["file", "folder"] = "file") -> StateError:
    """A file or folder of ours is a link, or something else."""
    thing = "a regular file" if kind == "file" else "a folder"
    name = f"{path.parent.name}/{path.name}" if path.parent.name == ".imagebatch" else path.name
    return StateError(
        f"a {kind} of imagebatch is a link",
        f"{name} is a link or not {thing}. Following it could write outside the project.",
        hints=(f"Replace it by {thing}: rm {name}",),
        code="path.symlink",
        path=name,
    )


def read_regular(path: Path) -> bytes | None:
    """All bytes of a regular file, or None where nothing stands there.

    Raises StateError for a link or a special file, and where it cannot be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        refuse_link(path)
        descriptor = os.open(path, flags)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise link_error(path)
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise link_error(path) from None
        raise disk_error(error, path, "read") from error


def refuse_link(path: Path) -> None:
    """Raise StateError where `path` is a link or no regular file; what does not exist is fine."""
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(_kind(path)):
            raise link_error(path)


def refuse_no_folder(path: Path) -> None:
    """Raise StateError where `path` is a link or something else than a folder; what does not exist is fine."""
    with suppress(FileNotFoundError):
        if not stat.S_ISDIR(_kind(path)):
            raise link_error(path, "folder")


def _kind(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except NotADirectoryError:
        raise link_error(path.parent, "folder") from None


def write_atomic(path: Path, data: bytes, *, name: str, mode: int = PRIVATE, durable: bool = True) -> None:
    """Put `data` at `path` so that at any moment the old or the new bytes stand there, never a mixture.

    `name` names the effect, `mode` the rights of a new file (an existing one keeps its own). With `durable` the bytes
    and the folder are synced, and the temporary file is read back before it takes the name. Raises StateError.
    """
    temp = path.with_name(f".{path.name}{TEMP_MARK}{os.getpid()}")
    try:
        refuse_link(path)
        with suppress(FileNotFoundError):
            mode = stat.S_IMODE(path.stat().st_mode)
        with suppress(FileNotFoundError):
            temp.unlink()  # only a dead process of the same number can have left it: writers hold the lease
        _write_new(temp, data, name=name, mode=mode, durable=durable)
        point(f"{name}.rename")
        temp.replace(path)
        if durable:
            point(f"{name}.sync_folder")
            sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temp.unlink()
        raise disk_error(error, path, "write") from error


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable; where a system cannot sync folders this does nothing."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(descriptor)


def make_folder(folder: Path, *, mode: int = PRIVATE_FOLDER) -> None:
    """Make `folder` and sync its parent; one that exists is left as it is. Raises StateError, for a link too."""
    try:
        with suppress(FileExistsError):
            point("folder.make")
            folder.mkdir(mode=mode)
            folder.chmod(mode)
            sync_folder(folder.parent)
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise link_error(folder, "folder")
    except OSError as error:
        raise disk_error(error, folder, "make the folder") from error


def remove_leftovers(path: Path) -> None:
    """Remove temporary files that dead writers of `path` left behind; only the holder of the lease may call this."""
    for left in path.parent.glob(f".{path.name}{TEMP_MARK}*"):
        with suppress(OSError):
            left.unlink()


def remove_dead_temps(folder: Path) -> None:
    """Remove temporary files in `folder` whose writers are dead; only the holder of the lease may call this."""
    for left in folder.glob(f".*{TEMP_MARK}*"):
        writer = left.name.rpartition(TEMP_MARK)[2]
        if writer.isdecimal() and not (int(writer) != os.getpid() and _runs(int(writer))):
            with suppress(OSError):
                left.unlink()


def _runs(pid: int) -> bool:
    if os.name == "nt":
        return True  # signal 0 would be sent for real there
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _write_new(temp: Path, data: bytes, *, name: str, mode: int, durable: bool) -> None:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    point(f"{name}.create")
    with os.fdopen(os.open(temp, flags, mode), "w+b") as file:
        if os.name != "nt":
            os.fchmod(file.fileno(), mode)
        point(f"{name}.write")
        file.write(data)
        file.flush()
        if durable:
            point(f"{name}.sync")
            os.fsync(file.fileno())
            file.seek(0)
            if file.read() != data:
                raise OSError(errno.EIO, "what was written does not read back")
