"""What the file system below `.imagebatch/` can do: what the state's promises rest on, tried with files of our own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from imagebatch.doctor.mounts import parse_mounts
from imagebatch.doctor.probes import Abilities, mount_table, tried
from imagebatch.effects.files import exists
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
_USUAL_IN_FLIGHT: Final = 8


def findings(home: Path, project: Project | None, folder: Path) -> Iterator[Finding]:
    """Everything about the disk; `folder` is a scratch folder on it."""
    yield from judge_abilities(tried(folder))
    kind, where = parse_mounts(*mount_table(folder))
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
    if exists(state / OWNER_NAME):
        text = f"lease: {OWNER_NAME} cannot be read; the system's own lock decides"
        return Finding(check="lease", state="look", text=text, hint="imagebatch lock release")
    return Finding(check="lease", state="ok", text="lease: free")


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
    in_flight = _USUAL_IN_FLIGHT
    if project is not None:
        in_flight = sum(one.max_concurrency for one in project.settings.providers.values() if one.place) or in_flight
    room = Room(folders=on_each_disk(home, ["outputs/x"]), in_flight=in_flight)
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
