"""What a provider shows of a generation that exists: looked at as often as it is of use, for asking costs nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from imagebatch.model.generation import Candidate, Entry, Failure
from imagebatch.model.wire import BadAnswer, NotSent, OutcomeLost, Unreachable
from imagebatch.plan.aliases import Aliases
from imagebatch.providers.base import CanObserve, Observation, Offer
from imagebatch.run.elsewhere import elsewhere
from imagebatch.run.entries import gone_since
from imagebatch.run.lanes import Lane
from imagebatch.run.leaving import Recorder
from imagebatch.run.trouble import Trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """Looks at generations; remembers where their pictures can be fetched, and writes down which are gone."""

    recorder: Recorder
    aliases: Aliases = field(default_factory=Aliases)
    offers: dict[tuple[str, str], Offer] = field(default_factory=dict)

    def noted(self, generation: str, offers: Sequence[Offer]) -> None:
        """Remember where a generation's pictures can be fetched, so that they need not be asked for again."""
        self.offers.update(((generation, offer.id), offer) for offer in offers)

    async def offer(self, address: str, lane: Lane, entry: Entry, candidate: Candidate, *, fresh: bool) -> Offer:
        """Where a candidate can be fetched, as known or (`fresh`) as it is now; raises Trouble where it cannot."""
        generation = entry.generation or ""
        known = None if fresh else self.offers.get((generation, candidate.id))
        if known is not None:
            return known
        await self.at(address, lane, entry)
        offer = self.offers.get((generation, candidate.id))
        if offer is None:
            raise Trouble("picture.unavailable", f"generation {generation} no longer offers {candidate.id}")
        return offer

    async def shown(self, address: str, lane: Lane, entry: Entry) -> Entry:
        """The entry as one of this lane's account, which has to show its generation with our token first.

        Raises Trouble where it does not, or cannot be asked.
        """
        if lane.alias == entry.provider or not isinstance(lane.adapter, CanObserve):
            return entry
        found = await self.at(address, lane, entry)
        if found.token != entry.token:
            raise self._unknown(address, lane, entry)
        return replace(entry, provider=lane.alias)

    async def at(self, address: str, lane: Lane, entry: Entry) -> Observation:
        """The entry's generation as it is now; raises Trouble where that is not known.

        That a generation is gone from where it was drawn is written down: the next plan must not promise its pictures.
        """
        generation = entry.generation or ""
        if not isinstance(lane.adapter, CanObserve):
            raise Trouble("picture.unavailable", f"{lane.alias} cannot send a picture again, and it is not here")
        try:
            found = await lane.adapter.observe(generation, lane.wire)
        except (Unreachable, OutcomeLost, NotSent, BadAnswer) as error:
            raise Trouble("provider.unreachable", f"the picture's address cannot be asked for: {error}") from error
        if found is None and lane.alias != entry.provider:
            raise self._unknown(address, lane, entry)
        if found is None:
            text = f"{lane.alias} no longer knows generation {generation}"
            learnt = gone_since(entry, Failure(kind="gone", message=text)) if entry.status == "succeeded" else None
            if learnt is not None:
                await self.recorder.record(learnt)
            raise Trouble("provider.gone", text)
        if found.token is not None and found.token != entry.token:
            raise Trouble("provider.token_mismatch", f"generation {generation} does not carry our token")
        self.noted(generation, found.offers)
        return found

    def _unknown(self, address: str, lane: Lane, entry: Entry) -> Trouble:
        return elsewhere(
            self.aliases,
            recorded=entry.provider,
            kind=entry.type,
            address=address,
            status=entry.status,
            asked=lane.alias,
        )
