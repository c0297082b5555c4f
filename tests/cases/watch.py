"""What the program did to the world beside its files: hosts it turned to, ports it opened, files it opened.

An audit hook cannot be taken away again, so it is set once and looks only while a `Watch` is on.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


@dataclass(slots=True)
class Watch:
    """What was seen while it was on."""

    hosts: set[str] = field(default_factory=set)
    listened: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    opened: set[str] = field(default_factory=set)

    def foreign_hosts(self) -> set[str]:
        """Hosts other than this machine that were looked up or connected to."""
        return {host for host in self.hosts if host not in {"127.0.0.1", "::1", "localhost", ""}}

    def written_outside(self, *allowed: Path) -> set[str]:
        """Files opened for writing that lie in none of the folders; bytecode and the null device do not count.

        Names relative to an open folder are how the program walks without following links; they stay below it unless
        they hold `..`.
        """
        homes = [one.resolve() for one in allowed]
        found = set()
        for name in self.written:
            path = Path(name)
            if name == os.devnull or path.suffix == ".pyc" or "__pycache__" in path.parts:
                continue
            if not path.is_absolute() and ".." not in path.parts:
                continue
            if not any(path.parent.resolve().is_relative_to(home) for home in homes):
                found.add(name)
        return found


_on: Watch | None = None
_set = False


def _hook(event: str, given: tuple[Any, ...]) -> None:
    watch = _on
    if watch is None:
        return
    if event == "socket.connect" and isinstance(given[1], tuple):
        watch.hosts.add(str(given[1][0]))
    elif event == "socket.getaddrinfo":
        watch.hosts.add(str(given[0] or ""))
    elif event == "socket.bind" and isinstance(given[1], tuple):
        watch.listened.add(str(given[1]))
    elif event == "open" and isinstance(given[0], str | bytes):
        (watch.written if given[2] & _WRITING else watch.opened).add(os.fsdecode(given[0]))


@contextmanager
def watching() -> Iterator[Watch]:
    """Watch this process."""
    global _on, _set  # noqa: PLW0603 - there is one audit hook for a process
    if not _set:
        sys.addaudithook(_hook)
        _set = True
    _on = watch = Watch()
    try:
        yield watch
    finally:
        _on = None
