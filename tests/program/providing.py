"""Fresh simulators for sweeps, in a few milliseconds each."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.program.simulating import ask, drawings_beside

SIMULATING = Path(__file__).with_name("simulating.py")
LONGEST_S = 60.0


class Providers:
    """Starts simulators, each with a state of its own; may be asked by several threads."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._count = 0
        self._lock = threading.Lock()
        self._jobs, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            words = [sys.executable, "-P", str(SIMULATING), str(theirs.fileno()), str(drawings_beside(scratch))]
            self._process = subprocess.Popen(words, pass_fds=[theirs.fileno()])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._jobs.close()
        self._process.wait(LONGEST_S)

    @contextmanager
    def start(self, data: Path, profile: Path) -> Iterator[str]:
        """A simulator with its state in `data`, killed at the end; gives its origin."""
        data.mkdir(parents=True, exist_ok=True)
        pid, said = self._fork(data, profile)
        try:
            yield f"http://127.0.0.1:{_port(said)}"
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _fork(self, data: Path, profile: Path) -> tuple[int, Path]:
        with self._lock:
            self._count += 1
            said = self._scratch / f"{self._count}.said"
        arguments = ["--data", str(data), "--profile", str(profile), "--quiet"]
        with said.open("wb") as out, Path(os.devnull).open("rb") as nothing:
            return ask(self._jobs, arguments, (nothing.fileno(), out.fileno(), 2), str(data)), said


def _port(said: Path) -> int:
    """The port that a simulator names in its first line."""
    deadline = time.monotonic() + LONGEST_S
    while not (said.exists() and (text := said.read_text(encoding="utf-8")).endswith("\n")):
        assert time.monotonic() < deadline, "the simulator did not come up"
        time.sleep(0.005)
    return int(json.loads(text)["port"])
