"""What a run may still spend: every paid step counts, whatever made it necessary; what was not taken counts no more."""

from decimal import Decimal
from typing import Any

from imagebatch.model.event import Abandoned, Accepted, Doubted, Event, Intended, Observed, Refused
from imagebatch.model.generation import Failure
from imagebatch.model.money import UNKNOWN_COST, Cost, Money, parse_money
from imagebatch.run.spending import Limit, Spending

NO = Failure(kind="rejected", message="no")
ONE = Cost(money=parse_money("1 EUR"), basis="estimated")


def intended(token: str, **more: Any) -> Intended:
    given = {
        "step": "create", "token": token, "attempt": 1, "part": 0, "provider": "p", "type": "t", "draw": "d",
        "request": "{}", "address": "hero", "cost": ONE, **more,
    }  # fmt: skip
    return Intended(**given)


def taken(token: str) -> Accepted:
    return Accepted(step="create", token=token, attempt=1, generation=token)


def held(*events: Event, limit: str = "2 EUR", before: str = "0", creates: int | None = None) -> Spending:
    spending = Spending()
    spending.hold([Limit(money=parse_money(limit), name="budget: run", before=Decimal(before))], creates)
    for event in events:
        spending.note(event)
    return spending


def fits(spending: Spending, cost: Cost = ONE) -> bool:
    return spending.lacking(cost, create=True) is None


def test_the_limit_itself_may_be_spent_and_not_a_step_more() -> None:
    assert fits(held(intended("a"), taken("a")))
    over = held(intended("a"), taken("a"), intended("b"))
    assert over.lacking(ONE, create=True) == (
        "budget: run allows 2 EUR; 2 EUR are spent or in doubt, and this costs 1 EUR more"
    )


def test_what_was_refused_or_shown_to_be_absent_counts_no_more() -> None:
    refused = Refused(step="create", token="b", failure=NO)
    assert fits(held(intended("a"), intended("b"), refused))
    assert fits(held(intended("a"), intended("b"), Abandoned(token="b", why="", absent=True)))
    assert held(intended("a"), refused).spent == held(intended("a")).spent


def test_a_doubt_counts_and_so_does_what_is_sent_again_beside_it() -> None:
    lost: list[Event] = [intended("a"), Doubted(step="create", token="a", why="reset")]
    assert fits(held(*lost))
    again = held(*lost, Abandoned(token="a", why="resend"), intended("a"), taken("a"))
    assert again.spent == (parse_money("2 EUR"),)
    assert not fits(again)


def test_a_purchase_that_is_asked_for_again_is_one() -> None:
    buy = intended("a", step="buy", candidate="1")
    assert held(buy, Doubted(step="buy", token="a", why="", candidate="1"), buy).spent == (parse_money("1 EUR"),)


def test_what_the_provider_charged_counts_instead_of_the_plans_figure() -> None:
    told = Observed(token="a", status="succeeded", billed="1.5 EUR")
    assert not fits(held(intended("a"), taken("a"), told))


def test_what_was_spent_before_counts_and_other_currencies_do_not() -> None:
    assert not fits(held(before="1.01"))
    assert fits(held(before="1"))
    assert fits(held(before="2"), Cost(money=parse_money("5 USD"), basis="exact"))
    assert fits(held(before="2"), UNKNOWN_COST), "that is the plan's to refuse"


def test_simulated_draws_and_what_others_paid_are_no_spending() -> None:
    assert held(intended("a", type="simulator:t"), intended("b", paid=False)).spent == ()


def test_thirds_come_to_a_whole() -> None:
    third = Cost(money=Money(amount=Decimal(2) / 3, currency="EUR"), basis="exact")
    spending = held(*(intended(name, cost=third) for name in "ab"))
    assert spending.lacking(third, create=True) is None


def test_creates_are_counted_whatever_they_cost() -> None:
    free = Cost(money=parse_money("0 EUR"), basis="exact")
    spending = held(intended("a", cost=free), intended("b", step="buy", candidate="1", cost=free), creates=1)
    assert "--max-creates allows 1" in str(spending.lacking(free, create=True))
    assert spending.lacking(free, create=False) is None
    spending.note(Refused(step="create", token="a", failure=NO))
    assert fits(spending, free)
