"""Sending again what is in doubt, and nothing else that a plan would hold for it or for others."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace

from imagebatch.pipeline.opened import Opened
from imagebatch.pipeline.planning import Planned, plan_against, selected_in
from imagebatch.pipeline.resolving import doubts_of
from imagebatch.plan.options import PlanOptions
from imagebatch.plan.types import DRAW_ACTIONS, Blocker, Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Resending:
    """What of a command's selection is in doubt: `draws` has each address's fingerprint, as it was sent.

    `since` has the attempts that were drawn after those in doubt.
    """

    options: PlanOptions
    draws: Mapping[str, str]
    since: Mapping[str, int]

    def guarded(self, planned: Planned) -> Planned:
        """The plan, refused where it would send another request than the one in doubt, or one that was drawn since."""
        another = map(_changed, filter(self._sends_another, planned.plan.changes))
        blockers = (*another, *(_drawn_since(address, attempt) for address, attempt in self.since.items()))
        return replace(planned, plan=replace(planned.plan, blocked_by=(*blockers, *planned.plan.blocked_by)))

    def _sends_another(self, change: Change) -> bool:
        draw = self.draws.get(change.address)
        stays = change.action in {"wait", "keep"} and change.reason == "in_doubt"
        may_send = change.action in DRAW_ACTIONS or change.action == "defer" or stays
        return draw is not None and may_send and (change.variant is None or change.variant.draw != draw)


def resending(run: Opened) -> Resending:
    """What is in doubt now among what the run's request selects, and who shares it. Reads only."""
    request = replace(run.request, select=(), exclude=(), in_doubt="skip", detail=True)
    planned = plan_against(run.project, run.world(), request)
    named = selected_in(run.world(), run.project, run.request.select, exclude=run.request.exclude)
    every = doubts_of(run.project, planned, run.session.ledger)
    tokens = {doubt.token for doubt in every if named is None or not named.isdisjoint(doubt.names)}
    found = [doubt for doubt in every if doubt.token in tokens]
    names = frozenset(name for doubt in found for name in doubt.names)
    options = replace(planned.options, selected=names, resend=names, in_doubt=run.request.in_doubt, detail=False)
    draws = {doubt.address: doubt.draw for doubt in reversed(found)}  # of several the first is what is sent again
    since = {doubt.address: doubt.since for doubt in found if doubt.since and doubt.same}
    return Resending(options=options, draws=draws, since=since)


def _drawn_since(address: str, attempt: int) -> Blocker:
    return Blocker(
        code="resolve.drawn_since",
        message=f"Attempt {attempt} of {address} was drawn since, here or on another machine: nothing is sent again. "
        f"Close the doubt: imagebatch resolve {shlex.quote(address)} --abandon; the next apply takes that attempt, and "
        "where another machine drew it, git pull brings its lock. To have one more drawn: imagebatch redraw "
        f"{shlex.quote(address)}.",
    )


def _changed(change: Change) -> Blocker:
    name = shlex.quote(change.address)
    if change.variant is None:
        return Blocker(
            code="resolve.changed",
            message=f"{change.address} is in no manifest any more, and `--resend` sends only what is wanted. Put it "
            f"back, or settle it: imagebatch resolve {name} --abandon where it was not drawn, or --file PICTURE.",
        )
    return Blocker(
        code="resolve.changed",
        message=f"The request of {change.address} changed since it was sent, and `--resend` sends no other. "
        f"Put it back, or give the doubt up: imagebatch resolve {name} --abandon; the next apply then draws the new "
        "request.",
    )
