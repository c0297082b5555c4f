"""Originals: where a project's store is, and how many pictures would be lost with this machine.

The one place that turns `store: {path, share}` into a store. Sharing comes after everything else: a picture that was
paid is on this disk first, and whatever a shared folder or git says can only be a warning.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imagebatch.effects import seams
from imagebatch.effects.files import is_folder, is_link, remove
from imagebatch.effects.git import GitFailed
from imagebatch.effects.git_files import LocalGit
from imagebatch.errors import OutputError
from imagebatch.model.capabilities import Capabilities
from imagebatch.model.generation import Entry
from imagebatch.model.settings import USUAL_STORE, StoreSettings
from imagebatch.outputs.disk import StatDisk
from imagebatch.outputs.shelf import Rotten, Shelf
from imagebatch.outputs.store import Store
from imagebatch.pipeline.homes import is_apart, work_of
from imagebatch.pipeline.project import Project
from imagebatch.plan.picking import OWN, hashes, is_own
from imagebatch.plan.types import PAID_ACTIONS, Action, Blocker, Plan
from imagebatch.providers.registry import SIMULATED
from imagebatch.run.result import OnlyHere
from imagebatch.state.ledger import Ledger

EPHEMERAL: Final = "store.ephemeral"
_PROOFS: Final = "originals.json"
_DIGEST: Final = re.compile(r'"sha256": ?"(?:sha256:)?([0-9a-f]{64})"')
_MAY_PAY: Final[frozenset[Action]] = PAID_ACTIONS | {"defer"}
_NEEDS: Final[frozenset[Action]] = frozenset({"adopt", "share", "develop", "fetch", "buy"})
_UNSAID: Final = (
    "imagebatch.yaml has to say where originals live on. Write store: {share: dir:/mnt/team/originals}, or store: "
    "{path: originals, share: lfs}; where the job itself keeps outputs or .imagebatch/, store: {share: none}"
)
Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Originals:
    """A project's store with the places beyond it.

    `shared` is the folder of `share: dir:…`, `old` the usual store where `path` has moved it; `proofs` remembers which
    files of a store that git writes into were found to be what their names say.
    """

    home: Path
    settings: StoreSettings
    store: Store
    shared: Shelf | None = None
    old: Store | None = None
    proofs: StatDisk | None = None

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
    proof = None if proofs is None else _prover(proofs)
    store = Store(folder, beyond=beyond, proof=proof)
    return Originals(home=home, settings=settings, store=store, shared=shared, old=old, proofs=proofs)


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
    for path, why in list(store.broken.items())[known:]:
        warn(f"{path} {why}; it is not used")
    return len(store.broken) > known


def _needed(plan: Plan) -> Iterator[str]:
    for change in plan.changes:
        if {change.action, *change.also} & _NEEDS:
            offered = change.known.candidates if change.known is not None else ()
            offered = (*offered, *(change.entry.candidates if change.entry is not None else ()))
            yield from (sha256 for candidate in offered for sha256 in hashes(candidate))
        references = change.variant.references if change.variant is not None else ()
        yield from (one.sha256 for one in references if one.path is None and one.sha256 is not None)


def share(originals: Originals, ledger: Ledger, *, environ: Mapping[str, str], warn: Warn, stopped: bool) -> OnlyHere:
    """Share what the lock names as the project says, and count what is on this machine only.

    `stopped` where somebody wants the run to end: nothing is copied then. Never raises for what goes wrong.
    """
    try:
        mine = {sha256 for sha256 in named(ledger) if originals.store.holds(sha256)}
        kind = originals.settings.share
        if kind in {"git", "lfs"} and mine:
            return _by_git(originals, mine, environ, warn)
        if originals.shared is not None:
            return _into_folder(originals, originals.shared, mine, warn, stopped=stopped)
    except (OSError, OutputError) as error:
        warn(f"originals could not be looked at: {error}")
        return OnlyHere()
    return OnlyHere(count=len(mine))


def named(ledger: Ledger) -> Iterator[str]:
    """The originals that the lock names, of standing and earlier draws; simulated ones and own files are none."""
    for address in ledger:
        glance = ledger.glance(address)
        if glance.has_earlier or OWN in glance.candidates:
            yield from _named(ledger.entry(address))
        elif not glance.type.startswith(SIMULATED):  # nearly all are plain, and need not be parsed
            yield from (f"sha256:{digest}" for digest in _DIGEST.findall(glance.candidates))


def _named(entry: Entry) -> Iterator[str]:
    draws = [(entry.type, entry.candidates), *((one.type, one.candidates) for one in entry.earlier)]
    for kind, candidates in draws:
        if not kind.startswith(SIMULATED):
            yield from (sha256 for one in candidates if not is_own(one) for sha256 in hashes(one))


def refused_in_ci(project: Project, plan: Plan) -> tuple[Blocker, ...]:
    """What stands against paying on a runner that takes the only copy of a picture with it."""
    if not project.setup.variables.get("CI") or is_apart(project.home):
        return ()
    store = project.settings.store
    unmounted = store.folder is not None and not is_folder(project.home / store.folder)
    if store.said and not unmounted:
        return ()
    paying = (one.variant for one in plan.changes if one.variant is not None and _MAY_PAY & {one.action, *one.also})
    once = sorted({one.provider for one in paying if _sends_once(project, one.provider)})
    if not once:
        return ()
    why = f"the shared folder {store.folder} is not there; mount it, or make it" if unmounted else _UNSAID
    message = (
        f"CI is set, and {' and '.join(once)} cannot send a picture again, so what is paid may go with this machine: "
    )
    return (Blocker(code=EPHEMERAL, message=message + why),)


def _sends_once(project: Project, alias: str) -> bool:
    target = project.targets[alias]
    capabilities: Capabilities = target.adapter.capabilities
    return capabilities.answers == "now" and not target.simulated


def _into_folder(originals: Originals, shared: Shelf, mine: Iterable[str], warn: Warn, *, stopped: bool) -> OnlyHere:
    lacking = [sha256 for sha256 in sorted(mine) if shared.find(sha256) in {None, *originals.store.broken}]
    if stopped or not lacking:
        return OnlyHere(count=len(lacking))
    left, why = list(lacking), ""
    if not is_folder(shared.folder):
        why = "there is no such folder, or its disk is not mounted"
    for sha256 in () if why else lacking:
        try:
            shared.put(originals.store.path_of(sha256), sha256)
            left.remove(sha256)
        except (KeyError, Rotten):
            why = why or f"{sha256} has other bytes in the store here than its name says"
        except OSError as error:
            why = error.strerror or str(error)
            break  # a disk that is full or read-only is so for the others, too
    if left:
        many = "1 original is" if len(left) == 1 else f"{len(left)} originals are"
        warn(f"{many} not shared: {shared.folder}: {why}; the next apply tries again")
    return OnlyHere(count=len(left))


def _by_git(originals: Originals, mine: Iterable[str], environ: Mapping[str, str], warn: Warn) -> OnlyHere:
    path, kind = originals.settings.path, originals.settings.share
    digests = {sha256.removeprefix("sha256:") for sha256 in mine}
    try:
        git = LocalGit(originals.home, environ)
        ignored = _digests(git.ignored(path)) & digests
        in_lfs = kind != "lfs" or git.in_lfs(f"{path}/ab/{'0' * 64}.png")
        published = _published(git, path)
    except GitFailed as failed:
        warn(f"originals are not shared by git: {failed}")
        return OnlyHere(count=len(digests))
    if ignored:
        warn(f"{path} is ignored by git, so nothing of it is shared: let it through in .gitignore with !/{path}/")
    if not in_lfs:
        line = f"/{path}/** filter=lfs diff=lfs merge=lfs -text"
        warn(f"{path} is not kept by Git LFS yet; .gitattributes needs this line before it is committed: {line}")
    left = len(digests - published)
    return OnlyHere(count=left, next=f"git add {path}, then commit and push" if left and not ignored else None)


def _published(git: LocalGit, path: str) -> set[str]:
    try:
        return _digests(git.committed(path)) - _digests(git.unpublished(path))
    except GitFailed:
        return set()  # nothing is committed at all yet


def _digests(names: Iterable[str]) -> set[str]:
    return {name[:64] for name in names if name[64:65] == "."}


def _prover(proofs: StatDisk) -> Callable[[Path, str], bool]:
    proved: set[tuple[str, str]] = set()

    def proof(path: Path, sha256: str) -> bool:
        name = f"{path.parent.name}/{path.name}"
        if (name, sha256) not in proved:
            try:
                size = seams.disk.lstat(path).st_size
            except OSError:
                return False
            if proofs.look(name, sha256, size) != "same":
                return False
            proved.add((name, sha256))
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
