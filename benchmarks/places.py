"""Which core is whose, and simulators that stay on theirs."""

import json
import os
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from imagebatch.simulator.process import SimulatorProcess, start


def cores() -> tuple[int, int]:
    """The core of the other side (simulator, server) and ours; -1 twice where there are not two."""
    found = sorted(os.sched_getaffinity(0))
    return (found[0], found[1]) if len(found) > 1 else (-1, -1)


def pin(pid: int, core: int) -> None:
    """Keep a process with all its threads on one core; those that it starts later inherit that."""
    if core < 0:
        return
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


@contextmanager
def simulator(place: Path, settings: str = "", *, base: str = "bench") -> Iterator[SimulatorProcess]:
    """A simulator of the profile `base` on its core; `settings` is YAML that is laid over the profile."""
    place.mkdir(parents=True, exist_ok=True)
    profile = place / "profile.yaml"
    profile.write_text(f"extends: {base}\n{settings}", encoding="utf-8")
    with start(place / "data", profile) as running:
        pin(running.pid, cores()[0])
        yield running


def requests_at(running: SimulatorProcess) -> Mapping[str, Any]:
    """The simulator's own count of what it was asked and what it answered."""
    with urllib.request.urlopen(f"{running.origin}/_simulator/requests", timeout=10) as answer:  # noqa: S310 - loopback
        counts: Mapping[str, Any] = json.load(answer)
    return counts
