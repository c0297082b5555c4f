"""The paid-call protocol for one create, from intent to a final state.

The order is the promise. An intent is durable before the first byte leaves; the id is durable before anything else is
done with it; what nobody can know is looked up, and sent again only where absence is proof. Nothing here decides
*whether* to draw: the plan did.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Literal, Protocol, TypeGuard

from imagebatch.effects import seams
from imagebatch.http.announce import AnnouncedWire
from imagebatch.http.clock import Clock
from imagebatch.http.errors import GatePaused
from imagebatch.http.retry import backoff_s
from imagebatch.http.spool import Inbox, Replay
from imagebatch.model.event import Abandoned, Accepted, Doubted, Intended, Observed, PaidStep, Refused, Told
from imagebatch.model.generation import Candidate, Failure, PictureFacts, Status, disputed
from imagebatch.model.token import lineage_tag
from imagebatch.model.variant import Variant
from imagebatch.model.wire import BadAnswer, NotSent, OutcomeLost, Unreachable, Wire
from imagebatch.outputs.room import LOW
from imagebatch.providers import base
from imagebatch.providers.base import Adapter, CanWitness, GoesAlone, Observation, Offer, Order, ReferenceImage
from imagebatch.run.ends import End, Try
from imagebatch.run.entries import cost_text
from imagebatch.run.leaving import Halted, Leaving, Recorder, at_once, intent
from imagebatch.run.poll import Poller, PollFailed
from imagebatch.run.settle import READINGS, ListingFailed, Listings
from imagebatch.run.spending import OVER, Spending
from imagebatch.run.stop import Stop
from imagebatch.run.trouble import Trouble
from imagebatch.run.turns import Turns

MAX_SENDS = 3
LONGEST_REFUSAL_S = 300.0
DEAD_LINK_PAUSES = (0.5, 2.0)

InDoubtPolicy = Literal["stop", "skip", "resend"]


@cache  # a protocol is looked at name by name, and this is asked for every create
def _may_learn(kind: type) -> bool:
    return issubclass(kind, GoesAlone)


def _learns(adapter: Adapter) -> TypeGuard[GoesAlone]:
    return _may_learn(type(adapter))


class Intake(Protocol):
    """Takes a candidate's bytes into the store."""

    async def take(self, this: Try, offer: Offer) -> PictureFacts | Failure:
        """Store an offer's bytes, checked and hashed; raises Trouble where trying later may help."""
        ...

    def noted(self, generation: str, offers: tuple[Offer, ...]) -> None:
        """Remember where a generation's pictures can be fetched, so that they need not be asked for again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the user said about this run."""

    in_doubt: InDoubtPolicy = "skip"
    wait: bool = True


@dataclass(slots=True)
class Waits:
    """How often and how long one paid step has waited because its provider asked for it."""

    count: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Creator:
    """Everything a create needs, bound together once for a run.

    `lacking` says why the disk has no room for more, `cleared` returns once runs on other machines know of an intent.
    """

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
    turns: Turns
    lacking: Callable[[], str | None]
    cleared: Callable[[], Awaitable[None]] = at_once
    spending: Spending = field(default_factory=Spending)

    async def create(self, this: Try) -> End:
        """Have one part drawn, unless it is there already under its token."""
        before = await self._looked_up(this)
        if before is not None:
            return before
        if not this.send:
            return End(token=this.token, status=None, code="create.absent", message="it was never taken")
        for _ in range(MAX_SENDS):
            end = await self._send(this)
            if end.code != "create.unclear":
                return end
            settled = await self._settle(this, end.message, sent=True)
            if settled is not None:
                return settled
        return self._doubt(this, "the provider never answered clearly, though nothing of ours is found there")

    async def follow(self, this: Try, generation: str, *, cost: tuple[str, ...] = (), adopted: bool = False) -> End:
        """Wait for a generation that was accepted before; an answer that came whole is on disk until it is read."""
        if this.lane.capabilities.answers == "now":
            return await self._kept(this) or await self._gone(this, generation)
        async with this.lane.places:
            end = await self.polled(this, generation, cost)
        return replace(end, adopted=adopted)

    async def polled(self, this: Try, generation: str, cost: tuple[str, ...]) -> End:
        """Poll a generation to its end; `pending` where the deadline or the user says to leave it to a later run."""
        pending = End(token=this.token, status="pending", generation=generation, cost=cost)
        if not self.rules.wait:
            return pending
        address = this.variant.address

        def seen(found: Observation) -> None:
            if found.offers:
                self.tell(Told(kind="progress", address=address, data={"images": len(found.offers)}))

        deadline_s = this.lane.deadline_s(this.variant.extras)
        try:
            found = await self.pollers[this.lane.alias].wait(generation, this.token, deadline_s, seen)
        except PollFailed as error:
            return replace(pending, code=error.code, message=str(error))
        return pending if found is None else await self._ended(this, found, cost)

    # What is there already ----------------------------------------------------------------------------------------

    async def _looked_up(self, this: Try) -> End | None:
        """What is there under this token: in the inbox, at the provider; None where it may be sent."""
        if this.lane.capabilities.witness == "list":
            try:
                found = (await self.listings.first(this.lane)).by_token.get(this.token)
            except ListingFailed as error:
                this.lane.stop_creates(str(error))
                return End(token=this.token, status=None, code=error.code, message=str(error))
            if found is not None:
                return await self._adopt(this, found, intended=this.token in self.open_steps)
        if this.token not in self.open_steps:
            return None
        kept = await self._kept(this)
        return kept or await self._settle(this, "the run before this one ended while it was being sent")

    async def _kept(self, this: Try) -> End | None:
        """The pictures of an answer that an earlier run had put on disk; None where there is no such answer."""
        answer = self.inbox.answer(this.token)
        if answer is None:
            return None
        submission = await this.lane.adapter.submit(self.order(this), Replay(answer, this.lane.wire))
        return await self._completed(this, submission) if isinstance(submission, base.Completed) else None

    async def _gone(self, this: Try, generation: str) -> End:
        """An answer was received, and it is not here any more: it was paid, and nothing can be fetched."""
        failure = Failure(kind="gone", message="the provider's answer, which held the pictures, is no longer here")
        await self.recorder.record(Observed(token=this.token, status="failed", failure=failure))
        return End(token=this.token, status="failed", generation=generation, failure=failure)

    # Sending ------------------------------------------------------------------------------------------------------

    async def _send(self, this: Try) -> End:
        order, waits = self.order(this), Waits()
        await this.lane.balance.begin()
        async with this.lane.places:
            await self.turns.to_draw()
            while True:
                unsent = self.unsent(this)
                if unsent is not None:
                    return unsent
                try:
                    await this.lane.gate.wait_open()  # before the intent: what waits here is not in doubt
                except GatePaused as paused:
                    return self.paused(this, paused.wait_s)
                async with self._turn(this, order), this.lane.balance.on_its_way():
                    submission = await self._submitted(this, order)
                if isinstance(submission, End):
                    return submission
                if not isinstance(submission, base.Refused) or submission.wait_s is None:
                    return await self._answered(this, submission)
                too_long = await self.rest(this, "create", submission, waits)
                if too_long is not None:
                    return too_long

    @asynccontextmanager
    async def _turn(self, this: Try, order: Order) -> AsyncIterator[None]:
        """Room to send in: alone, before any intent of the others, where the provider's ways have yet to be learnt."""
        adapter, lane = this.lane.adapter, this.lane
        if _learns(adapter) and adapter.goes_alone(order, lane.wire):
            async with lane.alone:
                if adapter.goes_alone(order, lane.wire):
                    yield
                    return
        yield

    async def _submitted(self, this: Try, order: Order) -> base.Submission | End:
        leaving = self.leaving(this, "create")
        try:
            submission = await this.lane.adapter.submit(order, self._wire(this, leaving))
        except Halted as halted:
            await leaving.undo(str(halted))
            return halted.end
        except GatePaused as paused:
            await leaving.undo(str(paused))
            return self.paused(this, paused.wait_s)
        except NotSent as error:
            return await self.not_sent(leaving, error)
        except (OutcomeLost, BadAnswer, Unreachable) as error:
            submission = base.Unclear(why=str(error))
        await leaving.sent()
        return submission

    async def _answered(self, this: Try, submission: base.Submission) -> End:
        if isinstance(submission, base.Unclear):
            this.lane.answered_unclearly()
            await self.recorder.record(Doubted(step="create", token=this.token, why=submission.why))
            return End(token=this.token, status=None, code="create.unclear", message=submission.why)
        this.lane.answered_clearly()
        if isinstance(submission, base.Refused):
            return await self.refused(this, "create", submission)
        if isinstance(submission, base.Completed):
            return await self._completed(this, submission)
        generation = submission.generation
        this.lane.balance.taken()
        await self.recorder.record(
            Accepted(step="create", token=this.token, attempt=this.attempt, generation=generation)
        )
        self.tell(Told(kind="accepted", address=this.variant.address, data={"generation": generation}))
        return await self.polled(this, generation, cost_text(this.price))

    async def _completed(self, this: Try, submission: base.Completed) -> End:
        """The pictures came with the answer: into the store with all of them, now."""
        told = None if this.simulated else submission.cost  # what the simulator bills is no money
        cost = (str(told),) if told is not None else cost_text(this.price)
        billed = str(told) if told is not None else None
        token = this.token
        pictures = 1 if this.variant.parts > 1 else this.variant.count
        self._warn(this, this.lane.was_billed(told, this.price, unpriced=submission.unpriced, pictures=pictures))
        await self.recorder.record(Accepted(step="create", token=token, attempt=this.attempt, generation=token))
        taken, trouble = await self._taken_in(this, submission.offers)
        if trouble is not None:  # paid, and the answer is on disk: a later run reads it again
            code, message = trouble.code, str(trouble)
            return End(token=token, status="pending", generation=token, cost=cost, code=code, message=message)
        candidates = tuple(
            Candidate(id=str(index), facts=facts if isinstance(facts, PictureFacts) else None)
            for index, facts in enumerate(taken, start=1)
        )
        failures = [facts for facts in taken if isinstance(facts, Failure)]
        failure = None
        if not taken:
            failure = Failure(kind="no_images", message="the provider answered without a picture")
        elif len(failures) == len(taken):
            failure = failures[0]
        status: Literal["succeeded", "failed"] = "failed" if failure is not None else "succeeded"
        await self.recorder.record(
            Observed(token=token, status=status, candidates=candidates, failure=failure, cost=cost, billed=billed)
        )
        self.inbox.discard(token)
        this.lane.was_drawn()
        asked = 1 if this.variant.parts > 1 else this.variant.count
        few = f"{asked} pictures were asked for and {len(taken)} came; all may have been billed"
        warnings = (
            *submission.warnings,
            *((few,) if 0 < len(taken) < asked else ()),
            *(f"a candidate is no picture: {one.message}" for one in failures),
        )
        return End(
            token=token, status=status, generation=token, candidates=candidates, failure=failure, cost=cost,
            warnings=warnings,
        )  # fmt: skip

    async def _taken_in(
        self, this: Try, offers: Sequence[Offer]
    ) -> tuple[tuple[PictureFacts | Failure, ...], Trouble | None]:
        """The bytes of all offers in the store; with the trouble that kept one of them from coming."""
        found = await asyncio.gather(*(self._one_taken_in(this, offer) for offer in offers), return_exceptions=True)
        fault = next((one for one in found if isinstance(one, BaseException) and not isinstance(one, Trouble)), None)
        if fault is not None:
            raise fault
        trouble = next((one for one in found if isinstance(one, Trouble)), None)
        return tuple(one for one in found if isinstance(one, PictureFacts | Failure)), trouble

    async def _one_taken_in(self, this: Try, offer: Offer) -> PictureFacts | Failure:
        """One offer's bytes; a link that is dead at first is tried again, for nobody can tell a fresh one."""
        for pause in DEAD_LINK_PAUSES:
            taken = await self.intake.take(this, offer)
            if offer.url is None or not isinstance(taken, Failure) or not taken.dead_link:
                return taken
            await self._pause(pause)
        return await self.intake.take(this, offer)

    async def _ended(self, this: Try, found: Observation, cost: tuple[str, ...]) -> End:
        self.intake.noted(found.generation, found.offers)
        candidates = tuple(Candidate(id=offer.id) for offer in found.offers)
        status: Literal["succeeded", "failed", "blocked"] = "failed" if found.state == "pending" else found.state
        failure = found.failure
        warnings: tuple[str, ...] = ()
        if status == "succeeded" and failure is not None:
            shown = "picture that it had shown is" if len(candidates) == 1 else "pictures that it had shown are"
            warnings = (f"{failure.message}; the {shown} taken",)
            failure = None
        if status == "succeeded" and not candidates:
            status = "failed"
            failure = Failure(kind="no_images", message=f"generation {found.generation} is done and offers no image")
        if status != "succeeded" and failure is None:
            failure = Failure(kind="provider", message=f"generation {found.generation} ended in error")
        told = None if this.simulated else found.cost
        billed = str(told) if told is not None else None
        cost = (billed,) if billed is not None else cost
        self._warn(this, this.lane.was_billed(told, this.price))
        self._judged(this, status)
        # Nothing waits for the disk here: the id is there already, and asking once more is free.
        await self.recorder.record(
            Observed(token=this.token, status=status, candidates=candidates, failure=failure, cost=cost, billed=billed),
            durable=False,
        )
        return End(
            token=this.token,
            status=status,
            generation=found.generation,
            candidates=candidates,
            failure=failure,
            cost=cost,
            warnings=warnings,
        )

    def _judged(self, this: Try, status: Status) -> None:
        """What moderation thought of a prompt counts for those that come after it."""
        if status == "blocked":
            self._warn(this, this.lane.was_blocked())
        elif status == "succeeded":
            this.lane.was_drawn()

    def _warn(self, this: Try, why: str | None) -> None:
        """Tell once why a provider gets no more creates."""
        if why is not None:
            self.tell(Told(kind="warning", address=this.variant.address, message=why))

    # Doubt --------------------------------------------------------------------------------------------------------

    async def _settle(self, this: Try, why: str, *, sent: bool = False) -> End | None:
        """What became of an unclear create; None where it certainly was not taken and may be sent again.

        `sent` says that this run has sent it.
        """
        witness = this.lane.capabilities.witness
        self.tell(Told(kind="settling", address=this.variant.address, message=why))
        if witness == "list":
            try:
                found = await self.listings.find(this.lane, this.token)
            except ListingFailed as error:
                return self._doubt(this, f"{why}; {error}")
            if found is not None:
                if sent:
                    this.lane.balance.taken()
                return await self._adopt(this, found, intended=True)
            if await this.lane.balance.fell():
                return await self._disputed(this, why)
            await self._close(this, "not in the listing for the whole consistency window", absent=True)
            return None
        adapter = this.lane.adapter
        if witness == "billing" and isinstance(adapter, CanWitness):
            doubt = await self._billed(adapter, this, why)
            if doubt is None:
                await self._close(this, "the provider's own record says that it failed", absent=True)
                return None
        else:
            doubt = f"{why}; this provider keeps no record that we could ask"
        if self.rules.in_doubt == "resend" and (over := self.spending.lacking(this.price, create=True)) is not None:
            return self._doubt(this, f"{doubt}; it is not sent again: {over}")
        if self.rules.in_doubt == "resend":
            await self._close(this, "sent again because --in-doubt resend says so", absent=False)
            return None
        return self._doubt(this, doubt)

    async def _billed(self, adapter: CanWitness, this: Try, why: str) -> str | None:
        """Why a create stays in doubt, by the provider's billing record; None where that says that it failed."""
        try:
            record = await adapter.billing_record(this.token, this.lane.wire)
            for _ in range(READINGS):  # it may end yet, and perhaps as one that failed
                if record is None or record.state != "processing":
                    break
                await self.clock.sleep(this.lane.settings.consistency_window_s / READINGS)
                record = await adapter.billing_record(this.token, this.lane.wire)
        except (Unreachable, OutcomeLost, NotSent, BadAnswer) as error:
            return f"{why}; its billing record cannot be read: {error}"
        if record is None:
            return f"{why}; the provider has no billing record of it, which proves nothing"
        if record.state == "failed":
            return None
        paid = f" for {record.cost}" if record.cost is not None else ""
        return f"{why}; billing record {record.id} says {record.state}{paid}: its picture cannot be fetched again"

    async def _close(self, this: Try, why: str, *, absent: bool) -> None:
        await self.recorder.record(Abandoned(token=this.token, why=why, absent=absent))

    async def _disputed(self, this: Try, why: str) -> End:
        """Two witnesses disagree, which a later run must know: then the listing may show it, or a person decide."""
        why = f"{why}; the listing shows nothing of it, and yet the balance fell by more than the known creates cost"
        await self.recorder.record(Doubted(step="create", token=this.token, why=why, disputed=True))
        return replace(self._doubt(this, why), failure=disputed(why))

    async def _adopt(self, this: Try, found: Observation, *, intended: bool) -> End:
        """A generation of ours that exists already: written down as if its answer had reached us."""
        if not intended:
            await self.recorder.record(intent(this, "create", paid=False))
        await self.recorder.record(
            Accepted(step="create", token=this.token, attempt=this.attempt, generation=found.generation)
        )
        cost = cost_text(this.price)
        if found.state != "pending":
            return replace(await self._ended(this, found, cost), adopted=True)
        return await self.follow(this, found.generation, cost=cost, adopted=True)

    def _doubt(self, this: Try, why: str) -> End:
        if self.rules.in_doubt == "stop":
            this.lane.stop_creates("a create is in doubt, and --in-doubt stop says to send no more")
        return End(token=this.token, status="in_doubt", code="create.in_doubt", message=why)

    # Small steps, shared with the retry ------------------------------------------------------------------------------

    def leaving(self, this: Try, step: PaidStep, *, generation: str | None = None) -> Leaving:
        """A paid step that is about to be sent."""
        return Leaving(
            this=this,
            step=step,
            recorder=self.recorder,
            tell=self.tell,
            unsent=self.unsent,
            cleared=self.cleared,
            generation=generation,
        )

    async def not_sent(self, leaving: Leaving, error: NotSent) -> End:
        """No connection was opened: nothing is in doubt, and the provider gets no more creates in this run."""
        this, why = leaving.this, str(error)
        await leaving.undo(why)
        this.lane.stop_creates(f"{this.lane.alias} cannot be reached: {why}")
        return End(token=this.token, status=None, code=error.code, message=f"nothing was sent: {why}")

    async def refused(self, this: Try, step: PaidStep, answer: base.Refused) -> End:
        """A clear no: written down, and the provider's creates stopped where no other would fare better."""
        failure = answer.failure
        if answer.stops is not None:  # before anything is waited for: others stand ready to send
            this.lane.stop_creates(f"{this.lane.alias}: {failure.message}")
        await self.recorder.record(Refused(step=step, token=this.token, failure=failure))
        self.inbox.discard(this.token)
        code = f"provider.{answer.stops}" if answer.stops is not None else failure.code
        message = failure.message + (f" ({answer.link})" if answer.link and answer.link not in failure.message else "")
        if answer.stops in {"auth", "path", "redirect"}:  # the fault is not the request's: it stays new
            return End(token=this.token, status=None, code=code, message=message)
        status: Status = "blocked" if failure.kind == "blocked" else "failed"
        self._judged(this, status)
        return End(token=this.token, status=status, failure=failure, code=code, message=message)

    def unsent(self, this: Try) -> End | None:
        """Why nothing may be sent any more, or None."""
        if self.stop.asked:
            message = "the run was stopped before it was sent"
            return End(token=this.token, status=None, code="run.stopped", message=message)
        if this.lane.stopped is not None:
            message = f"not sent: {this.lane.stopped}"
            return End(token=this.token, status=None, code=this.lane.stopped_as, message=message)
        # It is asked once more when the intent is written: by then this one is counted itself.
        counted = self.spending.counts(this.token)
        over = None if counted else self.spending.lacking(this.price, create=True)
        if over is not None:
            return End(token=this.token, status=None, code=OVER, message=f"not sent: {over}")
        lacking = self.lacking()
        if lacking is not None:
            return End(token=this.token, status=None, code=LOW, message=f"not sent: {lacking}")
        return None

    def order(self, this: Try) -> Order:
        """The create as the adapter wants it."""
        variant = this.variant
        labels = json.loads(variant.labels_body)
        return Order(
            token=this.token,
            lineage_tag=lineage_tag(self.lineage),
            body=json.loads(variant.request),
            extras=variant.extras,
            name=labels.get("name") or f"{variant.policy.asset} {this.token}",
            tags=tuple(labels.get("tags", ())),
            metadata=labels.get("metadata", {}),
            references=self.reference_images(variant),
            count=1 if variant.parts > 1 else variant.count,
        )

    async def rest(self, this: Try, step: PaidStep, answer: base.Refused, waits: Waits) -> End | None:
        """Wait as a 429 asks for, and write its refusal down; an end where that takes longer than a run waits."""
        await self.recorder.record(Refused(step=step, token=this.token, failure=answer.failure))
        waits.count += 1
        pause = answer.wait_s or backoff_s(waits.count, first_s=1.0, cap_s=60.0, chance=seams.chance.fraction())
        waits.seconds += pause
        if waits.seconds > LONGEST_REFUSAL_S:
            return self.paused(this, pause)
        self.tell(Told(kind="paused", address=this.variant.address, data={"seconds": pause}))
        await self._pause(pause)
        return None

    def paused(self, this: Try, pause: float) -> End:
        """The provider wants a longer rest than a run waits: its creates stop, and nothing of this one was taken."""
        message = f"{this.lane.alias} asks us to wait {pause:.0f} s; nothing was sent and nothing was paid"
        this.lane.stop_creates(message, code="provider.paused")
        return End(token=this.token, status=None, code="provider.paused", message=message)

    def _wire(self, this: Try, leaving: Leaving) -> Wire:
        """Where pictures come with the answer, it is on disk and synced before anyone reads it."""
        wire = AnnouncedWire(this.lane.wire, leaving)
        return wire if this.lane.capabilities.answers == "later" else self.inbox.wire(this.token, wire)

    async def _pause(self, seconds: float) -> None:
        pause = asyncio.create_task(self.clock.sleep(seconds))
        asked = asyncio.create_task(self.stop.wait())
        await asyncio.wait({pause, asked}, return_when=asyncio.FIRST_COMPLETED)
        pause.cancel()
        asked.cancel()
