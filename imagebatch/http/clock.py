"""Time, passed in. Only the monotonic clock: the wall clock can jump, and no wait may hang on it."""

from typing import Protocol

from imagebatch.effects import seams


class Clock(Protocol):
    """What the wire needs of a clock; tests move one by hand, the executor's own clock fits."""

    def now(self) -> float:
        """Seconds since some start; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that long."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        return seams.clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await seams.clock.sleep(seconds)
