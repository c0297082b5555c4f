"""SQLite databases; what is committed with `synchronous=FULL` survives a power cut."""

import sqlite3
from pathlib import Path
from typing import Protocol

BUSY_S = 5.0


class Databases(Protocol):
    """Where databases are opened."""

    def connect(self, path: Path) -> sqlite3.Connection:
        """Open or make the database at `path` for writing, with transactions that the caller begins and ends itself.

        Raises sqlite3.Error.
        """
        ...

    def connect_read_only(self, path: Path) -> sqlite3.Connection:
        """Open a database that is there, without ever changing it. Raises sqlite3.Error."""
        ...


class PlainDatabases:
    """SQLite's own."""

    @staticmethod
    def connect(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)

    @staticmethod
    def connect_read_only(path: Path) -> sqlite3.Connection:
        address = f"{path.resolve().as_uri()}?mode=ro"
        return sqlite3.connect(address, uri=True, timeout=BUSY_S, check_same_thread=False)
