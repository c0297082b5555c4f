"""What a plan is compared with, put together from state, store and output files."""

from collections.abc import Collection, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imagebatch.effects.files import copy, is_folder
from imagebatch.errors import ImagebatchError
from imagebatch.model.generation import Candidate
from imagebatch.model.recorded import Disk, Known, KnownDraw, OutputState
from imagebatch.model.settings import StoreSettings
from imagebatch.outputs.disk import StatDisk
from imagebatch.outputs.store import Store
from imagebatch.pipeline.homes import beside, work_of
from imagebatch.pipeline.originals import originals_at
from imagebatch.pipeline.project import Project
from imagebatch.plan.foreign import own_files, recorded_files
from imagebatch.plan.picking import hashes, source_of
from imagebatch.plan.types import Blocker, Plan
from imagebatch.state.known_here import KnownHere
from imagebatch.state.ledger import Ledger
from imagebatch.state.store import Session, StateStore

STATS = "outputs.json"
_FACTS = "providers"
_ROWS = "rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a plan is compared with: state, known draws, output files.

    `lock_digest` is the lock's sha256, `absent` for none. `refusals` are what would stop an apply before it plans.
    `rows_before` is how many rows each asset's table had at the last apply here.
    """

    recorded: Ledger
    known: Known
    disk: Disk
    lineage: str | None
    lock_digest: str
    apply_running: str | None = None
    refusals: tuple[Blocker, ...] = ()
    rows_before: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What a project that belongs to this one has drawn: its ledger and its store, both only read."""

    ledger: Ledger
    store: Store

    def bring(self, plan: Plan, store: Store) -> None:
        """Copy the pictures of draws that a plan takes over from there into `store`. Raises OSError."""
        for change in plan.changes:
            for candidate in change.known.candidates if change.known is not None else ():
                if candidate.facts is not None and not store.has(candidate.facts.sha256):
                    self._bring(hashes(candidate), candidate.facts.media_type, store)

    def _bring(self, wanted: Sequence[str], media_type: str, store: Store) -> None:
        for sha256 in wanted:
            source = self.store.find(sha256)
            if source is not None:
                fresh = store.fresh_path()
                copy(source, fresh)
                store.adopt(fresh, sha256, media_type)


def read_beside(home: Path, lineage: str | None, store: StoreSettings) -> Beside | None:
    """What `run "PROMPT"` drew in this project, and for `run` what the project has; None where there is nothing.

    What of it cannot be read, or is another lineage's, stops nothing here.
    """
    other = beside(home)
    if not is_folder(other / ".imagebatch"):
        return None
    try:
        view = StateStore(other).open_for_plan(lineage=lineage)
    except ImagebatchError:
        return None
    if any(refusal.code in {"lockfile.lineage", "journal.lineage"} for refusal in view.refusals):
        return None
    return Beside(ledger=view.ledger, store=originals_at(other, store).store)


def read_world(project: Project, store: Store, disk: StatDisk) -> World:
    """The world as a plan sees it: no lease is taken and nothing is written."""
    home, lineage = project.home, project.settings.lineage
    view = StateStore(home).open_for_plan(lineage=lineage)
    refusals = tuple(
        Blocker(
            code=refusal.code,
            message=f"{refusal.summary}: {refusal.detail}",
            force="new-lock" if refusal.code == "lock.missing" else None,
        )
        for refusal in view.refusals
    )
    known = known_here(view.ledger, store, read_beside(home, lineage, project.settings.store))
    return World(
        recorded=view.ledger,
        known=known,
        disk=PlacedDisk(disk, view.ledger, known),
        lineage=view.lineage,
        lock_digest=view.digest,
        apply_running=str(view.running) if view.running is not None else None,
        refusals=refusals,
        rows_before=rows_before(home),
    )


def session_world(session: Session, home: Path, store: Store, disk: StatDisk, beside: Beside | None = None) -> World:
    """The world as an apply sees it, live."""
    known = known_here(session.ledger, store, beside)
    return World(
        recorded=session.ledger,
        known=known,
        disk=PlacedDisk(disk, session.ledger, known),
        lineage=session.lineage,
        lock_digest=session.digest,
        rows_before=rows_before(home),
    )


def known_here(ledger: Ledger, store: Store, beside: Beside | None) -> KnownHere:
    """All draws and pictures that this checkout knows."""
    if beside is None:
        return KnownHere(ledger, store.has)
    return KnownHere(ledger, lambda sha256: store.has(sha256) or beside.store.has(sha256), beside.ledger)


def rows_before(home: Path) -> Mapping[str, int]:
    """Rows of each asset's table at the last apply of this checkout."""
    return {name: rows for name, rows in StateStore(home).recall(_ROWS).items() if isinstance(rows, int)}


def remember_rows(home: Path, rows: Mapping[str, int]) -> None:
    """Keep the tables' sizes for the next plan. Raises StateError."""
    StateStore(home).remember(_ROWS, dict(rows))


def stat_disk(home: Path) -> StatDisk:
    """The output files of a project, with the cache that spares their hashing."""
    return StatDisk(home, work_of(home) / STATS)


def stored_files(store: Store, candidates: Sequence[Candidate]) -> Mapping[int, Path]:
    """Where the candidates' pictures lie in the store, by their numbers from 1; what is not here is left out."""
    facts = ((number, source_of(one)) for number, one in enumerate(candidates, start=1))
    found = ((number, store.find(one.sha256)) for number, one in facts if one is not None)
    return {number: path for number, path in found if path is not None}


class PlacedDisk:
    """Output files, seen so that what a killed run had just put there is not taken for somebody else's.

    Such a file counts as missing: it is made again from the store, for nothing, and found to be the same. So does a
    picture of ours that was put there beside another lock, of another branch: it gives way.
    """

    def __init__(self, disk: StatDisk, ledger: Ledger, known: KnownHere) -> None:
        self._disk = disk
        self._ledger = ledger
        self._known = known
        self._listed: dict[str, set[str]] | None = None
        self._by_hash: dict[str, list[str]] | None = None
        self._held: set[str] | None = None

    def look(self, path: str, sha256: str, size: int) -> OutputState:
        """How a file compares with the lock."""
        found = self._disk.look(path, sha256, size)
        if found == "edited" and self._ours(path):
            return "missing"
        return found

    def shows(self, path: str, sha256: str, size: int, picture: str) -> bool:
        """Whether a file, as the lock has it, is this delivered picture, perhaps with a mark put in."""
        return self._disk.shows(path, sha256, size, picture)

    def spare(self, path: str) -> str | None:
        """The hash of what stands at a path, where it is a picture of ours that no lock entry keeps there.

        Where the lock lists another file at the path, a picture that any entry has now was put there by a person.
        """
        found = self._disk.hash_of(path)
        if found is None:
            return None
        if self._listed is None:
            self._listed = recorded_files(self._ledger)
        listed = self._listed.get(path)
        if listed is None:
            return found if self._known.has_bytes(found) or self._known.offering(found) else None
        if found in listed:
            return None
        draws = self._known.offering(found)
        return found if draws and not self._holds_any(draws) else None

    def exists(self, path: str) -> bool:
        """Whether something that is not ours stands at an output path."""
        return self._disk.exists(path) and not self._ours(path)

    def listed(self, path: str) -> bool:
        """Whether the lock lists a file at this path, for whatever address."""
        return path in recorded_files(self._ledger)

    def listed_beside(self, addresses: Collection[str]) -> Collection[str]:
        """The paths that the lock lists for any other address than these."""
        return recorded_files(self._ledger, without=addresses).keys()

    def standing(self, sha256: str, size: int) -> str | None:
        """The path of an output of whatever address, or of a file of one's own, that is just these `size` bytes."""
        if self._by_hash is None:
            self._by_hash = {}
            for path, hashes_there in sorted(recorded_files(self._ledger).items()):
                for one in hashes_there:
                    self._by_hash.setdefault(one, []).append(path)
            for path, one in own_files(self._ledger):
                self._by_hash.setdefault(one, []).append(path)
        paths = self._by_hash.get(sha256, ())
        return next((path for path in paths if self._disk.look(path, sha256, size) == "same"), None)

    def note(self, path: str, sha256: str) -> None:
        """Remember a file that was just written with these bytes."""
        self._disk.note(path, sha256)

    def forget(self, path: str) -> None:
        """Nothing is known of this path any more."""
        self._disk.forget(path)

    def placed(self, path: str) -> str | None:
        """The hash of what stands at a path, where a killed run had just put it there."""
        placed = self._ledger.placed(path)
        found = self._disk.hash_of(path) if placed else None
        return found if found in placed else None

    def _ours(self, path: str) -> bool:
        return self.placed(path) is not None or self.spare(path) is not None

    def _holds_any(self, draws: Sequence[KnownDraw]) -> bool:
        if self._held is None:
            self._held = {self._ledger.entry(address).token for address in self._ledger}
        return any(draw.token in self._held for draw in draws)


class Memory(MutableMapping[str, str]):
    """Small facts about providers' addresses (mount, dialect), kept between runs."""

    def __init__(self, home: Path) -> None:
        self._store = StateStore(home)
        self._facts = {name: str(value) for name, value in self._store.recall(_FACTS).items()}

    def __getitem__(self, name: str) -> str:
        return self._facts[name]

    def __setitem__(self, name: str, value: str) -> None:
        if self._facts.get(name) != value:
            self._facts[name] = value
            self._store.remember(_FACTS, dict(self._facts))

    def __delitem__(self, name: str) -> None:
        del self._facts[name]
        self._store.remember(_FACTS, dict(self._facts))

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)
