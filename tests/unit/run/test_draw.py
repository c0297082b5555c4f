"""Starting a failed generation again: what is looked at before anything is paid."""

import asyncio
from collections.abc import Awaitable
from types import SimpleNamespace
from typing import Any

import pytest

from imagebatch.model.event import Accepted, Event, Intended
from imagebatch.model.money import UNKNOWN_COST
from imagebatch.model.recorded import KnownDraw
from imagebatch.model.token import lineage_tag, make_token
from imagebatch.model.variant import Place, Policy, Variant
from imagebatch.model.wire import Unreachable
from imagebatch.providers import base
from imagebatch.providers.base import Observation
from imagebatch.run.balance import Balance
from imagebatch.run.draw import Drawing
from imagebatch.run.ends import End, Try
from imagebatch.run.leaving import Leaving
from imagebatch.run.trouble import Trouble

LINEAGE = "0" * 32
TOKEN = "ib-aaaaaaaaaaaaaaaa"
VARIANT = Variant(
    address="hero",
    policy=Policy(asset="hero", place=Place(path="m.yaml", line=1, column=1), provider="studio"),
    provider="studio",
    type="all-images",
    request='{"prompt":"a fox"}',
    draw="sha256:d",
    labels="sha256:l",
    labels_body="{}",
    outputs=(),
    ext="jpg",
)
FAILED = KnownDraw(
    draw="sha256:d",
    type="all-images",
    request=VARIANT.request,
    attempt=1,
    token=TOKEN,
    generation="g1",
    status="failed",
)


class _Provider:
    """Shows one generation, and counts what it is asked to start or change."""

    def __init__(self, seen: Observation | Exception | None) -> None:
        self.seen = seen
        self.retried = 0

    async def observe(self, generation: str, wire: object) -> Observation | None:
        del generation, wire
        if isinstance(self.seen, Exception):
            raise self.seen
        return self.seen

    async def retry(self, generation: str, wire: Any) -> base.Accepted:
        del wire
        self.retried += 1
        return base.Accepted(generation=generation)

    async def update(self, *_: object, **__: object) -> None:
        raise AssertionError("nothing of this request changed")


class _Creator:
    """What a retry needs of the paid-call protocol; every poll ends well."""

    lineage = LINEAGE

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.costs: list[tuple[str, ...]] = []
        self.created: list[tuple[str, int]] = []
        self.recorder = self.steps = self

    async def record(self, event: Event, *, durable: bool = True) -> None:
        del durable
        self.events.append(event)

    def tell(self, _: object) -> None:
        """Nobody looks."""

    def unsent(self, _: Try) -> End | None:
        return None

    def leaving(self, this: Try, step: Any, *, generation: str | None = None) -> Leaving:
        return Leaving(
            this=this, step=step, recorder=self, tell=self.tell, unsent=self.unsent, generation=generation
        )  # fmt: skip

    async def sent(self, leaving: Leaving, answer: Awaitable[base.Accepted]) -> base.Accepted:
        found = await answer
        await leaving.sent()
        return found

    async def create(self, this: Try) -> End:
        self.created.append((this.token, this.attempt))
        return End(token=this.token, status="succeeded", generation="g2")

    async def polled(self, this: Try, generation: str, cost: tuple[str, ...]) -> End:
        self.costs.append(cost)
        return End(token=this.token, status="succeeded", generation=generation, cost=cost)


def _seen(state: Any, **more: Any) -> Observation:
    return Observation(generation="g1", state=state, **{"token": TOKEN, **more})


async def _retried(seen: Observation | Exception | None) -> tuple[_Provider, _Creator, Any]:
    provider, creator = _Provider(seen), _Creator()
    lane: Any = SimpleNamespace(
        alias="studio", origin="", type="all-images", adapter=provider, wire=SimpleNamespace(),
        places=asyncio.Semaphore(1), balance=Balance(provider, SimpleNamespace()),  # type: ignore[arg-type]  # small stand-ins
        answered_clearly=lambda: None, answered_unclearly=lambda: None,
    )  # fmt: skip
    drawing = Drawing(creator=creator)  # type: ignore[arg-type]  # a small stand-in
    return provider, creator, await drawing.retry(VARIANT, lane, 2, FAILED)


@pytest.mark.parametrize("state", ["pending", "succeeded"])
async def test_a_generation_that_somebody_started_again_is_waited_for_and_not_paid(state: str) -> None:
    provider, creator, drawn = await _retried(_seen(state))
    assert provider.retried == 0
    assert (drawn.status, drawn.generation, drawn.attempt) == ("succeeded", "g1", 2)
    assert [type(event) for event in creator.events] == [Intended, Accepted]
    assert [event.cost for event in creator.events if isinstance(event, Intended)] == [UNKNOWN_COST]
    assert creator.costs == [()]


@pytest.mark.parametrize("seen", [_seen("failed"), _seen("blocked"), Unreachable("503")])
async def test_what_is_in_error_or_cannot_be_read_is_started_again(seen: Observation | Exception) -> None:
    provider, creator, drawn = await _retried(seen)
    assert (provider.retried, drawn.status, creator.created) == (1, "succeeded", [])


async def test_a_failed_generation_that_the_provider_has_no_more_is_drawn_anew() -> None:
    provider, creator, drawn = await _retried(None)
    token = make_token(lineage=LINEAGE, draw=VARIANT.draw, attempt=2, part=0, salt="")
    assert (provider.retried, creator.created) == (0, [(token, 2)])
    assert (drawn.status, drawn.generation) == ("succeeded", "g2")


async def test_a_generation_without_our_token_is_neither_started_nor_changed() -> None:
    with pytest.raises(Trouble) as caught:
        await _retried(_seen("failed", token="ib-bbbbbbbbbbbbbbbb", tags=("ib-bbbbbbbbbbbbbbbb",)))
    assert caught.value.code == "provider.token_mismatch"


@pytest.mark.parametrize("state", ["pending", "succeeded", "failed", "blocked"])
async def test_a_generation_that_another_request_of_this_project_has_now_is_left_to_it(state: str) -> None:
    tags = ("ib-bbbbbbbbbbbbbbbb", lineage_tag(LINEAGE))
    provider, creator, drawn = await _retried(_seen(state, token="ib-bbbbbbbbbbbbbbbb", tags=tags))
    token = make_token(lineage=LINEAGE, draw=VARIANT.draw, attempt=2, part=0, salt="")
    assert (provider.retried, creator.created) == (0, [(token, 2)])
    assert (drawn.generation, len(drawn.warnings)) == ("g2", 1)
