"""Small pictures of pictures, for people and for pages: made by the workers, kept by the hash of what they show.

They can be made again at any time, so nothing here is synced, and an empty file counts as none.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imagebatch.effects import seams
from imagebatch.effects.files import make_folders, names_in
from imagebatch.outputs.workers import CHECK_S, WorkerGone, Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Small:
    """How small: the longer side in pixels, and the most bytes that a file may have (None: any)."""

    side: int
    most: int | None = None


THUMB: Final = Small(side=384)
PLACEHOLDER: Final = Small(side=16, most=270)
"""As a data URL it has at most 23 + 360 characters."""


class Thumbs:
    """The small pictures of one kind in `folder` (`.imagebatch/thumbs`)."""

    def __init__(self, folder: Path, small: Small) -> None:
        self._folder = folder
        self._small = small
        self._shards: dict[str, frozenset[str]] = {}

    def path_of(self, sha256: str) -> Path:
        """Where the small picture of the bytes with this hash lies, or would."""
        digest = sha256.removeprefix("sha256:")
        return self._folder / digest[:2] / self._name(digest)

    def has(self, sha256: str) -> bool:
        """Whether it has been made."""
        digest = sha256.removeprefix("sha256:")
        shard = digest[:2]
        if shard not in self._shards:
            self._shards[shard] = frozenset(names_in(self._folder / shard))
        return self._name(digest) in self._shards[shard] and _size(self.path_of(sha256)) > 0

    async def make(
        self, sources: Mapping[str, Path], *, done: Callable[[int, int], None] = lambda _, __: None
    ) -> Mapping[str, str]:
        """Make what is not there yet, out of the files with these hashes (`sha256:…`).

        `done` is told how many are made, and of how many. Gives why for each that cannot be made; raises OutputError
        where no worker can be started, OSError where the folder cannot be written.
        """
        wanted = {sha256: path for sha256, path in sources.items() if not self.has(sha256)}
        failed: dict[str, str] = {}
        if not wanted:
            return failed
        made = 0
        async with Workers() as workers:

            async def one(sha256: str, source: Path) -> None:
                nonlocal made
                why = await self._made(sha256, source, workers)
                if why is not None:
                    failed[sha256] = why
                made += 1
                done(made, len(wanted))

            await asyncio.gather(*(one(sha256, path) for sha256, path in wanted.items()))
        self._shards.clear()
        return failed

    async def _made(self, sha256: str, source: Path, workers: Workers) -> str | None:
        target = self.path_of(sha256)
        part = target.with_suffix(f".{seams.processes.pid()}.part")
        job = {
            "do": "shrink",
            "source": str(source),
            "target": str(part),
            "side": self._small.side,
            "most": self._small.most,
        }

        def place(answer: Mapping[str, object]) -> str | None:
            if "bad" in answer:
                return str(answer["text"])
            seams.disk.replace(part, target)
            return None

        try:
            return await workers.run_then(job, place, seconds=CHECK_S, first=lambda: make_folders(target.parent))
        except WorkerGone as error:
            return str(error)

    def _name(self, digest: str) -> str:
        return f"{digest}-{self._small.side}.webp"


def _size(path: Path) -> int:
    try:
        return seams.disk.stat(path).st_size
    except OSError:
        return 0
