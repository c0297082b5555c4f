"""What has to hold after every disturbed run, whatever happened to it."""

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from imagebatch.model.generation import Entry
from imagebatch.state.lockfile import decode_lock, encode_lock
from tests.simulation.providers import Bill
from tests.simulation.scenarios import Kind
from tests.simulation.world import HOME, World

_TRASH = ".imagebatch/trash/"
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


def wrong(world: World, reference: Undisturbed, kind: Kind, *, trash: bool = True) -> list[str]:
    """In words, what does not hold; empty where everything does. `trash` says whether the trash has to be the same."""
    billed = world.providers.billed()
    found = [f"billed {count} times: {bill}" for bill, count in billed.items() if count > 1]
    found += [f"left without an intent: {what}" for what in world.network.without_intent]
    found += [f"left behind: {path}" for path in world.disk.files(HOME) if _LEFT_BEHIND.search(path)]
    found += [f"nobody asked for it: {bill}" for bill in billed if bill not in reference.bills]
    if not lock_of(world):
        return [*found, "there is no lock"]
    known = entries(world)
    doubted = {address: entry for address, entry in known.items() if entry.status == "in_doubt"}
    if kind != "blind":  # a blind provider's bill carries no token of ours
        kept = {token for entry in known.values() for token in _tokens(entry)}
        found += [
            f"billed and not accounted for: {bill}"
            for bill in billed
            if bill.step != "buy" and bill.token not in kept and bill not in reference.bills
        ]
    if doubted:
        return [*found, *_doubts_wrong(world, doubted, kind), *_others_wrong(world, reference, known, doubted)]
    found += [f"never billed: {bill}" for bill in reference.bills if bill not in billed]
    if lock_of(world) != reference.lock and _without_luck(lock_of(world), reference.lock) != reference.lock:
        found.append("the lock differs")
    here = _kept(world)
    paths = reference.files.keys() | here.keys()
    return found + _files_wrong(here, reference.files, [one for one in paths if trash or not one.startswith(_TRASH)])


def _doubts_wrong(world: World, doubted: Mapping[str, Entry], kind: Kind) -> list[str]:
    """A doubt is about a create that has left, at a provider that cannot list."""
    if kind == "listable":
        return [f"in doubt, though the provider lists: {sorted(doubted)}"]
    return [
        f"in doubt, and never sent: {address}"
        for address, entry in doubted.items()
        if not ({*_tokens(entry), json.loads(entry.request).get("prompt")} & world.network.may_have_left)
    ]


def _others_wrong(
    world: World, reference: Undisturbed, known: Mapping[str, Entry], doubted: Mapping[str, Entry]
) -> list[str]:
    """Beside what is in doubt, every address is as if nothing had happened."""
    found: list[str] = []
    here, wanted = _kept(world), _entries(reference.lock)
    known = {**known, **_completed(known, wanted)}
    for address in sorted(wanted.keys() | known.keys() - doubted.keys()):
        if address in doubted:
            continue
        if known.get(address) != wanted.get(address):
            found.append(f"{address} differs, and another one is in doubt: {known.get(address)}")
            continue
        found += _files_wrong(here, reference.files, {output.path for output in wanted[address].outputs})
    return found


def _without_luck(lock: bytes, wanted: bytes) -> bytes:
    """The lock as it is where nothing of it is luck."""
    return encode_lock(decode_lock(lock).with_changes(_completed(_entries(lock), _entries(wanted))))


def _completed(known: Mapping[str, Entry], wanted: Mapping[str, Entry]) -> Mapping[str, Entry]:
    """Those that share a draw, with the hashes of candidates that only others of its addresses picked.

    What is taken over is what the others have by then, which is luck; nobody here needs more, so it is not fetched.
    """
    sharers = Counter(entry.token for entry in known.values())
    return {
        address: _with_hashes(entry, wanted[address])
        for address, entry in known.items()
        if sharers[entry.token] > 1 and address in wanted
    }


def _with_hashes(entry: Entry, wanted: Entry) -> Entry:
    hashes = {one.id: one.facts for one in wanted.candidates}
    candidates = tuple(
        replace(one, facts=hashes.get(one.id)) if one.facts is None and at not in entry.picked else one
        for at, one in enumerate(entry.candidates, start=1)
    )
    return replace(entry, candidates=candidates)


def _files_wrong(here: Mapping[str, bytes], wanted: Mapping[str, bytes], paths: Collection[str]) -> list[str]:
    return [
        f"{path}: {'missing' if path not in here else 'not wanted' if path not in wanted else 'other bytes'}"
        for path in sorted(paths)
        if wanted.get(path) != here.get(path)
    ]


def lock_of(world: World) -> bytes:
    """The lock's bytes; none where there is none."""
    return world.disk.bytes_of(HOME / "imagebatch.lock")


def _kept(world: World) -> Mapping[str, bytes]:
    """Outputs, store and trash."""
    names = ("outputs/", ".imagebatch/store/", _TRASH)
    return {path: data for path, data in world.disk.files(HOME).items() if path.startswith(names)}


def _tokens(entry: Entry) -> list[str]:
    parts = [part.token for part in entry.parts]
    return [entry.token, *parts, *(one.token for one in entry.earlier)]
