"""Runs of the program for the crash tests: through the fork server, with what each left behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.program.nest import drawings_beside

LAUNCHER = Path(__file__).with_name("launcher.py")
LONGEST_S = 60.0

Place = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How one run of the program ended: its exit code (negative for a signal) and what it said."""

    code: int
    out: str
    err: str


def environment(home: Path, **more: str) -> dict[str, str]:
    """The variables of a run: no key, nothing of the person who runs the tests."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), **more}


class Started:
    """A run that is under way."""

    def __init__(self, server: "Server", pid: int, streams: tuple[Path, Path]) -> None:
        self.pid = pid
        self._server = server
        self._streams = streams

    def wait(self) -> Run:
        """Wait for its end; a run that takes too long is killed, and is a failure of the test."""
        self._server.running = None
        watchdog = threading.Timer(LONGEST_S, os.kill, (self.pid, signal.SIGKILL))
        watchdog.start()
        began = time.monotonic()
        try:
            code = self._server.read("code")
        finally:
            watchdog.cancel()
        assert time.monotonic() - began < LONGEST_S, f"the run hung:\n{self.said()}"
        out, err = (path.read_text(encoding="utf-8", errors="replace") for path in self._streams)
        return Run(code=code, out=out, err=err)

    def signal(self, number: int, *, group: bool = False) -> None:
        """Send a signal to the program; with `group` as a terminal does, to its children too."""
        if group:
            os.killpg(self.pid, number)
        else:
            os.kill(self.pid, number)

    def said(self) -> str:
        """What it printed so far, on both streams."""
        return "".join(path.read_text(encoding="utf-8", errors="replace") for path in self._streams if path.exists())


class Server:
    """One fork server: runs one program at a time."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._count = 0
        self.running: Started | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(LAUNCHER), str(drawings_beside(scratch))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the server."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(LONGEST_S)
        finally:
            self._process.kill()
            if self._process.stdout is not None:
                self._process.stdout.close()

    def start(
        self,
        folder: Path,
        *arguments: str,
        kill: Place | None = None,
        trace: Path | None = None,
        environ: dict[str, str] | None = None,
        by: int = signal.SIGKILL,
        ignore: Sequence[str] = (),
        text: str = "",
    ) -> Started:
        """Start the program in a folder, as the leader of a process group.

        With `kill` it gets the signal `by` just before that effect, with `trace` it lists them; `ignore` names signals
        that are switched off when it begins; `text` is what it may read.
        """
        if self.running is not None:  # a test that failed left it
            with suppress(ProcessLookupError):
                os.kill(self.running.pid, signal.SIGKILL)
            self.running.wait()
        self._count += 1
        streams = (self._scratch / f"{self._count}.out", self._scratch / f"{self._count}.err")
        given = self._scratch / f"{self._count}.in"
        if text:
            given.write_text(text, encoding="utf-8")
        job = {
            "folder": str(folder),
            "arguments": arguments,
            "environ": environ if environ is not None else environment(self._scratch),
            "in": str(given) if text else None,
            "out": str(streams[0]),
            "err": str(streams[1]),
            "kill": kill,
            "by": int(by),
            "ignore": ignore,
            "trace": str(trace) if trace is not None else None,
        }
        if self._process.stdin is None:
            raise AssertionError("the fork server has no input")
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        self.running = Started(self, self.read("pid"), streams)
        return self.running

    def run(
        self,
        folder: Path,
        *arguments: str,
        kill: Place | None = None,
        trace: Path | None = None,
        environ: dict[str, str] | None = None,
        by: int = signal.SIGKILL,
        text: str = "",
    ) -> Run:
        """Run the program in a folder to its end."""
        return self.start(folder, *arguments, kill=kill, trace=trace, environ=environ, by=by, text=text).wait()

    def read(self, word: str) -> int:
        """The next answer of the server."""
        if self._process.stdout is None:
            raise AssertionError("the fork server has no output")
        said, _, number = self._process.stdout.readline().partition(" ")
        assert said == word, f"the fork server said {said!r} instead of {word!r}"
        return int(number)
