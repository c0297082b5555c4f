"""What has to hold after every disturbed run, and the undisturbed run that it is compared with."""

import sqlite3
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from imagebatch.chaos.judging import NEVER_SAID
from imagebatch.chaos.running import hashes_below, read_left
from imagebatch.model.generation import Entry
from imagebatch.simulator.ledger import Ledger
from imagebatch.state.cost_file import COST_LEDGER, read_costs
from imagebatch.state.lockfile import decode_lock
from tests.crash.costs import costs_wrong
from tests.crash.projects import shared_beside
from tests.program.running import Run

Bill = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What a run leaves: the lock's bytes, the hash of every file that is kept anywhere, the bills.

    `shared` are the originals in the folder that other machines see, without what a dead run left half-written there.
    `generations` is what the provider has: how many of each token live, and their attempts.
    """

    lock: bytes
    outputs: Mapping[str, str]
    store: Mapping[str, str]
    shared: Mapping[str, str]
    trash: Mapping[str, str]
    bills: Mapping[Bill, int]
    generations: tuple[tuple[str, int, int], ...]


def snapshot(project: Path, simulator: Path | None = None) -> Snapshot:
    """What stands in a project now; `simulator` is the provider's data folder, the built-in one's by default."""
    left, work = read_left(project), project / ".imagebatch"
    simulator = simulator or work / "simulator"
    return Snapshot(
        lock=left.lock,
        outputs=left.outputs,
        store=hashes_below(work / "store"),
        shared={
            path: sha256
            for path, sha256 in hashes_below(shared_beside(project)).items()
            if not Path(path).name.startswith(".")
        },
        trash={
            path.partition("/")[2]: sha256 for path, sha256 in hashes_below(work / "trash").items()
        },  # below the day
        bills=bills(simulator),
        generations=_generations(simulator),
    )


def bills(simulator: Path) -> Mapping[Bill, int]:
    """How often each thing was billed: a create or retry by its token, a purchase by its image."""
    return Counter((one.operation, one.token, one.image_id) for one in Ledger.read(simulator))


def differences(reference: Snapshot, found: Snapshot) -> list[str]:
    """In words, what is not as in the undisturbed run."""
    wrong = [
        f"billed {count} times: {bill}" for bill, count in found.bills.items() if count > reference.bills.get(bill, 1)
    ]
    wrong += [
        f"billed and unknown to the undisturbed run: {bill}" for bill in found.bills if bill not in reference.bills
    ]
    wrong += [f"never billed: {bill}" for bill in reference.bills if bill not in found.bills]
    wrong += _tree_differences("outputs", reference.outputs, found.outputs)
    wrong += _tree_differences("store", reference.store, found.store)
    wrong += _tree_differences("shared", reference.shared, found.shared)
    wrong += _tree_differences("trash", reference.trash, found.trash)
    if found.generations != reference.generations:
        wrong.append(f"the provider has {found.generations}, not {reference.generations}")
    if found.lock != reference.lock:
        wrong.append("the lock differs:\n" + _first_difference(reference.lock, found.lock))
    return wrong


def others_differ(reference: Snapshot, project: Path, doubted: Collection[str]) -> list[str]:
    """In words, what is not as in the undisturbed run of the addresses beside those that are, or were, in doubt."""
    wrong: list[str] = []
    lock, known, outputs = decode_lock(reference.lock), entries(project), read_left(project).outputs
    for address in sorted({*lock, *known} - {*doubted}):
        wanted = lock.entry(address) if address in lock else None
        if wanted is None or known.get(address) != wanted:
            wrong.append(f"{address} differs beside {sorted(doubted)}: {known.get(address)}")
            continue
        paths = {output.path for output in wanted.outputs}
        wrong += _tree_differences("outputs", _those(paths, reference.outputs), _those(paths, outputs))
    return wrong


def _those(paths: Collection[str], tree: Mapping[str, str]) -> Mapping[str, str]:
    return {path: sha256 for path, sha256 in tree.items() if path in paths}


def leftovers(project: Path) -> list[str]:
    """Files that no finished run may leave, and events that a checkpoint should have emptied."""
    left = read_left(project)
    files = [path for path in left.files if "simulator" not in Path(path).parts]
    return [f"left behind: {one}" for one in (*files, *(f"journal: {kind} of {token}" for kind, token in left.events))]


def costs_of(project: Path, simulator: Path) -> list[str]:
    """Where the cost ledger of a project does not agree with its provider's bills."""
    billed = {token for operation, token, _ in bills(simulator) if operation == "create"}
    return costs_wrong(read_costs(project / ".imagebatch" / COST_LEDGER), billed)


def troubled(runs: Sequence[Run]) -> list[str]:
    """What no run may say, whatever happened to it."""
    return [run.err[-2000:] for run in runs if NEVER_SAID.search(run.err)]


def entries(project: Path) -> Mapping[str, Entry]:
    """The lock's blocks by address."""
    left = read_left(project)
    assert left.lock, "there is no lock"
    return left.entries


def doubts(project: Path) -> Mapping[str, tuple[str, ...]]:
    """What the lock says is in doubt: the tokens by address."""
    return read_left(project).doubts


def unaccounted(project: Path, simulator: Path) -> list[str]:
    """Bills of which neither the lock's pictures nor its doubts know."""
    known = read_left(project).tokens
    return [f"billed and not accounted for: {bill}" for bill in bills(simulator) if bill[1] not in known]


def _generations(simulator: Path) -> tuple[tuple[str, int, int], ...]:
    database = simulator / "simulator.sqlite3"
    if not database.exists():
        return ()
    with closing(sqlite3.connect(database, timeout=10)) as connection:
        rows = connection.execute("SELECT token, attempt, deleted FROM generations ORDER BY token, seq").fetchall()
    return tuple((str(token), int(attempt), int(deleted)) for token, attempt, deleted in rows)


def _tree_differences(name: str, wanted: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    return [
        f"{name}/{path}: {'missing' if path not in found else 'not wanted' if path not in wanted else 'other bytes'}"
        for path in sorted(wanted.keys() | found.keys())
        if wanted.get(path) != found.get(path)
    ]


def _first_difference(wanted: bytes, found: bytes) -> str:
    import difflib

    lines = difflib.unified_diff(wanted.decode().splitlines(), found.decode().splitlines(), lineterm="", n=1)
    return "\n".join(list(lines)[:24])
