"""A provider as the manifest's drafts see it, and what it takes for a picture."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from imagebatch.model.capabilities import Encoded
from imagebatch.model.generation import Resolution
from imagebatch.model.money import CREDIT, Cost, Money
from imagebatch.model.variant import Draft
from imagebatch.providers.base import Adapter

NO_ACCOUNTS: Final[Mapping[str, str]] = MappingProxyType({})
NO_PRICES: Final[Mapping[str, Mapping[Resolution, Cost]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A provider as the drafts see it: its adapter, and whether the simulator stands in for it.

    What the built-in simulator draws costs nothing, whatever the real provider asks for.
    """

    adapter: Adapter
    simulated: bool = False

    @property
    def type(self) -> str:
        """The type that enters request and lock."""
        plain = self.adapter.capabilities.type
        return f"simulator:{plain}" if self.simulated else plain

    def price(self, encoded: Encoded) -> Cost:
        """What a whole draw costs here."""
        return _free(encoded.price) if self.simulated else encoded.price

    def buy_price(self, encoded: Encoded) -> Mapping[Resolution, Cost]:
        """What one bought candidate costs here, by resolution."""
        prices = encoded.buy_price
        return {resolution: _free(cost) for resolution, cost in prices.items()} if self.simulated else prices


@dataclass(frozen=True, slots=True, kw_only=True)
class Sellers:
    """What the accounts of one type sell the same picture for; `accounts` maps their aliases to types."""

    targets: Mapping[str, Target]
    accounts: Mapping[str, str]
    known: dict[tuple[str, int, int], Mapping[str, Mapping[Resolution, Cost]]] = field(default_factory=dict)

    def prices(self, draft: Draft) -> Mapping[str, Mapping[Resolution, Cost]]:
        """Prices by alias of the other accounts of the draft's type, which may have drawn its picture and sell it then.

        The draft's params have to live as long as this: their id is the key.
        """
        own, references = draft.policy.provider, len(draft.references)
        key = (own, id(draft.params), references)
        found = self.known.get(key)
        if found is None:
            kind = self.accounts.get(own)
            others = [alias for alias, other in self.accounts.items() if other == kind and alias != own]
            found = self.known[key] = {alias: self._price(alias, draft) for alias in others}
        return found

    def _price(self, alias: str, draft: Draft) -> Mapping[Resolution, Cost]:
        target = self.targets[alias]
        return target.buy_price(target.adapter.encode(draft.params, len(draft.references)))


def _free(cost: Cost) -> Cost:
    currency = cost.money.currency if cost.money else CREDIT
    return Cost(money=Money(amount=Decimal(0), currency=currency), basis="exact")
