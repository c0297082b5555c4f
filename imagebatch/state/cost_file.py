"""The cost ledger on disk: `.imagebatch/ledger.csv`, appended to and synced, never rewritten.

The journal comes first: a line is written once the events that it tells of are durable. A crash in between is made good
by the next run, which compares the journal that it finds with the lines that are there. A checkpoint empties the
journal only once every line of it is on disk.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from imagebatch.effects import seams
from imagebatch.errors import StateError
from imagebatch.model.event import Event
from imagebatch.state.costs import Costing, CostLine, CostText, decode_lines, encode_lines, header, missing_lines
from imagebatch.state.files import append_synced, read_regular

COST_LEDGER: Final = "ledger.csv"

Now = Callable[[], datetime]


def utc_now() -> datetime:
    """The time, in UTC."""
    return seams.clock.wall()


def read_costs(path: Path) -> CostText:
    """All lines of a cost ledger; none where there is no file. Raises StateError where it cannot be read."""
    return decode_lines((read_regular(path) or b"").decode("utf-8", "replace"))


class CostKeeper:
    """Writes the cost ledger of one run down, after the journal.

    `note` is called with events that are durable, in their order, on whatever thread; it never raises. What could not
    be written is told by `trouble`, and nothing is written after it: lines of one step keep their order.
    """

    def __init__(self, path: Path, now: Now) -> None:
        self.path = path
        self.trouble: StateError | None = None
        self._now = now
        self._run = f"{now():%Y%m%dT%H%M%S.%f}"[:-3] + "Z"
        self._costing = Costing()
        self._by_token: dict[str, list[CostLine]] | None = None

    def catch_up(self, events: Iterable[Event]) -> None:
        """Add what a journal tells of and the ledger lacks; whatever was begun and never answered is in doubt.

        Raises StateError where it cannot be written: then nothing is to be spent either.
        """
        told = [line for event in events for line in self._costing.after(event)]
        told += self._costing.unanswered()
        if told:
            self._append(missing_lines(told, read_costs(self.path).lines))
        self._costing.known = self._of_token

    def note(self, events: Sequence[Event]) -> None:
        """Write what these events add."""
        if self.trouble is not None:
            return
        try:
            self._append([line for event in events for line in self._costing.after(event)])
        except StateError as error:
            self.trouble = error
        except Exception as error:  # noqa: BLE001 - the journal's thread must go on, and the run's end has to hear of it
            self.trouble = StateError(
                "the cost ledger cannot be written", f"{error}.", code="costs.unwritten", path=COST_LEDGER
            )

    def knows(self, token: str) -> bool:
        """Whether a paid step of this token has a line. Raises StateError where the ledger cannot be read."""
        return bool(self._of_token(token))

    def _append(self, lines: Sequence[CostLine]) -> None:
        if not lines:
            return
        time = f"{self._now():%Y-%m-%dT%H:%M:%S}Z"
        stamped = [replace(line, time=time, run=self._run) for line in lines]
        append_synced(self.path, encode_lines(stamped).encode(), head=header().encode())
        if self._by_token is not None:
            self._learn(self._by_token, stamped)

    def _of_token(self, token: str) -> Sequence[CostLine]:
        if self._by_token is None:
            self._by_token = {}
            self._learn(self._by_token, read_costs(self.path).lines)
        return self._by_token.get(token, ())

    @staticmethod
    def _learn(by_token: dict[str, list[CostLine]], lines: Iterable[CostLine]) -> None:
        for line in lines:
            by_token.setdefault(line.token, []).append(line)
