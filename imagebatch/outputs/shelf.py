"""A folder of pictures by their hash, `ab/abcdef….png`: the store's own, and one that several checkouts share.

Nothing under a final name is ever changed but by the right bytes. In a shared folder others write, too, and any file
may be cut, edited or rotten: what comes from there is hashed on its way and taken by that hash alone.
"""

import errno
import hashlib
import re
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final

from imagebatch.effects import seams
from imagebatch.effects.disk import NEW, READ_REGULAR
from imagebatch.effects.files import names_in, opened, remove, sync_file, sync_folder, write_whole
from imagebatch.outputs.paths import EXTENSIONS
from imagebatch.outputs.picture import MAX_BYTES

# Hashes come from locks that somebody may have edited, too: a name from elsewhere must not become a path.
_HASH: Final = re.compile(r"sha256:([0-9a-f]{64})")
_NAME: Final = re.compile(rf"([0-9a-f]{{64}})\.(?:{'|'.join(EXTENSIONS.values())})")
_PART: Final = re.compile(r"\.[0-9a-f]{64}\.[0-9a-f]{16}\.part")
_PIECE: Final = 1024 * 1024
_NO_SYNC: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.ENOSYS})


class Rotten(Exception):
    """A file has other bytes than its name says."""


class Shelf:
    """The pictures of one folder, by the names that stand there; its folders are each read once. For threads, too.

    `foreign` where it lies beyond the project: what cannot be read there is not there.
    """

    def __init__(self, folder: Path, *, foreign: bool = False) -> None:
        self.folder: Final = folder
        self._foreign = foreign
        self._shards: dict[str, dict[str, str]] = {}
        # A folder is read and a name added under it: a reading that began earlier must not replace what was added.
        self._looking = Lock()

    def find(self, sha256: str) -> Path | None:
        """The file that has this hash (`sha256:` and 64 hex digits) in its name; None where there is none."""
        match = _HASH.fullmatch(sha256)
        name = None if match is None else self._shard(match[1][:2]).get(match[1])
        return None if name is None else self.folder / name[:2] / name

    def hashes(self) -> frozenset[str]:
        """All hashes that names here tell. Raises OSError where the folder cannot be read."""
        shards = (name for name in names_in(self.folder) if re.fullmatch(r"[0-9a-f]{2}", name))
        return frozenset(f"sha256:{digest}" for shard in shards for digest in self._shard(shard))

    def note(self, path: Path) -> None:
        """A picture has come under this name."""
        with self._looking:
            self._read(path.name[:2])[path.name[:64]] = path.name

    def forget(self, sha256: str) -> None:
        """Somebody tidied up: look again next time."""
        with self._looking:
            self._shards.pop(sha256[7:9], None)

    def put(self, source: Path, sha256: str) -> None:
        """Copy a picture here, under another name first, synced, and only where its bytes have that hash.

        The folder itself is never made: a shared disk that is not mounted must not look like one. Raises OSError,
        and Rotten where the source has other bytes.
        """
        digest = digest_of(sha256)
        shard = self.folder / digest[:2]
        with suppress(FileExistsError):
            seams.disk.mkdir(shard)
        temp = shard / f".{digest}.{seams.chance.hex(8)}.part"
        target = shard / f"{digest}{source.suffix}"
        try:
            _refuse_rotten(copy_hashed(source, temp), sha256)
            seams.disk.chmod(temp, 0o644)
            sync_file(temp)
            seams.disk.replace(temp, target)
        except BaseException:
            with suppress(OSError):
                remove(temp)
            raise
        try:
            sync_folder(shard)
        except OSError as error:
            if error.errno not in _NO_SYNC:  # some network disks know no such thing
                raise
        self.note(target)

    def put_aside(self, path: Path) -> bool:
        """Give a file with other bytes than its name says another name, where others use the folder, too.

        Whoever has the right bytes goes by names, and puts them there again only where the name is free.
        """
        if not self._foreign:
            return False
        try:
            seams.disk.replace(path, path.with_name(f".{path.name}.damaged"))
        except OSError:  # a folder that one may only read
            return False
        self.forget(f"sha256:{path.name[:64]}")
        return True

    def leftovers(self, before: float) -> tuple[Path, ...]:
        """What dead runs left half-written here before that time (seconds since 1970)."""
        shards = [self.folder / name for name in names_in(self.folder) if re.fullmatch(r"[0-9a-f]{2}", name)]
        found = [shard / name for shard in shards for name in names_in(shard) if _PART.fullmatch(name)]
        return tuple(path for path in found if seams.disk.lstat(path).st_mtime < before)

    def _shard(self, shard: str) -> dict[str, str]:
        found = self._shards.get(shard)
        if found is None:
            with self._looking:
                found = self._read(shard)
        return found

    def _read(self, shard: str) -> dict[str, str]:
        """The names of one folder, read once; only under the lock."""
        found = self._shards.get(shard)
        if found is None:
            try:
                names = names_in(self.folder / shard)
            except OSError:
                if not self._foreign:
                    raise
                names = []
            found = self._shards[shard] = {match[1]: name for name in names if (match := _NAME.fullmatch(name))}
        return found


def copy_hashed(source: Path, target: Path) -> str:
    """Copy a regular file to a name that nobody has yet; gives `sha256:…` of what was copied.

    What is larger than a picture may be is not read to its end, so its hash is no picture's. Raises OSError.
    """
    digest = hashlib.sha256()
    count = 0
    with opened(source, READ_REGULAR) as origin, opened(target, NEW) as handle:
        while count <= MAX_BYTES and (piece := seams.disk.read(origin, _PIECE)):
            count += len(piece)
            digest.update(piece)
            write_whole(handle, piece)
    return "sha256:" + digest.hexdigest()


def _refuse_rotten(found: str, wanted: str) -> None:
    if found != wanted:
        raise Rotten(wanted)


def digest_of(sha256: str) -> str:
    """The hex digits of a hash. Raises ValueError for what is none."""
    match = _HASH.fullmatch(sha256)
    if match is None:
        raise ValueError(f"{sha256!r} is no sha256")
    return match[1]
