"""The paid-call protocol for one create, from intent to a final state.

The order is the promise. An intent is durable before the first byte leaves; the id is durable before anything else is
done with it; what nobody can know is looked up, and sent again only where absence is proof. Nothing here decides
*whether* to draw: the plan did.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TypeGuard

from imagebatch.http.announce import AnnouncedWire
from imagebatch.http.errors import GatePaused
from imagebatch.http.spool import Replay
from imagebatch.model.event import Accepted, Doubted, Intended, Observed, Told
from imagebatch.model.generation import Failure
from imagebatch.model.wire import BadAnswer, Wire
from imagebatch.plan.aliases import Aliases
from imagebatch.providers import base
from imagebatch.providers.base import Adapter, GoesAlone, Observation, Order
from imagebatch.run.doubts import Doubts
from imagebatch.run.elsewhere import elsewhere
from imagebatch.run.ends import End, Try
from imagebatch.run.entries import cost_text
from imagebatch.run.leaving import Leaving, intent
from imagebatch.run.paid_steps import MAX_SENDS, PaidSteps, Waits
from imagebatch.run.poll import Poller, PollFailed
from imagebatch.run.receiving import Receiving
from imagebatch.run.settle import ListingFailed
from imagebatch.run.turns import Turns


@cache  # a protocol is looked at name by name, and this is asked for every create
def _may_learn(kind: type) -> bool:
    return issubclass(kind, GoesAlone)


def _learns(adapter: Adapter) -> TypeGuard[GoesAlone]:
    return _may_learn(type(adapter))


@dataclass(frozen=True, slots=True, kw_only=True)
class Creator:
    """Has parts drawn, each by one create; bound together once for a run.

    `wait` False leaves what a provider takes to a later run. `open_steps` are those that an earlier run left open.
    """

    steps: PaidSteps
    receiving: Receiving
    doubts: Doubts
    pollers: Mapping[str, Poller]
    open_steps: Mapping[str, Intended]
    turns: Turns
    aliases: Aliases = field(default_factory=Aliases)
    wait: bool = True

    async def create(self, this: Try) -> End:
        """Have one part drawn, unless it is there already under its token."""
        before = await self._looked_up(this)
        if isinstance(before, End):
            return before
        this = before
        if not this.send:
            return End(token=this.token, status=None, code="create.absent", message="it was never taken")
        try:
            return await self._sent(this)
        finally:
            this.lane.balance.settled(this.token)

    async def _sent(self, this: Try) -> End:
        """Send it until its end is known; where that is not in sight, it is in doubt."""
        for _ in range(MAX_SENDS):
            end = await self._send(this)
            if end.status is None and end.code != "create.unclear" and this.token in this.gives_up:
                return self.doubts.doubt(this, f"it may have been paid, and was not sent again: {end.message}")
            if end.code != "create.unclear":
                return end
            settled = await self._settle(this, end.message, sent=True)
            if isinstance(settled, End):
                return settled
            this = settled
        return self.doubts.doubt(this, "the provider never answered clearly, though nothing of ours is found there")

    async def follow(self, this: Try, generation: str, *, cost: tuple[str, ...] = (), adopted: bool = False) -> End:
        """Wait for a generation that was accepted before; an answer that came whole is on disk until it is read."""
        if this.lane.capabilities.answers == "now":
            try:
                return await self._kept(this) or await self._gone(this, generation)
            except BadAnswer as error:
                text = f"its answer is here, and cannot be read: {error}"
                return End(
                    token=this.token, status="pending", generation=generation, cost=cost, code=error.code, message=text
                )
        async with this.lane.places:
            end = await self.polled(this, generation, cost)
        return replace(end, adopted=adopted)

    async def polled(self, this: Try, generation: str, cost: tuple[str, ...]) -> End:
        """Poll a generation to its end; `pending` where the deadline or the user says to leave it to a later run."""
        pending = End(token=this.token, status="pending", generation=generation, cost=cost)
        if not self.wait:
            return pending
        address = this.variant.address

        def seen(found: Observation) -> None:
            if found.offers:
                self.steps.tell(Told(kind="progress", address=address, data={"images": len(found.offers)}))

        deadline_s = this.lane.deadline_s(this.variant.extras)
        try:
            found = await self.pollers[this.lane.alias].wait(generation, this.token, deadline_s, seen)
        except PollFailed as error:
            return replace(pending, code=error.code, message=str(error))
        asked, here, failure = this.variant.provider, this.lane.alias, found.failure if found is not None else None
        if asked != here and failure is not None and failure.kind == "gone":  # that proves nothing
            other = elsewhere(
                self.aliases, recorded=asked, kind=this.variant.type, address=address, status="pending", asked=here
            )
            return replace(pending, code=other.code, message=str(other))
        return pending if found is None else await self.receiving.ended(this, found, cost)

    # What is there already ----------------------------------------------------------------------------------------

    async def _looked_up(self, this: Try) -> End | Try:
        """What is there under this token, in the inbox or at the provider; else how it may be sent."""
        if this.lane.capabilities.witness == "list":
            try:
                found = (await self.doubts.listings.first(this.lane)).by_token.get(this.token)
            except ListingFailed as error:
                this.lane.stop_creates(str(error))
                return End(token=this.token, status=None, code=error.code, message=str(error))
            if found is not None:
                return await self._adopt(this, found, intended=this.token in self.open_steps)
        if this.token not in self.open_steps:
            return this
        with suppress(BadAnswer):
            kept = await self._kept(this)
            if kept is not None:
                return kept
        return await self._settle(this, "the run before this one ended while it was being sent")

    async def _kept(self, this: Try) -> End | None:
        """The pictures of an answer that an earlier run had put on disk; None where there is no such answer.

        Raises BadAnswer where nobody can tell what it says.
        """
        answer = self.steps.inbox.answer(this.token)
        if answer is None:
            return None
        submission = await this.lane.adapter.submit(self.steps.order(this), Replay(answer, this.lane.wire))
        return await self.receiving.completed(this, submission) if isinstance(submission, base.Completed) else None

    async def _gone(self, this: Try, generation: str) -> End:
        """An answer was received, and it is not here any more: it was paid, and nothing can be fetched."""
        failure = Failure(kind="gone", message="the provider's answer, which held the pictures, is no longer here")
        await self.steps.recorder.record(Observed(token=this.token, status="failed", failure=failure))
        return End(token=this.token, status="failed", generation=generation, failure=failure)

    # Sending ------------------------------------------------------------------------------------------------------

    async def _send(self, this: Try) -> End:
        order, waits = self.steps.order(this), Waits()
        await this.lane.balance.begin()
        async with this.lane.places:
            await self.turns.to_draw()
            while True:
                unsent = self.steps.unsent(this)
                if unsent is not None:
                    return unsent
                try:
                    await this.lane.gate.wait_open()  # before the intent: what waits here is not in doubt
                except GatePaused as paused:
                    return self.steps.paused(this, paused.wait_s)
                async with self._turn(this, order), this.lane.balance.on_its_way():
                    submission = await self._submitted(this, order)
                if isinstance(submission, End):
                    return submission
                if not isinstance(submission, base.Refused) or submission.wait_s is None:
                    return await self._answered(this, submission)
                too_long = await self.steps.rest(this, "create", submission, waits)
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
        leaving = self.steps.leaving(this, "create")
        return await self.steps.sent(leaving, this.lane.adapter.submit(order, self._wire(this, leaving)))

    def _wire(self, this: Try, leaving: Leaving) -> Wire:
        """Where pictures come with the answer, it is on disk and synced before anyone reads it."""
        wire = AnnouncedWire(this.lane.wire, leaving)
        return wire if this.lane.capabilities.answers == "later" else self.steps.inbox.wire(this.token, wire)

    async def _answered(self, this: Try, submission: base.Submission) -> End:
        if isinstance(submission, base.Unclear):
            this.lane.answered_unclearly()
            this.lane.balance.seek(this.token)
            await self.steps.recorder.record(Doubted(step="create", token=this.token, why=submission.why))
            return End(token=this.token, status=None, code="create.unclear", message=submission.why)
        this.lane.answered_clearly()
        if isinstance(submission, base.Refused):
            return await self.steps.refused(this, "create", submission)
        if isinstance(submission, base.Completed):
            return await self.receiving.completed(this, submission)
        generation = submission.generation
        this.lane.balance.taken()
        await self.steps.recorder.record(
            Accepted(step="create", token=this.token, attempt=this.attempt, generation=generation)
        )
        self.steps.tell(Told(kind="accepted", address=this.variant.address, data={"generation": generation}))
        return await self.polled(this, generation, cost_text(this.price))

    # What was lost ------------------------------------------------------------------------------------------------

    async def _settle(self, this: Try, why: str, *, sent: bool = False) -> End | Try:
        """What became of an unclear create; else how it may be sent again."""
        found = await self.doubts.settle(this, why, sent=sent)
        if isinstance(found, Observation):
            return await self._adopt(this, found, intended=True)
        return found

    async def _adopt(self, this: Try, found: Observation, *, intended: bool) -> End:
        """A generation of ours that exists already: written down as if its answer had reached us."""
        if not intended:
            await self.steps.recorder.record(intent(this, "create", paid=False))
        await self.steps.recorder.record(
            Accepted(step="create", token=this.token, attempt=this.attempt, generation=found.generation)
        )
        cost = cost_text(this.price)
        if found.state != "pending":
            return replace(await self.receiving.ended(this, found, cost), adopted=True)
        return await self.follow(this, found.generation, cost=cost, adopted=True)
