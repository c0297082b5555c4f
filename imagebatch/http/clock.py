"""Time, passed in: deadlines read the monotonic clock, dates in headers the wall clock."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What the wire needs of a clock; tests move one by hand."""

    def monotonic(self) -> float:
        """Seconds since some start; never goes back."""
        ...

    def wall(self) -> float:
        """Seconds since 1970, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that long."""
        ...


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
