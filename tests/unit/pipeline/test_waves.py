"""Waves: many that are about to leave share one look, which begins after they asked; after a refusal nothing leaves."""

import asyncio
import threading
from typing import Any

import pytest

from imagebatch.errors import ImagebatchError, RefusedError
from imagebatch.pipeline import waves
from imagebatch.pipeline.waves import Waves


class Sharing:
    """A remote that a test answers for."""

    def __init__(self) -> None:
        self.looks = 0
        self.begun = threading.Semaphore(0)
        self.open = threading.Event()
        self.open.set()
        self.error: Exception | None = None

    def clearance(self) -> Any:
        return self._look

    def _look(self) -> None:
        self.looks += 1
        self.begun.release()
        assert self.open.wait(20)
        if self.error is not None:
            raise self.error


@pytest.fixture
def sharing(monkeypatch: pytest.MonkeyPatch) -> Sharing:
    monkeypatch.setattr(waves, "SPACING_S", 0.01)
    return Sharing()


def waves_of(sharing: Any, clock: Any = None) -> Waves:
    return Waves(sharing, clock) if clock is not None else Waves(sharing)


async def test_all_that_ask_before_a_look_begins_share_it(sharing: Sharing) -> None:
    here = waves_of(sharing)
    await asyncio.gather(*(here.cleared() for _ in range(50)))
    assert sharing.looks == 1


async def test_who_asks_during_a_look_waits_for_the_next_one(sharing: Sharing) -> None:
    here = waves_of(sharing)
    sharing.open.clear()
    first = asyncio.create_task(here.cleared())
    assert await asyncio.to_thread(sharing.begun.acquire, timeout=20)
    later = [asyncio.create_task(here.cleared()) for _ in range(20)]
    await asyncio.sleep(0)
    sharing.open.set()
    await asyncio.gather(first, *later)
    assert sharing.looks == 2


async def test_after_a_refusal_nothing_is_cleared_and_nobody_is_asked_again(sharing: Sharing) -> None:
    here = waves_of(sharing)
    sharing.error = RefusedError("lost", "By another.", code="lock.lost")
    ends = await asyncio.gather(*(here.cleared() for _ in range(5)), return_exceptions=True)
    assert {getattr(end, "code", None) for end in ends} == {"lock.lost"}
    sharing.error = None
    with pytest.raises(ImagebatchError):
        await here.cleared()
    assert sharing.looks == 1


async def test_a_look_that_comes_back_late_proves_nothing(sharing: Sharing) -> None:
    """As when the process was stopped while it looked: what it saw is long ago."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 2 * waves.STALE_S
        return now

    here = waves_of(sharing, clock)
    with pytest.raises(RefusedError) as caught:
        await here.cleared()
    assert (caught.value.code, sharing.looks) == ("lease.unreachable", waves.LOOKS)


async def test_one_who_is_cancelled_takes_the_look_from_nobody(sharing: Sharing) -> None:
    here = waves_of(sharing)
    sharing.open.clear()
    gone, stays = asyncio.create_task(here.cleared()), asyncio.create_task(here.cleared())
    assert await asyncio.to_thread(sharing.begun.acquire, timeout=20)
    gone.cancel()
    await asyncio.sleep(0)
    sharing.open.set()
    await stays
    assert gone.cancelled()
