"""Originals that are only not here yet: a shared folder that is not mounted, files that git has yet to fill.

What lies there looks missing, and nothing may be paid again for that.
"""

from dataclasses import replace
from typing import Final

from imagebatch.effects.files import is_folder
from imagebatch.pipeline.homes import is_apart
from imagebatch.pipeline.originals import Originals
from imagebatch.pipeline.project import Project
from imagebatch.plan.options import PlanOptions
from imagebatch.plan.types import Blocker, Plan

UNMOUNTED: Final = "store.unmounted"
UNFILLED: Final = "store.unfilled"


def is_unmounted(project: Project) -> bool:
    """Whether the project shares originals by a folder that is not there."""
    folder = project.settings.store.folder
    return folder is not None and not is_apart(project.home) and not is_folder(project.home / folder)


def unmounted_notes(project: Project) -> tuple[str, ...]:
    """What a plan says of it."""
    if not is_unmounted(project):
        return ()
    folder = project.settings.store.folder
    return (f"store: the shared folder {folder} is not there; what lies only there counts as missing here",)


def unfilled_text(originals: Originals) -> str | None:
    """How many originals that git keeps here are none, and what helps; None where all are what their names say."""
    count, path = len(originals.denied), originals.settings.path
    if not count:
        return None
    many = "1 original in" if count == 1 else f"{count} originals in"
    helps = "git lfs pull brings" if originals.settings.share == "lfs" else f"git restore {path} may bring"
    return f"{many} {path} cannot be used: other bytes than the name says; {helps} the right ones"


def refused_unfilled(originals: Originals, plan: Plan, options: PlanOptions) -> Plan:
    """The plan, saying what git has yet to fill, and refused where it would be paid for once more."""
    told = unfilled_text(originals)
    if told is None:
        return plan
    plan = replace(plan, notes=(*plan.notes, f"store: {told}"))
    if "missing" not in options.forces:
        return plan
    message = f"{told}, and --force missing would pay for them again. To do without them: git rm those files first."
    return replace(plan, blocked_by=(Blocker(code=UNFILLED, message=message), *plan.blocked_by))


def refused_unseen(project: Project, options: PlanOptions) -> tuple[Blocker, ...]:
    """What stands against drawing again what is missing, while nobody can look where it may be."""
    if "missing" not in options.forces or not is_unmounted(project):
        return ()
    message = (
        f"The shared folder {project.settings.store.folder} is not there, so pictures that lie there would be paid "
        "again. Mount it, or make it, and look at the plan again; without a shared folder write store: {share: none}."
    )
    return (Blocker(code=UNMOUNTED, message=message),)
