"""Events of a run on their way to the journal."""

import asyncio
import threading
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from imagebatch.errors import RefusedError, StateError
from imagebatch.model.event import Event, Intended, Placing, Told
from imagebatch.model.money import UNKNOWN_COST
from imagebatch.pipeline import recording
from imagebatch.pipeline.recording import Recording


class Session:
    """A journal whose commits a test makes by hand, from another thread."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.open: list[Future[None]] = []
        self.looks = 0
        self.lost = False
        self.lease: Any = SimpleNamespace(check=self._check)

    def record(self, event: Event, *, durable: bool = True) -> "Future[None]":
        self.events.append(event)
        future: Future[None] = Future()
        if durable:
            self.open.append(future)
        else:
            future.set_result(None)
        return future

    def commit(self, error: Exception | None = None) -> None:
        waiting, self.open = self.open, []

        def end() -> None:
            for future in waiting:
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(error)

        thread = threading.Thread(target=end)
        thread.start()
        thread.join(5)

    def _check(self) -> None:
        self.looks += 1
        if self.lost:
            raise RefusedError("the lease of this run was taken away", "By another one.", code="lock.lost")


def recorded(session: Session, told: list[Told | Event] | None = None) -> Recording:
    stand_in: Any = session
    return Recording(stand_in, (told if told is not None else []).append)


def placing(number: int) -> Placing:
    return Placing(path=f"{number}.png", sha256="sha256:0")


def intent() -> Intended:
    return Intended(
        step="create", token="ib-1", attempt=1, part=0, provider="studio", type="all-images", draw="sha256:0",
        request="{}", address="hero", cost=UNKNOWN_COST,
    )  # fmt: skip


async def test_a_durable_event_returns_only_once_it_is_on_disk() -> None:
    session, told = Session(), list[Told | Event]()
    task = asyncio.create_task(recorded(session, told).record(placing(1)))
    await asyncio.sleep(0.01)
    assert not task.done()
    assert told == session.events
    session.commit()
    async with asyncio.timeout(5):
        await task


async def test_what_need_not_be_durable_returns_at_once() -> None:
    session = Session()
    async with asyncio.timeout(5):
        await recorded(session).record(placing(1), durable=False)
    assert len(session.events) == 1


async def test_one_commit_wakes_the_loop_once_for_all_its_events(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()
    writer = recorded(session)
    tasks = [asyncio.create_task(writer.record(placing(number))) for number in range(20)]
    await asyncio.sleep(0)
    loop, woken = asyncio.get_running_loop(), 0
    soon = loop.call_soon_threadsafe

    def counted(*arguments: Any, **more: Any) -> Any:
        nonlocal woken
        woken += 1
        return soon(*arguments, **more)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    session.commit()
    async with asyncio.timeout(5):
        await asyncio.gather(*tasks)
    assert woken == 1


async def test_a_failed_commit_reaches_everybody_who_waits_for_it() -> None:
    session = Session()
    writer = recorded(session)
    tasks = [asyncio.create_task(writer.record(placing(number))) for number in range(3)]
    await asyncio.sleep(0)
    session.commit(StateError("the journal cannot be kept", "No space.", code="disk.full"))
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, StateError) for end in ends)


async def test_one_who_no_longer_waits_does_not_disturb_the_others() -> None:
    session = Session()
    writer = recorded(session)
    gone, stays = (asyncio.create_task(writer.record(placing(number))) for number in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    session.commit()
    async with asyncio.timeout(5):
        await stays
    assert gone.cancelled()


def test_a_second_loop_does_not_wait_for_wake_ups_of_the_first() -> None:
    session = Session()
    writer = recorded(session)

    async def left_early() -> None:
        task = asyncio.create_task(writer.record(placing(1)))
        await asyncio.sleep(0)
        session.commit()  # lands, and the loop ends before it looks
        task.cancel()

    async def whole() -> None:
        task = asyncio.create_task(writer.record(placing(2)))
        await asyncio.sleep(0)
        session.commit()
        async with asyncio.timeout(5):
            await task

    asyncio.run(left_early())
    asyncio.run(whole())
    assert len(session.events) == 2


async def test_the_lease_is_looked_at_before_an_intent_and_once_for_a_wave(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()
    writer = recorded(session)
    for _ in range(3):
        await writer.record(intent(), durable=False)
    assert session.looks == 1
    await writer.record(placing(1), durable=False)
    assert session.looks == 1
    monkeypatch.setattr(recording, "LEASE_LOOK_S", 0.0)
    session.lost = True
    before = len(session.events)
    with pytest.raises(RefusedError):
        await writer.record(intent())
    assert len(session.events) == before
