"""What was billed: one row for each paid thing, readable without a running simulator."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

DATABASE = "simulator.sqlite3"
COLUMNS = (
    "seq, at, face, operation, token, request_id, metadata, generation_id, image_id, amount, currency,"
    " n_requested, n_delivered, account, prompt"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One billed thing.

    Attributes:
        seq: order of billing, from 1.
        at: Unix time in seconds.
        face: `all-images`, `aigne-hub` or `openai`.
        operation: `create`, `retry` or `buy`.
        token: the `ib-…` mark seen on the wire, or empty.
        request_id: the `X-Request-ID` header, or empty.
        metadata: `metaData` as JSON text, or empty.
        generation_id: the provider's id.
        image_id: the image bought, or empty.
        amount: decimal text.
        currency: the bucket (`f_images_print`, `f_images`), `credit` or `USD`.
        n_requested: pictures asked for.
        n_delivered: pictures given.
        account: the first characters of the key's hash; never the key.
        prompt: the prompt as sent.
    """

    seq: int
    at: float
    face: str
    operation: str
    token: str
    request_id: str
    metadata: str
    generation_id: str
    image_id: str
    amount: str
    currency: str
    n_requested: int
    n_delivered: int
    account: str
    prompt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All billed things of one data folder, in order."""

    entries: tuple[Entry, ...]

    @classmethod
    def read(cls, data_dir: Path) -> Self:
        """Read the ledger of a data folder; a folder no simulator ever used has an empty one."""
        path = data_dir / DATABASE
        if not path.is_file():
            return cls(entries=())
        connection = sqlite3.connect(path, timeout=10)
        try:
            return cls(entries=tuple(read_entries(connection)))
        finally:
            connection.close()

    def __iter__(self) -> Iterator[Entry]:
        """Go through the entries in order of billing."""
        return iter(self.entries)

    def __len__(self) -> int:
        """Count the entries."""
        return len(self.entries)

    def creates(self) -> tuple[Entry, ...]:
        """Give the paid creates only."""
        return tuple(entry for entry in self.entries if entry.operation == "create")

    def by_token(self) -> dict[str, tuple[Entry, ...]]:
        """Group creates and retries by token."""
        groups: dict[str, tuple[Entry, ...]] = {}
        for entry in self.entries:
            if entry.operation != "buy":
                groups[entry.token] = (*groups.get(entry.token, ()), entry)
        return groups

    def paid_twice(self) -> dict[str, tuple[Entry, ...]]:
        """Give the tokens for which more than one create was billed."""
        creates = {
            token: tuple(e for e in group if e.operation == "create") for token, group in self.by_token().items()
        }
        return {token: group for token, group in creates.items() if token and len(group) > 1}


def read_entries(connection: sqlite3.Connection) -> Iterable[Entry]:
    """Yield the rows of an open database; an unfinished one without tables yields none."""
    names = [name.strip() for name in COLUMNS.split(",")]
    try:
        rows: list[tuple[Any, ...]] = connection.execute(f"SELECT {COLUMNS} FROM ledger ORDER BY seq").fetchall()  # noqa: S608 - our own column names
    except sqlite3.OperationalError:
        return
    for row in rows:
        yield Entry(**dict(zip(names, row, strict=True)))
