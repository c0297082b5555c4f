"""Bugs beyond the eighteen: four that cost money and that earlier forms of the checker did not find."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from imagebatch.model.generation import Entry
from imagebatch.plan.removal import removal
from imagebatch.run import leaving, pictures
from imagebatch.state.ledger import Ledger
from imagebatch.state.lockfile import Lock
from imagebatch.state.store import Session
from tests.planted.bugs import Plant
from tests.simulation.disturbing import Disturbance


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """A planted bug, and which disturbances can show it; None where a run that nobody disturbs shows it."""

    name: str
    plant: Plant
    shown_by: Callable[[Disturbance], bool] | None


@contextmanager
def lease_released_before_the_last_commit() -> Iterator[None]:
    """The project is given free first, and then the lock is written."""
    real = Session._write

    def write(self: Session, lock: Lock) -> None:
        self.lease.release()
        real(self, lock)

    with patch.object(Session, "_write", write):
        yield


@contextmanager
def doubt_dropped_with_its_address() -> Iterator[None]:
    """What leaves the manifest is forgotten though it may have been paid, by the plan and by the journal."""
    real = Ledger.unsettled_events

    def forgotten(case: Any, entry: Entry) -> Any:
        return removal(case, replace(entry, status="failed") if entry.status == "in_doubt" else entry)

    def of_those_in_the_lock(self: Ledger) -> Any:
        addresses = set(self)
        return tuple(event for event in real(self) if getattr(event, "address", None) in {None, *addresses})

    with (
        patch("imagebatch.plan.classify.removal", forgotten),
        patch.object(Ledger, "unsettled_events", of_those_in_the_lock),
    ):
        yield


@contextmanager
def intent_after_retry() -> Iterator[None]:
    """The intent of a retry is written when its answer has come; creates and purchases are right."""
    real = leaving.Leaving.__call__

    async def at_the_last_moment(self: leaving.Leaving) -> None:
        if self.step != "retry":
            await real(self)

    with patch.object(leaving.Leaving, "__call__", at_the_last_moment):
        yield


@contextmanager
def bought_twice() -> Iterator[None]:
    """What was bought in this run is bought once more, because nobody looks whether it is."""
    real = pictures.Pictures.buy

    async def buy(self: pictures.Pictures, variant: Any, lane: Any, entry: Entry, paid: Any) -> Entry:
        await real(self, variant, lane, entry, paid)
        return await real(self, variant, lane, entry, paid)

    with patch.object(pictures.Pictures, "buy", buy):
        yield


EXTRAS: tuple[Extra, ...] = (
    Extra(
        name="lease released before the last commit",
        plant=lease_released_before_the_last_commit,
        shown_by=lambda one: one.visited,
    ),
    Extra(
        name="doubt dropped with its address",
        plant=doubt_dropped_with_its_address,
        shown_by=lambda one: one.edited and one.life.scenario.kind != "listable",
    ),
    Extra(name="intent after retry", plant=intent_after_retry, shown_by=lambda one: one.life.scenario.name == "verbs"),
    Extra(name="picture bought twice", plant=bought_twice, shown_by=None),
)
