"""Fresh simulators for sweeps, in a few milliseconds each."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

SIMULATING = Path(__file__).with_name("simulating.py")
LONGEST_S = 60.0


class Providers:
    """Starts simulators, each with a state of its own; may be asked by several threads."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._count = 0
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(SIMULATING)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._process.communicate(timeout=LONGEST_S)

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
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answers is not None
        with self._lock:
            self._count += 1
            said = self._scratch / f"{self._count}.said"
            asked.write(json.dumps({"data": str(data), "profile": str(profile), "said": str(said)}) + "\n")
            asked.flush()
            word, _, number = answers.readline().partition(" ")
        assert word == "pid", f"the server of simulators said {word!r}"
        return int(number), said


def _port(said: Path) -> int:
    """The port that a simulator names in its first line."""
    deadline = time.monotonic() + LONGEST_S
    while not (said.exists() and (text := said.read_text(encoding="utf-8")).endswith("\n")):
        assert time.monotonic() < deadline, "the simulator did not come up"
        time.sleep(0.005)
    return int(json.loads(text)["port"])
