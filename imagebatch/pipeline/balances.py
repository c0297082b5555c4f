"""What is left at the providers, looked at before anything is sent: a plan that certainly cannot be paid is refused."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from imagebatch.errors import ImagebatchError, RefusedError
from imagebatch.model.event import PaidStep, Told
from imagebatch.model.money import Money, decimal_text
from imagebatch.model.wire import BadAnswer, NotSent, OutcomeLost, Unreachable
from imagebatch.plan.costs import needed_of
from imagebatch.plan.types import Plan
from imagebatch.providers.base import CanCheck
from imagebatch.run.lanes import Lane

LOOK_S = 15.0


async def refuse_short(plan: Plan, lanes: Iterable[Lane], tell: Callable[[Told], None]) -> None:
    """Raise RefusedError (`budget.balance`) where what a plan costs at a provider is more than the account has left.

    Nobody is asked where nothing is to be paid, or nothing in the balance's own unit. A balance that cannot be read is
    told and stops nothing.
    """
    asked = [(lane, needed) for lane in lanes if (needed := _needed(plan, lane))]
    found = await asyncio.gather(*(_left(lane) for lane, _ in asked))
    for (lane, needed), left in zip(asked, found, strict=True):
        if isinstance(left, str):
            tell(
                Told(
                    kind="warning", message=f"the balance of {lane.alias} cannot be read, and is not looked at: {left}"
                )
            )
            continue
        for step, amount in needed.items():
            if step in left and amount > left[step].amount:
                raise _short(lane, step, amount, left[step])


def _needed(plan: Plan, lane: Lane) -> Mapping[PaidStep, Decimal]:
    unit = lane.capabilities.balance_unit
    if unit is None or lane.type.startswith("simulator:"):
        return {}
    return needed_of(plan, lane.alias, unit)


async def _left(lane: Lane) -> Mapping[PaidStep, Money] | str:
    """What each step can be paid with; why it cannot be told where it cannot."""
    adapter = lane.adapter
    if not isinstance(adapter, CanCheck):
        return "its adapter has no key check"
    try:
        async with asyncio.timeout(LOOK_S):
            facts = await adapter.check(lane.wire)
    except TimeoutError:
        return f"no answer within {LOOK_S:.0f} s"
    except (ImagebatchError, Unreachable, OutcomeLost, NotSent, BadAnswer) as error:
        return str(error)
    return facts.left if facts.left is not None else "the provider does not tell it"


def _short(lane: Lane, step: PaidStep, amount: Decimal, left: Money) -> RefusedError:
    what = "What is bought" if step == "buy" else "What is drawn"
    return RefusedError(
        "the balance does not suffice",
        f"{what} at {lane.alias} costs {decimal_text(amount)} {left.currency} by the plan, and the account has {left} "
        "left. It would run dry in the middle, so nothing was sent.",
        hints=(
            "recharge the account, or select fewer variants: imagebatch apply --select …",
            "draw as much as it pays for: imagebatch apply --force cost",
        ),
        code="budget.balance",
    )
