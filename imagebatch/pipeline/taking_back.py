"""Pictures that were paid for and lie beside the project file, as no store took them: back into the store, free."""

import hashlib
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from imagebatch.effects import seams
from imagebatch.effects.files import names_in, read_bytes, remove
from imagebatch.errors import OutputError
from imagebatch.model.event import Event, Kept, Observed, Told
from imagebatch.model.generation import Candidate, Entry, worst_status
from imagebatch.model.token import TOKEN_PATTERN
from imagebatch.outputs.aside import PREFIX
from imagebatch.outputs.picture import MAX_BYTES
from imagebatch.pipeline.intake import take_file
from imagebatch.pipeline.lockwork import record
from imagebatch.pipeline.opened import Opened
from imagebatch.state.attempts import Attempt

_NAME: Final = re.compile(rf"{PREFIX}(?P<token>{TOKEN_PATTERN.pattern})-(?P<number>[1-9][0-9]?)\.\w+")


def take_back(run: Opened) -> None:
    """Take every picture that was set aside into the store, and its place in the state; the file goes once it is there.

    What does not belong to a draw of this project that came with its answer stays where it is, and so does what is no
    picture, or finds no room: these are told.
    """
    for name in sorted(names_in(run.home)):
        match = _NAME.fullmatch(name)
        if match is not None:
            said = _taken_back(run, run.home / name, match["token"], int(match["number"]))
            run.tell(Told(kind="warning", message=f"{name} {said}"))


def _taken_back(run: Opened, path: Path, token: str, number: int) -> str:
    """What came of one file, in words that go behind its name."""
    attempt = run.session.ledger.known_attempt(token)
    answers = run.project.capabilities.get(attempt.type) if attempt is not None else None
    if attempt is None or answers is None or answers.answers != "now" or number > len(attempt.candidates):
        return "is left alone: no draw that this project knows has set it aside"
    if not stat.S_ISREG(seams.disk.lstat(path).st_mode):
        return "is left alone: it is no plain file"
    there = attempt.candidates[number - 1].facts
    if there is not None and run.store.holds(there.sha256):
        if not _has_bytes(path, there.sha256):
            return "is left alone: the picture that it should be is in the store, and has other bytes"
        return _removed(path, "is in the store already")
    try:
        facts = take_file(run.store, path)
    except OutputError as error:
        what = "finds no room in the store yet" if error.code.startswith("disk.") else "cannot be read"
        return f"was paid for and {what}: {error.detail}"
    candidates = list(attempt.candidates)
    candidates[number - 1] = replace(candidates[number - 1], facts=facts)
    now = replace(attempt, candidates=tuple(candidates))
    record(run.session, [_observed(now), *_kept(run, now, number)])
    return _removed(path, f"is back in the store: candidate {number} of {_whose(run, token)}")


def _observed(attempt: Attempt) -> Event:
    return Observed(token=attempt.token, status="succeeded", candidates=attempt.candidates, cost=attempt.cost)


def _kept(run: Opened, attempt: Attempt, number: int) -> Iterator[Event]:
    """The blocks whose current draw it is; of what stands in none the next plan learns from the journal."""
    ledger = run.session.ledger
    for address in ledger:
        entry = ledger.entry(address)
        if attempt.token in {entry.token, *(part.token for part in entry.parts)}:
            now = _with_picture(entry, attempt.token, number, attempt.candidates[number - 1])
            if now is not None:
                yield Kept(address=address, entry=now)


def _with_picture(entry: Entry, token: str, number: int, candidate: Candidate) -> Entry | None:
    """The entry with the picture number `number` (from 1) of one of its creates; None where it has no such place."""
    before = 0
    for part in entry.parts:
        if part.token == token:
            break
        before += part.candidates
    at = before + number - 1
    if entry.status not in {"succeeded", "failed"} or at >= len(entry.candidates):
        return None
    candidates = list(entry.candidates)
    candidates[at] = replace(candidates[at], facts=candidate.facts)
    parts = tuple(replace(one, status="succeeded") if one.token == token else one for one in entry.parts)
    status = worst_status(one.status for one in parts) if parts else "succeeded"
    failure = entry.failure if status != "succeeded" else None
    return replace(entry, status=status, candidates=tuple(candidates), parts=parts, failure=failure)


def _whose(run: Opened, token: str) -> str:
    return run.session.ledger.address_of(token) or f"a draw that the lock does not name ({token})"


def _has_bytes(path: Path, sha256: str) -> bool:
    if seams.disk.lstat(path).st_size > MAX_BYTES:
        return False
    with suppress(OSError):
        return f"sha256:{hashlib.sha256(read_bytes(path)).hexdigest()}" == sha256
    return False


def _removed(path: Path, said: str) -> str:
    try:
        remove(path)
    except OSError as error:
        return f"{said}, and can be removed by hand: {error.strerror}"
    return said
