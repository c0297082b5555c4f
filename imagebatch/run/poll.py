"""Asking about generations: who is asked when (pure), and the loop that asks.

Many generations of one provider are asked about by one listing; a few by one call each. A generation is asked about
when it is likely to be done: after the typical time of those before it, then ever more seldom. Those that are nearly
due go along with one that is due, and a question never waits for the answer to the one before it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from imagebatch.http.clock import Clock
from imagebatch.model.generation import Failure
from imagebatch.model.wire import BadAnswer, KeyRefused, OutcomeLost, Redirected, Unreachable
from imagebatch.providers.base import CanList, CanObserve, Observation
from imagebatch.run.lanes import Lane
from imagebatch.run.settle import PAGE_SIZE, ListingFailed, RecentListing, code_of_read

FIRST_S = 0.1
SHORTEST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 15.0
NEAR_S = 0.012
NEAR_SHARE = 0.1
ASKED_AT_ONCE = 8
REMEMBERED = 25
BAD_ANSWERS_BEFORE_FAILURE = 3
FEW = 2
NEVER = float("inf")


class PollFailed(Exception):
    """A generation's state cannot be read sensibly; it may still be drawn. `failure` says what came instead."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True, kw_only=True, eq=False)
class _Waiting:
    generation: str
    token: str
    since: float
    due: float
    deadline: float
    answer: "asyncio.Future[Observation | None]"
    asked_at: float | None = None
    pending_at: float = 0.0
    missing_since: float | None = None
    bad: int = 0
    shown: Observation | None = None
    seen: Callable[[Observation], None] = field(default=lambda _: None)


def first_pause(typical_s: float | None) -> float:
    """Seconds until a generation that was just accepted is worth asking about.

    `typical_s` is what those before it took; where none has ended yet a first look costs little and tells much.
    """
    return FIRST_S if typical_s is None else min(typical_s, LONGEST_PAUSE_S)


def next_pause(age_s: float, typical_s: float | None) -> float:
    """Seconds until a generation of age `age_s` is worth asking about again.

    Until it is as old as those before it took (`typical_s`, None where none has ended yet) the rest of that time, then
    a sixth of its age (half of it while nothing is known), at least 0.1 s and at most 15 s.
    """
    if typical_s is None:
        return min(max(SHORTEST_PAUSE_S, age_s / 2), LONGEST_PAUSE_S)
    if age_s < typical_s * 0.95:
        return min(typical_s - age_s, LONGEST_PAUSE_S)
    return min(max(SHORTEST_PAUSE_S, age_s / 6), LONGEST_PAUSE_S)


class Poller:
    """Waits for the generations of one lane."""

    def __init__(self, lane: Lane, tag: str, clock: Clock) -> None:
        self._lane = lane
        self._clock = clock
        self._tag = tag
        self._recent = RecentListing(lane, tag)
        # Not by generation: two addresses may wait for one (a request that moved from one to the other).
        self._waiting: dict[_Waiting, None] = {}
        self._took: deque[float] = deque(maxlen=REMEMBERED)
        self._task: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Task[None]] = set()
        self._last_asked = -NEVER
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
            due=now + first_pause(self._typical()),
            deadline=now + deadline_s,
            answer=asyncio.get_running_loop().create_future(),
            seen=seen,
        )
        self._waiting[one] = None
        self._changed.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._loop())
            self._task.add_done_callback(self._ended)
        try:
            return await one.answer
        finally:
            self._waiting.pop(one, None)

    def close(self) -> None:
        """Stop asking: everything that is still waited for is left to a later run."""
        self._closed = True
        for one in list(self._waiting):
            if not one.answer.done():
                one.answer.set_result(None)
        for task in (self._task, *self._asking):
            if task is not None:
                task.cancel()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        # A fault of ours must reach those who wait, not leave them waiting for ever.
        error = None if task.cancelled() else task.exception()
        for one in list(self._waiting) if error is not None else []:
            if not one.answer.done() and error is not None:
                one.answer.set_exception(error)

    def _typical(self) -> float | None:
        return median(self._took) if self._took else None

    # When -----------------------------------------------------------------------------------------------------------

    async def _loop(self) -> None:
        while self._waiting and not self._closed:
            self._expire()
            wake = self._next_at()
            now = self._clock.now()
            if wake <= now:
                self._start_asking(now)
                await asyncio.sleep(0)
                continue
            self._changed.clear()
            await self._changed_or(None if wake == NEVER else wake - now)

    def _next_at(self) -> float:
        """When something is to be done again: somebody is due, or has reached the deadline."""
        waiting = [one for one in self._waiting if not one.answer.done()]
        due = min((one.due for one in waiting if one.asked_at is None), default=NEVER)
        deadline = min((one.deadline for one in waiting), default=NEVER)
        if self._asking and (due == NEVER or len(self._asking) >= ASKED_AT_ONCE):
            return deadline  # the end of a question wakes the loop, too
        return min(max(due, self._last_asked + self._near()), deadline)

    def _near(self) -> float:
        """How far apart questions are at least: those that are due within this time share one."""
        return max(NEAR_S, NEAR_SHARE * min(self._typical() or 0.0, LONGEST_PAUSE_S))

    async def _changed_or(self, pause_s: float | None) -> None:
        if pause_s is None:
            await self._changed.wait()
            return
        pause = asyncio.create_task(self._clock.sleep(pause_s))
        woken = asyncio.create_task(self._changed.wait())
        await asyncio.wait({pause, woken}, return_when=asyncio.FIRST_COMPLETED)
        pause.cancel()
        woken.cancel()

    def _start_asking(self, now: float) -> None:
        soon = now + self._near()
        due = [one for one in self._waiting if one.asked_at is None and one.due <= soon and not one.answer.done()]
        if not due:
            return
        self._last_asked = now
        for one in due:
            one.asked_at = now
        task = asyncio.create_task(self._ask(due))
        self._asking.add(task)
        task.add_done_callback(self._asked)

    def _asked(self, task: "asyncio.Task[None]") -> None:
        self._asking.discard(task)
        self._ended(task)
        self._changed.set()

    def _expire(self) -> None:
        """Leave to a later run what has reached its deadline, and everything where the provider wants a long rest."""
        now, resting = self._clock.now(), self._lane.gate.stalled
        for one in list(self._waiting):
            if (resting or now >= one.deadline) and not one.answer.done():
                one.answer.set_result(None)

    # What -----------------------------------------------------------------------------------------------------------

    async def _ask(self, due: Sequence[_Waiting]) -> None:
        rest = due
        if isinstance(self._lane.adapter, CanList) and len(due) > FEW:
            rest = await self._ask_listing(due)
        # What the listing does not show may be too new for it: ask by id, a page's worth at the most.
        await asyncio.gather(*(self._ask_one(one) for one in rest[:PAGE_SIZE]))
        for one in rest[PAGE_SIZE:]:
            self._later(one)

    async def _ask_listing(self, due: Sequence[_Waiting]) -> list[_Waiting]:
        try:
            found = await self._recent.read({one.token for one in due})
        except ListingFailed:
            return list(due)
        rest = []
        for one in due:
            observation = found.get(one.token)
            if observation is None or observation.generation != one.generation:
                rest.append(one)
            else:
                self._take(one, observation)
        return rest

    async def _ask_one(self, one: _Waiting) -> None:
        adapter = self._lane.adapter
        if not isinstance(adapter, CanObserve):
            raise TypeError(f"provider {self._lane.alias} cannot be asked about a generation")
        try:
            found = await adapter.observe(one.generation, self._lane.wire)
        except (BadAnswer, KeyRefused, Redirected) as error:
            # Asking until the deadline would tell nobody of a refused key; what runs stays pending all the same.
            one.bad += 1
            if one.bad >= BAD_ANSWERS_BEFORE_FAILURE:
                whose, text = f"generation {one.generation}", str(error)
                self._fail(one, code_of_read(error), text if whose in text else f"{whose}: {text}")
            else:
                self._later(one, pause_s=0.2 * one.bad)
            return
        except (Unreachable, OutcomeLost):
            self._later(one)
            return
        if found is None:
            self._missing(one)
        else:
            self._take(one, found)

    def _missing(self, one: _Waiting) -> None:
        now = self._clock.now()
        if one.missing_since is None:
            one.missing_since = now
        if now - one.missing_since >= self._lane.settings.consistency_window_s:
            self._end(one, _vanished(one))
            return
        self._later(one)

    def _take(self, one: _Waiting, found: Observation) -> None:
        one.bad, one.missing_since = 0, None
        if found.generation != one.generation:
            self._fail(one, "provider.bad_response", f"asked for {one.generation}, got {found.generation}")
            return
        if is_taken_over(found, one.token, self._tag):
            self._end(one, _given_away(one))
            return
        if found.token is not None and found.token != one.token:
            self._fail(one, "provider.token_mismatch", f"generation {one.generation} does not carry our token")
            return
        one.seen(found)
        if found.offers:
            one.shown = found
        asked_at = one.since if one.asked_at is None else one.asked_at
        if found.state == "pending":
            one.pending_at = asked_at - one.since
            self._later(one)
            return
        # It ended between the last question that found it pending and the one that did not.
        self._took.append((one.pending_at + asked_at - one.since) / 2)
        self._end(one, found)

    def _end(self, one: _Waiting, found: Observation) -> None:
        if not one.answer.done():
            one.answer.set_result(found)

    def _later(self, one: _Waiting, *, pause_s: float | None = None) -> None:
        now = self._clock.now()
        one.due = now + (next_pause(now - one.since, self._typical()) if pause_s is None else pause_s)
        one.asked_at = None

    def _fail(self, one: _Waiting, code: str, message: str) -> None:
        if not one.answer.done():
            one.answer.set_exception(PollFailed(code, message))


def is_taken_over(found: Observation, token: str, tag: str) -> bool:
    """Whether a generation carries another token of the project whose listing tag is `tag`, instead of `token`."""
    return found.token not in {None, token} and tag in found.tags


def taken_over(generation: str) -> str:
    """In words, that another checkout has given a failed generation another request."""
    return f"generation {generation} had failed, and another checkout gave it another request; it is left to that"


def _given_away(one: _Waiting) -> Observation:
    """The end of what was waited for: only what has failed can be given another request."""
    failure = Failure(kind="provider", message=taken_over(one.generation))
    return Observation(generation=one.generation, state="failed", failure=failure)


def _vanished(one: _Waiting) -> Observation:
    """The end of a generation that the provider no longer knows: the pictures that it had shown by then are paid for.

    `failure` says what happened, with pictures as well.
    """
    gone = Failure(kind="gone", message=f"the provider no longer knows generation {one.generation}")
    if one.shown is None:
        return Observation(generation=one.generation, state="failed", failure=gone)
    return replace(one.shown, state="succeeded", failure=gone)
