"""Runners that vanish: with `CI` set nothing is paid for whose only copy would go with the machine."""

from typing import Final

from imagebatch.pipeline.homes import is_apart
from imagebatch.pipeline.project import Project
from imagebatch.pipeline.unmounted import is_unmounted
from imagebatch.plan.types import PAID_ACTIONS, Action, Blocker, Plan

EPHEMERAL: Final = "store.ephemeral"
_MAY_PAY: Final[frozenset[Action]] = PAID_ACTIONS | {"defer"}
_UNSAID: Final = (
    "imagebatch.yaml has to say where originals live on. Write store: {share: dir:/mnt/team/originals}, or store: "
    "{path: originals, share: lfs}; where the job itself keeps outputs or .imagebatch/, store: {share: none}"
)


def refused_in_ci(project: Project, plan: Plan) -> tuple[Blocker, ...]:
    """What stands against paying on a runner that takes the only copy of a picture with it."""
    if not project.setup.variables.get("CI") or is_apart(project.home):
        return ()
    store = project.settings.store
    unmounted = is_unmounted(project)
    if store.said and not unmounted:
        return ()
    paying = (one.variant for one in plan.changes if one.variant is not None and _MAY_PAY & {one.action, *one.also})
    once = sorted({one.provider for one in paying if _sends_once(project, one.provider)})
    if not once:
        return ()
    why = f"the shared folder {store.folder} is not there; mount it, or make it" if unmounted else _UNSAID
    message = (
        f"CI is set, and {' and '.join(once)} cannot send a picture again, so what is paid may go with this machine: "
    )
    return (Blocker(code=EPHEMERAL, message=message + why),)


def _sends_once(project: Project, alias: str) -> bool:
    target = project.targets[alias]
    return target.adapter.capabilities.answers == "now" and not target.simulated
