"""Processes: this one, others that may still run, children that work for us, and signals."""

import os
import platform
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import IO, Final, Protocol


class ChildGone(Exception):
    """A child has ended, and nothing more comes from it."""


class Child(Protocol):
    """A child that is spoken to in lines."""

    def say(self, line: bytes) -> None:
        """Send a line; one that has died takes it silently."""
        ...

    def line(self, seconds: float, longest: int) -> bytes:
        """The next line that it says. Raises TimeoutError, ChildGone where it ends or a line is too long."""
        ...

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        ...

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        ...

    def kill(self) -> None:
        """Kill it; whoever waits for a line hears that it is gone."""
        ...

    def close(self) -> None:
        """Close its input, which lets it end by itself."""
        ...

    def end(self, patience_s: float) -> None:
        """Close everything; one that has not ended after `patience_s` seconds is killed."""
        ...


class Processes(Protocol):
    """What the program knows of processes and does with them."""

    def pid(self) -> int:
        """This process's number."""
        ...

    def host(self) -> str:
        """This machine's name."""
        ...

    def cores(self) -> int:
        """How many cores there are."""
        ...

    def handles(self) -> int | None:
        """How many files and connections this process may have open, once as many as allowed; None for no limit."""
        ...

    def largest_file(self) -> int | None:
        """How many bytes a file may grow to that this process writes; None for no limit."""
        ...

    def is_alive(self, pid: int) -> bool | None:
        """Whether a process of this host runs; None where the system cannot be asked without harm."""
        ...

    def started(self, pid: int) -> str | None:
        """When a process started, in the system's own count since boot; None where it does not say so cheaply."""
        ...

    def child(self, command: Sequence[str], environ: Mapping[str, str]) -> Child:
        """Start a child of our own that reads and says lines. Raises OSError."""
        ...

    def pipe_child(
        self, command: Sequence[str], environ: Mapping[str, str], cwd: str | None
    ) -> "subprocess.Popen[bytes]":
        """Start a child with plain pipes; what it complains of goes nowhere. Raises OSError."""
        ...

    def ignores(self, number: signal.Signals) -> bool:
        """Whether whoever started this process switched a signal off."""
        ...

    def on_signals(self, numbers: Sequence[signal.Signals], heard: Callable[[signal.Signals], None]) -> None:
        """Call `heard` on the running event loop when one of the signals comes."""
        ...

    def after_signals(self, numbers: Sequence[signal.Signals], late: Callable[[int], None]) -> None:
        """Stop listening on the running event loop; `late` is called for one that still comes."""
        ...

    def say_last(self, text: str) -> None:
        """One line to stderr, past every buffer and lock of the dying process; nothing where it would have to wait."""
        ...

    def leave(self, code: int) -> None:
        """End this process at once, without any clean-up."""
        ...


MOST_HANDLES: Final = 65_536


class PlainProcesses:
    """The operating system's."""

    pid = staticmethod(os.getpid)
    host = staticmethod(platform.node)
    leave = staticmethod(os._exit)

    @staticmethod
    def cores() -> int:
        return os.cpu_count() or 2

    @staticmethod
    def handles() -> int | None:
        try:
            import resource  # there is none on Windows
        except ImportError:
            return None
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = MOST_HANDLES if hard == resource.RLIM_INFINITY else min(hard, MOST_HANDLES)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            with suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
                soft = wanted
        return None if soft == resource.RLIM_INFINITY else soft

    @staticmethod
    def largest_file() -> int | None:
        try:
            import resource  # as above
        except ImportError:
            return None
        soft = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
        return None if soft == resource.RLIM_INFINITY else soft

    @staticmethod
    def is_alive(pid: int) -> bool | None:
        if os.name == "nt":
            return None  # signal 0 would be sent for real there
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        except (OSError, OverflowError):
            return False
        return True

    @staticmethod
    def started(pid: int) -> str | None:
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        fields = text.rpartition(")")[2].split()
        return fields[19] if len(fields) > 19 else None

    @staticmethod
    def child(command: Sequence[str], environ: Mapping[str, str]) -> Child:
        return _LineChild(command, environ)

    @staticmethod
    def pipe_child(command: Sequence[str], environ: Mapping[str, str], cwd: str | None) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603  # our own interpreter and file
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            cwd=cwd,
        )

    @staticmethod
    def ignores(number: signal.Signals) -> bool:
        return signal.getsignal(number) is signal.SIG_IGN

    @staticmethod
    def say_last(text: str) -> None:
        with suppress(OSError, ValueError):
            # The cursor may stand behind a bar or the terminal's own ^C.
            line = f"\r\n{text}\r\n" if os.isatty(2) else f"{text}\n"
            if select.select([], [2], [], 0)[1]:
                os.write(2, line.encode(errors="backslashreplace")[: select.PIPE_BUF])

    @staticmethod
    def on_signals(numbers: Sequence[signal.Signals], heard: Callable[[signal.Signals], None]) -> None:
        import asyncio  # a plan has no use for it, and reading it takes a while

        loop = asyncio.get_running_loop()
        for number in numbers:
            loop.add_signal_handler(number, heard, number)

    @staticmethod
    def after_signals(numbers: Sequence[signal.Signals], late: Callable[[int], None]) -> None:
        import asyncio  # as above

        def leave(number: int, _frame: FrameType | None) -> None:
            late(number)

        loop = asyncio.get_running_loop()
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, leave)


class _LineChild:
    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # our own module, by our own interpreter
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            bufsize=0,
            # A terminal's Ctrl-C goes to a whole group: what was paid for is still to be decoded.
            start_new_session=True,
        )
        self._in, self._out = _pipes(self._process)
        self._ready = select.poll()  # unlike select(), it takes any descriptor: a run may have thousands open
        self._ready.register(self._out, select.POLLIN | select.POLLHUP)

    def say(self, line: bytes) -> None:
        with suppress(OSError):
            self._in.write(line)

    def line(self, seconds: float, longest: int) -> bytes:
        line, until = b"", time.monotonic() + seconds
        while not line.endswith(b"\n"):
            left = until - time.monotonic()
            if left <= 0 or not self._ready.poll(left * 1000):
                raise TimeoutError
            piece = os.read(self._out.fileno(), longest)
            line += piece
            if not piece or len(line) > longest:
                raise ChildGone
        return line

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        with suppress(OSError):
            self._in.close()

    def end(self, patience_s: float) -> None:
        self.close()
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._out.close()


def _pipes(process: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise OSError("a child without pipes")
    return process.stdin, process.stdout
