"""The journal's file: opened, read record by record, salvaged where its end was cut off, repaired without a loss.

One row is one commit: a packed batch (see `records`). Pages are small because most commits are.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from imagebatch.effects import seams
from imagebatch.effects.disk import NEW
from imagebatch.effects.files import exists, opened, remove, sync_folder
from imagebatch.errors import RefusedError, StateError
from imagebatch.model.event import Event
from imagebatch.state.files import PRIVATE, WRITTEN_FIRST, disk_error, refuse_link
from imagebatch.state.records import Packer, Unpacker, decode_event, encode_event

SCHEMA_VERSION: Final = 1
PAGE_BYTES: Final = 512
_WRITER: Final = "writer"
_APPLICATION: Final = 0x69624A31  # "ibJ1"
_DISK_CODES: Final = {
    "SQLITE_FULL": ("disk.full", "the disk is full"),
    "SQLITE_READONLY": ("disk.readonly", "the disk or the file is read-only"),
    "SQLITE_CANTOPEN": ("disk.denied", "the file cannot be opened"),
    "SQLITE_PERM": ("disk.denied", "permission was denied"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalText:
    """What a journal holds: whose it is, small notes, its events in order, and how many torn records were left out."""

    lineage: str | None = None
    notes: dict[str, str]
    events: tuple[Event, ...] = ()
    torn: int = 0


def open_journal(path: Path, lineage: str) -> tuple[sqlite3.Connection, JournalText]:
    """The file at `path`, made where there is none, repaired where its end is torn, and what it holds.

    Raises RefusedError (`journal.lineage`) where it belongs to another project, StateError where it cannot be read or
    written, is damaged before its end, or is of a newer version.
    """
    refuse_link(path)
    try:
        _finish_repair(path)
        try:
            connection, text = _opened(path, lineage)
        except sqlite3.DatabaseError as error:
            _raise_unless_cut(error)
            text = _salvaged(path)
            refuse_foreign(text, lineage)
        else:
            if not text.torn:
                return connection, text
            connection.close()
        _repair(path, lineage, text)
        return _opened(path, lineage)[0], text
    except sqlite3.Error as error:
        raise journal_error(error, path) from error
    except OSError as error:
        raise disk_error(error, path, "open") from error


def read_journal(path: Path) -> JournalText:
    """What the journal at `path` holds, read without a lease and without changing it; empty where none is.

    Raises StateError where it cannot be read.
    """
    refuse_link(path)
    if not exists(path):
        return JournalText(notes={})
    try:
        try:
            with contextlib.closing(connect_to_read(path)) as connection:
                return _load(connection, path)
        except sqlite3.DatabaseError as error:
            _raise_unless_cut(error)
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
        f"imagebatch could not write or read {path.name}: {what}. {WRITTEN_FIRST}",
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
            with transaction(connection):
                note_down(connection, {"lineage": lineage})
    except BaseException:
        connection.close()
        raise
    return connection, text


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing that was committed.

    A process that was killed in the middle of a commit leaves what it had overwritten beside the file, and whoever
    opens the file next has to put that back, which a connection for reading alone is not allowed to do. Raises
    sqlite3.Error.
    """
    connection = seams.databases.connect_read_only(path)
    try:
        return _looked_into(connection)
    except sqlite3.Error as error:
        if not (getattr(error, "sqlite_errorname", "") or "").startswith("SQLITE_READONLY"):
            raise
    return _looked_into(seams.databases.connect(path))


def _looked_into(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA user_version").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _raise_unless_cut(error: sqlite3.DatabaseError) -> None:
    """Go on only where pages are missing; every other error is raised again."""
    if getattr(error, "sqlite_errorname", "") != "SQLITE_CORRUPT":
        raise error


def _salvaged(path: Path) -> JournalText:
    """What a file holds whose end was cut off: SQLite opens it only when told that its page count may be wrong."""
    with contextlib.closing(seams.databases.connect_read_only(path)) as connection:
        connection.execute("PRAGMA writable_schema=ON").fetchall()
        text = _load(connection, path)
    return replace(text, torn=max(text.torn, 1))


def _repair(path: Path, lineage: str, text: JournalText) -> None:
    """Make a journal of what can be read, and set the torn one aside; nothing is deleted."""
    fresh = path.with_name(f"{path.name}.new")
    remove(fresh)
    connection = _connected(fresh)
    try:
        with transaction(connection):
            note_down(connection, {**text.notes, "lineage": lineage})
            if text.events:
                insert_batch(connection, Packer(), [encode_event(event) for event in text.events])
    finally:
        connection.close()
    for ending in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            seams.disk.replace(path.with_name(path.name + ending), path.with_name(f"{path.name}.torn{ending}"))
    _finish_repair(path)


def _finish_repair(path: Path) -> None:
    """Put the repaired journal in place; the torn one stepped aside only when this one was whole."""
    fresh = path.with_name(f"{path.name}.new")
    if exists(fresh) and not exists(path):
        seams.disk.replace(fresh, path)
        sync_folder(path.parent)


def make_private(path: Path) -> None:
    """Make an empty file for its owner only where none is; SQLite would let others read it. Raises OSError."""
    if not exists(path):
        with opened(path, NEW, PRIVATE):
            pass


def _connected(path: Path) -> sqlite3.Connection:
    make_private(path)
    connection = seams.databases.connect(path)
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
        with transaction(connection):
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
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


class Claim:
    """This process's claim to be the one that writes a journal; made with its first commit, held with each.

    A process may be stopped for hours and go on when somebody has broken its lease and another run is under way: what
    it would write then would tear the other's records, and what it would send nobody would know of.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._found = self._state()
        self._writer: str | None = None

    def hold(self) -> None:
        """Inside a transaction: nobody else has written since the journal was opened, or since our own last commit.

        Raises RefusedError (`lock.lost`) where somebody has.
        """
        if self._writer is None:
            if self._state() == self._found:
                self._writer = seams.chance.hex(8)
                note_down(self._connection, {_WRITER: self._writer})
                return
        elif self._state()[0] == self._writer:
            return
        raise RefusedError(
            "the lease of this run was taken away",
            "Another run has written into the journal since. This run stops sending; what was sent is recorded.",
            hints=("Run the same command again once the other run has ended",),
            code="lock.lost",
        )

    def _state(self) -> tuple[str | None, int | None]:
        """Who wrote last, and the last record."""
        query = "SELECT (SELECT value FROM note WHERE name = ?), (SELECT max(seq) FROM batch)"
        writer, last = self._connection.execute(query, (_WRITER,)).fetchone()
        return writer, last


def insert_batch(connection: sqlite3.Connection, packer: Packer, lines: Sequence[str]) -> None:
    connection.execute("INSERT INTO batch (record) VALUES (?)", (packer.pack(lines),))


def note_down(connection: sqlite3.Connection, notes: dict[str, str]) -> None:
    for name, value in notes.items():
        kept = connection.execute("SELECT value FROM note WHERE name = ?", (name,)).fetchone()
        if kept != (value,):
            connection.execute("INSERT OR REPLACE INTO note (name, value) VALUES (?, ?)", (name, value))


def _damaged(path: Path, what: str) -> StateError:
    name = f".imagebatch/{path.name}"
    return StateError(
        f"{'the journal' if path.name == 'journal.db' else 'a database of imagebatch'} is damaged",
        f"{name} cannot be trusted: {what}. It may hold paid attempts, so nothing is sent until that is settled: what "
        "only it knew and no provider lists would be paid again.",
        hints=(
            f"Put a copy of {name} back, if there is one",
            f"Without one: mv {name} {path.name}.damaged, and read `imagebatch plan` before you apply",
        ),
        code="journal.corrupt",
        path=name,
    )
