"""Whether a project that has no lock had one: what a provider's listing shows of its lineage tells.

A project and what `run "PROMPT"` draws in it share a lineage, and so a tag: a picture that the other of the two knows
is no sign of a lost lock.
"""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from functools import partial

from imagebatch.errors import ImagebatchError
from imagebatch.http.clock import SystemClock
from imagebatch.model.token import make_token
from imagebatch.pipeline.homes import is_run_home
from imagebatch.pipeline.opened import Opened
from imagebatch.pipeline.world import Beside
from imagebatch.plan.types import Plan
from imagebatch.run.lanes import Lane
from imagebatch.run.settle import Listing, ListingFailed, Listings
from imagebatch.state.store import lock_missing

_ATTEMPTS = range(1, 21)


async def refuse_where_lost(run: Opened, plan: Plan, lanes: Mapping[str, Lane], listings: Listings) -> None:
    """Raise RefusedError where there is no lock and these listings, read before a first create anyway, show one's."""

    def lost(listed: frozenset[str]) -> bool:
        # Where `run` draws, those of other checkouts are listed too and say nothing: git keeps no lock of theirs. What
        # is asked for again is adopted by its token; only a redraw has another one.
        return _drawn_before(listed, plan, run.session.lineage) if is_run_home(run.home) else bool(listed)

    await _refuse(run, lanes, listings, lost)


async def refuse_in_the_way(run: Opened, plan: Plan) -> None:
    """Raise RefusedError where the files in a plan's way are this project's own, and only its lock is lost."""
    async with AsyncExitStack() as stack:
        try:
            lanes = await run.lanes(stack, plan.asked)
        except ImagebatchError:
            return  # nobody can be asked: the files in the way are told of
        await _refuse(run, lanes, Listings(run.tag, SystemClock()), bool)


async def _refuse(
    run: Opened, lanes: Mapping[str, Lane], listings: Listings, lost: Callable[[frozenset[str]], bool]
) -> None:
    """Raise RefusedError where there is no lock, and `lost` says so of the pictures of ours that are listed."""
    if not run.session.first or "new-lock" in run.request.force:
        return
    for alias, lane in lanes.items():
        if lane.capabilities.witness != "list":
            continue
        with suppress(ListingFailed):  # told when its first create is due
            if lost(_strangers(await listings.first(lane), run.tag, run.beside)):
                raise lock_missing(f"the listing of {alias} shows")


def _strangers(listing: Listing, tag: str, beside: Beside | None) -> frozenset[str]:
    """Tokens of the listed pictures that nobody here knows.

    What counts carries our tag, because a provider's filter may be loose.
    """
    ours = {token for token, one in listing.by_token.items() if tag in one.tags}
    return frozenset(ours - beside.ledger.tokens() if ours and beside is not None else ours)


def _drawn_before(listed: frozenset[str], plan: Plan, lineage: str) -> bool:
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
