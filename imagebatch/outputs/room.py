"""Room on the disk, looked at before anything is paid: a picture that cannot be stored is paid for all the same."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from imagebatch.effects import seams
from imagebatch.effects.files import exists

LOW: Final = "disk.low"
MIB: Final = 1 << 20
# The journal grows, and lock and draw index are written whole beside what they replace, while others write here too.
FLOOR: Final = 64 * MIB
# A picture of a few MiB is there up to three times at once: in an answer as base64, in the store, as an output file.
EACH: Final = 8 * MIB
# More than that do not come between two looks, however many are under way.
MOST_AT_ONCE: Final = 128
LOOKED_EVERY_S: Final = 1.0


def free_bytes(folder: Path) -> int:
    """What we may still write there. Raises OSError."""
    return seams.disk.free(folder)


@dataclass(slots=True, kw_only=True)
class Room:
    """Whether what is paid for can be stored. `folders` has one folder on each file system that is written to, by
    name; `in_flight` is how many paid requests may be under way at once."""

    folders: Mapping[str, Path]
    in_flight: int
    free: Callable[[Path], int] = free_bytes
    now: Callable[[], float] = field(default_factory=lambda: seams.clock.monotonic)
    _looked: float | None = field(default=None, init=False)
    _lacking: str | None = field(default=None, init=False)
    _closed: str | None = field(default=None, init=False)

    @property
    def wanted(self) -> int:
        """Bytes that have to be free on each file system."""
        return FLOOR + EACH * min(self.in_flight, MOST_AT_ONCE)

    def close(self, why: str) -> None:
        """Nothing more is paid for in this run, however much seems to be free: the first reason stands."""
        self._closed = self._closed or why

    def lacking(self) -> str | None:
        """Why nothing may be paid for now, None where there is room; looked at once a second at most."""
        if self._closed is not None:
            return self._closed
        now = self.now()
        if self._looked is None or now - self._looked >= LOOKED_EVERY_S:
            self._looked = now
            self._lacking = next(filter(None, map(self._lack, self.folders)), None)
        return self._lacking

    def _lack(self, name: str) -> str | None:
        try:
            free = self.free(self.folders[name])
        except OSError:
            return None  # where nobody can tell, writing will: the intent comes before the request
        if free >= self.wanted:
            return None
        return (
            f"{free // MIB} MiB are free on the disk of {name}, and {self.wanted // MIB} MiB have to be before "
            "anything is paid for: what comes has to be stored; make room there"
        )


def on_each_disk(home: Path, paths: Iterable[str]) -> dict[str, Path]:
    """`.imagebatch`, and of the folders that project paths go to one on every other file system, by name."""
    found: dict[int, str] = {}
    for folder in [".imagebatch", *sorted({path.rpartition("/")[0] for path in paths})]:
        there = home / folder
        while not exists(there) and there != home:
            there = there.parent
        try:
            disk = seams.disk.stat(there).st_dev
        except OSError:
            continue
        found.setdefault(disk, there.relative_to(home).as_posix())
    return {name if name != "." else "the project": home / name for name in found.values()}
