"""Reading and writing the files of a lock; which files there are is `layout`'s business."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from imagebatch.effects import seams
from imagebatch.effects.files import is_folder, is_link, names_in, remove, sync_folder
from imagebatch.errors import StateError
from imagebatch.state.files import (
    SHARED,
    disk_error,
    link_error,
    make_folder,
    read_regular,
    remove_leftovers,
    write_atomic,
)
from imagebatch.state.layout import FOLDER, decode_files, digest_of, encode_files, lock_digest, names_folder
from imagebatch.state.lock_errors import RESTORE_HINTS
from imagebatch.state.lockfile import LOCK_NAME, Lock


@dataclass(frozen=True, slots=True, kw_only=True)
class LockOnDisk:
    """A lock, its digest, and the sha256 hex of each of its files by path."""

    lock: Lock
    digest: str
    hashes: Mapping[str, str]


def read_lock(root: Path) -> LockOnDisk | None:
    """The lock of the project at `root`, or None where there is none.

    Raises StateError where it is damaged, in conflict, newer, or a link.
    """
    files = lock_files(root)
    if files is None:
        return None
    hashes = _hashes(files)
    return LockOnDisk(lock=decode_files(files), digest=digest_of(hashes), hashes=hashes)


def lock_digest_on_disk(root: Path) -> str:
    """The digest of the lock as it stands on disk now; `absent` where there is none."""
    return lock_digest(lock_files(root) or {})


def write_lock(root: Path, lock: Lock, before: LockOnDisk | None) -> LockOnDisk:
    """Write `lock`, only those files whose bytes change, the one with the header last.

    A crash in between leaves whole files, some old and some new; the journal still holds all that the new ones say.
    Raises StateError.
    """
    files = encode_files(lock)
    known = before.hashes if before is not None else {}
    hashes = _hashes(files)
    remove_leftovers(root / LOCK_NAME)
    if len(files) > 1:
        make_folder(root / FOLDER, mode=0o755)
    for path, data in files.items():
        if known.get(path) != hashes[path]:
            write_atomic(root / path, data, mode=SHARED)
    _remove_parts(root / FOLDER, keep=frozenset(files))
    return LockOnDisk(lock=lock, digest=digest_of(hashes), hashes=hashes)


def lock_files(root: Path) -> dict[str, bytes] | None:
    """The bytes of all files of the lock by path; None where there is no lock."""
    data = read_regular(root / LOCK_NAME)
    folder = root / FOLDER
    if data is not None:
        return {LOCK_NAME: data, **_parts(folder)} if names_folder(data) else {LOCK_NAME: data}
    if is_folder(folder) and _lock_names(folder):
        raise StateError(
            "the lock's header is missing",
            f"{FOLDER} has entries and {LOCK_NAME} is not there. Both together are the lock.",
            hints=RESTORE_HINTS,
            code="lockfile.corrupt",
            path=LOCK_NAME,
        )
    return None


def _hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    return {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}


def _parts(folder: Path) -> dict[str, bytes]:
    if is_link(folder):
        raise link_error(folder, "folder")
    found: dict[str, bytes] = {}
    for name in _lock_names(folder):
        data = read_regular(folder / name)
        if data is not None:
            found[f"{FOLDER}/{name}"] = data
    return found


def _remove_parts(folder: Path, *, keep: frozenset[str]) -> None:
    if is_link(folder) or not is_folder(folder):
        return
    try:
        gone = [name for name in _lock_names(folder) if f"{FOLDER}/{name}" not in keep]
        for name in gone:
            remove(folder / name)
        if gone:
            sync_folder(folder)
        with suppress(OSError):
            seams.disk.rmdir(folder)  # only an empty one goes
    except OSError as error:
        raise disk_error(error, folder, "tidy") from error


def _lock_names(folder: Path) -> list[str]:
    return [name for name in names_in(folder) if name.endswith(".lock")]
