"""Originals: where a project's store is, and what lies beyond it. The one place that reads `store: {path, share}`."""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imagebatch.effects import seams
from imagebatch.effects.files import is_link, remove
from imagebatch.errors import OutputError
from imagebatch.model.settings import USUAL_STORE, StoreSettings
from imagebatch.outputs.disk import StatDisk
from imagebatch.outputs.shelf import Shelf
from imagebatch.outputs.store import Store
from imagebatch.pipeline.homes import is_apart, work_of
from imagebatch.pipeline.project import Project
from imagebatch.plan.picking import hashes
from imagebatch.plan.types import Action, Plan

_PROOFS: Final = "originals.json"
_NEEDS: Final[frozenset[Action]] = frozenset({"adopt", "share", "develop", "fetch", "buy"})
Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Originals:
    """A project's store with the places beyond it.

    `shared` is the folder of `share: dir:…`, `old` the usual store where `path` has moved it; `proofs` remembers which
    files of a store that git writes into were found to be what their names say, `denied` grows with those that are not.
    """

    home: Path
    settings: StoreSettings
    store: Store
    shared: Shelf | None = None
    old: Store | None = None
    proofs: StatDisk | None = None
    denied: AbstractSet[str] = frozenset()

    def named(self, path: Path) -> str:
        """A file or folder beyond the store as people know it: by the folder that they wrote down."""
        if self.shared is None or self.settings.folder is None or not path.is_relative_to(self.shared.folder):
            return str(path)
        return str(Path(self.settings.folder) / path.relative_to(self.shared.folder))

    def save(self) -> None:
        """Remember what was proved."""
        if self.proofs is not None:
            self.proofs.save()


def originals_at(home: Path, settings: StoreSettings) -> Originals:
    """The originals of the project whose state is at `home`.

    A rehearsal, and what `run "PROMPT"` draws, keep a store of their own and share nothing. Raises OutputError where
    the way to the store is a link.
    """
    if is_apart(home):
        settings = StoreSettings()
    folder = home / settings.path
    if settings.path != USUAL_STORE:
        _refuse_links(home, settings.path)
    shared = Shelf(home / settings.folder, foreign=True) if settings.folder is not None else None
    old = Store(home / USUAL_STORE) if settings.path != USUAL_STORE else None
    beyond = [shelf for shelf in (Shelf(home / USUAL_STORE) if old is not None else None, shared) if shelf is not None]
    proofs = StatDisk(folder, work_of(home) / _PROOFS) if settings.share in {"git", "lfs"} else None
    denied: set[str] = set()
    proof = None if proofs is None else _prover(proofs, denied)
    store = Store(folder, beyond=beyond, proof=proof)
    return Originals(home=home, settings=settings, store=store, shared=shared, old=old, proofs=proofs, denied=denied)


def originals_of(project: Project) -> Originals:
    """The originals of a project. Raises OutputError as `originals_at` does."""
    return originals_at(project.home, project.settings.store)


def move_in(originals: Originals) -> None:
    """Take over what lies in the usual store where `path` names another; only for the one who holds the lease.

    Raises OutputError where the disk is full.
    """
    old = originals.old
    if old is None:
        return
    for sha256 in sorted(old.hashes()):
        if originals.store.bring(sha256):
            remove(old.path_of(sha256))


def fetch_for(plan: Plan, originals: Originals, warn: Warn) -> bool:
    """Take from beyond what a plan needs; True where something there is not what its name says, so that the plan errs.

    Raises OutputError where the disk is full.
    """
    store, known = originals.store, len(originals.store.broken)
    for sha256 in _needed(plan):
        if store.has(sha256) and not store.holds(sha256):
            store.bring(sha256)
    told: dict[str, list[Path]] = {}
    for path, why in list(store.broken.items())[known:]:
        told.setdefault(why, []).append(path)
    for why, (first, *more) in told.items():
        warn(f"{originals.named(first)} {why}; it is not used" + (f", and {len(more)} more" if more else ""))
    return len(store.broken) > known


def _needed(plan: Plan) -> Iterator[str]:
    for change in plan.changes:
        if {change.action, *change.also} & _NEEDS:
            offered = change.known.candidates if change.known is not None else ()
            offered = (*offered, *(change.entry.candidates if change.entry is not None else ()))
            yield from (sha256 for candidate in offered for sha256 in hashes(candidate))
        references = change.variant.references if change.variant is not None else ()
        yield from (one.sha256 for one in references if one.path is None and one.sha256 is not None)


def _prover(proofs: StatDisk, denied: set[str]) -> Callable[[Path, str], bool]:
    proved: set[tuple[str, str]] = set()

    def proof(path: Path, sha256: str) -> bool:
        name = f"{path.parent.name}/{path.name}"
        if (name, sha256) not in proved:
            try:
                size = seams.disk.lstat(path).st_size
            except OSError:
                return False
            if proofs.look(name, sha256, size) != "same":
                denied.add(name)
                return False
            proved.add((name, sha256))
            denied.discard(name)
        return True

    return proof


def _refuse_links(home: Path, path: str) -> None:
    at = home
    for part in Path(path).parts:
        at /= part
        if is_link(at):
            raise OutputError(
                "the store is behind a link",
                f"{at.relative_to(home)} is a link. Following it could write outside the project.",
                hints=("store: {share: dir:PATH} keeps originals in a folder elsewhere, too",),
                code="path.symlink",
            )
