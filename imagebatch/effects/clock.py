"""Time: the monotonic clock for waits and deadlines, the wall clock for names that people read, and the event loop."""

import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """What the program knows of time. No wait may hang on the wall clock, which can jump."""

    def monotonic(self) -> float:
        """Seconds since some start; never goes back."""
        ...

    def wall(self) -> datetime:
        """The time of day, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let other tasks run for that long."""
        ...

    def pause(self, seconds: float) -> None:
        """Hold this thread for that long."""
        ...

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end in an event loop of its own."""
        ...


class PlainClock:
    """The machine's own clocks."""

    monotonic = staticmethod(time.monotonic)
    pause = staticmethod(time.sleep)

    @staticmethod
    def wall() -> datetime:
        return datetime.now(UTC)

    @staticmethod
    async def sleep(seconds: float) -> None:
        import asyncio  # a plan has no use for it, and reading it takes a while

        await asyncio.sleep(seconds)

    @staticmethod
    def run(work: Coroutine[Any, Any, T]) -> T:
        import asyncio  # as above

        return asyncio.run(work)
