"""Waves of paid requests: many that are about to leave share one look at the remote, or one push of their intents.

Whoever asks waits for a look that begins after it asked, so that a lease that was lost before is seen. Looks do not
overlap, and begin at least half a second apart: what asks meanwhile makes up the next wave. A process may be stopped
and go on much later, so a look that is old when it comes back proves nothing.
"""

import asyncio
from collections.abc import Callable

from imagebatch.effects import seams
from imagebatch.errors import ImagebatchError, RefusedError
from imagebatch.state.sharing import Sharing

SPACING_S = 0.5
STALE_S = 20.0
LOOKS = 3


class Waves:
    """Clears what is about to leave, on one event loop. After a refusal nothing is cleared any more."""

    def __init__(self, sharing: Sharing, clock: Callable[[], float] | None = None) -> None:
        self._sharing = sharing
        self._clock = clock or seams.clock.monotonic
        self._next: asyncio.Task[float] | None = None
        self._looking = asyncio.Lock()
        self._began = float("-inf")
        self._refusal: ImagebatchError | None = None

    async def cleared(self) -> None:
        """Return where what was recorded by now may leave. Raises RefusedError or StateError where it may not."""
        for _ in range(LOOKS):
            if self._next is None:
                self._next = asyncio.create_task(self._wave())
            began = await asyncio.shield(self._next)
            if self._clock() - began <= STALE_S:
                return
        raise RefusedError(
            "the shared lease could not be looked at in time",
            f"Each of {LOOKS} looks took longer than {STALE_S:.0f} s, so that nobody knows whether the lease is still "
            "ours. Nothing is sent.",
            hints=("Run the same command again",),
            code="lease.unreachable",
        )

    async def _wave(self) -> float:
        """One look; gives when it began."""
        async with self._looking:
            await seams.clock.sleep(max(0.0, self._began + SPACING_S - self._clock()))
            self._next = None  # who asks from now on needs another one
            if self._refusal is not None:
                raise self._refusal
            self._began = began = self._clock()
            try:
                await seams.threads.aside(self._sharing.clearance())
            except ImagebatchError as refusal:
                self._refusal = refusal
                raise
            return began
