"""What happens to something that nobody wants any more: by the policy in the lock, and never to what is protected."""

import shlex

from imagebatch.model.generation import Entry
from imagebatch.plan.case import Case
from imagebatch.plan.outcome import outcome
from imagebatch.plan.types import Change, Reason

SETTLE_FIRST = "settle it with `imagebatch resolve` before it is removed"


def removal(case: Case, entry: Entry) -> Change:
    """Keep, forget or delete; `case.released` says that no other entry needs the generation."""
    reason: Reason = "asked" if case.address in case.world.options.destroy else "removed"
    if entry.protect or entry.held or (case.wanted is not None and case.wanted.policy.protect):
        if case.wanted is not None and case.wanted.policy.protect:
            how = "take `protect` out of its manifest and apply before removing it"
        else:
            how = f"to have it removed: imagebatch unprotect {shlex.quote(case.address)}"
        return outcome(case, "keep", "protected", how)
    if entry.status == "in_doubt":
        return outcome(case, "keep", "in_doubt", SETTLE_FIRST)
    if entry.on_remove == "keep" and reason == "removed":
        return outcome(case, "keep", "removed", "stays as an orphan, by its policy")
    if entry.on_remove == "delete" and case.released and entry.generation is not None:
        if case.world.abilities(entry.type).can_delete:
            return outcome(case, "delete", reason, released=True)
        return outcome(case, "forget", reason, "the provider cannot delete it", released=True)
    return outcome(case, "forget", reason, released=case.released)
