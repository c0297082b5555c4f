"""When a generation is asked about, and what its answers come to."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from imagebatch.model.wire import BadAnswer, KeyRefused, Redirected, Unreachable
from imagebatch.providers.base import Observation, Offer, Page
from imagebatch.run.poll import Poller, PollFailed, first_pause, next_pause


class VirtualClock:
    """Time that passes only while somebody sleeps and nobody has anything to do."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        self.time += max(0.0, seconds)


class Provider:
    """Answers `observe` from a script, one entry a call; the last one stays."""

    def __init__(self, *script: Observation | Exception | None) -> None:
        self.script = list(script)
        self.asked = 0

    async def observe(self, generation: str, wire: object) -> Observation | None:
        del generation, wire
        self.asked += 1
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def poller(provider: Provider, *, window_s: float = 60.0) -> tuple[Poller, VirtualClock]:
    clock = VirtualClock()
    settings = SimpleNamespace(consistency_window_s=window_s, max_concurrency=8)
    gate = SimpleNamespace(stalled=False)
    lane: Any = SimpleNamespace(alias="studio", adapter=provider, wire=None, settings=settings, gate=gate)
    return Poller(lane, "ibl-x", clock), clock


def seen(state: Any, **more: Any) -> Observation:
    return Observation(generation=more.pop("generation", "g1"), state=state, **more)


async def test_a_provider_that_wants_a_long_rest_is_left_to_a_later_run() -> None:
    provider = Provider(seen("pending"))
    waiting, clock = poller(provider)
    waiting._lane.gate.stalled = True  # type: ignore[misc]  # a stand-in, not the gate's property
    assert await waiting.wait("g1", "ib-1", 1800.0) is None
    assert clock.now() < 10.0


async def test_it_waits_until_the_state_is_final() -> None:
    provider = Provider(seen("pending"), seen("pending"), seen("succeeded", offers=(Offer(id="a"),)))
    waiting, clock = poller(provider)
    found = await waiting.wait("g1", "ib-1", 600.0)
    assert found is not None
    assert found.state == "succeeded"
    assert clock.time < 10.0


async def test_the_deadline_is_a_pause_and_no_failure() -> None:
    waiting, clock = poller(Provider(seen("pending")))
    assert await waiting.wait("g1", "ib-1", 100.0) is None
    assert clock.time == pytest.approx(100.0, abs=16.0)


async def test_a_question_that_is_not_answered_does_not_put_off_the_deadline() -> None:
    class Mute(Provider):
        async def observe(self, generation: str, wire: object) -> Observation | None:
            await asyncio.Event().wait()
            return await super().observe(generation, wire)

    waiting, clock = poller(Mute(seen("pending")))
    assert await asyncio.wait_for(waiting.wait("g1", "ib-1", 4.0), 5.0) is None
    assert clock.time == pytest.approx(4.0)
    waiting.close()


async def test_reads_that_fail_are_repeated_for_as_long_as_the_deadline_allows() -> None:
    storm = [Unreachable("503")] * 40
    found = await poller(Provider(*storm, seen("succeeded")))[0].wait("g1", "ib-1", 3600.0)
    assert found is not None


async def test_a_generation_that_is_missing_for_the_whole_window_is_gone() -> None:
    waiting, clock = poller(Provider(None), window_s=30.0)
    found = await waiting.wait("g1", "ib-1", 3600.0)
    assert found is not None
    assert found.failure is not None
    assert found.failure.kind == "gone"
    assert clock.time >= 30.0


async def test_two_that_wait_for_one_generation_are_both_told() -> None:
    waiting, _ = poller(Provider(seen("pending"), seen("pending"), seen("succeeded"), seen("succeeded")))
    ends = await asyncio.gather(waiting.wait("g1", "ib-1", 600.0), waiting.wait("g1", "ib-1", 600.0))
    assert [end.state for end in ends if end is not None] == ["succeeded", "succeeded"]


async def test_two_that_wait_for_one_generation_both_reach_their_deadlines() -> None:
    waiting, _ = poller(Provider(seen("pending")))
    ends = await asyncio.gather(waiting.wait("g1", "ib-1", 5.0), waiting.wait("g1", "ib-1", 9.0))
    assert list(ends) == [None, None]


async def test_a_generation_that_vanishes_while_it_is_drawn_leaves_the_pictures_that_it_had_shown() -> None:
    waiting, _ = poller(Provider(seen("pending", offers=(Offer(id="a"),)), seen("pending"), None), window_s=30.0)
    found = await waiting.wait("g1", "ib-1", 3600.0)
    assert found is not None
    assert (found.state, found.offers) == ("succeeded", (Offer(id="a"),))
    assert found.failure is not None
    assert found.failure.kind == "gone"


async def test_a_generation_that_shows_late_is_not_gone() -> None:
    found = await poller(Provider(None, seen("pending"), seen("succeeded")))[0].wait("g1", "ib-1", 3600.0)
    assert found is not None
    assert found.state == "succeeded"


async def test_answers_about_another_generation_are_refused() -> None:
    with pytest.raises(PollFailed, match="asked for g1, got OTHER"):
        await poller(Provider(seen("succeeded", generation="OTHER")))[0].wait("g1", "ib-1", 60.0)


async def test_a_generation_with_another_token_is_not_ours() -> None:
    with pytest.raises(PollFailed, match="does not carry our token"):
        await poller(Provider(seen("succeeded", token="ib-2")))[0].wait("g1", "ib-1", 60.0)


async def test_nonsense_is_tried_three_times_and_then_reported() -> None:
    provider = Provider(BadAnswer("the answer holds NaN, which is not JSON"))
    with pytest.raises(PollFailed, match="NaN"):
        await poller(provider)[0].wait("g1", "ib-1", 600.0)
    assert provider.asked == 3


@pytest.mark.parametrize(
    ("answered", "told"),
    [
        ("generation g1 has no readable status", "generation g1 has no readable status"),
        ("the answer holds NaN", "generation g1: the answer holds NaN"),
    ],
)
async def test_a_generation_is_named_once_in_what_is_reported_of_it(answered: str, told: str) -> None:
    with pytest.raises(PollFailed) as failed:
        await poller(Provider(BadAnswer(answered)))[0].wait("g1", "ib-1", 600.0)
    assert str(failed.value) == told


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyRefused("the key was refused (401)"), "provider.auth"),
        (Redirected("answered 302, a redirect to other.example"), "provider.redirect"),
    ],
)
async def test_what_a_person_has_to_mend_is_told_and_not_asked_about_until_the_deadline(
    error: Exception, code: str
) -> None:
    provider = Provider(error)
    with pytest.raises(PollFailed, match=r"the key was refused|a redirect to") as failed:
        await poller(provider)[0].wait("g1", "ib-1", 1800.0)
    assert failed.value.code == code
    assert provider.asked == 3


async def test_closing_leaves_what_runs_to_a_later_run() -> None:
    waiting, _ = poller(Provider(seen("pending")))
    task = asyncio.create_task(waiting.wait("g1", "ib-1", 1e9))
    await asyncio.sleep(0)
    waiting.close()
    assert await task is None
    assert await waiting.wait("g2", "ib-2", 10.0) is None


def test_the_pause_follows_what_the_others_took() -> None:
    assert next_pause(0.0, 30.0) == 15.0
    assert next_pause(25.0, 30.0) == pytest.approx(5.0)
    assert next_pause(60.0, 30.0) == pytest.approx(10.0)
    assert next_pause(0.0, None) == 0.1
    assert next_pause(10_000.0, None) == 15.0
    assert first_pause(None) == 0.1
    assert first_pause(0.02) == 0.02
    assert first_pause(90.0) == 15.0


class Board:
    """A provider with a listing, newest first, in which each generation ends `takes_s` after it was created."""

    def __init__(self, clock: VirtualClock, takes_s: float) -> None:
        self.clock = clock
        self.takes_s = takes_s
        self.created: dict[str, float] = {}
        self.listed = 0
        self.observed = 0

    def create(self, number: int) -> tuple[str, str]:
        name, token = f"g{number}", f"ib-{number:0>16}".replace("0", "a").replace("1", "b")
        self.created[name] = self.clock.time
        return name, token

    def state(self, name: str) -> Any:
        return "succeeded" if self.clock.time - self.created[name] >= self.takes_s else "pending"

    async def observe(self, generation: str, wire: object) -> Observation | None:
        del wire
        self.observed += 1
        return seen(self.state(generation), generation=generation)

    async def list_page(self, tag: str | None, offset: int, limit: int, wire: object) -> Page:
        del tag, wire
        self.listed += 1
        await asyncio.sleep(0)
        newest = [*reversed(self.created)][offset : offset + limit]
        shown = tuple(
            seen(self.state(name), generation=name, token=f"ib-{name[1:]:0>16}".replace("0", "a").replace("1", "b"))
            for name in newest
        )
        return Page(observations=shown, total=len(self.created))


def board(takes_s: float) -> tuple[Poller, Board]:
    clock = VirtualClock()
    provider = Board(clock, takes_s)
    settings = SimpleNamespace(consistency_window_s=60.0, max_concurrency=8)
    gate = SimpleNamespace(stalled=False)
    lane: Any = SimpleNamespace(alias="studio", adapter=provider, wire=None, settings=settings, gate=gate)
    return Poller(lane, "ibl-x", clock), provider


async def test_many_generations_are_asked_about_by_one_listing() -> None:
    waiting, provider = board(takes_s=10.0)
    names = [provider.create(number) for number in range(40)]
    ends = await asyncio.gather(*(waiting.wait(name, token, 600.0) for name, token in names))
    assert all(end is not None and end.state == "succeeded" for end in ends)
    assert provider.listed < 20
    assert provider.observed == 0


async def test_what_is_known_of_the_time_a_picture_takes_spares_questions() -> None:
    waiting, provider = board(takes_s=10.0)
    asked = []
    for number in range(12):
        before = provider.observed
        assert await waiting.wait(*provider.create(number), 600.0) is not None
        asked.append(provider.observed - before)
    assert asked[0] > 5
    assert max(asked[4:]) <= 2


async def test_a_provider_that_is_quick_is_soon_asked_at_once() -> None:
    waiting, provider = board(takes_s=0.0)
    began = []
    for number in range(8):
        start = provider.clock.time
        assert await waiting.wait(*provider.create(number), 600.0) is not None
        began.append(provider.clock.time - start)
    assert began[-1] < 0.05


async def test_what_carries_another_token_of_the_project_has_failed_and_a_strangers_cannot_be_told() -> None:
    found = await poller(Provider(seen("pending", token="ib-2", tags=("ib-2", "ibl-x"))))[0].wait("g1", "ib-1", 600.0)
    assert found is not None
    assert (found.state, found.failure and found.failure.kind) == ("failed", "provider")
    with pytest.raises(PollFailed, match="does not carry our token"):
        await poller(Provider(seen("pending", token="ib-2", tags=("ib-2", "ibl-y"))))[0].wait("g1", "ib-1", 600.0)
