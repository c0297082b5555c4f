"""Asking about generations: who is asked when (pure), and the loop that asks.

Many generations of one provider are asked about by one listing; a few by one call each. A generation is asked about
when it is likely to be done: after the typical time of those before it, then ever more seldom.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from imagebatch.http.clock import Clock
from imagebatch.model.generation import Failure
from imagebatch.model.wire import BadAnswer, OutcomeLost, Unreachable
from imagebatch.providers.base import CanList, CanObserve, Observation
from imagebatch.run.lanes import Lane
from imagebatch.run.settle import PAGE_SIZE, ListingFailed, read_listing

FIRST_S = 0.5
LONGEST_PAUSE_S = 15.0
BAD_ANSWERS_BEFORE_FAILURE = 3
FEW = 2


class PollFailed(Exception):
    """A generation's state cannot be read sensibly; it may still be drawn. `failure` says what came instead."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True, kw_only=True)
class _Waiting:
    generation: str
    token: str
    since: float
    due: float
    deadline: float
    answer: "asyncio.Future[Observation | None]"
    missing_since: float | None = None
    bad: int = 0
    seen: Callable[[Observation], None] = field(default=lambda _: None)


def next_pause(age_s: float, typical_s: float | None) -> float:
    """Seconds until a generation of age `age_s` is worth asking about again.

    Until it is as old as those before it took (`typical_s`, None where none has ended yet) the rest of that time, then
    a sixth of its age, at least 0.25 s and at most 15 s.
    """
    if typical_s is None:
        return min(max(FIRST_S, age_s / 3), LONGEST_PAUSE_S)
    if age_s < typical_s * 0.95:
        return min(typical_s - age_s, LONGEST_PAUSE_S)
    return min(max(0.25, age_s / 6), LONGEST_PAUSE_S)


class Poller:
    """Waits for the generations of one lane."""

    def __init__(self, lane: Lane, tag: str, clock: Clock) -> None:
        self._lane = lane
        self._tag = tag
        self._clock = clock
        self._waiting: dict[str, _Waiting] = {}
        self._took: list[float] = []
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._closed = False

    async def wait(
        self,
        generation: str,
        token: str,
        deadline_s: float,
        seen: Callable[[Observation], None] = lambda _: None,
    ) -> Observation | None:
        """The generation in its final state; None at the deadline or when the run is stopping.

        `seen` is told of each state on the way. Raises PollFailed where the provider's answers make no sense.
        """
        if self._closed:
            return None
        now = self._clock.now()
        one = _Waiting(
            generation=generation,
            token=token,
            since=now,
            due=now + next_pause(0.0, self._typical()),
            deadline=now + deadline_s,
            answer=asyncio.get_running_loop().create_future(),
            seen=seen,
        )
        self._waiting[generation] = one
        self._changed.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._loop())
            self._task.add_done_callback(self._ended)
        try:
            return await one.answer
        finally:
            self._waiting.pop(generation, None)

    def close(self) -> None:
        """Stop asking: everything that is still waited for is left to a later run."""
        self._closed = True
        for one in list(self._waiting.values()):
            if not one.answer.done():
                one.answer.set_result(None)
        if self._task is not None:
            self._task.cancel()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        # A fault of ours in the loop must reach those who wait for it, not leave them waiting for ever.
        error = None if task.cancelled() else task.exception()
        for one in list(self._waiting.values()) if error is not None else []:
            if not one.answer.done() and error is not None:
                one.answer.set_exception(error)

    def _typical(self) -> float | None:
        return median(self._took[-25:]) if self._took else None

    async def _loop(self) -> None:
        while self._waiting and not self._closed:
            now = self._clock.now()
            earliest = min(one.due for one in self._waiting.values())
            if earliest > now:
                self._changed.clear()
                pause = asyncio.create_task(self._clock.sleep(earliest - now))
                woken = asyncio.create_task(self._changed.wait())
                await asyncio.wait({pause, woken}, return_when=asyncio.FIRST_COMPLETED)
                pause.cancel()
                woken.cancel()
                continue
            # Those that are nearly due are asked about with the others: one listing serves them all.
            due = [one for one in self._waiting.values() if one.due <= now + 0.1 and not one.answer.done()]
            await self._ask(due)
            self._expire()
            await asyncio.sleep(0)

    async def _ask(self, due: list[_Waiting]) -> None:
        listable = isinstance(self._lane.adapter, CanList)
        if listable and len(due) > FEW:
            rest = await self._ask_listing(due)
        else:
            rest = due
        # What the listing does not show may be too new for it: ask by id, a page's worth at the most.
        await asyncio.gather(*(self._ask_one(one) for one in rest[:PAGE_SIZE]))

    async def _ask_listing(self, due: list[_Waiting]) -> list[_Waiting]:
        try:
            listing = await read_listing(self._lane, self._tag)
        except ListingFailed:
            return due
        rest = []
        for one in due:
            found = listing.by_token.get(one.token)
            if found is None or found.generation != one.generation:
                rest.append(one)
            else:
                self._take(one, found)
        return rest

    async def _ask_one(self, one: _Waiting) -> None:
        adapter = self._lane.adapter
        if not isinstance(adapter, CanObserve):
            raise TypeError(f"provider {self._lane.alias} cannot be asked about a generation")
        try:
            found = await adapter.observe(one.generation, self._lane.wire)
        except (Unreachable, OutcomeLost):
            self._later(one)
            return
        except BadAnswer as error:
            one.bad += 1
            if one.bad >= BAD_ANSWERS_BEFORE_FAILURE:
                self._fail(one, "provider.bad_response", f"generation {one.generation}: {error}")
            else:
                one.due = self._clock.now() + 0.2 * one.bad
            return
        if found is None:
            self._missing(one)
        else:
            self._take(one, found)

    def _missing(self, one: _Waiting) -> None:
        now = self._clock.now()
        if one.missing_since is None:
            one.missing_since = now
        if now - one.missing_since >= self._lane.settings.consistency_window_s and not one.answer.done():
            gone = Failure(kind="gone", message=f"the provider no longer knows generation {one.generation}")
            one.answer.set_result(Observation(generation=one.generation, state="failed", failure=gone))
            return
        self._later(one)

    def _take(self, one: _Waiting, found: Observation) -> None:
        one.bad, one.missing_since = 0, None
        if found.generation != one.generation:
            self._fail(one, "provider.bad_response", f"asked for {one.generation}, got {found.generation}")
            return
        if found.token is not None and found.token != one.token:
            self._fail(one, "provider.token_mismatch", f"generation {one.generation} does not carry our token")
            return
        one.seen(found)
        if found.state == "pending":
            self._later(one)
            return
        self._took.append(self._clock.now() - one.since)
        if not one.answer.done():
            one.answer.set_result(found)

    def _later(self, one: _Waiting) -> None:
        now = self._clock.now()
        one.due = now + next_pause(now - one.since, self._typical())

    def _fail(self, one: _Waiting, code: str, message: str) -> None:
        if not one.answer.done():
            one.answer.set_exception(PollFailed(code, message))

    def _expire(self) -> None:
        now = self._clock.now()
        for one in list(self._waiting.values()):
            if now >= one.deadline and not one.answer.done():
                one.answer.set_result(None)
