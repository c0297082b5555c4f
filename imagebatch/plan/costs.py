"""What a plan costs: figures for single changes, sums, and the plan's last line."""

from collections import Counter
from decimal import Decimal

from imagebatch.model.event import PaidStep
from imagebatch.model.generation import Candidate
from imagebatch.model.money import UNKNOWN_COST, Basis, Cost, Money, totals
from imagebatch.model.recorded import KnownDraw
from imagebatch.model.variant import Variant
from imagebatch.plan.picking import picks_by_rule
from imagebatch.plan.types import DRAW_ACTIONS, Action, Plan

# The words of the last line, in its order.
_TERMS: tuple[tuple[Action, str], ...] = (
    ("create", "to create"),
    ("redraw", "to redraw"),
    ("retry", "to retry"),
    ("buy", "to buy"),
    ("fetch", "to fetch"),
    ("adopt", "to adopt"),
    ("share", "to share"),
    ("update", "to update"),
    ("develop", "to develop"),
    ("move", "to move"),
    ("wait", "to wait for"),
    ("forget", "to forget"),
    ("delete", "to delete"),
    ("defer", "deferred"),
    ("keep", "kept"),
    ("noop", "unchanged"),
)

# Their first figure is that of the draw; what follows, and all figures of the others, are those of purchases.
_PAYS_FIRST: frozenset[Action] = DRAW_ACTIONS | {"defer"}


def bought_price(variant: Variant, alias: str, candidate: Candidate | None = None) -> Cost:
    """The price at `alias`, which sells it, of one candidate in the resolution that the variant asks for.

    A `candidate` that was bought before is not billed again for another resolution of the same price: All-Images.ai
    documents one debit an image. Where resolutions have prices of their own, the whole price counts.
    """
    prices = variant.buy_price if alias == variant.provider else variant.buy_price_at.get(alias, {})
    price = prices.get(variant.policy.resolution, UNKNOWN_COST)
    before = candidate.bought if candidate is not None else None
    if before is None or price.money is None or prices.get(before.resolution) != price:
        return price
    return Cost(money=Money(amount=Decimal(0), currency=price.money.currency), basis=price.basis)


def buying_after_draw(variant: Variant, alias: str) -> tuple[tuple[Cost, ...], Cost | None]:
    """What is bought at `alias` in the same apply once its candidates are there, and what picks may cost later.

    The second is the most that it can be: every candidate picked.
    """
    if variant.policy.resolution == "preview":
        return (), None
    picks = picks_by_rule(variant.policy.pick, variant.offers)
    if picks is None:
        return (), times(bought_price(variant, alias), variant.offers)
    return (bought_price(variant, alias),) * len(picks), None


def drawing_price(variant: Variant, known: KnownDraw | None, attempt: int) -> Cost:
    """The price of a draw; parts that `known` delivered already, or still draws in this attempt, are not paid again."""
    if variant.parts == 1 or variant.price.money is None or known is None or known.draw != variant.draw:
        return variant.price
    running = {"pending"} if known.attempt == attempt else set()
    there = sum(1 for part in known.parts[: variant.parts] if part.status in {"succeeded", *running})
    return price_of_creates(variant, variant.parts - there)


def price_of_creates(variant: Variant, creates: int) -> Cost:
    """What so many of the creates of a draw cost, which are alike."""
    whole = variant.price.money
    if whole is None or creates >= variant.parts:
        return variant.price
    share = Money(amount=whole.amount / variant.parts * creates, currency=whole.currency)
    return Cost(money=share, basis=variant.price.basis)


def needed_of(plan: Plan, provider: str, currency: str) -> dict[PaidStep, Decimal]:
    """What a plan certainly has to pay a provider in one currency, by what it pays for; zero sums are left out.

    What is in doubt may have been paid, and what has no known price is not in it.
    """
    sums: dict[PaidStep, Decimal] = {}
    for change in plan.changes:
        if change.provider != provider:
            continue
        draws = 1 if change.action in _PAYS_FIRST or (change.action == "wait" and change.reason == "in_doubt") else 0
        for at, cost in enumerate(change.costs):
            if cost.money is None or cost.money.currency != currency or (at < draws and change.action == "wait"):
                continue
            step: PaidStep = "create" if at < draws else "buy"
            sums[step] = sums.get(step, Decimal(0)) + cost.money.amount
    return {step: amount for step, amount in sums.items() if amount}


def times(cost: Cost, count: int) -> Cost:
    """`count` times one figure."""
    if cost.money is None or not count:
        return cost
    return Cost(money=Money(amount=cost.money.amount * count, currency=cost.money.currency), basis=cost.basis)


def money_text(sums: tuple[Money, ...]) -> str:
    """`4.20 EUR + 0.80 USD`."""
    return " + ".join(str(money) for money in sums)


def summary_line(plan: Plan) -> str:
    """The plan's last line; terms that are zero are left out."""
    terms = [f"{plan.counts.get(action, 0)} {words}" for action, words in _TERMS if plan.counts.get(action, 0)]
    line = f"Plan: {', '.join(terms)}." if terms else "Plan: nothing to do."
    return line + _cost_text(plan)


def _cost_text(plan: Plan) -> str:
    later = f"later, for picks: up to {money_text(plan.later)}" if plan.later else ""
    if plan.later_unknown:
        later = f"{later} + an unknown price" if later else "later, for picks: an unknown price"
    if not plan.costs:
        return f" Cost: {later}." if later else ""
    bases: Counter[Basis] = Counter(cost.basis for cost in plan.costs)
    known = totals(plan.costs)
    # `0 EUR + 0 USD` would say the same thing twice; one zero says it, and only where nothing else is to be said.
    sums = money_text(tuple(money for money in known if money.amount) or known[:1]) or "unknown"
    figures = f"{bases['exact']} exact, {bases['estimated']} estimated, {bases['unknown']} unknown"
    return f" Cost: {sums} ({figures})" + (f"; {later}." if later else ".")


def grouped(costs: tuple[Cost, ...]) -> list[dict[str, str | int]]:
    """Figures for JSON: one object for each currency and basis, with the number of figures in it."""
    sums: dict[tuple[str, Basis], Decimal] = {}
    counts: Counter[tuple[str, Basis]] = Counter()
    for cost in costs:
        currency = cost.money.currency if cost.money is not None else ""
        key = (currency, cost.basis)
        counts[key] += 1
        if cost.money is not None:
            sums[key] = sums.get(key, Decimal(0)) + cost.money.amount
    found: list[dict[str, str | int]] = []
    for key in sorted(counts):
        currency, basis = key
        figure: dict[str, str | int] = {}
        if key in sums:
            figure = {"amount": format(sums[key], "f"), "currency": currency}
        found.append({**figure, "basis": basis, "count": counts[key]})
    return found
