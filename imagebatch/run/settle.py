"""Settling: what a provider's listing and billing records say of our tokens, before anything is paid."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from imagebatch.http.clock import Clock
from imagebatch.model.token import TOKEN_PATTERN
from imagebatch.model.wire import BadAnswer, OutcomeLost, Unreachable
from imagebatch.providers.base import CanList, Observation
from imagebatch.run.lanes import Lane

PAGE_SIZE = 100
MAX_PAGES = 200
READINGS = 3


class ListingFailed(Exception):
    """A provider's listing could not be read whole, so nothing can be concluded from it. The text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """All generations that carry the project's tag: by token, and those beyond the first with a token of theirs."""

    by_token: Mapping[str, Observation]
    duplicates: Mapping[str, tuple[Observation, ...]] = field(default_factory=dict)


async def read_listing(lane: Lane, tag: str) -> Listing:
    """Page through everything that carries `tag`.

    Raises ListingFailed where a page repeats, pages never end, or an answer makes no sense: then absence means nothing.
    """
    adapter = lane.adapter
    if not isinstance(adapter, CanList):
        raise TypeError(f"provider {lane.alias} cannot list")
    seen: dict[str, Observation] = {}
    offset = 0
    for _ in range(MAX_PAGES):
        try:
            page = await adapter.list_page(tag, offset, PAGE_SIZE, lane.wire)
        except (BadAnswer, Unreachable, OutcomeLost) as error:
            raise ListingFailed(f"the listing of {lane.alias} cannot be read: {error}") from error
        fresh = [one for one in page.observations if one.generation not in seen]
        if page.observations and not fresh:
            raise ListingFailed(f"the listing of {lane.alias} repeats a page at offset {offset}")
        seen.update((one.generation, one) for one in fresh)
        offset += len(page.observations)
        if not page.observations or (page.total is not None and offset >= page.total):
            return _by_token(seen.values())
    raise ListingFailed(f"the listing of {lane.alias} has more than {MAX_PAGES} pages of {PAGE_SIZE}")


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
    """One listing for each lane and run, read when it is first needed, and again where doubt asks for it."""

    def __init__(self, tag: str, clock: Clock) -> None:
        self._tag = tag
        self._clock = clock
        self._read: dict[str, asyncio.Task[Listing]] = {}

    async def first(self, lane: Lane) -> Listing:
        """The listing read before this lane's first create; raises ListingFailed."""
        task = self._read.get(lane.alias)
        if task is None:
            task = self._read[lane.alias] = asyncio.create_task(read_listing(lane, self._tag))
        return await asyncio.shield(task)

    async def find(self, lane: Lane, token: str) -> Observation | None:
        """Look for `token` through the whole consistency window: None only after three readings without it.

        Raises ListingFailed where no reading succeeded at the end of the window.
        """
        pause = lane.settings.consistency_window_s / READINGS
        failed: ListingFailed | None = None
        for _ in range(READINGS):
            await self._clock.sleep(pause)
            try:
                found = (await read_listing(lane, self._tag)).by_token.get(token)
            except ListingFailed as error:
                failed = error
                continue
            failed = None
            if found is not None:
                return found
        if failed is not None:
            raise failed
        return None
