"""Time, passed in: the executor never asks the machine for it directly."""

import asyncio
import random
import time
from typing import Protocol


class Clock(Protocol):
    """Monotonic seconds for deadlines, a way to wait, and a little chance for spreading requests."""

    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...

    def jitter(self, seconds: float) -> float:
        """`seconds`, made up to a fifth longer so that many waiters do not come back at once."""
        ...


class RealClock:
    """The machine's own clock. Wall time is never asked for: it can jump."""

    def now(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def jitter(self, seconds: float) -> float:
        return seconds * (1 + random.random() / 5)  # noqa: S311 - spreads requests, guards nothing
