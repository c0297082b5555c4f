"""The floor below the program: aiohttp alone, doing the requests that a run does, and nothing else.

`aiohttp_loop.py REPORT CORE BASE COUNT CONCURRENCY FOLDER`: COUNT All-Images.ai generations at BASE, each created on a
connection of its own and its first picture streamed to a file; all that are waited for are asked about by one listing.
No journal, no checks, no lock, no second copy of the picture.
"""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
from loops import DONE, create_body, measured

PAUSE_S = 0.03
TAG = "aiohttp-loop"


class Loop:
    """Creates, one asker, downloads."""

    def __init__(self, base: str, concurrency: int, folder: Path) -> None:
        self.base = base
        self.concurrency = concurrency
        self.folder = folder
        self.places = asyncio.Semaphore(concurrency)
        self.requests: Counter[str] = Counter()
        self.waiting: dict[str, asyncio.Future[Any]] = {}
        headers = {"api-key": TAG}
        self.fresh = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True), headers=headers, auto_decompress=False
        )
        self.kept = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers)

    async def generation(self, number: int) -> None:
        """Create, wait, download."""
        async with self.places:
            body = create_body(number, TAG)
            self.requests["create"] += 1
            async with self.fresh.post(f"{self.base}/image-generations", json=body) as answer:
                answer.raise_for_status()
                shown = await answer.json()
            future = self.waiting[shown["id"]] = asyncio.get_running_loop().create_future()
            shown = await future
        self.requests["download"] += 1
        async with self.kept.get(shown["images"][0]["url"]) as answer:
            answer.raise_for_status()
            with (self.folder / f"{number:06d}.jpg").open("wb") as file:
                async for piece in answer.content.iter_any():
                    file.write(piece)

    async def ask(self) -> None:
        """One listing after the other, for all that are waited for."""
        while True:
            await asyncio.sleep(PAUSE_S)
            if not self.waiting:
                continue
            self.requests["list"] += 1
            asked = {"tag": TAG, "limit": str(2 * self.concurrency)}
            async with self.kept.get(f"{self.base}/image-generations", params=asked) as answer:
                answer.raise_for_status()
                page = await answer.json()
            for shown in page["prints"]:
                if shown["status"] == DONE and shown["id"] in self.waiting:
                    self.waiting.pop(shown["id"]).set_result(shown)


async def run(base: str, count: int, concurrency: int, folder: Path) -> Counter[str]:
    """All generations."""
    loop = Loop(base, concurrency, folder)
    async with loop.fresh, loop.kept:
        asking = asyncio.create_task(loop.ask())
        work = asyncio.gather(*(loop.generation(number) for number in range(count)))
        await asyncio.wait({asking, work}, return_when=asyncio.FIRST_COMPLETED)
        asking.cancel()
        await work if work.done() else await asking
    return loop.requests


if __name__ == "__main__":
    measured(run)
