"""What is due on a picture that exists, carried out: bytes, purchase, labels, files, the lock's block. Never a draw."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from imagebatch.model.event import Dropped, Kept
from imagebatch.model.generation import Entry
from imagebatch.model.picks import Picks
from imagebatch.model.variant import Variant
from imagebatch.plan.aliases import Aliases
from imagebatch.plan.picking import stand_in, wanted_picks
from imagebatch.plan.types import DRAW_ACTIONS, Action, Change
from imagebatch.plan.upkeep import checks_done
from imagebatch.run.checking import Checking
from imagebatch.run.elsewhere import CODE as ELSEWHERE
from imagebatch.run.entries import adopted_entry, with_labels, with_outputs
from imagebatch.run.files import Files
from imagebatch.run.labels import update_labels
from imagebatch.run.lanes import Lane, lane_of
from imagebatch.run.leaving import Recorder
from imagebatch.run.paid_steps import PaidSteps
from imagebatch.run.pictures import Pictures
from imagebatch.run.progress import ENDS, Progress, outcome_of
from imagebatch.run.result import Outcome
from imagebatch.run.trouble import Trouble

# What a run may have drawn only now: no plan could say which of its pictures are to be fetched.
_DRAWN: frozenset[Action] = DRAW_ACTIONS | {"wait", "share"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """Keeps pictures as their variants want them; bound together once for a run."""

    lanes: Mapping[str, Lane]
    steps: PaidSteps
    pictures: Pictures
    files: Files
    checking: Checking
    recorder: Recorder
    picks: Picks
    aliases: Aliases

    async def keep(self, change: Change, variant: Variant, progress: Progress) -> Outcome:
        """Pictures into the store, bought where asked for, labels told, files made; then the lock's block."""
        left: Trouble | None = None
        if change.reason == "paid_failure" and "fetch" in change.also:
            try:
                change = await self._asked_again(change, variant, progress)
            except Trouble as trouble:
                left = trouble  # what else is due, a new name or a policy, does not hang on the picture
                if change.entry is None:
                    raise
        entry = progress.entry
        if entry is None:
            raise ValueError(f"{change.address} has no entry after its draw")
        frozen = self._left_alone(change, variant, entry, in_vain=left is not None)
        if entry.status == "succeeded" and not frozen:
            entry = await self._pictured(change, variant, entry, progress)
        progress.entry = entry
        if entry.status == "succeeded":
            due = change.in_place or "update" in {change.action, *change.also}
            if due and entry.labels != variant.labels:
                entry = await self._labelled(variant, entry, progress)
            entry = with_labels(entry, variant, self.aliases)
            if not frozen:
                outputs, warnings = await self.files.develop(variant, entry, change.entry)
                progress.warnings += warnings
                entry = with_outputs(entry, outputs)
                progress.entry = entry
                entry = await self._checked(change, variant, entry, progress)
        elif "update" in {change.action, *change.also}:
            entry = with_labels(entry, variant, self.aliases)
        progress.entry = entry
        progress.warnings += self.pictures.warnings.pop(change.address, [])
        if change.moved_from is not None:
            await self.recorder.record(Dropped(address=change.moved_from, moved_to=change.address), durable=False)
        # Nothing waits for this: without it the next run finds draw, pictures and files by what came before.
        await self.recorder.record(Kept(address=change.address, entry=entry), durable=False)
        if left is not None:
            return outcome_of(change, progress, "failed", code=left.code, message=str(left))
        return self._ended(change, variant, entry, progress)

    async def account(self, variant: Variant, entry: Entry) -> tuple[Lane, Entry]:
        """The lane of the account that drew an entry's picture, and the entry, which names it.

        An alias that may be that account under a new name has to show the generation first. Raises Trouble where it
        does not, or where the plan did not open it.
        """
        lane = lane_of(self.lanes, self._alias(variant, entry))
        return lane, await self.pictures.looking.shown(variant.address, lane, entry)

    async def _asked_again(self, change: Change, variant: Variant, progress: Progress) -> Change:
        """Ask once more for a draw whose generation was gone; what is to be done with it now that it is there again.

        It may be another draw than the lock's current one, which it replaces only then. Raises Trouble where it is not.
        """
        known, now = change.known, change.entry
        if known is None or (now is not None and now.token == known.token):
            if now is None:
                raise ValueError(f"{change.address} has no entry to ask for")
            lane, now = await self.account(variant, now)
            progress.entry = await self.pictures.asked_again(variant, lane, now)
            return change
        lane, entry = await self.account(variant, adopted_entry(variant, known, now))
        entry = await self.pictures.asked_again(variant, lane, entry)
        progress.entry, progress.adopted = entry, True
        return replace(change, action="adopt", reason="adopted", also=_with(change.also, "develop"))

    async def _checked(self, change: Change, variant: Variant, entry: Entry, progress: Progress) -> Entry:
        """The entry with what its checks came to; one that cannot be measured is whole all the same."""
        try:
            return replace(entry, checked=await self.checking.checked(variant, entry, change.entry))
        except Trouble as trouble:
            progress.warnings.append(str(trouble))
            return replace(entry, checked=None)

    def _ended(self, change: Change, variant: Variant, entry: Entry, progress: Progress) -> Outcome:
        if entry.status != "succeeded":
            failure = entry.failure
            code = failure.code if failure is not None else entry.status
            message = failure.message if failure is not None else ""
            return outcome_of(change, progress, ENDS[entry.status], code=code, message=message)
        choice = self.picks.choice(change.address, entry.attempt)
        open_ = wanted_picks(variant.policy.pick, choice, variant.draw, entry.candidates) is None
        stands_in = open_ and variant.policy.until_picked == "first"
        unpicked = variant.policy.pick == "review" and (stands_in or not entry.picked)
        failed = change.entry is not None and change.entry.status != "succeeded"
        if change.action == "keep" and (failed or change.reason == "paid_failure"):
            change = replace(change, action="fetch")  # what was kept as failed has its picture now
        return outcome_of(change, progress, "kept" if change.action == "keep" else "done", unpicked=unpicked)

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

    async def _pictured(self, change: Change, variant: Variant, entry: Entry, progress: Progress) -> Entry:
        """The entry with its pick, and with the bytes that a choice or a file needs in the store."""
        rule, pick = variant.policy.pick, self.picks.choice(change.address, entry.attempt)
        kept = change.picked if change.action == "keep" else ()  # of an older request's picture the plan knows them
        picked = kept or wanted_picks(rule, pick, variant.draw, entry.candidates)
        # While a person has yet to choose, what was chosen before stands, as the plan says.
        if picked is None:
            progress.entry = entry = replace(entry, picked=stand_in(variant.policy, change.picked, entry.candidates))
        else:
            progress.entry = entry = replace(entry, picked=picked)
        absent = [index for index in rule if index > len(entry.candidates)] if isinstance(rule, tuple) else []
        if absent and pick is None:
            text = f"pick names {', '.join(map(str, absent))}, and only {len(entry.candidates)} were offered"
            progress.warnings.append(text)
        unseen = tuple(index for index, one in enumerate(entry.candidates, start=1) if one.facts is None)
        to_choose = unseen if change.action in _DRAWN or "fetch" in {change.action, *change.also} else ()
        needed = to_choose if picked is None else tuple(index for index in entry.picked if index in unseen)
        lacking = self.files.lacking(variant, entry, change.entry)
        made = change.action in _DRAWN or {"adopt", "develop"} & {change.action, *change.also}
        if made and not checks_done(variant, entry):
            lacking = tuple(sorted({*lacking, *self.checking.lacking(variant, entry)}))
        bought = tuple(index for index in lacking if entry.candidates[index - 1].bought is not None)
        planned = _is_to_buy(change, variant, entry)  # what the plan did not name is not paid for
        wanted = {*needed, *(() if planned else set(lacking) - set(bought))}
        await self.files.bring(entry, lacking)
        missing = self.pictures.missing(entry, sorted(wanted))
        if missing:
            lane, entry = await self.account(variant, entry)
            progress.entry = entry = await self.pictures.fetch(variant, lane, entry, missing)
        if entry.status == "succeeded" and planned and self.pictures.to_buy(variant, entry):
            lane, entry = await self.account(variant, entry)
            entry = await self.pictures.buy(variant, lane, entry, progress.bought)
        unstored = self.pictures.missing_bought(entry, bought)
        if entry.status == "succeeded" and unstored:
            lane, entry = await self.account(variant, entry)
            entry = await self.pictures.fetch_bought(variant, lane, entry, unstored)
        return entry

    def _alias(self, variant: Variant, entry: Entry) -> str:
        return self.aliases.asked_at(entry.provider, entry.type, variant.provider)

    async def _labelled(self, variant: Variant, entry: Entry, progress: Progress) -> Entry:
        """Tell the provider of new labels, where it keeps labels and knows this generation; the entry names it then."""
        lane = self.lanes.get(self._alias(variant, entry))
        if lane is None or entry.generation is None:
            return entry
        try:
            entry = await self.pictures.looking.shown(variant.address, lane, entry)
        except Trouble as trouble:
            if trouble.code != ELSEWHERE:
                raise
            progress.warnings.append(f"its labels are recorded here only: {trouble}")
            return entry
        said = await update_labels(variant, lane, entry, self.steps)
        progress.warnings += [said] if said is not None else []
        return entry


def _with(also: tuple[Action, ...], due: Action) -> tuple[Action, ...]:
    return (*also, due) if due not in also else also


def _is_to_buy(change: Change, variant: Variant, entry: Entry) -> bool:
    """Whether the plan buys this picture; what waited for an earlier request is replaced at once, so never bought."""
    earlier = change.action == "wait" and entry.draw != variant.draw
    return "buy" in {change.action, *change.also} and not earlier
