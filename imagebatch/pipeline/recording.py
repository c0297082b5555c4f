"""The run's way into the journal: events in, and a wait for the disk where money hangs on it.

The journal's thread tells when events are on disk. Waking the event loop for each of them would cost more than writing
them, so those that one commit brought are told of together.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

from imagebatch.effects import seams
from imagebatch.model.event import Event, Intended, Told
from imagebatch.pipeline.waves import Waves
from imagebatch.state.store import Session

LEASE_LOOK_S = 0.05


class Recording:
    """Writes a run's events down and shows them."""

    def __init__(self, session: Session, tell: Callable[[Told | Event], None]) -> None:
        self._session = session
        self._tell = tell
        self._landing: _Landing | None = None
        self._lease_seen = float("-inf")
        self._waves: tuple[asyncio.AbstractEventLoop, Waves] | None = None

    async def cleared(self) -> None:
        """Return where a paid request whose intent was recorded may leave, for runs on other machines, too.

        Raises RefusedError and StateError where it may not; without a shared lease it returns at once.
        """
        if not self._session.sharing.active:
            return
        loop = asyncio.get_running_loop()
        if self._waves is None or self._waves[0] is not loop:
            self._waves = (loop, Waves(self._session.sharing))
        await self._waves[1].cleared()

    async def record(self, event: Event, *, durable: bool = True) -> None:
        """Record `event`; where it has to be durable, it is on disk when this returns.

        Raises StateError where it cannot be written, RefusedError where the project was lost to another run.
        """
        if isinstance(event, Intended):
            self._check_lease()
        future = self._session.record(event, durable=durable)
        self._tell(event)
        if not durable:
            return
        if future.done():
            future.result()
            return
        loop = asyncio.get_running_loop()
        if self._landing is None or self._landing.loop is not loop:
            self._landing = _Landing(loop)
        await self._landing.of(future)
        if isinstance(event, Intended):
            self._check_lease()  # the process may have been stopped meanwhile, for however long

    def _check_lease(self) -> None:
        """Whoever lost the project to another run sends nothing more; looked at once for each wave of creates."""
        now = seams.clock.monotonic()
        if now - self._lease_seen >= LEASE_LOOK_S:
            self._session.lease.check()
            self._lease_seen = now


class _Landing:
    """Where futures of the journal's thread come down on one event loop, those of one commit together."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._landed: deque[tuple[Future[None], asyncio.Future[None]]] = deque()
        self._woken = False

    def of(self, future: "Future[None]") -> "asyncio.Future[None]":
        """A future of this loop that ends as `future` does."""
        waiter: asyncio.Future[None] = self.loop.create_future()
        future.add_done_callback(lambda done: self._land(done, waiter))
        return waiter

    def _land(self, done: "Future[None]", waiter: "asyncio.Future[None]") -> None:
        """Called on the journal's thread."""
        self._landed.append((done, waiter))
        if not self._woken:
            self._woken = True
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                self.loop.call_soon_threadsafe(self._tell_all)

    def _tell_all(self) -> None:
        self._woken = False  # before the look: whatever lands from now on wakes the loop again
        while self._landed:
            done, waiter = self._landed.popleft()
            if waiter.done():
                continue  # cancelled: nobody waits any more
            error = done.exception()
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)
