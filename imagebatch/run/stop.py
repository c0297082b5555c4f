"""Stopping: once means collect and save, twice means leave at once."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from imagebatch.effects import seams
from imagebatch.errors import EXIT_INTERRUPTED, EXIT_TERMINATED

# Together with saving at most five seconds: providers are asked for so long, and then what is on its way may arrive.
COLLECT_S = 3.0
DRAIN_S = 4.0
LAST_WORD = "left at once; every id that a provider gave is in the journal; to go on: imagebatch apply"


class Stop:
    """Whether the run has been asked to end, and by which exit code."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self.exit_code: int | None = None

    @property
    def asked(self) -> bool:
        """True once nothing new may be sent."""
        return self._asked.is_set()

    def ask(self, exit_code: int) -> None:
        """Ask for the end; the first reason given stands."""
        if self.exit_code is None:
            self.exit_code = exit_code
        self._asked.set()

    async def wait(self) -> None:
        """Wait until somebody asks for the end."""
        await self._asked.wait()


@contextmanager
def on_signals(stop: Stop, tell: Callable[[str], None], last_word: str = LAST_WORD) -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into `stop`, but for those that are ignored; a second ends the process at once.

    One that comes while the run saves what it learnt lets it finish, and counts as the first. Leaving at once is safe:
    every id that we were told is durable in the journal before anything else is done with it. `last_word` is what is
    said then.
    """
    codes = {signal.SIGINT: EXIT_INTERRUPTED, signal.SIGTERM: EXIT_TERMINATED, signal.SIGHUP: EXIT_INTERRUPTED}
    # What the caller switched off stays off: `nohup` is there to outlive a terminal.
    codes = {number: code for number, code in codes.items() if not seams.processes.ignores(number)}

    def leave(number: int) -> None:
        seams.processes.say_last(last_word)
        seams.processes.leave(EXIT_TERMINATED if number == signal.SIGTERM else EXIT_INTERRUPTED)

    def asked(number: signal.Signals) -> None:
        if stop.asked:
            leave(number)
        stop.ask(codes[number])
        tell("stopping: nothing new is sent, what runs is collected for up to 5 s; once more to leave at once")

    def late(number: int) -> None:
        if stop.asked:
            leave(number)
        stop.ask(codes[signal.Signals(number)])  # in silence: it may come in the middle of a line

    seams.processes.on_signals(tuple(codes), asked)
    try:
        yield
    finally:
        # Between the loop's end and the process's end a late signal must not print a traceback.
        seams.processes.after_signals(tuple(codes), late)
