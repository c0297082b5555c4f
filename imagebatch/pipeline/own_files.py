"""A file of one's own as the picture of an address: a retouched master that runs through the ladder as any other."""

import shlex
from pathlib import Path

from imagebatch.effects import seams
from imagebatch.errors import PlanError
from imagebatch.model.generation import PictureFacts
from imagebatch.model.picks import Pick, Picks
from imagebatch.pipeline.deciding import recorded_entry
from imagebatch.pipeline.inspecting import recorded_now
from imagebatch.pipeline.intake import take_file
from imagebatch.pipeline.originals import originals_of
from imagebatch.pipeline.picking import own_file
from imagebatch.pipeline.planning import PlanRequest, make_plan
from imagebatch.pipeline.project import Project


def use_file(project: Project, address: str, path: Path) -> tuple[Picks, PictureFacts, str]:
    """picks.yaml in which a file of the project stands for an address's request, what it is, and its project path.

    The bytes go into the store, so that the choice holds whatever becomes of the file.

    Raises PlanError where the address is not wanted or was never drawn, or the file lies outside the project;
    OutputError where it is no allowed picture.
    """
    _refuse_undrawn(project, address, path)
    entry = recorded_entry(project, address)
    variant = make_plan(project, PlanRequest()).variants.get(address)
    if variant is None:
        raise PlanError(
            "nothing to use it for",
            f"{address} is not in the manifests any more, so nothing asks for its picture.",
            code="use.orphan",
            address=address,
        )
    if entry.status != "succeeded":
        raise PlanError(
            "no picture to replace",
            f"A file of one's own takes the place of a picture, and that of {address} is {entry.status}.",
            hints=("imagebatch status",),
            code="use.nothing",
            address=address,
        )
    own = _project_path(project, address, path)
    facts = take_file(originals_of(project).store, path)
    pick = Pick(for_draw=variant.draw, use=(facts.sha256,), was="file", file=own)
    return own_file(project.loaded.picks, address, entry, pick), facts, own


def _refuse_undrawn(project: Project, address: str, path: Path) -> None:
    """Raise PlanError for an address that is wanted and was never drawn: a lock block is the record of a draw."""
    wanted = any(draft.address == address for draft in project.loaded.drafts)
    if not wanted or address in recorded_now(project):
        return
    there = shlex.quote(address)
    raise PlanError(
        "nothing was drawn yet",
        f"A file of one's own takes the place of a picture, and {address} was never drawn, so the lock has nothing to "
        "hold it by. Draw it once, or, where no provider is to be asked at all, keep the file out of the manifests.",
        hints=(f"imagebatch apply -s {there} && imagebatch use {there} {shlex.quote(str(path))}",),
        code="use.undrawn",
        address=address,
    )


def _project_path(project: Project, address: str, path: Path) -> str:
    """The file's path below the project's root; picks.yaml is shared, so it cannot name a place of this machine."""
    root = Path(seams.disk.realpath(project.root))
    try:
        found = Path(seams.disk.realpath(path)).relative_to(root)
    except ValueError:
        inside = f"art/{path.name}"
        raise PlanError(
            "the file lies outside the project",
            f"{path} is not below {root.name}/. picks.yaml names the file for everybody, so it has to be in the "
            "project.",
            hints=(
                f"mkdir -p art && cp {shlex.quote(str(path))} {shlex.quote(inside)}",
                f"imagebatch use {shlex.quote(address)} {shlex.quote(inside)}",
            ),
            code="use.outside",
            address=address,
        ) from None
    return found.as_posix()
