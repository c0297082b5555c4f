"""Fresh simulators for sweeps, in a few milliseconds each."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.program.nest import Forked, begin, drawings_beside

LONGEST_S = 60.0


class Providers:
    """Starts simulators, each with a state of its own; may be asked by several threads."""

    def __init__(self, scratch: Path) -> None:
        self._jobs, self._pid = begin("simulator", drawings_beside(scratch))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._jobs.close()
        os.waitpid(self._pid, 0)

    @contextmanager
    def start(self, data: Path, profile: Path) -> Iterator[str]:
        """A simulator with its state in `data`, killed at the end; gives its origin."""
        data.mkdir(parents=True, exist_ok=True)
        words = ["--data", str(data), "--profile", str(profile), "--quiet", "--until-stdin-closes"]
        one = Forked(self._jobs.fileno(), words, error=2, own_session=True)
        with one.stdin, one.stdout:
            try:
                yield f"http://127.0.0.1:{json.loads(one.stdout.readline())['port']}"
            finally:
                one.kill()
                one.wait(LONGEST_S)
