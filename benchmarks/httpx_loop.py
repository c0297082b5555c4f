"""What a person writes in an afternoon: httpx and a semaphore, doing the requests that a run does, and nothing else.

`httpx_loop.py REPORT CORE BASE COUNT CONCURRENCY FOLDER`: COUNT All-Images.ai generations at BASE, each created, asked
about until it is done, and its first picture streamed to a file; httpx's own transport, one client. No journal, no
checks, no lock: it is the floor that the program's CPU is held against.
"""

import asyncio
from collections import Counter
from pathlib import Path

import httpx
from loops import DONE, create_body, measured

ALONE = {"connection": "close"}


class Loop:
    """One client, so many generations at once."""

    def __init__(self, base: str, concurrency: int, folder: Path) -> None:
        self.base = base
        self.folder = folder
        self.places = asyncio.Semaphore(concurrency)
        self.requests: Counter[str] = Counter()
        self.client = httpx.AsyncClient(
            headers={"api-key": "httpx-loop"},
            timeout=60.0,
            limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
        )

    async def generation(self, number: int) -> None:
        """Create, poll, download."""
        async with self.places:
            body = create_body(number, "httpx-loop")
            self.requests["create"] += 1
            # As the program's: a paid request leaves on a connection of its own.
            answer = await self.client.post(f"{self.base}/image-generations", json=body, headers=ALONE)
            answer.raise_for_status()
            shown = answer.json()
            while shown["status"] != DONE:
                self.requests["poll"] += 1
                answer = await self.client.get(f"{self.base}/image-generations/{shown['id']}")
                shown = answer.raise_for_status().json()
            self.requests["download"] += 1
            async with self.client.stream("GET", shown["images"][0]["url"]) as stream:
                stream.raise_for_status()
                with (self.folder / f"{number:06d}.jpg").open("wb") as file:
                    async for piece in stream.aiter_bytes():
                        file.write(piece)


async def run(base: str, count: int, concurrency: int, folder: Path) -> Counter[str]:
    """All generations."""
    loop = Loop(base, concurrency, folder)
    async with loop.client:
        await asyncio.gather(*(loop.generation(number) for number in range(count)))
    return loop.requests


if __name__ == "__main__":
    measured(run)
