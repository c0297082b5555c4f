"""A second witness beside a listing: the balance that creates are paid from, where a provider tells it without delay.

A listing that shows nothing may only be late. Where the balance fell by more than the creates explain that are known to
be taken, a lost one was taken too, and is in doubt whatever the listing shows. That the balance stands still proves
nothing by itself: at some accounts creates cost nothing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

from imagebatch.model.wire import BadAnswer, NotSent, OutcomeLost, Unreachable, Wire
from imagebatch.providers.base import Adapter, CanTellLeft

LONGEST_READ_S = 5.0


class Balance:
    """One provider's balance through one run.

    It is read while no create is on its way, so that each is on one side of a reading.
    """

    def __init__(self, adapter: Adapter, wire: Wire) -> None:
        self._adapter = adapter if isinstance(adapter, CanTellLeft) else None
        self._wire = wire
        self._before: asyncio.Task[Decimal | None] | None = None
        self._known = 0
        self._flying = 0
        self._landed = asyncio.Event()
        self._quiet = asyncio.Lock()
        self._sought: set[str] = set()
        self._settled = asyncio.Event()

    async def begin(self) -> None:
        """Read what is left before the first paid request of the run; once, however many ask."""
        if self._adapter is None:
            return
        if self._before is None:
            self._before = asyncio.create_task(self._left(self._adapter))
        await asyncio.shield(self._before)

    @asynccontextmanager
    async def on_its_way(self) -> AsyncIterator[None]:
        """A paid request is sent meanwhile, and answered or lost at the end; never before the first reading."""
        if self._adapter is None:
            yield
            return
        await self.begin()  # a retry that left earlier would explain a fall that the reading has behind it
        async with self._quiet:
            self._flying += 1
        try:
            yield
        finally:
            self._flying -= 1
            self._landed.set()

    def taken(self) -> None:
        """A request of this run is known to be taken; one before the first reading explains nothing of a fall."""
        self._known += self._before is not None

    def seek(self, token: str) -> None:
        """The answer to a create of this run was lost: until it is `settled`, a fall may be its own."""
        self._sought.add(token)

    def settled(self, token: str) -> None:
        """A create is looked for no more: where it was found, it counts as `taken` by now."""
        self._sought.discard(token)
        self._settled.set()

    async def fell(self) -> bool:
        """Whether more was taken since the first reading than the creates that are known to be taken.

        It is read when no other one is looked for any more: a fall that another explains proves nothing.
        """
        before = self._before.result() if self._before is not None and self._before.done() else None
        if self._adapter is None or before is None:
            return False
        while True:
            while self._sought:
                self._settled.clear()
                await self._settled.wait()
            now = await self._left(self._adapter)
            if not self._sought:  # another answer may have been lost while the reading waited for it
                return now is not None and before - now > self._known

    async def _left(self, adapter: CanTellLeft) -> Decimal | None:
        async with self._quiet:
            while self._flying:
                self._landed.clear()
                await self._landed.wait()
            try:
                async with asyncio.timeout(LONGEST_READ_S):
                    return await adapter.creates_left(self._wire)
            except (BadAnswer, NotSent, OutcomeLost, TimeoutError, Unreachable):
                return None  # one witness less
