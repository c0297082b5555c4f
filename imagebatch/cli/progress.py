"""Progress on stderr: a bar on a terminal, a line each 30 s elsewhere, nothing where it was not wanted."""

from collections.abc import Callable
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from imagebatch.cli.options import Shell
from imagebatch.cli.screen import Screen, is_terminal, width
from imagebatch.cli.views.tally import Tally, active_rows, bar_text, counts_text, progress_line
from imagebatch.effects import seams
from imagebatch.effects.threads import Repeating

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.live import Live

    from imagebatch.model.event import Event, Told

LINE_EVERY_S = 30.0
FRAMES_PER_S = 4


class Progress(Protocol):
    """Shows how far a run is."""

    def begin(self, total: int) -> None:
        """The run starts with so many changes."""
        ...

    def tell(self, event: "Event | Told") -> None:
        """Something happened."""
        ...

    def end(self) -> None:
        """The run is over; safe to call twice."""
        ...


def open_progress(shell: Shell) -> "Watched":
    """The progress that fits this shell."""
    if shell.screen.quiet or shell.no_progress or shell.json:
        return Watched(Messages(shell.screen) if not shell.json else Silent())
    if is_terminal(shell.screen.err) and shell.environ.get("TERM") != "dumb":
        return Watched(Bar(shell))
    return Watched(Lines(shell.screen))


class Watched:
    """A progress that ends with the block it is used in."""

    def __init__(self, inner: Progress) -> None:
        self.inner = inner

    def __enter__(self) -> Progress:
        return self.inner

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.inner.end()


class Silent:
    """No progress at all."""

    def begin(self, total: int) -> None:
        """Nothing."""

    def tell(self, event: "Event | Told") -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


class Messages:
    """No progress, but the messages that a person has to read."""

    def __init__(self, screen: Screen, clock: Callable[[], float] | None = None) -> None:
        self._screen = screen
        self._clock = clock or seams.clock.monotonic
        self._lock = Lock()
        self._tally = Tally(total=0, started_at=self._clock())

    def begin(self, total: int) -> None:
        """Start counting."""
        self._tally = Tally(total=total, started_at=self._clock())

    def tell(self, event: "Event | Told") -> None:
        """Count, and print what has to be read now."""
        with self._lock:
            message = self._tally.take(event, self._clock())
        if message is not None:
            self._screen.say(message)

    def end(self) -> None:
        """Nothing is left to do."""


class Lines(Messages):
    """One line each 30 s, from a thread of its own: the run may wait long without an event."""

    def __init__(self, screen: Screen, every_s: float = LINE_EVERY_S, clock: Callable[[], float] | None = None) -> None:
        super().__init__(screen, clock)
        self._every_s = every_s
        self._thread: Repeating | None = None

    def begin(self, total: int) -> None:
        """Start the clock."""
        super().begin(total)
        if self._thread is None:
            self._thread = seams.threads.repeating(self._say, self._every_s, name="progress")

    def end(self) -> None:
        """Stop the clock."""
        if self._thread is not None:
            self._thread.end()

    def _say(self) -> None:
        with self._lock:
            text = progress_line(self._tally, self._clock())
        self._screen.say(text)


class Bar:
    """One bar over everything and at most eight rows, four times a second, on stderr."""

    def __init__(self, shell: Shell, clock: Callable[[], float] | None = None) -> None:
        self._shell = shell
        self._clock = clock or seams.clock.monotonic
        self._lock = Lock()
        self._tally = Tally(total=0, started_at=self._clock())
        self._live: Live | None = None

    def begin(self, total: int) -> None:
        """Show the bar."""
        from rich.live import Live

        self._tally = Tally(total=total, started_at=self._clock())
        if self._live is None and total:
            self._live = Live(
                get_renderable=self._frame, console=self._console(), refresh_per_second=FRAMES_PER_S, transient=True,
                redirect_stdout=False, redirect_stderr=False,
            )  # fmt: skip
            self._live.start()
            # rich hides the cursor; whoever kills the run, or interrupts it twice, would be left without one.
            self._live.console.show_cursor()

    def tell(self, event: "Event | Told") -> None:
        """Count; what has to be read now is printed above the bar."""
        with self._lock:
            message = self._tally.take(event, self._clock())
        if message is None:
            return
        if self._live is None:
            self._shell.screen.say(message)
            return
        from rich.text import Text

        self._live.console.print(Text(self._shell.screen.masks.over(self._shell.screen.from_here(message))))

    def end(self) -> None:
        """Take the bar away."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _console(self) -> "Console":
        from rich.console import Console

        colored = self._shell.screen.err_paint.on
        return Console(file=self._shell.screen.err, force_terminal=True, no_color=not colored, highlight=False)

    def _frame(self) -> "Group":
        from rich.console import Group
        from rich.text import Text

        columns = width(self._shell.environ, self._shell.screen.err)
        now = self._clock()
        with self._lock:
            rows = active_rows(self._tally, now, columns)
            done, left = bar_text(self._tally.done, self._tally.total, max(columns - 50, 10))
            counts = counts_text(self._tally)
            seconds = now - self._tally.started_at
        head = Text.assemble((done, "green"), (left, "bright_black"), f" {counts}  {seconds:.0f} s")
        head.truncate(columns)
        masked = self._shell.screen.masks.over
        return Group(head, *(Text(masked(row), style="dim", no_wrap=True) for row in rows))
