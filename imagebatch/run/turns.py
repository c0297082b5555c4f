"""Who goes on first when many could at once: a few in each turn of the event loop, those on the way to a create first.

One listing can end the waiting of fifty generations at the same moment. If all of them went on side by side, the first
of the next creates would leave when the work before the last one was done; a few after the other, the first leaves at
once, and the provider gets no burst.
"""

import asyncio
from collections import deque

AT_ONCE = 4


class Turns:
    """Lets those that wait go on, `AT_ONCE` in each turn of the event loop; to fetch only while none is to draw."""

    def __init__(self) -> None:
        self._drawing: deque[asyncio.Future[None]] = deque()
        self._fetching: deque[asyncio.Future[None]] = deque()
        self._running = False

    async def to_draw(self) -> None:
        """Wait for a turn before a create."""
        await self._wait(self._drawing)

    async def to_fetch(self) -> None:
        """Wait for a turn before a picture is fetched."""
        await self._wait(self._fetching)

    async def _wait(self, queue: "deque[asyncio.Future[None]]") -> None:
        loop = asyncio.get_running_loop()
        mine = loop.create_future()
        queue.append(mine)
        if not self._running:
            self._running = True
            loop.call_soon(self._next)
        await mine

    def _next(self) -> None:
        queue = self._drawing or self._fetching
        if not queue:
            self._running = False
            return
        for _ in range(min(AT_ONCE, len(queue))):
            one = queue.popleft()
            if not one.done():  # whoever was cancelled meanwhile needs no turn
                one.set_result(None)
        asyncio.get_running_loop().call_soon(self._next)
