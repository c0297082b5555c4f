"""Streams that were closed before we started (`>&-`): Python has None for them, and the next file gets their number."""

import io
import os
import sys

from imagebatch.errors import EXIT_ERROR, EXIT_OK


class Nowhere(io.TextIOWrapper):
    """Stands in for a stream that was closed; `lost` tells whether anything was to be written to it."""

    lost = False

    def write(self, text: str, /) -> int:
        """Keep nothing."""
        self.lost = self.lost or bool(text)
        return len(text)


def fill_closed() -> None:
    """Put something harmless in the place of closed streams, before any file of ours could get their descriptors.

    A journal with the number of stderr would be written into by whatever complains there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free, which is this one; a child of ours has it too.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003  # takes no keyword
    if sys.stdout is None:
        sys.stdout = Nowhere(io.BytesIO(), encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = Nowhere(io.BytesIO(), encoding="utf-8")


def with_closed(code: int) -> int:
    """The exit code of a command, told where what it printed went nowhere.

    Where nobody can be told why, a command that did what it had to has not failed.
    """
    if not isinstance(sys.stdout, Nowhere) or not sys.stdout.lost or isinstance(sys.stderr, Nowhere):
        return code
    try:
        sys.stderr.write(f"{lost_output('it is closed', code)}\n")
    except (OSError, ValueError):
        return code
    return EXIT_ERROR if code == EXIT_OK else code


def lost_output(why: str, code: int) -> str:
    """What is said of output that could not be written; `code` is how the command itself ended."""
    done = "; everything else was done" if code == EXIT_OK else ""
    return f"error: standard output could not be written: {why}{done}"
