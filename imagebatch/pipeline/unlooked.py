"""Providers at which a run drew without a shared lease, and whose listing nobody has looked through since.

Another machine may have drawn the same meanwhile. Its draws show in the listing, and the next run here looks once, even
where it has nothing else to do.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from imagebatch.model.variant import Variant
from imagebatch.plan.types import DRAW_ACTIONS
from imagebatch.providers.base import CanList
from imagebatch.providers.target import Target
from imagebatch.run.result import Outcome
from imagebatch.state.store import StateStore

_KEY = "unlooked"


class Unlooked:
    """The aliases that the next run has to look at, kept in the project's memory."""

    def __init__(self, home: Path, targets: Mapping[str, Target]) -> None:
        self._state = StateStore(home)
        self._targets = targets

    def aliases(self) -> tuple[str, ...]:
        """Those that the project still has, sorted."""
        return tuple(sorted(alias for alias in self._state.recall(_KEY) if self._can_list(alias)))

    def looked(self) -> None:
        """Every one of them was looked at."""
        self._state.remember(_KEY, {})

    def drew(self, outcomes: Iterable[Outcome], variants: Mapping[str, Variant]) -> None:
        """Remember where these outcomes were drawn; what is simulated was paid by nobody. Raises StateError."""
        drawn = (variants.get(one.address) for one in outcomes if one.action in DRAW_ACTIONS and not one.adopted)
        aliases = {variant.provider for variant in drawn if variant is not None}
        listable = sorted(alias for alias in aliases if self._can_list(alias))
        if listable:
            self._state.remember(_KEY, {**self._state.recall(_KEY), **dict.fromkeys(listable, True)})

    def _can_list(self, alias: str) -> bool:
        target = self._targets.get(alias)
        return target is not None and not target.simulated and isinstance(target.adapter, CanList)
