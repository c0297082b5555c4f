"""The one place that says which implementation of each seam is in use."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from imagebatch.effects.chance import Chance, PlainChance
from imagebatch.effects.clock import Clock, PlainClock
from imagebatch.effects.databases import Databases, PlainDatabases
from imagebatch.effects.disk import Disk, PlainDisk
from imagebatch.effects.git import Git, PlainGit
from imagebatch.effects.processes import PlainProcesses, Processes
from imagebatch.effects.threads import PlainThreads, Threads


class Seams:
    """What stands between the program and the world; the plain ones at start."""

    __slots__ = ("chance", "clock", "databases", "disk", "git", "network", "processes", "threads")

    def __init__(self) -> None:
        self.disk: Disk = PlainDisk()
        self.databases: Databases = PlainDatabases()
        self.clock: Clock = PlainClock()
        self.chance: Chance = PlainChance()
        self.threads: Threads = PlainThreads()
        self.processes: Processes = PlainProcesses()
        self.git: Callable[[Path, str, Mapping[str, str]], Git] = PlainGit
        """A repository's remote, by the repository's folder, the remote's name and the environment."""
        self.network: Any = None
        """A `http.network.Network`; None for the plain one, which only `http/` may know."""


seams = Seams()
