"""What a person writes in an afternoon: httpx and a semaphore, doing the requests that a run does, and nothing else.

`httpx_loop.py REPORT CORE BASE COUNT CONCURRENCY FOLDER`: COUNT All-Images.ai generations at BASE, each created, asked
about until it is done, and its first picture streamed to a file; httpx's own transport, one client. No journal, no
checks, no lock: it is the floor that the program's CPU is held against.
"""

import asyncio
import json
import os
import resource
import sys
import time
from collections import Counter
from pathlib import Path

import httpx

DONE = 3
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
            body = {
                "name": f"product {number}",
                "mode": "simple",
                "prompt": f"Product photograph, calm light, number {number:06d}",
                "params": [{"name": "format", "value": "3:2"}, {"name": "weather", "value": "sunny"}],
                "tags": ["httpx-loop"],
            }
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


def main(report: Path, core: int, base: str, *numbers: int, folder: Path) -> None:
    """Run, and write the report; `numbers` are count and concurrency."""
    count, concurrency = numbers
    if core >= 0:
        os.sched_setaffinity(0, {core})
    began = time.monotonic()
    requests = asyncio.run(run(base, count, concurrency, folder))
    own = resource.getrusage(resource.RUSAGE_SELF)
    facts = {"wall_s": time.monotonic() - began, "own_cpu_s": own.ru_utime + own.ru_stime, "requests": dict(requests)}
    report.write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), folder=Path(sys.argv[6]))
