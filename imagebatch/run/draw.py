"""Whole draws: all parts of a request, a generation to wait for, a failed one to start again."""

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, replace

from imagebatch.http.announce import AnnouncedWire
from imagebatch.model.event import Abandoned, Accepted, Doubted, Intended, Told
from imagebatch.model.generation import Failure
from imagebatch.model.recorded import KnownDraw
from imagebatch.model.token import lineage_tag, make_token
from imagebatch.model.variant import Variant
from imagebatch.model.wire import BadAnswer, NotSent, OutcomeLost, Unreachable
from imagebatch.providers import base
from imagebatch.providers.base import CanObserve, CanRetry, CanUpdate, Observation
from imagebatch.run.create import Creator
from imagebatch.run.ends import End, Try, kept_part, part_cost, running_part, together
from imagebatch.run.entries import Drawn, cost_text
from imagebatch.run.lanes import Lane
from imagebatch.run.leaving import intent
from imagebatch.run.paid_steps import MAX_SENDS, PaidSteps, Waits
from imagebatch.run.poll import is_taken_over, taken_over
from imagebatch.run.settle import READINGS
from imagebatch.run.trouble import Trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Draws variants, one create for each part."""

    creator: Creator

    @property
    def steps(self) -> PaidSteps:
        """What a retry shares with a create."""
        return self.creator.steps

    async def draw(
        self,
        variant: Variant,
        lane: Lane,
        attempt: int,
        known: KnownDraw | None = None,
        *,
        gives_up: tuple[str, ...] = (),
    ) -> Drawn:
        """Draw `variant` as attempt number `attempt`.

        Parts that `known`, this attempt or one before it, delivered are kept, and those that it still draws awaited.
        Tokens in `gives_up` are in doubt no more once it leaves.
        """

        async def one(part: int) -> End:
            kept = kept_part(known, part) if variant.parts > 1 else None
            running = running_part(known, part) if variant.parts > 1 else None
            if known is not None and running is not None and running.generation is not None:
                this = Try(variant=variant, lane=lane, token=running.token, attempt=known.attempt, part=part)
                return await self._followed(this, running.generation, known)
            this = replace(self._try(variant, lane, attempt, part), gives_up=gives_up)
            return kept or await self.creator.create(this)

        return together(await _all_of(map(one, range(variant.parts))), attempt=attempt)

    async def wait_for(self, variant: Variant, lane: Lane, known: KnownDraw, *, adopted: bool = False) -> Drawn:
        """Wait for what was accepted before; parts whose answer was lost stay in doubt."""

        async def one(index: int) -> End:
            part = known.parts[index]
            kept = kept_part(known, index)
            if kept is not None:
                return kept
            if part.generation is None and part.status == "in_doubt":
                why = "the provider's answer to this part was lost"
                return End(token=part.token, status="in_doubt", code="create.in_doubt", message=why)
            if part.generation is None:
                return End(token=part.token, status=None, code="create.absent", message="it was never sent")
            this = Try(variant=variant, lane=lane, token=part.token, attempt=known.attempt, part=index)
            return await self._followed(this, part.generation, known)

        if known.parts:
            ends = await _all_of(map(one, range(len(known.parts))))
        elif known.generation is not None:
            this = Try(variant=variant, lane=lane, token=known.token, attempt=known.attempt)
            ends = [replace(await self.creator.follow(this, known.generation, cost=known.cost), earlier=True)]
        else:
            raise ValueError(f"{variant.address} has no generation to wait for")
        return replace(together(ends, attempt=known.attempt), adopted=adopted)

    async def _followed(self, this: Try, generation: str, known: KnownDraw | None) -> End:
        """Wait for a part that an earlier run paid for."""
        cost = part_cost(known) if known is not None else ()
        return replace(await self.creator.follow(this, generation, cost=cost), earlier=True)

    async def settle(self, variant: Variant, lane: Lane, known: KnownDraw) -> Drawn:
        """Find out what became of an open step for another request than the wanted one, without sending it again."""
        doubted = replace(variant, request=known.request, draw=known.draw, type=known.type)
        this = Try(variant=doubted, lane=lane, token=known.token, attempt=known.attempt, send=False)
        return together([await self.creator.create(this)], attempt=known.attempt)

    async def retry(self, variant: Variant, lane: Lane, attempt: int, known: KnownDraw) -> Drawn:
        """Start a failed generation again under its id: first `update` where the request changed, then `retry`.

        Where the provider cannot do that, or has it no more, it is drawn anew. The generation is read first, for
        another checkout may have come before: where it started it again for this request, that is waited for instead
        of being paid once more; where it did so for another request, it is left alone and this one drawn anew. One of
        another project is Trouble.
        """
        adapter = lane.adapter
        generation = known.generation
        changed = known.draw != variant.draw
        if generation is None or not isinstance(adapter, CanRetry) or (changed and not isinstance(adapter, CanUpdate)):
            return await self.draw(variant, lane, attempt, None if changed else known)
        this = Try(variant=variant, lane=lane, token=known.token, attempt=attempt)
        async with lane.places:
            end = self.steps.unsent(this)
            before, known_there = await _read(lane, generation) if end is None else (None, True)
            if changed:
                this = self._try(variant, lane, attempt, 0)
            if before is not None:
                self._refuse_foreign(before, known.token)
                token, started = before.token or known.token, before.state in {"pending", "succeeded"}
                if started and token == this.token:
                    await self.steps.recorder.record(intent(this, "retry", generation=generation, paid=False))
                    return together([await self._taken(this, generation, cost=())], attempt=attempt)
                known_there = not started and token in {known.token, this.token}
            if end is None and changed and known_there and isinstance(adapter, CanUpdate):
                end = await self._updated(this, adapter, generation)
            if end is None and known_there:
                return await self._retried(this, adapter, generation)
        if end is not None:
            return together([end], attempt=attempt)
        drawn = await self.draw(variant, lane, attempt, None if changed else known)
        return drawn if before is None else replace(drawn, warnings=(taken_over(generation), *drawn.warnings))

    def _refuse_foreign(self, found: Observation, token: str) -> None:
        """Raise Trouble for a generation that is not ours: an edited lock must not make us change or pay another's."""
        if found.token not in {None, token} and lineage_tag(self.steps.lineage) not in found.tags:
            raise Trouble("provider.token_mismatch", f"generation {found.generation} does not carry our token")

    async def retry_begun(self, variant: Variant, lane: Lane, step: Intended, *, send: bool) -> Drawn:
        """What became of a retry that an earlier run had begun; where it certainly was not taken it is sent again.

        With `send` False it is only settled; `status` None then says that it was not taken.
        """
        adapter, generation = lane.adapter, step.generation
        this = Try(variant=variant, lane=lane, token=step.token, attempt=step.attempt, send=send)
        if generation is None or not isinstance(adapter, CanRetry):
            raise ValueError(f"{variant.address} has a retry of nothing")
        async with lane.places:
            end = await self._looked_at(this, generation, "the run before this one ended while it was being sent")
            if end is None and send:
                return await self._retried(this, adapter, generation)
        absent = End(token=this.token, status=None, code="create.absent", message="the retry was never taken")
        return together([end or absent], attempt=step.attempt)

    async def _updated(self, this: Try, adapter: CanUpdate, generation: str) -> End | None:
        """Change the request of a failed generation; None where that is done."""
        order = self.steps.order(this)
        try:
            refused = await adapter.update(generation, order, request=True, wire=this.lane.wire)
        except (Unreachable, OutcomeLost, NotSent, BadAnswer) as error:
            return End(token=this.token, status=None, code="provider.unreachable", message=str(error))
        if refused is None:
            return None
        failure = refused.failure
        return End(token=this.token, status="failed", failure=failure, code=failure.code, message=failure.message)

    async def _retried(self, this: Try, adapter: CanRetry, generation: str) -> Drawn:
        """Send the retry until it is taken, refused or in doubt, and wait for what is drawn."""
        message = "the provider never answered clearly, and the generation is still in error"
        end = End(token=this.token, status=None, code="retry.unclear", message=message)
        waits = Waits()
        for _ in range(MAX_SENDS):
            answer = await self._restarted(this, adapter, generation)
            while isinstance(answer, base.Refused) and answer.wait_s is not None:
                too_long = await self.steps.rest(this, "retry", answer, waits)
                answer = too_long or await self._restarted(this, adapter, generation)
            if isinstance(answer, base.Refused):
                # It never happened: the generation stays what it was, and so does the number of attempts.
                this.lane.answered_clearly()
                refused = replace(await self.steps.refused(this, "retry", answer), generation=generation)
                return together([refused], attempt=max(1, this.attempt - 1))
            if isinstance(answer, base.Unclear):
                this.lane.answered_unclearly()
                this.lane.balance.seek(this.token)
                try:
                    await self.steps.recorder.record(Doubted(step="retry", token=this.token, why=answer.why))
                    found = await self._looked_at(this, generation, answer.why, sent=True)
                finally:
                    this.lane.balance.settled(this.token)
                if found is None:
                    continue
                answer = found
            elif isinstance(answer, base.Accepted):
                this.lane.answered_clearly()
                this.lane.balance.taken()
                answer = await self._taken(this, generation)
            end = answer
            break
        return together([end], attempt=this.attempt)

    async def _restarted(
        self, this: Try, adapter: CanRetry, generation: str
    ) -> base.Accepted | base.Refused | base.Unclear | End:
        """Send the retry once."""
        leaving = self.steps.leaving(this, "retry", generation=generation)
        async with this.lane.balance.on_its_way():
            return await self.steps.sent(leaving, adapter.retry(generation, AnnouncedWire(this.lane.wire, leaving)))

    async def _taken(self, this: Try, generation: str, *, cost: tuple[str, ...] | None = None) -> End:
        await self.steps.recorder.record(
            Accepted(step="retry", token=this.token, attempt=this.attempt, generation=generation)
        )
        self.steps.tell(Told(kind="accepted", address=this.variant.address, data={"generation": generation}))
        return await self.creator.polled(this, generation, cost_text(this.price) if cost is None else cost)

    async def _looked_at(self, this: Try, generation: str, why: str, *, sent: bool = False) -> End | None:
        """What became of an unclear retry: once it was taken, the generation is in error no more.

        `sent` says that this run has sent it. None where it still is by three readings through the consistency window:
        then it was not taken, or has ended in error again.
        """
        self.steps.tell(Told(kind="settling", address=this.variant.address, message=why))
        unread = agreeing = 0
        while agreeing < READINGS and unread < READINGS:
            await self.steps.clock.sleep(this.lane.settings.consistency_window_s / READINGS)
            found = await _observed(this.lane, generation)
            if found is not None and is_taken_over(found, this.token, lineage_tag(self.steps.lineage)):
                return await self._lost(this, generation)
            if found is not None and found.state not in {"failed", "blocked"}:
                if sent:
                    this.lane.balance.taken()
                this.lane.balance.settled(this.token)  # before its end is awaited: others ask for what it took
                return await self._taken(this, generation)
            agreeing += found is not None
            unread += found is None
        if agreeing < READINGS:
            message = f"whether the retry was taken cannot be known: {why}"
            return End(
                token=this.token, status="in_doubt", generation=generation, code="retry.in_doubt", message=message
            )
        await self.steps.recorder.record(Abandoned(token=this.token, why="still in error after the whole window"))
        return None

    async def _lost(self, this: Try, generation: str) -> End:
        """Whatever became of a retry, it has failed by now: only what has failed can be given another request."""
        failure = Failure(kind="provider", message=taken_over(generation))
        this.lane.balance.settled(this.token)
        await self.steps.recorder.record(Abandoned(token=this.token, why=failure.message))
        return End(token=this.token, status="failed", generation=generation, failure=failure)

    def _try(self, variant: Variant, lane: Lane, attempt: int, part: int) -> Try:
        token = make_token(lineage=self.steps.lineage, draw=variant.draw, attempt=attempt, part=part, salt=variant.salt)
        return Try(variant=variant, lane=lane, token=token, attempt=attempt, part=part)


async def _all_of(parts: Iterable[Coroutine[None, None, End]]) -> list[End]:
    """The ends of all parts; an error of one is raised once all have ended, for the others may have been paid."""
    found = await asyncio.gather(*parts, return_exceptions=True)
    fault = next((one for one in found if isinstance(one, BaseException)), None)
    if fault is not None:
        raise fault
    return [one for one in found if isinstance(one, End)]


async def _observed(lane: Lane, generation: str) -> Observation | None:
    return (await _read(lane, generation))[0]


async def _read(lane: Lane, generation: str) -> tuple[Observation | None, bool]:
    """What the provider says of a generation, if it can be read; False where it says that it has none of that id."""
    if not isinstance(lane.adapter, CanObserve):
        return None, True
    try:
        found = await lane.adapter.observe(generation, lane.wire)
    except (Unreachable, OutcomeLost, NotSent, BadAnswer):
        return None, True
    return found, found is not None
