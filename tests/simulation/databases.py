"""SQLite in memory, as durable as SQLite says: a transaction that was committed with `synchronous=FULL` survives.

The statements are the program's own, run by the real SQLite. What a power cut takes is modelled: where commits are not
synced (a planted bug), those since the last synced one are gone.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from tests.simulation.disk import Policy, SimulatedDisk


class SimulatedDatabases:
    """The seam for databases; each lives in memory for as long as the world does."""

    def __init__(self, disk: SimulatedDisk, effect: Callable[[str, str], None]) -> None:
        self._disk = disk
        self._effect = effect
        self._kept: dict[int, _Database] = {}
        self.synced = True
        """Whether a commit reaches the disk; False plants a bug."""

    def connect(self, path: Path) -> sqlite3.Connection:
        database = self._opened(path)
        database.execute("PRAGMA query_only=OFF")  # there is one connection for all, and a reader may have had it
        return database

    def connect_read_only(self, path: Path) -> sqlite3.Connection:
        return self._opened(path)

    def cut(self, policy: Policy, chance: Random) -> None:
        """The process ends: what was not committed is rolled back, and with the power what was not synced."""
        for database in self._kept.values():
            database.cut(lost=policy == "only what was synced" or (policy != "as it is" and chance.random() < 0.5))

    def take_over(self, other: "SimulatedDatabases") -> None:
        """Begin with what another world's databases hold; the files keep their numbers."""
        for number, database in other._kept.items():
            self._kept[number] = sqlite3.connect(":memory:", isolation_level=None, factory=_Database)
            database.backup(self._kept[number])

    def close(self) -> None:
        """Let all memory go."""
        for database in self._kept.values():
            database.really_close()

    def _opened(self, path: Path) -> "_Database":
        number = self._disk.stat(path).st_ino  # renamed, it is the same database
        database = self._kept.get(number)
        if database is None:
            database = sqlite3.connect(":memory:", isolation_level=None, factory=_Database)
            self._kept[number] = database

        fresh = [True]

        def committed(verb: str) -> None:
            self._effect(verb, str(path))

        def done() -> None:
            if self.synced:
                if fresh.pop() if fresh else False:
                    # SQLite syncs the folder with the first write to its log, which stands beside the database.
                    self._disk.settle_folder_of(path)
                self._disk.fill(path, b"SQLite")

        database.on_commit = committed
        database.on_committed = done
        database.synced = self.synced
        return database


# The effect is told before the transaction: dying before it or before its end is the same, and somebody else may come
# in between only while none is open.
_VERBS = {"BEGIN IMMEDIATE": "commit", "VACUUM": "vacuum"}


class _Database(sqlite3.Connection):
    on_commit: Callable[[str], None] = staticmethod(lambda _: None)
    on_committed: Callable[[], None] = staticmethod(lambda: None)
    synced = True

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        verb = _VERBS.get(sql)
        if verb is not None:
            self.on_commit(verb)
        done = super().execute(sql, *parameters)
        if sql == "COMMIT":
            self.on_committed()
        return done

    def close(self) -> None:
        """A program that ends leaves the database where it is."""
        if self.in_transaction:
            super().execute("ROLLBACK")

    def cut(self, *, lost: bool) -> None:
        if self.in_transaction:
            super().execute("ROLLBACK")
        if lost and not self.synced:
            # The planted bug never syncs, so nothing at all is durable but the tables.
            for (name,) in super().execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                super().execute(f"DELETE FROM {name}")  # noqa: S608  # a name of our own schema

    def really_close(self) -> None:
        super().close()
