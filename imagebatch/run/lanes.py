"""A lane is one provider during one run: its adapter, its wire, its places, and why it may have stopped."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from imagebatch.http.client import ProviderWire
from imagebatch.http.downloader import Downloader
from imagebatch.http.limits import Gate
from imagebatch.model.capabilities import Capabilities
from imagebatch.model.settings import ProviderSettings
from imagebatch.providers.base import Adapter

DOUBTS_BEFORE_STOP = 3


class Places:
    """Places for generations in flight: a provider's own, and within those that all providers share."""

    def __init__(self, own: int, shared: asyncio.Semaphore | None = None) -> None:
        self._own = asyncio.Semaphore(own)
        self._shared = shared

    async def __aenter__(self) -> None:
        await self._own.acquire()
        if self._shared is not None:
            try:
                await self._shared.acquire()
            except BaseException:
                self._own.release()
                raise

    async def __aexit__(self, *_: object) -> None:
        if self._shared is not None:
            self._shared.release()
        self._own.release()


@dataclass(slots=True, kw_only=True)
class Lane:
    """One provider alias in a run.

    `places` bounds generations in flight. `stopped` says why no further create is sent (a key refused, no credit, a
    wrong path, three unclear answers in a row); reads go on. `alone` is held by a create that has to learn how
    the provider wants to be spoken to.
    """

    alias: str
    type: str
    settings: ProviderSettings
    adapter: Adapter
    wire: ProviderWire
    downloader: Downloader
    gate: Gate
    places: Places
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)
    stopped: str | None = None
    paused: bool = False
    doubts: int = 0

    @property
    def capabilities(self) -> Capabilities:
        """What the provider can do."""
        return self.adapter.capabilities

    def deadline_s(self, extras: Mapping[str, object]) -> float:
        """Seconds from acceptance after which a generation is left to a later run."""
        if self.settings.deadline_s is not None:
            return self.settings.deadline_s
        relaxed = extras.get("processMode") == "relax"
        return 7200.0 if relaxed else self.capabilities.deadline_s

    def stop_creates(self, why: str, *, paused: bool = False) -> None:
        """No further create of this provider makes sense in this run; the first reason stands.

        `paused` where the provider only asks us to come back later.
        """
        if self.stopped is None:
            self.stopped = why
            self.paused = paused

    def answered_clearly(self) -> None:
        """A create was answered so that its end is known: the row of doubts is broken."""
        self.doubts = 0

    def answered_unclearly(self) -> None:
        """Three unclear answers in a row stop this provider's creates for the run."""
        self.doubts += 1
        if self.doubts >= DOUBTS_BEFORE_STOP:
            self.stop_creates(f"{self.doubts} creates in a row ended unclear; no more are sent in this run")
