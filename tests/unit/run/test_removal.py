"""What is deleted at a provider, and what is remembered of it."""

from collections.abc import Collection, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from imagebatch.model.event import Dropped, Event, Observed
from imagebatch.model.generation import DELETED, Entry, Failure, Part, Status
from imagebatch.model.token import lineage_tag
from imagebatch.plan.types import Change
from imagebatch.providers.base import Observation
from imagebatch.run.removal import Removal
from imagebatch.run.trouble import Trouble
from tests.unit.plan.worlds import LINEAGE, entry_of, variant
from tests.unit.run.recorders import Recorder


class Provider:
    """Has one generation until it is deleted; `stuck` never deletes it."""

    def __init__(self, *, token: str, tags: tuple[str, ...] = (), stuck: bool = False) -> None:
        self.token = token
        self.tags = tags
        self.stuck = stuck
        self.there = True

    async def observe(self, generation: str, wire: object) -> Observation | None:
        del wire
        if not self.there:
            return None
        return Observation(generation=generation, state="succeeded", token=self.token, tags=self.tags)

    async def delete(self, generations: Sequence[str], wire: object) -> None:
        del generations, wire
        self.there = self.stuck


async def removed(entry: Entry, *, stuck: bool = False, provider: Provider | None = None) -> list[Event]:
    async def trash(_: Entry, __: Collection[str]) -> tuple[str, ...]:
        return ()

    recorder = Recorder()
    lane: Any = SimpleNamespace(adapter=provider or Provider(token=entry.token, stuck=stuck), wire=None)
    removal = Removal(lineage=LINEAGE, lanes={"studio": lane}, recorder=recorder, trash=trash, listed=lambda _: ())
    change = Change(address="hero", action="delete", reason="removed", entry=entry, released=True)
    ends = await removal.remove([change])
    assert isinstance(ends["hero"], Trouble) == stuck
    return recorder.events


@pytest.mark.parametrize(("status", "remembered"), [("succeeded", "succeeded"), ("pending", "failed")])
async def test_what_we_deleted_is_remembered_as_gone_before_it_leaves_the_lock(
    status: Status, remembered: Status
) -> None:
    entry = entry_of(variant(), status=status)
    learnt, left = await removed(entry)
    assert isinstance(learnt, Observed)
    assert learnt.failure is not None
    assert (learnt.token, learnt.status, learnt.candidates) == (entry.token, remembered, entry.candidates)
    assert (learnt.failure.kind, learnt.failure.provider_code) == ("gone", DELETED)
    assert left == Dropped(address="hero")


async def test_what_is_still_there_or_had_failed_is_not_remembered_as_gone() -> None:
    assert await removed(entry_of(variant()), stuck=True) == []
    failed = entry_of(variant(), status="failed", failure=Failure(kind="provider", message=""))
    assert await removed(failed) == [Dropped(address="hero")]
    several = (Part(token="ib-1", generation="g-1", status="succeeded", candidates=4),)
    assert await removed(entry_of(variant(), parts=several)) == [Dropped(address="hero")]


async def test_what_another_checkout_gave_another_request_leaves_the_lock_and_stays_at_the_provider() -> None:
    provider = Provider(token="ib-other", tags=(lineage_tag(LINEAGE),))
    failed = entry_of(variant(), status="failed", failure=Failure(kind="provider", message=""))
    assert await removed(failed, provider=provider) == [Dropped(address="hero")]
    assert provider.there
    stranger = Provider(token="ib-other", stuck=True)
    assert await removed(failed, stuck=True, provider=stranger) == []
