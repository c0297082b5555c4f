"""Looking new generations up at the end of a listing where they stand."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from imagebatch.model.wire import BadAnswer, KeyRefused, Redirected, Unreachable
from imagebatch.providers.base import Observation, Page
from imagebatch.run.settle import SPARE_ON_A_PAGE, ListingFailed, RecentListing


class Shelf:
    """A listing of numbered generations in a fixed order; `total` may be kept secret."""

    def __init__(self, numbers: Sequence[int], *, tells_total: bool = True) -> None:
        self.numbers = list(numbers)
        self.tells_total = tells_total
        self.pages: list[tuple[int, int]] = []

    async def list_page(self, tag: str | None, offset: int, limit: int, wire: object) -> Page:
        del tag, wire
        self.pages.append((offset, limit))
        shown = tuple(
            Observation(generation=f"g{number}", state="succeeded", token=f"t{number}")
            for number in self.numbers[offset : offset + limit]
        )
        return Page(observations=shown, total=len(self.numbers) if self.tells_total else None)


def listing(shelf: object, *, at_once: int = 1) -> RecentListing:
    settings = SimpleNamespace(max_concurrency=at_once)
    lane: Any = SimpleNamespace(alias="studio", adapter=shelf, wire=None, settings=settings)
    return RecentListing(lane, "ibl-x")


def tokens(numbers: Sequence[int]) -> set[str]:
    return {f"t{number}" for number in numbers}


async def test_newest_first_takes_one_small_page() -> None:
    shelf = Shelf(range(999, -1, -1))
    found = await listing(shelf).read(tokens(range(990, 1000)))
    assert set(found) == tokens(range(990, 1000))
    assert shelf.pages == [(0, 10 + SPARE_ON_A_PAGE)]


async def test_the_first_page_has_room_for_as_many_newer_ones_as_can_be_under_way() -> None:
    shelf = Shelf(range(999, -1, -1))
    assert set(await listing(shelf, at_once=50).read(tokens(range(950, 960)))) == tokens(range(950, 960))
    assert shelf.pages == [(0, 50 + SPARE_ON_A_PAGE)]


async def test_newest_last_is_learnt_and_then_read_from_that_end() -> None:
    shelf = Shelf(range(1000))
    recent = listing(shelf)
    assert set(await recent.read(tokens(range(990, 1000)))) == tokens(range(990, 1000))
    shelf.pages.clear()
    await recent.read(tokens(range(995, 1000)))
    assert shelf.pages == [(0, 1), (900, 100)]


async def test_more_than_a_page_of_them_is_read_page_by_page() -> None:
    shelf = Shelf(range(999, -1, -1))
    wanted = tokens(range(750, 1000))
    assert set(await listing(shelf).read(wanted)) == wanted
    assert len(shelf.pages) == 3


async def test_what_is_not_listed_does_not_have_the_whole_listing_read() -> None:
    shelf = Shelf(range(5000, 0, -1))
    found = await listing(shelf).read({"t4999", "nowhere"})
    assert set(found) == {"t4999"}
    assert len(shelf.pages) == 3


async def test_without_a_total_the_pages_are_read_until_one_brings_nothing() -> None:
    shelf = Shelf(range(400, 0, -1), tells_total=False)
    found = await listing(shelf).read({"t400", "t1"})
    assert set(found) == {"t400"}
    assert len(shelf.pages) == 3


async def test_a_short_listing_that_is_read_to_its_end_teaches_nothing_about_its_order() -> None:
    shelf = Shelf(range(60, 0, -1))
    recent = listing(shelf)
    assert set(await recent.read({"t5"})) == {"t5"}
    shelf.numbers = list(range(600, 0, -1))
    shelf.pages.clear()
    assert set(await recent.read({"t600"})) == {"t600"}
    assert shelf.pages == [(0, 1 + SPARE_ON_A_PAGE)]


async def test_those_that_newer_ones_have_pushed_off_the_first_page_are_found() -> None:
    shelf = Shelf(range(999, -1, -1))
    recent = listing(shelf)
    await recent.read({"t999"})
    assert set(await recent.read({"t930"})) == {"t930"}


async def test_a_page_is_as_long_as_newer_ones_have_pushed_them_down_lately() -> None:
    shelf = Shelf(range(999, -1, -1))
    recent = listing(shelf)
    await recent.read(tokens(range(990, 950, -5)))
    shelf.pages.clear()
    assert set(await recent.read(tokens(range(990, 950, -5)))) == tokens(range(990, 950, -5))
    assert shelf.pages == [(0, 45 + SPARE_ON_A_PAGE)]
    for _ in range(30):
        await recent.read({"t999"})
    assert shelf.pages[-1] == (0, 1 + SPARE_ON_A_PAGE)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unreachable("503"), "provider.unreachable"),
        (KeyRefused("401"), "provider.auth"),
        (Redirected("302"), "provider.redirect"),
        (BadAnswer("no list"), "provider.bad_response"),
    ],
)
async def test_a_page_that_cannot_be_read_is_said_and_concludes_nothing(error: Exception, code: str) -> None:
    class Broken:
        async def list_page(self, *_: object) -> Page:
            raise error

    with pytest.raises(ListingFailed, match=str(error)) as failed:
        await listing(Broken()).read({"t1"})
    assert failed.value.code == code
