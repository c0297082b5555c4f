"""Whole draws: all parts of a request, a generation to wait for, a failed one to start again."""

import asyncio
from dataclasses import dataclass, replace

from imagebatch.model.event import Accepted, Doubted, Told
from imagebatch.model.recorded import KnownDraw
from imagebatch.model.token import make_token
from imagebatch.model.variant import Variant
from imagebatch.model.wire import BadAnswer, NotSent, OutcomeLost, Unreachable
from imagebatch.providers import base
from imagebatch.providers.base import CanObserve, CanRetry, CanUpdate, Observation
from imagebatch.run.create import Creator
from imagebatch.run.ends import End, Try, kept_part, together
from imagebatch.run.entries import Drawn, cost_text
from imagebatch.run.lanes import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Draws variants, one create for each part."""

    creator: Creator

    async def draw(self, variant: Variant, lane: Lane, attempt: int, known: KnownDraw | None = None) -> Drawn:
        """Draw `variant` as attempt number `attempt`; parts that `known`, an earlier attempt, delivered are kept."""

        async def one(part: int) -> End:
            kept = kept_part(known, part) if variant.parts > 1 else None
            return kept or await self.creator.create(self._try(variant, lane, attempt, part))

        return together(await asyncio.gather(*map(one, range(variant.parts))), attempt=attempt)

    async def wait_for(self, variant: Variant, lane: Lane, known: KnownDraw, *, adopted: bool = False) -> Drawn:
        """Wait for what was accepted before; parts whose answer was lost stay in doubt."""

        async def one(index: int) -> End:
            part = known.parts[index]
            kept = kept_part(known, index)
            if kept is not None:
                return kept
            if part.generation is None:
                why = "the provider's answer to this part was lost"
                return End(token=part.token, status="in_doubt", code="create.in_doubt", message=why)
            this = Try(variant=variant, lane=lane, token=part.token, attempt=known.attempt, part=index)
            return await self.creator.follow(this, part.generation)

        if known.parts:
            ends = await asyncio.gather(*map(one, range(len(known.parts))))
        elif known.generation is not None:
            this = Try(variant=variant, lane=lane, token=known.token, attempt=known.attempt)
            ends = [await self.creator.follow(this, known.generation, cost=known.cost)]
        else:
            raise ValueError(f"{variant.address} has no generation to wait for")
        return replace(together(ends, attempt=known.attempt), adopted=adopted)

    async def settle(self, variant: Variant, lane: Lane, known: KnownDraw) -> Drawn:
        """Find out what became of an open step for another request than the wanted one, without sending it again."""
        doubted = replace(variant, request=known.request, draw=known.draw, type=known.type)
        this = Try(variant=doubted, lane=lane, token=known.token, attempt=known.attempt, send=False)
        return together([await self.creator.create(this)], attempt=known.attempt)

    async def retry(self, variant: Variant, lane: Lane, attempt: int, known: KnownDraw) -> Drawn:
        """Start a failed generation again under its id: first `update` where the request changed, then `retry`.

        Where the provider cannot do that it is drawn anew.
        """
        adapter = lane.adapter
        generation = known.generation
        changed = known.draw != variant.draw
        if generation is None or not isinstance(adapter, CanRetry) or (changed and not isinstance(adapter, CanUpdate)):
            return await self.draw(variant, lane, attempt, None if changed else known)
        this = Try(variant=variant, lane=lane, token=known.token, attempt=attempt)
        async with lane.places:
            end = self.creator.unsent(this)
            if end is None and changed and isinstance(adapter, CanUpdate):
                this = self._try(variant, lane, attempt, 0)
                end = await self._updated(this, adapter, generation)
            if end is None:
                end = await self._restarted(this, adapter, generation)
            if end is None:
                end = await self.creator.polled(this, generation, cost_text(this.price))
        return together([end], attempt=attempt)

    async def _updated(self, this: Try, adapter: CanUpdate, generation: str) -> End | None:
        """Change the request of a failed generation; None where that is done."""
        order = self.creator.order(this)
        try:
            refused = await adapter.update(generation, order, request=True, wire=this.lane.wire)
        except (Unreachable, OutcomeLost, NotSent, BadAnswer) as error:
            return End(token=this.token, status=None, code="provider.unreachable", message=str(error))
        return None if refused is None else await self.creator.refused(this, "retry", refused)

    async def _restarted(self, this: Try, adapter: CanRetry, generation: str) -> End | None:
        """Send the retry; None where the generation is being drawn again."""
        await self.creator.intend(this, "retry", generation=generation)
        answer: base.Accepted | base.Refused | base.Unclear
        try:
            answer = await adapter.retry(generation, this.lane.wire)
        except NotSent as error:
            return await self.creator.not_sent(this, "retry", str(error))
        except (OutcomeLost, BadAnswer, Unreachable) as error:
            answer = base.Unclear(why=str(error))
        if isinstance(answer, base.Refused):
            return await self.creator.refused(this, "retry", answer)
        if isinstance(answer, base.Unclear):
            doubt = await self._retry_in_doubt(this, generation, answer.why)
            if doubt is not None:
                return doubt
        await self.creator.recorder.record(
            Accepted(step="retry", token=this.token, attempt=this.attempt, generation=generation)
        )
        self.creator.tell(Told(kind="accepted", address=this.variant.address, data={"generation": generation}))
        return None

    async def _retry_in_doubt(self, this: Try, generation: str, why: str) -> End | None:
        """Whether a retry was taken shows on the generation itself: it is no longer in error. None where it was."""
        await self.creator.recorder.record(Doubted(step="retry", token=this.token, why=why))
        found = await _observed(this.lane, generation)
        if found is not None and found.state != "failed":
            return None
        message = f"whether the retry was taken cannot be known: {why}"
        status = "in_doubt" if found is None else "failed"
        failure = found.failure if found is not None else None
        return End(
            token=this.token,
            status="in_doubt" if status == "in_doubt" else "failed",
            generation=generation,
            failure=failure,
            code="retry.in_doubt",
            message=message,
        )

    def _try(self, variant: Variant, lane: Lane, attempt: int, part: int) -> Try:
        token = make_token(
            lineage=self.creator.lineage, draw=variant.draw, attempt=attempt, part=part, salt=variant.salt
        )
        return Try(variant=variant, lane=lane, token=token, attempt=attempt, part=part)


async def _observed(lane: Lane, generation: str) -> Observation | None:
    if not isinstance(lane.adapter, CanObserve):
        return None
    try:
        return await lane.adapter.observe(generation, lane.wire)
    except (Unreachable, OutcomeLost, NotSent, BadAnswer):
        return None
