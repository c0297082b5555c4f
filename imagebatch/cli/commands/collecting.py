"""`gc`: the store without what nothing names any more."""

import click

from imagebatch.cli.opening import open_project
from imagebatch.cli.options import DURATION, Shell, command, locking
from imagebatch.cli.views.foreign import shown
from imagebatch.cli.views.wording import counted
from imagebatch.errors import EXIT_OK, UsageError

_MIB = 1 << 20


@command("gc")
@click.option("-y", "--yes", "yes", is_flag=True, help="Do it; without this it only tells.")
@click.option(
    "--older", type=DURATION, default="90d", metavar="90d", help="What only the draw index knows stays so long."
)
@click.option("--expire", type=DURATION, default="30d", metavar="30d", help="How long the trash keeps pictures.")
@click.option("--restore", is_flag=True, help="Bring pictures back from the trash.")
@click.option("--shared", is_flag=True, help="In the shared folder, as if no other checkout used it.")
@click.argument("day", required=False, metavar="[DATE]")
@locking
def gc(
    shell: Shell,
    *,
    yes: bool,
    older: float,
    expire: float,
    restore: bool,
    shared: bool,
    day: str | None,
    lock_timeout: float,
) -> int:
    """Move pictures of the store that no branch, lock or pick names to a dated trash. Only tells, unless -y."""
    from imagebatch.pipeline.collecting import collect, put_back, shared_folder

    if day is not None and not restore:
        raise UsageError("what is the date for?", "A date belongs to --restore.", code="usage.flags")
    project = open_project(shell)
    if restore:
        count, size = put_back(project, day, lock_timeout_s=lock_timeout, shared=shared)
        shell.screen.lines([f"Restored {counted(count, 'picture')}, {size / _MIB:.1f} MiB."])
        return EXIT_OK
    found = collect(project, older_s=older, expire_s=expire, do=yes, lock_timeout_s=lock_timeout, shared=shared)
    what = f"{counted(found.pictures, 'picture')}, {found.size} bytes ({found.size / _MIB:.1f} MiB)"
    asked = (
        "any git ref, lock or pick" if found.asked == "git" else "this lock and picks.yaml (this is no git repository)"
    )
    lines = [f"{'Moved to the trash' if yes else 'Not needed'}: {what}; not named by {asked}. {found.kept} kept."]
    if found.expired:
        trash = "its trash" if shared else ".imagebatch/trash"
        lines.append(f"{'Emptied' if yes else 'To be emptied'}: {', '.join(found.expired)} in {trash}")
    folder = shared_folder(project)
    if shared:
        lines.append(f"Looked at: {shown(folder or '')}. What other checkouts need there is not known here.")
    elif folder is not None:
        lines.append(f"Left alone: {shown(folder)}, which other checkouts use (--shared looks there).")
    if not yes and (found.pictures or found.expired):
        words = "imagebatch gc --shared" if shared else "imagebatch gc"
        lines.append(f"Nothing was moved. Next: {words} -y ({words} --restore brings pictures back)")
    shell.screen.lines(lines)
    return EXIT_OK
