"""The journal: what happened since the last checkpoint, on SQLite, made durable in groups by one thread.

The rules, which everything about money leans on:

1. `append(event, durable=True)` is kept when its future is done: the commit was synced (WAL, `synchronous=FULL`).
2. Order is kept: an event is on disk no later than every event appended after it.
3. An event that is not durable rides along with the next commit, at the latest after half a second. Commits that
   follow closely on each other are 3 ms apart, so that many creates at once share a sync and its pages.
4. A commit that failed is final. Nothing is accepted afterwards, because a disk that lost one write may lose others.
   So is one after another run wrote into the journal: a process that was stopped meanwhile writes nothing into it.
5. A torn or NUL tail was never promised to anyone and is left out; damage before a record that can be read stops.
6. `clear` empties it in one transaction, but for the events that have to go on; then it shrinks to a few pages before
   anything is copied from the WAL, so that an event is written to disk once and not twice.
7. Who follows the journal hears of events once they are on disk, in order; `flush` waits for that too.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Final

from imagebatch.effects import seams
from imagebatch.errors import RefusedError, StateError
from imagebatch.model.event import Event
from imagebatch.state.journal_file import (
    Claim,
    JournalText,
    insert_batch,
    journal_error,
    note_down,
    open_journal,
    read_journal,
    transaction,
)
from imagebatch.state.records import Packer, encode_event

__all__ = ["Journal", "JournalText", "read_journal"]

LINGER_S: Final = 0.5
GATHER_S: Final = 0.003


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
        self._claim = Claim(connection)
        self._packer = Packer()
        self._committed_at = 0.0
        self._database = Lock()
        # Only what somebody waits for wakes the writer: a thread that wakes for each event fights for the interpreter.
        self._items: deque[_Item] = deque()
        self._failure: StateError | RefusedError | None = None
        self._unsaved: list[Event] = []
        self._closed = False
        self._follower: Callable[[Sequence[Event]], None] = lambda _: None
        self._writer = seams.threads.writer(self._step, self._pause_s, linger_s=LINGER_S, name="imagebatch-journal")

    @classmethod
    def open(cls, path: Path, *, lineage: str) -> "Journal":
        """Open or make the journal at `path`.

        Raises RefusedError (`journal.lineage`) where it belongs to another project, StateError where it cannot be read
        or written, is damaged before its end, or is of a newer version.
        """
        connection, text = open_journal(path, lineage)
        return cls(path, connection, replace(text, lineage=lineage))

    def replay(self) -> Iterator[Event]:
        """The events that were there when the journal was opened, in order."""
        return iter(self._events)

    def follow(self, follower: Callable[[Sequence[Event]], None]) -> None:
        """Have `follower` called with the events of each commit from now on, on the journal's thread.

        It must not raise: nobody would write the journal any more.
        """
        self._follower = follower

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
        self._items.append(_Item(event, future if durable else None))
        if not durable:
            future.set_result(None)
        else:
            self._writer.wake()
        return future

    def flush(self) -> None:
        """Return once everything appended so far is durable. Raises StateError where it is not."""
        if self._failure is not None:
            raise self._failure
        if not self._closed:
            future: Future[None] = Future()
            self._items.append(_Item(None, future))
            self._writer.hurry()
            future.result()

    def clear(self, carried: Sequence[Event] = (), notes: dict[str, str] | None = None) -> None:
        """Empty the journal but for `carried`, setting `notes` in the same transaction. Raises StateError.

        The caller has put into the lock what the events said, and appends nothing meanwhile.
        """
        self.flush()
        try:
            with self._database:
                with transaction(self._connection):
                    self._claim.hold()
                    self._connection.execute("DELETE FROM batch")
                    note_down(self._connection, notes or {})
                    self._packer = Packer()
                    if carried:
                        insert_batch(self._connection, self._packer, [encode_event(event) for event in carried])
                self._shrink()
        except sqlite3.Error as error:
            raise self._failed(error) from error
        self.notes.update(notes or {})

    def close(self) -> None:
        """Write what is left and close the file; closing twice does nothing."""
        if self._closed:
            return
        self._closed = True
        self._writer.end()
        self._connection.close()

    def _shrink(self) -> None:
        """Give freed pages back before the WAL is copied: what is copied is the empty journal, not its past."""
        self._connection.execute("VACUUM")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # The writer's thread --------------------------------------------------------------------------------------------

    def _step(self) -> bool:
        """Commit what has gathered; whether nothing is left."""
        items = [self._items.popleft() for _ in range(len(self._items))]
        if items:
            self._commit(items)
        return not self._items

    def _pause_s(self) -> float:
        """How long a commit waits for company; where the last one was long ago, not at all."""
        return self._committed_at + GATHER_S - seams.clock.monotonic()

    def _commit(self, items: list[_Item]) -> None:
        events = [item.event for item in items if item.event is not None]
        failure = self._failure
        if failure is None and events:
            try:
                lines = [encode_event(event) for event in events]
                self._committed_at = seams.clock.monotonic()
                with self._database, transaction(self._connection):
                    self._claim.hold()
                    insert_batch(self._connection, self._packer, lines)
            except sqlite3.Error as error:
                failure = self._failed(error)
            except RefusedError as error:
                failure = self._failure = error
            except Exception as error:  # noqa: BLE001 - whatever it was, nobody may believe that these events are kept
                failure = self._failed(error)
        if failure is not None:
            self._unsaved += events
        _tell([item for item in items if item.event is not None], failure)
        if failure is None and events:
            self._follower(events)
        _tell([item for item in items if item.event is None], failure)

    def _failed(self, error: Exception) -> StateError:
        self._failure = journal_error(error, self.path)
        return self._failure


def _tell(items: Sequence[_Item], failure: StateError | RefusedError | None) -> None:
    """Those that wait for these items go on."""
    for item in items:
        if item.future is not None and not item.future.cancelled():
            if failure is None:
                item.future.set_result(None)
            else:
                item.future.set_exception(failure)


def _closed_error() -> StateError:
    return StateError("the journal is closed", "An event came after the end of the run.", code="journal.closed")
