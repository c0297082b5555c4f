"""How a lock is laid out in files: one, or above 50,000 addresses one for each asset; pure.

In the second layout `imagebatch.lock` keeps the header, with `entries_in` naming the folder, and each file in the
folder has the same form as a whole lock. Blocks may stand in both places (a merge of two branches): together they are
the lock, and two blocks of one address are refused as ever.
"""

import hashlib
import unicodedata
from collections.abc import Mapping
from typing import Final

from imagebatch.errors import StateError
from imagebatch.model.canonical import Json
from imagebatch.state.lock_errors import MERGE_HINTS
from imagebatch.state.lockfile import LOCK_NAME, Lock, decode_lock, encode_lock

SPLIT_ABOVE: Final = 50_000
JOIN_BELOW: Final = 40_000
FOLDER: Final = "imagebatch.lock.d"
ENTRIES_IN: Final = "entries_in"
NO_LOCK: Final = "absent"
_NAME_BYTES: Final = 200
_HEADER_BYTES: Final = 4096


def decode_files(files: Mapping[str, bytes]) -> Lock:
    """The lock that these files make; `files` maps project paths to bytes and has `imagebatch.lock`.

    Raises StateError as `decode_lock` does, and for a part of another lineage.
    """
    main = decode_lock(files[LOCK_NAME])
    if not is_split(main):
        return main  # what lies in the folder is left over from a switch of layouts
    parts = [decode_lock(data, path) for path, data in sorted(files.items()) if path != LOCK_NAME]
    for path, part in zip(sorted(path for path in files if path != LOCK_NAME), parts, strict=True):
        if part.lineage != main.lineage:
            raise StateError(
                "a part of the lock belongs to another project",
                f"{path} has the lineage {part.lineage}, {LOCK_NAME} has {main.lineage}.",
                hints=MERGE_HINTS,
                code="lockfile.lineage",
                path=path,
            )
    return main.joined(parts) if parts else main


def is_split(lock: Lock) -> bool:
    """Whether the lock's own header says that entries stand in the folder."""
    return lock.header.get(ENTRIES_IN) == FOLDER


def names_folder(data: bytes) -> bool:
    """Whether a lock file's header may name the folder: a quick look at its first bytes, before anything is decoded."""
    return ENTRIES_IN.encode() in data[:_HEADER_BYTES]


def encode_files(lock: Lock) -> dict[str, bytes]:
    """Project path -> bytes, `imagebatch.lock` last; which layout it is depends on the size and on the present one."""
    header = {name: value for name, value in lock.header.items() if name != ENTRIES_IN}
    if len(lock) <= (JOIN_BELOW if is_split(lock) else SPLIT_ABOVE):
        return {LOCK_NAME: encode_lock(lock.with_header(header))}
    groups: dict[str, list[str]] = {}
    for address in lock:
        groups.setdefault(_folded(address), []).append(address)
    plain = lock.with_header(header)
    files = {_part_path(group): encode_lock(plain.only(group)) for group in groups.values()}
    marked: dict[str, Json] = {ENTRIES_IN: FOLDER, **header}
    files[LOCK_NAME] = encode_lock(lock.with_header(marked).only(()))
    return files


def lock_digest(files: Mapping[str, bytes]) -> str:
    """`sha256:…` over all files of a lock: that of the file itself where there is one; `absent` where there is none."""
    return digest_of({path: hashlib.sha256(data).hexdigest() for path, data in files.items()})


def digest_of(hashes: Mapping[str, str]) -> str:
    """`lock_digest` from the files' own sha256 in hex."""
    if not hashes:
        return NO_LOCK
    if set(hashes) == {LOCK_NAME}:
        return f"sha256:{hashes[LOCK_NAME]}"
    lines = "".join(f"{hashes[path]}  {path}\n" for path in sorted(hashes))
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"


def _folded(address: str) -> str:
    """Assets whose names a file system may take for one share a file."""
    return unicodedata.normalize("NFKC", address.partition("[")[0].casefold())


def _part_path(group: list[str]) -> str:
    asset = group[0].partition("[")[0]
    if not asset or asset in {".", ".."} or any(char in "/\\:" or ord(char) < 32 for char in asset):
        raise StateError(
            "an address of the lock names no asset",
            f"{asset!r} cannot be the name of a file in {FOLDER}.",
            code="lockfile.corrupt",
            path=LOCK_NAME,
            address=group[0],
        )
    if len(asset.encode()) > _NAME_BYTES:
        asset = f"{asset[:40]}-{hashlib.sha256(asset.encode()).hexdigest()[:16]}"
    return f"{FOLDER}/{asset}.lock"
