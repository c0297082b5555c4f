"""The project's folder, held by a handle: outputs are placed, moved and trashed without ever following a link.

Each component is opened relative to the one before it, with O_NOFOLLOW, so a link that is put there in the middle of
it all cannot lead a write elsewhere. A file that is not ours is never replaced or removed: ours is what has the hash
that the lock names. Needs openat and friends: Linux, macOS, the BSDs.
"""

import errno
import hashlib
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from imagebatch.effects import seams
from imagebatch.effects.disk import NEW, READ, READ_FOLDER, READ_REAL_FOLDER, READ_REGULAR
from imagebatch.effects.files import PIECE, hash_rest, opened, read_rest, write_whole
from imagebatch.errors import ImagebatchError, OutputError, RefusedError
from imagebatch.outputs.marking import find_mark
from imagebatch.outputs.paths import path_parts
from imagebatch.outputs.picture import MAX_BYTES
from imagebatch.outputs.trouble import disk_errors

_SAFE = "The picture is safe in the store; nothing has to be paid again."

Placed = Literal["written", "same"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A file as it stands there: its bytes' number and, where they were asked for, their hash and its mark."""

    bytes: int
    sha256: str | None
    marked: bool | None


class Tree:
    """The project's root; `close` gives the handle back. All methods may block on the disk: call them in a thread."""

    def __init__(self, root: Path) -> None:
        self._root = seams.disk.open(root, READ_FOLDER)

    def close(self) -> None:
        """Give the folder's handle back."""
        seams.disk.close(self._root)

    def hash_of(self, path: str) -> str | None:
        """The hash of the regular file at a project path; None where nothing is there.

        Raises OutputError where a link or something else than a regular file stands on the way or at its end.
        """
        try:
            with self._parent(path, make=False) as (folder, name):
                return _hash_at(folder, name, path)
        except FileNotFoundError:
            return None

    def seen(self, path: str, size: int, *, mark: bool) -> Seen | None:
        """The regular file at a project path, read once; None where nothing is there.

        One of another `size` (in bytes) is not hashed; with `mark` it is told whether it says that a machine made it.
        Raises OSError where it cannot be read, OutputError as `hash_of` does.
        """
        try:
            with self._parent(path, make=False) as (folder, name):
                return _read_at(folder, name, path, lambda handle: _seen(handle, size, mark=mark))
        except FileNotFoundError:
            return None

    def place(
        self,
        source: Path,
        path: str,
        *,
        sha256: str,
        replaces: str | None = None,
        spare: str | None = None,
        force: bool = False,
    ) -> Placed:
        """Put a copy of `source`, whose bytes have the hash `sha256`, at a project path.

        `replaces` is the hash that the lock has for this output: only a file with it gives way. One with the hash
        `spare`, and with `force` any foreign file, is moved to the trash first. The bytes are synced under another
        name in the same folder, then renamed.

        Raises RefusedError (`path.not_ours`) for a foreign file, OutputError for links, folders and a full disk.
        """
        with disk_errors(path, _SAFE, gone=True), self._parent(path, make=True) as (folder, name):
            there = _hash_at(folder, name, path)
            if there == sha256:
                _drop_second_name(folder, name)
                return "same"
            if there is not None and there != replaces:
                if not force and there != spare:
                    raise _not_ours(path)
                self._to_trash(folder, name, path, "overwritten")
                there = None
            temp = _copied(source, folder, name)
            try:
                _put(folder, temp, name, path, clobber=there is not None)
            except BaseException:
                with suppress(FileNotFoundError):
                    seams.disk.unlink(temp, dir_fd=folder)
                raise
            seams.disk.fsync(folder)
            return "written"

    def trash(self, path: str, sha256: str, day: str) -> bool:
        """Move our output to `.imagebatch/trash/<day>/<path>`; False where it is gone or no longer ours.

        Folders that this leaves empty are removed.
        """
        try:
            with disk_errors(path, _SAFE), self._parent(path, make=False) as (folder, name):
                if _hash_at(folder, name, path) != sha256:
                    return False
                self._to_trash(folder, name, path, day)
        except FileNotFoundError:
            return False
        self._tidy(path)
        return True

    def move(
        self, source: str, target: str, sha256: str, *, spare: str | None = None, force: bool = False
    ) -> Literal["moved", "same", "gone", "not_ours"]:
        """Rename our output; nothing is sent anywhere.

        `same` where the target already has these bytes, `gone` where the source is not there, `not_ours` where it
        is not of the locked hash. What stands at the target is moved to the trash first where it has the hash `spare`,
        and with `force` whatever it is. Raises RefusedError for another file there.
        """
        if self.hash_of(target) == sha256:
            with (
                suppress(FileNotFoundError),  # its folder went meanwhile
                disk_errors(target, _SAFE),
                self._parent(target, make=False) as (into, new_name),
            ):
                _drop_second_name(into, new_name)
            self.remove(source, sha256)
            return "same"
        try:
            with (
                disk_errors(target, _SAFE),
                self._parent(source, make=False) as (folder, name),
                self._parent(target, make=True) as (into, new_name),
            ):
                found = _hash_at(folder, name, source)
                if found != sha256:
                    return "gone" if found is None else "not_ours"
                there = _hash_at(into, new_name, target)
                if there is not None:
                    if not force and there != spare:
                        raise _not_ours(target)
                    self._to_trash(into, new_name, target, "overwritten")
                _put(into, name, new_name, target, clobber=False, source=folder)
                seams.disk.fsync(into)
                seams.disk.fsync(folder)
        except FileNotFoundError:
            return "gone"
        self._tidy(source)
        return "moved"

    def remove(self, path: str, sha256: str) -> bool:
        """Delete our output for good (it stands elsewhere with the same bytes); False where it is not ours."""
        try:
            with disk_errors(path, _SAFE), self._parent(path, make=False) as (folder, name):
                if _hash_at(folder, name, path) != sha256:
                    return False
                seams.disk.unlink(name, dir_fd=folder)
                seams.disk.fsync(folder)  # else a power cut brings it back when nobody knows of it any more
        except FileNotFoundError:
            return False
        self._tidy(path)
        return True

    @contextmanager
    def _parent(self, path: str, *, make: bool) -> Iterator[tuple[int, str]]:
        """The handle of the folder that holds a path, and the last name; FileNotFoundError where there is none."""
        *folders, name = path_parts(path)
        handle = self._walk(folders, path, make=make)
        try:
            yield handle, name
        finally:
            seams.disk.close(handle)

    def _walk(self, folders: list[str], path: str, *, make: bool) -> int:
        handle = seams.disk.dup(self._root)
        try:
            for folder in folders:
                try:
                    inner = _opened_folder(folder, handle, path)
                except FileNotFoundError:
                    if not make:
                        raise
                    _make(folder, handle)
                    inner = _opened_folder(folder, handle, path)
                seams.disk.close(handle)
                handle = inner
        except BaseException:
            seams.disk.close(handle)
            raise
        return handle

    def _to_trash(self, folder: int, name: str, path: str, day: str) -> None:
        *folders, last = path_parts(path)
        into = self._walk([".imagebatch", "trash", day, *folders], path, make=True)
        try:
            for number in range(1000):
                free = last if number == 0 else f"{number}-{last}"
                try:
                    seams.disk.link(name, free, src_dir_fd=folder, dst_dir_fd=into, follow_symlinks=False)
                except FileExistsError:
                    if not _is_same(folder, name, into, free):
                        continue  # otherwise a killed run had put it there and came no further
                except OSError:
                    seams.disk.replace(name, free, src_dir_fd=folder, dst_dir_fd=into)
                    seams.disk.fsync(into)
                    seams.disk.fsync(folder)
                    return
                # The new name is durable before the old one goes, else a power cut could leave neither.
                seams.disk.fsync(into)
                seams.disk.unlink(name, dir_fd=folder)
                seams.disk.fsync(folder)
                return
            raise OutputError("the trash is full", f"{path} was removed a thousand times today.", path=path)
        finally:
            seams.disk.close(into)

    def _tidy(self, path: str) -> None:
        """Remove the folders that lost their last file, from the inside out."""
        *folders, _ = path_parts(path)
        while folders:
            *outer, last = folders
            try:
                handle = self._walk(outer, path, make=False)
            except (OSError, ImagebatchError):
                return
            try:
                seams.disk.rmdir(last, dir_fd=handle)
            except OSError:
                return
            finally:
                seams.disk.close(handle)
            folders = outer


def _make(folder: str, handle: int) -> None:
    try:
        seams.disk.mkdir(folder, dir_fd=handle)
    except FileExistsError:
        return
    seams.disk.fsync(handle)


def _opened_folder(folder: str, handle: int, path: str) -> int:
    try:
        return seams.disk.open(folder, READ_REAL_FOLDER, dir_fd=handle)
    except OSError as error:
        if error.errno not in {errno.ELOOP, errno.ENOTDIR, errno.EMLINK}:
            raise
        mode = seams.disk.stat(folder, dir_fd=handle, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            raise _link(path, folder) from None
        raise OutputError(
            "a file is in the way",
            f"{folder!r} in {path!r} is a file, not a folder.",
            code="path.not_regular",
            path=path,
        ) from None


def _hash_at(folder: int, name: str, path: str) -> str | None:
    return _read_at(folder, name, path, hash_rest)


def _read_at(folder: int, name: str, path: str, read: Callable[[int], T]) -> T | None:
    """What `read` makes of an open regular file; None where nothing is there."""
    try:
        with opened(name, READ_REGULAR, dir_fd=folder) as handle:
            if not stat.S_ISREG(seams.disk.fstat(handle).st_mode):
                raise _not_regular(path)
            return read(handle)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EMLINK}:
            raise _link(path, name) from None
        if error.errno in {errno.ENXIO, errno.EISDIR}:
            raise _not_regular(path) from None
        raise


def _seen(handle: int, size: int, *, mark: bool) -> Seen:
    found = seams.disk.fstat(handle).st_size
    if mark and found <= MAX_BYTES:
        data = read_rest(handle)
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        return Seen(bytes=len(data), sha256=digest, marked=find_mark(data).marked)
    return Seen(bytes=found, sha256=hash_rest(handle) if found == size else None, marked=False if mark else None)


def _is_same(folder: int, name: str, into: int, other: str) -> bool:
    """Whether two names are one file."""
    here = seams.disk.stat(name, dir_fd=folder, follow_symlinks=False)
    there = seams.disk.stat(other, dir_fd=into, follow_symlinks=False)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def _temp(name: str) -> str:
    return f".{name}.ib-tmp"


def _copied(source: Path, folder: int, name: str) -> str:
    """Copy to a temporary name beside the target, synced; what a dead run left there gives way."""
    temp = _temp(name)
    with suppress(FileNotFoundError):
        seams.disk.unlink(temp, dir_fd=folder)
    try:
        with opened(temp, NEW, 0o644, dir_fd=folder) as handle, opened(source, READ) as origin:
            while piece := seams.disk.read(origin, PIECE):
                write_whole(handle, piece)
            seams.disk.fchmod(handle, 0o644)
            seams.disk.fsync(handle)
    except BaseException:
        with suppress(FileNotFoundError):
            seams.disk.unlink(temp, dir_fd=folder)
        raise
    return temp


def _put(folder: int, temp: str, name: str, path: str, *, clobber: bool, source: int | None = None) -> None:
    """Give a file its final name; without `clobber` never over something that came there in the meantime."""
    origin = folder if source is None else source
    if not clobber:
        try:
            seams.disk.link(temp, name, src_dir_fd=origin, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            raise _not_ours(path) from None
        except OSError:
            pass  # a file system without hard links: the check a moment ago has to do
        else:
            if source is not None:
                seams.disk.fsync(folder)  # the new name is durable before the old one goes
            seams.disk.unlink(temp, dir_fd=origin)
            return
    seams.disk.replace(temp, name, src_dir_fd=origin, dst_dir_fd=folder)


def _drop_second_name(folder: int, name: str) -> None:
    """Remove what a run left that died between two names of one file."""
    with suppress(FileNotFoundError):
        seams.disk.unlink(_temp(name), dir_fd=folder)
        seams.disk.fsync(folder)


def _link(path: str, name: str) -> OutputError:
    return OutputError(
        "output path refused",
        f"{name!r} in {path!r} is a link. Outputs are never written through links: they could lead anywhere.",
        code="path.symlink",
        path=path,
    )


def _not_regular(path: str) -> OutputError:
    return OutputError(
        "output path refused",
        f"{path!r} is there and is not a regular file; it was left alone.",
        code="path.not_regular",
        path=path,
    )


def _not_ours(path: str) -> RefusedError:
    return RefusedError(
        "a file that is not ours is in the way",
        f"{path} exists and does not have the bytes that the lock names. It was left alone.",
        hints=(f"move it away, or take it as the picture: imagebatch use ADDRESS {path}; or --force overwrite",),
        code="path.not_ours",
        path=path,
    )
