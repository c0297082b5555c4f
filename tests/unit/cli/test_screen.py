"""Colours and streams."""

import errno
import io
from collections.abc import Mapping

import pytest

from imagebatch.cli.screen import ColorChoice, Paint, Screen, wants_color, width


@pytest.mark.parametrize(
    ("choice", "environ", "terminal", "expected"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": "0"}, False, False),
        ("auto", {"CLICOLOR_FORCE": "1"}, False, True),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ("auto", {"FORCE_COLOR": "1", "TERM": "dumb"}, False, True),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colours_follow_flag_then_variables_then_terminal(
    choice: ColorChoice, environ: Mapping[str, str], terminal: bool, expected: bool
) -> None:
    assert wants_color(choice, environ, terminal=terminal) is expected


def test_paint_that_is_off_changes_nothing() -> None:
    assert Paint(on=False)("x", "red", "bold") == "x"
    assert Paint(on=True)("x", "red", "bold") == "\x1b[31;1mx\x1b[0m"


@pytest.mark.parametrize(("columns", "expected"), [("", 80), ("100", 100), ("10", 40), ("500", 120), ("wide", 80)])
def test_width_is_bounded(columns: str, expected: int) -> None:
    assert width({"COLUMNS": columns}, io.StringIO()) == expected


class Failing(io.StringIO):
    """A stream that cannot be written."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self._error = error

    def write(self, _text: str) -> int:
        """Fail."""
        raise self._error


def test_a_closed_pipe_is_nobodys_error() -> None:
    screen = Screen(out=Failing(BrokenPipeError()), err=io.StringIO())
    screen.data("x\n")
    assert screen.lost is None


def test_a_full_disk_behind_stdout_is_remembered() -> None:
    screen = Screen(out=Failing(OSError(errno.ENOSPC, "No space left on device")), err=io.StringIO())
    screen.data("x\n")
    assert screen.lost is not None


def test_quiet_silences_messages_but_not_errors_and_data() -> None:
    out, err = io.StringIO(), io.StringIO()
    screen = Screen(out=out, err=err, quiet=True)
    screen.say("in passing")
    screen.error("error")
    screen.data("data\n")
    assert (out.getvalue(), err.getvalue()) == ("data\n", "error\n")


def test_a_text_of_several_lines_keeps_them_on_a_terminal() -> None:
    err = io.StringIO()
    help_text = "Usage: imagebatch\n\n  --json   Output.\n  --quiet  " + "Only data. " * 3
    Screen(out=io.StringIO(), err=err, err_columns=40).error(help_text)
    shown = "Usage: imagebatch\n\n  --json   Output.\n  --quiet  Only data. Only data. Only\n  data. \n"
    assert err.getvalue() == shown
