"""Carrying out a plan: one coroutine for each change, free of each other.

A failure is a value: one variant never stops another. Moves come first, because they free paths; removals come last.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from imagebatch.errors import ImagebatchError, StateError
from imagebatch.model.event import Intended, Kept, Told
from imagebatch.model.generation import RETRIED_BY_LATER_APPLIES, Entry
from imagebatch.model.money import parse_money
from imagebatch.model.recorded import KnownDraw
from imagebatch.model.variant import Variant
from imagebatch.plan.aliases import Aliases
from imagebatch.plan.schedule import schedule
from imagebatch.plan.types import DRAW_ACTIONS, Change, Plan
from imagebatch.run.draw import Drawing
from imagebatch.run.elsewhere import elsewhere
from imagebatch.run.entries import Drawn, adopted_entry, entry_of
from imagebatch.run.files import Handover
from imagebatch.run.lanes import Lane, lane_of
from imagebatch.run.leaving import Recorder
from imagebatch.run.progress import ENDS, Progress, outcome_of
from imagebatch.run.removal import Removal
from imagebatch.run.result import End, Outcome
from imagebatch.run.stop import Stop
from imagebatch.run.trouble import Trouble
from imagebatch.run.upkeep import Upkeep

SPARE_TASKS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """Carries out the changes of one plan; `known` gives what is recorded of a draw fingerprint."""

    lanes: Mapping[str, Lane]
    drawing: Drawing
    upkeep: Upkeep
    removal: Removal
    recorder: Recorder
    aliases: Aliases
    known: Callable[[str], Sequence[KnownDraw]]
    stop: Stop
    tell: Callable[[Told], None]
    handover: Handover = field(default_factory=Handover)
    leaders: dict[str, "asyncio.Future[Entry | None]"] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)
    outcomes: list[Outcome] = field(default_factory=list)

    async def run(self, plan: Plan) -> None:
        """Carry out all changes but the deferred ones; `outcomes` grows as they end, whatever interrupts the rest."""
        for wave in schedule(plan):
            changes = [step.change for step in wave.steps]
            if wave.name == "move":
                self.outcomes.extend(await self._moved(changes))
            elif wave.name == "remove":
                self.outcomes.extend(await self._removed(changes))
            else:
                await self._all(changes)
        self.outcomes.extend([await self._doubted(change) for change in plan.changes if new_doubt(change)])

    async def _moved(self, changes: list[Change]) -> list[Outcome]:
        """One after the other, because a target may be free only once another file has left it.

        Where all of them wait for each other, or for what is drawn later, the first has the other's file give way.
        """
        outcomes: dict[str, Outcome] = {}
        waiting = changes
        while waiting:
            self.handover.waits = True
            blocked = []
            for change in waiting:
                outcomes[change.address] = outcome = await self._one(change)
                if outcome.code == "path.not_ours":
                    blocked.append(change)
            self.handover.waits = False
            if len(blocked) == len(waiting):
                first, *blocked = blocked
                outcomes[first.address] = await self._one(first)
            waiting = blocked
        return list(outcomes.values())

    async def _removed(self, changes: list[Change]) -> list[Outcome]:
        if self.stop.asked:
            return []
        ends = await self.removal.remove(changes)
        outcomes = []
        for change in changes:
            came = ends[change.address]
            if isinstance(came, Trouble):
                outcomes.append(outcome_of(change, Progress(entry=None), "failed", code=came.code, message=str(came)))
            else:
                outcomes.append(outcome_of(change, Progress(entry=None, warnings=list(came)), "done"))
        return outcomes

    async def _all(self, changes: list[Change]) -> None:
        """Run the changes with only so many under way at once that every provider's places are filled."""
        loop = asyncio.get_running_loop()
        for change in changes:
            if change.leader is not None:
                self.leaders.setdefault(change.leader, loop.create_future())
        width = SPARE_TASKS + 2 * sum(lane.settings.max_concurrency for lane in self.lanes.values())
        room = asyncio.Semaphore(width)

        async def one(change: Change) -> None:
            try:
                outcome = await self._one(change)
            finally:
                room.release()
            self.outcomes.append(outcome)
            self.tell(Told(kind="ended", address=change.address, message=outcome.message, data={"end": outcome.end}))

        # Those that share another's draw wait for it, so they must not take the room that it needs.
        ordered = sorted(changes, key=lambda change: change.leader is not None)
        async with asyncio.TaskGroup() as group:
            for change in ordered:
                await room.acquire()
                group.create_task(one(change))

    async def _doubted(self, change: Change) -> Outcome:
        """A doubt that only the journal knew of gets its place in the lock."""
        if change.variant is None or change.known is None:
            raise ValueError(f"{change.address} is in doubt about nothing")
        entry = adopted_entry(change.variant, replace(change.known, status="in_doubt"), change.entry)
        await self.recorder.record(Kept(address=change.address, entry=entry))
        return outcome_of(change, Progress(entry=entry), "in_doubt", code="create.in_doubt", message=change.detail)

    async def _one(self, change: Change) -> Outcome:
        progress = Progress(entry=change.entry)
        try:
            return await self._carried_out(change, progress)
        except ImagebatchError as error:
            end = self._learnt(change, progress, unwritten=isinstance(error, StateError))
            await self._kept_so_far(change, progress)
            return outcome_of(change, progress, end, code=error.code, message=f"{error.summary}: {error.detail}")
        except Trouble as trouble:
            await self._kept_so_far(change, progress)
            return outcome_of(change, progress, "failed", code=trouble.code, message=str(trouble))
        finally:
            leader = self.leaders.get(change.address)
            if leader is not None and not leader.done():
                leader.set_result(progress.entry)

    def _learnt(self, change: Change, progress: Progress, *, unwritten: bool) -> End:
        """How a change ends that an error cut short; a draw that had left by then is taken up as it is recorded."""
        variant = change.variant
        if progress.entry is not change.entry or variant is None or change.action not in DRAW_ACTIONS:
            return "failed"
        recorded = (
            one for one in self.known(variant.draw) if (one.attempt, one.salt) == (change.attempt, variant.salt)
        )
        left = next((one for one in recorded if one.status in {"pending", "in_doubt", "succeeded"}), None)
        if left is None or (change.known is not None and change.known.token == left.token):
            return "failed"
        progress.entry = adopted_entry(variant, left, change.entry)
        progress.paid += [parse_money(text) for text in left.cost]
        # What could not be written down was paid, or may have been: the next run has to find out.
        return "in_doubt" if left.status == "in_doubt" or unwritten else "failed"

    async def _kept_so_far(self, change: Change, progress: Progress) -> None:
        """A draw or purchase whose pictures could not be had yet is in the lock all the same: it was paid for."""
        entry, before = progress.entry, change.entry
        if entry is None or entry is before or change.moved_from is not None:
            return
        if before is None or before.status != "succeeded":
            await self.recorder.record(Kept(address=change.address, entry=entry), durable=False)
        elif before.token == entry.token and _purchases(before) != _purchases(entry):
            kept = replace(before, candidates=entry.candidates, cost=entry.cost)
            await self.recorder.record(Kept(address=change.address, entry=kept), durable=False)

    async def _carried_out(self, change: Change, progress: Progress) -> Outcome:
        variant = change.variant
        if variant is None:
            raise ValueError(f"{change.address} has nothing that is wanted, so {change.action} makes no sense")
        ended = await self._drawn(change, variant, progress)
        if ended is not None:
            return ended
        return await self.upkeep.keep(change, variant, progress)

    # The draw -----------------------------------------------------------------------------------------------------

    async def _drawn(self, change: Change, variant: Variant, progress: Progress) -> Outcome | None:
        """Get the draw that is wanted; an outcome only where that is the end of it."""
        action = change.action
        if change.use:
            progress.entry = await self.upkeep.pictures.with_own(change)
            return None
        known = change.known or (KnownDraw.of_entry(change.entry) if change.entry is not None else None)
        if change.leader is not None and change.known is None:
            return await self._shared(change, variant, progress)
        if action in DRAW_ACTIONS:
            lane = lane_of(self.lanes, variant.provider)
            if change.in_place and known is not None:
                drawn = await self.drawing.retry(variant, lane, change.attempt, known)
            else:
                delivered = known if change.known is not None or action == "retry" else None
                same = delivered is not None and delivered.draw == variant.draw
                same_draw = delivered if same else None
                drawn = await self.drawing.draw(variant, lane, change.attempt, same_draw, gives_up=change.gives_up)
        elif action == "wait" and known is not None:
            wanted = variant.draw
            variant, drawn = await self._waited(change, variant, known)
            if variant.draw != wanted:
                progress.warnings.append("it was asked for before its request changed, which the next apply draws")
        elif action in {"adopt", "share"} and change.known is not None:
            progress.entry = adopted_entry(variant, change.known, change.entry)
            progress.adopted = action == "adopt"
            if change.entry is not None and change.entry.token != change.known.token:
                self.replaced.add(change.address)
            return None
        else:
            return None
        return await self._after_draw(change, variant, drawn, progress)

    async def _waited(self, change: Change, variant: Variant, known: KnownDraw) -> tuple[Variant, Drawn]:
        """Wait for what runs; settle what is in doubt first, and send it only if it is still what is wanted.

        Gives what was drawn with the request that it was drawn for, which may be an earlier one than the wanted.
        """
        same = known.draw == variant.draw
        step = self.drawing.creator.open_steps.get(known.token)
        recorded = _recorded_at(change, variant, known, step)
        alias = self._asked_at(change, variant, known, recorded)
        asked = replace(variant, provider=alias, request=known.request, draw=known.draw, type=known.type)
        lane = lane_of(self.lanes, alias)
        if change.reason != "in_doubt":
            before = replace(asked, provider=recorded)
            drawn = await self.drawing.wait_for(before, lane, known)
            return before if drawn.status == "pending" else asked, drawn
        if step is not None and step.step == "retry":
            settled = await self.drawing.retry_begun(asked, lane, step, send=same)
        elif same and (alias == variant.provider or known.parts):
            settled = await self.drawing.draw(asked, lane, known.attempt, known)
        else:
            settled = await self.drawing.settle(asked, lane, known)
            if settled.code == "create.absent":  # proven there, so that it may be sent where it is wanted now
                return variant, await self.drawing.draw(variant, lane_of(self.lanes, variant.provider), change.attempt)
        if same or settled.status is not None:
            return asked, settled
        return variant, await self.drawing.draw(variant, lane_of(self.lanes, variant.provider), change.attempt)

    def _asked_at(self, change: Change, variant: Variant, known: KnownDraw, recorded: str) -> str:
        """The alias to ask about a draw that was asked of `recorded`; today's where that one was renamed."""
        alias = self.aliases.asked_at(recorded, known.type, variant.provider)
        if alias == recorded or known.type == variant.type:
            return alias
        raise elsewhere(self.aliases, recorded=recorded, kind=known.type, address=change.address, status="pending")

    async def _after_draw(self, change: Change, variant: Variant, drawn: Drawn, progress: Progress) -> Outcome | None:
        progress.adopted = drawn.adopted
        progress.warnings += drawn.warnings
        progress.paid += [parse_money(text) for text in drawn.paid]
        if drawn.status is None:
            return outcome_of(change, progress, "unsent", code=drawn.code, message=drawn.message)
        if drawn.status == "succeeded":
            before = change.entry
            progress.entry = _as_labelled(change, variant, entry_of(variant, drawn, before))
            await self._replaced(change, variant, progress.entry)
            return None
        if change.entry is None or change.entry.status != "succeeded":
            progress.entry = _as_labelled(change, variant, entry_of(variant, drawn, change.entry))
            await self.recorder.record(Kept(address=change.address, entry=progress.entry))
        # Otherwise the old picture stays current; the draw index remembers what was learnt of the new one.
        message = drawn.message or (drawn.failure.message if drawn.failure is not None else "")
        code = drawn.code or (drawn.failure.code if drawn.failure is not None else drawn.status)
        end = "failed" if drawn.status == "pending" and drawn.code is not None else ENDS[drawn.status]
        outcome = outcome_of(change, progress, end, code=code, message=message)
        failure = drawn.failure
        return replace(
            outcome, refused=end == "failed" and failure is not None and failure.kind in RETRIED_BY_LATER_APPLIES
        )

    async def _replaced(self, change: Change, variant: Variant, now: Entry) -> None:
        """The address has another draw now; the last to leave a generation may have it deleted."""
        before = change.entry
        if before is None or before.token == now.token or before.generation == now.generation:
            return  # one that was started anew under its id is no other generation
        self.replaced.add(change.address)
        left = self.replaced.issuperset(change.held_by)
        if variant.policy.on_replace == "delete" and before.generation is not None and left:
            lane, before = await self.upkeep.account(variant, before)
            await self.removal.delete_generation(lane.alias, before)

    async def _shared(self, change: Change, variant: Variant, progress: Progress) -> Outcome | None:
        leader = await self.leaders[change.leader or ""]
        if leader is None or leader.status != "succeeded" or leader.draw != variant.draw:
            message = f"shares the draw of {change.leader}, which has no picture yet"
            return outcome_of(change, progress, "unsent", code="share.waiting", message=message)
        progress.entry = adopted_entry(variant, KnownDraw.of_entry(leader), change.entry)
        await self._replaced(change, variant, progress.entry)
        return None


def _purchases(entry: Entry) -> list[str | None]:
    return [one.bought.resolution if one.bought is not None else None for one in entry.candidates]


def new_doubt(change: Change) -> bool:
    """Whether the journal knows of a doubt that the lock does not show yet; beside a picture the lock has no room."""
    if change.action != "keep" or change.reason != "in_doubt" or change.known is None or change.variant is None:
        return False
    entry = change.entry
    if entry is None or entry.status in {"failed", "blocked"}:
        return True
    return entry.status == "in_doubt" and entry.token != change.known.token  # it was sent again since


def _recorded_at(change: Change, variant: Variant, known: KnownDraw, step: Intended | None) -> str:
    """The alias of the provider that a draw was asked of, as far as anything tells it."""
    entry = change.entry
    in_lock = entry.provider if entry is not None and entry.token == known.token else variant.provider
    return step.provider if step is not None else known.provider or in_lock


def _as_labelled(change: Change, variant: Variant, entry: Entry) -> Entry:
    """The entry with the labels that its generation has: those of before, where this run did not send it any."""
    before = change.entry
    if before is None or before.generation is None or before.generation != entry.generation:
        return entry
    sent = change.in_place and before.draw != variant.draw  # a changed request is updated together with its labels
    return entry if sent else replace(entry, labels=before.labels)
