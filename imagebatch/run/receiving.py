"""What a provider drew, received: bytes that came with the answer into the store, what was learnt into the journal."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from imagebatch.effects import seams
from imagebatch.model.event import Accepted, Observed
from imagebatch.model.generation import SET_ASIDE, Candidate, Failure, PictureFacts
from imagebatch.providers import base
from imagebatch.providers.base import Observation, Offer
from imagebatch.run.ends import End, Try
from imagebatch.run.entries import cost_text
from imagebatch.run.paid_steps import PaidSteps
from imagebatch.run.trouble import Trouble

DEAD_LINK_PAUSES = (0.5, 2.0)


class Intake(Protocol):
    """Takes a candidate's bytes into the store."""

    async def take(self, this: Try, offer: Offer) -> PictureFacts | Failure:
        """Store an offer's bytes, checked and hashed; raises Trouble where trying later may help."""
        ...

    def noted(self, generation: str, offers: tuple[Offer, ...]) -> None:
        """Remember where a generation's pictures can be fetched, so that they need not be asked for again."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiving:
    """Takes in what creates and retries brought.

    `pay_no_more` is told why the disk can keep nothing that would be paid for. `aside` puts a picture under a name
    where the store cannot take it, and gives the file's name, None where that fails too.
    """

    steps: PaidSteps
    intake: Intake
    pay_no_more: Callable[[str], None] = lambda _: None
    aside: Callable[[str, bytes], str | None] = lambda *_: None

    async def completed(self, this: Try, submission: base.Completed) -> End:
        """The pictures came with the answer: into the store with all of them, now."""
        told = None if this.simulated else submission.cost  # what the simulator bills is no money
        cost = (str(told),) if told is not None else cost_text(this.price)
        billed = str(told) if told is not None else None
        token = this.token
        asked = 1 if this.variant.parts > 1 else this.variant.count
        self.steps.warn(this, this.lane.was_billed(told, this.price, unpriced=submission.unpriced, pictures=asked))
        await self.steps.recorder.record(Accepted(step="create", token=token, attempt=this.attempt, generation=token))
        found = await self._taken_in(this, submission.offers)
        trouble = next((one for one in found if isinstance(one, Trouble)), None)
        if trouble is not None and trouble.code.startswith("disk."):
            self.pay_no_more(f"a picture that was paid for could not be written: {trouble}")
        if trouble is not None and self.steps.inbox.holds(token):
            message = f"{trouble} It was paid, and its answer is on disk: the next apply reads it, free of charge"
            return End(token=token, status="pending", generation=token, cost=cost, code=trouble.code, message=message)
        taken = [
            await self._set_aside(this, number, offer, one) if isinstance(one, Trouble) else one
            for number, (offer, one) in enumerate(zip(submission.offers, found, strict=True), start=1)
        ]
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
        await self.steps.recorder.record(
            Observed(token=token, status=status, candidates=candidates, failure=failure, cost=cost, billed=billed)
        )
        self.steps.inbox.discard(token)
        this.lane.was_drawn()
        few = f"{asked} pictures were asked for and {len(taken)} came; all may have been billed"
        warnings = (
            *submission.warnings,
            *((few,) if 0 < len(taken) < asked else ()),
            *(one.message if one.kind == "gone" else f"a candidate is no picture: {one.message}" for one in failures),
        )
        return End(
            token=token, status=status, generation=token, candidates=candidates, failure=failure, cost=cost,
            code=trouble.code if trouble is not None and failure is not None else None, warnings=warnings,
        )  # fmt: skip

    async def ended(self, this: Try, found: Observation, cost: tuple[str, ...]) -> End:
        """A generation that is drawn, failed or blocked: how its create ends."""
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
        self.steps.warn(this, this.lane.was_billed(told, this.price))
        self.steps.judged(this, status)
        # Nothing waits for the disk here: the id is there already, and asking once more is free.
        await self.steps.recorder.record(
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

    async def _taken_in(self, this: Try, offers: Sequence[Offer]) -> list[PictureFacts | Failure | Trouble]:
        """The bytes of all offers in the store, or the trouble that kept one of them from coming."""
        found = await asyncio.gather(*(self._one_taken_in(this, offer) for offer in offers), return_exceptions=True)
        fault = next((one for one in found if isinstance(one, BaseException) and not isinstance(one, Trouble)), None)
        if fault is not None:
            raise fault
        return [one for one in found if isinstance(one, PictureFacts | Failure | Trouble)]

    async def _set_aside(self, this: Try, number: int, offer: Offer, trouble: Trouble) -> Failure:
        """A picture of an answer that is on no disk: what is not put somewhere now is lost."""
        place = None
        if offer.data is not None:
            place = await seams.threads.aside(self.aside, f"{this.token}-{number}", offer.data)
        lost = "it was paid and could not be kept"
        text = lost if place is None else f"it was paid, and lies in {place} and nowhere else"
        return Failure(kind="gone", message=f"{text} ({trouble})", provider_code=SET_ASIDE if place else None)

    async def _one_taken_in(self, this: Try, offer: Offer) -> PictureFacts | Failure:
        """One offer's bytes; a link that is dead at first is tried again, for nobody can tell a fresh one."""
        for pause in DEAD_LINK_PAUSES:
            taken = await self.intake.take(this, offer)
            if offer.url is None or not isinstance(taken, Failure) or not taken.dead_link:
                return taken
            await self.steps.pause(pause)
        return await self.intake.take(this, offer)
