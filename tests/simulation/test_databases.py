"""What the simulated databases say is what SQLite says, for each statement that the program makes."""

import sqlite3
from dataclasses import replace
from typing import Any

import pytest

from imagebatch.state.draws import DrawIndex
from tests.simulation.databases import Database
from tests.simulation.running import apply
from tests.simulation.scenarios import LINEAGE, PROJECT, SCENARIOS, loaded
from tests.simulation.tables import _STATEMENTS, Answer
from tests.simulation.world import HOME, World

_OF_FILES = ("PRAGMA journal_mode=", "PRAGMA wal_", "PRAGMA secure_delete=")
"""What SQLite says of these depends on where the file is."""


class Beside:
    """The real SQLite, told of every statement that a simulated database is told of."""

    def __init__(self) -> None:
        self.real: dict[int, sqlite3.Connection] = {}
        self.asked: set[str] = set()
        self.differs: list[str] = []

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Go along with everything that happens from here."""
        real = Database.execute

        def execute(this: Database, sql: str, given: tuple[Any, ...] = (), /) -> Answer:
            answer = real(this, sql, given)
            if sql != "PRAGMA query_only=ON":  # in the real one nobody would switch it off again
                connection = self.real.setdefault(id(this), sqlite3.connect(":memory:", isolation_level=None))
                rows = connection.execute(sql, given).fetchall()
                self.asked.add(sql)
                if not sql.startswith(_OF_FILES) and sorted(rows) != sorted(answer._rows):
                    self.differs.append(f"{sql} {given}: {answer._rows}, and SQLite says {rows}")
            return answer

        monkeypatch.setattr(Database, "execute", execute)


def test_sqlite_says_the_same_to_every_statement_of_whole_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[str] = set()
    for scenario in SCENARIOS:
        beside = Beside()
        with monkeypatch.context() as patched:
            beside.install(patched)
            world = World(3)
            world.disk.put(f"{HOME}/imagebatch.yaml", PROJECT.encode())
            with world.installed():
                if scenario.before is not None:
                    apply(world, loaded(scenario.before))
                assert apply(world, loaded(scenario.now)).code == 0
                assert apply(world, loaded(scenario.now)).planned <= scenario.left
                index = DrawIndex(HOME / ".imagebatch" / "draws.db", lineage=LINEAGE)
                known = index.every()
                index.by_draw(known[0].draw)
                index.put([replace(known[0], candidates=())])  # it has changed
                assert index.knows_any()
        assert beside.differs == []
        asked |= beside.asked
    assert _STATEMENTS.keys() - asked == {"PRAGMA query_only=ON"}
