"""The tables of journal and draw index in memory: what SQLite says to the program's statements, a tenth as dear.

It knows the program's statements by their text and refuses every other one. That it says what SQLite says is tested
(`test_databases.py`); the real SQLite is killed and starved by the tests in `tests/crash`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Self

Row = tuple[Any, ...]


@dataclass(slots=True)
class Tables:
    """What one database holds. Never changed in place while anybody else has it: `copy` first."""

    version: int = 0
    note: dict[str, str] = field(default_factory=dict)
    batch: dict[int, bytes] = field(default_factory=dict)
    draw: dict[int, tuple[int, int, bytes]] = field(default_factory=dict)

    def copy(self) -> Self:
        return type(self)(self.version, dict(self.note), dict(self.batch), dict(self.draw))


class Answer:
    """The rows that a statement gives."""

    __slots__ = ("_at", "_rows")

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows
        self._at = 0

    def fetchone(self) -> Row | None:
        if self._at == len(self._rows):
            return None
        self._at += 1
        return self._rows[self._at - 1]

    def fetchall(self) -> list[Row]:
        rest, self._at = self._rows[self._at :], len(self._rows)
        return rest

    def __iter__(self) -> Iterator[Row]:
        return iter(self.fetchall())


_NONE: Final[list[Row]] = []


def said(sql: str, tables: Tables, given: Row) -> list[Row]:
    """What a statement that is no transaction's gives, and does to the tables."""
    return _STATEMENTS[sql](tables, given)


def changes(sql: str) -> bool:
    """Whether a statement is one that a reader may not make."""
    return sql.startswith(("INSERT", "UPDATE", "DELETE", "CREATE", "BEGIN IMMEDIATE", "VACUUM"))


def _set_version(tables: Tables, _: Row) -> list[Row]:
    tables.version = 1
    return _NONE


def _note_down(tables: Tables, given: Row) -> list[Row]:
    tables.note[given[0]] = given[1]
    return _NONE


def _add_batch(tables: Tables, given: Row) -> list[Row]:
    tables.batch[max(tables.batch, default=0) + 1] = given[0]
    return _NONE


def _empty_batch(tables: Tables, _: Row) -> list[Row]:
    tables.batch.clear()
    return _NONE


def _add_draw(tables: Tables, given: Row) -> list[Row]:
    tables.draw[max(tables.draw, default=0) + 1] = (given[0], given[1], given[2])
    return _NONE


def _change_draw(tables: Tables, given: Row) -> list[Row]:
    draw, record, row = given
    tables.draw[row] = (draw, tables.draw[row][1], record)
    return _NONE


def _nothing(_: Tables, __: Row) -> list[Row]:
    return _NONE


def _always(row: Row) -> Callable[[Tables, Row], list[Row]]:
    return lambda _, __: [row]


_STATEMENTS: Final[dict[str, Callable[[Tables, Row], list[Row]]]] = {
    # What means nothing in memory.
    "VACUUM": _nothing,
    "PRAGMA journal_mode=WAL": _always(("wal",)),
    "PRAGMA journal_mode=DELETE": _always(("delete",)),
    "PRAGMA page_size=512": _nothing,
    "PRAGMA page_size=2048": _nothing,
    "PRAGMA synchronous=FULL": _nothing,
    "PRAGMA temp_store=MEMORY": _nothing,
    "PRAGMA secure_delete=OFF": _always((0,)),
    "PRAGMA wal_autocheckpoint=0": _always((0,)),
    "PRAGMA wal_checkpoint(TRUNCATE)": _always((0, 0, 0)),
    "PRAGMA query_only=ON": _nothing,
    "PRAGMA application_id=1768049201": _nothing,
    # The journal.
    "CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, value TEXT NOT NULL)": _nothing,
    "CREATE TABLE IF NOT EXISTS batch (seq INTEGER PRIMARY KEY, record BLOB NOT NULL)": _nothing,
    "PRAGMA user_version": lambda tables, _: [(tables.version,)],
    "PRAGMA user_version=1": _set_version,
    "SELECT name, value FROM note": lambda tables, _: list(tables.note.items()),
    "SELECT value FROM note WHERE name = ?": lambda tables, given: (
        [(tables.note[given[0]],)] if given[0] in tables.note else _NONE
    ),
    "INSERT OR REPLACE INTO note (name, value) VALUES (?, ?)": _note_down,
    "SELECT record FROM batch ORDER BY seq": lambda tables, _: [(record,) for record in tables.batch.values()],
    "INSERT INTO batch (record) VALUES (?)": _add_batch,
    "DELETE FROM batch": _empty_batch,
    "SELECT (SELECT value FROM note WHERE name = ?), (SELECT max(seq) FROM batch)": lambda tables, given: [
        (tables.note.get(given[0]), max(tables.batch, default=None))
    ],
    # The draw index.
    "CREATE TABLE IF NOT EXISTS draw (\n"
    "  id INTEGER PRIMARY KEY, draw INTEGER NOT NULL, token INTEGER NOT NULL, record BLOB NOT NULL\n"
    ")": _nothing,
    "CREATE INDEX IF NOT EXISTS draw_by_draw ON draw (draw)": _nothing,
    "CREATE INDEX IF NOT EXISTS draw_by_token ON draw (token)": _nothing,
    "SELECT record FROM draw": lambda tables, _: [(record,) for _, _, record in tables.draw.values()],
    "SELECT record FROM draw ORDER BY id": lambda tables, _: [(record,) for _, _, record in tables.draw.values()],
    "SELECT record FROM draw WHERE draw = ? ORDER BY id": lambda tables, given: [
        (record,) for draw, _, record in tables.draw.values() if draw == given[0]
    ],
    "SELECT record FROM draw WHERE token = ? ORDER BY id": lambda tables, given: [
        (record,) for _, token, record in tables.draw.values() if token == given[0]
    ],
    "SELECT id, record FROM draw WHERE token = ?": lambda tables, given: [
        (row, record) for row, (_, token, record) in tables.draw.items() if token == given[0]
    ],
    "INSERT INTO draw (draw, token, record) VALUES (?, ?, ?)": _add_draw,
    "UPDATE draw SET draw = ?, record = ? WHERE id = ?": _change_draw,
}
