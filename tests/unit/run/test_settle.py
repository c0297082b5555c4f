"""Reading a listing whole, or knowing that it was not."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from imagebatch.model.wire import BadAnswer, Unreachable
from imagebatch.providers.base import Observation, Page
from imagebatch.run.lanes import Lane
from imagebatch.run.settle import MAX_PAGES, ListingFailed, read_listing


class _Lister:
    """Answers listings by a function of the offset."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[int] = []

    async def list_page(self, tag: str | None, offset: int, limit: int, wire: object) -> Page:
        del tag, limit, wire
        self.asked.append(offset)
        page: Page = self.answer(offset)
        return page


def _one(name: str) -> Observation:
    return Observation(generation=name, state="pending")


async def _failure(answer: Any) -> tuple[str, int]:
    lister = _Lister(answer)
    lane = cast("Lane", SimpleNamespace(alias="studio", adapter=lister, wire=None))
    with pytest.raises(ListingFailed) as caught:
        await read_listing(lane, "ibl-x")
    return caught.value.code, len(lister.asked)


async def test_a_page_that_repeats_ends_the_reading_at_once() -> None:
    assert await _failure(lambda _: Page(observations=(_one("a"),), total=300)) == ("provider.pagination", 2)


async def test_pages_without_end_are_given_up() -> None:
    found = await _failure(lambda offset: Page(observations=(_one(f"g{offset}"),), total=10**9))
    assert found == ("provider.pagination", MAX_PAGES)


@pytest.mark.parametrize(
    ("error", "code"),
    [(BadAnswer("no prints"), "provider.bad_response"), (Unreachable("no answer"), "provider.unreachable")],
)
async def test_the_code_says_whether_the_answer_was_nonsense_or_never_came(error: Exception, code: str) -> None:
    def answer(_: int) -> Page:
        raise error

    assert (await _failure(answer))[0] == code
