"""What is no longer wanted: outputs to the trash, generations deleted where the policy says so.

Order matters for crashes: the provider's copy first, then our files, then the lock. Each of these may be repeated.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from imagebatch.errors import OutputError
from imagebatch.model.event import Dropped
from imagebatch.model.generation import DELETED, Entry, Failure
from imagebatch.model.token import lineage_tag
from imagebatch.model.wire import BadAnswer, NotSent, OutcomeLost, Unreachable
from imagebatch.plan.types import Change
from imagebatch.providers.base import CanDelete, CanList, CanObserve, Observation
from imagebatch.run.entries import gone_since
from imagebatch.run.lanes import Lane
from imagebatch.run.leaving import Recorder
from imagebatch.run.poll import is_taken_over
from imagebatch.run.settle import ListingFailed, read_listing
from imagebatch.run.trouble import Trouble

FEW = 4
_DELETED = Failure(kind="gone", message="it was deleted at the provider", provider_code=DELETED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """Removes addresses.

    `trash` moves an entry's own, unedited outputs away, but for paths that it is given, and tells where something
    stays; `listed` has the paths that the lock lists for others than the addresses that it is given.
    """

    lineage: str
    lanes: Mapping[str, Lane]
    recorder: Recorder
    trash: Callable[[Entry, Collection[str]], Awaitable[tuple[str, ...]]]
    listed: Callable[[Collection[str]], Collection[str]]

    async def remove(self, changes: Sequence[Change]) -> Mapping[str, Trouble | tuple[str, ...]]:
        """Remove all of `changes`; by address what went wrong, else what is to be said. One stops no other."""
        ends: dict[str, Trouble | None] = {change.address: None for change in changes}
        deletions: dict[str, list[Change]] = {}
        for change in changes:
            entry = change.entry
            if change.action == "delete" and change.released and entry is not None and entry.generation is not None:
                deletions.setdefault(entry.provider, []).append(change)
        for alias, wanted in deletions.items():
            ends.update(await self._delete_at(alias, wanted))
        going = [change for change in changes if ends[change.address] is None]
        beside = self.listed({change.address for change in going}) if going else ()
        left = {change.address: await self._left(change, beside) for change in going}
        return {address: left[address] if trouble is None else trouble for address, trouble in ends.items()}

    async def _left(self, change: Change, beside: Collection[str]) -> Trouble | tuple[str, ...]:
        if change.entry is None:
            return ()
        try:
            stay = await self.trash(change.entry, beside)
        except OutputError as error:
            return Trouble(error.code, f"{error.summary}: {error.detail}")
        await self.recorder.record(Dropped(address=change.address))
        return tuple(f"{path} stays: it is not what the lock listed there" for path in stay)

    async def delete_generation(self, alias: str, entry: Entry) -> None:
        """Delete one generation that another one replaced; raises Trouble where it is still there."""
        if entry.generation is not None:
            trouble = await self._deleted(alias, {entry.generation: entry})
            for one in trouble.values():
                raise one

    async def _delete_at(self, alias: str, changes: Sequence[Change]) -> Mapping[str, Trouble | None]:
        wanted: dict[str, Entry] = {}
        for change in changes:
            if change.entry is not None and change.entry.generation is not None:
                wanted[change.entry.generation] = change.entry
        troubles = await self._deleted(alias, wanted)
        return {
            change.address: troubles.get(change.entry.generation or "") if change.entry is not None else None
            for change in changes
        }

    async def _deleted(self, alias: str, entries: Mapping[str, Entry]) -> Mapping[str, Trouble]:
        """Delete generations that carry their token; troubles by generation. The answer to a delete proves nothing.

        One that another checkout gave another request is no more of what is removed here, so it stays without trouble.
        """
        lane, wanted = self.lanes.get(alias), {one: entry.token for one, entry in entries.items()}
        if lane is None:
            gone = Trouble(
                "provider.unknown", f"the provider {alias} is no longer declared, so nothing can be deleted there"
            )
            return dict.fromkeys(wanted, gone)
        adapter = lane.adapter
        if not isinstance(adapter, CanDelete):
            return {}
        try:
            there = await self._there(lane, wanted)
            kept = [one for one, found in there.items() if is_taken_over(found, wanted[one], self._tag)]
            troubles = {
                one: Trouble("delete.not_ours", f"generation {one} does not carry our token; it was not deleted")
                for one, found in there.items()
                if found.token != wanted[one] and one not in kept
            }
            ours = [one for one in wanted if one in there and one not in troubles and one not in kept]
            if ours:
                await adapter.delete(ours, lane.wire)
                for one in await self._there(lane, ours):
                    text = f"generation {one} is still there after it was deleted"
                    troubles[one] = Trouble("provider.delete_partial", text)
        except (Unreachable, OutcomeLost, NotSent, BadAnswer, ListingFailed) as error:
            unreachable = Trouble("provider.unreachable", f"nothing was deleted at {alias}: {error}")
            return dict.fromkeys(wanted, unreachable)
        for one, entry in entries.items():
            learnt = gone_since(entry, _DELETED) if one not in troubles and one not in kept else None
            if learnt is not None:
                await self.recorder.record(learnt)
        return troubles

    @property
    def _tag(self) -> str:
        return lineage_tag(self.lineage)

    async def _there(self, lane: Lane, wanted: Collection[str]) -> dict[str, Observation]:
        """Those of the generations that exist, by id."""
        if isinstance(lane.adapter, CanList) and len(wanted) > FEW:
            listing = await read_listing(lane, self._tag)
            listed = {one.generation: one for one in listing.by_token.values() if one.generation in wanted}
            missing = [one for one in wanted if one not in listed]
        else:
            listed, missing = {}, list(wanted)
        if isinstance(lane.adapter, CanObserve):
            for generation in missing:
                found = await lane.adapter.observe(generation, lane.wire)
                if found is not None:
                    listed[generation] = found
        return listed
