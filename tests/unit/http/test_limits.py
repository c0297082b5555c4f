"""The gate: rates, pauses, probes, the circuit."""

import asyncio
import contextlib
from itertools import pairwise
from typing import Any

import pytest

from imagebatch.http.errors import GatePaused
from imagebatch.http.limits import Gate
from imagebatch.model.settings import RateLimit


def gate(clock: Any, *limits: tuple[int, float]) -> Gate:
    rates = tuple(RateLimit(count=count, per_s=per_s) for count, per_s in limits)
    return Gate(rates, clock=clock, chance=lambda: 1.0)


async def stamps(gate: Gate, clock: Any, count: int) -> list[float]:
    found: list[float] = []

    async def one() -> None:
        turn = await gate.enter()
        found.append(clock.now())
        gate.leave(turn, 200)

    await asyncio.gather(*(one() for _ in range(count)))
    return found


async def test_no_window_ever_holds_more_than_its_rate(clock: Any) -> None:
    times = await stamps(gate(clock, (5, 1.0), (12, 10.0)), clock, 40)
    for start in times:
        assert sum(start <= time < start + 1.0 for time in times) <= 5
        assert sum(start <= time < start + 10.0 for time in times) <= 12
    assert times[-1] - times[0] == pytest.approx(30.0, abs=1.0)


async def test_a_rate_counts_from_when_requests_leave_not_from_when_they_got_their_turn(clock: Any) -> None:
    limited = gate(clock, (2, 1.0))
    slow, quick = await limited.enter(), await limited.enter()
    limited.departed(quick)
    await clock.sleep(0.4)  # the first connection took its time
    limited.departed(slow)
    left = [1000.0, 1000.4]
    for _ in range(4):
        turn = await limited.enter()
        limited.departed(turn)
        left.append(clock.now())
        limited.leave(turn, 200)
    assert left == pytest.approx([1000.0, 1000.4, 1001.0, 1001.4, 1002.0, 1002.4])


async def test_a_request_that_leaves_long_after_its_turn_still_counts(clock: Any) -> None:
    limited = gate(clock, (1, 1.0))
    late = await limited.enter()
    await clock.sleep(1.5)
    other = await limited.enter()
    limited.departed(other)
    limited.departed(late)  # two have left at once now: nobody else for a second after either
    await limited.enter()
    assert clock.now() == pytest.approx(1002.5)


async def test_without_limits_nobody_waits(clock: Any) -> None:
    times = await stamps(gate(clock), clock, 50)
    assert times == [1000.0] * 50


async def test_those_who_come_first_go_first(clock: Any) -> None:
    entered: list[int] = []
    one_by_one = gate(clock, (1, 1.0))

    async def one(number: int) -> None:
        one_by_one.leave(await one_by_one.enter(), 200)
        entered.append(number)

    await asyncio.gather(*(one(number) for number in range(10)))
    assert entered == list(range(10))


async def test_whoever_gives_up_takes_no_permit(clock: Any) -> None:
    limited = Gate((RateLimit(count=1, per_s=0.2),))
    limited.leave(await limited.enter(), 200)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(limited.enter(), 0.05)
    start = asyncio.get_running_loop().time()
    limited.leave(await limited.enter(), 200)
    assert asyncio.get_running_loop().time() - start < 0.25


async def test_a_429_pauses_everybody_for_as_long_as_asked(clock: Any) -> None:
    paused = gate(clock)
    paused.leave(await paused.enter(), 429, 3.0)
    assert paused.paused_s == 3.0
    times = await stamps(paused, clock, 5)
    assert times[0] == 1003.0


async def test_after_a_pause_one_goes_alone_and_the_rest_follow_its_answer(clock: Any) -> None:
    paused = gate(clock)
    paused.leave(await paused.enter(), 429, 3.0)
    probe = await paused.enter()
    others = [asyncio.create_task(paused.enter()) for _ in range(3)]
    await asyncio.sleep(0.02)
    assert not any(task.done() for task in others)
    paused.leave(probe, 200)
    turns = await asyncio.gather(*others)
    assert not any(turn.probe for turn in turns)


async def test_pauses_of_our_own_grow_and_stay_bounded(clock: Any) -> None:
    silent = gate(clock)
    waits = []
    for _ in range(9):
        silent.leave(await silent.enter(), 429)
        waits.append(silent.paused_s)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


async def test_a_burst_of_429_answers_is_one_strike(clock: Any) -> None:
    burst = gate(clock)
    turns = [await burst.enter() for _ in range(8)]
    for turn in turns:
        burst.leave(turn, 429)
    assert burst.paused_s == 1.0


async def test_a_probe_without_an_answer_lets_the_next_one_try(clock: Any) -> None:
    lost = gate(clock)
    lost.leave(await lost.enter(), 429, 1.0)
    lost.leave(await lost.enter(), None)
    again = await lost.enter()
    assert again.probe
    lost.leave(again, 200)
    assert not (await lost.enter()).probe


async def test_a_slow_probe_does_not_hold_the_others_up_for_ever(clock: Any) -> None:
    slow = gate(clock)
    slow.leave(await slow.enter(), 429, 1.0)
    await slow.enter()
    await asyncio.wait_for(slow.enter(), 4.0)


async def test_a_pause_beyond_this_run_is_said_and_not_slept(clock: Any) -> None:
    far = gate(clock)
    far.leave(await far.enter(), 429, 999_999_999.0)
    assert far.stalled
    with pytest.raises(GatePaused, match="nothing was sent"):
        await far.enter()
    with pytest.raises(GatePaused):
        await far.wait_open()
    assert clock.slept == []


async def test_waiting_until_open_takes_no_turn(clock: Any) -> None:
    paused = gate(clock, (1, 100.0))
    paused.pause(5.0)
    await paused.wait_open()
    assert clock.now() == 1005.0
    paused.leave(await paused.enter(), 200)
    assert clock.now() == 1005.0


async def test_sixty_seconds_of_429_cost_few_requests(clock: Any) -> None:
    """200 calls against a server that refuses for a minute: at most 2.2 times as many requests as calls."""
    storm = gate(clock)
    sent = 0

    async def one() -> None:
        nonlocal sent
        while True:
            turn = await storm.enter()
            sent += 1
            refused = clock.now() < 1060.0
            storm.leave(turn, 429 if refused else 200)
            if not refused:
                return

    await asyncio.gather(*(one() for _ in range(200)))
    assert sent <= 2.2 * 200
    assert all(later >= earlier for earlier, later in pairwise(clock.slept[:3]))
