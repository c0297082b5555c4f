"""`review`: the gallery's pages, served on this machine, so that what is decided there is written at once."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagebatch.cli.commands.gallery import Pace
from imagebatch.cli.opening import open_project
from imagebatch.cli.options import DURATION, Shell, command, flag, naming
from imagebatch.cli.views.foreign import json_text, shown
from imagebatch.cli.views.wording import counted
from imagebatch.effects import seams
from imagebatch.effects.files import remove, write_bytes
from imagebatch.errors import EXIT_OK, ImagebatchError

if TYPE_CHECKING:
    from imagebatch.pipeline.project import Project
    from imagebatch.review.serving.guard import Door
    from imagebatch.review.serving.server import Serve

_OPENER = "review.html"
_PRIVATE = 0o600


@command("review", json=True)
@naming
@flag("--port", "port", type=click.IntRange(0, 65535), default=0, show_default=True, help="0 takes a free one.")
@flag("--for", "for_s", type=DURATION, metavar="DURATION", help="End by itself after that long: 30m, 2h.")
@click.option("--open", "open_it", is_flag=True, help="Show it in the browser.")
def review(
    shell: Shell, *, selectors: tuple[str, ...], exclude: tuple[str, ...], port: int, for_s: float | None, open_it: bool
) -> int:
    """Show all pictures in the browser to pick, reject, compare and protect; written at once, until ctrl-C.

    Prints the address, which only this machine can reach and nobody can guess.
    """
    serve = _server()
    from imagebatch.pipeline.gallery import GalleryWish
    from imagebatch.pipeline.reviewing import ReviewDesk

    project = open_project(shell)
    desk = ReviewDesk(project, GalleryWish(select=selectors, exclude=exclude), Pace(shell).tell)
    opener = project.home / ".imagebatch" / _OPENER

    def ready(door: "Door") -> None:
        if shell.json:
            head = {"format": "imagebatch-review", "format_version": "1.0"}
            shell.screen.json_line(json_text({**head, "address": door.address, "variants": desk.figures}))
        else:
            shell.screen.lines([door.address], verbatim=True)
        waiting = f"{desk.waiting} of them need a person" if desk.waiting else "none of them needs a person"
        shell.screen.say(f"{counted(desk.figures, 'variant')}, {waiting}; ctrl-C ends it")
        if open_it:
            _open(shell, project, opener, door.address)

    def failed(error: Exception) -> None:
        text = shown(f"{type(error).__name__}: {error}", 200)
        shell.screen.error(f"error: the review met something it did not expect: {text}; what was written stands")

    try:
        seams.clock.run(serve(desk, port=port, for_s=for_s, ready=ready, failed=failed))
    finally:
        if open_it:
            with suppress(OSError):
                remove(opener)
    shell.screen.say("the review has ended. Next: imagebatch plan")
    return EXIT_OK


def _server() -> "Serve":
    try:
        from imagebatch.review.serving.server import serve
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in {"starlette", "uvicorn", "h11"}:
            raise
        raise ImagebatchError(
            "the review needs more than is installed",
            f"Its server is an extra, and {error.name} is not installed. The gallery needs nothing more: picks that "
            "are saved there come back by pick --import.",
            hints=("pip install 'imagebatch[review]'", "imagebatch gallery"),
            code="review.extra",
        ) from None
    return serve


def _open(shell: Shell, project: "Project", opener: Path, address: str) -> None:
    """Lead the browser there by a file that only its owner reads: every user sees the arguments of a program."""
    from imagebatch.state.store import StateStore

    head = '<!doctype html><meta name="referrer" content="no-referrer">'
    text = f'{head}<meta http-equiv="refresh" content="0; {address}">\n'
    try:
        StateStore(project.home).prepare()
        remove(opener)
        write_bytes(opener, text.encode(), mode=_PRIVATE, new=True)
    except OSError as error:
        shell.screen.say(
            f"warning: the browser cannot be led there ({error.strerror or error}): open the address above"
        )
        return
    click.launch(opener.as_uri())
