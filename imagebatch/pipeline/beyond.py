"""Originals beyond this machine: shared as the project says, and those counted that would be lost with it.

Sharing comes after everything else: a picture that was paid is on this disk first, and whatever a shared folder or git
says can only be a warning.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from imagebatch.effects.files import is_folder
from imagebatch.effects.git import GitFailed
from imagebatch.effects.git_files import LocalGit
from imagebatch.errors import OutputError
from imagebatch.model.generation import Entry
from imagebatch.outputs.shelf import Rotten, Shelf
from imagebatch.pipeline.originals import Originals, Warn
from imagebatch.plan.picking import OWN, hashes, is_own
from imagebatch.providers.registry import SIMULATED
from imagebatch.run.result import OnlyHere
from imagebatch.state.ledger import Ledger

_DIGEST: Final = re.compile(r'"sha256": ?"(?:sha256:)?([0-9a-f]{64})"')


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
        warn(f"{many} not shared: {originals.named(shared.folder)}: {why}; the next apply tries again")
    return OnlyHere(count=len(left))


def _by_git(originals: Originals, mine: Iterable[str], environ: Mapping[str, str], warn: Warn) -> OnlyHere:
    path, kind = originals.settings.path, originals.settings.share
    digests = {sha256.removeprefix("sha256:") for sha256 in mine}
    try:
        git = LocalGit(originals.home, environ)
        ignored = _digests(git.ignored(path)) & digests
        in_lfs = kind != "lfs" or git.in_lfs(f"{path}/ab/{'0' * 64}.png")
        has_lfs = kind != "lfs" or git.has_lfs()
        published = _published(git, path)
    except GitFailed as failed:
        warn(f"originals are not shared by git: {failed}")
        return OnlyHere(count=len(digests))
    if ignored:
        warn(f"{path} is ignored by git, so nothing of it is shared: let it through in .gitignore with !/{path}/")
    if not in_lfs:
        line = f"/{path}/** filter=lfs diff=lfs merge=lfs -text"
        warn(f"{path} is not kept by Git LFS yet; .gitattributes needs this line before it is committed: {line}")
    if not has_lfs:
        warn(f"Git LFS is not set up here, so git would commit {path} whole: install git-lfs, then: git lfs install")
    left = len(digests - published)
    return OnlyHere(count=left, next=f"git add {path}, then commit and push" if left and not ignored else None)


def _published(git: LocalGit, path: str) -> set[str]:
    try:
        return _digests(git.committed(path)) - _digests(git.unpublished(path))
    except GitFailed:
        return set()  # nothing is committed at all yet


def _digests(names: Iterable[str]) -> set[str]:
    return {name[:64] for name in names if name[64:65] == "."}
