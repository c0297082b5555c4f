"""Databases as durable as SQLite says: a transaction that was committed with `synchronous=FULL` survives.

What a power cut takes is modelled: where commits are not synced (a planted bug), all of them are gone.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, cast

from tests.simulation.disk import Policy, SimulatedDisk
from tests.simulation.tables import Answer, Tables, changes, said


class SimulatedDatabases:
    """The seam for databases; each lives in memory for as long as the world does."""

    def __init__(self, disk: SimulatedDisk, effect: Callable[[str, str], None]) -> None:
        self._disk = disk
        self._effect = effect
        self._kept: dict[int, Database] = {}
        self.synced = True
        """Whether a commit reaches the disk; False plants a bug."""

    def connect(self, path: Path) -> sqlite3.Connection:
        database = self._opened(path)
        database.reads_only = False  # there is one connection for all, and a reader may have had it
        return cast("sqlite3.Connection", database)

    def connect_read_only(self, path: Path) -> sqlite3.Connection:
        return cast("sqlite3.Connection", self._opened(path))

    def cut(self, policy: Policy, chance: Random) -> None:
        """The process ends: what was not committed is rolled back, and with the power what was not synced."""
        for database in self._kept.values():
            lost = policy == "only what was synced" or (policy != "as it is" and chance.random() < 0.5)
            database.close()
            if lost and not self.synced:
                # The planted bug never syncs, so nothing at all is durable but the tables.
                database.tables = Tables(version=database.tables.version)

    def take_over(self, other: "SimulatedDatabases") -> None:
        """Begin with what another world's databases hold; the files keep their numbers."""
        self._kept = {number: Database(one.committed.copy()) for number, one in other._kept.items()}

    def contents(self) -> dict[int, Tables]:
        """What is committed, by the number of the file."""
        return {number: one.committed for number, one in self._kept.items()}

    def _opened(self, path: Path) -> "Database":
        number = self._disk.stat(path).st_ino  # renamed, it is the same database
        database = self._kept.get(number)
        if database is None:
            database = self._kept[number] = Database(Tables())

        fresh = [True]

        def done() -> None:
            if self.synced:
                if fresh.pop() if fresh else False:
                    # SQLite syncs the folder with the first write to its log, which stands beside the database.
                    self._disk.settle_folder_of(path)
                self._disk.fill(path, b"SQLite")

        database.on_commit = lambda verb: self._effect(verb, str(path))
        database.on_committed = done
        return database


# The effect is told before the transaction: dying before it or before its end is the same, and somebody else may come
# in between only while none is open.
_VERBS = {"BEGIN IMMEDIATE": "commit", "VACUUM": "vacuum"}


class Database:
    """One connection, as far as the program knows `sqlite3.Connection`."""

    __slots__ = ("before", "on_commit", "on_committed", "reads_only", "tables")

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.before: Tables | None = None
        """What is committed, while a transaction is open."""
        self.reads_only = False
        self.on_commit: Callable[[str], None] = lambda _: None
        self.on_committed: Callable[[], None] = lambda: None

    @property
    def committed(self) -> Tables:
        """What is committed."""
        return self.before if self.before is not None else self.tables

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self.before is not None

    def execute(self, sql: str, given: tuple[Any, ...] = (), /) -> Answer:
        if self.reads_only and changes(sql):
            raise sqlite3.OperationalError("attempt to write a readonly database")
        verb = _VERBS.get(sql)
        if verb is not None:
            self.on_commit(verb)
        if sql == "BEGIN IMMEDIATE":
            assert self.before is None, "a transaction within a transaction"
            self.before = self.tables
            self.tables = self.tables.copy()
        elif sql == "COMMIT":
            self.before = None
            self.on_committed()
        elif sql == "ROLLBACK":
            assert self.before is not None, "no transaction is open"
            self.tables, self.before = self.before, None
        else:
            if sql == "PRAGMA query_only=ON":
                self.reads_only = True
            return Answer(said(sql, self.tables, given))
        return Answer([])

    def executescript(self, script: str, /) -> Answer:
        """Its statements one by one, for a transaction in it is an effect like any other."""
        *others, last = (sql.strip() for sql in script.split(";") if sql.strip())
        for sql in others:
            self.execute(sql)
        return self.execute(last)

    def close(self) -> None:
        """A program that ends leaves the database where it is, without what it had not committed."""
        if self.before is not None:
            self.tables, self.before = self.before, None
