"""Decisions with the world around them: which addresses they are about, and picks.yaml on disk."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from imagebatch.effects import seams
from imagebatch.effects.files import exists, read_bytes, remove
from imagebatch.errors import PlanError, StateError
from imagebatch.manifest.picks import PICKS_PATH, decode_picks, encode_picks
from imagebatch.model.generation import Entry
from imagebatch.model.picks import Picks
from imagebatch.model.variant import EXT_MARK, Variant
from imagebatch.pipeline.inspecting import recorded_now
from imagebatch.pipeline.originals import originals_of
from imagebatch.pipeline.picking import (
    PastDraw,
    accepted,
    past_draws,
    picked,
    redone,
    redraw_open,
    rejected,
    restored,
    settle_hint,
    taken_back,
)
from imagebatch.pipeline.planning import PlanRequest, make_plan
from imagebatch.pipeline.project import Project
from imagebatch.pipeline.world import stored_files
from imagebatch.plan.picking import one_place_only, picked_by_bytes
from imagebatch.plan.unknown import unknown_address
from imagebatch.state.files import PRIVATE, write_atomic
from imagebatch.state.store import StateStore

PICKS_MODE = 0o644
PICKS_CHANGED: Final = "picks.changed"
_PICKS_LOCK: Final = "picks.lock"
_PICKS_WAIT_S: Final = 10.0


def recorded_entry(project: Project, address: str) -> Entry:
    """What the lock and the journal have for one address.

    Raises PlanError where they have nothing.
    """
    ledger = recorded_now(project)
    entry = ledger.current(address)
    if entry is None:
        detail = f"The lock has no picture of {address}."
        known = [*ledger, *(draft.address for draft in project.loaded.drafts)]
        raise unknown_address(address, set(known), summary="nothing is recorded", detail=detail)
    return entry


def choose(project: Project, address: str, numbers: Sequence[int]) -> tuple[Picks, int]:
    """picks.yaml with these candidates of an address chosen, and how many it offers.

    Raises PlanError where they cannot be chosen, or where the output path has room for one only.
    """
    entry = recorded_entry(project, address)
    picks = picked(project.loaded.picks, address, entry, numbers)
    refuse_one_place(project, address, len(numbers))
    return picks, len(entry.candidates)


def reject(
    project: Project, selectors: Sequence[str], *, note: str, add: str | None
) -> tuple[Picks, tuple[str, ...], tuple[str, ...]]:
    """picks.yaml in which none of the selected pictures' candidates is chosen and another attempt is asked for.

    Gives it with the addresses, and which of them are protected. Raises PlanError where none of the selected has
    candidates.
    """
    picks = project.loaded.picks
    chosen = [one for one in selected_entries(project, selectors) if one.entry.status == "succeeded"]
    for one in chosen:
        picks = rejected(picks, one.address, one.entry, note=note, add=add)
    if not chosen:
        raise PlanError(
            "nothing to reject",
            "None of the selected variants has candidates that could be rejected.",
            hints=("imagebatch status",),
            code="pick.nothing",
        )
    return picks, tuple(one.address for one in chosen), _guarded(chosen)


def _guarded(chosen: Iterable["Named"]) -> tuple[str, ...]:
    return tuple(one.address for one in chosen if one.variant.policy.protect or one.entry.held)


def refuse_one_place(project: Project, address: str, pictures: int) -> None:
    """Raise PlanError where an address would have several pictures, and its output path has room for one."""
    draft = next((one for one in project.loaded.drafts if one.address == address), None)
    path = one_place_only(draft.outputs) if draft is not None and pictures > 1 else None
    if path is not None:
        shown = path.replace(EXT_MARK, "{{ ext }}")
        raise PlanError(
            "several picks and one path",
            f"{address} would have {pictures} pictures, and its output path {shown} has no {{{{ candidate }}}}, so "
            "they would overwrite each other.",
            hints=("put {{ candidate }} into the path: output: 'outputs/NAME-{{ candidate }}.{{ ext }}'",),
            code="pick.one_place",
            address=address,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One more attempt of `addresses`, asked for in `picks`; `guarded` of them are protected.

    `doubted` were named, too, and are left out: what no listing settles is drawn anew by no apply.
    """

    picks: Picks
    addresses: tuple[str, ...]
    guarded: tuple[str, ...]
    doubted: tuple[str, ...]


def ask_again(
    project: Project, selectors: Sequence[str], *, exclude: Sequence[str] = (), note: str | None, add: str | None
) -> Asked:
    """picks.yaml with one more attempt asked for.

    Raises PlanError where none of the selected has a picture that could be redrawn.
    """
    picks = project.loaded.picks
    named = selected_entries(project, selectors, exclude)
    doubted = tuple(one.address for one in named if one.in_doubt)
    chosen = tuple(one for one in named if not one.in_doubt)
    for one in chosen:
        picks = redone(picks, one.address, max(draw.attempt for draw in past_draws(one.entry)), note=note, add=add)
    if not chosen:
        raise _nothing_to_redraw(doubted)
    addresses = tuple(one.address for one in chosen)
    return Asked(picks=picks, addresses=addresses, guarded=_guarded(chosen), doubted=doubted)


def _nothing_to_redraw(doubted: tuple[str, ...]) -> PlanError:
    if doubted:
        return PlanError(
            "in doubt, so not drawn anew",
            f"{doubted[0] if len(doubted) == 1 else f'Each of the {len(doubted)} selected'} is in doubt: it may have "
            "been paid, and nothing is drawn in its place before that is settled.",
            hints=(settle_hint(doubted),),
            code="redraw.in_doubt",
            address=doubted[0] if len(doubted) == 1 else None,
        )
    return PlanError(
        "nothing to redraw",
        "None of the selected variants has been drawn; what is new is drawn by the next apply.",
        hints=("imagebatch apply",),
        code="redraw.nothing",
    )


def accept_present(
    project: Project, selectors: Sequence[str], *, exclude: Sequence[str] = ()
) -> tuple[Picks, tuple[str, ...]]:
    """picks.yaml in which present pictures stand for changed requests, and their addresses.

    A redraw that was asked for and not drawn yet is taken back.

    Raises PlanError where none of the selected has a picture of another request, or a redraw to be taken back.
    """
    picks = project.loaded.picks
    taken: list[str] = []
    for one in selected_entries(project, selectors, exclude):
        address, variant, entry = one.address, one.variant, one.entry
        if entry.status != "succeeded" or not (entry.draw != variant.draw or redraw_open(picks, address, entry)):
            continue
        if entry.draw != variant.draw:
            picks = accepted(picks, address, entry, variant.draw)
        else:
            picks = taken_back(picks, address, entry)
        taken.append(address)
    if not taken:
        raise PlanError(
            "nothing to accept",
            "None of the selected variants has a picture that another request drew, or that is to be redrawn.",
            hints=("imagebatch plan",),
            code="accept.nothing",
        )
    return picks, tuple(taken)


def restore_earlier(
    project: Project, address: str, number: int, candidates: Sequence[int] = ()
) -> tuple[Picks, tuple[int, ...]]:
    """picks.yaml in which an earlier picture stands for the present request, and which candidates of it that are.

    Raises PlanError where the address is not wanted any more, has no such earlier picture, or nothing tells which
    candidate is meant.
    """
    entry = recorded_entry(project, address)
    variant = make_plan(project, PlanRequest()).variants.get(address)
    if variant is None:
        raise PlanError(
            "nothing to restore to",
            f"{address} is not in the manifests any more, so nothing asks for its picture.",
            code="restore.orphan",
            address=address,
        )
    picks = restored(project.loaded.picks, address, entry, number, variant.draw, candidates=candidates)
    chosen = picked_by_bytes(picks.picks[address].use, past_draws(entry)[number].candidates) or ()
    refuse_one_place(project, address, len(chosen))
    return picks, chosen


def earlier_pictures(project: Project, draw: PastDraw) -> Mapping[int, str]:
    """Where the pictures of a draw lie in the store, by the candidates' numbers."""
    here = stored_files(originals_of(project).store, draw.candidates)
    return {number: path.relative_to(project.root).as_posix() for number, path in here.items()}


def save_picks(project: Project, picks: Picks) -> Path:
    """Write picks.yaml; gives its path.

    Raises StateError where it changed since it was read: somebody else's decision must not be lost.
    """
    path = project.root / PICKS_PATH
    with _writing(project.root):
        data = picks_bytes(project)
        now = hashlib.sha256(data).hexdigest() if data is not None else None
        if now != project.loaded.sources.get(PICKS_PATH):
            raise StateError(
                "picks.yaml has changed meanwhile",
                "Somebody wrote it between our reading and our writing; nothing was written.",
                hints=("run the command again",),
                code=PICKS_CHANGED,
                path=PICKS_PATH,
            )
        write_atomic(path, encode_picks(picks).encode(), mode=PICKS_MODE)
    return path


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    """Nobody else of this machine writes picks.yaml meanwhile, where the file system has locks."""
    store = StateStore(root)
    store.prepare()
    lock = seams.disk.lock(store.folder / _PICKS_LOCK, PRIVATE)
    with suppress(OSError, NotImplementedError):
        if not lock.acquire(_PICKS_WAIT_S):
            raise StateError(
                "picks.yaml is being written",
                f"Another command has held it for {_PICKS_WAIT_S:.0f} seconds; nothing was written.",
                hints=("run the command again",),
                code=PICKS_CHANGED,
                path=PICKS_PATH,
            )
    try:
        yield
    finally:
        lock.release()


def with_present_picks(project: Project) -> Project:
    """The project with picks.yaml as it stands now; all else as it was read. Raises ManifestError for a broken file."""
    data = picks_bytes(project)
    sources = {name: digest for name, digest in project.loaded.sources.items() if name != PICKS_PATH}
    if data is None:
        return replace(project, loaded=replace(project.loaded, picks=Picks(), sources=sources))
    picks = decode_picks(data.decode("utf-8-sig", "replace"))
    sources[PICKS_PATH] = hashlib.sha256(data).hexdigest()
    return replace(project, loaded=replace(project.loaded, picks=picks, sources=sources))


def picks_bytes(project: Project) -> bytes | None:
    """picks.yaml as it stands on disk; None where there is none."""
    path = project.root / PICKS_PATH
    return read_bytes(path) if exists(path) else None


def put_back(project: Project, before: bytes | None, *, written: Picks) -> bool:
    """Undo a decision whose apply was not approved; False where somebody wrote picks.yaml since."""
    path = project.root / PICKS_PATH
    with _writing(project.root):
        if picks_bytes(project) != encode_picks(written).encode():
            return False
        if before is None:
            remove(path)
        else:
            write_atomic(path, before, mode=PICKS_MODE)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a selector names and the lock or the journal has; `in_doubt` where a person has to settle it."""

    address: str
    variant: Variant
    entry: Entry
    in_doubt: bool


def selected_entries(project: Project, selectors: Sequence[str], exclude: Sequence[str] = ()) -> tuple[Named, ...]:
    """What selectors name, as far as it is both wanted and recorded."""
    planned = make_plan(project, PlanRequest(select=tuple(selectors), exclude=tuple(exclude)))
    ledger = recorded_now(project)
    doubted = {one.address for one in planned.plan.changes if (one.action, one.reason) == ("keep", "in_doubt")}
    return tuple(
        Named(
            address=address,
            variant=planned.variants[address],
            entry=ledger.entry(address),
            in_doubt=address in doubted,
        )
        for address in sorted(planned.variants)
        if planned.options.selects(address) and address in ledger
    )
