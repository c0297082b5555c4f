"""Whether a project that has no lock had one: what a provider's listing shows of its lineage tells; pure.

A project and what `run "PROMPT"` draws in it share a lineage, and so a tag: a picture that the other of the two knows
is no sign of a lost lock.
"""

from functools import partial

from imagebatch.model.token import make_token
from imagebatch.pipeline.world import Beside
from imagebatch.plan.types import Plan
from imagebatch.run.settle import Listing

_ATTEMPTS = range(1, 21)


def strangers(listing: Listing, tag: str, beside: Beside | None) -> frozenset[str]:
    """Tokens of the listed pictures that nobody here knows.

    What counts carries our tag, because a provider's filter may be loose.
    """
    ours = {token for token, one in listing.by_token.items() if tag in one.tags}
    return frozenset(ours - beside.ledger.tokens() if ours and beside is not None else ours)


def drawn_before(listed: frozenset[str], plan: Plan, lineage: str) -> bool:
    """Whether a picture that the plan would draw is listed under another of its attempts only, so that it was redrawn.

    One that is listed under the attempt which the plan wants is adopted, and costs nothing.
    """
    for change in plan.changes if listed else ():
        variant = change.variant
        if change.action != "create" or variant is None:
            continue
        token = partial(make_token, lineage=lineage, draw=variant.draw, salt=variant.salt)
        if token(attempt=change.attempt) not in listed and any(token(attempt=one) in listed for one in _ATTEMPTS):
            return True
    return False
