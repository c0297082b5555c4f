"""What an earlier run began and never settled, asked about before anything is planned. Reads only; nothing is sent.

A create was accepted where its whole answer is in the inbox, or where a listing shows its token; it was not where the
provider's own billing record says that it failed, and can speak of no earlier sending. A retry was taken where its
generation is in error no more. Nothing else is concluded: what stays open is waited for by the plan, or in doubt.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from imagebatch.http.spool import Inbox, Replay
from imagebatch.model.event import Abandoned, Accepted, Intended, Told
from imagebatch.model.token import lineage_tag
from imagebatch.model.wire import BadAnswer, NotSent, OutcomeLost, Unreachable
from imagebatch.providers.base import CanList, CanObserve, CanWitness, Completed, Order
from imagebatch.run.lanes import Lane
from imagebatch.run.leaving import Recorder
from imagebatch.run.settle import ListingFailed, Seen, read_listing

Steps = Mapping[str, Intended]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reopened:
    """Settles open creates and retries.

    `known` tells whether the journal itself holds a token's intent; `seen` is shown every whole listing.
    """

    lineage: str
    inbox: Inbox
    recorder: Recorder
    tell: Callable[[Told], None]
    known: Callable[[str], bool]
    seen: Seen = lambda *_: None

    async def settle(self, lane: Lane, steps: Steps) -> tuple[str, ...]:
        """Ask one lane about its open steps; gives the tokens that were certainly not accepted."""
        creates = {token: step for token, step in steps.items() if step.step == "create"}
        for token, step in creates.items():
            if await self._is_kept(lane, step):
                await self._accepted(step, token)
        left = {token: step for token, step in creates.items() if self.inbox.answer(token) is None}
        absent: tuple[str, ...] = ()
        if left and isinstance(lane.adapter, CanList):
            await self._list(lane, left)
        elif isinstance(lane.adapter, CanWitness):
            once = [token for token in left if self.known(token) and not left[token].again]
            absent = tuple([token for token in once if await self._has_failed(lane.adapter, lane, token)])
        if isinstance(lane.adapter, CanObserve):
            for step in steps.values():
                if step.step == "retry":
                    await self._look_at(lane.adapter, lane, step)
        return absent

    async def _is_kept(self, lane: Lane, step: Intended) -> bool:
        """Whether the inbox has the answer with the pictures of a create."""
        answer = self.inbox.answer(step.token)
        if answer is None:
            return False
        order = Order(
            token=step.token,
            lineage_tag=lineage_tag(self.lineage),
            body=json.loads(step.request),
            extras={},
            name="",
        )
        try:
            return isinstance(await lane.adapter.submit(order, Replay(answer, lane.wire)), Completed)
        except (BadAnswer, NotSent, OutcomeLost, Unreachable):
            return False

    async def _list(self, lane: Lane, steps: Steps) -> None:
        try:
            listing = await read_listing(lane, lineage_tag(self.lineage))
        except ListingFailed as error:
            self.tell(Told(kind="warning", message=str(error)))
            return
        self.seen(lane, listing)
        for token, step in steps.items():
            found = listing.by_token.get(token)
            if found is not None:
                await self._accepted(step, found.generation)

    async def _has_failed(self, adapter: CanWitness, lane: Lane, token: str) -> bool:
        try:
            record = await adapter.billing_record(token, lane.wire)
        except (Unreachable, OutcomeLost, NotSent, BadAnswer) as error:
            self.tell(Told(kind="warning", message=f"the billing records of {lane.alias} cannot be read: {error}"))
            return False
        if record is None or record.state != "failed":
            return False
        await self.recorder.record(
            Abandoned(token=token, why="the provider's own record says that it failed", absent=True)
        )
        return True

    async def _look_at(self, adapter: CanObserve, lane: Lane, step: Intended) -> None:
        if step.generation is None:
            return
        try:
            found = await adapter.observe(step.generation, lane.wire)
        except (Unreachable, OutcomeLost, NotSent, BadAnswer):
            return
        if found is not None and found.state not in {"failed", "blocked"}:
            await self._accepted(step, step.generation)

    async def _accepted(self, step: Intended, generation: str) -> None:
        if not self.known(step.token):
            await self.recorder.record(step)  # only the lock knew of it, and acceptance says nothing of the request
        await self.recorder.record(
            Accepted(step=step.step, token=step.token, attempt=step.attempt, generation=generation)
        )
