"""What is said about a lock that cannot be read: what is wrong, why it matters, and the way back."""

import json
from typing import Final

from imagebatch.errors import StateError

VERSION: Final = 1
RESTORE_HINTS: Final = (
    "Restore the last good lock: git checkout imagebatch.lock",
    "See what can be saved: imagebatch lock doctor",
)
MERGE_HINTS: Final = (
    "Keep the blocks of both sides without the marks; of an address that both have, either one",
    (
        "Or, only on the machine that drew your side (another would pay for it again), take theirs and adopt yours: "
        "git checkout --theirs imagebatch.lock && imagebatch apply"
    ),
    "See what is wrong: imagebatch lock doctor",
)


def corrupt_lock(path: str, detail: str, line: int | None = None) -> StateError:
    return StateError(
        "the lock is damaged",
        f"{detail} The lock is the receipt of what was paid, so it is never started anew by itself.",
        hints=RESTORE_HINTS,
        code="lockfile.corrupt",
        path=path,
        line=line,
    )


def newer_lock(path: str, version: int) -> StateError:
    return StateError(
        "the lock is of a newer version",
        f"{path} has version {version}; this imagebatch reads up to version {VERSION}. Nothing was changed.",
        hints=("Install a newer imagebatch: pip install --upgrade imagebatch",),
        code="lockfile.version",
        path=path,
    )


def address_twice(path: str, key: str, line: int | None) -> StateError:
    return StateError(
        "two blocks of the lock have one address",
        f"{key} stands twice in {path}, as after a merge of two branches that both drew it. "
        "Both may have been paid, so one has to be chosen.",
        hints=MERGE_HINTS,
        code="lockfile.conflict",
        path=path,
        line=line,
        address=key,
    )


def unreadable_lock(data: bytes, path: str, error: ValueError) -> StateError:
    if isinstance(error, UnicodeDecodeError):
        line = data.count(b"\n", 0, error.start) + 1
        return corrupt_lock(path, "The file is not UTF-8 text.", line)
    if isinstance(error, json.JSONDecodeError):
        what = error.msg.removesuffix(" at")  # some of Python's sentences end with it, ready for their own place
        return corrupt_lock(path, f"The text is no JSON: {what} at column {error.colno}.", error.lineno)
    return corrupt_lock(path, f"The text cannot be read: {error}.")
