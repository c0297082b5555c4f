"""What is done to files in more than one place, out of the disk's own calls."""

import hashlib
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imagebatch.effects.disk import NEW, OVER, READ, READ_FOLDER, WINDOWS, PathLike
from imagebatch.effects.seams import seams

PIECE = 1024 * 1024


def foreign_encoding() -> str | None:
    """How this process writes the names of files, where that is not UTF-8 and so has no place for every letter."""
    encoding = sys.getfilesystemencoding()
    return None if encoding.lower().replace("-", "").replace("_", "") == "utf8" else encoding


@contextmanager
def opened(path: PathLike, flags: int, mode: int = 0o666, *, dir_fd: int | None = None) -> Iterator[int]:
    """An open file's handle, closed at the end. Raises OSError."""
    handle = seams.disk.open(path, flags, mode, dir_fd=dir_fd)
    try:
        yield handle
    finally:
        seams.disk.close(handle)


def read_rest(handle: int, limit: int | None = None) -> bytes:
    """What follows in an open file, at most `limit` bytes of it. Raises OSError."""
    pieces: list[bytes] = []
    left = limit
    while left is None or left > 0:
        piece = seams.disk.read(handle, PIECE if left is None else min(PIECE, left))
        if not piece:
            break
        pieces.append(piece)
        left = None if left is None else left - len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def hash_rest(handle: int) -> str:
    """`sha256:` and the hash of what follows in an open file. Raises OSError."""
    digest = hashlib.sha256()
    while piece := seams.disk.read(handle, PIECE):
        digest.update(piece)
    return "sha256:" + digest.hexdigest()


def write_whole(handle: int, data: bytes | memoryview) -> None:
    """Write all of `data`, in as many pieces as the system takes. Raises OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[seams.disk.write(handle, rest) :]


def read_bytes(path: PathLike) -> bytes:
    """All bytes of a file. Raises OSError."""
    with opened(path, READ) as handle:
        return read_rest(handle)


def write_bytes(path: PathLike, data: bytes, *, mode: int = 0o666, new: bool = False) -> None:
    """Write a file, over what stands there unless it has to be `new`; nothing is synced. Raises OSError."""
    with opened(path, NEW if new else OVER, mode) as handle:
        write_whole(handle, data)


def exists(path: PathLike) -> bool:
    """Whether something stands there; a link has to lead somewhere."""
    return _mode(path) is not None


def is_file(path: PathLike) -> bool:
    """Whether a regular file stands there, or behind a link."""
    mode = _mode(path)
    return mode is not None and stat.S_ISREG(mode)


def is_folder(path: PathLike) -> bool:
    """Whether a folder stands there, or behind a link."""
    mode = _mode(path)
    return mode is not None and stat.S_ISDIR(mode)


def is_link(path: PathLike) -> bool:
    """Whether a link stands there."""
    try:
        return stat.S_ISLNK(seams.disk.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def names_in(folder: PathLike) -> list[str]:
    """The names in a folder, sorted; none where it is not there or is no folder."""
    try:
        return sorted(seams.disk.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def make_folders(folder: Path, mode: int = 0o777) -> None:
    """Make a folder and those above it; `mode` is the last one's. Raises OSError, also where a file is in the way."""
    try:
        seams.disk.mkdir(folder, mode)
    except FileNotFoundError:
        make_folders(folder.parent)
        make_folders(folder, mode)
    except OSError:
        if not is_folder(folder):
            raise


def remove(path: PathLike) -> None:
    """Remove a file; one that is not there is fine. Raises OSError."""
    try:
        seams.disk.unlink(path)
    except FileNotFoundError:
        return


def copy(source: PathLike, target: PathLike) -> None:
    """Copy a file's bytes over what stands at `target`. Raises OSError."""
    with opened(source, READ) as origin, opened(target, OVER) as handle:
        while piece := seams.disk.read(origin, PIECE):
            write_whole(handle, piece)


def sync_file(path: PathLike) -> None:
    """Make a file's bytes durable. Raises OSError."""
    with opened(path, READ) as handle:
        seams.disk.fsync(handle)


def sync_folder(folder: PathLike) -> None:
    """Make the names in a folder durable; where a system cannot sync folders this does nothing. Raises OSError."""
    if WINDOWS:
        return
    with opened(folder, READ_FOLDER) as handle:
        seams.disk.fsync(handle)


def _mode(path: PathLike) -> int | None:
    try:
        return seams.disk.stat(path).st_mode
    except (OSError, ValueError):
        return None
