"""`pick --import FILE`: what people decided on a gallery's page."""

from pathlib import Path

from imagebatch.cli.opening import open_project
from imagebatch.cli.options import Shell
from imagebatch.cli.views.foreign import shown
from imagebatch.cli.views.wording import counted
from imagebatch.errors import EXIT_OK

_NAMED = 20


def take(shell: Shell, file: Path, *, leave_stale: bool) -> int:
    """Put the decisions of a file into picks.yaml, and say what came of them."""
    from imagebatch.pipeline.deciding import save_picks
    from imagebatch.pipeline.taking import take_decisions

    project = open_project(shell)
    taken = take_decisions(project, file, leave_stale=leave_stale)
    for address, why in list(taken.left.items())[:_NAMED]:
        shell.screen.say(f"left out: {shown(address)}: {why}")
    if len(taken.left) > _NAMED:
        shell.screen.say(f"left out: {len(taken.left) - _NAMED} more")
    if not taken.picked and not taken.rejected:
        stood = f": {counted(taken.same, 'decision')} stood there already" if taken.same else ""
        shell.screen.lines([f"Nothing to do{stood}."])
        return EXIT_OK
    path = save_picks(project, taken.picks)
    shell.screen.say(f"wrote {path.name}")
    if taken.replaced:
        shell.screen.say(f"{counted(len(taken.replaced), 'earlier pick')} replaced: {_names(taken.replaced)}")
    words = [f"picked {len(taken.picked)}"] if taken.picked else []
    words += [f"rejected {len(taken.rejected)}, to be drawn once more"] if taken.rejected else []
    shell.screen.lines([f"{'; '.join(words).capitalize()}. Next: imagebatch plan"])
    return EXIT_OK


def _names(addresses: tuple[str, ...]) -> str:
    more = f" and {len(addresses) - _NAMED} more" if len(addresses) > _NAMED else ""
    return ", ".join(shown(one) for one in addresses[:_NAMED]) + more
