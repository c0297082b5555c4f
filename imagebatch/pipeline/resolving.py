"""What is in doubt, settled by a person: it was drawn (here is its id, or its file), or it was not."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from imagebatch.errors import PlanError
from imagebatch.model.event import Abandoned, Accepted, Dropped, Event, Intended, Kept, Observed
from imagebatch.model.generation import Candidate, Entry, Failure, PictureFacts, worst_status
from imagebatch.model.money import Cost
from imagebatch.model.recorded import PARTS_MISSING
from imagebatch.pipeline.lockwork import leased, record
from imagebatch.pipeline.planning import PlanRequest, make_plan
from imagebatch.pipeline.project import Project
from imagebatch.plan.costs import price_of_creates
from imagebatch.plan.types import Change

A_PERSON = "a person said so"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One address of which nobody knows whether its draw was paid.

    `creates` says how many of the `of` creates of that draw are in doubt; `cost` is what those may have cost.
    """

    address: str
    provider: str
    token: str
    attempt: int
    cost: Cost | None
    can_list: bool
    answers_later: bool
    creates: int = 1
    of: int = 1


def doubts(project: Project, selectors: Sequence[str] = (), exclude: Sequence[str] = ()) -> tuple[Doubt, ...]:
    """Everything in doubt among what is selected, each with its possible cost. Reads only."""
    request = PlanRequest(select=tuple(selectors), exclude=tuple(exclude), detail=True)
    planned = make_plan(project, request)
    return tuple(
        _doubt(project, change)
        for change in planned.plan.changes
        if planned.options.selects(change.address) and _in_doubt(change)
    )


def _in_doubt(change: Change) -> bool:
    return change.reason == "in_doubt" or (change.entry is not None and change.entry.status == "in_doubt")


def _doubt(project: Project, change: Change) -> Doubt:
    source = change.known or change.entry
    target = project.targets.get(change.provider)
    told = target.adapter.capabilities if target is not None else None
    parts = source.parts if source is not None else ()
    creates = max(1, sum(part.status == "in_doubt" for part in parts))
    return Doubt(
        address=change.address,
        provider=change.provider,
        token=source.token if source is not None else "",
        attempt=source.attempt if source is not None else change.attempt,
        cost=price_of_creates(change.variant, creates) if change.variant is not None else None,
        can_list=told is not None and told.can_list,
        answers_later=told is not None and told.answers == "later",
        creates=creates,
        of=max(1, len(parts)),
    )


def adopt(project: Project, address: str, generation: str, *, lock_timeout_s: float) -> None:
    """It was drawn: take the provider's generation of this id as ours; the next apply fetches it.

    Raises PlanError where the address is not in doubt, or its provider has no generations to ask for.
    """
    doubt = _only(project, address)
    if not doubt.answers_later:
        raise PlanError(
            "this provider has no generation to adopt",
            f"{doubt.provider} answers at once and keeps nothing that could be asked for by an id.",
            hints=(
                f"imagebatch resolve {shlex.quote(address)} --file PICTURE, if you have it; else --abandon or --resend",
            ),
            code="resolve.no_id",
            address=address,
        )
    with leased(project, lock_timeout_s) as session:
        step = _step(session.ledger.open_steps(), doubt)
        kind = step.step if step is not None and step.step != "buy" else "create"
        events: list[Event] = [Accepted(step=kind, token=doubt.token, attempt=doubt.attempt, generation=generation)]
        entry = session.ledger.current(address)
        if entry is not None and entry.token == doubt.token:
            events.append(
                Kept(address=address, entry=replace(entry, status="pending", generation=generation, failure=None))
            )
        record(session, events)


def abandon(project: Project, address: str, *, lock_timeout_s: float) -> None:
    """It was not drawn, or is not wanted: the attempt is closed, and the address is as if it had never been sent."""
    doubt = _only(project, address)
    with leased(project, lock_timeout_s) as session:
        entry = session.ledger.current(address)
        events: list[Event] = [Abandoned(token=token, why=A_PERSON) for token in _tokens(entry, doubt)]
        if entry is not None and entry.status == "in_doubt":
            events.append(without_doubt(address, entry))
        record(session, events)


def supply(project: Project, address: str, path: Path, *, lock_timeout_s: float) -> PictureFacts:
    """It was drawn, and this file is what came of it (downloaded by hand): the file goes into the store.

    Of a draw of several creates it stands for the first that is in doubt; what the others brought stays. Raises
    OutputError where the file is no allowed picture.
    """
    from imagebatch.pipeline.intake import take_file

    doubt = _only(project, address)
    facts = take_file(project.home, path)
    candidate = Candidate(id="1", facts=facts)
    with leased(project, lock_timeout_s) as session:
        entry = session.ledger.current(address)
        mine = entry if entry is not None and entry.token == doubt.token else None
        token = _tokens(mine, doubt)[0]
        step = session.ledger.open_steps().get(token)
        kind = step.step if step is not None and step.step != "buy" else "create"
        generation = (mine.generation if mine is not None and not mine.parts else None) or token
        events: list[Event] = [
            Accepted(step=kind, token=token, attempt=doubt.attempt, generation=generation),
            Observed(token=token, status="succeeded", candidates=(candidate,)),
        ]
        # Without an entry of this attempt the next plan finds the draw by its fingerprint, and adopts it.
        if mine is not None:
            events.append(Kept(address=address, entry=_with_picture(mine, token, generation, candidate)))
        record(session, events)
    return facts


def _with_picture(entry: Entry, token: str, generation: str, candidate: Candidate) -> Entry:
    """The entry once the create `token` of its draw has brought `candidate`."""
    if not entry.parts:
        return replace(
            entry, status="succeeded", generation=generation, candidates=(candidate,), picked=(), failure=None
        )
    at = next(index for index, part in enumerate(entry.parts) if part.token == token)
    start = sum(part.candidates for part in entry.parts[:at])
    candidates = (*entry.candidates[:start], candidate, *entry.candidates[start:])
    settled = replace(entry.parts[at], status="succeeded", generation=generation, candidates=1)
    parts = (*entry.parts[:at], settled, *entry.parts[at + 1 :])
    status = worst_status(part.status for part in parts)
    return replace(
        entry,
        status=status,
        generation=None if status == "in_doubt" else parts[0].generation,
        candidates=tuple(replace(one, id=str(index)) for index, one in enumerate(candidates, start=1)),
        picked=(),
        parts=parts,
        failure=Failure(kind="provider", message=PARTS_MISSING) if status == "failed" else None,
    )


def _only(project: Project, address: str) -> Doubt:
    found = [one for one in doubts(project, (address,)) if one.address == address]
    if not found:
        raise PlanError(
            "nothing is in doubt there",
            f"{address} is not in doubt.",
            hints=("imagebatch resolve --list",),
            code="resolve.nothing",
            address=address,
        )
    return found[0]


def _step(steps: dict[str, Intended], doubt: Doubt) -> Intended | None:
    return steps.get(doubt.token)


def _tokens(entry: Entry | None, doubt: Doubt) -> tuple[str, ...]:
    if entry is not None and entry.token == doubt.token and entry.parts:
        return tuple(part.token for part in entry.parts if part.status == "in_doubt")
    return (doubt.token,)


def without_doubt(address: str, entry: Entry) -> Event:
    """The entry without its open attempt: the picture before it, or no entry at all."""
    if not entry.earlier:
        return Dropped(address=address)
    last, *rest = entry.earlier
    return Kept(
        address=address,
        entry=replace(
            entry,
            attempt=last.attempt,
            draw=last.draw,
            request=last.request,
            token=last.token,
            generation=last.generation,
            status="succeeded",
            candidates=last.candidates,
            picked=last.picked,
            cost=last.cost,
            failure=None,
            parts=(),
            earlier=tuple(rest),
        ),
    )
