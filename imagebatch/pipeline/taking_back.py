"""Pictures that were paid for and lie beside the project file, as no store took them: back into the store, free."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from imagebatch.effects.files import names_in, remove
from imagebatch.errors import OutputError
from imagebatch.model.event import Event, Kept, Observed, Told
from imagebatch.model.generation import Candidate, Entry, worst_status
from imagebatch.model.token import TOKEN_PATTERN
from imagebatch.outputs.aside import PREFIX
from imagebatch.pipeline.intake import take_file
from imagebatch.pipeline.lockwork import record
from imagebatch.pipeline.opened import Opened

_NAME: Final = re.compile(rf"{PREFIX}(?P<token>{TOKEN_PATTERN.pattern})-(?P<number>[1-9][0-9]?)\.\w+")


def take_back(run: Opened) -> None:
    """Take every picture that was set aside into the store, and its place in the lock; the file goes once it is there.

    One that is no picture, or of which the lock knows nothing, stays where it is; the first is told.
    """
    found = [match for name in sorted(names_in(run.home)) if (match := _NAME.fullmatch(name)) is not None]
    for match in found:
        holders = _holders(run, match["token"])
        if not holders:
            continue
        try:
            facts = take_file(run.store, run.home / match[0])
        except OutputError as error:
            run.tell(Told(kind="warning", message=f"{match[0]} was paid for and cannot be read: {error.detail}"))
            continue
        number = int(match["number"])
        events: list[Event] = []
        for address, entry in holders:
            now = _with_picture(entry, match["token"], number, Candidate(id=str(number), facts=facts))
            if now is not None:
                events += [_observed(now, match["token"]), Kept(address=address, entry=now)]
        if events:
            record(run.session, events)
            remove(run.home / match[0])
            run.tell(Told(kind="warning", message=f"{match[0]} is back in the store: the picture of {holders[0][0]}"))


def _holders(run: Opened, token: str) -> Sequence[tuple[str, Entry]]:
    """The entries whose draw has a create under this token; reads the whole lock."""
    ledger = run.session.ledger
    entries = ((address, ledger.entry(address)) for address in ledger)
    return [(at, entry) for at, entry in entries if token in {entry.token, *(part.token for part in entry.parts)}]


def _with_picture(entry: Entry, token: str, number: int, candidate: Candidate) -> Entry | None:
    """The entry with the picture number `number` (from 1) of one of its creates; None where it has that one."""
    start, stop = _place(entry, token)
    at = start + number - 1
    if entry.status not in {"succeeded", "failed"} or at >= stop or entry.candidates[at].facts is not None:
        return None
    candidates = list(entry.candidates)
    candidates[at] = replace(candidates[at], facts=candidate.facts)
    parts = tuple(replace(one, status="succeeded") if one.token == token else one for one in entry.parts)
    status = worst_status(one.status for one in parts) if parts else "succeeded"
    failure = entry.failure if status != "succeeded" else None
    return replace(entry, status=status, candidates=tuple(candidates), parts=parts, failure=failure)


def _place(entry: Entry, token: str) -> tuple[int, int]:
    """From where to where the candidates of one create stand."""
    start = 0
    for part in entry.parts:
        if part.token == token:
            return start, start + part.candidates
        start += part.candidates
    return 0, len(entry.candidates)


def _observed(entry: Entry, token: str) -> Observed:
    start, stop = _place(entry, token)
    delivered = tuple(replace(one, id=str(at)) for at, one in enumerate(entry.candidates[start:stop], start=1))
    cost = () if entry.parts else entry.cost
    return Observed(token=token, status="succeeded", candidates=delivered, cost=cost)
