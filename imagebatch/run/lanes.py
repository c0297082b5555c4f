"""A lane is one provider during one run: its adapter, its wire, its places, and why it may have stopped."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from imagebatch.http.client import ProviderWire
from imagebatch.http.downloader import Downloader
from imagebatch.http.limits import Gate
from imagebatch.model.capabilities import Capabilities
from imagebatch.model.money import Cost, Money
from imagebatch.model.settings import ProviderSettings
from imagebatch.providers.base import Adapter
from imagebatch.run.balance import Balance
from imagebatch.run.trouble import Trouble

DOUBTS_BEFORE_STOP = 3
# Tables of prices are written with three decimals, and providers round: only what is more than that is a surprise.
SURPRISE_SHARE = Decimal("1.05")
SURPRISE_LEAST = Decimal("0.0005")


class Places:
    """Places for generations in flight: a provider's own, and within those that all providers share."""

    def __init__(self, own: int, shared: asyncio.Semaphore | None = None) -> None:
        self._own = asyncio.Semaphore(own)
        self._shared = shared

    async def __aenter__(self) -> None:
        await self._own.acquire()
        if self._shared is not None:
            try:
                await self._shared.acquire()
            except BaseException:
                self._own.release()
                raise

    async def __aexit__(self, *_: object) -> None:
        if self._shared is not None:
            self._shared.release()
        self._own.release()


@dataclass(slots=True, kw_only=True)
class Lane:
    """One provider alias in a run.

    `places` bounds generations in flight, `origin` is the server behind the alias. `stopped` says why no further create
    is sent (a key refused, no credit, a wrong path, three unclear answers in a row, a price above the plan's, prompts
    blocked one after the other); reads go on, and `stopped_as` is the code of what is left unsent. `alone` is held by a
    create that has to learn how the provider wants to be spoken to.
    """

    alias: str
    type: str
    settings: ProviderSettings
    adapter: Adapter
    wire: ProviderWire
    downloader: Downloader
    gate: Gate
    places: Places
    origin: str = ""
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)
    stopped: str | None = None
    stopped_as: str = "provider.stopped"
    doubts: int = 0
    max_blocked: int = 5
    blocked: int = 0
    balance: Balance = field(init=False)

    def __post_init__(self) -> None:
        """Watch the balance, where the provider tells one."""
        self.balance = Balance(self.adapter, self.wire)

    @property
    def capabilities(self) -> Capabilities:
        """What the provider can do."""
        return self.adapter.capabilities

    def deadline_s(self, extras: Mapping[str, object]) -> float:
        """Seconds from acceptance after which a generation is left to a later run."""
        if self.settings.deadline_s is not None:
            return self.settings.deadline_s
        relaxed = extras.get("processMode") == "relax"
        return 7200.0 if relaxed else self.capabilities.deadline_s

    def stop_creates(self, why: str, *, code: str = "provider.stopped") -> bool:
        """No further create of this provider makes sense in this run; the first reason stands.

        `code` is that of what is left unsent. True where it is this call that stops them.
        """
        first = self.stopped is None
        if first:
            self.stopped = why
            self.stopped_as = code
        return first

    def answered_clearly(self) -> None:
        """A create was answered so that its end is known: the row of doubts is broken."""
        self.doubts = 0

    def answered_unclearly(self) -> None:
        """Three unclear answers in a row stop this provider's creates for the run."""
        self.doubts += 1
        if self.doubts >= DOUBTS_BEFORE_STOP:
            self.stop_creates(f"{self.doubts} creates in a row ended unclear; no more are sent in this run")

    def was_drawn(self) -> None:
        """A prompt came to its picture: the row of blocked ones is broken."""
        self.blocked = 0

    def was_blocked(self) -> str | None:
        """Count a prompt that moderation refused; gives the reason where that stops this provider's creates.

        Accounts are closed for sending such prompts on and on.
        """
        self.blocked += 1
        if self.blocked < self.max_blocked:
            return None
        why = (
            f"moderation at {self.alias} blocked {self.blocked} prompts in a row. No more are sent to it in this run, "
            "because accounts are closed for that: see which: imagebatch status -s state:blocked, and change them"
        )
        return why if self.stop_creates(why, code="provider.blocked_streak") else None

    def was_billed(
        self, told: Money | None, planned: Cost, *, unpriced: Money | None = None, pictures: int = 1
    ) -> str | None:
        """Compare what the provider says it charged with the plan; gives the reason where that stops its creates.

        `unpriced` is what of it stands for things that the plan's price does not count, such as the prompt's tokens;
        `pictures` is how many were asked for, because a price is written down for one.
        """
        money = planned.money
        if told is None or money is None or told.currency != money.currency:
            return None
        compared = told.amount - (unpriced.amount if unpriced is not None else 0)
        if compared <= money.amount * SURPRISE_SHARE or compared - money.amount <= SURPRISE_LEAST:
            return None
        each = replace(told, amount=round(told.amount / pictures, 4) if pictures > 1 else told.amount)
        why = (
            f"{self.alias} charged {told} where the plan said {money}. No more is sent to it in this run; what was "
            f"drawn is kept. If the price is right, write it down: providers: {{{self.alias}: {{price: {{create: "
            f'"{each}"}}}}}}'
        )
        return why if self.stop_creates(why, code="budget.surprise") else None


def lane_of(lanes: Mapping[str, Lane], alias: str) -> Lane:
    """The lane of an alias; it is open where the plan needs the provider. Raises Trouble where it is not."""
    lane = lanes.get(alias)
    if lane is None:
        raise Trouble("provider.closed", f"{alias} would have to be asked, and the plan did not say so")
    return lane
