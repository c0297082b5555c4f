"""The last moment before a paid request leaves: its connection stands, and not one of its bytes was sent.

What is written down then (the intent) is written for requests that leave, and for no others: not for one that waits for
a rate, for a connection, or for an address to be found out. A crash before that moment leaves nothing in doubt.
"""

from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Protocol, TypeGuard, runtime_checkable

from imagebatch.model.wire import Answer, Call, Wire

Before = Callable[[], Awaitable[None]]
"""Called right before the first byte; what it raises keeps the request from leaving, and is raised to the sender."""


@runtime_checkable
class Announces(Protocol):
    """A wire that knows the last moment before a create leaves."""

    def send_announced(self, call: Call, before: Before, path: Path | None) -> Awaitable[Answer]: ...


class AnnouncedWire:
    """A wire whose creates call `before` at the last moment; everything else goes as on the wire below."""

    def __init__(self, wire: Wire, before: Before) -> None:
        self._wire = wire
        self._before = before

    async def send(self, call: Call) -> Answer:
        """As the wire below, announced where it is a create."""
        return await (self._announced(call, None) if call.kind == "create" else self._wire.send(call))

    async def send_spooled(self, call: Call, path: Path) -> Answer:
        """A create whose answer is on disk at `path` before it is given back, announced."""
        return await self._announced(call, path)

    def recall(self, key: str) -> str | None:
        """What was remembered of this provider's address."""
        return self._wire.recall(key)

    def remember(self, key: str, value: str) -> None:
        """Keep a small fact about this provider's address."""
        self._wire.remember(key, value)

    async def _announced(self, call: Call, path: Path | None) -> Answer:
        if _announces(self._wire):
            return await self._wire.send_announced(call, self._before, path)
        # A wire that cannot tell: early is safe, late would not be.
        await self._before()
        return await self._wire.send(call)


def _announces(wire: Wire) -> TypeGuard[Announces]:
    return _can_announce(type(wire))


@cache  # looking a protocol's methods up costs as much as sending takes, and a run has one kind of wire
def _can_announce(kind: type[Wire]) -> bool:
    return issubclass(kind, Announces)
