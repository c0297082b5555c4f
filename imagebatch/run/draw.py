"""The paid-call protocol: one draw, from intent to a final state.

The order is the promise. An intent is durable before the first byte leaves; the id is durable before anything is done
with it; what nobody can know is looked up, and sent again only where absence is proof. Nothing here decides *whether*
to draw: the plan did.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from imagebatch.model.event import Abandoned, Accepted, Doubted, Event, Intended, Observed, PaidStep, Refused, Told
from imagebatch.model.generation import Candidate, Failure, Part, PictureFacts, Status
from imagebatch.model.money import UNKNOWN_COST, Cost, Money, parse_money, totals
from imagebatch.model.recorded import KnownDraw
from imagebatch.model.token import lineage_tag, make_token
from imagebatch.model.variant import Variant
from imagebatch.model.wire import Answer, BadAnswer, Call, NotSent, OutcomeLost, Unreachable, Wire
from imagebatch.providers import base
from imagebatch.providers.base import CanRetry, CanUpdate, CanWitness, Observation, Offer, Order, ReferenceImage
from imagebatch.run.clock import Clock
from imagebatch.run.entries import Drawn, cost_text
from imagebatch.run.lanes import Lane
from imagebatch.run.poll import Poller, PollFailed
from imagebatch.run.settle import ListingFailed, Listings
from imagebatch.run.stop import Stop

MAX_SENDS = 3
OWN_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 60.0
LONGEST_REFUSAL_S = 300.0

InDoubtPolicy = Literal["stop", "skip", "resend"]


class Recorder(Protocol):
    """Writes events down; durable ones are on disk when it returns."""

    async def record(self, event: Event, *, durable: bool = True) -> None: ...


class Inbox(Protocol):
    """Keeps the answers of providers that answer at once, until their pictures are in the store."""

    def wire(self, token: str, wire: Wire) -> Wire:
        """A wire that spools the create's answer under `token`, synced, before anyone reads it."""
        ...

    def answer(self, token: str) -> Answer | None:
        """A complete answer from an earlier run."""
        ...

    def discard(self, token: str) -> None:
        """The pictures of `token` are in the store and recorded."""
        ...


class Intake(Protocol):
    """Takes a candidate's bytes into the store."""

    async def take(self, lane: Lane, offer: Offer) -> PictureFacts | Failure: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the user said about this run."""

    in_doubt: InDoubtPolicy = "skip"
    wait: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Spend:
    """What this run has paid so far, for the summary."""

    paid: list[Money] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _PartEnd:
    """How one create of a draw ended."""

    token: str
    status: Status | None
    generation: str | None = None
    candidates: tuple[Candidate, ...] = ()
    failure: Failure | None = None
    cost: tuple[str, ...] = ()
    adopted: bool = False
    code: str | None = None
    message: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Everything a draw needs, bound together once for a run."""

    lineage: str
    recorder: Recorder
    listings: Listings
    pollers: Mapping[str, Poller]
    inbox: Inbox
    intake: Intake
    clock: Clock
    stop: Stop
    rules: Rules
    tell: Callable[[Told], None]
    open_steps: Mapping[str, Intended]
    reference_images: Callable[[Variant], tuple[ReferenceImage, ...]]

    async def draw(self, variant: Variant, lane: Lane, attempt: int, known: KnownDraw | None = None) -> Drawn:
        """Draw `variant`: all its parts, as attempt number `attempt`.

        `known` is an earlier attempt whose delivered parts are kept.
        """
        ends = await asyncio.gather(
            *(self._one_part(variant, lane, attempt, part, known) for part in range(variant.parts))
        )
        return _together(ends, attempt, variant.parts)

    async def wait_for(self, variant: Variant, lane: Lane, known: KnownDraw, *, adopted: bool = False) -> Drawn:
        """Wait for a generation that was accepted before."""
        if known.parts:
            ends = await asyncio.gather(*(self._known_part(variant, lane, known, part) for part in known.parts))
            return replace(_together(ends, known.attempt, len(known.parts)), adopted=adopted)
        if known.generation is None:
            raise ValueError(f"{variant.address} has no generation to wait for")
        cost = known.cost
        end = await self._follow(variant, lane, known.token, known.generation, cost=cost, adopted=adopted)
        return _together([end], known.attempt, 1)

    async def retry(self, variant: Variant, lane: Lane, attempt: int, known: KnownDraw) -> Drawn:
        """Start a failed generation again under its id: first `update` where the request changed, then `retry`."""
        adapter = lane.adapter
        if not isinstance(adapter, CanRetry) or known.generation is None:
            return await self.draw(variant, lane, attempt, known)
        token = known.token
        async with lane.places:
            unsent = self._unsent(lane, token)
            if unsent is not None:
                return _together([unsent], attempt, 1)
            if known.draw != variant.draw:
                if not isinstance(adapter, CanUpdate):
                    return await self.draw(variant, lane, attempt)
                token = make_token(lineage=self.lineage, draw=variant.draw, attempt=attempt, salt=variant.salt)
                order = self._order(variant, token)
                refused = await adapter.update(known.generation, order, request=True, wire=lane.wire)
                if refused is not None:
                    return _together([self._refused_end(token, refused)], attempt, 1)
            await self._intend(variant, lane, "retry", token, attempt, 0, generation=known.generation)
            end = await self._retry_once(adapter, lane, known.generation, token, attempt, variant)
            if end is not None:
                return _together([end], attempt, 1)
            end = await self._polled(variant, lane, token, known.generation, cost=cost_text(variant.price))
        return _together([end], attempt, 1)

    async def _retry_once(
        self, adapter: CanRetry, lane: Lane, generation: str, token: str, attempt: int, variant: Variant
    ) -> _PartEnd | None:
        """Send the retry; None where the generation is being drawn again."""
        try:
            answer = await adapter.retry(generation, lane.wire)
        except NotSent as error:
            return await self._not_sent(lane, "retry", token, str(error))
        except (OutcomeLost, BadAnswer) as error:
            answer = base.Unclear(why=str(error))
        if isinstance(answer, base.Refused):
            await self.recorder.record(Refused(step="retry", token=token, failure=answer.failure))
            self._stop_lane(lane, answer)
            return self._refused_end(token, answer)
        if isinstance(answer, base.Unclear):
            # Whether it started again can be read from the generation itself: still in error means that it did not.
            await self.recorder.record(Doubted(step="retry", token=token, why=answer.why))
            found = await self._observe(lane, generation)
            if found is None or found.state == "failed":
                return _PartEnd(
                    token=token,
                    status="in_doubt" if found is None else "failed",
                    generation=generation,
                    failure=found.failure if found else None,
                    code="retry.in_doubt",
                    message=f"whether the retry was taken cannot be known: {answer.why}",
                )
        await self.recorder.record(Accepted(step="retry", token=token, attempt=attempt, generation=generation))
        self.tell(Told(kind="accepted", address=variant.address, data={"generation": generation}))
        return None

    async def _observe(self, lane: Lane, generation: str) -> Observation | None:
        try:
            if isinstance(lane.adapter, base.CanObserve):
                return await lane.adapter.observe(generation, lane.wire)
        except (Unreachable, OutcomeLost, BadAnswer):
            pass
        return None

    # One part ---------------------------------------------------------------------------------------------------

    async def _one_part(
        self, variant: Variant, lane: Lane, attempt: int, part: int, known: KnownDraw | None
    ) -> _PartEnd:
        kept = _kept_part(known, part) if known is not None and variant.parts > 1 else None
        if kept is not None:
            return kept
        token = make_token(lineage=self.lineage, draw=variant.draw, attempt=attempt, part=part, salt=variant.salt)
        before = await self._looked_up(variant, lane, token)
        if before is not None:
            return before
        for _ in range(MAX_SENDS):
            end = await self._send(variant, lane, token, attempt, part)
            if end.code != "create.unclear":
                return end
            settled = await self._settle(variant, lane, token, attempt, end.message)
            if settled is not None:
                return settled
        return self._doubt(token, "the provider never answered clearly, though nothing of ours is found there")

    async def _looked_up(self, variant: Variant, lane: Lane, token: str) -> _PartEnd | None:
        """What is there already under this token: in the inbox, at the provider; None where it may be sent."""
        if lane.capabilities.witness == "list":
            try:
                found = (await self.listings.first(lane)).by_token.get(token)
            except ListingFailed as error:
                lane.stop_creates(str(error))
                return _PartEnd(token=token, status=None, code="provider.listing", message=str(error))
            if found is not None:
                return await self._adopt(variant, lane, token, found)
            if token in self.open_steps:
                return await self._settle(variant, lane, token, self.open_steps[token].attempt, "the last run ended")
        elif token in self.open_steps:
            answer = self.inbox.answer(token)
            if answer is not None:
                submission = await lane.adapter.submit(self._order(variant, token), _Replay(answer, lane.wire))
                if isinstance(submission, base.Completed):
                    return await self._completed(variant, lane, token, submission)
            return await self._settle(variant, lane, token, self.open_steps[token].attempt, "the last run ended")
        return None

    async def _send(self, variant: Variant, lane: Lane, token: str, attempt: int, part: int) -> _PartEnd:
        order = self._order(variant, token)
        waited = 0.0
        backoff = OWN_BACKOFF_S
        async with lane.places:
            while True:
                unsent = self._unsent(lane, token)
                if unsent is not None:
                    return unsent
                await self._intend(variant, lane, "create", token, attempt, part)
                self.tell(Told(kind="sending", address=variant.address))
                try:
                    submission = await lane.adapter.submit(order, self.inbox.wire(token, lane.wire))
                except NotSent as error:
                    return await self._not_sent(lane, "create", token, str(error))
                except (OutcomeLost, BadAnswer, Unreachable) as error:
                    submission = base.Unclear(why=str(error))
                if not isinstance(submission, base.Refused) or submission.wait_s is None:
                    break
                await self.recorder.record(Refused(step="create", token=token, failure=submission.failure))
                pause = submission.wait_s if submission.wait_s > 0 else self.clock.jitter(backoff)
                backoff = min(backoff * 2, LONGEST_BACKOFF_S)
                waited += pause
                if waited > LONGEST_REFUSAL_S:
                    return self._paused(lane, token, pause)
                self.tell(Told(kind="paused", address=variant.address, data={"seconds": pause}))
                await self._pause(pause)
            return await self._answered(variant, lane, token, attempt, submission)

    async def _answered(
        self, variant: Variant, lane: Lane, token: str, attempt: int, submission: base.Submission
    ) -> _PartEnd:
        if isinstance(submission, base.Unclear):
            lane.answered_unclearly()
            await self.recorder.record(Doubted(step="create", token=token, why=submission.why))
            return _PartEnd(token=token, status=None, code="create.unclear", message=submission.why)
        lane.answered_clearly()
        if isinstance(submission, base.Refused):
            await self.recorder.record(Refused(step="create", token=token, failure=submission.failure))
            self.inbox.discard(token)
            self._stop_lane(lane, submission)
            return self._refused_end(token, submission)
        if isinstance(submission, base.Completed):
            return await self._completed(variant, lane, token, submission)
        generation = submission.generation
        await self.recorder.record(Accepted(step="create", token=token, attempt=attempt, generation=generation))
        self.tell(Told(kind="accepted", address=variant.address, data={"generation": generation}))
        return await self._polled(variant, lane, token, generation, cost=cost_text(_part_price(variant)))

    async def _completed(self, variant: Variant, lane: Lane, token: str, submission: base.Completed) -> _PartEnd:
        """The pictures came with the answer: into the store with all of them, now."""
        cost = (str(submission.cost),) if submission.cost is not None else cost_text(_part_price(variant))
        await self.recorder.record(Accepted(step="create", token=token, attempt=1, generation=token))
        taken = await asyncio.gather(*(self.intake.take(lane, offer) for offer in submission.offers))
        candidates = tuple(
            Candidate(id=str(index), facts=facts if isinstance(facts, PictureFacts) else None)
            for index, facts in enumerate(taken, start=1)
        )
        failures = [facts for facts in taken if isinstance(facts, Failure)]
        status: Status = "succeeded"
        failure = None
        if not taken:
            status = "failed"
            failure = Failure(kind="no_images", message="the provider answered without a picture")
        elif len(failures) == len(taken):
            status, failure = "failed", failures[0]
        ended: Literal["succeeded", "failed"] = "succeeded" if status == "succeeded" else "failed"
        await self.recorder.record(
            Observed(token=token, status=ended, candidates=candidates, failure=failure, cost=cost)
        )
        self.inbox.discard(token)
        warnings = (*submission.warnings, *(f"a candidate is no picture: {one.message}" for one in failures))
        return _PartEnd(
            token=token, status=status, generation=token, candidates=candidates, failure=failure, cost=cost,
            warnings=warnings,
        )  # fmt: skip

    async def _follow(
        self, variant: Variant, lane: Lane, token: str, generation: str, *, cost: tuple[str, ...], adopted: bool
    ) -> _PartEnd:
        async with lane.places:
            end = await self._polled(variant, lane, token, generation, cost=cost)
        return replace(end, adopted=adopted)

    async def _polled(
        self, variant: Variant, lane: Lane, token: str, generation: str, *, cost: tuple[str, ...]
    ) -> _PartEnd:
        pending = _PartEnd(token=token, status="pending", generation=generation, cost=cost)
        if not self.rules.wait:
            return pending

        def seen(found: Observation) -> None:
            if found.offers:
                self.tell(Told(kind="progress", address=variant.address, data={"images": len(found.offers)}))

        try:
            found = await self.pollers[lane.alias].wait(generation, token, lane.deadline_s(variant.extras), seen)
        except PollFailed as error:
            return replace(pending, code=error.code, message=str(error))
        if found is None:
            return pending
        return await self._ended(token, generation, found, cost)

    async def _ended(self, token: str, generation: str, found: Observation, cost: tuple[str, ...]) -> _PartEnd:
        candidates = tuple(Candidate(id=offer.id) for offer in found.offers)
        status: Status = found.state if found.state != "pending" else "failed"
        failure = found.failure
        if status == "succeeded" and not candidates:
            status = "failed"
            failure = Failure(kind="no_images", message=f"generation {generation} is done and offers no image")
        if status != "succeeded" and failure is None:
            failure = Failure(kind="provider", message=f"generation {generation} ended in error")
        if found.cost is not None:
            cost = (str(found.cost),)
        shown: Literal["succeeded", "failed", "blocked"] = "succeeded"
        if status != "succeeded":
            shown = "blocked" if status == "blocked" else "failed"
        await self.recorder.record(
            Observed(token=token, status=shown, candidates=candidates, failure=failure, cost=cost)
        )
        return _PartEnd(
            token=token, status=status, generation=generation, candidates=candidates, failure=failure, cost=cost
        )

    async def _known_part(self, variant: Variant, lane: Lane, known: KnownDraw, part: Part) -> _PartEnd:
        index = known.parts.index(part)
        kept = _kept_part(known, index)
        if kept is not None:
            return kept
        if part.generation is None:
            return self._doubt(part.token, "the provider's answer to this part was lost")
        return await self._follow(variant, lane, part.token, part.generation, cost=(), adopted=False)

    # Doubt ------------------------------------------------------------------------------------------------------

    async def _settle(self, variant: Variant, lane: Lane, token: str, attempt: int, why: str) -> _PartEnd | None:
        """What became of an unclear create; None where it certainly was not taken and may be sent again."""
        witness = lane.capabilities.witness
        self.tell(Told(kind="settling", address=variant.address, message=why))
        if witness == "list":
            try:
                found = await self.listings.find(lane, token)
            except ListingFailed as error:
                return self._doubt(token, f"{why}; {error}")
            if found is not None:
                return await self._adopt(variant, lane, token, found)
            await self.recorder.record(Abandoned(token=token, why="not in the listing for the whole window"))
            return None
        if witness == "billing" and isinstance(lane.adapter, CanWitness):
            end = await self._billed(lane.adapter, lane, token, why)
            if end is None:
                await self.recorder.record(Abandoned(token=token, why="the provider's record says that it failed"))
            return end if end is None or self.rules.in_doubt != "resend" else None
        if self.rules.in_doubt == "resend":
            await self.recorder.record(Abandoned(token=token, why="sent again because --in-doubt resend says so"))
            return None
        return self._doubt(token, f"{why}; this provider keeps no record that we could ask")

    async def _billed(self, adapter: CanWitness, lane: Lane, token: str, why: str) -> _PartEnd | None:
        try:
            record = await adapter.billing_record(token, lane.wire)
        except (Unreachable, OutcomeLost, BadAnswer) as error:
            return self._doubt(token, f"{why}; its billing record cannot be read: {error}")
        if record is None:
            return self._doubt(token, f"{why}; the provider has no billing record of it, which proves nothing")
        if record.state == "failed":
            return None
        paid = f" for {record.cost}" if record.cost is not None else ""
        return self._doubt(
            token, f"{why}; billing record {record.id} says {record.state}{paid}: the picture cannot be fetched again"
        )

    async def _adopt(self, variant: Variant, lane: Lane, token: str, found: Observation) -> _PartEnd:
        """A generation of ours that exists already: written down as if its answer had reached us."""
        if token not in self.open_steps:
            await self._intend(variant, lane, "create", token, 1, 0, paid=False)
        await self.recorder.record(Accepted(step="create", token=token, attempt=1, generation=found.generation))
        cost = cost_text(_part_price(variant))
        if found.state != "pending":
            return replace(await self._ended(token, found.generation, found, cost), adopted=True)
        return await self._follow(variant, lane, token, found.generation, cost=cost, adopted=True)

    def _doubt(self, token: str, why: str) -> _PartEnd:
        if self.rules.in_doubt == "stop":
            self.stop.ask(3)
        return _PartEnd(token=token, status="in_doubt", code="create.in_doubt", message=why)

    # Small steps ------------------------------------------------------------------------------------------------

    async def _intend(
        self, variant: Variant, lane: Lane, step: PaidStep, token: str, attempt: int, part: int,
        *, generation: str | None = None, paid: bool = True,
    ) -> None:  # fmt: skip
        await self.recorder.record(
            Intended(
                step=step,
                token=token,
                attempt=attempt,
                part=part,
                provider=lane.alias,
                type=variant.type,
                draw=variant.draw,
                request=variant.request,
                address=variant.address,
                cost=_part_price(variant) if paid else UNKNOWN_COST,
                generation=generation,
            )
        )

    async def _not_sent(self, lane: Lane, step: PaidStep, token: str, why: str) -> _PartEnd:
        failure = Failure(kind="rejected", message=why)
        await self.recorder.record(Refused(step=step, token=token, failure=failure))
        lane.stop_creates(f"{lane.alias} cannot be reached: {why}")
        return _PartEnd(token=token, status=None, code="net.unreachable", message=f"nothing was sent: {why}")

    def _refused_end(self, token: str, refused: base.Refused) -> _PartEnd:
        failure = refused.failure
        code = f"provider.{refused.stops or failure.kind}"
        message = failure.message + (f" ({refused.link})" if refused.link else "")
        if refused.stops in {"auth", "path", "redirect"}:  # the fault is not the request's: it stays new
            return _PartEnd(token=token, status=None, code=code, message=message)
        status: Status = "blocked" if failure.kind == "blocked" else "failed"
        return _PartEnd(token=token, status=status, failure=failure, code=code, message=message)

    def _stop_lane(self, lane: Lane, refused: base.Refused) -> None:
        if refused.stops is not None:
            lane.stop_creates(f"{lane.alias}: {refused.failure.message}")

    def _paused(self, lane: Lane, token: str, pause: float) -> _PartEnd:
        message = f"{lane.alias} asks us to wait {pause:.0f} s; nothing was sent and nothing was paid"
        lane.stop_creates(message)
        return _PartEnd(token=token, status=None, code="provider.paused", message=message)

    def _unsent(self, lane: Lane, token: str) -> _PartEnd | None:
        """Why nothing may be sent any more, or None."""
        if self.stop.asked:
            return _PartEnd(
                token=token, status=None, code="run.stopped", message="the run was stopped before it was sent"
            )
        if lane.stopped is not None:
            paused = "asks us to wait" in lane.stopped
            code = "provider.paused" if paused else "provider.stopped"
            return _PartEnd(token=token, status=None, code=code, message=f"not sent: {lane.stopped}")
        return None

    async def _pause(self, seconds: float) -> None:
        pause = asyncio.create_task(self.clock.sleep(seconds))
        asked = asyncio.create_task(self.stop.wait())
        await asyncio.wait({pause, asked}, return_when=asyncio.FIRST_COMPLETED)
        pause.cancel()
        asked.cancel()

    def _order(self, variant: Variant, token: str) -> Order:
        labels = json.loads(variant.labels_body)
        tag = lineage_tag(self.lineage)
        return Order(
            token=token,
            lineage_tag=tag,
            body=json.loads(variant.request),
            extras=variant.extras,
            name=labels.get("name") or f"{variant.policy.asset} {token}",
            tags=tuple(labels.get("tags", ())),
            metadata=labels.get("metadata", {}),
            references=self.reference_images(variant),
            count=1 if variant.parts > 1 else variant.count,
        )


class _Replay:
    """A wire that answers a create from the inbox; every other call goes to the real one."""

    def __init__(self, answer: Answer, wire: Wire) -> None:
        self._answer = answer
        self._wire = wire

    async def send(self, call: Call) -> Answer:
        return self._answer if call.kind == "create" else await self._wire.send(call)

    def recall(self, key: str) -> str | None:
        return self._wire.recall(key)

    def remember(self, key: str, value: str) -> None:
        self._wire.remember(key, value)


def _part_price(variant: Variant) -> Cost:
    price = variant.price
    if variant.parts == 1 or price.money is None:
        return price
    return Cost(
        money=Money(amount=price.money.amount / variant.parts, currency=price.money.currency), basis=price.basis
    )


def _kept_part(known: KnownDraw | None, part: int) -> _PartEnd | None:
    """A part that an earlier attempt delivered already, with its candidates."""
    if known is None or part >= len(known.parts):
        return None
    one = known.parts[part]
    if one.status != "succeeded":
        return None
    start = sum(earlier.candidates for earlier in known.parts[:part])
    return _PartEnd(
        token=one.token,
        status="succeeded",
        generation=one.generation,
        candidates=known.candidates[start : start + one.candidates],
    )


_WORST: tuple[Status, ...] = ("in_doubt", "pending", "blocked", "failed", "succeeded")


def _together(ends: Sequence[_PartEnd], attempt: int, parts: int) -> Drawn:
    """One draw from the ends of its parts; the worst of them names it."""
    if all(end.status is None for end in ends):
        first = ends[0]
        return Drawn(token=first.token, attempt=attempt, status=None, code=first.code, message=first.message)
    known = [end for end in ends if end.status is not None]
    worst = min(known, key=lambda end: _WORST.index(end.status or "failed"))
    status = worst.status
    unsent = next((end for end in ends if end.status is None), None)
    if unsent is not None and status == "succeeded":
        # Some parts are there and some were never sent: as a whole it failed, and a later apply draws what is missing.
        status = "failed"
        worst = replace(worst, failure=Failure(kind="provider", message=unsent.message), message=unsent.message)
    candidates = tuple(candidate for end in known for candidate in end.candidates)
    if parts > 1:
        candidates = tuple(replace(one, id=str(index)) for index, one in enumerate(candidates, start=1))
    return Drawn(
        token=ends[0].token,
        attempt=attempt,
        status=status,
        generation=ends[0].generation if status != "in_doubt" else None,
        candidates=candidates,
        parts=tuple(
            Part(
                token=end.token,
                generation=end.generation,
                status=end.status or "failed",
                candidates=len(end.candidates),
            )
            for end in ends
        )
        if parts > 1
        else (),
        failure=worst.failure if status != "succeeded" else None,
        cost=_summed(end.cost for end in ends),
        adopted=all(end.adopted for end in ends),
        code=worst.code,
        message=worst.message,
        warnings=tuple(warning for end in ends for warning in end.warnings),
    )


def _summed(costs: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    known = [Cost(money=parse_money(text), basis="exact") for cost in costs for text in cost]
    return tuple(str(money) for money in totals(known))
