"""Homes: the folders that hold a project's state, its own and those of what belongs to it."""

from pathlib import Path

from imagebatch.pipeline.project import RUN_HOME, SIMULATED_HOME
from imagebatch.state.store import FOLDER


def work_of(home: Path) -> Path:
    """The folder with journal, caches and, usually, the store."""
    return home / FOLDER


def homes_of(home: Path) -> tuple[Path, Path]:
    """A home and the one beside it: what `run "PROMPT"` draws in a project is paid from the same purse."""
    return home, beside(home)


def beside(home: Path) -> Path:
    """The home of what `run` draws in the project with this home, and the other way round."""
    root = _root_of(home)
    other = root.parents[1] if is_run_home(home) else root / RUN_HOME
    return other / SIMULATED_HOME if root != home else other


def is_run_home(home: Path) -> bool:
    """Whether this is the home of what `run "PROMPT"` draws in a project."""
    return _root_of(home).parts[-2:] == RUN_HOME.parts


def is_apart(home: Path) -> bool:
    """Whether this is no project's own home: a rehearsal's, or that of what `run "PROMPT"` draws."""
    return _root_of(home) != home or is_run_home(home)


def _root_of(home: Path) -> Path:
    return home.parents[1] if home.parts[-2:] == SIMULATED_HOME.parts else home
