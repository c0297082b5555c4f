"""What runs on several machines share through a git remote: the lease, and beside it the journal's mirror.

The lease is a ref that points at a commit which names its owner. It is taken by making the ref (it must not exist),
moved by the owner only, and gone when the run ends; the remote decides, by compare-and-swap, who of several comes
first. Its counter moves as long as the owner lives. It is never broken by age: only its id does that, or a run of the
very checkout whose own, dead run it names, for that one holds the operating system's lock that the dead one held.

The mirror is a second ref, moved together with the lease in one push: where the lease was lost, the push is refused,
and an intent that is not there is not sent.
"""

import json
import shlex
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from imagebatch.effects import seams
from imagebatch.effects.git import Git, GitFailed, Move
from imagebatch.errors import ImagebatchError, RefusedError, StateError
from imagebatch.state.files import read_regular, write_atomic
from imagebatch.state.lease import Owner, decode_owner, encode_owner, is_alive, this_process
from imagebatch.state.mirror import Mirror, decode_mirror
from imagebatch.state.strict import Fields, parse_json

IDS_NAME: Final = "lease-shared.json"
BEAT_S: Final = 30.0
POLL_S: Final = 1.0
RELEASE_LIMIT_S: Final = 4.0
TRIES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A remote that runs share, as one project sees it: `name` is git's, `in_ci` says where its push rights come from.

    `mirrored` tells whether the journal's intents are kept there, too.
    """

    git: Git
    name: str
    mirrored: bool = False
    in_ci: bool = False


def lease_ref(lineage: str) -> str:
    """The ref that is a project's lease."""
    return f"refs/imagebatch/lease/{lineage}"


def journal_ref(lineage: str) -> str:
    """The ref that mirrors a project's open intents."""
    return f"refs/imagebatch/journal/{lineage}"


class SharedLease:
    """The lease on the remote, held. A thread moves its counter until `release`; every method is safe on any thread."""

    def __init__(self, remote: Remote, lineage: str, folder: Path, owner: Owner, commit: str) -> None:
        self.owner = owner
        self.remote = remote
        self.lost: RefusedError | None = None
        self._folder = folder
        self._lease, self._journal = lease_ref(lineage), journal_ref(lineage)
        self._commit = commit
        self._mine = {commit}
        self._mirror: str | None = None
        self._mirrors: set[str | None] = set()
        self._content: bytes = b""
        self._unsure = False
        self._busy = threading.Lock()
        self._held = True
        self._beats = seams.threads.repeating(self._beat_on, BEAT_S, name="imagebatch-shared-lease")

    def look(self) -> None:
        """Ask the remote whether the lease is still ours.

        Raises RefusedError (`lock.lost`) where it is not, StateError (`lease.unreachable`) where nobody can tell.
        """
        with self._busy:
            self._look()

    def read_mirror(self) -> bytes:
        """What the mirror holds; empty where there is none. Raises StateError."""
        with self._busy:
            try:
                self._mirror = self.remote.git.read_ref(self._journal)
                if self._mirror is not None:
                    self._content = self.remote.git.read(self._journal, self._mirror)[1]
            except GitFailed as failed:
                raise remote_fault(failed, self.remote.name) from None
            self._mirrors.add(self._mirror)
            return self._content

    def mirror(self, content: bytes) -> None:
        """Put `content` in the mirror's place, nothing for no content; the same push looks at the lease.

        Raises RefusedError: `lock.lost`, and `journal.mirror` where another hand changed the mirror; StateError
        (`lease.unreachable`) where the remote cannot be asked or will not take it.
        """
        with self._busy:
            if content == self._content and not self._unsure:
                self._look()
                return
            self._raise_lost()
            try:
                self._settle()
                wanted = self.remote.git.commit("imagebatch journal\n", content) if content else None
                self._push(wanted)
            except GitFailed as failed:
                self._unsure = True
                raise self._untold(failed) from None
            self._content = content

    def release(self) -> str | None:
        """Give the project free; gives a sentence where that could not be done. Releasing twice does nothing."""
        if not self._held:
            return None
        self._held = False
        self._beats.end()
        with self._busy:
            try:
                for _ in range(TRIES):
                    actual = self.remote.git.read_ref(self._lease)
                    if actual not in self._mine:
                        break
                    self._commit = actual
                    move = Move(ref=self._lease, expect=actual, to=None)
                    if self.remote.git.push([move], limit_s=RELEASE_LIMIT_S):
                        break
            except GitFailed as failed:
                return (
                    f"the shared lease {self.owner.id} could not be given back ({failed}); the next run of this "
                    f"checkout takes it over, any other needs: imagebatch lock release {self.owner.id}"
                )
            with suppress(StateError):
                _keep_ids(self._folder, ())
        return None

    # Under the lock of this object ------------------------------------------------------------------------------------

    def _look(self) -> None:
        self._raise_lost()
        try:
            actual = self.remote.git.read_ref(self._lease)
        except GitFailed as failed:
            raise self._untold(failed) from None
        if actual not in self._mine:
            self._lose(actual)
            self._raise_lost()
        self._commit = actual or self._commit

    def _push(self, wanted: str | None) -> None:
        beaten = self._beaten()
        lease = Move(ref=self._lease, expect=self._commit, to=beaten)
        journal = Move(ref=self._journal, expect=self._mirror, to=wanted)
        self._mine.add(beaten)
        self._mirrors.add(wanted)
        moves = [lease] if wanted == self._mirror else [lease, journal]
        if not self.remote.git.push(moves):
            self._look()
            raise RefusedError(
                "the journal's mirror was changed by another hand",
                f"{self._journal} is not what this run put there. Nothing more is sent, because nobody could tell "
                "what was sent.",
                hints=("Run the same command again",),
                code="journal.mirror",
            )
        self._commit, self._mirror = beaten, wanted

    def _settle(self) -> None:
        """After a push of which nothing was heard: what the refs are now, as far as it is our own doing."""
        if not self._unsure:
            return
        self._look()
        actual = self.remote.git.read_ref(self._journal)
        if actual in self._mirrors:
            self._mirror = actual
        self._unsure = False

    def _beaten(self) -> str:
        self.owner = replace(self.owner, beat=self.owner.beat + 1)
        return self.remote.git.commit(owner_message(self.owner))

    def _beat_on(self) -> None:
        with self._busy, suppress(ImagebatchError, GitFailed):
            self._raise_lost()
            self._settle()
            self._unsure = True  # until the push is known to have moved it
            self._push(self._mirror)
            self._unsure = False

    def _lose(self, actual: str | None) -> None:
        holder = "nobody"
        if actual is not None:
            holder = "another run"
            with suppress(GitFailed):
                holder = str(_owner(self.remote.git.read(self._lease, actual)[0]) or holder)
        self.lost = RefusedError(
            "the shared lease of this run was taken away",
            f"On {self.remote.name} the project is now held by {holder}. This run stops sending; what was sent is "
            "recorded.",
            hints=("Run the same command again once the other run has ended",),
            code="lock.lost",
        )

    def _raise_lost(self) -> None:
        if self.lost is not None:
            raise self.lost

    def _untold(self, failed: GitFailed) -> StateError:
        return StateError(
            "the shared lease could not be looked at",
            f"{self.remote.name}: {failed}. Without it two runs could pay twice, so nothing more is sent.",
            hints=("Run the same command again once the remote can be reached",),
            code="lease.unreachable",
        )


def _is_dead(holder: Owner) -> bool:
    """Whether a holder of this host runs no more: one that lives works on in a checkout that this one is a copy of."""
    own = seams.processes
    if holder.host != own.host():
        return False
    # Where the system cannot be asked (None) the checkout's own lock, which this run holds, has decided.
    return holder.pid == own.pid() or not own.is_alive(holder.pid) or not is_alive(holder)


def take_shared(
    remote: Remote,
    lineage: str,
    folder: Path,
    *,
    command: str,
    timeout_s: float,
    wait: Callable[[float], None] | None = None,
) -> SharedLease:
    """Take the project's lease on the remote, waiting up to `timeout_s` seconds; the local one is held already.

    Raises RefusedError (`lock.held`) that names the owner, StateError where the remote cannot be reached, takes no
    pushes (`lease.denied`, in CI `ci.cannot_save`) or where there is none.
    """
    owner, ref = this_process(command), lease_ref(lineage)
    ours = _ids(folder)
    _keep_ids(folder, (*ours, owner.id))  # before the push: it may be made although nobody lives to hear of it
    deadline, watched = seams.clock.monotonic() + timeout_s, _Watched()
    try:
        commit = remote.git.commit(owner_message(owner))
        while True:
            actual = remote.git.read_ref(ref)
            holder = None if actual is None else _holder(remote.git, ref, actual)
            if holder is None or (holder.id in ours and _is_dead(holder)):
                if remote.git.push([Move(ref=ref, expect=actual, to=commit)]):
                    break
                continue
            left = deadline - seams.clock.monotonic()
            if left <= 0:
                raise held(holder, remote, moved=watched.moved(holder))
            watched.moved(holder)
            (wait or seams.clock.pause)(min(POLL_S, left))
    except GitFailed as failed:
        raise remote_fault(failed, remote.name, in_ci=remote.in_ci) from None
    _keep_ids(folder, (owner.id,))
    return SharedLease(remote, lineage, folder, owner, commit)


def shared_owner(remote: Remote, lineage: str) -> Owner | None:
    """Who holds the lease on the remote. Raises StateError where the remote cannot be asked."""
    try:
        actual = remote.git.read_ref(lease_ref(lineage))
        return None if actual is None else _holder(remote.git, lease_ref(lineage), actual)
    except GitFailed as failed:
        raise remote_fault(failed, remote.name, in_ci=remote.in_ci) from None


def shared_mirror(remote: Remote, lineage: str) -> Mirror:
    """What the journal's mirror holds. Raises StateError where the remote cannot be asked, or holds something else."""
    ref = journal_ref(lineage)
    try:
        actual = remote.git.read_ref(ref)
        data = b"" if actual is None else remote.git.read(ref, actual)[1]
    except GitFailed as failed:
        raise remote_fault(failed, remote.name, in_ci=remote.in_ci) from None
    return decode_mirror(data, lineage, remote.name)


def release_shared(remote: Remote, lineage: str, lease_id: str | None) -> Owner | None:
    """Remove the lease on the remote, by its id only; gives whose it was, None for nobody's.

    Raises RefusedError: `lock.held` where no id is given, `lock.wrong_id` where it differs; StateError.
    """
    ref = lease_ref(lineage)
    try:
        for _ in range(TRIES):
            actual = remote.git.read_ref(ref)
            if actual is None:
                return None
            holder = _holder(remote.git, ref, actual)
            if lease_id is None:
                raise held(holder, remote)
            if holder.id != lease_id:
                raise RefusedError(
                    "the lease has another id",
                    f"The lease on {remote.name} is {holder.id}, not {lease_id}. Nothing was removed.",
                    hints=("See who holds it: imagebatch lock show",),
                    code="lock.wrong_id",
                )
            if remote.git.push([Move(ref=ref, expect=actual, to=None)]):
                return holder
    except GitFailed as failed:
        raise remote_fault(failed, remote.name, in_ci=remote.in_ci) from None
    raise RefusedError(
        "the lease moves too fast to be removed",
        f"The owner of {lease_id} moved it {TRIES} times meanwhile, so it lives.",
        hints=("Stop that run instead",),
        code="lock.held",
    )


def held(owner: Owner, remote: Remote, *, moved: bool | None = None) -> RefusedError:
    """The refusal where somebody else holds the lease; `moved` tells whether its counter did while it was watched."""
    seen = {None: "", True: " Its counter moved while we waited: it lives.", False: " Its counter did not move."}
    return RefusedError(
        "another run holds this project",
        f"On {remote.name} it is held by {owner}. Two runs at once could pay twice.{seen[moved]}",
        hints=(
            "Wait for it: run the same command with --lock-timeout 600",
            f"If it certainly does not run any more: imagebatch lock release {owner.id}",
        ),
        code="lock.held",
    )


def remote_fault(failed: GitFailed, name: str, *, in_ci: bool = False) -> StateError:
    """What git could not do, as an error that says what it means for a run and what to do."""
    why = f"{name}: {str(failed).rstrip('.')}."
    without = "Without the shared lease two runs could pay twice, so nothing is sent."
    if failed.fault == "denied":
        hint = "Give this job the right to push: permissions: {contents: write}"
        return StateError(
            "the shared lease cannot be written",
            f"{why} {without}",
            hints=(hint if in_ci else f"Ask for the right to push to {name}",),
            code="ci.cannot_save" if in_ci else "lease.denied",
        )
    if failed.fault == "unreachable":
        hints: Sequence[str] = (f"Look whether git reaches it: git ls-remote {shlex.quote(name)}",)
        return StateError(
            "the shared lease cannot be reached", f"{why} {without}", hints=hints, code="lease.unreachable"
        )
    if failed.fault == "corrupt":
        return StateError(
            "what the remote holds for imagebatch cannot be read",
            f"{why} Nothing can be concluded from it, so nothing is sent.",
            hints=(f"Look at the refs: git ls-remote {shlex.quote(name)} 'refs/imagebatch/*'",),
            code="lease.corrupt",
        )
    hints = (
        f"Add the remote: git remote add {shlex.quote(name)} URL",
        "or name one that there is in imagebatch.yaml: state: {lease: git, remote: NAME}",
    )
    return StateError("the shared lease has no place", f"{why} {without}", hints=hints, code="lease.remote")


def owner_message(owner: Owner) -> str:
    """What the lease's commit says: for people in the first line, for us in the last."""
    return f"imagebatch lease {owner.id}: {owner.command} on {owner.host}\n\n{encode_owner(owner)}\n"


def _owner(message: str) -> Owner | None:
    try:
        return decode_owner(message.strip().rpartition("\n")[2])
    except ValueError:
        return None


def _holder(git: Git, ref: str, commit: str) -> Owner:
    """Who a lease's commit names; a commit that is none of ours has itself for an id."""
    stranger = Owner(id=commit[:12], host="an unknown host", pid=0, started=None, command="unknown")
    try:
        return _owner(git.read(ref, commit)[0]) or stranger
    except GitFailed as failed:
        if failed.fault == "corrupt" or git.read_ref(ref) != commit:
            return stranger  # moved on meanwhile, or somebody else's: it is held, whoever it is
        raise


class _Watched:
    """The counter of whoever is waited for."""

    def __init__(self) -> None:
        self._first: tuple[str, int] | None = None

    def moved(self, owner: Owner) -> bool | None:
        """Whether it moved since the first look; None at the first."""
        now = (owner.id, owner.beat)
        if self._first is None or self._first[0] != owner.id:
            self._first = now
            return None
        return now != self._first


def _ids(folder: Path) -> tuple[str, ...]:
    """The ids under which runs of this checkout may hold the lease on the remote."""
    try:
        return Fields(parse_json((read_regular(folder / IDS_NAME) or b"{}").decode())).texts("ids")
    except (ValueError, StateError):
        return ()


def _keep_ids(folder: Path, ids: Sequence[str]) -> None:
    write_atomic(folder / IDS_NAME, json.dumps({"ids": list(ids)}).encode())
