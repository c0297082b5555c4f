"""What a run may still spend: every paid step is counted when its intent is written, whatever made it necessary."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from imagebatch.model.event import Abandoned, Accepted, Event, Intended, Observed, Refused, Told
from imagebatch.model.money import Cost, Money, decimal_text, read_money

OVER = "budget.exceeded"
_DIGITS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The most of one currency that may be spent; `name` tells where it is set, `before` what was spent without us."""

    money: Money
    name: str
    before: Decimal = Decimal(0)


class Spending:
    """Counts a run's paid steps from its events, and holds them against limits.

    What was certainly not taken counts no more; a doubt counts with what it may have cost, and so does a step that is
    sent again beside it. Steps that an earlier run began are that run's.
    """

    def __init__(self) -> None:
        self._limits: tuple[Limit, ...] = ()
        self._max_creates: int | None = None
        self._open: dict[tuple[str, str, str], Intended] = {}
        self._paid: dict[str, Money | None] = {}
        self._spent: dict[str, Decimal] = {}
        self._creates = 0

    def hold(self, limits: Sequence[Limit], max_creates: int | None) -> None:
        """Hold what is spent from now on, and what was, against these limits."""
        self._limits = tuple(limits)
        self._max_creates = max_creates

    @property
    def spent(self) -> tuple[Money, ...]:
        """What this run has spent, or may have, by currency."""
        return tuple(Money(amount=self._spent[name], currency=name) for name in sorted(self._spent))

    def note(self, event: Event | Told) -> None:
        """Count what `event` tells."""
        match event:
            case Intended() if event.paid and not event.type.startswith("simulator:"):
                self._begun(event)
            case Accepted():
                step = self._open.pop((event.token, event.step, event.candidate or ""), None)
                if step is not None and event.step != "buy":
                    self._paid[event.token] = step.cost.money
            case Refused():
                self._untaken(self._open.pop((event.token, event.step, event.candidate or ""), None))
            case Abandoned():
                for key in [key for key in self._open if key[0] == event.token]:
                    step = self._open.pop(key)
                    self._untaken(step if event.absent else None)
            case Observed():
                self._told(event)
            case _:
                pass

    def counts(self, token: str) -> bool:
        """Whether a create or retry of this token is counted already, and is on its way."""
        return any((token, step, "") in self._open for step in ("create", "retry"))

    def lacking(self, cost: Cost, *, create: bool) -> str | None:
        """Why one more paid step of this cost may not be sent, or None. An unknown cost is the plan's to refuse."""
        if create and self._max_creates is not None and self._creates >= self._max_creates:
            return f"{self._creates} creates were sent in this run, and --max-creates allows {self._max_creates}"
        money = cost.money
        for limit in self._limits if money is not None and money.amount else ():
            if money is None or limit.money.currency != money.currency:
                continue
            spent = limit.before + self._spent.get(money.currency, Decimal(0))
            if round(spent + money.amount, _DIGITS) > limit.money.amount:
                return (
                    f"{limit.name} allows {limit.money}; {_plain(spent)} {money.currency} are spent or in doubt, and "
                    f"this costs {_plain(money.amount)} {money.currency} more"
                )
        return None

    def _begun(self, event: Intended) -> None:
        key = (event.token, event.step, event.candidate or "")
        if key in self._open:
            return  # asked for once more: a purchase is billed once
        self._open[key] = event
        self._creates += event.step != "buy"
        self._add(event.cost.money, 1)

    def _untaken(self, step: Intended | None) -> None:
        if step is not None:
            self._creates -= step.step != "buy"
            self._add(step.cost.money, -1)

    def _told(self, event: Observed) -> None:
        """What the provider says that it charged counts instead of the plan's figure."""
        if event.token not in self._paid:
            return
        planned = self._paid.pop(event.token)
        billed = read_money(event.billed) if event.billed is not None else None
        if billed is not None:
            self._add(planned, -1)
            self._add(billed, 1)

    def _add(self, money: Money | None, sign: int) -> None:
        if money is not None:
            self._spent[money.currency] = self._spent.get(money.currency, Decimal(0)) + sign * money.amount


def _plain(amount: Decimal) -> str:
    """An amount without the endless digits of an uneven share."""
    return decimal_text(amount if int(amount.as_tuple().exponent) >= -_DIGITS else round(amount, _DIGITS))
