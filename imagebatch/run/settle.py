"""Settling: what a provider's listing and billing records say of our tokens, before anything is paid."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from imagebatch.http.clock import Clock
from imagebatch.model.token import TOKEN_PATTERN
from imagebatch.model.wire import BadAnswer, OutcomeLost, Unreachable
from imagebatch.providers.base import CanList, Observation, Page
from imagebatch.run.lanes import Lane

PAGE_SIZE = 100
MAX_PAGES = 200
READINGS = 3
SPARE_ON_A_PAGE = 10
BARREN_PAGES = 2
REMEMBERED_READS = 20


class ListingFailed(Exception):
    """A provider's listing could not be read whole, so nothing can be concluded from it. The text says why.

    `code` is `provider.pagination` where its pages make no sense, `provider.bad_response` where an answer does not,
    `provider.auth` where the key is refused, `provider.redirect` where another address is named, and
    `provider.unreachable` where no answer came.
    """

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All generations that carry the project's tag: by token, and those beyond the first with a token of theirs."""

    by_token: Mapping[str, Observation]
    duplicates: Mapping[str, tuple[Observation, ...]] = field(default_factory=dict)


Seen: TypeAlias = Callable[[Lane, Listing], None]


async def read_listing(lane: Lane, tag: str) -> Listing:
    """Page through everything that carries `tag`.

    Raises ListingFailed where a page repeats, pages never end, or an answer makes no sense: then absence means nothing.
    """
    seen: dict[str, Observation] = {}
    offset = 0
    for _ in range(MAX_PAGES):
        page = await _page(lane, tag, offset, PAGE_SIZE)
        fresh = [one for one in page.observations if one.generation not in seen]
        if page.observations and not fresh:
            text = f"the listing of {lane.alias} repeats a page at offset {offset}"
            raise ListingFailed(text, "provider.pagination")
        seen.update((one.generation, one) for one in fresh)
        offset += len(page.observations)
        if not page.observations or (page.total is not None and offset >= page.total):
            return _by_token(seen.values())
    text = f"the listing of {lane.alias} has more than {MAX_PAGES} pages of {PAGE_SIZE}"
    raise ListingFailed(text, "provider.pagination")


async def _page(lane: Lane, tag: str, offset: int, limit: int) -> Page:
    adapter = lane.adapter
    if not isinstance(adapter, CanList):
        raise TypeError(f"provider {lane.alias} cannot list")
    try:
        return await adapter.list_page(tag, offset, limit, lane.wire)
    except (BadAnswer, Unreachable, OutcomeLost) as error:
        text = f"the listing of {lane.alias} cannot be read: {error}"
        raise ListingFailed(text, code_of_read(error)) from error


def code_of_read(error: BadAnswer | Unreachable | OutcomeLost) -> str:
    """The code of a read that brought nothing of use."""
    return Unreachable.code if isinstance(error, OutcomeLost) else error.code


class RecentListing:
    """Looks a few new generations up in a listing without reading all of it.

    No provider says in which order it lists. What was just created stands at one end, though: the pages there are read
    until everything is found or two in a row bring nothing. Which end that is shows when something is found at the last
    page of a listing whose first page had nothing. Absence here proves nothing; `read_listing` does.
    """

    def __init__(self, lane: Lane, tag: str) -> None:
        self._lane = lane
        self._tag = tag
        self._newest_last = False
        self._newest_first = False
        # Until the first reading tells more: as many may stand above what is looked for as can be under way.
        self._reaches = deque([lane.settings.max_concurrency], maxlen=REMEMBERED_READS)

    async def read(self, tokens: Collection[str]) -> Mapping[str, Observation]:
        """What the listing shows of these tokens, as far as it is found at its new end.

        Raises ListingFailed where a page cannot be read.
        """
        wanted = set(tokens)
        found: dict[str, Observation] = {}
        limit = 1 if self._newest_last else min(PAGE_SIZE, max(len(wanted), *self._reaches, 0) + SPARE_ON_A_PAGE)
        page = await self._page(0, limit)
        count = len(page.observations)
        self._reaches.append(_deepest(page, 0, wanted))
        brought = _matching(page, wanted, found)
        self._newest_first = self._newest_first or (brought > 0 and not self._newest_last)
        if not wanted:
            return found
        if page.total is not None and page.total > count and not self._newest_first:
            await self._from_the_end(page.total, count, wanted, found)
        if not self._newest_last:
            await self._onward(page, wanted, found, barren=not brought)
        return found

    async def _from_the_end(self, total: int, seen: int, wanted: set[str], found: dict[str, Observation]) -> None:
        start, brought = total, 1
        while wanted and brought and start > seen:
            start = max(seen, start - PAGE_SIZE)
            brought = _matching(await self._page(start, PAGE_SIZE), wanted, found)
            self._newest_last = self._newest_last or (brought > 0 and start > seen)

    async def _onward(self, page: Page, wanted: set[str], found: dict[str, Observation], *, barren: bool) -> None:
        offset, count, barren_pages = len(page.observations), len(page.observations), int(barren)
        while wanted and barren_pages < BARREN_PAGES and count and (page.total is None or offset < page.total):
            page = await self._page(offset, PAGE_SIZE)
            count = len(page.observations)
            self._reaches.append(_deepest(page, offset, wanted))
            offset += count
            barren_pages = 0 if _matching(page, wanted, found) else barren_pages + 1

    async def _page(self, offset: int, limit: int) -> Page:
        return await _page(self._lane, self._tag, offset, limit)


def _deepest(page: Page, offset: int, wanted: Collection[str]) -> int:
    """How far down the listing the last of them stands: newer ones push them there, and a second page costs a round."""
    return max((at for at, one in enumerate(page.observations, offset + 1) if one.token in wanted), default=0)


def _matching(page: Page, wanted: set[str], found: dict[str, Observation]) -> int:
    """Move what a page shows of the wanted tokens to `found`; how many that are."""
    before = len(found)
    for one in page.observations:
        if one.token in wanted:
            found[one.token] = one
            wanted.discard(one.token)
    return len(found) - before


def _by_token(observations: Iterable[Observation]) -> Listing:
    found: dict[str, list[Observation]] = {}
    for one in observations:
        if one.token is not None and TOKEN_PATTERN.fullmatch(one.token):
            found.setdefault(one.token, []).append(one)
    best = {token: min(ones, key=_worth) for token, ones in found.items()}
    spare = {
        token: tuple(one for one in ones if one is not best[token]) for token, ones in found.items() if len(ones) > 1
    }
    return Listing(by_token=best, duplicates=spare)


def _worth(one: Observation) -> int:
    return {"succeeded": 0, "pending": 1, "failed": 2, "blocked": 3}[one.state]


class Listings:
    """One listing for each lane and run, read when it is first needed, and again where doubt asks for it.

    `seen` is shown every whole listing.
    """

    def __init__(self, tag: str, clock: Clock, seen: Seen = lambda *_: None) -> None:
        self._tag = tag
        self._clock = clock
        self._seen = seen
        self._read: dict[str, asyncio.Task[Listing]] = {}

    async def first(self, lane: Lane) -> Listing:
        """The listing read before this lane's first create; raises ListingFailed."""
        task = self._read.get(lane.alias)
        if task is None:
            task = self._read[lane.alias] = asyncio.create_task(self._listed(lane))
        return await asyncio.shield(task)

    async def _listed(self, lane: Lane) -> Listing:
        listing = await read_listing(lane, self._tag)
        self._seen(lane, listing)
        return listing

    async def find(self, lane: Lane, token: str) -> Observation | None:
        """Look for `token` through the whole consistency window: None only after three readings without it.

        A reading that fails is made up for at the end of the window. Raises ListingFailed where the third fails: then
        nothing is concluded from what the others did not show.
        """
        pause = lane.settings.consistency_window_s / READINGS
        failures = agreeing = 0
        while agreeing < READINGS:
            await self._clock.sleep(pause)
            try:
                found = (await self._listed(lane)).by_token.get(token)
            except ListingFailed:
                failures += 1
                if failures == READINGS:
                    raise
                continue
            if found is not None:
                return found
            agreeing += 1
        return None
