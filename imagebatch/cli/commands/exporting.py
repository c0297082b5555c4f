"""`export`: an index of the outputs for code."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagebatch.cli.opening import open_project
from imagebatch.cli.options import Shell, command, flag, naming
from imagebatch.cli.views.foreign import shown
from imagebatch.cli.views.wording import counted
from imagebatch.effects import seams
from imagebatch.errors import EXIT_OK

if TYPE_CHECKING:
    from imagebatch.export.languages import Language

_NAMED = 10


@command("export", json=True)
@naming
@click.option(
    "--format",
    "language",
    type=click.Choice(["json", "ts", "py", "css", "md"]),
    help="Which language; json by default.",
)
@flag("--out", "out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write it there.")
@click.option("--allow-missing", is_flag=True, help="Leave out what is not there.")
def export(
    shell: Shell,
    *,
    selectors: tuple[str, ...],
    exclude: tuple[str, ...],
    language: "Language | None",
    out: Path | None,
    allow_missing: bool,
) -> int:
    """Print an index of the outputs for code: paths, sizes, alt texts, hashes, tiny placeholders, srcset.

    Pictures that are not there are an error. The same files give the same bytes.
    """
    from imagebatch.cli.commands.gallery import Pace
    from imagebatch.export.languages import render_index
    from imagebatch.pipeline.exporting import export_images, prefix_from, save_index

    project = open_project(shell)
    found = export_images(project, selectors, exclude=exclude, allow_missing=allow_missing, progress=Pace(shell).tell)
    for one in found.missing[:_NAMED]:
        shell.screen.say(f"left out: {shown(one)}")
    if len(found.missing) > _NAMED:
        shell.screen.say(f"left out: {len(found.missing) - _NAMED} more")
    target = Path(seams.disk.realpath(out)) if out is not None else None
    prefix = prefix_from(Path(seams.disk.realpath(project.home)), target) if target is not None else ""
    text = render_index(language or "json", found.images, prefix=prefix)
    if target is None:
        shell.screen.data(text)
        return EXIT_OK
    save_index(target, text)
    shell.screen.say(f"wrote {out}: {counted(len(found.images), 'picture')}")
    return EXIT_OK
