"""Prices of draws that need several creates: what is there already is not paid again."""

from decimal import Decimal

import pytest

from imagebatch.model.generation import Part, Status
from imagebatch.model.money import UNKNOWN_COST, Cost, Money
from imagebatch.model.recorded import KnownDraw
from imagebatch.plan.costs import drawing_price
from tests.unit.plan.worlds import variant

PRICE = Cost(money=Money(amount=Decimal("0.12"), currency="USD"), basis="estimated")
WANTED = variant(provider="hub", parts=3, count=3, price=PRICE)


def known(*statuses: Status, attempt: int = 1, draw: str = WANTED.draw) -> KnownDraw:
    parts = tuple(
        Part(token=f"t{at}", generation=f"g{at}" if status in {"succeeded", "pending"} else None, status=status)
        for at, status in enumerate(statuses)
    )
    return KnownDraw(
        draw=draw, type="aigne-hub", request="{}", attempt=attempt, token="t0", generation=None, status="failed",
        parts=parts,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("draw", "attempt", "amount"),
    [
        (None, 1, "0.12"),
        (known("failed", "failed", "failed"), 1, "0.12"),
        (known("succeeded", "failed", "succeeded"), 2, "0.04"),
        (known("succeeded", "failed", "pending"), 1, "0.04"),
        (known("succeeded", "failed", "pending"), 2, "0.08"),
        (known("succeeded", "succeeded", "succeeded", draw="sha256:other"), 2, "0.12"),
    ],
)
def test_parts_that_are_there_already_are_not_priced_again(draw: KnownDraw | None, attempt: int, amount: str) -> None:
    found = drawing_price(WANTED, draw, attempt)
    assert found.money is not None
    assert (found.money.amount, found.basis) == (Decimal(amount), "estimated")


def test_a_draw_of_one_create_and_an_unknown_price_are_as_they_were() -> None:
    assert drawing_price(variant(), known("succeeded"), 2) == variant().price
    assert drawing_price(variant(parts=3, price=UNKNOWN_COST), known("succeeded"), 1) == UNKNOWN_COST
