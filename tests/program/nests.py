"""Has the program's children, and its simulator, forked from nests instead of started by commands of their own."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from imagebatch.effects import processes
from imagebatch.manifest import templating
from imagebatch.outputs import workers
from imagebatch.simulator import process
from tests.program.nest import Forked, Kind, begin

_COMMANDS: Final[Mapping[tuple[str, ...], Kind]] = {
    ("-m", "imagebatch.simulator"): "simulator",
    templating.CHILD[1:]: "render",
    workers.DECODER[1:]: "decode",
}
_STARTERS: Final = (process, processes)


class Nests:
    """Starts the program's children, and its simulator, as forks of what has been imported already."""

    def __init__(self, drawings: Path) -> None:
        begun = {kind: begin(kind, drawings) for kind in _COMMANDS.values()}
        # Only their descriptors are kept: a run that ends with warnings says that it left no socket open.
        self._nests = {kind: jobs.detach() for kind, (jobs, _) in begun.items()}
        self._pids = [pid for _, pid in begun.values()]

    def install(self) -> None:
        """Have the modules that start them start forks."""
        made = {name: getattr(subprocess, name) for name in ("PIPE", "DEVNULL", "TimeoutExpired")}
        for module in _STARTERS:
            vars(module)["subprocess"] = SimpleNamespace(Popen=self._start, **made)

    def close(self) -> None:
        """End the nests; only where none of their forks' starters is left."""
        for descriptor in self._nests.values():
            os.close(descriptor)
        for pid in self._pids:
            os.waitpid(pid, 0)

    @staticmethod
    def remove() -> None:
        """Have them start commands again."""
        for module in _STARTERS:
            vars(module)["subprocess"] = subprocess

    def _start(self, command: Sequence[str], **given: Any) -> Any:
        start = next((start for start in _COMMANDS if tuple(command[1 : 1 + len(start)]) == start), None)
        if start is None:
            return subprocess.Popen(command, **given)
        error = given["stderr"]
        with Path(os.devnull).open("wb") as nowhere:
            return Forked(
                self._nests[_COMMANDS[start]],
                command[1 + len(start) :],
                error=nowhere.fileno() if error == subprocess.DEVNULL else error.fileno(),
                own_session=given.get("start_new_session", False),
            )
