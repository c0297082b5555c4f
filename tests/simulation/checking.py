"""What has to hold after every disturbed run, whatever happened to it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from imagebatch.model.generation import Entry
from imagebatch.state.lockfile import decode_lock
from tests.simulation.providers import Bill
from tests.simulation.scenarios import Kind
from tests.simulation.world import HOME, World

_LEFT_BEHIND = re.compile(r"\.part$|\.ib-tmp|\.torn|(^|/)lease\.json$|\.new$|\.answer$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Undisturbed:
    """What a run leaves that nobody disturbs: lock, files and bills."""

    lock: bytes
    files: Mapping[str, bytes]
    bills: Mapping[Bill, int]
    effects: int
    paid_calls: int


def undisturbed(world: World, effects: int) -> Undisturbed:
    """What stands in a world after such a run."""
    return Undisturbed(
        lock=lock_of(world),
        files=_kept(world),
        bills=dict(world.providers.billed()),
        effects=effects,
        paid_calls=world.network.paid_calls,
    )


def entries(world: World) -> Mapping[str, Entry]:
    """The lock's blocks by address."""
    return _entries(lock_of(world))


@lru_cache(256)
def _entries(data: bytes) -> Mapping[str, Entry]:
    """Most locks are those of a run that nobody disturbed."""
    if not data:
        return {}
    lock = decode_lock(data)
    return {address: lock.entry(address) for address in lock}


def doubts(world: World) -> frozenset[str]:
    """The tokens that the lock declares in doubt."""
    return in_doubt(entries(world))


def in_doubt(known: Mapping[str, Entry]) -> frozenset[str]:
    """The tokens that blocks of a lock declare in doubt."""
    return frozenset(
        token
        for entry in known.values()
        if entry.status == "in_doubt"
        for token in ([part.token for part in entry.parts if part.status == "in_doubt"] or [entry.token])
    )


def wrong(world: World, reference: Undisturbed, kind: Kind) -> list[str]:
    """In words, what does not hold; empty where everything does."""
    found = [f"billed {count} times: {bill}" for bill, count in world.providers.billed().items() if count > 1]
    found += [f"left behind: {path}" for path in world.disk.files(HOME) if _LEFT_BEHIND.search(path)]
    if not lock_of(world):
        return [*found, "there is no lock"]
    known = entries(world)
    declared = in_doubt(known)
    kept = {token for entry in known.values() for token in _tokens(entry)}
    if kind != "blind":  # a blind provider's bill carries no token of ours
        found += [
            f"billed and not accounted for: {bill}"
            for bill in world.providers.billed()
            if bill.step != "buy" and bill.token not in kept and bill not in reference.bills
        ]
    if declared:
        return found if kind != "listable" else [*found, f"in doubt, though the provider lists: {sorted(declared)}"]
    found += [f"never billed: {bill}" for bill in reference.bills if bill not in world.providers.billed()]
    found += [f"nobody asked for it: {bill}" for bill in world.providers.billed() if bill not in reference.bills]
    if lock_of(world) != reference.lock:
        found.append("the lock differs")
    here = _kept(world)
    found += [
        f"{path}: {'missing' if path not in here else 'not wanted' if path not in reference.files else 'other bytes'}"
        for path in sorted(reference.files.keys() | here.keys())
        if reference.files.get(path) != here.get(path)
    ]
    return found


def lock_of(world: World) -> bytes:
    """The lock's bytes; none where there is none."""
    return world.disk.bytes_of(HOME / "imagebatch.lock")


def _kept(world: World) -> Mapping[str, bytes]:
    """Outputs, store and trash."""
    names = ("outputs/", ".imagebatch/store/", ".imagebatch/trash/")
    return {path: data for path, data in world.disk.files(HOME).items() if path.startswith(names)}


def _tokens(entry: Entry) -> list[str]:
    parts = [part.token for part in entry.parts]
    return [entry.token, *parts, *(one.token for one in entry.earlier)]
