"""The lock seen by draw fingerprint, built only when a plan needs it."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet

from imagebatch.model.generation import Earlier
from imagebatch.model.recorded import Recorded


class DrawHolders:
    """Which recorded addresses hold a draw; one pass over the lock's glances, on first use."""

    def __init__(self, recorded: Recorded) -> None:
        self.recorded = recorded
        self._by_draw: dict[str, list[str]] | None = None
        self._earlier: dict[str, list[tuple[str, Earlier]]] | None = None

    def holders(self, draw: str) -> list[str]:
        """Addresses whose current draw this is, in the lock's order."""
        if self._by_draw is None:
            self._by_draw = {}
            for address in self.recorded:
                self._by_draw.setdefault(self.recorded.glance(address).draw, []).append(address)
        return self._by_draw.get(draw, [])

    def earlier(self, draw: str) -> list[tuple[str, Earlier]]:
        """Addresses that keep this draw under `earlier`, with what they keep; reads every block that may have some."""
        if self._earlier is None:
            self._earlier = {}
            for address in self.recorded:
                if self.recorded.glance(address).has_earlier:
                    for kept in self.recorded.entry(address).earlier:
                        self._earlier.setdefault(kept.draw, []).append((address, kept))
        return self._earlier.get(draw, [])


def released_tokens(holders: DrawHolders, leaving: AbstractSet[str], used: Callable[[str], bool]) -> set[str]:
    """Of the addresses that leave the lock, those after which nobody holds the generation any more.

    Several that leave together and share one generation release it once: at the last of them. `used` tells of a token
    whether a change of this plan adopts or shares it.
    """
    last: dict[str, str] = {}
    for address in sorted(leaving):
        entry = holders.recorded.entry(address)
        stays = any(
            other not in leaving and holders.recorded.entry(other).token == entry.token
            for other in holders.holders(entry.draw)
        )
        if not stays and not used(entry.token):
            last[entry.token] = address
    return set(last.values())
