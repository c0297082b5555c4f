"""Addresses for the shell's completion: the lock's lines are looked at, nothing is parsed or imported.

A lock has one block for each address, and only a block's first line starts with a quote (CONTRACT section 5).
"""

import json
from collections.abc import Iterator
from pathlib import Path

from imagebatch.effects.disk import READ
from imagebatch.effects.files import is_file, names_in, opened, read_rest

MOST = 500
MOST_BYTES = 64 * 1024 * 1024


def addresses_of_lock(start: str, prefix: str) -> list[str]:
    """At most `MOST` addresses that begin with `prefix`; none where there is no lock or it cannot be read."""
    found: list[str] = []
    try:
        for path in _lock_files(Path(start).absolute()):
            for address in _addresses(path):
                if address.startswith(prefix):
                    found.append(address)
                    if len(found) >= MOST:
                        return found
    except (OSError, ValueError):
        return found
    return found


def _lock_files(start: Path) -> Iterator[Path]:
    root = next((folder for folder in (start, *start.parents) if is_file(folder / "imagebatch.yaml")), None)
    if root is None:
        return
    if is_file(root / "imagebatch.lock"):
        yield root / "imagebatch.lock"
    folder = root / "imagebatch.lock.d"
    yield from (folder / name for name in names_in(folder) if name.endswith(".lock"))


def _addresses(path: Path) -> Iterator[str]:
    inside = False
    with opened(path, READ) as handle:
        text = read_rest(handle, MOST_BYTES).decode("utf-8", "replace")
    for line in text.split("\n"):
        if line.startswith('"generations"'):
            inside = True
        elif inside and line.startswith('"') and line.rstrip().endswith("{"):
            address, _ = json.JSONDecoder().raw_decode(line)
            yield str(address)
