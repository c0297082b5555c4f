"""What GitHub Actions reads from a step: its summary and its outputs. Trouble here never fails a command."""

from collections.abc import Mapping
from typing import Any

import click

from imagebatch.cli.screen import Screen
from imagebatch.cli.views.foreign import json_text
from imagebatch.effects import seams
from imagebatch.effects.disk import APPEND
from imagebatch.effects.files import opened, write_whole
from imagebatch.errors import ImagebatchError

_OUTPUTS = "imagebatch.outputs"  # in a context's `meta`: what the step's outputs will say beside the exit code


def note_outputs(**values: object) -> None:
    """Have this command's outputs written when it ends, however it ends: its exit code, and these values."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta.setdefault(_OUTPUTS, {}).update(values)


def tell_end(
    environ: Mapping[str, str],
    screen: Screen,
    meta: Mapping[str, Any],
    exit_code: int,
    error: BaseException | None = None,
) -> None:
    """Write how a command ended whose outputs are noted: its exit code, and in the summary the error that ended it."""
    noted = meta.get(_OUTPUTS)
    if noted is None:
        return
    write_outputs(environ, screen, {"exit_code": exit_code, **noted})
    if isinstance(error, ImagebatchError) and environ.get("GITHUB_STEP_SUMMARY"):
        from imagebatch.cli.views.markdown import error_markdown

        write_summary(environ, screen, error_markdown(error.problems))


def write_summary(environ: Mapping[str, str], screen: Screen, text: str) -> None:
    """Append Markdown to the step's summary, where there is one."""
    _append(environ.get("GITHUB_STEP_SUMMARY"), screen.masks.over(text), screen)


def write_outputs(environ: Mapping[str, str], screen: Screen, values: Mapping[str, object]) -> None:
    """Append values to the step's outputs: JSON on one line each, between delimiters that no value can guess."""
    path = environ.get("GITHUB_OUTPUT")
    if not path:
        return
    blocks = []
    for name, value in values.items():
        delimiter = f"imagebatch_{seams.chance.hex(16)}"
        blocks.append(f"{name}<<{delimiter}\n{screen.masks.over(json_text(value))}\n{delimiter}\n")
    _append(path, "".join(blocks), screen)


def _append(path: str | None, text: str, screen: Screen) -> None:
    if not path:
        return
    try:
        with opened(path, APPEND) as handle:
            write_whole(handle, text.encode(errors="backslashreplace"))
    except OSError as error:
        screen.say(f"warning: {path} could not be written: {error.strerror}")
