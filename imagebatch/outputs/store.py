"""The store: originals, pictures as they were delivered, by their hash: `.imagebatch/store/ab/abcdef….png`.

Nothing under a final name is ever changed. A picture is written under another name in the same file system, checked,
synced, renamed, and its folder synced: what has a final name is whole, after a power cut too. Originals of the same
team may lie beyond it, in a shared folder; they are copied here when they are needed, and checked on the way.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Final

from imagebatch.effects import seams
from imagebatch.effects.files import (
    is_file,
    is_link,
    make_folders,
    names_in,
    remove,
    sync_file,
    sync_folder,
    write_bytes,
)
from imagebatch.errors import OutputError
from imagebatch.outputs.paths import EXTENSIONS
from imagebatch.outputs.shelf import Shelf, copy_hashed, digest_of
from imagebatch.outputs.trouble import CODES, disk_errors

_COUNTER = count()

Proof = Callable[[Path, str], bool]
"""Whether a file has just the bytes of a hash."""


class Store:
    """The store in one folder; it is made when the first picture comes. Threads may share it.

    `beyond` are folders that are asked for what is not here; nothing is written there. `proof` is given where others
    write into this folder, too (git does): what it denies is not here.
    """

    def __init__(self, folder: Path, *, beyond: Sequence[Shelf] = (), proof: Proof | None = None) -> None:
        self.folder: Final = folder
        self._shelf = Shelf(folder)
        self._beyond = beyond
        self._proof = proof
        self._broken: dict[Path, str] = {}

    @property
    def broken(self) -> Mapping[Path, str]:
        """Files beyond the store that were to be taken and are not what their name says, and why."""
        return self._broken

    def has(self, sha256: str) -> bool:
        """Whether the bytes with this hash (`sha256:` and 64 hex digits) are here, or can be taken from beyond."""
        return self.holds(sha256) or any(shelf.find(sha256) not in {None, *self._broken} for shelf in self._beyond)

    def holds(self, sha256: str) -> bool:
        """Whether the store itself has these bytes; a text that is no hash it never has."""
        path = self._shelf.find(sha256)
        return path is not None and (self._proof is None or self._proof(path, sha256))

    def path_of(self, sha256: str) -> Path:
        """The file with these bytes, taken from beyond where the store does not hold them.

        Raises KeyError where nobody has them, OutputError where the disk is full.
        """
        path = self._shelf.find(sha256)
        if path is not None and is_file(path) and self.holds(sha256):
            return path
        self._shelf.forget(sha256)
        if not self.bring(sha256):
            raise KeyError(sha256)
        return self._shelf.find(sha256) or self.folder

    def find(self, sha256: str) -> Path | None:
        """As `path_of`; None where nobody has them."""
        try:
            return self.path_of(sha256) if self.has(sha256) else None
        except KeyError:
            return None

    def bring(self, sha256: str) -> bool:
        """Take these bytes from beyond, if they are what their name says; whether the store holds them then.

        Raises OutputError where the disk here is full.
        """
        if self.holds(sha256):
            return True
        return any(
            self._taken(shelf, source, sha256) for shelf in self._beyond if (source := shelf.find(sha256)) is not None
        )

    def hashes(self) -> frozenset[str]:
        """All hashes that the store itself has by name."""
        return self._shelf.hashes()

    def fresh_path(self) -> Path:
        """A name for a file that is still being written; its folder exists. Leftovers are removed by `sweep`."""
        folder = self.folder / "new"
        try:
            seams.disk.mkdir(folder)  # looking first would look twice where it exists, as it nearly always does
        except FileExistsError:
            pass
        except FileNotFoundError:
            make_folders(folder)
        name = f"{seams.processes.pid()}-{next(_COUNTER)}.part"
        if self._proof is not None and not is_file(folder / ".gitignore"):
            write_bytes(folder / ".gitignore", b"*\n")  # the store is in git, and this is nothing to be committed
        return folder / name

    def adopt(self, path: Path, sha256: str, media_type: str, *, synced: bool = False) -> Path:
        """Take a checked file from `fresh_path` into the store: sync, rename, sync the folder. Blocks on the disk.

        `synced` where the file itself is on disk already and has its final mode (the worker that checked it saw to it).
        """
        return self._adopted(path, sha256, EXTENSIONS[media_type], synced=synced)

    def sweep(self) -> int:
        """Remove what dead runs left half-written; only for the one who holds the lease. Gives how many there were.

        Raises OutputError where a folder of the store is a link: following it would write outside the project.
        """
        for name in names_in(self.folder):
            if is_link(self.folder / name):
                raise OutputError(
                    "a folder of the store is a link",
                    f"{name} in {self.folder.name} is a link. Following it could write outside the project.",
                    hints=(f"Remove it: rm {self.folder.parent.name}/{self.folder.name}/{name}",),
                    code="path.symlink",
                )
        left = [self.folder / "new" / name for name in names_in(self.folder / "new") if name.endswith(".part")]
        for path in left:
            remove(path)
        return len(left)

    def _taken(self, shelf: Shelf, source: Path, sha256: str) -> bool:
        if source in self._broken:
            return False
        with disk_errors(str(self.folder), "Nothing was lost.", gone=True):
            fresh = self.fresh_path()
        try:
            if copy_hashed(source, fresh) == sha256:
                self._adopted(fresh, sha256, source.suffix.removeprefix("."))
                return True
            aside = ", and was put aside" if shelf.put_aside(source) else ""
            self._broken[source] = f"has other bytes than its name says{aside}"
        except OSError as error:
            if error.errno in CODES:  # which reading never gives
                with disk_errors(str(self.folder), "Nothing was lost.", gone=True):
                    raise
            self._broken[source] = f"cannot be read: {error.strerror or error}"
        finally:
            remove(fresh)
        return False

    def _adopted(self, path: Path, sha256: str, extension: str, *, synced: bool = False) -> Path:
        digest = digest_of(sha256)
        folder = self.folder / digest[:2]
        target = folder / f"{digest}.{extension}"
        if not synced:
            seams.disk.chmod(path, 0o644)
            sync_file(path)
        try:
            seams.disk.replace(path, target)
        except FileNotFoundError:
            make_folders(folder)
            sync_folder(self.folder)
            seams.disk.replace(path, target)
        sync_folder(folder)
        self._shelf.note(target)
        return target
