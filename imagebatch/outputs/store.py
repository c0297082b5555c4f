"""The store: pictures' bytes by their hash, below `.imagebatch/store/ab/abcdef….png`.

Nothing under a final name is ever changed. A picture is written under another name in the same file system, checked,
synced, renamed, and its folder synced: what has a final name is whole, after a power cut too.
"""

import os
import re
import threading
from itertools import count
from pathlib import Path

from imagebatch.errors import OutputError
from imagebatch.outputs.paths import EXTENSIONS

# Hashes come from locks that somebody may have edited, too: a name from elsewhere must not become a path.
_HASH = re.compile(r"sha256:([0-9a-f]{64})")
_COUNTER = count()


class Store:
    """The store in one folder (`.imagebatch/store`); it is made when the first picture comes. Threads may share it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shards: dict[str, dict[str, str]] = {}
        # A folder is read and a name added under it: a reading that began earlier must not replace what was added.
        self._looking = threading.Lock()

    def has(self, sha256: str) -> bool:
        """Whether the bytes with this hash (`sha256:` and 64 hex digits) are here; a text that is no hash never is."""
        return self._name(sha256) is not None

    def path_of(self, sha256: str) -> Path:
        """The file with these bytes.

        Raises KeyError where the store does not have them.
        """
        name = self._name(sha256)
        path = self._folder / (name or "")[:2] / (name or "")
        if name is None or not path.is_file():
            with self._looking:
                self._shards.pop(sha256[7:9], None)  # somebody tidied up: look again next time
            raise KeyError(sha256)
        return path

    def hashes(self) -> frozenset[str]:
        """All hashes that the store has."""
        shards = (entry.name for entry in _scan(self._folder) if re.fullmatch(r"[0-9a-f]{2}", entry.name))
        return frozenset(f"sha256:{digest}" for shard in shards for digest in self._shard(shard))

    def fresh_path(self) -> Path:
        """A name for a file that is still being written; its folder exists. Leftovers are removed by `sweep`."""
        folder = self._folder / "new"
        try:
            folder.mkdir()  # with `exist_ok` it would look twice where the folder exists, as it nearly always does
        except FileExistsError:
            pass
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{os.getpid()}-{next(_COUNTER)}.part"

    def adopt(self, path: Path, sha256: str, media_type: str, *, synced: bool = False) -> Path:
        """Take a checked file from `fresh_path` into the store: sync, rename, sync the folder. Blocks on the disk.

        `synced` where the file itself is on disk already and has its final mode (the worker that checked it saw to it).
        """
        digest = _digest(sha256)
        folder = self._folder / digest[:2]
        target = folder / f"{digest}.{EXTENSIONS[media_type]}"
        if not synced:
            path.chmod(0o644)
            _sync(path)
        try:
            path.replace(target)
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
            _sync(self._folder)
            path.replace(target)
        _sync(folder)
        with self._looking:
            self._read(digest[:2])[digest] = target.name
        return target

    def sweep(self) -> int:
        """Remove what dead runs left half-written; only for the one who holds the lease. Gives how many there were.

        Raises OutputError where a folder of the store is a link: following it would write outside the project.
        """
        for entry in _scan(self._folder):
            if entry.is_symlink():
                raise OutputError(
                    "a folder of the store is a link",
                    f"{entry.name} in {self._folder.name} is a link. Following it could write outside the project.",
                    hints=(f"Remove it: rm .imagebatch/{self._folder.name}/{entry.name}",),
                    code="path.symlink",
                )
        left = [Path(entry.path) for entry in _scan(self._folder / "new") if entry.name.endswith(".part")]
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)

    def _name(self, sha256: str) -> str | None:
        match = _HASH.fullmatch(sha256)
        return None if match is None else self._shard(match[1][:2]).get(match[1])

    def _shard(self, shard: str) -> dict[str, str]:
        found = self._shards.get(shard)
        if found is None:
            with self._looking:
                found = self._read(shard)
        return found

    def _read(self, shard: str) -> dict[str, str]:
        """The names of one folder, read once; only under the lock."""
        found = self._shards.get(shard)
        if found is None:
            names = (entry.name for entry in _scan(self._folder / shard))
            found = self._shards[shard] = {name[:64]: name for name in names if re.fullmatch(r"[0-9a-f]{64}\..+", name)}
        return found


def _digest(sha256: str) -> str:
    match = _HASH.fullmatch(sha256)
    if match is None:
        raise ValueError(f"{sha256!r} is no sha256")
    return match[1]


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _sync(path: Path) -> None:
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
