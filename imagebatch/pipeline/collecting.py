"""`gc`: pictures of the store that nothing names any more go to a dated trash, and back from there.

What is kept is decided by bytes' hashes alone, wherever they stand in a lock or in picks.yaml: a file that cannot be
read as a lock still keeps what it names. Nothing is deleted that has not been in the trash for its whole time.

A folder that checkouts share is another matter: what other checkouts name stands in their locks, which nobody here can
read. It is only looked through where a person asks for just that.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from imagebatch.effects import seams
from imagebatch.effects.files import exists, is_link, make_folders, names_in, read_bytes, remove, sync_folder
from imagebatch.effects.git import GitFailed
from imagebatch.effects.git_files import LocalGit
from imagebatch.errors import StateError, UsageError
from imagebatch.manifest.picks import PICKS_PATH
from imagebatch.manifest.source import PROJECT_FILE
from imagebatch.outputs.shelf import Shelf
from imagebatch.pipeline.lockwork import open_session
from imagebatch.pipeline.originals import originals_of
from imagebatch.pipeline.project import Project
from imagebatch.plan.foreign import all_hashes
from imagebatch.state.layout import FOLDER as LOCK_FOLDER
from imagebatch.state.lockfile import LOCK_NAME
from imagebatch.state.lockfile_io import lock_files
from imagebatch.state.store import FOLDER

TRASH: Final = "trash"
_NAMED: Final = re.compile(rb"[0-9a-f]{64}")
_STORED: Final = re.compile(r"([0-9a-f]{64})\..+")
_TRASHED: Final = re.compile(r"store-([0-9]{4}-[0-9]{2}-[0-9]{2})")
_DAY_S: Final = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What `gc` found: pictures that nothing names and that are old enough, and trash that has had its time.

    `asked` says whose word was heard: `git` for all refs, `here` where there is no repository. Sizes are bytes.
    """

    pictures: int
    size: int
    kept: int
    expired: tuple[str, ...]
    asked: str


def shared_folder(project: Project) -> str | None:
    """The folder that the project's originals are shared in, as it was written down; None where there is none."""
    return originals_of(project).settings.folder


def collect(
    project: Project, *, older_s: float, expire_s: float, do: bool, lock_timeout_s: float, shared: bool = False
) -> Collected:
    """Move what nothing names to the trash, and delete trash older than `expire_s`; only look unless `do`.

    `shared` looks through the shared folder instead, as if nobody but this checkout used it; its trash lies in it.

    What no lock and no picks.yaml names, but draw index or journal do, is kept until it is `older_s` old.

    Raises RefusedError while a run is under way, StateError where git cannot tell what its refs name.
    """
    store, trash = _places(project, shared=shared)
    with open_session(project, lock_timeout_s) as session:
        named, asked = _named(project)
        named |= {one.removeprefix("sha256:") for one in all_hashes(session.ledger)}
        remembered = {one.removeprefix("sha256:") for one in session.ledger.by_bytes()}
        now = seams.clock.wall().timestamp()
        spare: dict[Path, int] = {}
        kept = 0
        for digest, path in _stored(store).items():
            facts = seams.disk.stat(path)
            young = now - facts.st_mtime < (older_s if digest in remembered else _DAY_S)
            if digest in named or young:
                kept += 1
            else:
                spare[path] = facts.st_size
        expired = tuple(name for name in names_in(trash) if _is_expired(name, now, expire_s))
        if do:
            _to_trash(spare, trash / f"store-{datetime.fromtimestamp(now, UTC):%Y-%m-%d}")
            for name in expired:
                _delete(trash / name)
            for path in Shelf(store).leftovers(now - _DAY_S) if shared else ():
                remove(path)
    return Collected(pictures=len(spare), size=sum(spare.values()), kept=kept, expired=expired, asked=asked)


def put_back(project: Project, day: str | None, *, lock_timeout_s: float, shared: bool = False) -> tuple[int, int]:
    """Move pictures from the trash back into the store; from all days where `day` (`2026-11-28`) is None.

    Gives how many, and their bytes. Raises RefusedError while a run is under way, StateError where there is no such
    trash.
    """
    store, trash = _places(project, shared=shared)
    wanted = [name for name in names_in(trash) if (match := _TRASHED.fullmatch(name)) and day in {None, match[1]}]
    if not wanted:
        where = "The trash of the shared folder" if shared else f"{FOLDER}/{TRASH}"
        raise StateError(
            "nothing to restore",
            f"{where} has no pictures of the store{f' of {day}' if day else ''}.",
            code="gc.no_trash",
        )
    count = size = 0
    with open_session(project, lock_timeout_s):
        for name in wanted:
            for digest, path in _stored(trash / name).items():
                size += seams.disk.stat(path).st_size
                count += 1
                _move(path, store / digest[:2] / path.name)
    return count, size


def _places(project: Project, *, shared: bool) -> tuple[Path, Path]:
    """The folder to look through, and its trash. Raises UsageError where nothing is shared in a folder."""
    originals = originals_of(project)
    if not shared:
        return originals.store.folder, project.home / FOLDER / TRASH
    if originals.shared is None:
        raise UsageError(
            "no shared folder",
            f"--shared is for a project with store: {{share: dir:PATH}}, and {PROJECT_FILE} names none.",
            hints=("imagebatch gc",),
        )
    return originals.shared.folder, originals.shared.folder / TRASH


def _named(project: Project) -> tuple[set[str], str]:
    """Every hash in any version of lock and picks that a git ref, the index or the work tree has."""
    texts = list((lock_files(project.home) or {}).values())
    picks = project.root / PICKS_PATH
    texts += [read_bytes(picks)] if exists(picks) else []
    asked = "here"
    if _in_repository(project.root):
        try:
            texts += LocalGit(project.root, project.setup.variables).versions([LOCK_NAME, LOCK_FOLDER, PICKS_PATH])
        except GitFailed as failed:
            raise StateError(
                "git cannot tell which pictures its branches need",
                f"{failed}. A picture that only another branch names must not go, so nothing was moved.",
                hints=("git status", "imagebatch gc"),
                code="gc.git",
            ) from None
        asked = "git"
    return {match.decode("ascii") for text in texts for match in _NAMED.findall(text)}, asked


def _in_repository(root: Path) -> bool:
    return any(exists(folder / ".git") for folder in (root, *root.parents))


def _stored(store: Path) -> Mapping[str, Path]:
    """Hash (hex) -> file of every picture below a folder that is laid out as the store; links are nobody's."""
    found: dict[str, Path] = {}
    for shard in names_in(store):
        if not re.fullmatch(r"[0-9a-f]{2}", shard) or is_link(store / shard):
            continue
        for name in names_in(store / shard):
            match = _STORED.fullmatch(name)
            if match is not None and not is_link(store / shard / name):
                found[match[1]] = store / shard / name
    return found


def _to_trash(spare: Mapping[Path, int], folder: Path) -> None:
    for path in spare:
        _move(path, folder / path.parent.name / path.name)


def _move(path: Path, target: Path) -> None:
    make_folders(target.parent)
    seams.disk.replace(path, target)
    sync_folder(target.parent)
    sync_folder(path.parent)


def _is_expired(name: str, now: float, expire_s: float) -> bool:
    match = _TRASHED.fullmatch(name)
    if match is None:
        return False
    day = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
    return now - day.timestamp() > expire_s


def _delete(folder: Path) -> None:
    """Delete the pictures of a trash, and its folders as far as that leaves them empty."""
    for path in _stored(folder).values():
        remove(path)
    for shard in (*(folder / name for name in names_in(folder)), folder):
        with suppress(OSError):
            seams.disk.rmdir(shard)
