"""What of the pictures does not hold its checks now: by the lock, and by comparing those that are to be distinct."""

from collections.abc import Callable, Iterable

from imagebatch.model.checks import UnmetAt, too_near
from imagebatch.model.variant import Variant
from imagebatch.plan.types import Plan
from imagebatch.state.ledger import Ledger


def unmet_checks(ledger: Ledger, variants: Iterable[Variant], selects: Callable[[str], bool]) -> tuple[UnmetAt, ...]:
    """Every check that does not hold of what is wanted and selected, by address.

    Pictures are compared here and not when they are made: which is near to which changes with the others.
    """
    wanted = {one.address: one.policy for one in variants if one.policy.checks}
    if not wanted:
        return ()
    known = {address: found for address, found in ledger.checked() if address in wanted}
    apart = [
        (address, check)
        for address, policy in wanted.items()
        if address in known and selects(address)
        for check in policy.checks
        if check.name == "distinct"
    ]
    near = too_near([(address, one.looks) for address, one in known.items() if one.looks], apart) if apart else {}
    return tuple(
        UnmetAt(address=address, unmet=unmet)
        for address, found in known.items()
        if selects(address) and found.checks == wanted[address].checks_of
        for unmet in (*found.unmet, *near.get(address, ()))
    )


def unchecked(plan: Plan, ledger: Ledger) -> tuple[str, ...]:
    """Pictures whose checks were not made, and that nobody has to look at them; `plan` has to be made with `detail`."""
    left = (change for change in plan.changes if change.action in {"noop", "keep"} and "develop" not in change.also)
    return tuple(
        change.address
        for change in left
        if change.variant is not None and change.variant.policy.checks and change.address in ledger
        for glance in [ledger.glance(change.address)]
        if glance.picked != "[]" and glance.checks != change.variant.policy.checks_of
    )
