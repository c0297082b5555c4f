"""Files that stand where an output is to go and are not ours."""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from imagebatch.model.generation import Candidate
from imagebatch.model.recorded import Recorded
from imagebatch.plan.case import World
from imagebatch.plan.picking import OWN, hashes, own_path, picks_by_rule, source_of, wanted_files
from imagebatch.plan.types import Action, Change

_WRITES: frozenset[Action] = frozenset(
    {"create", "redraw", "retry", "wait", "adopt", "share", "buy", "move", "develop", "fetch"}
)


def foreign_files(changes: Sequence[Change], recorded: Recorded, world: World) -> tuple[str, ...]:
    """Paths that the plan would write, where something stands that the lock does not know.

    A file that holds just the bytes to be placed is none; neither is one that the lock lists for any address.
    """
    taken = [path for _, path in _taken(changes, world)]
    ours = recorded_files(recorded) if taken else {}
    return tuple(sorted(path for path in taken if path not in ours))


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A path that `address` is to write and that is, and stays, another address's: `owner`'s."""

    path: str
    address: str
    owner: str


def held_paths(changes: Sequence[Change], recorded: Recorded, world: World) -> tuple[Held, ...]:
    """Paths that the plan would write, where a file of an address stands that keeps it: an orphan's, a protected one's,
    one's that is not selected. What would be drawn for such a path could be put nowhere.
    """
    taken = _taken(changes, world)
    owners, left = (_owners(recorded), paths_left(changes)) if taken else ({}, {})
    found: list[Held] = []
    for change, path in taken:
        own = {change.address, change.moved_from}
        stays = [one for one in owners.get(path, ()) if one not in own and path not in left.get(one, ())]
        found += [Held(path=path, address=change.address, owner=one) for one in stays[:1]]
    return tuple(found)


def paths_left(changes: Sequence[Change]) -> dict[str, tuple[str, ...]]:
    """Address (the lock's) to the output paths that it has and that its change takes from it."""
    found: dict[str, tuple[str, ...]] = {}
    for change in changes:
        entry, variant = change.entry, change.variant
        if entry is None or not entry.outputs:
            continue
        stay: set[str] = set()
        if change.action not in {"forget", "delete"}:
            if variant is None or not ({change.action, *change.also} & _WRITES):
                continue
            every = range(1, max(len(entry.candidates), variant.offers, 1) + 1)
            stay = {file.path for file in wanted_files(variant, tuple(every))}
        found[change.moved_from or change.address] = tuple(one.path for one in entry.outputs if one.path not in stay)
    return found


def _taken(changes: Sequence[Change], world: World) -> list[tuple[Change, str]]:
    """The paths that changes would write for the first time, where something stands already."""
    return [(change, path) for change in changes for path in _new_paths(change, world) if world.disk.exists(path)]


def _owners(recorded: Recorded) -> dict[str, list[str]]:
    owners: dict[str, list[str]] = {}
    for address in recorded:
        text = recorded.glance(address).outputs
        for output in json.loads(text) if text != "[]" else ():
            owners.setdefault(output["path"], []).append(address)
    return owners


def _new_paths(change: Change, world: World) -> list[str]:
    variant = change.variant
    if variant is None or not variant.outputs or not ({change.action, *change.also} & _WRITES):
        return []
    candidates: tuple[Candidate, ...] = ()
    if change.known is not None:
        candidates = change.known.candidates
    elif change.entry is not None and change.entry.draw == variant.draw:
        candidates = change.entry.candidates
    picked = change.picked or picks_by_rule(variant.policy.pick, len(candidates) or variant.offers) or ()
    if not picked and variant.policy.until_picked == "first":
        picked = (1,)
    mine = {output.path for output in change.entry.outputs} if change.entry is not None else set()
    return [
        file.path
        for file in wanted_files(variant, picked)
        if file.path not in mine and not _placed_already(file.path, file.candidate, candidates, world)
    ]


def _placed_already(path: str, index: int, candidates: Sequence[Candidate], world: World) -> bool:
    facts = source_of(candidates[index - 1]) if index <= len(candidates) else None
    return facts is not None and world.disk.look(path, facts.sha256, facts.bytes) == "same"


def recorded_files(recorded: Recorded, *, without: Collection[str] = ()) -> dict[str, set[str]]:
    """All files that the lock lists, but for those of the addresses `without`, and the hashes that they have there."""
    files: dict[str, set[str]] = {}
    for address in recorded:
        if address in without:
            continue
        text = recorded.glance(address).outputs
        for output in json.loads(text) if text != "[]" else ():
            files.setdefault(output["path"], set()).add(output["sha256"])
    return files


def own_files(recorded: Recorded) -> Iterator[tuple[str, str]]:
    """Project path and hash of each file of one's own that is a candidate in the lock; they are never ours to touch."""
    for address in recorded:
        if f'"{OWN}' in recorded.glance(address).candidates:
            for candidate in recorded.entry(address).candidates:
                path = own_path(candidate)
                if path is not None and candidate.facts is not None:
                    yield path, candidate.facts.sha256


def all_hashes(recorded: Recorded) -> set[str]:
    """Every hash of bytes that the lock names: candidates, what was bought, those of earlier draws, and outputs."""
    found: set[str] = set()
    for address in recorded:
        entry = recorded.entry(address)
        offered = [*entry.candidates, *(one for earlier in entry.earlier for one in earlier.candidates)]
        found |= {sha256 for candidate in offered for sha256 in hashes(candidate)}
        found |= {output.sha256 for output in entry.outputs}
    return found
