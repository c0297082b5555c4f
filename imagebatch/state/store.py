"""The state of one project as the stages use it: opened, recorded into, checkpointed, closed.

A checkpoint goes in the only order that survives a crash anywhere: draw index, lock, cost ledger, the journal's mirror
where there is one, then the journal is emptied. Until the last step the journal says everything, and folding it again
over a newer lock changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from imagebatch.effects import seams
from imagebatch.effects.files import exists, make_folders
from imagebatch.errors import RefusedError, StateError
from imagebatch.model.canonical import Json
from imagebatch.model.event import Accepted, Dropped, Event, Kept, Observed
from imagebatch.model.token import LINEAGE_PATTERN
from imagebatch.state import memory
from imagebatch.state.cost_file import COST_LEDGER, CostKeeper, Now, utc_now
from imagebatch.state.draws import DrawIndex
from imagebatch.state.files import (
    SHARED,
    make_folder,
    read_regular,
    refuse_no_folder,
    remove_dead_temps,
    remove_leftovers,
    sync_made_folder,
    write_atomic,
)
from imagebatch.state.journal import Journal
from imagebatch.state.journal_file import JournalText, read_journal, refuse_foreign
from imagebatch.state.layout import NO_LOCK
from imagebatch.state.lease import Lease, Owner, acquire_lease, release_lease, running_owner
from imagebatch.state.ledger import Ledger
from imagebatch.state.lockfile import LOCK_NAME, Lock, empty_lock
from imagebatch.state.lockfile_io import LockOnDisk, lock_digest_on_disk, read_lock, write_lock
from imagebatch.state.shared import Remote, SharedLease, take_shared
from imagebatch.state.sharing import Sharing, join

FOLDER: Final = ".imagebatch"
JOURNAL: Final = "journal.db"
DRAWS: Final = "draws.db"
LINEAGE: Final = "lineage"
_GITIGNORE: Final = b"# written by imagebatch: what is below belongs to this checkout, not to git\n*\n"
_INBOX: Final = "inbox"
_KEPT: Final = (_INBOX, "store")  # what other stages keep paid pictures in, so their names are durable before that
_TRASH: Final = "trash"
NO_LINEAGE: Final = "0" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """What a plan sees: the lock with the journal over it, and what would stop an apply.

    `lineage` is None where none was drawn yet; `digest` is that of the lock (`absent` for none); `running` is the owner
    of an apply that seems to run; `refusals` are the errors with which `open` would refuse.
    """

    ledger: Ledger
    lineage: str | None
    digest: str
    running: Owner | None = None
    refusals: tuple[RefusedError, ...] = ()


class StateStore:
    """The state of the project at `root`: its lock and its `.imagebatch`. `now` tells the time for the cost ledger."""

    def __init__(self, root: Path, now: Now = utc_now) -> None:
        self.root = root
        self.folder = root / FOLDER
        self._now = now

    def open(
        self,
        *,
        lineage: str | None,
        command: str,
        lock_timeout_s: float = 0.0,
        force_new_lock: bool = False,
        remote: Remote | None = None,
        warn: Callable[[str], None] = lambda _: None,
    ) -> "Session":
        """Take the lease and read everything, for writing.

        `lineage` is the project file's. With `remote` the lease there is taken, too, after the one of this checkout;
        `warn` is told where it could not be given back. Raises RefusedError: `lock.held`, `lockfile.lineage` and
        `journal.lineage` for another project's files, `lock.missing` where the lock is gone though pictures are known
        (lifted by `force_new_lock`). Raises StateError where a file cannot be read or written, or the remote is out of
        reach.
        """
        self.prepare()
        deadline = seams.clock.monotonic() + lock_timeout_s
        lease = acquire_lease(self.folder, command=command, timeout_s=lock_timeout_s)
        try:
            if lease.inherited:
                # What a run that died had renamed and not synced can be seen, and may be gone after a power cut. This
                # run would believe in it, and empty the journal that knows how it came there.
                seams.disk.sync()
            remove_dead_temps(self.folder)
            remove_leftovers(self.root / LOCK_NAME)
            if remote is None or lineage is None:
                return self._opened(lease, lineage, force_new_lock=force_new_lock)
            left_s = max(0.0, deadline - seams.clock.monotonic())
            shared = take_shared(remote, lineage, self.folder, command=command, timeout_s=left_s)
            try:
                session = self._opened(lease, lineage, force_new_lock=force_new_lock)
                with ExitStack() as opened:
                    opened.push(session)
                    session.share(shared, warn)
                    opened.pop_all()
            except BaseException:
                if (unreleased := shared.release()) is not None:
                    warn(unreleased)
                raise
        except BaseException:
            lease.release()
            raise
        return session

    def open_for_plan(self, *, lineage: str | None) -> PlanView:
        """Read lock and journal, without a lease and without writing anything. Raises StateError."""
        found = read_lock(self.root)
        text = read_journal(self.folder / JOURNAL)
        refusals: list[RefusedError] = []
        chosen = self._lineage(lineage, found)
        try:
            _refuse_foreign_lock(lineage, found)
            if chosen is not None:
                refuse_foreign(text, chosen)
        except RefusedError as refusal:
            refusals.append(refusal)
            text = JournalText(notes={})
        index = DrawIndex(self.folder / DRAWS, lineage=chosen or NO_LINEAGE)
        if found is None and not refusals and (missing := _missing_lock(text, index)) is not None:
            refusals.append(missing)
        lock = found.lock if found is not None else empty_lock(chosen or NO_LINEAGE)
        ledger = Ledger(lock, text.events, past=index)
        for event in self._told_by_lock(ledger):
            ledger.record(event)
        return PlanView(
            ledger=ledger,
            lineage=chosen,
            digest=found.digest if found is not None else NO_LOCK,
            running=running_owner(self.folder),
            refusals=tuple(refusals),
        )

    def ensure_lineage(self, lineage: str | None) -> str:
        """The project's lineage: the project file's, the lock's, the folder's, else a new one, kept in the folder.

        Raises StateError where it cannot be kept.
        """
        chosen = self._lineage(lineage, read_lock(self.root))
        if chosen is None:
            chosen = new_lineage()
            self.prepare()
            self._keep_lineage(chosen)
        return chosen

    def prepare(self) -> None:
        """Make `.imagebatch`, for its owner only, with a `.gitignore` of its own. Raises StateError."""
        make_folders(self.root)  # `--simulate` keeps its state in a folder of its own
        make_folder(self.folder)
        if not exists(self.folder / JOURNAL):
            sync_made_folder(self.folder)  # a first run may have died before it did that
        for name in _KEPT:
            make_folder(self.folder / name)
        refuse_no_folder(self.folder / _TRASH)  # a link would lead it elsewhere
        if read_regular(self.folder / ".gitignore") is None:
            write_atomic(self.folder / ".gitignore", _GITIGNORE, mode=SHARED, durable=False)

    def recall(self, key: str) -> Mapping[str, Json]:
        """Facts remembered about a provider's address; empty where there are none."""
        return memory.recall(self.folder, key)

    def remember(self, key: str, facts: Mapping[str, Json]) -> None:
        """Remember facts about a provider's address. Raises StateError."""
        refuse_no_folder(self.folder)
        if not exists(self.folder):
            self.prepare()
        memory.remember(self.folder, key, facts)

    def owner(self) -> Owner | None:
        """Who seems to hold the lease now."""
        return running_owner(self.folder)

    def release(self, *, lease_id: str | None = None) -> Owner | None:
        """Remove a lease that was left behind; see `release_lease`. Raises RefusedError."""
        return release_lease(self.folder, lease_id=lease_id)

    def _opened(self, lease: Lease, lineage: str | None, *, force_new_lock: bool) -> "Session":
        found = read_lock(self.root)
        _refuse_foreign_lock(lineage, found)
        chosen = self._lineage(lineage, found) or new_lineage()
        with ExitStack() as left_open:  # until a session has them
            journal = Journal.open(self.folder / JOURNAL, lineage=chosen)
            left_open.callback(journal.close)
            index = DrawIndex(self.folder / DRAWS, lineage=chosen)
            left_open.callback(index.close)
            text = JournalText(notes=journal.notes, events=tuple(journal.replay()))
            if found is None and not force_new_lock:
                _refuse_missing(text, index)
            self._keep_lineage(chosen)
            lock = found.lock if found is not None else empty_lock(chosen)
            ledger = Ledger(lock, text.events, past=index)
            costs = CostKeeper(self.folder / COST_LEDGER, self._now)
            costs.catch_up(text.events)
            journal.follow(costs.note)
            session = Session(
                root=self.root, lease=lease, journal=journal, index=index, ledger=ledger, found=found, costs=costs
            )
            for event in self._told_by_lock(ledger):
                session.record(event, durable=False)  # it is told again until the journal has it
            left_open.pop_all()
        return session

    def _told_by_lock(self, ledger: Ledger) -> Sequence[Accepted | Observed]:
        """What the lock tells of steps that are open here, but for those whose paid answer is here, which tells more.

        A block that cannot be read tells nothing; whoever needs it says so.
        """
        try:
            told = tuple(ledger.told_by_lock())
        except StateError:
            return ()
        return [event for event in told if not exists(self.folder / _INBOX / f"{event.token}.answer")]

    def _lineage(self, lineage: str | None, found: LockOnDisk | None) -> str | None:
        """Project file, lock, folder: the first that names one."""
        if lineage is not None:
            return lineage
        if found is not None:
            return found.lock.lineage
        text = (read_regular(self.folder / LINEAGE) or b"").decode("ascii", "replace").strip()
        return text if LINEAGE_PATTERN.fullmatch(text) else None

    def _keep_lineage(self, lineage: str) -> None:
        data = f"{lineage}\n".encode()
        if read_regular(self.folder / LINEAGE) != data:
            write_atomic(self.folder / LINEAGE, data)


class Session:
    """The state, open for writing by the holder of the lease. Not for several threads at once."""

    def __init__(
        self,
        *,
        root: Path,
        lease: Lease,
        journal: Journal,
        index: DrawIndex,
        ledger: Ledger,
        found: LockOnDisk | None,
        costs: CostKeeper,
    ) -> None:
        self._root = root
        self._journal = journal
        self._index = index
        self._found = found
        self._open = True
        replayed = any(True for _ in journal.replay())
        self._recorded = ledger.changed or found is None or replayed
        self.first = found is None and not replayed
        """Whether this machine knows neither a lock nor a run that was begun."""
        self.lease = lease
        self.ledger = ledger
        self._costs = costs
        self.sharing = Sharing()
        self._warn: Callable[[str], None] = lambda _: None

    def share(self, lease: SharedLease, warn: Callable[[str], None]) -> None:
        """Go on under a lease that runs on other machines see, hearing what those left; the session gives it back.

        `warn` is told where it cannot be. Raises StateError where the journal's mirror cannot be read.
        """
        joined = join(lease, self.ledger, tuple(self._journal.replay()), self._root / FOLDER)
        for event in joined.news:
            self.record(event)
        if joined.news:
            self.first = False  # it was begun, on another machine
            self.flush()
        self.sharing, self._warn = joined.sharing, warn
        if joined.put_back:
            warn(
                f"the journal's mirror on {lease.remote.name} lacked {joined.put_back} receipts of paid pictures that "
                "this checkout has seen there; they are put back"
            )

    @property
    def lineage(self) -> str:
        """The project's lineage."""
        return self.ledger.lock.lineage

    @property
    def digest(self) -> str:
        """The digest of the lock as it was read or last written; `absent` for none."""
        return self._found.digest if self._found is not None else NO_LOCK

    @property
    def unsaved(self) -> tuple[Event, ...]:
        """Events that the journal could not keep: the last resort is to show them to a person."""
        return self._journal.unsaved

    def record(self, event: Event, *, durable: bool = True) -> "Future[None]":
        """Fold `event` in and write it down.

        The future is done when it is on disk (`durable`), or at once; it carries the StateError of a failed write.
        What can be found out again free of charge never waits for the disk: what an address keeps (`Kept`, `Dropped`),
        and how a generation ended that can be asked about. Raises StateError for an event that cannot follow from what
        is recorded.
        """
        self.ledger.record(event)
        self.sharing.take(event)
        self._recorded = True
        return self._journal.append(event, durable=durable and not self._found_again(event))

    def was_sent(self, address: str, token: str) -> bool:
        """Whether a create of this token may have left before, by journal, lock or cost ledger.

        A machine that has nothing but an older lock cannot know it. Raises StateError.
        """
        entry = self.ledger.current(address)
        told = (entry.token, *(part.token for part in entry.parts)) if entry is not None else ()
        return token in told or self.ledger.attempt(token) is not None or self._costs.knows(token)

    def flush(self) -> None:
        """Return once everything recorded is durable. Raises StateError."""
        self._journal.flush()

    def checkpoint(self) -> None:
        """Write the lock from the fold, then empty the journal; does nothing where nothing was recorded.

        Open attempts stay in the journal. Raises RefusedError (`lock.lost`) where another run holds the project now
        (what this one learnt is kept all the same, unless the journal is the other's too), (`lock.changed`) where
        somebody else changed the lock meanwhile, StateError where something cannot be written: then the journal still
        has everything.
        """
        if not self._recorded:
            self.sharing.bring()
            return
        self.lease.check()
        trouble: StateError | None = None
        try:
            self._index.put((*self.ledger.accepted(), *self.ledger.leaving()))
        except StateError as error:
            trouble = error  # the lock is still worth writing; the journal is not emptied
        lock = self.ledger.folded()
        self._write(lock)
        self._journal.flush()  # the cost ledger follows it: what is emptied below has its lines
        trouble = trouble or self._costs.trouble
        if trouble is not None:
            raise trouble
        self.sharing.bring()
        self._journal.clear(self.ledger.unsettled_events(), {"lock": self.digest})
        self.ledger.rebase(lock)
        self._recorded = False
        self.sharing.raise_lost()

    def close(self) -> None:
        """Close the journal and give the project free; what was not checkpointed stays in the journal."""
        if not self._open:
            return
        self._open = False
        try:
            self._journal.close()
            self._index.close()
        finally:
            left = self.sharing.release()
            self.lease.release()
        if left is not None:
            self._warn(left)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _found_again(self, event: Event) -> bool:
        if isinstance(event, Observed):
            attempt = self.ledger.attempt(event.token)
            # A provider that answers at once has no id of its own, and what it said is said nowhere else.
            return attempt is not None and attempt.generation not in {None, event.token}
        return isinstance(event, Kept | Dropped)

    def _write(self, lock: Lock) -> None:
        if self._found is not None and lock is self._found.lock:
            return
        if lock_digest_on_disk(self._root) != self.digest:
            raise RefusedError(
                "the lock was changed while this run was under way",
                f"{LOCK_NAME} is not what it was when the run began, so it is not overwritten. "
                "Everything that was learnt is in the journal.",
                hints=("Fold it in: imagebatch apply",),
                code="lock.changed",
                path=LOCK_NAME,
            )
        self._found = write_lock(self._root, lock, self._found)


def new_lineage() -> str:
    """A name for a project, for ever: 32 hex characters."""
    return seams.chance.hex(16)


def _refuse_foreign_lock(lineage: str | None, found: LockOnDisk | None) -> None:
    if lineage is None or found is None or found.lock.lineage == lineage:
        return
    raise RefusedError(
        "the lock belongs to another project",
        f"{LOCK_NAME} has the lineage {found.lock.lineage}, imagebatch.yaml has {lineage}. "
        "Pictures of the one must not be taken for pictures of the other.",
        hints=("Restore the lock of this project: git checkout imagebatch.lock",),
        code="lockfile.lineage",
        path=LOCK_NAME,
    )


def _refuse_missing(text: JournalText, index: DrawIndex) -> None:
    missing = _missing_lock(text, index)
    if missing is not None:
        raise missing


def _missing_lock(text: JournalText, index: DrawIndex) -> RefusedError | None:
    """The refusal for a lock that is gone; None where there never was one.

    A first run that was killed before its checkpoint has events and no lock, and simply goes on.
    """
    written = text.notes.get("lock") is not None
    if not written and (text.events or not index.knows_any()):
        return None
    return lock_missing(f"{FOLDER} knows")


def lock_missing(who_knows: str) -> RefusedError:
    """The refusal for a lock that is gone though pictures are known; `who_knows` is like `the listing of x shows`."""
    return RefusedError(
        "the lock is missing though pictures are known",
        f"{LOCK_NAME} is not there, and {who_knows} pictures that were paid for. Without it they would be "
        "taken for new ones.",
        hints=(
            "Restore it: git checkout imagebatch.lock",
            "See what can be saved: imagebatch lock doctor",
            "Start anew, adopting what is known: imagebatch apply --force new-lock",
        ),
        code="lock.missing",
        path=LOCK_NAME,
    )
