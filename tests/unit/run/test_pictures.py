"""What is asked again of a generation whose pictures could not be had."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from imagebatch.errors import RefusedError
from imagebatch.model.event import Fetched, Observed
from imagebatch.model.generation import Candidate, Entry, Failure, PictureFacts
from imagebatch.providers.base import Observation, Offer, Refused
from imagebatch.run.looking import Looking
from imagebatch.run.pictures import Pictures
from imagebatch.run.trouble import Trouble
from imagebatch.run.turns import Turns
from tests.unit.plan.worlds import variant
from tests.unit.run.recorders import Recorder

HERO: Any = SimpleNamespace(address="hero")  # no more of it is read
NOTHING = Failure(kind="no_images", message="the generation is done and offers no images")


class Provider:
    """Gives one answer to whoever asks."""

    def __init__(self, answer: Observation | None) -> None:
        self.answer = answer

    async def observe(self, generation: str, wire: object) -> Observation | None:
        del generation, wire
        return self.answer


def failed(**changes: Any) -> Entry:
    values: dict[str, Any] = {
        "provider": "studio", "type": "all-images", "draw": "sha256:d", "request": "{}", "labels": "sha256:l",
        "attempt": 1, "token": "ib-1", "generation": "g1", "status": "failed", "failure": NOTHING, **changes,
    }  # fmt: skip
    return Entry(**values)


def asking(answer: Observation | None) -> tuple[Pictures, Recorder, Any]:
    recorder = Recorder()
    nothing: Any = None
    pictures = Pictures(
        store=nothing, workers=nothing, recorder=recorder, looking=Looking(recorder=recorder), tell=lambda _: None,
        turns=Turns(), lacking=lambda: None,
    )  # fmt: skip
    return pictures, recorder, SimpleNamespace(alias="studio", adapter=Provider(answer), wire=None)


async def test_a_generation_that_still_offers_no_picture_stays_failed() -> None:
    still = Observation(generation="g1", state="failed", failure=NOTHING)
    pictures, recorder, lane = asking(still)
    assert await pictures.asked_again(HERO, lane, failed()) == failed()
    assert recorder.events == []


async def test_a_generation_that_offers_pictures_by_now_is_fetched_and_written_down() -> None:
    offers = (Offer(id="a1", url="https://x.example/a1.jpg"), Offer(id="a2", url="https://x.example/a2.jpg"))
    pictures, recorder, lane = asking(Observation(generation="g1", state="succeeded", offers=offers))
    entry = await pictures.asked_again(HERO, lane, failed())
    assert (entry.status, entry.failure) == ("succeeded", None)
    assert [one.id for one in entry.candidates] == ["a1", "a2"]
    assert [type(event).__name__ for event in recorder.events] == ["Observed"]


async def test_candidates_that_are_known_are_fetched_without_a_question() -> None:
    pictures, _, lane = asking(None)
    entry = await pictures.asked_again(HERO, lane, failed(candidates=(Candidate(id="a1"),)))
    assert entry.status == "succeeded"


async def test_a_generation_that_was_gone_and_is_being_drawn_after_all_is_waited_for() -> None:
    running = Observation(generation="g1", state="pending")
    pictures, recorder, lane = asking(running)
    gone = failed(failure=Failure(kind="gone", message="the provider no longer knows generation g1"))
    entry = await pictures.asked_again(HERO, lane, gone)
    assert (entry.status, entry.failure) == ("pending", None)
    assert await pictures.asked_again(HERO, lane, failed()) == failed()
    assert recorder.events == []


async def test_a_generation_that_is_gone_is_told_as_trouble() -> None:
    pictures, recorder, lane = asking(None)
    with pytest.raises(Trouble, match="no longer knows"):
        await pictures.asked_again(HERO, lane, failed())
    assert recorder.events == []


DRAWN: dict[str, Any] = {"status": "succeeded", "failure": None, "candidates": (Candidate(id="a1"),)}


async def test_that_a_generation_is_gone_is_written_down_when_its_pictures_are_fetched() -> None:
    pictures, recorder, lane = asking(None)
    for fetching in (
        pictures.fetch(HERO, lane, failed(**DRAWN), [1]),
        pictures.asked_again(HERO, lane, failed(**DRAWN)),
    ):
        with pytest.raises(Trouble, match="no longer knows"):
            await fetching
    (learnt, again) = recorder.events
    assert isinstance(learnt, Observed)
    assert (learnt.status, learnt.failure and learnt.failure.kind, learnt) == ("succeeded", "gone", again)


async def test_one_picture_that_cannot_be_had_leaves_the_others_to_come_and_be_written_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pictures, recorder, lane = asking(None)
    facts = PictureFacts(sha256="1" * 64, width=1, height=1, media_type="image/png", bytes=1)

    async def fetched(self: Pictures, variant: Any, lane: Any, entry: Entry, index: int) -> PictureFacts:
        del self, variant, lane, entry
        if index == 1:
            raise Trouble("picture.unavailable", "its link is dead")
        await asyncio.sleep(0)  # it comes after the other has failed
        return facts

    monkeypatch.setattr(Pictures, "_fetched", fetched)
    two = failed(**DRAWN | {"candidates": (Candidate(id="a1"), Candidate(id="a2"))})
    with pytest.raises(Trouble, match="dead"):
        await pictures.fetch(HERO, lane, two, [1, 2])
    assert recorder.events == [Fetched(token="ib-1", index=2, facts=facts)]


async def test_a_generation_that_was_gone_and_is_there_after_all_is_written_down_too() -> None:
    pictures, recorder, lane = asking(Observation(generation="g1", state="succeeded", offers=(Offer(id="a1"),)))
    assert await pictures.asked_again(HERO, lane, failed(**DRAWN)) == failed(**DRAWN)
    assert recorder.events == [Observed(token="ib-1", status="succeeded", candidates=(Candidate(id="a1"),))]


@pytest.mark.parametrize("there", [True, False])
async def test_an_image_that_is_not_sold_any_more_may_be_of_a_generation_that_is_gone(*, there: bool) -> None:
    class Shop(Provider):
        async def buy(self, generation: str, candidate: str, resolution: str, wire: object) -> Refused:
            del generation, candidate, resolution, wire
            return Refused(failure=Failure(kind="gone", message="image a1 is not known (404)"))

    pictures, recorder, lane = asking(None)
    lane.adapter = Shop(Observation(generation="g1", state="succeeded") if there else None)
    wanted: Any = variant(policy={"resolution": "full"})
    with pytest.raises(Trouble, match="a1 is not known" if there else "generation g1"):
        await pictures.buy(wanted, lane, failed(**DRAWN, picked=(1,)), lambda *_: None)
    names = [type(event).__name__ for event in recorder.events]
    assert names == ["Intended", "Refused", *([] if there else ["Observed"])]


async def test_nothing_is_bought_while_the_disk_has_no_room() -> None:
    pictures, recorder, lane = asking(None)

    class Shop(Provider):
        async def buy(self, *_: object) -> Refused:
            raise AssertionError("nothing may be asked for")

    lane.adapter = Shop(None)
    full = replace(pictures, lacking=lambda: "3 MiB are free")
    wanted: Any = variant(policy={"resolution": "full"})
    with pytest.raises(Trouble, match="not bought: 3 MiB are free") as caught:
        await full.buy(wanted, lane, failed(**DRAWN, picked=(1,)), lambda *_: None)
    assert (caught.value.code, recorder.events) == ("disk.low", [])


async def test_nothing_is_bought_that_other_machines_do_not_know_of() -> None:
    pictures, recorder, lane = asking(None)

    class Shop(Provider):
        async def buy(self, *_: object) -> Refused:
            raise AssertionError("it was bought")

    async def cleared() -> None:
        raise RefusedError("lost", "By another.", code="lock.lost")

    lane.adapter = Shop(None)
    wanted: Any = variant(policy={"resolution": "full"})
    with pytest.raises(Trouble, match="not bought") as caught:
        await replace(pictures, cleared=cleared).buy(wanted, lane, failed(**DRAWN, picked=(1,)), lambda *_: None)
    assert caught.value.code == "lock.lost"
    assert [type(event).__name__ for event in recorder.events] == ["Intended", "Refused"]
