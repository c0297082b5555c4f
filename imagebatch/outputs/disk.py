"""How output files compare with the lock (implements `model.recorded.Disk`): by a cache of stats, else by hash.

The cache vouches for a file as long as its size, its times and its hash are the ones that were seen together. It is one
JSON object of plain strings, because 100,000 of those load in tens of milliseconds; losing it costs one hashing.
"""

import hashlib
import json
import os
import stat
import time
from pathlib import Path

from imagebatch.errors import OutputError
from imagebatch.model.recorded import OutputState
from imagebatch.outputs.paths import path_parts

FORMAT = "imagebatch-stat-cache-1"
RACY_NS = 50_000_000
PIECE = 1024 * 1024


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
            found = os.lstat(self._root + path)
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

    def exists(self, path: str) -> bool:
        """Whether anything stands at an output path."""
        return os.path.lexists(self._root + path)

    def hash_of(self, path: str) -> str | None:
        """The hash of the regular file at an output path; None where there is none."""
        try:
            if not stat.S_ISREG(os.lstat(self._root + path).st_mode):
                return None
            return _hash(self._root + path)
        except (OSError, ValueError):
            return None

    def note(self, path: str, sha256: str) -> None:
        """Remember a file that was just written with these bytes."""
        try:
            found = os.lstat(self._root + path)
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
        latest = time.time_ns() - RACY_NS
        kept = {path: text for path, text in self._seen.items() if int(text.split(" ", 3)[1]) < latest}
        temp = self._file.with_name(self._file.name + ".part")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            # Whatever stands under the temporary name is removed, never written into: it could be a link to elsewhere.
            temp.unlink(missing_ok=True)
            with temp.open("x", encoding="utf-8") as file:
                json.dump({"format": FORMAT, "root": self._root, "seen": kept}, file)
            temp.replace(self._file)
        except (OSError, UnicodeEncodeError):
            return
        self._changed = False

    def _compared(self, path: str, sha256: str, found: os.stat_result) -> OutputState:
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

    def _keep(self, path: str, sha256: str, found: os.stat_result) -> None:
        text = f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {sha256}"
        self._loaded()[path] = text
        self._changed = True

    def _loaded(self) -> dict[str, str]:
        if self._seen is None:
            self._seen = self._read()
        return self._seen

    def _read(self) -> dict[str, str]:
        try:
            if not stat.S_ISREG(self._file.lstat().st_mode):
                return {}
            content = json.loads(self._file.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("root") != self._root:
            return {}
        seen = content.get("seen")
        return seen if isinstance(seen, dict) and all(_sound(text) for text in seen.values()) else {}


def _sound(text: object) -> bool:
    return isinstance(text, str) and text.count(" ") == 3


def _hash(path: str) -> str:
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    digest = hashlib.sha256()
    with os.fdopen(handle, "rb", buffering=0) as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return "sha256:" + digest.hexdigest()
