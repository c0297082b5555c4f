"""The draw index: every paid attempt that this checkout ever saw accepted, by token and by draw fingerprint.

It is appended to at each checkpoint and never emptied, so a draw that left the lock is found again instead of being
paid again. It holds many lineages side by side, because a folder may be carried along; a look-up sees only its own.
Keys are 64-bit hashes; what they find is compared in full.
"""

import contextlib
import hashlib
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from imagebatch.effects import seams
from imagebatch.errors import StateError
from imagebatch.model.canonical import Json
from imagebatch.state.attempts import Attempt
from imagebatch.state.entries import STATUSES, candidate_json, decode_candidates, decode_failure, failure_json
from imagebatch.state.files import disk_error, refuse_link
from imagebatch.state.journal_file import connect_to_read, journal_error, make_private
from imagebatch.state.records import pack, unpack
from imagebatch.state.strict import Fields, compact, parse_json

SCHEMA_VERSION: Final = 1
PAGE_BYTES: Final = 2048  # five or six records a page; in smaller ones they fit badly, larger ones cost small runs
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS draw (
  id INTEGER PRIMARY KEY, draw INTEGER NOT NULL, token INTEGER NOT NULL, record BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS draw_by_draw ON draw (draw);
CREATE INDEX IF NOT EXISTS draw_by_token ON draw (token);
"""


class DrawIndex:
    """The index of one checkout, seen by one lineage. The file is opened when it is first needed."""

    def __init__(self, path: Path, *, lineage: str) -> None:
        self._path = path
        self._lineage = lineage
        self._connection: sqlite3.Connection | None = None
        self._absent = False  # looked for in vain: a first run asks for each of its tokens

    def by_draw(self, draw: str) -> tuple[Attempt, ...]:
        """All attempts of a fingerprint. Raises StateError where the index cannot be read."""
        return tuple(one for one in self._found("draw", draw) if one.draw == draw)

    def by_token(self, token: str) -> Attempt | None:
        """The attempt with this token. Raises StateError where the index cannot be read."""
        return next((one for one in self._found("token", token) if one.token == token), None)

    def every(self) -> tuple[Attempt, ...]:
        """All attempts of this lineage; reads the whole index. Raises StateError where it cannot be read."""
        connection = self._reading()
        if connection is None:
            return ()
        with self._translated():
            rows = connection.execute("SELECT record FROM draw ORDER BY id").fetchall()
        decoded = (_decoded(record, self._lineage) for (record,) in rows)
        return tuple(one for one in decoded if one is not None)

    def knows_any(self) -> bool:
        """Whether any attempt of this lineage was ever accepted here."""
        connection = self._reading()
        if connection is None:
            return False
        with self._translated():
            rows = connection.execute("SELECT record FROM draw")
            return any(_decoded(record, self._lineage) is not None for (record,) in rows)

    def put(self, attempts: Iterable[Attempt]) -> None:
        """Add attempts, or what is new of them, in one durable transaction. Raises StateError."""
        rows = [(_key(one.draw), _key(one.token), _encoded(one, self._lineage), one) for one in attempts]
        if not rows:
            return
        with self._translated():
            connection = self._writing()
            connection.execute("BEGIN IMMEDIATE")
            try:
                for draw, token, record, attempt in rows:
                    self._put_one(connection, draw, token, record, attempt)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Let the file go; the next look-up opens it again."""
        self._absent = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _put_one(self, connection: sqlite3.Connection, draw: int, token: int, record: bytes, one: Attempt) -> None:
        for row, old in connection.execute("SELECT id, record FROM draw WHERE token = ?", (token,)).fetchall():
            known = _decoded(old, self._lineage)
            if known is not None and known.token == one.token:
                if old != record:
                    connection.execute("UPDATE draw SET draw = ?, record = ? WHERE id = ?", (draw, record, row))
                return
        connection.execute("INSERT INTO draw (draw, token, record) VALUES (?, ?, ?)", (draw, token, record))

    def _found(self, column: str, text: str) -> list[Attempt]:
        connection = self._reading()
        if connection is None:
            return []
        with self._translated():
            rows = connection.execute(_BY[column], (_key(text),)).fetchall()
        decoded = (_decoded(record, self._lineage) for (record,) in rows)
        return [one for one in decoded if one is not None]

    def _reading(self) -> sqlite3.Connection | None:
        if self._connection is None and not self._absent:
            refuse_link(self._path)
            if _is_empty(self._path):
                self._absent = True
                return None
            with self._translated():
                self._connection = connect_to_read(self._path)
                version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise _newer(self._path, version)
            if version == 0:  # its first commit was undone: it has no tables yet
                self.close()
                self._absent = True
        return self._connection

    def _writing(self) -> sqlite3.Connection:
        self.close()  # what was opened for reading cannot write
        refuse_link(self._path)
        make_private(self._path)
        connection = seams.databases.connect(self._path)
        self._connection = connection
        connection.execute(f"PRAGMA page_size={PAGE_BYTES}")
        # One transaction for each checkpoint, of new pages mostly: a rollback journal writes each of them once, where a
        # write-ahead log would write them twice.
        connection.execute("PRAGMA journal_mode=DELETE").fetchall()
        connection.execute("PRAGMA synchronous=FULL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise _newer(self._path, version)
        if version < SCHEMA_VERSION:
            connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
        return connection

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise journal_error(error, self._path) from error
        except OSError as error:
            raise disk_error(error, self._path, "open") from error


def _is_empty(path: Path) -> bool:
    try:
        return seams.disk.stat(path).st_size == 0
    except FileNotFoundError:
        return True


_BY: Final = {
    "draw": "SELECT record FROM draw WHERE draw = ? ORDER BY id",
    "token": "SELECT record FROM draw WHERE token = ? ORDER BY id",
}


def _key(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


def _encoded(attempt: Attempt, lineage: str) -> bytes:
    value: dict[str, Json] = {
        "lineage": lineage[:16],
        "token": attempt.token,
        "attempt": attempt.attempt,
        "type": attempt.type,
        "draw": attempt.draw,
        "request": attempt.request,
        "status": attempt.phase if attempt.phase in STATUSES else "pending",
    }
    if attempt.parts != 1:
        value |= {"part": attempt.part, "parts": attempt.parts}
    if attempt.salt:
        value["salt"] = attempt.salt
    if attempt.generation is not None:
        value["generation"] = attempt.generation
    if attempt.candidates:
        value["candidates"] = [candidate_json(one) for one in attempt.candidates]
    if attempt.failure is not None:
        value["failure"] = failure_json(attempt.failure)
    if attempt.cost:
        value["cost"] = list(attempt.cost)
    if attempt.provider:
        value["provider"] = attempt.provider
    return pack([compact(value)])


def _decoded(record: object, lineage: str) -> Attempt | None:
    """The attempt that a record holds; None for another lineage's and for one that cannot be read.

    A damaged record is passed over: it can only make us ask the provider again, which the listing answers.
    """
    try:
        fields = Fields(parse_json(unpack(record if isinstance(record, bytes) else b"")[0]))
        if fields.text("lineage") != lineage[:16]:
            return None
        return Attempt(
            token=fields.text("token"),
            attempt=fields.number("attempt", least=1),
            type=fields.text("type"),
            draw=fields.text("draw"),
            request=fields.text("request"),
            phase=fields.choice("status", STATUSES),
            part=fields.number("part", default=0),
            parts=fields.number("parts", least=1, default=1),
            salt=fields.optional_text("salt") or "",
            generation=fields.optional_text("generation"),
            candidates=decode_candidates(fields.items("candidates")),
            failure=decode_failure(fields.inner("failure")) if fields.has("failure") else None,
            cost=fields.texts("cost"),
            accepted=True,
            provider=fields.optional_text("provider") or "",
        )
    except (ValueError, zlib.error):
        return None


def _newer(path: Path, version: int) -> StateError:
    return StateError(
        "the draw index is of a newer version",
        f"{path.name} has version {version}; this imagebatch reads up to version {SCHEMA_VERSION}.",
        hints=("Install a newer imagebatch: pip install --upgrade imagebatch",),
        code="draws.version",
        path=f".imagebatch/{path.name}",
    )
