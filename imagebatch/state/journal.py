"""The journal: what happened since the last checkpoint, on SQLite, made durable in groups by one thread.

The rules, which everything about money leans on:

1. `append(event, durable=True)` is kept when its future is done: the commit was synced (WAL, `synchronous=FULL`).
2. Order is kept: an event is on disk no later than every event appended after it.
3. An event that is not durable rides along with the next commit, at the latest after half a second. Commits that
   follow closely on each other are 8 ms apart, so that many creates at once share a sync and its pages.
4. A commit that failed is final. Nothing is accepted afterwards, because a disk that lost one write may lose others.
5. A torn or NUL tail was never promised to anyone and is left out; damage before a record that can be read stops.
6. `clear` empties it in one transaction, but for the events that have to go on; then it shrinks to a few pages before
   anything is copied from the WAL, so that an event is written to disk once and not twice.

One row is one commit: a packed batch (see `records`). Pages are small because most commits are.
"""

import contextlib
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from imagebatch.errors import RefusedError, StateError
from imagebatch.model.event import Event
from imagebatch.state.files import PRIVATE, disk_error, point, refuse_link, sync_folder
from imagebatch.state.records import Packer, Unpacker, decode_event, encode_event

SCHEMA_VERSION: Final = 1
PAGE_BYTES: Final = 512
LINGER_S: Final = 0.5
GATHER_S: Final = 0.008
BUSY_S: Final = 5.0
_APPLICATION: Final = 0x69624A31  # "ibJ1"
_DISK_CODES: Final = {
    "SQLITE_FULL": ("disk.full", "the disk is full"),
    "SQLITE_READONLY": ("disk.readonly", "the disk or the file is read-only"),
    "SQLITE_CANTOPEN": ("disk.denied", "the file cannot be opened"),
    "SQLITE_PERM": ("disk.denied", "permission was denied"),
}


class EventLog(Protocol):
    """What the session needs of a journal; another store may stand behind it."""

    def append(self, event: Event, *, durable: bool = True) -> "Future[None]":
        """Write an event down; the future is done once it is kept."""
        ...

    def flush(self) -> None:
        """Return once everything appended so far is durable."""
        ...

    def clear(self, carried: Sequence[Event], notes: dict[str, str]) -> None:
        """Forget all events but `carried`; set `notes` in the same step."""
        ...

    def close(self) -> None:
        """Write what is left and let go."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalText:
    """What a journal holds: whose it is, small notes, its events in order, and how many torn records were left out."""

    lineage: str | None = None
    notes: dict[str, str]
    events: tuple[Event, ...] = ()
    torn: int = 0


@dataclass(frozen=True, slots=True)
class _Item:
    event: Event | None
    future: "Future[None] | None"


class Journal:
    """The journal of one project, open for writing by the holder of its lease."""

    def __init__(self, path: Path, connection: sqlite3.Connection, text: JournalText) -> None:
        self.path = path
        self.lineage = text.lineage
        self.notes = dict(text.notes)
        self.torn = text.torn
        self._events = text.events
        self._connection = connection
        self._packer = Packer()
        self._committed_at = 0.0
        self._database = threading.Lock()
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._failure: StateError | None = None
        self._unsaved: list[Event] = []
        self._closed = False
        self._writer = threading.Thread(target=self._write_on, name="imagebatch-journal", daemon=True)
        self._writer.start()

    @classmethod
    def open(cls, path: Path, *, lineage: str) -> "Journal":
        """Open or make the journal at `path`.

        Raises RefusedError (`journal.lineage`) where it belongs to another project, StateError where it cannot be read
        or written, is damaged before its end, or is of a newer version.
        """
        refuse_link(path)
        try:
            _finish_repair(path)
            try:
                connection, text = _opened(path, lineage)
            except sqlite3.DatabaseError as error:
                _refuse_to_guess(error)
                text = _salvaged(path)
                refuse_foreign(text, lineage)
            else:
                if text.torn:
                    connection.close()
            if text.torn:
                _repair(path, lineage, text)
                connection = _opened(path, lineage)[0]
        except sqlite3.Error as error:
            raise journal_error(error, path) from error
        except OSError as error:
            raise disk_error(error, path, "open") from error
        return cls(path, connection, replace(text, lineage=lineage))

    def replay(self) -> Iterator[Event]:
        """The events that were there when the journal was opened, in order."""
        return iter(self._events)

    @property
    def unsaved(self) -> tuple[Event, ...]:
        """Events that could not be written: the last resort is to show them to a person."""
        return tuple(self._unsaved)

    def append(self, event: Event, *, durable: bool = True) -> "Future[None]":
        """Write `event` down, in order.

        The future is done when the event is on disk (`durable`), or at once; it carries the StateError of a failed
        commit. Safe from any thread; a caller on an event loop wraps the future.
        """
        future: Future[None] = Future()
        if self._failure is not None or self._closed:
            self._unsaved.append(event)
            future.set_exception(self._failure or _closed_error())
            return future
        self._queue.put(_Item(event, future if durable else None))
        if not durable:
            future.set_result(None)
        return future

    def flush(self) -> None:
        """Return once everything appended so far is durable. Raises StateError where it is not."""
        if self._failure is not None:
            raise self._failure
        if not self._closed:
            future: Future[None] = Future()
            self._queue.put(_Item(None, future))
            future.result()

    def clear(self, carried: Sequence[Event] = (), notes: dict[str, str] | None = None) -> None:
        """Empty the journal but for `carried`, setting `notes` in the same transaction. Raises StateError.

        The caller has put into the lock what the events said, and appends nothing meanwhile.
        """
        self.flush()
        point("journal.clear")
        try:
            with self._database:
                with _transaction(self._connection):
                    self._connection.execute("DELETE FROM batch")
                    _note(self._connection, notes or {})
                    self._packer = Packer()
                    if carried:
                        _insert(self._connection, self._packer, [encode_event(event) for event in carried])
                self._shrink()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        self.notes.update(notes or {})
        point("journal.cleared")

    def close(self) -> None:
        """Write what is left and close the file; closing twice does nothing."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._writer.join()
        self._connection.close()

    def _shrink(self) -> None:
        """Give freed pages back before the WAL is copied: what is copied is the empty journal, not its past."""
        self._connection.execute("VACUUM")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # The writer thread ----------------------------------------------------------------------------------------------

    def _write_on(self) -> None:
        waiting: list[_Item] = []
        while True:
            try:
                item = self._queue.get(timeout=LINGER_S if waiting else None)
            except queue.Empty:
                self._commit(waiting)
                waiting = []
                continue
            while item is not None:
                waiting.append(item)
                try:
                    item = self._queue.get(timeout=self._pause_s(item))
                except queue.Empty:
                    break
            if waiting and (item is None or any(one.future is not None for one in waiting)):
                self._commit(waiting)
                waiting = []
            if item is None:
                return

    def _pause_s(self, item: _Item) -> float:
        """How long a commit may wait for company: where the last one was long ago, not at all."""
        if item.event is None:
            return 0.0
        return max(0.0, self._committed_at + GATHER_S - time.monotonic())

    def _commit(self, items: list[_Item]) -> None:
        events = [item.event for item in items if item.event is not None]
        failure = self._failure
        if failure is None and events:
            try:
                lines = [encode_event(event) for event in events]
                point("journal.commit")
                self._committed_at = time.monotonic()
                with self._database, _transaction(self._connection):
                    _insert(self._connection, self._packer, lines)
                point("journal.committed")
            except sqlite3.Error as error:
                failure = self._failed(error)
            except Exception as error:  # noqa: BLE001 - whatever it was, nobody may believe that these events are kept
                failure = self._failed(error)
        if failure is not None:
            self._unsaved += events
        for item in items:
            if item.future is not None and not item.future.cancelled():
                if failure is None:
                    item.future.set_result(None)
                else:
                    item.future.set_exception(failure)

    def _failed(self, error: Exception) -> StateError:
        self._failure = journal_error(error, self.path)
        return self._failure


def read_journal(path: Path) -> JournalText:
    """What the journal at `path` holds, read without a lease and without changing it; empty where none is.

    Raises StateError where it cannot be read.
    """
    refuse_link(path)
    if not path.exists():
        return JournalText(notes={})
    try:
        try:
            with contextlib.closing(_read_only(path)) as connection:
                return _load(connection, path)
        except sqlite3.DatabaseError as error:
            _refuse_to_guess(error)
            return _salvaged(path)
    except sqlite3.Error as error:
        raise journal_error(error, path) from error


def refuse_foreign(text: JournalText, lineage: str) -> None:
    """Raise RefusedError where a journal that holds something belongs to another project."""
    if text.lineage in {None, lineage} or not (text.events or "lock" in text.notes):
        return
    raise RefusedError(
        "the journal belongs to another project",
        f".imagebatch/journal.db has the lineage {text.lineage}, this project has {lineage}. "
        "It may hold paid attempts of that project, so it is neither used nor removed.",
        hints=("Move the folder .imagebatch back to the project it came from",),
        code="journal.lineage",
        path=".imagebatch/journal.db",
    )


def journal_error(error: Exception, path: Path) -> StateError:
    """A foreign error of the journal in our words."""
    name = getattr(error, "sqlite_errorname", "") or ""
    code, what = next((_DISK_CODES[key] for key in _DISK_CODES if name.startswith(key)), ("disk.io", str(error)))
    if name in {"SQLITE_CORRUPT", "SQLITE_NOTADB"}:
        return _damaged(path, what)
    return StateError(
        "the journal cannot be kept",
        f"imagebatch could not write or read {path.name}: {what}. "
        "Nothing is sent that could not be written down first.",
        hints=("Make room or give rights in .imagebatch, then run the same command again",),
        code=code,
        path=f".imagebatch/{path.name}",
    )


def _opened(path: Path, lineage: str) -> tuple[sqlite3.Connection, JournalText]:
    connection = _connected(path)
    try:
        text = _load(connection, path)
        refuse_foreign(text, lineage)
        if not text.torn:
            with _transaction(connection):
                _note(connection, {"lineage": lineage})
    except BaseException:
        connection.close()
        raise
    return connection, text


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)


def _refuse_to_guess(error: sqlite3.DatabaseError) -> None:
    """Go on only where pages are missing; every other error is raised again."""
    if getattr(error, "sqlite_errorname", "") != "SQLITE_CORRUPT":
        raise error


def _salvaged(path: Path) -> JournalText:
    """What a file holds whose end was cut off: SQLite opens it only when told that its page count may be wrong."""
    with contextlib.closing(_read_only(path)) as connection:
        connection.execute("PRAGMA writable_schema=ON").fetchall()
        text = _load(connection, path)
    return replace(text, torn=max(text.torn, 1))


def _repair(path: Path, lineage: str, text: JournalText) -> None:
    """Make a journal of what can be read, and set the torn one aside; nothing is deleted."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    connection = _connected(fresh)
    try:
        with _transaction(connection):
            _note(connection, {**text.notes, "lineage": lineage})
            if text.events:
                _insert(connection, Packer(), [encode_event(event) for event in text.events])
    finally:
        connection.close()
    point("journal.repair")
    for ending in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + ending).replace(path.with_name(f"{path.name}.torn{ending}"))
    _finish_repair(path)


def _finish_repair(path: Path) -> None:
    """Put the repaired journal in place; the torn one stepped aside only when this one was whole."""
    fresh = path.with_name(f"{path.name}.new")
    if fresh.exists() and not path.exists():
        fresh.replace(path)
        sync_folder(path.parent)


def _connected(path: Path) -> sqlite3.Connection:
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, PRIVATE))
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection)
    except sqlite3.OperationalError as error:
        # Shared memory does not work on every network file system; the old journal mode does, a little slower.
        if not str(getattr(error, "sqlite_errorname", "")).startswith(("SQLITE_IOERR_SHM", "SQLITE_PROTOCOL")):
            connection.close()
            raise
        connection.execute("PRAGMA journal_mode=DELETE").fetchall()
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
    if connection.execute("PRAGMA journal_mode=WAL").fetchone()[0] != "wal":
        connection.execute("PRAGMA journal_mode=DELETE").fetchall()
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA temp_store=MEMORY")
    # Some builds overwrite what is deleted: that would write each event a second time, and `clear` shrinks the file.
    connection.execute("PRAGMA secure_delete=OFF").fetchall()
    connection.execute("PRAGMA wal_autocheckpoint=0").fetchall()
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        with _transaction(connection):
            connection.execute("CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
            connection.execute("CREATE TABLE IF NOT EXISTS batch (seq INTEGER PRIMARY KEY, record BLOB NOT NULL)")
            connection.execute(f"PRAGMA application_id={_APPLICATION}")
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    connection.execute("BEGIN IMMEDIATE")  # whether locks and shared memory work is known now, not at the first create
    connection.execute("ROLLBACK")


def _load(connection: sqlite3.Connection, path: Path) -> JournalText:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise StateError(
            "the journal is of a newer version",
            f"{path.name} has version {version}; this imagebatch reads up to version {SCHEMA_VERSION}.",
            hints=("Install a newer imagebatch: pip install --upgrade imagebatch",),
            code="journal.version",
            path=f".imagebatch/{path.name}",
        )
    if version == 0:
        return JournalText(notes={})
    notes = dict(connection.execute("SELECT name, value FROM note"))
    events: list[Event] = []
    torn: list[str] = []
    unpacker = Unpacker()
    for record in _rows(connection, torn):
        try:
            decoded = [decode_event(line) for line in unpacker.unpack(record)]
        except ValueError as error:
            torn.append(str(error))
            continue
        if torn:
            raise _damaged(path, f"{torn[0]}, and a later record can be read")
        events += decoded
    return JournalText(lineage=notes.get("lineage"), notes=notes, events=tuple(events), torn=len(torn))


def _rows(connection: sqlite3.Connection, torn: list[str]) -> Iterator[bytes]:
    """Rows in order; where pages at the end are missing, those before them."""
    rows = connection.execute("SELECT record FROM batch ORDER BY seq")
    while True:
        try:
            row = rows.fetchone()
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorname", "") != "SQLITE_CORRUPT":
                raise
            torn.append(str(error))
            return
        if row is None:
            return
        yield row[0] if isinstance(row[0], bytes) else b""


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _insert(connection: sqlite3.Connection, packer: Packer, lines: Sequence[str]) -> None:
    connection.execute("INSERT INTO batch (record) VALUES (?)", (packer.pack(lines),))


def _note(connection: sqlite3.Connection, notes: dict[str, str]) -> None:
    for name, value in notes.items():
        kept = connection.execute("SELECT value FROM note WHERE name = ?", (name,)).fetchone()
        if kept != (value,):
            connection.execute("INSERT OR REPLACE INTO note (name, value) VALUES (?, ?)", (name, value))


def _damaged(path: Path, what: str) -> StateError:
    return StateError(
        "the journal is damaged",
        f"{path.name} cannot be trusted: {what}. It may hold paid attempts, so nothing is sent until that is settled.",
        hints=("See what can be saved: imagebatch lock doctor",),
        code="journal.corrupt",
        path=f".imagebatch/{path.name}",
    )


def _closed_error() -> StateError:
    return StateError("the journal is closed", "An event came after the end of the run.", code="journal.closed")
