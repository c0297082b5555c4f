"""A shared folder that is not there: what lies only there looks missing, and nothing may be paid again for that."""

from typing import Final

from imagebatch.effects.files import is_folder
from imagebatch.pipeline.homes import is_apart
from imagebatch.pipeline.project import Project
from imagebatch.plan.options import PlanOptions
from imagebatch.plan.types import Blocker

UNMOUNTED: Final = "store.unmounted"


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


def refused_unseen(project: Project, options: PlanOptions) -> tuple[Blocker, ...]:
    """What stands against drawing again what is missing, while nobody can look where it may be."""
    if "missing" not in options.forces or not is_unmounted(project):
        return ()
    message = (
        f"The shared folder {project.settings.store.folder} is not there, so pictures that lie there would be paid "
        "again. Mount it, or make it, and look at the plan again; without a shared folder write store: {share: none}."
    )
    return (Blocker(code=UNMOUNTED, message=message),)
