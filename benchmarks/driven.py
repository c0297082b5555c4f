"""The program in one process with a watch on it: `driven.py REPORT CORE ARGUMENT…`.

Runs `imagebatch ARGUMENT…` as its console script would, on one core (-1: any), and writes REPORT as JSON: the CPU of
the process itself and of the children that decode pictures, apart; how late the event loop was, every time a timer of
five milliseconds was due; peak memory. The program is not changed: the watch is one more task on its loop. With
`DRIVEN_TICKS=0` in the environment there is no timer, so that its own CPU is not counted as the program's.
"""

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

TICK_S = 0.005
TICKS = os.environ.get("DRIVEN_TICKS") != "0"


class Watch:
    """Notes when the loop came round, and how late."""

    def __init__(self) -> None:
        self.late: list[tuple[float, float]] = []
        self.loop_s = 0.0
        self.before_cpu_s = 0.0

    async def beside(self, main: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - whatever the program's coroutine gives
        """Run `main` with the watch beside it."""
        task = asyncio.create_task(self._tick() if TICKS else asyncio.sleep(0))
        began = time.monotonic()
        self.before_cpu_s = self.before_cpu_s or time.process_time()
        try:
            return await main
        finally:
            self.loop_s = max(self.loop_s, time.monotonic() - began)
            task.cancel()

    async def _tick(self) -> None:
        while True:
            due = time.monotonic() + TICK_S
            await asyncio.sleep(TICK_S)
            self.late.append((due, max(0.0, time.monotonic() - due)))


def main(report: Path, core: int, arguments: list[str]) -> int:
    """Run, and write the report."""
    if core >= 0:
        os.sched_setaffinity(0, {core})
    watch = Watch()
    run = asyncio.run

    def watched(coroutine: Coroutine[Any, Any, Any], **options: Any) -> Any:  # noqa: ANN401 - as asyncio.run
        return run(watch.beside(coroutine), **options)

    asyncio.run = watched  # type: ignore[assignment]  # the program calls it by this name
    from imagebatch.cli.main import main as program

    began = time.monotonic()
    code = program(arguments)
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    facts = {
        "code": code,
        "began": began,
        "wall_s": time.monotonic() - began,
        "loop_s": watch.loop_s,
        "before_cpu_s": watch.before_cpu_s,
        "own_cpu_s": own.ru_utime + own.ru_stime,
        "children_cpu_s": children.ru_utime + children.ru_stime,
        "own_peak_mib": own.ru_maxrss / 1024,
        "late": watch.late,
        "written_bytes": _written(),
    }
    report.write_text(json.dumps(facts), encoding="utf-8")
    return code


def _written() -> int:
    """Bytes that this process handed to write(), of any kind; -1 where the system does not tell."""
    try:
        lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    except OSError:
        return -1
    return next((int(line.split()[1]) for line in lines if line.startswith("wchar:")), -1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
