"""The bar on a terminal."""

import io
from pathlib import Path

from imagebatch.cli.options import Shell
from imagebatch.cli.progress import Bar
from imagebatch.cli.screen import Screen

HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"


def test_the_cursor_stays_while_the_bar_runs_so_that_a_killed_run_takes_it_from_nobody() -> None:
    err = io.StringIO()
    bar = Bar(Shell(screen=Screen(out=io.StringIO(), err=err), environ={}, directory=Path()))
    bar.begin(3)
    try:
        written = err.getvalue()
        assert written.rfind(SHOWN) > written.rfind(HIDDEN)
    finally:
        bar.end()
