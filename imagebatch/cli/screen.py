"""The two streams: data to stdout, everything else to stderr; keys masked, colours where they are wanted.

A closed pipe never stops or fails a command: what cannot be shown is dropped, what was paid for is kept.
"""

import contextlib
import io
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TextIO

from imagebatch.cli.copied import from_here
from imagebatch.cli.masking import Masks
from imagebatch.cli.views.foreign import without_log_command

ColorChoice = Literal["auto", "always", "never"]

_SGR_CODE = re.compile("\x1b\\[[0-9;]*m")
_SGR = {
    "bold": "1", "dim": "2", "italic": "3", "underline": "4",
    "red": "31", "green": "32", "yellow": "33", "blue": "34", "magenta": "35", "cyan": "36",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Paint:
    """Puts colours around text, or leaves it as it is."""

    on: bool = False

    def __call__(self, text: str, *styles: str) -> str:
        if not self.on or not styles or not text:
            return text
        return f"\x1b[{';'.join(_SGR[style] for style in styles)}m{text}\x1b[0m"


def wants_color(choice: ColorChoice, environ: Mapping[str, str], *, terminal: bool) -> bool:
    """Whether a stream gets colours: the flag, then NO_COLOR, then FORCE_COLOR, then TERM=dumb, then the terminal."""
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE"):
        if environ.get(name, "0") not in {"", "0"}:
            return True
    return terminal and environ.get("TERM") != "dumb"


@dataclass(slots=True, kw_only=True)
class Screen:
    """Where a command writes to. `quiet` silences everything on stderr but errors; the columns are those of
    terminals, None elsewhere. `directory` is what `-C` said, None where it was not given."""

    out: TextIO
    err: TextIO
    out_paint: Paint = field(default_factory=Paint)
    err_paint: Paint = field(default_factory=Paint)
    quiet: bool = False
    masks: Masks = field(default_factory=Masks)
    lost: OSError | None = None
    columns: int | None = None
    err_columns: int | None = None
    directory: str | None = None

    @classmethod
    def open(
        cls, *, color: ColorChoice, quiet: bool, environ: Mapping[str, str], directory: str | None = None
    ) -> "Screen":
        """The process's own streams."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # A letter that the terminal's encoding lacks is escaped; it must not end the command.
                stream.reconfigure(errors="backslashreplace")
        return cls(
            out=sys.stdout,
            err=sys.stderr,
            out_paint=Paint(on=wants_color(color, environ, terminal=is_terminal(sys.stdout))),
            err_paint=Paint(on=wants_color(color, environ, terminal=is_terminal(sys.stderr))),
            quiet=quiet,
            masks=Masks.of_variables((), environ),
            columns=width(environ, sys.stdout) if is_terminal(sys.stdout) else None,
            err_columns=width(environ, sys.stderr) if is_terminal(sys.stderr) else None,
            directory=directory,
        )

    def from_here(self, text: str) -> str:
        """A message whose commands work when they are copied: with the `-C` that this program was started with."""
        return from_here(text, self.directory)

    def data(self, text: str) -> None:
        """Print what the command was asked for, to stdout."""
        self._write(self.out, text)

    def lines(self, lines: Iterable[str], *, verbatim: bool = False) -> None:
        """Print lines of data; on a terminal long ones are broken between words, else a line stays a line.

        `verbatim` tells that they quote what others wrote (prompts), whose words are not taken for our commands.
        """
        lines = list(lines)
        if lines and not verbatim and self.directory is not None:
            lines = self.from_here("\n".join(lines)).split("\n")  # whole: a command may be broken over two
        if self.columns is not None:
            lines = [part for line in lines for part in broken(line, self.columns)]
        self._write(self.out, "".join(f"{line}\n" for line in lines))

    def json_line(self, text: str) -> None:
        """Print one JSON text, at once: whoever reads the stream acts on it."""
        self._raw(self.out, self.masks.over(text) + "\n")

    def say(self, text: str) -> None:
        """Tell something in passing, on stderr."""
        if not self.quiet:
            self.error(text)

    def error(self, text: str) -> None:
        """Tell what went wrong, on stderr, `-q` or not."""
        lines = self.from_here(text).split("\n")
        if self.err_columns is not None:
            lines = [part for line in lines for part in broken(line, self.err_columns)]
        self._write(self.err, "".join(f"{line}\n" for line in lines))

    def _write(self, stream: TextIO, text: str) -> None:
        safe = "".join(without_log_command(line) for line in self.masks.over(text).splitlines(keepends=True))
        self._raw(stream, safe)

    def _raw(self, stream: TextIO, text: str) -> None:
        try:
            stream.write(text)
            stream.flush()
        except BrokenPipeError:
            _silence(stream)
        except OSError as error:
            self.lost = error if stream is self.out else self.lost
            _silence(stream)
        except ValueError:
            # The stream was closed before we started (`>&-`).
            return


def broken(line: str, columns: int) -> list[str]:
    """A line in parts of at most `columns` visible characters, broken at blanks, each with the line's indent."""
    if len(line) <= columns or len(_SGR_CODE.sub("", line)) <= columns:
        return [line]
    indent = line[: len(line) - len(line.lstrip(" "))]
    parts, used = [indent], len(indent)
    for index, word in enumerate(line[len(indent) :].split(" ")):
        size = len(_SGR_CODE.sub("", word))
        if index and used + 1 + size > columns and used > len(indent):
            parts.append(indent + word)
            used = len(indent) + size
        else:
            parts[-1] += word if not index else f" {word}"
            used += size + bool(index)
    return parts


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person sits at the other end."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def width(environ: Mapping[str, str], stream: TextIO) -> int:
    """Columns of the terminal: COLUMNS, else what the terminal says, else 80; at least 40, at most 120."""
    columns = 80
    if environ.get("COLUMNS", "").isdecimal():
        columns = int(environ["COLUMNS"])
    elif is_terminal(stream):
        with contextlib.suppress(OSError, ValueError):
            columns = os.get_terminal_size(stream.fileno()).columns
    return max(40, min(columns or 80, 120))


def _silence(stream: TextIO) -> None:
    # What is still buffered would raise again when the interpreter flushes at its end.
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
