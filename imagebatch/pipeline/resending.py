"""Sending again what is in doubt, and nothing else that a plan would hold for it or for others."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace

from imagebatch.pipeline.opened import Opened
from imagebatch.pipeline.planning import Planned, plan_against
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
        waits = change.action == "wait" and change.reason == "in_doubt"
        may_send = change.action in DRAW_ACTIONS or change.action == "defer" or waits
        return may_send and change.variant is not None and change.variant.draw != self.draws[change.address]


def resending(run: Opened) -> Resending:
    """What is in doubt now among what the run's request selects. Reads only."""
    planned = plan_against(run.project, run.world(), replace(run.request, detail=True))
    draws = {doubt.address: doubt.draw for doubt in doubts_of(run.project, planned, run.session.ledger)}
    return Resending(options=replace(planned.options, selected=frozenset(draws), detail=False), draws=draws)


def _changed(change: Change) -> Blocker:
    name = shlex.quote(change.address)
    return Blocker(
        code="resolve.changed",
        message=f"The request of {change.address} changed since it was sent, and `--resend` sends no other. "
        f"Put it back, or give the doubt up: imagebatch resolve {name} --abandon; the next apply then draws the new "
        "request.",
    )
