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
    """What of a command's selection is in doubt: `draws` has each address's fingerprint, as it was sent."""

    options: PlanOptions
    draws: Mapping[str, str]

    def guarded(self, planned: Planned) -> Planned:
        """The plan, refused where it would send another request than the one in doubt."""
        blockers = tuple(map(_changed, filter(self._sends_another, planned.plan.changes)))
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
    return Resending(options=options, draws=draws)


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
