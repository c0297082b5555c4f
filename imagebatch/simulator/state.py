"""The simulator's memory on SQLite: generations, images, purchases, model calls, webhooks, draws and the ledger."""

import hashlib
import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagebatch.simulator.ledger import COLUMNS, DATABASE, Entry, read_entries

_TABLES = """
CREATE TABLE IF NOT EXISTS generations(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, account TEXT NOT NULL, token TEXT NOT NULL,
  created_at REAL NOT NULL, started_at REAL NOT NULL, attempt INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0,
  body TEXT NOT NULL, plan TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS generations_account ON generations(account, deleted, seq);
CREATE TABLE IF NOT EXISTS tags(tag TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(tag, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS images(
  id TEXT PRIMARY KEY, generation_id TEXT NOT NULL, account TEXT NOT NULL, created_at REAL NOT NULL,
  lifetime_s REAL, picture TEXT NOT NULL,
  free INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bought(
  image_id TEXT NOT NULL, account TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY(image_id, account)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ledger(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, face TEXT NOT NULL, operation TEXT NOT NULL,
  token TEXT NOT NULL, request_id TEXT NOT NULL, metadata TEXT NOT NULL, generation_id TEXT NOT NULL,
  image_id TEXT NOT NULL, amount TEXT NOT NULL, currency TEXT NOT NULL, n_requested INTEGER NOT NULL,
  n_delivered INTEGER NOT NULL, account TEXT NOT NULL, prompt TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS ledger_account ON ledger(account, currency);
CREATE TABLE IF NOT EXISTS model_calls(
  seq INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, at REAL NOT NULL,
  settles_at REAL NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS webhooks(
  id TEXT PRIMARY KEY, account TEXT NOT NULL, url TEXT NOT NULL, events TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS draws(request TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One generation as kept: what was asked for, when it started, and how its work is to go."""

    seq: int
    id: str
    account: str
    token: str
    created_at: float
    started_at: float
    attempt: int
    body: Mapping[str, Any]
    plan: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """One image: where it belongs and how to draw it again."""

    id: str
    generation_id: str
    account: str
    created_at: float
    lifetime_s: float | None
    picture: Mapping[str, Any]
    free: bool


def account_of(key: str) -> str:
    """Name an account by its key without keeping the key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class State:
    """The database of one data folder; every change is committed before the answer that tells of it."""

    def __init__(self, data_dir: Path) -> None:
        """Open or make the database in `data_dir`."""
        data_dir.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(data_dir / DATABASE, timeout=10, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        # A kill of the process loses nothing without syncs; only a power cut could, and this is a simulator.
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(_TABLES)
        # Credits spent are asked for at each create: summing the ledger each time would grow with the square.
        self._spent: dict[tuple[str, str], float] = {}
        self._ledger_seen = 0

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def next_draw(self, request: str) -> int:
        """Count one more draw of the same request and give how many there were before."""
        row = self._db.execute(
            "INSERT INTO draws VALUES(?, 1) ON CONFLICT(request) DO UPDATE SET count = count + 1 RETURNING count",
            (request,),
        ).fetchone()
        return int(row[0]) - 1

    def draws(self, request: str) -> int:
        """Tell how many draws of the same request there were."""
        row = self._db.execute("SELECT count FROM draws WHERE request = ?", (request,)).fetchone()
        return int(row[0]) if row else 0

    def add_generation(self, record: Record, images: Sequence[ImageRecord], bill: Entry, request: str) -> None:
        """Keep a new generation, its images to come, its bill and one more draw of `request` in one step.

        In one, because a simulator that dies between two of them would give its next answer another id.
        """
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self.next_draw(request)
            seq = self._db.execute(
                "INSERT INTO generations(id, account, token, created_at, started_at, attempt, body, plan)"
                " VALUES(?,?,?,?,?,?,?,?)",
                (
                    record.id,
                    record.account,
                    record.token,
                    record.created_at,
                    record.started_at,
                    record.attempt,
                    _text(record.body),
                    _text(record.plan),
                ),
            ).lastrowid
            self._tag(int(seq or 0), record.body)
            self._insert_images(images)
            self._insert_bill(bill)

    def restart_generation(self, record: Record, images: Sequence[ImageRecord], bill: Entry) -> None:
        """Start a generation anew (retry): new attempt, new images, one more bill."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(
                "UPDATE generations SET started_at = ?, attempt = ?, plan = ? WHERE id = ?",
                (record.started_at, record.attempt, _text(record.plan), record.id),
            )
            self._insert_images(images)
            self._insert_bill(bill)

    def change_body(self, record: Record, body: Mapping[str, Any]) -> None:
        """Replace what is asked for (update)."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("UPDATE generations SET body = ? WHERE id = ?", (_text(body), record.id))
            self._db.execute("DELETE FROM tags WHERE seq = ?", (record.seq,))
            self._tag(record.seq, body)

    def generation(self, account: str, generation_id: str) -> Record | None:
        """Find a living generation of that account."""
        row = self._db.execute(
            f"SELECT {_RECORD} FROM generations WHERE id = ? AND account = ? AND deleted = 0",  # noqa: S608 - our own column names
            (generation_id, account),
        ).fetchone()
        return _record(row) if row else None

    def generations(self, account: str, tag: str = "") -> list[Record]:
        """List the living generations of an account, newest first, perhaps only those with one exact tag."""
        tagged = " AND seq IN (SELECT seq FROM tags WHERE tag = ?)" if tag else ""
        rows = self._db.execute(
            f"SELECT {_RECORD} FROM generations WHERE account = ? AND deleted = 0{tagged} ORDER BY seq DESC",  # noqa: S608 - our own column names
            (account, tag) if tag else (account,),
        )
        return [_record(row) for row in rows]

    def page(self, account: str, tag: str, limit: int, offset: int) -> tuple[int, list[Record]]:
        """Count the living generations of an account with a tag, and read one page of them, newest first."""
        tagged = " AND seq IN (SELECT seq FROM tags WHERE tag = ?)" if tag else ""
        where = f"FROM generations WHERE account = ? AND deleted = 0{tagged}"
        values = (account, tag) if tag else (account,)
        total = self._db.execute(f"SELECT count(*) {where}", values).fetchone()[0]
        rows = self._db.execute(
            f"SELECT {_RECORD} {where} ORDER BY seq DESC LIMIT ? OFFSET ?",
            (*values, limit, offset),
        )
        return int(total), [_record(row) for row in rows]

    def delete_generations(self, account: str, ids: Sequence[str]) -> int:
        """Remove what is known of these ids, in silence about the others; tell how many went."""
        marks = ",".join("?" * len(ids))
        return self._db.execute(
            f"UPDATE generations SET deleted = 1 WHERE account = ? AND deleted = 0 AND id IN ({marks})",  # noqa: S608 - only question marks
            (account, *ids),
        ).rowcount

    def add_images(self, images: Sequence[ImageRecord], bill: Entry) -> None:
        """Keep images that were answered at once, and their bill."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._insert_images(images)
            self._insert_bill(bill)

    def image(self, image_id: str) -> ImageRecord | None:
        """Find an image whose generation was not deleted."""
        row = self._db.execute(
            "SELECT i.id, i.generation_id, i.account, i.created_at, i.lifetime_s, i.picture, i.free FROM images i"
            " LEFT JOIN generations g ON g.id = i.generation_id WHERE i.id = ? AND coalesce(g.deleted, 0) = 0",
            (image_id,),
        ).fetchone()
        return _image(row) if row else None

    def buy(self, image_id: str, bill: Entry) -> bool:
        """Debit an image once for an account; tell whether it was debited now."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            fresh = (
                self._db.execute(
                    "INSERT OR IGNORE INTO bought VALUES(?,?,?)", (image_id, bill.account, bill.at)
                ).rowcount
                > 0
            )
            if fresh:
                self._insert_bill(bill)
        return fresh

    def bought_at(self, account: str, image_id: str) -> float | None:
        """Tell when the account bought the image."""
        row = self._db.execute(
            "SELECT at FROM bought WHERE image_id = ? AND account = ?", (image_id, account)
        ).fetchone()
        return float(row[0]) if row else None

    def bought(self, account: str) -> list[tuple[str, float]]:
        """List what the account bought, newest first."""
        rows = self._db.execute(
            "SELECT image_id, at FROM bought WHERE account = ? ORDER BY at DESC, image_id", (account,)
        )
        return [(str(image_id), float(at)) for image_id, at in rows]

    def spent(self, account: str, currency: str) -> float:
        """Sum what an account was billed in one currency."""
        for entry_seq, who, what, amount in self._db.execute(
            "SELECT seq, account, currency, amount FROM ledger WHERE seq > ? ORDER BY seq", (self._ledger_seen,)
        ):
            self._spent[who, what] = self._spent.get((who, what), 0.0) + float(amount)
            self._ledger_seen = int(entry_seq)
        return self._spent.get((account, currency), 0.0)

    def ledger(self) -> list[Entry]:
        """List all bills."""
        return list(read_entries(self._db))

    def start_call(self, account: str, settles_at: float, body: Mapping[str, Any]) -> int:
        """Write the hub's row of a model call before the model is asked; give its number."""
        seq = self._db.execute(
            "INSERT INTO model_calls(account, at, settles_at, body) VALUES(?,?,?,?)",
            (account, time.time(), settles_at, _text(body)),
        ).lastrowid
        return int(seq or 0)

    def finish_call(self, seq: int, settles_at: float, body: Mapping[str, Any]) -> None:
        """Write how a model call ended; readers see it from `settles_at` on."""
        self._db.execute(
            "UPDATE model_calls SET settles_at = ?, body = ? WHERE seq = ?", (settles_at, _text(body), seq)
        )

    def calls(self, account: str) -> list[tuple[int, float, float, dict[str, Any]]]:
        """List the model calls of an account, newest first: number, start, when its end shows, row."""
        rows = self._db.execute(
            "SELECT seq, at, settles_at, body FROM model_calls WHERE account = ? ORDER BY seq DESC", (account,)
        )
        return [(int(seq), float(at), float(settles), json.loads(body)) for seq, at, settles, body in rows]

    def add_webhook(self, webhook_id: str, account: str, url: str, events: Sequence[str]) -> None:
        """Keep a webhook."""
        self._db.execute(
            "INSERT OR REPLACE INTO webhooks VALUES(?,?,?,?)", (webhook_id, account, url, _text(list(events)))
        )

    def webhooks(self, account: str) -> dict[str, tuple[str, list[str]]]:
        """Give the webhooks of an account: id to address and events."""
        rows = self._db.execute("SELECT id, url, events FROM webhooks WHERE account = ? ORDER BY id", (account,))
        return {str(webhook_id): (str(url), json.loads(events)) for webhook_id, url, events in rows}

    def remove_webhook(self, account: str, webhook_id: str) -> bool:
        """Forget a webhook; tell whether it was there."""
        return self._db.execute("DELETE FROM webhooks WHERE id = ? AND account = ?", (webhook_id, account)).rowcount > 0

    def _tag(self, seq: int, body: Mapping[str, Any]) -> None:
        self._db.executemany("INSERT OR IGNORE INTO tags VALUES(?,?)", [(tag, seq) for tag in body.get("tags") or ()])

    def _insert_images(self, images: Sequence[ImageRecord]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO images VALUES(?,?,?,?,?,?,?)",
            [
                (i.id, i.generation_id, i.account, i.created_at, i.lifetime_s, _text(i.picture), int(i.free))
                for i in images
            ],
        )

    def _insert_bill(self, bill: Entry) -> None:
        names = [name.strip() for name in COLUMNS.split(",")][1:]
        self._db.execute(
            f"INSERT INTO ledger({', '.join(names)}) VALUES({','.join('?' * len(names))})",
            [getattr(bill, name) for name in names],
        )


_RECORD = "seq, id, account, token, created_at, started_at, attempt, body, plan"


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def _record(row: tuple[Any, ...]) -> Record:
    seq, generation_id, account, token, created_at, started_at, attempt, body, plan = row
    return Record(
        seq=seq,
        id=generation_id,
        account=account,
        token=token,
        created_at=created_at,
        started_at=started_at,
        attempt=attempt,
        body=json.loads(body),
        plan=json.loads(plan),
    )


def _image(row: tuple[Any, ...]) -> ImageRecord:
    image_id, generation_id, account, created_at, lifetime_s, picture, free = row
    return ImageRecord(
        id=image_id,
        generation_id=generation_id,
        account=account,
        created_at=created_at,
        lifetime_s=lifetime_s,
        picture=json.loads(picture),
        free=bool(free),
    )
