"""The store: pictures' bytes by their hash, below `.imagebatch/store/ab/abcdef….png`.

Nothing under a final name is ever changed. A picture is written under another name in the same file system, checked,
synced, renamed, and its folder synced: what has a final name is whole, after a power cut too.
"""

import re
from itertools import count
from pathlib import Path
from threading import Lock

from imagebatch.effects import seams
from imagebatch.effects.files import is_file, is_link, make_folders, names_in, remove, sync_file, sync_folder
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
        self._looking = Lock()

    def has(self, sha256: str) -> bool:
        """Whether the bytes with this hash (`sha256:` and 64 hex digits) are here; a text that is no hash never is."""
        return self._name(sha256) is not None

    def path_of(self, sha256: str) -> Path:
        """The file with these bytes.

        Raises KeyError where the store does not have them.
        """
        name = self._name(sha256)
        path = self._folder / (name or "")[:2] / (name or "")
        if name is None or not is_file(path):
            with self._looking:
                self._shards.pop(sha256[7:9], None)  # somebody tidied up: look again next time
            raise KeyError(sha256)
        return path

    def hashes(self) -> frozenset[str]:
        """All hashes that the store has."""
        shards = (name for name in names_in(self._folder) if re.fullmatch(r"[0-9a-f]{2}", name))
        return frozenset(f"sha256:{digest}" for shard in shards for digest in self._shard(shard))

    def fresh_path(self) -> Path:
        """A name for a file that is still being written; its folder exists. Leftovers are removed by `sweep`."""
        folder = self._folder / "new"
        try:
            seams.disk.mkdir(folder)  # looking first would look twice where it exists, as it nearly always does
        except FileExistsError:
            pass
        except FileNotFoundError:
            make_folders(folder)
        return folder / f"{seams.processes.pid()}-{next(_COUNTER)}.part"

    def adopt(self, path: Path, sha256: str, media_type: str, *, synced: bool = False) -> Path:
        """Take a checked file from `fresh_path` into the store: sync, rename, sync the folder. Blocks on the disk.

        `synced` where the file itself is on disk already and has its final mode (the worker that checked it saw to it).
        """
        digest = _digest(sha256)
        folder = self._folder / digest[:2]
        target = folder / f"{digest}.{EXTENSIONS[media_type]}"
        if not synced:
            seams.disk.chmod(path, 0o644)
            sync_file(path)
        try:
            seams.disk.replace(path, target)
        except FileNotFoundError:
            make_folders(folder)
            sync_folder(self._folder)
            seams.disk.replace(path, target)
        sync_folder(folder)
        with self._looking:
            self._read(digest[:2])[digest] = target.name
        return target

    def sweep(self) -> int:
        """Remove what dead runs left half-written; only for the one who holds the lease. Gives how many there were.

        Raises OutputError where a folder of the store is a link: following it would write outside the project.
        """
        for name in names_in(self._folder):
            if is_link(self._folder / name):
                raise OutputError(
                    "a folder of the store is a link",
                    f"{name} in {self._folder.name} is a link. Following it could write outside the project.",
                    hints=(f"Remove it: rm .imagebatch/{self._folder.name}/{name}",),
                    code="path.symlink",
                )
        left = [self._folder / "new" / name for name in names_in(self._folder / "new") if name.endswith(".part")]
        for path in left:
            remove(path)
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
            names = names_in(self._folder / shard)
            found = self._shards[shard] = {name[:64]: name for name in names if re.fullmatch(r"[0-9a-f]{64}\..+", name)}
        return found


def _digest(sha256: str) -> str:
    match = _HASH.fullmatch(sha256)
    if match is None:
        raise ValueError(f"{sha256!r} is no sha256")
    return match[1]
