"""One gate per provider: how fast requests may leave, and when none may.

How many generations are in flight, and whether creates are stopped, is the executor's business. The gate knows two
things: the declared rates (exact sliding windows, several at once), and a pause that the provider asked for.

The rates are ours rather than pyrate-limiter's because both have to stand in one queue: a permit that was taken
before a 429 would be spent while the provider is paused, that library's clock cannot be moved by a test, and it starts
a thread. What is left is a window for each rate. One waiter sleeps at a time, so the order is first come, first served.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from imagebatch.effects import seams
from imagebatch.http.clock import Clock, SystemClock
from imagebatch.http.errors import GatePaused
from imagebatch.http.retry import MAX_RETRY_AFTER_S, backoff_s
from imagebatch.model.settings import RateLimit

PROBE_ALONE_S = 2.0
FIRST_PAUSE_S = 1.0
LONGEST_OWN_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """A request's right to leave; `probe` marks the one that tries the provider after a pause."""

    probe: bool


@dataclass(slots=True, kw_only=True)
class Window:
    """At most `count` requests in any `per_s` seconds; `times` are those of the last ones, oldest first."""

    count: int
    per_s: float
    times: dict[Turn, float] = field(default_factory=dict)

    def wait_s(self, now: float) -> float:
        """Seconds until another request fits; not over 0 where it fits now."""
        spare = len(self.times) - self.count
        if spare < 0:
            return 0.0
        return next(islice(self.times.values(), spare, None)) + self.per_s - now

    def note(self, turn: Turn, now: float) -> None:
        """A request has its turn, or leaves: only the later of the two counts, and it is the newest then."""
        self.times.pop(turn, None)
        self.times[turn] = now
        while (oldest := next(iter(self.times))) is not turn and self.times[oldest] + self.per_s <= now:
            del self.times[oldest]


class Gate:
    """Rates, pauses and the circuit of one provider.

    `limits` are windows that all hold at once. `chance` gives numbers in [0, 1) for jitter.
    """

    def __init__(
        self,
        limits: tuple[RateLimit, ...] = (),
        *,
        clock: Clock | None = None,
        chance: Callable[[], float] | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._chance = chance or seams.chance.fraction
        self._windows = [Window(count=limit.count, per_s=limit.per_s) for limit in limits]
        self._queue = asyncio.Lock()
        self._answered = asyncio.Event()
        self._paused_until = 0.0
        self._strikes = 0
        self._probe: Turn | None = None

    @property
    def paused_s(self) -> float:
        """Seconds until the provider may be asked again; 0 where it is not paused."""
        return max(0.0, self._paused_until - self._clock.now())

    @property
    def stalled(self) -> bool:
        """Whether the pause is longer than a run waits (300 s): what was not sent stays new, exit 75."""
        return self.paused_s > MAX_RETRY_AFTER_S

    async def wait_open(self) -> None:
        """Wait until the provider is not paused; take no slot before this returns.

        Raises GatePaused where the pause is longer than a run waits.
        """
        while (wait := self.paused_s) > 0:
            if wait > MAX_RETRY_AFTER_S:
                raise GatePaused(wait)
            await self._clock.sleep(wait)

    async def enter(self, patience_s: float = MAX_RETRY_AFTER_S) -> Turn:
        """Wait for a turn to send one request; every turn has to be given back by `leave`.

        Raises GatePaused where the provider's pause is longer than `patience_s`.
        """
        async with self._queue:
            await self._until_open(patience_s)
            while (wait := self._until_free()) > 0:
                await self._clock.sleep(wait)
                await self._until_open(patience_s)
            turn = Turn(probe=self._strikes > 0)
            self.departed(turn)
            if turn.probe:
                self._probe = turn
                self._answered.clear()
            return turn

    def departed(self, turn: Turn) -> None:
        """A request's first byte leaves now: the rates count from here, not from when its connection was asked for."""
        now = self._clock.now()
        for window in self._windows:
            window.note(turn, now)

    def leave(self, turn: Turn, status: int | None, retry_after_s: float | None = None) -> None:
        """Give a turn back with the answer's status, None where there was none.

        A 429 pauses the gate for `retry_after_s`, or for a growing time of our own. After a pause one request goes
        alone; the rest follow once it was answered with anything but 429.
        """
        if status == 429:
            self._pause(retry_after_s)
        elif turn is self._probe and status is not None:
            self._strikes = 0
        if turn is self._probe:
            self._probe = None
            self._answered.set()

    def pause(self, seconds: float) -> None:
        """Let nothing leave for that many seconds."""
        self._paused_until = max(self._paused_until, self._clock.now() + seconds)

    def _pause(self, retry_after_s: float | None) -> None:
        if self.paused_s == 0:
            # Answers to requests that left before the pause do not make it grow: they tell nothing new.
            self._strikes += 1
        own = backoff_s(self._strikes, first_s=FIRST_PAUSE_S, cap_s=LONGEST_OWN_PAUSE_S, chance=self._chance())
        self.pause(own if retry_after_s is None else retry_after_s)

    async def _until_open(self, patience_s: float) -> None:
        while True:
            wait = self.paused_s
            if wait > patience_s:
                raise GatePaused(wait)
            if wait > 0:
                await self._clock.sleep(wait)
            elif self._probe is not None:
                await self._probe_answer()
            else:
                return

    async def _probe_answer(self) -> None:
        # A refusal comes at once; a create that draws for a minute must not hold up everybody else.
        try:
            await asyncio.wait_for(self._answered.wait(), PROBE_ALONE_S)
        except TimeoutError:
            self._probe, self._strikes = None, 0

    def _until_free(self) -> float:
        now = self._clock.now()
        return max((window.wait_s(now) for window in self._windows), default=0.0)
