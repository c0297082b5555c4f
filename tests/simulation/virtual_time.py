"""Virtual time: an event loop that never waits; whenever nobody can go on, the clock is moved to the next alarm."""

import asyncio
from asyncio import base_events
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from heapq import heappop
from typing import Any, TypeVar, cast

T = TypeVar("T")
BEGAN = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


class Crash(SystemExit):
    """The process is gone. Not an Exception, so that no code of the program can go on after it."""


class Hung(SystemExit):
    """Everybody waits, and nothing will ever happen."""


class VirtualClock:
    """The clock seam: seconds go by only where somebody waits for them."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.wall_shift = timedelta()
        """How far the wall clock is off; it may jump at any time."""

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> datetime:
        return BEGAN + timedelta(seconds=self.now) + self.wall_shift

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        loop = VirtualLoop(self)
        try:
            result = loop.run_until_complete(work)
            _end(loop)
        except (Crash, Hung):
            abandon(loop)
            raise
        except BaseException:
            _end(loop)
            raise
        finally:
            loop.close()
        return result


class VirtualLoop(base_events.BaseEventLoop):
    """An event loop without a selector: there is nothing to select from, and nobody else's thread to be woken by."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._virtual = clock
        self.tasks: list[asyncio.Task[Any]] = []
        """All that were begun here. asyncio knows them too, but looks through those of all loops, dead ones as well."""
        self.set_task_factory(_remembering)

    def time(self) -> float:
        return self._virtual.now

    def call_soon(  # type: ignore[override]  # as the base class, which says the same more exactly
        self, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.Handle:
        """As the base class does, without its questions."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]  # the base class's own
        return handle

    def _run_once(self) -> None:
        """Let everybody who can go on do so; where nobody can before the next alarm, the time until then passes."""
        ready: deque[Any] = self._ready  # type: ignore[attr-defined]  # as above
        alarms: list[Any] = self._scheduled  # type: ignore[attr-defined]  # as above
        while alarms and alarms[0]._cancelled:
            heappop(alarms)._scheduled = False
        if not ready and not self._stopping:  # type: ignore[attr-defined]  # as above
            if not alarms:
                raise Hung("everybody waits for somebody else")
            self._virtual.now = max(self._virtual.now, alarms[0]._when)
        while alarms and alarms[0]._when <= self._virtual.now:
            alarm = heappop(alarms)
            alarm._scheduled = False
            ready.append(alarm)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""


def _remembering(loop: asyncio.AbstractEventLoop, work: Any, **named: Any) -> asyncio.Task[Any]:
    task = asyncio.Task(work, loop=loop, **named)
    cast("VirtualLoop", loop).tasks.append(task)
    return task


def _end(loop: VirtualLoop) -> None:
    left = [task for task in loop.tasks if not task.done()]
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())


def abandon(loop: VirtualLoop) -> None:
    """Let go of everything that ran, as a dead process does: no clean-up reaches the world, for that refuses it."""
    for task in loop.tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # nobody wants to hear of it
        coroutine = task.get_coro()
        with suppress(BaseException):
            if coroutine is not None:
                coroutine.close()
    for generator in list(loop._asyncgens):  # type: ignore[attr-defined]  # as above
        with suppress(BaseException):
            generator.aclose().close()
    loop._ready.clear()  # type: ignore[attr-defined]  # as above
    loop._scheduled.clear()  # type: ignore[attr-defined]  # as above
    loop.set_exception_handler(lambda *_: None)
