"""Tokens with more than one generation: what was paid twice, by two runs that shared no lease. Told, never mended."""

from collections.abc import Callable
from dataclasses import dataclass, field

from imagebatch.model.event import Told
from imagebatch.run.lanes import Lane
from imagebatch.run.settle import Listing

PAID_TWICE = "duplicate_paid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """Tells of each token once in a run; `address_of` names whose draw a token is, where that is known."""

    tell: Callable[[Told], None]
    address_of: Callable[[str], str | None]
    tokens: set[str] = field(default_factory=set)

    def look(self, lane: Lane, listing: Listing) -> None:
        """Tell what a listing shows twice."""
        for token in sorted(listing.duplicates.keys() - self.tokens):
            self.tokens.add(token)
            generations = [one.generation for one in (listing.by_token[token], *listing.duplicates[token])]
            text = (
                f"{PAID_TWICE}: {lane.alias} has {len(generations)} generations of {token} "
                f"({', '.join(generations)}), so that it may have been paid {len(generations)} times. Nothing was "
                "deleted. Two runs at once share a lease with: state: {lease: git, remote: origin}"
            )
            data = {"token": token, "provider": lane.alias, "generations": ",".join(generations)}
            self.tell(Told(kind=PAID_TWICE, address=self.address_of(token), message=text, data=data))
