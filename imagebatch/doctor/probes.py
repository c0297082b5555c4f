"""The doctor's hands: what is tried on the machine itself, past every seam, because that is what is looked at."""

import errno
import os
import platform
import secrets
import shutil
import sqlite3
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imagebatch.effects.files import foreign_encoding
from imagebatch.state.store import FOLDER

_CHILD_S: Final = 30.0

# Exit code 3 where the lock is held by somebody else, 0 where it was got.
_LOCKER: Final = (
    "import sys; from filelock import FileLock, Timeout\n"
    "try: FileLock(sys.argv[1], fallback_to_soft=False).acquire(timeout=0)\n"
    "except Timeout: sys.exit(3)\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What was tried in a folder. Texts say why something does not work, None that it does."""

    locks: str | None = None
    replaces: str | None = None
    syncs: str | None = None
    links: str | None = None
    folds_case: bool = False
    folds_unicode: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str


def interpreter_versions() -> str:
    """Python and what came with it."""
    return f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {ssl.OPENSSL_VERSION}"


def clock_step_s() -> float:
    """How finely the monotonic clock tells."""
    return time.get_clock_info("monotonic").resolution


def mount_table(folder: Path) -> tuple[str, str]:
    """Linux's table of mounts, and the folder's real path; an empty table on other systems."""
    try:
        table = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        table = ""
    return table, folder.resolve().as_posix()


def memory_limit(pid: int) -> int | None:
    """Bytes of memory that the system lets a process have, -1 for no limit; None where it does not tell."""
    if sys.platform != "linux":
        return None
    import resource

    try:
        return resource.prlimit(pid, resource.RLIMIT_AS)[0]
    except OSError:
        return None


def has_git() -> bool:
    """Whether git is installed."""
    return shutil.which("git") is not None


def git(root: Path, *words: str, given: str = "") -> Said:
    """Ask git something that changes nothing; `given` is its standard input."""
    done = subprocess.run(  # noqa: S603 - no shell, fixed words
        ["git", "--no-optional-locks", "-C", str(root), *words],  # noqa: S607 - the user's own git
        input=given,
        env={**os.environ, "LC_ALL": "C"},  # its words are read
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=_CHILD_S,
        check=False,
    )
    return Said(code=done.returncode, out=done.stdout, err=done.stderr)


@contextmanager
def scratch(home: Path) -> Iterator[Path]:
    """A folder in `.imagebatch/` that is gone afterwards, and `.imagebatch/` with it where it was not there.

    Raises OSError where nothing can be written.
    """
    state = home / FOLDER
    made = not state.exists()
    if state.is_symlink() or (state.exists() and not state.is_dir()):
        raise OSError(errno.ENOTDIR, f"{FOLDER} is a link or no folder")
    folder = state / f".doctor-{secrets.token_hex(4)}"
    try:
        state.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if made and state.is_dir() and not any(state.iterdir()):
            state.rmdir()


def tried(folder: Path) -> Abilities:
    """Try out what the state needs, with files in `folder`."""
    return Abilities(
        locks=_tried(lambda: _lock(folder)),
        replaces=_tried(lambda: _replace(folder)),
        syncs=_tried(lambda: _sync(folder)),
        links=_tried(lambda: _link(folder)),
        folds_case=_same_name(folder, "Doctor-Case", "doctor-case"),
        # Where such a name cannot be written, none is used.
        folds_unicode=foreign_encoding() is None and _same_name(folder, "doctor-caf\u00e9", "doctor-cafe\u0301"),
    )


def _tried(attempt: Callable[[], str | None]) -> str | None:
    try:
        return attempt()
    except OSError as error:
        return error.strerror or str(error)
    except NotImplementedError:
        return "it has no locks"


def _lock(folder: Path) -> str | None:
    """Hold a lock here, and let another process ask for it: a lock that does not keep it out is none."""
    from filelock import FileLock

    path = folder / "lock"
    with FileLock(path, is_singleton=False, fallback_to_soft=False):
        held = _ask_for_lock(path)
    freed = _ask_for_lock(path)
    if held == 3 and freed == 0:
        return None
    return "a lock does not keep another process out" if held == 0 else "a lock that was given back stays held"


def _ask_for_lock(path: Path) -> int:
    done = subprocess.run(  # noqa: S603 - our own interpreter, no shell
        [sys.executable, "-c", _LOCKER, str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=_CHILD_S,
        check=False,
    )
    return done.returncode


def _replace(folder: Path) -> str | None:
    old, new = folder / "replaced", folder / "replacing"
    old.write_bytes(b"old")
    new.write_bytes(b"new")
    with old.open("rb") as reader:  # as a program may that reads the lock while we write it
        new.replace(old)
        seen = reader.read()
    if seen != b"old" or old.read_bytes() != b"new":
        return "a file that is replaced is not whole for its readers"
    return None


def _sync(folder: Path) -> str | None:
    with (folder / "synced").open("wb") as file:
        file.write(b"x")
        file.flush()
        os.fsync(file.fileno())
    if os.name == "nt":
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return None


def _link(folder: Path) -> str | None:
    (folder / "linked").write_bytes(b"x")
    (folder / "link").hardlink_to(folder / "linked")
    return None


def _same_name(folder: Path, one: str, other: str) -> bool:
    try:
        (folder / one).touch()
        return (folder / other).exists()
    except OSError:
        return False
