"""What is due on a picture that exists: picks, purchase, bytes, files, labels, policy. Nothing here draws."""

import shlex
from dataclasses import dataclass, field

from imagebatch.model.checks import OF_PIXELS
from imagebatch.model.generation import DELETED, Entry, Failure, Output
from imagebatch.model.money import Cost
from imagebatch.model.picks import Pick
from imagebatch.model.recorded import KnownDraw
from imagebatch.model.variant import Variant
from imagebatch.plan.case import Case, bytes_at_hand, can_fetch, gone
from imagebatch.plan.costs import bought_price, times
from imagebatch.plan.picking import (
    WantedFile,
    has_resolution,
    hashes,
    made_as,
    stand_in,
    wanted_files,
    wanted_picks,
)
from imagebatch.plan.types import ACTIONS, Action, Reason

_TWIN = "is what this machine drew for attempt {attempt}, which another one drew, too: it was paid twice. It "


@dataclass(slots=True, kw_only=True)
class Due:
    """The actions that are due on one address, each with the first reason for it; built up, then read once.

    `unpicked` says that what is picked only stands in until a person chooses. `missing_bytes` says that bytes are
    needed which nobody has, `unsold` that what is to be bought is sold no more, `gone` why the provider has the
    generation of such a picture no more, where that is known.
    """

    actions: dict[Action, tuple[Reason, str]] = field(default_factory=dict)
    picked: tuple[int, ...] = ()
    costs: tuple[Cost, ...] = ()
    later: Cost | None = None
    unpicked: bool = False
    missing_bytes: bool = False
    unsold: bool = False
    gone: Failure | None = None

    @property
    def lost(self) -> bool:
        """Whether the picture as it is wanted can be had by another draw only."""
        return self.missing_bytes or self.unsold

    def add(self, action: Action, reason: Reason, detail: str = "") -> None:
        """Note an action; the first reason for one stays."""
        self.actions.setdefault(action, (reason, detail))

    def ordered(self) -> tuple[Action, ...]:
        """The actions in the contract's order."""
        return tuple(action for action in ACTIONS if action in self.actions)


def upkeep(
    case: Case, variant: Variant, entry: Entry, *, draw: str, replaced: bool = False, buying: bool = True
) -> Due:
    """All that is due on `entry`'s picture so that it is what `variant` wants, the draw apart.

    `draw` is the fingerprint that a person's pick has to be made for: the wanted one, or the entry's own where an old
    picture is kept on. `replaced` tells that `entry` is another draw than the lock's current one (it is adopted or
    shared), so that files that stand there are of the old picture. Nothing is bought for a picture that is only kept.
    """
    due = Due()
    _policy(case, variant, entry, due)
    pick = case.world.picks.choice(case.address, entry.attempt)
    picked = wanted_picks(variant.policy.pick, pick, draw, entry.candidates)
    if picked is None:
        picked = stand_in(variant.policy, entry.picked, entry.candidates)
        due.unpicked = variant.policy.until_picked == "first"
        if not picked:
            _unpicked(case, variant, entry, due)
            return due
        _to_choose_from(case, entry, due)
    elif not picked and pick is not None and not pick.use:
        due.add("keep", "rejected_pick", "none of its candidates was picked; ask for another with `imagebatch redraw`")
        return due
    _master(case, pick, entry, due)
    due.picked = picked
    if buying and not due.unpicked:  # nobody has chosen what is to be paid for
        _purchase(case, variant, entry, due)
    _files(case, variant, entry, due, replaced=replaced)
    _checks(case, variant, entry, due)
    return due


def policy_differs(case: Case, variant: Variant, entry: Entry) -> bool:
    """Whether the lock remembers another policy than the manifest has, or an alias that was renamed."""
    policy = variant.policy
    protect = policy.protect or entry.held  # what a person protects by hand stays so, whatever the manifest says
    return entry.on_remove != policy.on_remove or entry.protect != protect or _renamed_alias(case, variant, entry)


def _renamed_alias(case: Case, variant: Variant, entry: Entry) -> bool:
    """Whether the lock is to name another alias; of what runs, or may run, it names the one asked."""
    if entry.status in {"pending", "in_doubt"}:
        return False
    return case.world.aliases.renamed(entry.provider, entry.type, variant.provider)


def checks_done(variant: Variant, entry: Entry) -> bool:
    """Whether the checks that the manifest asks for are those whose result the lock has."""
    return (entry.checked.checks if entry.checked is not None else "") == variant.policy.checks_of


def _policy(case: Case, variant: Variant, entry: Entry, due: Due) -> None:
    if entry.labels != variant.labels:
        able = entry.generation is not None and case.world.abilities(entry.type).can_update
        why = "" if able else "recorded here only: the provider cannot change them"
        if able and gone(KnownDraw.of_entry(entry), case.world) is not None:
            why = "recorded here only: the provider has its generation no more"
        due.add("update", "labels", why)
    if _renamed_alias(case, variant, entry):
        due.add("update", "provider", f"provider {entry.provider} is now {variant.provider}")
    elif policy_differs(case, variant, entry):
        due.add("update", "policy", "recorded here only")
    if case.moved_from is not None:
        due.add("move", "moved", f"was {case.moved_from}")


def _unpicked(case: Case, variant: Variant, entry: Entry, due: Due) -> None:
    draw = KnownDraw.of_entry(entry)
    lost = gone(draw, case.world)
    if variant.policy.resolution != "preview" and lost is None:
        due.later = times(_price(case, variant, entry), len(entry.candidates))
    here = [bytes_at_hand(index, draw, entry, case.world) for index in range(1, len(entry.candidates) + 1)]
    if can_fetch(draw, case.world) and not all(here):
        due.add("fetch", "output_missing", "its candidates wait for a pick")
    elif lost is not None and not any(here):
        due.missing_bytes = True
        _not_to_be_had(case, variant, entry, due, "none of its candidates is here")


def _master(case: Case, pick: Pick | None, entry: Entry, due: Due) -> None:
    """A file of one's own that was edited since it was chosen: the bytes that were chosen stand until somebody says."""
    if pick is None or pick.file is None or not pick.use:
        return
    own = next((one.facts for one in entry.candidates if one.facts and one.facts.sha256 == pick.use[0]), None)
    if own is not None and case.world.disk.look(pick.file, own.sha256, own.bytes) == "edited":
        command = f"imagebatch use {shlex.quote(case.address)} {shlex.quote(pick.file)}"
        due.add("keep", "edited", f"{pick.file} has changed since it was chosen; `{command}` takes it as it is now")


def _to_choose_from(case: Case, entry: Entry, due: Due) -> None:
    """A person is to choose from now on: the candidates that nobody has looked at yet come, beside the present pick."""
    if any(one.facts is None for one in entry.candidates) and can_fetch(KnownDraw.of_entry(entry), case.world):
        due.add("fetch", "output_missing", "its other candidates, to choose from")


def _purchase(case: Case, variant: Variant, entry: Entry, due: Due) -> None:
    resolution = variant.policy.resolution
    short = [index for index in due.picked if not has_resolution(entry.candidates[index - 1], resolution)]
    if not short or not case.world.abilities(entry.type).can_buy:
        return
    if gone(KnownDraw.of_entry(entry), case.world) is not None:
        due.unsold = True
        _not_to_be_had(case, variant, entry, due, f"it was not bought in {resolution}")
    else:
        alias = case.world.aliases.asked_at(entry.provider, entry.type, variant.provider)
        due.costs = tuple(bought_price(variant, alias, entry.candidates[index - 1]) for index in short)
        due.add("buy", "resolution", f"{len(short)} in {resolution}")
        due.add("develop", "resolution")


def _price(case: Case, variant: Variant, entry: Entry) -> Cost:
    """What one candidate costs at the account that drew it."""
    return bought_price(variant, case.world.aliases.asked_at(entry.provider, entry.type, variant.provider))


def _files(case: Case, variant: Variant, entry: Entry, due: Due, *, replaced: bool) -> None:
    files = wanted_files(variant, due.picked)
    recorded = {output.path: output for output in entry.outputs}
    same_picks = due.picked == entry.picked and not replaced
    wanted = {file.path for file in files}
    spare = [] if replaced else [output for output in entry.outputs if output.path not in wanted]
    to_make: list[WantedFile] = []
    for file in files:
        output = recorded.pop(file.path, None)
        if output is None:
            source = None if _is_awaited(entry, file) else _renamed(case, file, entry, spare)
            if source is not None:
                spare.remove(source)
                recorded.pop(source.path, None)
                due.add("move", "moved", f"{source.path} -> {file.path}")
                continue
            to_make.append(file)
            due.add("develop", _why_new(case, entry, same_picks=same_picks), file.path)
        elif _to_make_again(
            case, file, output, due, entry, trusted=same_picks or (file.own_candidate and not replaced)
        ):
            to_make.append(file)
        elif _is_awaited(entry, file) and "keep" not in due.actions:
            due.add("develop", "resolution", f"what was bought for {file.path} has yet to come")
            to_make.append(file)
    if recorded:
        due.add("develop", "ladder", f"{next(iter(recorded))} is no longer wanted")
    if "buy" in due.actions:
        # A bought picture brings its own bytes: the delivered ones are not needed any more.
        resolution = variant.policy.resolution
        to_make = [file for file in to_make if has_resolution(entry.candidates[file.candidate - 1], resolution)]
    _bytes(case, variant, entry, to_make, due=due)


def _why_new(case: Case, entry: Entry, *, same_picks: bool) -> Reason:
    if not same_picks and case.pick is not None:
        return "asked"
    return "ladder" if same_picks and entry.outputs else "output_missing"


def _renamed(case: Case, file: WantedFile, entry: Entry, spare: list[Output]) -> Output | None:
    """A file that nobody wants under its name, and that is just what is wanted under another.

    A run that was killed may have renamed it already: it may be the only copy there is.
    """
    look = case.world.disk.look
    for output in spare:
        there = any(look(path, output.sha256, output.bytes) == "same" for path in (output.path, file.path))
        if there and made_as(output, file, entry):
            return output
    return None


def _is_awaited(entry: Entry, file: WantedFile) -> bool:
    """Whether a file's picture was bought and has not come yet, so that what stands there is the one delivered."""
    bought = entry.candidates[file.candidate - 1].bought
    return bought is not None and bought.facts is None


def _to_make_again(case: Case, file: WantedFile, output: Output, due: Due, entry: Entry, *, trusted: bool) -> bool:
    state = case.world.disk.look(output.path, output.sha256, output.bytes)
    if state == "edited":
        if "edited" not in case.world.options.forces:
            twin = "" if not _of_a_twin(case, output, entry) else _TWIN.format(attempt=entry.attempt)
            due.add("keep", "edited", f"{output.path} {twin}is kept; --force edited replaces it")
            return False
        due.add("develop", "edited", output.path)
    elif not trusted:
        due.add("develop", "asked" if case.pick is not None else "policy", f"other candidates are picked: {file.path}")
    elif output.develop != file.develop:
        due.add("develop", "ladder", file.path)
    elif state == "missing":
        due.add("develop", "output_missing", file.path)
    else:
        return False
    return True


def _of_a_twin(case: Case, output: Output, entry: Entry) -> bool:
    """Whether a file shows what this machine drew for a token whose picture in the lock another one drew."""
    # One that lost its mark is the lock's own picture, as it was delivered.
    own = {sha256 for candidate in entry.candidates for sha256 in hashes(candidate)}
    twins = (one for one in case.world.known.draws(entry.draw) if one.token == entry.token)
    facts = (one.facts for twin in twins for one in twin.candidates if one.facts and one.facts.sha256 not in own)
    return any(case.world.disk.look(output.path, one.sha256, one.bytes) == "same" for one in facts)


def _bytes(case: Case, variant: Variant, entry: Entry, files: list[WantedFile], *, due: Due) -> None:
    draw = KnownDraw.of_entry(entry)
    lacking = sorted({file.candidate for file in files if not bytes_at_hand(file.candidate, draw, entry, case.world)})
    if not lacking:
        return
    if can_fetch(draw, case.world):
        due.add("fetch", "output_missing", f"{len(lacking)} not in the store")
        return
    due.missing_bytes = True
    due.actions.pop("develop", None)
    _not_to_be_had(case, variant, entry, due, "its bytes are not here")


def _checks(case: Case, variant: Variant, entry: Entry, due: Due) -> None:
    """Checking is free; what has to be looked at and cannot be had stays unchecked."""
    if checks_done(variant, entry) or not due.picked or due.missing_bytes:
        return
    draw = KnownDraw.of_entry(entry)
    looked_at = any(check.name in OF_PIXELS for check in variant.policy.checks)
    at_hand = not looked_at or all(bytes_at_hand(index, draw, entry, case.world) for index in due.picked)
    if at_hand or can_fetch(draw, case.world):
        due.add("develop", "policy", "its checks are made, free")
    if not at_hand and can_fetch(draw, case.world):
        due.add("fetch", "output_missing", "to be checked")


def _not_to_be_had(case: Case, variant: Variant, entry: Entry, due: Due, lacking: str) -> None:
    """Nobody has what is wanted: kept as it is until somebody asks for another draw.

    That a provider knows a generation no more is its word, so it is asked again, free; what we deleted is gone.
    """
    due.gone = gone(KnownDraw.of_entry(entry), case.world)
    if due.gone is None:
        now = case.world.abilities(entry.type).answers == "now"
        there = "; the machine that drew it may have them (or `gc --restore`, or `git pull`)" if now else ""
        detail = f"its bytes are neither here nor at the provider{there}; `--force missing` draws it again"
        due.add("keep", "unavailable", detail)
        return
    own = case.entry if case.entry is not None and case.entry.status == "succeeded" else None
    guarded = own is not None and (variant.policy.protect or own.held)
    then = "it is protected, so nothing draws it again" if guarded else "`imagebatch retry` draws it again"
    if due.gone.provider_code == DELETED:
        due.add("keep", "unavailable", f"{lacking}, and its generation was deleted at the provider; {then}")
        return
    due.add("keep", "paid_failure", f"{lacking}, and the provider no longer knows its generation; {then}")
    due.add("fetch", "paid_failure")
