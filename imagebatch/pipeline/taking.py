"""Decisions that come back from a gallery's page: held against what is here now, and put into picks.yaml."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from imagebatch.effects.files import read_bytes
from imagebatch.errors import PlanError, RefusedError
from imagebatch.model.generation import Entry
from imagebatch.model.picks import Pick, Picks
from imagebatch.pipeline.deciding import refuse_one_place
from imagebatch.pipeline.inspecting import recorded_now
from imagebatch.pipeline.picking import check_words, picked, redraw_open, rejected
from imagebatch.pipeline.project import Project
from imagebatch.plan.picking import picked_by_bytes
from imagebatch.review.decisions import Decision, decode_decisions

_NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a file of decisions came to. `replaced` are addresses for which another choice stood; `left` why one did not
    count, by address; `same` how many stood so already."""

    picks: Picks
    picked: tuple[str, ...]
    rejected: tuple[str, ...]
    replaced: tuple[str, ...]
    left: Mapping[str, str]
    same: int


def take_decisions(project: Project, path: Path, *, leave_stale: bool) -> Taken:
    """picks.yaml with the decisions of a file in it.

    Where one of them was made of a picture that is another one now, nothing is taken, unless `leave_stale` says that
    the others shall be. Raises PlanError for what is no such file or is of another project, RefusedError where
    decisions are stale.
    """
    found = decode_decisions(_read(path), path=str(path))
    ledger = recorded_now(project)
    if found.lineage != ledger.lock.lineage:
        raise PlanError(
            "the picks are of another project",
            f"{path} was saved from a gallery of the lineage {found.lineage!r}, and this project's is "
            f"{ledger.lock.lineage!r}. Nothing was written.",
            code="pick.lineage",
            path=str(path),
        )
    entries = {one.address: ledger.current(one.address) for one in found.made}
    left = {one.address: why for one in found.made if (why := stale(one, entries[one.address])) is not None}
    if left and not leave_stale:
        raise _refused(path, left)
    return _taken(project, (one for one in found.made if one.address not in left), entries, left)


def _read(path: Path) -> bytes:
    try:
        return read_bytes(path)
    except OSError as error:
        raise PlanError(
            "not a file of picks", f"{path}: {error.strerror or error}. Nothing was written.", code="pick.file"
        ) from None


def stale(one: Decision, entry: Entry | None) -> str | None:
    """Why a decision says nothing of what is here now; None where it does."""
    if entry is None:
        return "the lock has no such address"
    if entry.status != "succeeded":
        return f"it has no pictures now: its status is {entry.status}"
    if entry.draw != one.for_draw:
        return "it was drawn from another request since"
    if picked_by_bytes(one.pictures, entry.candidates) is None:
        return "its pictures are others now"
    return None


def _taken(
    project: Project, made: Iterable[Decision], entries: Mapping[str, Entry | None], left: Mapping[str, str]
) -> Taken:
    picks = project.loaded.picks
    chosen: list[str] = []
    refused: list[str] = []
    replaced: list[str] = []
    same = 0
    for one in made:
        entry = entries[one.address]
        before = picks
        if entry is None:
            continue
        picks = decided(project, picks, one, entry)
        if picks == before:
            same += 1
        elif one.rejected:
            refused.append(one.address)
        else:
            chosen.append(one.address)
            replaced += [one.address] if one.address in before.picks else []
    return Taken(
        picks=picks,
        picked=tuple(chosen),
        rejected=tuple(refused),
        replaced=tuple(replaced),
        left=left,
        same=same,
    )


def decided(project: Project, picks: Picks, one: Decision, entry: Entry) -> Picks:
    """The picks with one decision in them that is about what is here now; the same ones where it says nothing new.

    Raises PlanError where the output path has room for one picture, and several are chosen.
    """
    if one.rejected:
        return _rejected(picks, one, entry)
    refuse_one_place(project, one.address, len(one.pictures))
    numbers = picked_by_bytes(one.pictures, entry.candidates) or ()
    pick = Pick(for_draw=one.for_draw, use=one.pictures, was="pick")
    return picked(picks, one.address, entry, numbers) if _chooses(picks.picks.get(one.address), pick) else picks


def _chooses(stood: Pick | None, pick: Pick) -> bool:
    """Whether a pick says anything new: `accept` and `restore` with the same bytes say the same."""
    return stood is None or (stood.for_draw, stood.use) != (pick.for_draw, pick.use)


def _rejected(picks: Picks, one: Decision, entry: Entry) -> Picks:
    """One more draw asked for; where one is asked for already, only the note may be new."""
    if not redraw_open(picks, one.address, entry):
        return rejected(picks, one.address, entry, note=one.note or None, add=None)
    wish = picks.redo[one.address]
    if not one.note or wish.note == one.note:
        return picks
    check_words(one.address, one.note)
    return replace(picks, redo={**picks.redo, one.address: replace(wish, note=one.note)})


def _refused(path: Path, left: Mapping[str, str]) -> RefusedError:
    named = [f"{address}: {why}" for address, why in list(left.items())[:_NAMED]]
    more = [f"and {len(left) - _NAMED} more"] if len(left) > _NAMED else []
    return RefusedError(
        "picks of pictures that have changed since",
        f"{path} decides {len(left)} that cannot count any more. {'; '.join([*named, *more])}. Nothing was written, so "
        "that no choice lands on a picture that nobody saw.",
        hints=(
            "look at the new pictures: imagebatch gallery",
            "or take the others only: imagebatch pick --import FILE --force stale",
        ),
        code="pick.stale",
        path=str(path),
    )
