"""Figures with their basis: `0.04 USD (estimated)`, `12 × 0.04 USD = 0.48 USD (estimated)`, `price unknown`."""

from collections.abc import Sequence

from imagebatch.model.money import Basis, Cost, totals
from imagebatch.plan.costs import money_text, times


def cost_text(costs: Sequence[Cost], count: int = 1) -> str:
    """What `count` equal changes of these figures cost; empty where nothing is to be paid for."""
    if not costs:
        return ""
    known = [cost for cost in costs if cost.money is not None]
    unknown = len(costs) - len(known)
    text = money_text(totals(known))
    if count > 1 and any(cost.money.amount for cost in known if cost.money is not None):
        text = f"{count} × {text} = {money_text(totals([times(cost, count) for cost in known]))}"
    parts = [f"{text} ({_worst(known)})"] if text else []
    if unknown:
        parts.append("price unknown")
    return " + ".join(parts)


def has_unknown(costs: Sequence[Cost]) -> bool:
    """Whether one of the figures is not known."""
    return any(cost.money is None for cost in costs)


def _worst(costs: Sequence[Cost]) -> Basis:
    return "estimated" if any(cost.basis == "estimated" for cost in costs) else "exact"
