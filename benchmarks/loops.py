"""What the loops beside the program share: what they ask for, and how one of them is run and reported."""

import asyncio
import json
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

DONE = 3

Run = Callable[[str, int, int, Path], Coroutine[Any, Any, Counter[str]]]
"""All generations of a loop: (base, count, concurrency, folder) to the requests that it took, by kind."""


def create_body(number: int, tag: str) -> dict[str, object]:
    """The All-Images.ai create of one generation."""
    return {
        "name": f"product {number}",
        "mode": "simple",
        "prompt": f"Product photograph, calm light, number {number:06d}",
        "params": [{"name": "format", "value": "3:2"}, {"name": "weather", "value": "sunny"}],
        "tags": [tag],
    }


def measured(run: Run) -> None:
    """Run a loop as the arguments `REPORT CORE BASE COUNT CONCURRENCY FOLDER` say, and write its report as JSON."""
    report, core, base, count, concurrency, folder = sys.argv[1:]
    if int(core) >= 0:
        os.sched_setaffinity(0, {int(core)})
    began = time.monotonic()
    requests = asyncio.run(run(base, int(count), int(concurrency), Path(folder)))
    own = resource.getrusage(resource.RUSAGE_SELF)
    facts = {"wall_s": time.monotonic() - began, "own_cpu_s": own.ru_utime + own.ru_stime, "requests": dict(requests)}
    Path(report).write_text(json.dumps(facts), encoding="utf-8")
