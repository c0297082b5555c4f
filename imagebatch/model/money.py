"""Amounts of money: exact decimals, never converted between currencies."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

Basis = Literal["exact", "estimated", "unknown"]

_MONEY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]{3,10})\s*")
CREDIT = "credit"
# Beyond these powers of ten an amount is a slip, and written out it would be a text without end.
_LARGEST = 15
_FINEST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """`amount` of one `currency` (`EUR`, `USD`, or `credit`)."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{decimal_text(self.amount)} {self.currency}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one step costs, and how well that is known; `money` is None where `basis` is `unknown`."""

    money: Money | None
    basis: Basis


UNKNOWN_COST = Cost(money=None, basis="unknown")


def parse_money(text: str) -> Money:
    """Read `0.35 EUR` or `2 credit`.

    Raises ValueError with a sentence for anything else; negative amounts are none.
    """
    match = _MONEY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no amount of money; write it like '0.35 EUR'")
    try:
        amount = Decimal(match[1])
    except InvalidOperation:
        raise ValueError(f"{match[1]!r} is no number") from None
    currency = match[2]
    lowered = currency.lower()
    if lowered in {"credit", "credits"}:
        return Money(amount=amount, currency=CREDIT)
    if len(currency) != 3:
        raise ValueError(f"{currency!r} is no currency; write three letters like EUR, or credit")
    return Money(amount=amount, currency=currency.upper())


def read_money(text: str) -> Money | None:
    """An amount that was written down; None where it is none, as from a provider that told nonsense."""
    try:
        return parse_money(text)
    except ValueError:
        return None


def sound_money(told: object) -> Money | None:
    """What somebody else's code calls an amount, as it reads back from text; None where that says nothing.

    Finite, not negative, and of a currency that can be written.
    """
    if not isinstance(told, Money):
        return None
    amount: object = told.amount  # whatever its class says that it is
    if not isinstance(amount, Decimal) or not amount.is_finite() or amount.adjusted() > _LARGEST:
        return None
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or not -_FINEST <= exponent <= _LARGEST:
        return None
    return read_money(str(told))


def decimal_text(amount: Decimal) -> str:
    """Plain decimal notation, without exponent, trailing zeros cut to at most the written ones (`0.350` stays)."""
    return format(amount, "f")


def totals(costs: Iterable[Cost]) -> tuple[Money, ...]:
    """Sums per currency, sorted by currency; unknown figures are not in them."""
    sums: dict[str, Decimal] = {}
    for cost in costs:
        if cost.money is not None:
            sums[cost.money.currency] = sums.get(cost.money.currency, Decimal(0)) + cost.money.amount
    return tuple(Money(amount=sums[currency], currency=currency) for currency in sorted(sums))
