"""A paid request on its way out: what is written down at the last moment before its first byte leaves."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from imagebatch.errors import ImagebatchError
from imagebatch.model.event import Abandoned, Doubted, Event, Intended, PaidStep, Refused, Told
from imagebatch.model.generation import Failure
from imagebatch.model.money import UNKNOWN_COST
from imagebatch.model.wire import NotSent
from imagebatch.run.ends import End, Try

SENT_AGAIN = "sent again because --in-doubt resend says so"


class Recorder(Protocol):
    """Writes events down; durable ones are on disk when it returns."""

    async def record(self, event: Event, *, durable: bool = True) -> None: ...


async def at_once() -> None:
    """Clear a paid request without asking anybody: where nothing is shared with runs on other machines."""


class Halted(NotSent):
    """Stopped at the last moment before a paid request left; `end` says how its address ends."""

    def __init__(self, end: End) -> None:
        super().__init__(end.message)
        self.end = end


@dataclass(slots=True, kw_only=True)
class Leaving:
    """One paid step on its way out: its intent is written when its request is about to leave, and only once.

    Called by the wire at that moment. Whoever waits until then (for a rate, a connection, a route) is not in doubt.
    `unsent` says why nothing may leave any more. `cleared` returns where runs on other machines know enough of it, and
    raises ImagebatchError where it may not leave. `was_sent` tells whether its token may have left before; `given_up`
    are the doubts that this run has given up.
    """

    this: Try
    step: PaidStep
    recorder: Recorder
    tell: Callable[[Told], None]
    unsent: Callable[[Try], End | None]
    cleared: Callable[[], Awaitable[None]] = at_once
    was_sent: Callable[[Try], bool] = lambda _: False
    given_up: set[str] = field(default_factory=set)
    generation: str | None = None
    begun: bool = False
    doubted: bool = False

    async def __call__(self) -> None:
        """The connection stands: write the intent, durably. Raises Halted where nothing may leave any more."""
        unsent = self.unsent(self.this)
        if unsent is not None:
            raise Halted(unsent)
        await self.sent()
        try:
            await self.cleared()
        except ImagebatchError as refusal:
            text = f"nothing was sent: {refusal.summary}: {refusal.detail}"
            raise Halted(End(token=self.this.token, status=None, code=refusal.code, message=text)) from None
        except asyncio.CancelledError:
            await self.undo("the run ended before it was sent")
            raise
        unsent = self.unsent(self.this)  # that took a while
        if unsent is not None:
            raise Halted(unsent)
        await self.gave_up()
        self.tell(Told(kind="sending", address=self.this.variant.address))

    async def sent(self) -> None:
        """The intent is written, whatever the wire told us and when."""
        if self.begun:
            return
        self.begun = True
        token = self.this.token
        again = self.was_sent(self.this)
        if token in self.this.gives_up:
            self.doubted = True
            await self._give_up(token, durable=False)  # with the intent that follows it, or not at all
            left = tuple(one for one in self.this.gives_up if one != token)
            self.this = replace(self.this, gives_up=left)
        await self.recorder.record(intent(self.this, self.step, generation=self.generation, again=again))

    async def gave_up(self) -> None:
        """It leaves now: what it stands for is in doubt no more."""
        given_up, self.this = self.this.gives_up, replace(self.this, gives_up=())
        for token in given_up:
            if token not in self.given_up:  # another part of the same draw may have left before
                self.given_up.add(token)
                await self._give_up(token)

    async def undo(self, why: str) -> None:
        """Nothing of it was taken: an intent that was written is closed; a doubt that it stood for stays one."""
        if not self.begun:
            return
        token = self.this.token
        if self.doubted:
            await self.recorder.record(Doubted(step=self.step, token=token, why=f"it was not sent again: {why}"))
            return
        failure = Failure(kind="rejected", message=why)
        await self.recorder.record(Refused(step=self.step, token=token, failure=failure))

    async def _give_up(self, token: str, *, durable: bool = True) -> None:
        await self.recorder.record(Abandoned(token=token, why=SENT_AGAIN), durable=durable)


def intent(
    this: Try, step: PaidStep, *, generation: str | None = None, paid: bool = True, again: bool = False
) -> Intended:
    """The intent of a paid step; `paid` False where what is taken down was paid before, `again` as `Intended` says."""
    return Intended(
        step=step,
        token=this.token,
        attempt=this.attempt,
        part=this.part,
        parts=this.variant.parts,
        provider=this.lane.alias,
        type=this.variant.type,
        draw=this.variant.draw,
        request=this.variant.request,
        address=this.variant.address,
        cost=this.price if paid else UNKNOWN_COST,
        generation=generation,
        paid=paid,
        again=again,
        origin=this.lane.origin,
    )
