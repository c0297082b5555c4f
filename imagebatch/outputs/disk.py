"""How output files compare with the lock (implements `model.recorded.Disk`): by a cache of stats, else by hash.

The cache vouches for a file as long as its size, its times and its hash are the ones that were seen together. It is one
JSON object of plain strings, because 100,000 of those load in tens of milliseconds; losing it costs one hashing.
"""

import json
import stat
from datetime import UTC, datetime
from os import stat_result
from pathlib import Path

from imagebatch.effects import seams
from imagebatch.effects.disk import READ_REGULAR
from imagebatch.effects.files import hash_rest, make_folders, opened, read_bytes, remove, write_bytes
from imagebatch.errors import OutputError
from imagebatch.model.recorded import OutputState
from imagebatch.outputs.marking import delivered_in
from imagebatch.outputs.paths import path_parts

FORMAT = "imagebatch-stat-cache-1"
RACY_NS = 50_000_000


class StatDisk:
    """The outputs of one project; `root` is its folder, `cache` the file that remembers it all.

    The cache is read at the first question, and written by `save` where something changed.
    """

    def __init__(self, root: Path, cache: Path) -> None:
        self._root = f"{root}/"
        self._file = cache
        self._seen: dict[str, str] | None = None
        self._changed = False

    def look(self, path: str, sha256: str, size: int) -> OutputState:
        """How a file compares with the lock; `size` is the locked number of bytes. A link is never `same`."""
        try:
            found = seams.disk.lstat(self._root + path)
        except (FileNotFoundError, NotADirectoryError):
            return "missing"
        except (OSError, ValueError):
            return "edited"
        if found.st_size != size:
            return "edited"
        seen = self._seen
        if seen is None:
            seen = self._loaded()
        if seen.get(path) == f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {sha256}":
            return "same"
        return self._compared(path, sha256, found)

    def shows(self, path: str, sha256: str, size: int, picture: str) -> bool:
        """Whether a file, as the lock has it, is this delivered picture (by its hash), perhaps with a mark put in."""
        if self.look(path, sha256, size) != "same":
            return False
        if sha256 == picture:
            return True
        try:
            return bool(delivered_in(read_bytes(self._root + path), {picture}))
        except OSError:
            return False

    def exists(self, path: str) -> bool:
        """Whether anything stands at an output path."""
        return seams.disk.lexists(self._root + path)

    def hash_of(self, path: str) -> str | None:
        """The hash of the regular file at an output path; None where there is none."""
        try:
            if not stat.S_ISREG(seams.disk.lstat(self._root + path).st_mode):
                return None
            return _hash(self._root + path)
        except (OSError, ValueError):
            return None

    def note(self, path: str, sha256: str) -> None:
        """Remember a file that was just written with these bytes."""
        try:
            found = seams.disk.lstat(self._root + path)
        except OSError:
            return
        self._keep(path, sha256, found)

    def forget(self, path: str) -> None:
        """Nothing is known of this path any more."""
        if self._loaded().pop(path, None) is not None:
            self._changed = True

    def save(self) -> None:
        """Write the cache where something changed; a failure costs nothing but time, so it is no error."""
        if not self._changed or self._seen is None:
            return
        # A file that was written a moment ago could change again within one tick of its clock: it is hashed once more.
        latest = _nanoseconds(seams.clock.wall()) - RACY_NS
        kept = {path: text for path, text in self._seen.items() if int(text.split(" ", 3)[1]) < latest}
        temp = self._file.with_name(self._file.name + ".part")
        try:
            make_folders(self._file.parent)
            # Whatever stands under the temporary name is removed, never written into: it could be a link to elsewhere.
            remove(temp)
            text = json.dumps({"format": FORMAT, "root": self._root, "seen": kept})
            write_bytes(temp, text.encode(), new=True)
            seams.disk.replace(temp, self._file)
        except (OSError, UnicodeEncodeError):
            return
        self._changed = False

    def _compared(self, path: str, sha256: str, found: stat_result) -> OutputState:
        if not stat.S_ISREG(found.st_mode):
            return "edited"
        try:
            path_parts(path)
            same = _hash(self._root + path) == sha256
        except (OSError, OutputError):
            return "edited"
        if not same:
            return "edited"
        self._keep(path, sha256, found)
        return "same"

    def _keep(self, path: str, sha256: str, found: stat_result) -> None:
        text = f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {sha256}"
        self._loaded()[path] = text
        self._changed = True

    def _loaded(self) -> dict[str, str]:
        if self._seen is None:
            self._seen = self._read()
        return self._seen

    def _read(self) -> dict[str, str]:
        try:
            if not stat.S_ISREG(seams.disk.lstat(self._file).st_mode):
                return {}
            content = json.loads(read_bytes(self._file))
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("root") != self._root:
            return {}
        seen = content.get("seen")
        return seen if isinstance(seen, dict) and all(_sound(text) for text in seen.values()) else {}


def _sound(text: object) -> bool:
    return isinstance(text, str) and text.count(" ") == 3


def _nanoseconds(moment: datetime) -> int:
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e9)


def _hash(path: str) -> str:
    with opened(path, READ_REGULAR) as handle:
        return hash_rest(handle)
