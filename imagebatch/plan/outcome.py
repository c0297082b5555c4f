"""Changes for a case: what every action has in common, and the price of a draw."""

from imagebatch.model.money import Cost
from imagebatch.model.recorded import KnownDraw
from imagebatch.model.variant import Variant
from imagebatch.plan.case import Case
from imagebatch.plan.costs import buying_after_draw, drawing_price
from imagebatch.plan.types import ACTIONS, DRAW_ACTIONS, Action, Change, Reason


def outcome(
    case: Case,
    action: Action,
    reason: Reason | None,
    detail: str = "",
    *,
    also: tuple[Action, ...] = (),
    attempt: int | None = None,
    known: KnownDraw | None = None,
    leader: str | None = None,
    costs: tuple[Cost, ...] = (),
    later: Cost | None = None,
    picked: tuple[int, ...] = (),
    in_place: bool = False,
    released: bool = False,
    use: tuple[str, ...] = (),
    own: str | None = None,
    unpicked: bool = False,
) -> Change:
    """The change of a case; a new address takes the old one's files along whatever else happens to it."""
    variant, entry = case.wanted, case.entry
    if case.moved_from is not None and action not in {"move", "noop"} and "move" not in also:
        due = {*also, "move"}
        also = tuple(each for each in ACTIONS if each in due)
    if attempt is None:
        attempt = entry.attempt if entry is not None else 1
    return Change(
        address=case.address,
        action=action,
        reason=reason,
        detail=detail,
        provider=_provider(case, action, known),
        entry=entry,
        variant=variant,
        attempt=attempt,
        known=known,
        leader=leader,
        moved_from=case.moved_from,
        also=also,
        costs=costs,
        later=later,
        released=released,
        in_place=in_place,
        picked=picked,
        use=use,
        own=own,
        unpicked=unpicked,
    )


def _provider(case: Case, action: Action, known: KnownDraw | None) -> str:
    """Who draws it, or was asked for what is there."""
    variant, entry = case.wanted, case.entry
    there = known or (KnownDraw.of_entry(entry) if entry is not None else None)
    if variant is None:
        return there.provider if there is not None else ""
    if action in DRAW_ACTIONS or action == "defer" or there is None:
        return variant.provider
    return case.world.aliases.asked_at(there.provider, there.type, variant.provider)


def drawing(
    case: Case,
    variant: Variant,
    action: Action,
    reason: Reason,
    detail: str,
    *,
    attempt: int,
    in_place: bool = False,
    known: KnownDraw | None = None,
) -> Change:
    """A paid draw, with the price of what is bought right after it."""
    now, later = buying_after_draw(variant, variant.provider)
    own = case.entry if action == "retry" else None  # what another action leaves behind, it draws anew
    delivered = known or (KnownDraw.of_entry(own) if own is not None else None)
    return outcome(
        case,
        action,
        reason,
        detail,
        also=("buy",) if now else (),
        attempt=attempt,
        known=known,
        costs=(drawing_price(variant, delivered, attempt), *now),
        later=later,
        in_place=in_place,
    )


def waiting(
    case: Case,
    variant: Variant,
    reason: Reason,
    detail: str,
    *,
    also: tuple[Action, ...],
    known: KnownDraw | None,
    costs: tuple[Cost, ...] = (),
) -> Change:
    """A draw that runs already; what is bought after it has a price all the same."""
    now, later = buying_after_draw(variant, _provider(case, "wait", known))
    due = ("buy", *also) if now else also
    return outcome(case, "wait", reason, detail, also=due, known=known, costs=(*costs, *now), later=later)
