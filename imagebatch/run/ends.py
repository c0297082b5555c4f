"""How creates end, and how the ends of a draw's parts make one; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from imagebatch.model.bulk import made_in_bulk
from imagebatch.model.generation import MAY_HAVE_BEEN_PAID, WORST_FIRST, Candidate, Failure, Part, Status
from imagebatch.model.money import Cost, Money, parse_money, totals
from imagebatch.model.recorded import KnownDraw
from imagebatch.model.variant import Variant
from imagebatch.run.entries import Drawn
from imagebatch.run.lanes import Lane

_PAID: frozenset[Status] = frozenset({"succeeded", "pending", "in_doubt"})


@made_in_bulk
class Try:
    """One paid attempt: what is drawn, where, and under which token. `part` counts from 0.

    With `send` False an open step is only settled: what certainly was not taken is not sent again. `gives_up` are
    tokens in doubt that are given up when this one leaves, because somebody said that they are to be sent again.
    """

    variant: Variant
    lane: Lane
    token: str
    attempt: int
    part: int = 0
    send: bool = True
    gives_up: tuple[str, ...] = ()

    @property
    def simulated(self) -> bool:
        """Whether the built-in simulator draws it."""
        return self.lane.type.startswith("simulator:")

    @property
    def price(self) -> Cost:
        """The price of this part."""
        whole = self.variant.price
        if self.variant.parts == 1 or whole.money is None:
            return whole
        share = Money(amount=whole.money.amount / self.variant.parts, currency=whole.money.currency)
        return Cost(money=share, basis=whole.basis)


@made_in_bulk
class End:
    """How one create ended. `status` None: nothing was sent, or nothing was accepted for a reason not its own.

    `earlier` tells that it was paid for by an earlier run; `cost` is what it cost all the same.
    """

    token: str
    status: Status | None
    generation: str | None = None
    candidates: tuple[Candidate, ...] = ()
    failure: Failure | None = None
    cost: tuple[str, ...] = ()
    adopted: bool = False
    earlier: bool = False
    code: str | None = None
    message: str = ""
    warnings: tuple[str, ...] = ()


def kept_part(known: KnownDraw | None, part: int) -> End | None:
    """A part that an earlier attempt delivered already, with its candidates."""
    if known is None or part >= len(known.parts):
        return None
    one = known.parts[part]
    if one.status != "succeeded":
        return None
    start = sum(earlier.candidates for earlier in known.parts[:part])
    return End(
        token=one.token,
        status="succeeded",
        generation=one.generation,
        candidates=known.candidates[start : start + one.candidates],
        cost=part_cost(known),
        earlier=True,
    )


def part_cost(known: KnownDraw) -> tuple[str, ...]:
    """What each accepted part of a draw cost: parts are alike, so each has its share of what all of them cost."""
    accepted = sum(1 for part in known.parts if part.generation is not None or part.status == "in_doubt")
    whole = (parse_money(text) for text in known.cost)
    shares = (Money(amount=_rounded(one.amount / max(1, accepted)), currency=one.currency) for one in whole)
    return tuple(str(share) for share in shares)


def _rounded(amount: Decimal) -> Decimal:
    # An uneven division would fill the lock with 28 digits.
    return amount if int(amount.as_tuple().exponent) >= -10 else round(amount, 10)


def running_part(known: KnownDraw | None, part: int) -> Part | None:
    """A part that a provider took and that is not finished yet."""
    if known is None or part >= len(known.parts):
        return None
    one = known.parts[part]
    return one if one.status == "pending" and one.generation is not None else None


def together(ends: Sequence[End], *, attempt: int) -> Drawn:
    """One draw from the ends of its parts; the worst of them names it."""
    known = [end for end in ends if end.status is not None]
    if not known:
        first = ends[0]
        return Drawn(token=first.token, attempt=attempt, status=None, code=first.code, message=first.message)
    worst = min(known, key=lambda end: WORST_FIRST.index(end.status or "failed"))
    unsent = next((end for end in ends if end.status is None), None)
    if unsent is not None and worst.status == "succeeded":
        # Some parts are there and some were never sent: as a whole it failed, and a later apply draws what is missing.
        missing = Failure(kind="provider", message=unsent.message)
        worst = replace(worst, status="failed", failure=missing, code=unsent.code, message=unsent.message)
    several = len(ends) > 1
    candidates = tuple(candidate for end in known for candidate in end.candidates)
    if several:
        candidates = tuple(replace(one, id=str(index)) for index, one in enumerate(candidates, start=1))
    return Drawn(
        token=ends[0].token,
        attempt=attempt,
        status=worst.status,
        generation=ends[0].generation if worst.status != "in_doubt" else None,
        candidates=candidates,
        parts=tuple(_part(end) for end in ends) if several else (),
        failure=worst.failure if worst.status != "succeeded" else None,
        cost=_summed(end.cost for end in ends),
        paid=_summed(end.cost for end in known if _was_paid(end) and not (end.earlier or end.adopted)),
        adopted=all(end.adopted for end in ends),
        code=worst.code,
        message=worst.message,
        warnings=tuple(warning for end in ends for warning in end.warnings),
    )


def _was_paid(end: End) -> bool:
    failure = end.failure
    return end.status in _PAID or (failure is not None and failure.kind in MAY_HAVE_BEEN_PAID)


def _part(end: End) -> Part:
    return Part(
        token=end.token, generation=end.generation, status=end.status or "failed", candidates=len(end.candidates)
    )


def _summed(costs: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    known = [Cost(money=parse_money(text), basis="exact") for cost in costs for text in cost]
    return tuple(str(money) for money in totals(known))
