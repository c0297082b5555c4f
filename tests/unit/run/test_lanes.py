"""Why a provider's creates stop: a price above the plan's, and prompts that moderation blocks one after the other."""

from types import SimpleNamespace
from typing import Any

import pytest

from imagebatch.model.money import UNKNOWN_COST, Cost, Money, parse_money
from imagebatch.run.lanes import Lane


def lane(**more: Any) -> Lane:
    parts: Any = SimpleNamespace()
    return Lane(
        alias="hub", type="aigne-hub", settings=parts, adapter=parts, wire=parts, downloader=parts, gate=parts,
        places=parts, **more,
    )  # fmt: skip


def cost(text: str) -> Cost:
    return Cost(money=parse_money(text), basis="estimated")


@pytest.mark.parametrize(
    ("told", "planned", "unpriced", "stops"),
    [
        ("0.04 USD", "0.04 USD", None, False),
        ("0.068 credit", "0.034 credit", None, True),
        ("0.0507 USD", "0.05 USD", None, False),  # the table's row is rounded
        ("0.0055 USD", "0.005 USD", None, False),  # by half of its last digit
        ("0.0061 USD", "0.005 USD", None, True),
        ("0.044 USD", "0.034 USD", "0.01 USD", False),  # prompt and references, which the price does not count
        ("0.044 USD", "0.034 USD", "0.001 USD", True),
        ("0.01 USD", "0.04 USD", None, False),
        ("9 USD", "0.04 EUR", None, False),  # never converted
        ("0.04 credit", "0 credit", None, True),
    ],
)
def test_more_than_rounding_above_the_plan_is_a_surprise(
    told: str, planned: str, unpriced: str | None, *, stops: bool
) -> None:
    here = lane()
    beside = parse_money(unpriced) if unpriced is not None else None
    why = here.was_billed(parse_money(told), cost(planned), unpriced=beside)
    assert (why is not None, here.stopped is not None) == (stops, stops)
    assert here.stopped_as == ("budget.surprise" if stops else "provider.stopped")


@pytest.mark.parametrize(("told", "planned"), [(None, cost("1 USD")), (parse_money("1 USD"), UNKNOWN_COST)])
def test_what_is_not_known_cannot_surprise(told: Money | None, planned: Cost) -> None:
    assert lane().was_billed(told, planned) is None


def test_a_surprise_is_told_once_with_the_line_to_write_down() -> None:
    here = lane()
    why = here.was_billed(parse_money("0.068 credit"), cost("0.034 credit"))
    assert why is not None
    assert 'providers: {hub: {price: {create: "0.068 credit"}}}' in why
    assert here.was_billed(parse_money("0.068 credit"), cost("0.034 credit")) is None


def test_so_many_blocked_prompts_in_a_row_stop_the_creates_and_a_picture_breaks_the_row() -> None:
    here = lane(max_blocked=3)
    assert [here.was_blocked() for _ in range(2)] == [None, None]
    here.was_drawn()
    assert [here.was_blocked() is not None for _ in range(4)] == [False, False, True, False]
    assert here.stopped_as == "provider.blocked_streak"


def test_the_first_reason_stands() -> None:
    here = lane(max_blocked=1)
    assert here.stop_creates("the key is refused")
    assert here.was_blocked() is None
    assert (here.stopped, here.stopped_as) == ("the key is refused", "provider.stopped")
