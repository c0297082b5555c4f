"""What the file system below `.imagebatch/` can do: what the state's promises rest on, tried with files of our own."""

import errno
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from imagebatch.doctor.mounts import mount_of
from imagebatch.outputs.room import MIB, Room, free_bytes, on_each_disk
from imagebatch.pipeline.doctor import Finding
from imagebatch.pipeline.project import Project
from imagebatch.state.lease import OWNER_NAME, read_owner, running_owner
from imagebatch.state.store import FOLDER

Kept = Literal["disk", "memory", "network", "container"]
_KINDS: Final[dict[str, Kept]] = {
    "tmpfs": "memory", "ramfs": "memory", "hugetlbfs": "memory",
    "nfs": "network", "nfs4": "network", "cifs": "network", "smb3": "network", "smbfs": "network", "9p": "network",
    "ceph": "network", "glusterfs": "network", "afs": "network", "fuse.sshfs": "network", "fuse.s3fs": "network",
    "overlay": "container", "aufs": "container",
}  # fmt: skip
_CHILD_S: Final = 30.0
_USUAL_IN_FLIGHT: Final = 8
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


def findings(home: Path, project: Project | None, folder: Path) -> Iterator[Finding]:
    """Everything about the disk; `folder` is a scratch folder on it."""
    yield from judge_abilities(tried(folder))
    kind, where = mount_of(folder)
    yield judge_kind(kind, where)
    yield _room(home, project)


def lease(home: Path) -> Finding:
    """Who holds the project."""
    state = home / FOLDER
    owner = running_owner(state)
    if owner is not None:
        hint = f"wait for it; if it certainly does not run any more: imagebatch lock release {owner.id}"
        return Finding(check="lease", state="look", text=f"lease: held by {owner}", hint=hint)
    left = read_owner(state)
    if left is not None:
        text = f"lease: free; {left} ended without giving it back, and the next apply takes it over"
        return Finding(check="lease", state="ok", text=text)
    if (state / OWNER_NAME).exists():
        text = f"lease: {OWNER_NAME} cannot be read; the system's own lock decides"
        return Finding(check="lease", state="look", text=text, hint="imagebatch lock release")
    return Finding(check="lease", state="ok", text="lease: free")


def tried(folder: Path) -> Abilities:
    """Try out what the state needs, with files in `folder`."""
    return Abilities(
        locks=_tried(lambda: _lock(folder)),
        replaces=_tried(lambda: _replace(folder)),
        syncs=_tried(lambda: _sync(folder)),
        links=_tried(lambda: _link(folder)),
        folds_case=_same_name(folder, "Doctor-Case", "doctor-case"),
        folds_unicode=_same_name(folder, "doctor-caf\u00e9", "doctor-cafe\u0301"),
    )


def judge_abilities(found: Abilities) -> Iterator[Finding]:
    """What the abilities mean; pure."""
    elsewhere = "work in a checkout on a local disk"
    parts: tuple[tuple[str, str | None, str, str], ...] = (
        ("disk.lock", found.locks, "locks hold between processes", "two runs at once could pay twice"),
        ("disk.replace", found.replaces, "a file is replaced at once", "a crash could leave half a lock file"),
        ("disk.sync", found.syncs, "files and folders are synced", "a power cut could forget what was paid"),
    )
    for check, why, good, danger in parts:
        if why is None:
            yield Finding(check=check, state="ok", text=f"disk: {good}")
        else:
            yield Finding(check=check, state="bad", text=f"disk: {why}; {danger}", hint=elsewhere)
    if found.links is not None:
        text = f"disk: no hard links ({found.links}); pictures are copied instead, which takes room twice"
        yield Finding(check="disk.link", state="look", text=text)
    else:
        yield Finding(check="disk.link", state="ok", text="disk: hard links")
    if found.folds_case or found.folds_unicode:
        what = " and ".join(
            name for name, folds in (("case", found.folds_case), ("Unicode forms", found.folds_unicode)) if folds
        )
        text = f"disk: does not tell {what} apart in names; paths that differ in nothing else are refused everywhere"
        yield Finding(check="disk.names", state="ok", text=text)
    else:
        yield Finding(check="disk.names", state="ok", text="disk: tells case and Unicode forms apart in names")


def judge_kind(kind: str, where: str) -> Finding:
    """What the type of a file system means for what is kept on it; pure. An empty type is an unknown one."""
    kept = _KINDS.get(kind, "disk")
    name = f"disk: {kind} at {where}" if kind else "disk: of a kind that this system does not tell"
    if kept == "memory":
        text = f"{name} is memory: what is in {FOLDER}/ (journal, pictures that were paid for) is lost at the next boot"
        return Finding(check="disk.kind", state="look", text=text, hint="move the project to a disk")
    if kept == "network":
        text = f"{name} is on the network: other machines that write there see this one's lock only if it shares locks"
        return Finding(check="disk.kind", state="look", text=text, hint="a checkout of its own for each machine")
    if kept == "container":
        text = f"{name} is a container's own layer: {FOLDER}/ goes with the container"
        return Finding(
            check="disk.kind", state="look", text=text, hint="mount the project, or keep .imagebatch/ as CI's cache"
        )
    return Finding(check="disk.kind", state="ok", text=name)


def _room(home: Path, project: Project | None) -> Finding:
    paths: list[str] = []
    in_flight = _USUAL_IN_FLIGHT
    if project is not None:
        in_flight = sum(one.max_concurrency for one in project.settings.providers.values() if one.place) or in_flight
    room = Room(folders=on_each_disk(home, paths or ["outputs/x"]), in_flight=in_flight)
    lacking = room.lacking()
    if lacking is not None:
        return Finding(check="disk.room", state="bad", text=f"room: {lacking}", hint="df -h .")
    try:
        free = free_bytes(home)
    except OSError as error:
        text = f"room: the system does not tell ({error.strerror})"
        return Finding(check="disk.room", state="look", text=text)
    text = f"room: {free // MIB:,} MiB are free, and {room.wanted // MIB} MiB have to be before anything is paid for"
    return Finding(check="disk.room", state="ok", text=text)


# Tries -----------------------------------------------------------------------------------------------------------


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
