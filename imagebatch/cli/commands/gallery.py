"""`gallery`: all pictures as pages to look at, to search and to decide by."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagebatch.cli.opening import open_project, relative
from imagebatch.cli.options import Shell, command, flag, naming
from imagebatch.cli.views.foreign import json_text, shown, without_absent
from imagebatch.cli.views.wording import counted
from imagebatch.effects import seams
from imagebatch.errors import EXIT_OK

if TYPE_CHECKING:
    from imagebatch.pipeline.gallery import GalleryMade

_LINE_S = 30.0
_LINE_ON_TERMINAL_S = 2.0
_BROKEN_SHOWN = 10


@command("gallery", json=True)
@naming
@flag(
    "--out", "out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="The folder to write, new or a gallery's; .imagebatch/gallery by default.",
)  # fmt: skip
@click.option("--originals", is_flag=True, help="Copy the pictures in full size, too: for a folder that is sent away.")
@click.option("--open", "open_it", is_flag=True, help="Show it in the browser.")
def gallery(
    shell: Shell,
    *,
    selectors: tuple[str, ...],
    exclude: tuple[str, ...],
    out: Path | None,
    originals: bool,
    open_it: bool,
) -> int:
    """Write pages with all pictures, to look at, search and pick from; they ask nobody for anything.

    Prints the first page's path. Picks that are saved there come back by pick --import FILE.
    """
    from imagebatch.pipeline.gallery import GalleryWish, make_gallery

    wish = GalleryWish(select=selectors, exclude=exclude, out=out, originals=originals)
    made = make_gallery(open_project(shell), wish, Pace(shell).tell)
    for address, why in list(made.broken.items())[:_BROKEN_SHOWN]:
        shell.screen.say(f"warning: {shown(address)} has a picture that cannot be shown: {shown(why)}")
    if made.absent:
        shell.screen.say(f"note: {counted(made.absent, 'picture')} that the lock names are not on this machine")
    if shell.json:
        shell.screen.json_line(json_text(_document(made)))
    else:
        what = f"{counted(made.figures, 'variant')}, {counted(made.pictures, 'picture')}"
        waiting = f"; {made.waiting} of them need a person" if made.waiting else ""
        shell.screen.lines([relative(made.index, Path(seams.disk.realpath(".")))], verbatim=True)
        shell.screen.say(f"{what}{waiting}")
    if open_it:
        click.launch(made.index.as_uri())
    return EXIT_OK


class Pace:
    """Tells now and then how far the thumbnails are, so that nobody thinks that it hangs."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._last = seams.clock.monotonic()
        self._every = _LINE_ON_TERMINAL_S if shell.interactive else _LINE_S

    def tell(self, made: int, wanted: int) -> None:
        """`made` of `wanted` are done."""
        now = seams.clock.monotonic()
        if not self._shell.no_progress and now - self._last >= self._every:
            self._last = now
            self._shell.screen.say(f"small pictures: {made} of {wanted}")


def _document(made: "GalleryMade") -> dict[str, object]:
    return without_absent(
        {
            "format": "imagebatch-gallery",
            "format_version": "1.0",
            "index": str(made.index),
            "variants": made.figures,
            "pictures": made.pictures,
            "pages": made.pages,
            "needs_a_person": made.waiting,
            "broken": dict(made.broken),
            "absent": made.absent or None,
        }
    )
