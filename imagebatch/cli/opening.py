"""From a shell to a loaded project: found, read, its keys masked, its warnings shown."""

from pathlib import Path
from typing import TYPE_CHECKING

from imagebatch.cli.masking import Masks
from imagebatch.cli.options import Shell
from imagebatch.effects import seams
from imagebatch.effects.files import is_folder
from imagebatch.errors import UsageError

if TYPE_CHECKING:
    from imagebatch.pipeline.project import Project, Setup


def open_setup(shell: Shell) -> "Setup":
    """The project's root and the environment; nothing of it is read yet."""
    from imagebatch.pipeline.project import Setup, find_project

    start = shell.directory
    if not is_folder(start):
        raise UsageError("no such folder", f"-C names {start}, which is no folder.", code="usage.directory")
    return Setup(root=find_project(Path(seams.disk.realpath(start))), variables=shell.environ, simulate=shell.simulate)


def open_project(shell: Shell, *, setup: "Setup | None" = None, warn: bool = True) -> "Project":
    """The project of this shell, loaded; its warnings are told unless they are not wanted."""
    from imagebatch.pipeline.project import load

    project = load(setup or open_setup(shell))
    names = [one.key_variable for one in project.settings.providers.values() if one.key_variable is not None]
    if project.settings.signing is not None:
        names.append(project.settings.signing.key_variable)
    shell.screen.masks = Masks.of_variables(names, shell.environ)
    if warn:
        tell_warnings(shell, project)
    return project


def tell_warnings(shell: Shell, project: "Project", most: int = 20) -> None:
    """Print what the project's files are warned of."""
    from imagebatch.cli.views.problems import problem_lines, sorted_problems

    warnings = sorted_problems(project.warnings)
    for problem in warnings if shell.verbose else warnings[:most]:
        for line in problem_lines(problem, shell.screen.err_paint):
            shell.screen.say(line)
    if len(warnings) > most and not shell.verbose:
        shell.screen.say(f"… and {len(warnings) - most} more warnings (-v shows them)")


def relative(path: Path, base: Path) -> str:
    """A path as a person would write it from `base`."""
    try:
        return path.relative_to(base).as_posix()
    except ValueError:
        return str(path)
