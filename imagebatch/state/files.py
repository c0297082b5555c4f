"""How the state keeps files: read without following links, replaced in one step, cleared of what dead writers left."""

import errno
import stat
from contextlib import suppress
from io import SEEK_END, SEEK_SET
from pathlib import Path
from typing import Final, Literal

from imagebatch.effects import seams
from imagebatch.effects.disk import ADD, NEW, READ_REGULAR
from imagebatch.effects.files import is_folder, names_in, opened, read_rest, remove, sync_folder, write_whole
from imagebatch.errors import StateError

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

WRITTEN_FIRST: Final = (
    "No request that costs money leaves before it is written down; one that had left already may have been paid, and "
    "the next apply finds it or shows it as in doubt."
)


def disk_error(error: OSError, path: Path, doing: str) -> StateError:
    """A foreign error of the disk in our words; `doing` completes 'imagebatch could not …'."""
    code, what = _CODES.get(error.errno or 0, ("disk.io", error.strerror or str(error)))
    name = _named(path)
    return StateError(
        "the state cannot be kept on disk",
        f"imagebatch could not {doing} {name}: {what}. {WRITTEN_FIRST}",
        hints=(f"Make room or give rights in {path.parent.name or '.'}, then run the same command again",),
        code=code,
        path=name,
    )


def _named(path: Path) -> str:
    """A file of the state as people find it from the project's root."""
    return f"{path.parent.name}/{path.name}" if path.parent.name == ".imagebatch" else path.name


def link_error(path: Path, kind: Literal["file", "folder"] = "file") -> StateError:
    """A file or folder of ours is a link, or something else."""
    thing = "a regular file" if kind == "file" else "a folder"
    name = _named(path)
    return StateError(
        f"a {kind} of imagebatch is a link",
        f"{name} is a link or not {thing}. Following it could write outside the project.",
        hints=(f"Move the folder {name} away" if is_folder(path) else f"Replace it by {thing}: rm {name}",),
        code="path.symlink",
        path=name,
    )


def read_regular(path: Path) -> bytes | None:
    """All bytes of a regular file, or None where nothing stands there.

    Raises StateError for a link or a special file, and where it cannot be read.
    """
    try:
        refuse_link(path)
        with opened(path, READ_REGULAR) as handle:
            if not stat.S_ISREG(seams.disk.fstat(handle).st_mode):
                raise link_error(path)
            return read_rest(handle)
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
        return seams.disk.lstat(path).st_mode
    except NotADirectoryError:
        raise link_error(path.parent, "folder") from None


def write_atomic(path: Path, data: bytes, *, mode: int = PRIVATE, durable: bool = True) -> None:
    """Put `data` at `path` so that at any moment the old or the new bytes stand there, never a mixture.

    `mode` is the rights of a new file (an existing one keeps its own). With `durable` the bytes and the folder are
    synced, and the temporary file is read back before it takes the name. Raises StateError.
    """
    temp = path.with_name(f".{path.name}{TEMP_MARK}{seams.processes.pid()}")
    try:
        refuse_link(path)
        with suppress(FileNotFoundError):
            mode = stat.S_IMODE(seams.disk.stat(path).st_mode)
        remove(temp)  # only a dead process of the same number can have left it: writers hold the lease
        _write_new(temp, data, mode=mode, durable=durable)
        seams.disk.replace(temp, path)
        if durable:
            sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            seams.disk.unlink(temp)
        raise disk_error(error, path, "write") from error


def append_synced(path: Path, data: bytes, *, head: bytes) -> None:
    """Add whole lines at the end of a file and sync it; a new file begins with `head`.

    Where the last line has no end, a crash cut it off: it stays as it is, and `data` begins on a line of its own.
    Raises StateError.
    """
    try:
        refuse_link(path)
        with opened(path, ADD, PRIVATE) as handle:
            size = seams.disk.lseek(handle, 0, SEEK_END)
            if size:
                seams.disk.lseek(handle, size - 1, SEEK_SET)
                head = b"" if read_rest(handle) == b"\n" else b"\n"
            write_whole(handle, head + data)
            seams.disk.fsync(handle)
        if not size:
            sync_folder(path.parent)
    except OSError as error:
        raise disk_error(error, path, "write") from error


def make_folder(folder: Path, *, mode: int = PRIVATE_FOLDER) -> None:
    """Make `folder` and sync its parent; one that exists is left as it is. Raises StateError, for a link too."""
    try:
        with suppress(FileExistsError):
            seams.disk.mkdir(folder, mode)
            seams.disk.chmod(folder, mode)
            sync_folder(folder.parent)
        if not stat.S_ISDIR(seams.disk.lstat(folder).st_mode):
            raise link_error(folder, "folder")
    except OSError as error:
        raise disk_error(error, folder, "make the folder") from error


def sync_made_folder(folder: Path) -> None:
    """Make the name of a folder durable that is there already. Raises StateError."""
    try:
        sync_folder(folder.parent)
    except OSError as error:
        raise disk_error(error, folder, "make the folder") from error


def remove_leftovers(path: Path) -> None:
    """Remove temporary files that dead writers of `path` left behind; only the holder of the lease may call this."""
    for name in names_in(path.parent):
        if name.startswith(f".{path.name}{TEMP_MARK}"):
            with suppress(OSError):
                seams.disk.unlink(path.parent / name)


def remove_dead_temps(folder: Path) -> None:
    """Remove temporary files in `folder` whose writers are dead; only the holder of the lease may call this."""
    for name in names_in(folder):
        writer = name.rpartition(TEMP_MARK)[2] if name.startswith(".") and TEMP_MARK in name else ""
        if writer.isdecimal() and not _is_another_alive(int(writer)):
            with suppress(OSError):
                seams.disk.unlink(folder / name)


def _is_another_alive(pid: int) -> bool:
    return pid != seams.processes.pid() and seams.processes.is_alive(pid) is not False


def _write_new(temp: Path, data: bytes, *, mode: int, durable: bool) -> None:
    with opened(temp, NEW, mode) as handle:
        seams.disk.fchmod(handle, mode)
        write_whole(handle, data)
        if durable:
            seams.disk.fsync(handle)
            seams.disk.lseek(handle, 0, 0)
            if read_rest(handle) != data:
                raise OSError(errno.EIO, "what was written does not read back")
