"""What every paid step shares, the create and the retry alike: the last look before it leaves, and what a no means."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from imagebatch.effects import seams
from imagebatch.http.clock import Clock
from imagebatch.http.errors import GatePaused
from imagebatch.http.retry import backoff_s
from imagebatch.http.spool import Inbox
from imagebatch.model.event import PaidStep, Refused, Told
from imagebatch.model.generation import Status
from imagebatch.model.token import lineage_tag
from imagebatch.model.variant import Variant
from imagebatch.model.wire import BadAnswer, NotSent, OutcomeLost, Unreachable
from imagebatch.outputs.room import LOW
from imagebatch.providers import base
from imagebatch.providers.base import Order, ReferenceImage
from imagebatch.run.ends import End, Try
from imagebatch.run.leaving import Halted, Leaving, Recorder, at_once
from imagebatch.run.spending import OVER, Spending
from imagebatch.run.stop import Stop

Answer = TypeVar("Answer")
MAX_SENDS = 3
LONGEST_REFUSAL_S = 300.0


@dataclass(slots=True)
class Waits:
    """How often and how long one paid step has waited because its provider asked for it."""

    count: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidSteps:
    """What is bound together once for a run, for all its paid steps.

    `lacking` says why the disk has no room for more, `cleared` returns once runs on other machines know of an intent.
    `was_sent` tells whether a create of a try's token may have left before, `was_sent_once` whether an open one
    certainly left for the first time.
    """

    lineage: str
    recorder: Recorder
    inbox: Inbox
    clock: Clock
    stop: Stop
    tell: Callable[[Told], None]
    reference_images: Callable[[Variant], tuple[ReferenceImage, ...]]
    lacking: Callable[[], str | None]
    cleared: Callable[[], Awaitable[None]] = at_once
    spending: Spending = field(default_factory=Spending)
    was_sent: Callable[[Try], bool] = lambda _: False
    was_sent_once: Callable[[str], bool] = lambda _: True
    given_up: set[str] = field(default_factory=set)

    def leaving(self, this: Try, step: PaidStep, *, generation: str | None = None) -> Leaving:
        """A paid step that is about to be sent."""
        return Leaving(
            this=this,
            step=step,
            recorder=self.recorder,
            tell=self.tell,
            unsent=self.unsent,
            cleared=self.cleared,
            was_sent=self.was_sent,
            given_up=self.given_up,
            generation=generation,
        )

    async def sent(self, leaving: Leaving, answer: Awaitable[Answer]) -> Answer | base.Unclear | End:
        """What comes of one paid request: its answer, an end where nothing was taken, unclear where nobody can tell."""
        found: Answer | base.Unclear
        try:
            found = await answer
        except Halted as halted:
            await leaving.undo(str(halted))
            return halted.end
        except GatePaused as paused:
            await leaving.undo(str(paused))
            return self.paused(leaving.this, paused.wait_s)
        except NotSent as error:
            return await self.not_sent(leaving, error)
        except (OutcomeLost, BadAnswer, Unreachable) as error:
            found = base.Unclear(why=str(error))
        await leaving.sent()  # whatever the wire told it
        await leaving.gave_up()
        return found

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
        self.judged(this, status)
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
        counted = this.token not in this.gives_up and self.spending.counts(this.token)
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
        await self.pause(pause)
        return None

    def paused(self, this: Try, pause: float) -> End:
        """The provider wants a longer rest than a run waits: its creates stop, and nothing of this one was taken."""
        message = f"{this.lane.alias} asks us to wait {pause:.0f} s; nothing was sent and nothing was paid"
        this.lane.stop_creates(message, code="provider.paused")
        return End(token=this.token, status=None, code="provider.paused", message=message)

    def judged(self, this: Try, status: Status) -> None:
        """What moderation thought of a prompt counts for those that come after it."""
        if status == "blocked":
            self.warn(this, this.lane.was_blocked())
        elif status == "succeeded":
            this.lane.was_drawn()

    def warn(self, this: Try, why: str | None) -> None:
        """Tell once why a provider gets no more creates."""
        if why is not None:
            self.tell(Told(kind="warning", address=this.variant.address, message=why))

    async def pause(self, seconds: float) -> None:
        """Wait, but not longer than until the end is asked for."""
        pause = asyncio.create_task(self.clock.sleep(seconds))
        asked = asyncio.create_task(self.stop.wait())
        await asyncio.wait({pause, asked}, return_when=asyncio.FIRST_COMPLETED)
        pause.cancel()
        asked.cancel()
