"""What GitHub Actions reads from a step: its summary and its outputs. Trouble here never fails a command."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from imagebatch.cli.screen import Screen
from imagebatch.cli.views.foreign import json_text


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
        delimiter = f"imagebatch_{secrets.token_hex(16)}"
        blocks.append(f"{name}<<{delimiter}\n{screen.masks.over(json_text(value))}\n{delimiter}\n")
    _append(path, "".join(blocks), screen)


def _append(path: str | None, text: str, screen: Screen) -> None:
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as error:
        screen.say(f"warning: {path} could not be written: {error.strerror}")
