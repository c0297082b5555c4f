"""Candidates' bytes: into the store, bought where asked for."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from imagebatch.effects import seams
from imagebatch.effects.files import read_bytes
from imagebatch.errors import ImagebatchError, OutputError
from imagebatch.model.event import Accepted, BoughtStored, Doubted, Fetched, Intended, Observed, Refused, Told
from imagebatch.model.generation import Bought, Candidate, Entry, Failure, PictureFacts, Resolution
from imagebatch.model.money import Cost, Money, parse_money, totals
from imagebatch.model.transfer import DownloadError
from imagebatch.model.variant import Variant
from imagebatch.model.wire import BadAnswer, NotSent, OutcomeLost, Unreachable
from imagebatch.outputs.download import SAFE, Taken, take_bytes, take_picture
from imagebatch.outputs.room import LOW
from imagebatch.outputs.store import Store
from imagebatch.outputs.workers import Workers
from imagebatch.plan.costs import bought_price
from imagebatch.plan.picking import OWN, has_resolution, is_own
from imagebatch.plan.types import Change
from imagebatch.providers import base
from imagebatch.providers.base import CanBuy, CanObserve, Offer
from imagebatch.run.ends import Try
from imagebatch.run.entries import cost_text, with_candidate
from imagebatch.run.lanes import Lane
from imagebatch.run.leaving import Recorder, at_once
from imagebatch.run.looking import Looking
from imagebatch.run.spending import OVER, Spending
from imagebatch.run.trouble import Trouble
from imagebatch.run.turns import Turns

DOWNLOADS_AT_ONCE = 16
MOST_DOWNLOADS_AT_ONCE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Gets candidates into the store. Nothing here draws: fetching again is free, buying again is billed once."""

    store: Store
    workers: Workers
    recorder: Recorder
    looking: Looking
    tell: Callable[[Told], None]
    turns: Turns
    lacking: Callable[[], str | None]
    cleared: Callable[[], Awaitable[None]] = at_once
    spending: Spending = field(default_factory=Spending)
    places: dict[str, asyncio.Semaphore] = field(default_factory=dict)
    warnings: dict[str, list[str]] = field(default_factory=dict)
    came_to: dict[str, str] = field(default_factory=dict)

    def noted(self, generation: str, offers: Sequence[Offer]) -> None:
        """Remember where a generation's pictures can be fetched, so that they need not be asked for again."""
        self.looking.noted(generation, offers)

    async def take(self, this: Try, offer: Offer) -> PictureFacts | Failure:
        """Store an offer's bytes, checked and hashed; raises Trouble where trying later may help."""
        try:
            return await self._taken(this.variant, this.lane, offer, safe="")
        except OutputError as error:  # what becomes of the others is to be known all the same
            raise Trouble(error.code, f"{error.summary}: {error.detail}") from error

    def missing(self, entry: Entry, indexes: Sequence[int]) -> tuple[int, ...]:
        """Those of the candidates (from 1) whose bytes are not in the store."""
        return tuple(index for index in indexes if not self._here(entry.candidates[index - 1]))

    def missing_bought(self, entry: Entry, indexes: Sequence[int]) -> tuple[int, ...]:
        """Those of the candidates (from 1) that were bought and whose bought bytes are not in the store."""
        bought = ((index, entry.candidates[index - 1].bought) for index in indexes)
        return tuple(
            index
            for index, one in bought
            if one is not None and (one.facts is None or not self.store.bring(one.facts.sha256))
        )

    def to_buy(self, variant: Variant, entry: Entry) -> tuple[int, ...]:
        """The picks that are not there in the resolution that the variant asks for."""
        resolution = variant.policy.resolution
        return tuple(index for index in entry.picked if not has_resolution(entry.candidates[index - 1], resolution))

    async def fetch(self, variant: Variant, lane: Lane, entry: Entry, missing: Sequence[int]) -> Entry:
        """The entry with the bytes of these candidates (from 1) in the store, as far as they can be had.

        Raises Trouble where trying later may help, once all the others have come; a candidate that is no picture makes
        the entry `failed`, unless others of its candidates are picked already.
        """
        asked = (self._fetched(variant, lane, entry, index) for index in missing)
        found = await asyncio.gather(*asked, return_exceptions=True)
        trouble: BaseException | None = None
        for index, facts in zip(missing, found, strict=True):
            if isinstance(facts, BaseException):
                trouble = trouble or facts
                continue
            if isinstance(facts, Failure) and entry.picked and index not in entry.picked:
                text = f"candidate {index} cannot be chosen: {facts.message}"
                self.warnings.setdefault(variant.address, []).append(text)
                continue
            if isinstance(facts, Failure):
                return replace(entry, status="failed", failure=facts)
            candidate = replace(entry.candidates[index - 1], facts=facts)
            await self.recorder.record(Fetched(token=entry.token, index=index, facts=facts), durable=False)
            entry = with_candidate(entry, index, candidate)
        if trouble is not None:
            raise trouble
        return entry

    async def with_own(self, change: Change) -> Entry:
        """The present entry with a file of one's own as one more candidate, from the store or from its own place.

        Raises Trouble where neither has the bytes that were chosen, or where they are no picture.
        """
        entry, path = change.entry, change.own
        if entry is None or path is None or len(change.use) != 1:
            raise Trouble("picks.file", "picks.yaml names bytes that no draw of this address offered")
        (sha256,) = change.use
        try:
            data = await seams.threads.aside(read_bytes, self.store.path_of(sha256))
        except KeyError:
            raise Trouble("picks.file", f"{path} is not in the store: imagebatch use takes it in") from None
        taken = await take_bytes(data, store=self.store, workers=self.workers)
        if isinstance(taken, Failure) or taken.facts.sha256 != sha256:
            raise Trouble("picks.file", f"{path} is not the picture that was chosen")
        offered = tuple(one for one in entry.candidates if not is_own(one))
        return replace(entry, candidates=(*offered, Candidate(id=f"{OWN}{path}", facts=taken.facts)))

    async def asked_again(self, variant: Variant, lane: Lane, entry: Entry) -> Entry:
        """An entry whose pictures may have been paid and could not be had, ready to fetch them once more, free.

        One that ended without pictures stays `failed` until its generation offers some, and is `pending` where that is
        still being drawn after all; one whose generation was gone is looked for again. Raises Trouble.
        """
        if entry.status == "succeeded":
            await self.looking.at(variant.address, lane, entry)
            back = Observed(token=entry.token, status="succeeded", candidates=entry.candidates, cost=entry.cost)
            await self.recorder.record(back)
            return entry
        if entry.candidates:
            return replace(entry, status="succeeded", failure=None)
        if entry.parts:
            return entry  # its parts are generations of their own, and none of them delivered
        found = await self.looking.at(variant.address, lane, entry)
        if found.state == "pending" and entry.failure is not None and entry.failure.kind == "gone":
            return replace(entry, status="pending", failure=None)
        candidates = tuple(Candidate(id=offer.id) for offer in found.offers)
        if found.state != "succeeded" or not candidates:
            return entry
        await self.recorder.record(
            Observed(token=entry.token, status="succeeded", candidates=candidates, cost=entry.cost)
        )
        return replace(entry, status="succeeded", failure=None, candidates=candidates)

    async def buy(
        self, variant: Variant, lane: Lane, entry: Entry, paid: Callable[[Entry, Money | None], None]
    ) -> Entry:
        """The entry with its picks bought in the resolution that the variant asks for.

        `paid` is told of each purchase with the entry as it is then, before its bytes are here. Raises Trouble.
        """
        resolution = variant.policy.resolution
        for index in self.to_buy(variant, entry):
            candidate = entry.candidates[index - 1]
            cost = bought_price(variant, lane.alias, candidate)
            offer = await self._buy(variant, lane, entry, candidate, cost)
            entry = with_candidate(entry, index, replace(candidate, bought=Bought(resolution=resolution)))
            entry = replace(entry, cost=_added(entry.cost, cost_text(cost)))
            paid(entry, cost.money)
            entry = await self._bought_stored(variant, lane, entry, index, offer=offer, resolution=resolution)
        return entry

    async def fetch_bought(self, variant: Variant, lane: Lane, entry: Entry, indexes: Sequence[int]) -> Entry:
        """The entry with the bytes of what was bought before (candidates from 1) and is not here in the store.

        Asking for a purchase again is documented as free: it is billed once an image. Raises Trouble.
        """
        for index in indexes:
            candidate = entry.candidates[index - 1]
            bought = candidate.bought
            if bought is None:
                raise ValueError(f"candidate {index} of {variant.address} was never bought")
            adapter = lane.adapter
            if not isinstance(adapter, CanBuy) or entry.generation is None:
                raise Trouble("picture.unavailable", f"{lane.alias} cannot send a bought picture again")
            try:
                answer = await adapter.buy(entry.generation, candidate.id, bought.resolution, lane.wire)
            except (NotSent, OutcomeLost, Unreachable, BadAnswer) as error:
                code = error.code if isinstance(error, NotSent) else NotSent.code
                raise Trouble(code, f"the bought picture cannot be fetched: {error}") from error
            if isinstance(answer, base.Refused):
                await self._refuse_gone(variant, lane, entry, answer)
                raise Trouble(answer.failure.code, f"the bought picture was not sent: {answer.failure.message}")
            entry = await self._bought_stored(variant, lane, entry, index, offer=answer, resolution=bought.resolution)
        return entry

    def _here(self, candidate: Candidate) -> bool:
        return candidate.facts is not None and self.store.bring(candidate.facts.sha256)

    async def _fetched(self, variant: Variant, lane: Lane, entry: Entry, index: int) -> PictureFacts | Failure:
        candidate = entry.candidates[index - 1]
        offer = await self.looking.offer(variant.address, lane, entry, candidate, fresh=False)
        facts = await self._taken(variant, lane, offer)
        if isinstance(facts, Failure) and facts.dead_link:
            # The link died: the generation itself tells a fresh one.
            facts = await self._taken(
                variant, lane, await self.looking.offer(variant.address, lane, entry, candidate, fresh=True)
            )
        if isinstance(facts, Failure) or candidate.facts is None or facts.sha256 == candidate.facts.sha256:
            return facts
        text = f"{candidate.id} came with other bytes than before; the new ones are kept"
        self.warnings.setdefault(variant.address, []).append(text)
        return facts

    async def _taken(self, variant: Variant, lane: Lane, offer: Offer, *, safe: str = SAFE) -> PictureFacts | Failure:
        store, workers = self.store, self.workers
        asked = variant.asked_size if variant.policy.resolution == "preview" else None
        try:
            async with self._places(lane):
                await self.turns.to_fetch()
                if offer.data is not None:
                    taken = await take_bytes(offer.data, store=store, workers=workers, asked_size=asked, safe=safe)
                elif offer.url is not None:
                    source = lane.downloader.source(offer.url)
                    taken = await take_picture(source, store=store, workers=workers, asked_size=asked, safe=safe)
                else:
                    return Failure(kind="no_images", message=f"candidate {offer.id} has neither bytes nor an address")
        except DownloadError as error:
            raise Trouble(error.code, f"the picture did not arrive: {error}") from error
        if isinstance(taken, Taken):
            warnings = (*taken.warnings, *self._seen_before(variant.address, taken.facts.sha256))
            if warnings:
                self.warnings.setdefault(variant.address, []).extend(warnings)
            return taken.facts
        return taken

    def _seen_before(self, address: str, sha256: str) -> tuple[str, ...]:
        """What to say of bytes that another address got in this run, too: its provider may mix pictures up."""
        first = self.came_to.setdefault(sha256, address)
        return () if first == address else (f"the picture has the same bytes as that of {first}; both are kept",)

    def _places(self, lane: Lane) -> asyncio.Semaphore:
        """Room for downloads: as many as are drawn at once, so that fetching keeps up with drawing."""
        if lane.alias not in self.places:
            width = min(max(DOWNLOADS_AT_ONCE, lane.settings.max_concurrency), MOST_DOWNLOADS_AT_ONCE)
            self.places[lane.alias] = asyncio.Semaphore(width)
        return self.places[lane.alias]

    # Buying ---------------------------------------------------------------------------------------------------------

    async def _bought_stored(
        self, variant: Variant, lane: Lane, entry: Entry, index: int, *, offer: Offer, resolution: Resolution
    ) -> Entry:
        if offer.data is None and offer.url is None:
            text = f"{offer.id} is bought, and {lane.alias} did not say where it is; asking for it is free from now on"
            raise Trouble("provider.no_images", text)
        facts = await self._taken(variant, lane, offer)
        if isinstance(facts, Failure):
            raise Trouble(facts.code, f"bought, and not stored: {facts.message}")
        bought = Bought(resolution=resolution, facts=facts)
        await self.recorder.record(BoughtStored(token=entry.token, index=index, bought=bought))
        return with_candidate(entry, index, replace(entry.candidates[index - 1], bought=bought))

    async def _buy(self, variant: Variant, lane: Lane, entry: Entry, candidate: Candidate, cost: Cost) -> Offer:
        """Buy one candidate. Documented as debited once an image, so a lost answer may be asked for again."""
        adapter = lane.adapter
        if not isinstance(adapter, CanBuy) or entry.generation is None:
            raise Trouble("provider.cannot_buy", f"{lane.alias} sells no {variant.policy.resolution} pictures")
        lacking = self.lacking()
        if lacking is not None:
            raise Trouble(LOW, f"not bought: {lacking}")
        over = self.spending.lacking(cost, create=False)
        if over is not None:
            raise Trouble(OVER, f"not bought: {over}")
        await self.recorder.record(self._buy_intent(variant, lane, entry, candidate, cost))
        try:
            await self.cleared()
        except ImagebatchError as refusal:
            await self._buy_refused(entry, candidate, refusal.summary)
            raise Trouble(refusal.code, f"not bought: {refusal.summary}: {refusal.detail}") from None
        try:
            answer = await adapter.buy(entry.generation, candidate.id, variant.policy.resolution, lane.wire)
        except NotSent as error:
            await self._buy_refused(entry, candidate, str(error))
            raise Trouble(error.code, f"nothing was bought: {error}") from error
        except (OutcomeLost, Unreachable, BadAnswer) as error:
            await self.recorder.record(Doubted(step="buy", token=entry.token, why=str(error), candidate=candidate.id))
            raise Trouble(
                "buy.in_doubt", f"whether it was bought is unclear ({error}); it is billed once only"
            ) from error
        if isinstance(answer, base.Refused):
            await self._buy_refused(entry, candidate, answer.failure.message)
            if answer.stops is not None:
                lane.stop_creates(f"{lane.alias}: {answer.failure.message}")
            await self._refuse_gone(variant, lane, entry, answer)
            stopped = f"provider.{answer.stops}" if answer.stops is not None else answer.failure.code
            raise Trouble(stopped, f"not bought: {answer.failure.message}")
        await self.recorder.record(
            Accepted(
                step="buy",
                token=entry.token,
                attempt=entry.attempt,
                generation=entry.generation,
                candidate=candidate.id,
            )
        )
        return answer

    async def _refuse_gone(self, variant: Variant, lane: Lane, entry: Entry, answer: base.Refused) -> None:
        """Raise Trouble where a candidate is not sold because its whole generation is gone."""
        if answer.failure.kind == "gone" and isinstance(lane.adapter, CanObserve):
            await self.looking.at(variant.address, lane, entry)

    async def _buy_refused(self, entry: Entry, candidate: Candidate, why: str) -> None:
        failure = Failure(kind="rejected", message=why)
        await self.recorder.record(Refused(step="buy", token=entry.token, failure=failure, candidate=candidate.id))

    def _buy_intent(self, variant: Variant, lane: Lane, entry: Entry, candidate: Candidate, cost: Cost) -> Intended:
        return Intended(
            step="buy",
            token=entry.token,
            attempt=entry.attempt,
            part=0,
            provider=lane.alias,
            type=variant.type,
            draw=entry.draw,
            request=entry.request,
            address=variant.address,
            cost=cost,
            candidate=candidate.id,
            resolution=variant.policy.resolution,
            generation=entry.generation,
            paid=candidate.bought is None or cost.money is None or bool(cost.money.amount),
        )


def _added(have: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    known = [Cost(money=parse_money(text), basis="exact") for text in (*have, *more)]
    return tuple(str(money) for money in totals(known))
