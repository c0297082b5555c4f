"""Findings of a check as lines and as JSON."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from imagebatch.cli.screen import Paint
from imagebatch.cli.views.foreign import shown, without_absent

if TYPE_CHECKING:
    from imagebatch.pipeline.doctor import Finding

_COLOURS = {"ok": "green", "look": "yellow", "bad": "red"}


def finding_lines(one: "Finding", paint: Paint, here: Callable[[str], str]) -> Iterator[str]:
    """State and text, and the next step on a line of its own; `here` makes commands work when they are copied."""
    yield f"{paint(one.state.ljust(5), _COLOURS[one.state])} {shown(one.text, 2000)}"
    if one.hint:
        yield f"      next: {shown(here(one.hint), 2000)}"


def finding_object(one: "Finding", here: Callable[[str], str]) -> dict[str, object]:
    """The same for programs."""
    return without_absent({"check": one.check, "state": one.state, "text": one.text, "hint": here(one.hint or "")})
