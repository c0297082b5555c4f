"""The lease: one writer at a time in one checkout.

The operating system's own lock on `.imagebatch/lease.lock` decides, and goes with the process that held it, so a killed
run needs no unlocking. Beside it `lease.json` says who holds it, for people and for hosts that share the folder
without sharing locks: there a counter that still moves means a living owner. No clock is compared with another one.
"""

import contextlib
import errno
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from imagebatch.effects import seams
from imagebatch.effects.files import remove
from imagebatch.errors import RefusedError, StateError
from imagebatch.state.files import PRIVATE, disk_error, read_regular, refuse_link, write_atomic
from imagebatch.state.strict import Fields, parse_json

LOCK_NAME: Final = "lease.lock"
OWNER_NAME: Final = "lease.json"
BEAT_S: Final = 2.0
WATCH_S: Final = 5.0
_UNSUPPORTED: Final = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who holds the lease: `started` is the process's start as the system counts it, `beat` a counter that moves."""

    id: str
    host: str
    pid: int
    started: str | None
    command: str
    beat: int = 0

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} ({self.command}), lease {self.id}"


class Lease:
    """The lease, held. A thread moves the counter until `release`."""

    def __init__(self, folder: Path, lock: "_LeaseLock", owner: Owner, *, inherited: bool) -> None:
        self.inherited = inherited
        """Whether a run that died had it before."""
        self._folder = folder
        self._lock = lock
        self.owner = owner
        self._beat = owner.beat
        self._held = True
        self._beats = seams.threads.repeating(self._beat_on, BEAT_S, name="imagebatch-lease")

    def check(self) -> None:
        """Raise RefusedError (`lock.lost`) where somebody broke the lease; called before every wave of creates."""
        owner = read_owner(self._folder)
        if owner is not None and owner.id == self.owner.id and self._lock.is_in_place():
            return
        raise RefusedError(
            "the lease of this run was taken away",
            f"The project is now held by {owner or 'nobody'}. This run stops sending; what was sent is recorded.",
            hints=("Run the same command again once the other run has ended",),
            code="lock.lost",
        )

    def release(self) -> None:
        """Give the project free; releasing twice does nothing."""
        if not self._held:
            return
        self._held = False
        self._beats.end()
        owner = None
        with contextlib.suppress(StateError):
            owner = read_owner(self._folder)
        if owner is not None and owner.id == self.owner.id:
            with contextlib.suppress(OSError):
                seams.disk.unlink(self._folder / OWNER_NAME)
        self._lock.release()

    def _beat_on(self) -> None:
        self._beat += 1
        # A beat that cannot be written harms nobody here: the system's lock still holds.
        with contextlib.suppress(StateError):
            owner = read_owner(self._folder)
            if owner is not None and owner.id == self.owner.id:
                _write_owner(self._folder, self.owner, self._beat)


def acquire_lease(folder: Path, *, command: str, timeout_s: float = 0.0) -> Lease:
    """Take the lease of the project whose `.imagebatch` is `folder`, waiting up to `timeout_s` seconds.

    Raises RefusedError (`lock.held`) that names a living owner, StateError (`path.symlink`) where the lock file is a
    link and (`lock.unsupported`) where the file system cannot lock.
    """
    lock = _LeaseLock(folder / LOCK_NAME)
    if not lock.acquire(timeout_s):
        raise _held(read_owner(folder))
    try:
        left = read_owner(folder)
        owner = _taken_over(folder, command, left)
    except BaseException:
        lock.release()
        raise
    return Lease(folder, lock, owner, inherited=left is not None)


def _taken_over(folder: Path, command: str, left: Owner | None) -> Owner:
    if left is not None and left.host != seams.processes.host() and _still_beats(folder, left):
        raise _held(left)
    owner = this_process(command)
    _write_owner(folder, owner, 0)
    return owner


def this_process(command: str) -> Owner:
    """This process as an owner, with a new id."""
    pid = seams.processes.pid()
    return Owner(
        id=seams.chance.hex(4),
        host=seams.processes.host(),
        pid=pid,
        started=seams.processes.started(pid),
        command=command,
    )


def running_owner(folder: Path) -> Owner | None:
    """Who seems to be writing now, without taking any lock: what `plan` tells. Another host's owner counts as alive."""
    owner = read_owner(folder)
    if owner is None or (owner.host == seams.processes.host() and not is_alive(owner)):
        return None
    return owner


def release_lease(folder: Path, *, lease_id: str | None = None) -> Owner | None:
    """Remove a lease that was left behind; a living owner's only with its id. Returns whose it was, None for nobody's.

    Raises RefusedError (`lock.held`) where the owner lives and no id is given, (`lock.wrong_id`) where the id differs.
    A run whose lease was broken notices at its next `check`.
    """
    owner = read_owner(folder)
    if owner is None:
        return None
    if lease_id is not None and lease_id != owner.id:
        raise RefusedError(
            "the lease has another id",
            f"The lease is {owner.id}, not {lease_id}. Nothing was removed.",
            hints=("See who holds it: imagebatch lock show",),
            code="lock.wrong_id",
        )
    if lease_id is None and (owner.host != seams.processes.host() or is_alive(owner)):
        raise _held(owner)
    remove(folder / OWNER_NAME)
    if lease_id is not None:
        # The old holder keeps its lock on a file that has no name any more; the next run makes a new one.
        remove(folder / LOCK_NAME)
    return owner


def read_owner(folder: Path) -> Owner | None:
    """What the owner's file says; None where there is none or it cannot be read."""
    try:
        return decode_owner((read_regular(folder / OWNER_NAME) or b"").decode())
    except ValueError:
        return None


def encode_owner(owner: Owner) -> str:
    """An owner as one line of JSON."""
    return json.dumps(
        {
            "id": owner.id,
            "host": owner.host,
            "pid": owner.pid,
            "started": owner.started or "",
            "command": owner.command,
            "beat": owner.beat,
        }
    )


def decode_owner(text: str) -> Owner:
    """An owner from its line. Raises ValueError with a sentence."""
    fields = Fields(parse_json(text))
    return Owner(
        id=fields.text("id"),
        host=fields.text("host"),
        pid=fields.number("pid"),
        started=fields.optional_text("started"),
        command=fields.text("command"),
        beat=fields.number("beat"),
    )


class _LeaseLock:
    """The system's lock on the lease's file, its troubles in our words."""

    def __init__(self, path: Path) -> None:
        refuse_link(path)
        self._path = path
        self._lock = seams.disk.lock(path, PRIVATE)

    def acquire(self, timeout_s: float) -> bool:
        """Whether the lock was got within the time."""
        try:
            return self._lock.acquire(timeout_s)
        except NotImplementedError:
            raise self._unsupported("it has no locks") from None
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                raise self._unsupported(error.strerror or str(error)) from error
            refuse_link(self._path)
            raise disk_error(error, self._path, "lock") from error

    def is_in_place(self) -> bool:
        """Whether the locked file still has its name."""
        return self._lock.is_in_place()

    def release(self) -> None:
        """Let go; never raises."""
        self._lock.release()

    def _unsupported(self, why: str) -> StateError:
        return StateError(
            "this file system cannot lock",
            f"{self._path.name} cannot be locked: {why}. Two runs at once could pay twice, so nothing is sent here.",
            hints=("Work in a checkout on a local disk",),
            code="lock.unsupported",
            path=f".imagebatch/{self._path.name}",
        )


def _held(owner: Owner | None) -> RefusedError:
    who = str(owner) if owner is not None else "another process"
    hints = ["Wait for it: run the same command with --lock-timeout 600"]
    if owner is not None:
        hints.append(f"If it certainly does not run any more: imagebatch lock release {owner.id}")
    return RefusedError(
        "another run holds this project",
        f"It is held by {who}. Two runs at once could pay twice.",
        hints=hints,
        code="lock.held",
    )


def _write_owner(folder: Path, owner: Owner, beat: int) -> None:
    data = encode_owner(replace(owner, beat=beat)).encode()
    write_atomic(folder / OWNER_NAME, data, durable=False)


def _still_beats(folder: Path, left: Owner) -> bool:
    """Whether the counter of an owner on another host moves while we watch; it moves every two seconds."""
    deadline = seams.clock.monotonic() + WATCH_S
    while seams.clock.monotonic() < deadline:
        seams.clock.pause(0.25)
        now = read_owner(folder)
        if now is None:
            return False
        if (now.id, now.beat) != (left.id, left.beat):
            return True
    return False


def is_alive(owner: Owner) -> bool:
    """Whether the process of an owner on this host runs, and is not a later one of the same number."""
    alive = seams.processes.is_alive(owner.pid)
    if alive is not True:
        return alive is None  # the system's lock decides at the next apply
    started = seams.processes.started(owner.pid)
    return not owner.started or started is None or started == owner.started
