"""Bytes that a traced run handed to write() for its state: journal with its WAL, draw index, lock; from strace -y."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

_CALL = re.compile(r"\b(?:write|writev|pwrite64|pwritev|pwritev2)\(\d+<([^>]*)>")
_UNFINISHED = re.compile(r"^(\d+) .*\b(?:write|writev|pwrite64|pwritev|pwritev2)\(\d+<([^>]*)>.*<unfinished \.\.\.>")
_RESUMED = re.compile(r"^(\d+) .*<\.\.\. (?:write|writev|pwrite64|pwritev|pwritev2) resumed>.*= (\d+)")
_RESULT = re.compile(r"= (\d+)(?: <[\d.]+>)?$")


def written_for_state(trace: Path, root: Path) -> Mapping[str, int]:
    """Bytes by kind: `journal`, `draws`, `lock`, `other state` (lineage, lease, remembered facts, stat cache)."""
    found: Counter[str] = Counter()
    open_calls: dict[str, str] = {}
    with trace.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if unfinished := _UNFINISHED.match(line):
                open_calls[unfinished[1]] = unfinished[2]
            elif resumed := _RESUMED.match(line):
                found[_kind(open_calls.pop(resumed[1], ""), root)] += int(resumed[2])
            elif (call := _CALL.search(line)) and (result := _RESULT.search(line.rstrip())):
                found[_kind(call[1], root)] += int(result[1])
    return {kind: count for kind, count in found.items() if kind}


def _kind(path: str, root: Path) -> str:
    """What a file is, by its path; empty for what is no state (pictures, pipes, sockets)."""
    if not path.startswith(f"{root}/"):
        return ""
    inner = path.removeprefix(f"{root}/").removesuffix("(deleted)")
    if inner.startswith(".imagebatch/journal.db"):
        return "journal"
    if inner.startswith(".imagebatch/draws.db"):
        return "draws"
    if re.match(r"\.?imagebatch\.lock", inner):
        return "lock"
    pictures = (".imagebatch/store/", ".imagebatch/inbox/", "outputs/")
    return "" if inner.startswith(pictures) else "other state"
