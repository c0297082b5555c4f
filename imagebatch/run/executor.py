"""Carrying out a plan: one coroutine for each change, free of each other.

A failure is a value: one variant never stops another. Moves come first, because they free paths; removals come last.
"""

import asyncio
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from imagebatch.errors import ImagebatchError
from imagebatch.model.event import Dropped, Intended, Kept, Told
from imagebatch.model.generation import RETRIED_BY_LATER_APPLIES, Entry, Status
from imagebatch.model.money import Money, parse_money
from imagebatch.model.picks import Picks
from imagebatch.model.recorded import KnownDraw
from imagebatch.model.variant import Variant
from imagebatch.plan.picking import wanted_picks
from imagebatch.plan.schedule import schedule
from imagebatch.plan.types import DRAW_ACTIONS, Action, Change, Plan
from imagebatch.run.draw import Drawing
from imagebatch.run.ends import doubted_tokens
from imagebatch.run.entries import Drawn, adopted_entry, entry_of, with_labels, with_outputs
from imagebatch.run.files import Files
from imagebatch.run.labels import update_labels
from imagebatch.run.lanes import Lane
from imagebatch.run.leaving import Recorder
from imagebatch.run.pictures import Pictures
from imagebatch.run.removal import Removal
from imagebatch.run.result import End, Outcome
from imagebatch.run.stop import Stop
from imagebatch.run.trouble import Trouble

SPARE_TASKS = 24

_ENDS: dict[Status, End] = {
    "pending": "pending",
    "failed": "failed",
    "blocked": "blocked",
    "in_doubt": "in_doubt",
    "succeeded": "done",
}
# What a run may have drawn only now: no plan could say which of its pictures are to be fetched.
_DRAWN: frozenset[Action] = DRAW_ACTIONS | {"wait", "share"}


@dataclass(slots=True)
class _Progress:
    """What one change has come to so far: its entry, what it cost in this run, what it has to say."""

    entry: Entry | None
    paid: list[Money] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    adopted: bool = False

    def bought(self, entry: Entry, money: Money | None) -> None:
        """Something was bought: that is to be known whatever becomes of its bytes."""
        self.entry = entry
        self.paid += [money] if money is not None else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """Carries out the changes of one plan."""

    lanes: Mapping[str, Lane]
    drawing: Drawing
    pictures: Pictures
    files: Files
    removal: Removal
    recorder: Recorder
    picks: Picks
    stop: Stop
    tell: Callable[[Told], None]
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
        """One after the other, because a target may be free only once another file has left it."""
        outcomes: dict[str, Outcome] = {}
        waiting = changes
        while waiting:
            blocked = []
            for change in waiting:
                outcomes[change.address] = outcome = await self._one(change)
                if outcome.code == "path.not_ours":
                    blocked.append(change)
            if len(blocked) == len(waiting):
                break
            waiting = blocked
        return list(outcomes.values())

    async def _removed(self, changes: list[Change]) -> list[Outcome]:
        if self.stop.asked:
            return []
        troubles = await self.removal.remove(changes)
        outcomes = []
        for change in changes:
            trouble = troubles[change.address]
            end: End = "done" if trouble is None else "failed"
            code, message = (None, "") if trouble is None else (trouble.code, str(trouble))
            outcomes.append(_outcome(change, _Progress(entry=None), end, code=code, message=message))
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
        return _outcome(change, _Progress(entry=entry), "in_doubt", code="create.in_doubt", message=change.detail)

    async def _one(self, change: Change) -> Outcome:
        progress = _Progress(entry=change.entry)
        try:
            return await self._carried_out(change, progress)
        except ImagebatchError as error:
            await self._kept_so_far(change, progress)
            return _outcome(change, progress, "failed", code=error.code, message=f"{error.summary}: {error.detail}")
        except Trouble as trouble:
            await self._kept_so_far(change, progress)
            return _outcome(change, progress, "failed", code=trouble.code, message=str(trouble))
        finally:
            leader = self.leaders.get(change.address)
            if leader is not None and not leader.done():
                leader.set_result(progress.entry)

    async def _kept_so_far(self, change: Change, progress: _Progress) -> None:
        """A draw or purchase whose pictures could not be had yet is in the lock all the same: it was paid for."""
        entry, before = progress.entry, change.entry
        if entry is None or entry is before or change.moved_from is not None:
            return
        if before is None or before.status != "succeeded":
            await self.recorder.record(Kept(address=change.address, entry=entry))
        elif before.token == entry.token and _purchases(before) != _purchases(entry):
            kept = replace(before, candidates=entry.candidates, cost=entry.cost)
            await self.recorder.record(Kept(address=change.address, entry=kept))

    async def _carried_out(self, change: Change, progress: _Progress) -> Outcome:
        variant = change.variant
        if variant is None:
            raise ValueError(f"{change.address} has nothing that is wanted, so {change.action} makes no sense")
        ended = await self._drawn(change, variant, progress)
        if ended is not None:
            return ended
        return await self._maintained(change, variant, progress)

    def _lane(self, variant: Variant) -> Lane:
        """The lane of a variant; it is open where the plan needs the provider."""
        lane = self.lanes.get(variant.provider)
        if lane is None:
            raise Trouble("provider.closed", f"{variant.provider} would have to be asked, and the plan did not say so")
        return lane

    # The draw -----------------------------------------------------------------------------------------------------

    async def _drawn(self, change: Change, variant: Variant, progress: _Progress) -> Outcome | None:
        """Get the draw that is wanted; an outcome only where that is the end of it."""
        action = change.action
        if change.use:
            raise Trouble("picks.file", "picks.yaml names bytes that no draw of this address offered")
        known = change.known or (KnownDraw.of_entry(change.entry) if change.entry is not None else None)
        if change.leader is not None and change.known is None:
            return await self._shared(change, variant, progress)
        if action in DRAW_ACTIONS:
            lane = self._lane(variant)
            gives_up = doubted_tokens(known) if change.reason == "in_doubt" and known is not None else ()
            if change.in_place and known is not None:
                drawn = await self.drawing.retry(variant, lane, change.attempt, known)
            else:
                delivered = known if change.known is not None or action == "retry" else None
                same = delivered is not None and delivered.draw == variant.draw
                same_draw = delivered if same else None
                drawn = await self.drawing.draw(variant, lane, change.attempt, same_draw, gives_up=gives_up)
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
        alias = self._asked_at(change, variant, known, step)
        asked = replace(variant, provider=alias, request=known.request, draw=known.draw, type=known.type)
        lane = self._lane(asked)
        if change.reason != "in_doubt":
            return asked, await self.drawing.wait_for(asked, lane, known)
        if step is not None and step.step == "retry":
            settled = await self.drawing.retry_begun(asked, lane, step, send=same)
        elif same:
            settled = await self.drawing.draw(asked, lane, known.attempt, known)
        else:
            settled = await self.drawing.settle(asked, lane, known)
        if same or settled.status is not None:
            return asked, settled
        return variant, await self.drawing.draw(variant, self._lane(variant), change.attempt)

    def _asked_at(self, change: Change, variant: Variant, known: KnownDraw, step: Intended | None) -> str:
        """The alias of the provider that a draw was asked of; today's where that one was renamed."""
        entry = change.entry
        recorded = entry.provider if entry is not None and entry.token == known.token else variant.provider
        alias = step.provider if step is not None else recorded
        if alias in self.lanes or known.type == variant.type:
            return alias if alias in self.lanes else variant.provider
        raise Trouble(
            "provider.unknown",
            f"it was asked of {alias}, which imagebatch.yaml no longer declares: declare it again to collect it, "
            f"or give it up: imagebatch lock rm --even-if-open {shlex.quote(change.address)}",
        )

    async def _after_draw(self, change: Change, variant: Variant, drawn: Drawn, progress: _Progress) -> Outcome | None:
        progress.adopted = drawn.adopted
        progress.warnings += drawn.warnings
        progress.paid += [parse_money(text) for text in drawn.paid]
        if drawn.status is None:
            return _outcome(change, progress, "unsent", code=drawn.code, message=drawn.message)
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
        end = "failed" if drawn.status == "pending" and drawn.code is not None else _ENDS[drawn.status]
        outcome = _outcome(change, progress, end, code=code, message=message)
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
            await self.removal.delete_generation(before.provider, before)

    async def _shared(self, change: Change, variant: Variant, progress: _Progress) -> Outcome | None:
        leader = await self.leaders[change.leader or ""]
        if leader is None or leader.status != "succeeded" or leader.draw != variant.draw:
            message = f"shares the draw of {change.leader}, which has no picture yet"
            return _outcome(change, progress, "unsent", code="share.waiting", message=message)
        progress.entry = adopted_entry(variant, KnownDraw.of_entry(leader), change.entry)
        await self._replaced(change, variant, progress.entry)
        return None

    # The pictures and files ---------------------------------------------------------------------------------------

    async def _maintained(self, change: Change, variant: Variant, progress: _Progress) -> Outcome:
        """Pictures into the store, bought where asked for, labels told, files made; then the lock's block."""
        entry = progress.entry
        if entry is None:
            raise ValueError(f"{change.address} has no entry after its draw")
        left: Trouble | None = None
        if change.reason == "paid_failure" and "fetch" in change.also:
            try:
                entry = await self.pictures.asked_again(self._lane(variant), entry)
            except Trouble as trouble:
                left = trouble  # what else is due, a new name or a policy, does not hang on the picture
        frozen = self._left_alone(change, variant, entry, in_vain=left is not None)
        if entry.status == "succeeded" and not frozen:
            entry = await self._pictured(change, variant, entry, progress)
        progress.entry = entry
        if entry.status == "succeeded":
            due = change.in_place or "update" in {change.action, *change.also}
            if due and entry.labels != variant.labels:
                progress.warnings += await self._labelled(variant, entry)
            entry = with_labels(entry, variant)
            if not frozen:
                outputs, warnings = await self.files.develop(variant, entry, change.entry)
                progress.warnings += warnings
                entry = with_outputs(entry, outputs)
        elif "update" in {change.action, *change.also}:
            entry = with_labels(entry, variant)
        progress.entry = entry
        progress.warnings += self.pictures.warnings.pop(change.address, [])
        if change.moved_from is not None:
            await self.recorder.record(Dropped(address=change.moved_from, moved_to=change.address), durable=False)
        # Nothing waits for this: without it the next run finds draw, pictures and files by what came before.
        await self.recorder.record(Kept(address=change.address, entry=entry), durable=False)
        if left is not None:
            return _outcome(change, progress, "failed", code=left.code, message=str(left))
        return self._ended(change, variant, entry, progress)

    def _ended(self, change: Change, variant: Variant, entry: Entry, progress: _Progress) -> Outcome:
        if entry.status != "succeeded":
            failure = entry.failure
            code = failure.code if failure is not None else entry.status
            message = failure.message if failure is not None else ""
            return _outcome(change, progress, _ENDS[entry.status], code=code, message=message)
        unpicked = not entry.picked and variant.policy.pick == "review"
        if change.action == "keep" and change.entry is not None and change.entry.status != "succeeded":
            change = replace(change, action="fetch")  # what was kept as failed has its picture now
        return _outcome(change, progress, "kept" if change.action == "keep" else "done", unpicked=unpicked)

    def _left_alone(self, change: Change, variant: Variant, entry: Entry, *, in_vain: bool) -> bool:
        """Whether pictures and files stay as they are: those of what is kept change only as far as it can be done free.

        `in_vain` says that its pictures were asked for just now, and that they cannot be had.
        """
        due = {*change.also} - ({"fetch"} if in_vain else set())
        if change.action != "keep" or due & {"fetch", "develop"}:
            return False
        # Files are renamed where none is missing: what is lost cannot be made under its new name either.
        as_planned = replace(entry, picked=change.picked or entry.picked)
        return "move" not in due or bool(self.files.lacking(variant, as_planned, change.entry))

    async def _pictured(self, change: Change, variant: Variant, entry: Entry, progress: _Progress) -> Entry:
        """The entry with its pick, and with the bytes that a choice or a file needs in the store."""
        rule, pick = variant.policy.pick, self.picks.picks.get(change.address)
        kept = change.picked if change.action == "keep" else ()  # of an older request's picture the plan knows them
        picked = kept or wanted_picks(rule, pick, variant.draw, entry.candidates)
        # While a person has yet to choose, what was chosen before stands, as the plan says.
        progress.entry = entry = replace(entry, picked=change.picked if picked is None else picked)
        absent = [index for index in rule if index > len(entry.candidates)] if isinstance(rule, tuple) else []
        if absent and pick is None:
            text = f"pick names {', '.join(map(str, absent))}, and only {len(entry.candidates)} were offered"
            progress.warnings.append(text)
        unseen = tuple(index for index, one in enumerate(entry.candidates, start=1) if one.facts is None)
        to_choose = unseen if change.action in _DRAWN or "fetch" in {change.action, *change.also} else ()
        needed = to_choose if picked is None else tuple(index for index in entry.picked if index in unseen)
        lacking = self.files.lacking(variant, entry, change.entry)
        bought = tuple(index for index in lacking if entry.candidates[index - 1].bought is not None)
        planned = _is_to_buy(change, variant, entry)  # what the plan did not name is not paid for
        wanted = {*needed, *(() if planned else set(lacking) - set(bought))}
        await self.files.bring(entry, lacking)
        missing = self.pictures.missing(entry, sorted(wanted))
        if missing:
            progress.entry = entry = await self.pictures.fetch(variant, self._lane(variant), entry, missing)
        if entry.status == "succeeded" and planned and self.pictures.to_buy(variant, entry):
            entry = await self.pictures.buy(variant, self._lane(variant), entry, progress.bought)
        unstored = self.pictures.missing_bought(entry, bought)
        if entry.status == "succeeded" and unstored:
            entry = await self.pictures.fetch_bought(variant, self._lane(variant), entry, unstored)
        return entry

    async def _labelled(self, variant: Variant, entry: Entry) -> list[str]:
        """Tell the provider of new labels, where it keeps labels and knows this generation; with what is to be said."""
        lane = self.lanes.get(variant.provider)
        said = await update_labels(variant, lane, entry, self.drawing.steps) if lane is not None else None
        return [said] if said is not None else []


def _purchases(entry: Entry) -> list[str | None]:
    return [one.bought.resolution if one.bought is not None else None for one in entry.candidates]


def _is_to_buy(change: Change, variant: Variant, entry: Entry) -> bool:
    """Whether the plan buys this picture; what waited for an earlier request is replaced at once, so never bought."""
    earlier = change.action == "wait" and entry.draw != variant.draw
    return "buy" in {change.action, *change.also} and not earlier


def new_doubt(change: Change) -> bool:
    """Whether the journal knows of a doubt that the lock does not show yet; beside a picture the lock has no room."""
    if change.action != "keep" or change.reason != "in_doubt" or change.known is None or change.variant is None:
        return False
    entry = change.entry
    if entry is None or entry.status in {"failed", "blocked"}:
        return True
    return entry.status == "in_doubt" and entry.token != change.known.token  # it was sent again since


def _as_labelled(change: Change, variant: Variant, entry: Entry) -> Entry:
    """The entry with the labels that its generation has: those of before, where this run did not send it any."""
    before = change.entry
    if before is None or before.generation is None or before.generation != entry.generation:
        return entry
    sent = change.in_place and before.draw != variant.draw  # a changed request is updated together with its labels
    return entry if sent else replace(entry, labels=before.labels)


def _outcome(
    change: Change, progress: _Progress, end: End, *,
    code: str | None = None, message: str = "", unpicked: bool = False,
) -> Outcome:  # fmt: skip
    return Outcome(
        address=change.address,
        action=change.action,
        end=end,
        code=code,
        message=message,
        cost=tuple(progress.paid),
        warnings=tuple(progress.warnings),
        unpicked=unpicked,
        adopted=progress.adopted,
    )
