"""What is in doubt, settled by a person: it was drawn (here is its id, or its file), or it was not."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from imagebatch.errors import PlanError, UsageError
from imagebatch.model.event import Abandoned, Accepted, Dropped, Event, Kept, Observed
from imagebatch.model.generation import Candidate, Entry, Failure, PictureFacts, worst_status
from imagebatch.model.money import Cost
from imagebatch.model.recorded import PARTS_MISSING, KnownDraw
from imagebatch.pipeline.adopting import checked_token
from imagebatch.pipeline.inspecting import recorded_now
from imagebatch.pipeline.lockwork import open_session, record
from imagebatch.pipeline.opened import ApplyOptions, Opened
from imagebatch.pipeline.planning import Planned, PlanRequest, make_plan, plan_against
from imagebatch.pipeline.project import Project
from imagebatch.plan.costs import price_of_creates
from imagebatch.plan.types import Change
from imagebatch.run.entries import cost_text
from imagebatch.state.ledger import Ledger

A_PERSON = "a person said so"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One address of which nobody knows whether its draw was paid.

    `tokens` are those of the creates in doubt among the `of` creates of that draw; `cost` is what they may have cost,
    `charged` what the provider's own billing record says that it charged.
    """

    address: str
    provider: str
    token: str
    draw: str
    attempt: int
    cost: Cost | None
    can_list: bool
    answers_later: bool
    tokens: tuple[str, ...]
    of: int = 1
    charged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What is in doubt now; `running` is who holds the project: what that run has sent and not heard of is in it."""

    doubts: tuple[Doubt, ...]
    running: str | None = None


def list_doubts(project: Project, selectors: Sequence[str] = (), exclude: Sequence[str] = ()) -> Listed:
    """Everything in doubt among what is selected, each with its possible cost. Reads only."""
    planned = make_plan(project, _doubts_request(selectors, exclude))
    return Listed(doubts=doubts_of(project, planned, recorded_now(project)), running=planned.apply_running)


def _doubts_request(selectors: Sequence[str], exclude: Sequence[str]) -> PlanRequest:
    return PlanRequest(select=tuple(selectors), exclude=tuple(exclude), detail=True)


def doubts_of(project: Project, planned: Planned, ledger: Ledger) -> tuple[Doubt, ...]:
    """Everything in doubt among what a plan with `detail` selects; `ledger` is what it was planned against."""
    return tuple(
        _doubt(project, change, ledger)
        for change in planned.plan.changes
        if planned.options.selects(change.address) and _in_doubt(change)
    )


def _in_doubt(change: Change) -> bool:
    return change.reason == "in_doubt" or (change.entry is not None and change.entry.status == "in_doubt")


def _doubt(project: Project, change: Change, ledger: Ledger) -> Doubt:
    entry = change.entry
    source = change.known or (KnownDraw.of_entry(entry) if entry is not None else None)
    if source is None:
        raise ValueError(f"{change.address} is in doubt about nothing")
    asked = entry is not None and entry.token == source.token
    provider = entry.provider if entry is not None and asked else change.provider
    target = project.targets.get(provider)
    told = target.adapter.capabilities if target is not None else None
    tokens = tuple(part.token for part in source.parts if part.status == "in_doubt") or (source.token,)
    cost = price_of_creates(change.variant, len(tokens)) if change.variant is not None else None
    return Doubt(
        address=change.address,
        provider=provider,
        token=source.token,
        draw=source.draw,
        attempt=source.attempt,
        cost=cost,
        can_list=told is not None and told.can_list,
        answers_later=told is not None and told.answers == "later",
        tokens=tokens,
        of=max(1, len(source.parts)),
        charged=_charged(ledger, tokens[0], entry, cost) if told is not None and told.witness == "billing" else (),
    )


def _charged(ledger: Ledger, token: str, entry: Entry | None, price: Cost | None) -> tuple[str, ...]:
    """What a billing record told of a create in doubt: by the journal, else by a cost in the lock other than its price.

    Of a draw of several creates the lock's cost is also that of those which brought their pictures, and tells nothing.
    """
    attempt = ledger.attempt(token)
    if attempt is not None:
        return (attempt.doubt.charged,) if attempt.doubt is not None and attempt.doubt.charged is not None else ()
    if entry is None or entry.status != "in_doubt" or entry.token != token or entry.parts:
        return ()
    return entry.cost if price is None or entry.cost != cost_text(price) else ()


def adopt(
    project: Project, selectors: Sequence[str], generation: str, *, exclude: Sequence[str] = (), lock_timeout_s: float
) -> str:
    """It was drawn: take the provider's generation of this id as ours; the next apply fetches it. Gives the address.

    Raises PlanError where the address is not in doubt, or its provider has no generations to ask for; else as
    `checked_token` does, and the doubt stays.
    """
    with _held(project, selectors, exclude, lock_timeout_s) as run:
        doubt = _only(run)
        if not doubt.answers_later:
            raise _without_ids(doubt)
        ledger = run.session.ledger
        step = ledger.open_steps().get(doubt.tokens[0])
        token = checked_token(run, doubt, generation, alias=step.provider if step is not None else doubt.provider)
        kind = step.step if step is not None and step.step != "buy" else "create"
        events: list[Event] = [Accepted(step=kind, token=token, attempt=doubt.attempt, generation=generation)]
        entry = ledger.current(doubt.address)
        if entry is not None and entry.token == doubt.token:
            events.append(Kept(address=doubt.address, entry=_with_generation(entry, token, generation)))
        _settled(run, events)
    return doubt.address


def abandon(
    project: Project, selectors: Sequence[str], *, exclude: Sequence[str] = (), lock_timeout_s: float
) -> tuple[str, ...]:
    """It was not drawn, or is not wanted: the attempts are closed, and it is as if they had never been sent.

    Gives the addresses of which something was in doubt.
    """
    with _held(project, selectors, exclude, lock_timeout_s) as run:
        found = _doubts_now(run)
        tokens = dict.fromkeys(token for doubt in found for token in doubt.tokens)
        events: list[Event] = [Abandoned(token=token, why=A_PERSON) for token in tokens]
        for doubt in found:
            entry = run.session.ledger.current(doubt.address)
            if entry is not None and entry.status == "in_doubt":
                events.append(without_doubt(doubt.address, entry))
        _settled(run, events)
    return tuple(doubt.address for doubt in found)


def supply(
    project: Project, selectors: Sequence[str], path: Path, *, exclude: Sequence[str] = (), lock_timeout_s: float
) -> tuple[str, PictureFacts]:
    """It was drawn, and this file is what came of it (downloaded by hand): the file goes into the store.

    Of a draw of several creates it stands for the first that is in doubt; what the others brought stays. Gives the
    address, and what the picture is. Raises PlanError where the address is not in doubt, OutputError where the file is
    no allowed picture.
    """
    from imagebatch.pipeline.intake import take_file

    with _held(project, selectors, exclude, lock_timeout_s) as run:
        doubt = _only(run)
        facts = take_file(project.home, path)
        candidate = Candidate(id="1", facts=facts)
        entry = run.session.ledger.current(doubt.address)
        mine = entry if entry is not None and entry.token == doubt.token else None
        token = doubt.tokens[0]
        step = run.session.ledger.open_steps().get(token)
        kind = step.step if step is not None and step.step != "buy" else "create"
        generation = (mine.generation if mine is not None and not mine.parts else None) or token
        events: list[Event] = [
            Accepted(step=kind, token=token, attempt=doubt.attempt, generation=generation),
            Observed(token=token, status="succeeded", candidates=(candidate,)),
        ]
        # Without an entry of this attempt the next plan finds the draw by its fingerprint, and adopts it.
        if mine is not None:
            events.append(Kept(address=doubt.address, entry=_with_picture(mine, token, generation, candidate)))
        _settled(run, events)
    return doubt.address, facts


@contextmanager
def _held(
    project: Project, selectors: Sequence[str], exclude: Sequence[str], lock_timeout_s: float
) -> Iterator[Opened]:
    """The project under its lease: what is in doubt is decided by what stands there now, and nobody changes it."""
    with ExitStack() as stack:
        session = stack.enter_context(open_session(project, lock_timeout_s))
        yield Opened(
            project,
            request=_doubts_request(selectors, exclude),
            options=ApplyOptions(lock_timeout_s=lock_timeout_s),
            session=session,
            tell=lambda _: None,
            stack=stack,
        )


def _doubts_now(run: Opened) -> tuple[Doubt, ...]:
    planned = plan_against(run.project, run.world(), run.request)
    return doubts_of(run.project, planned, run.session.ledger)


def _settled(run: Opened, events: Sequence[Event]) -> None:
    """Record what a person said, and save it; where that is nothing, nothing is written, and no lock is begun."""
    if events:
        record(run.session, events)
        run.session.checkpoint()


def _with_generation(entry: Entry, token: str, generation: str) -> Entry:
    """The entry once the create `token` of its draw is known to have made `generation`."""
    if not entry.parts:
        return replace(entry, status="pending", generation=generation, failure=None)
    parts = tuple(
        replace(part, status="pending", generation=generation) if part.token == token else part for part in entry.parts
    )
    status = worst_status(part.status for part in parts)
    known = None if status == "in_doubt" else parts[0].generation
    return replace(entry, status=status, generation=known, parts=parts, failure=None)


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


def _only(run: Opened) -> Doubt:
    """The one doubt among what is selected. Raises PlanError for none, UsageError for several."""
    found = _doubts_now(run)
    named = " ".join(run.request.select)
    if not found:
        raise PlanError(
            "nothing is in doubt there",
            f"Nothing of {named} is in doubt.",
            hints=("imagebatch resolve --list",),
            code="resolve.nothing",
        )
    if len(found) > 1:
        names = ", ".join(one.address for one in found[:5])
        raise UsageError("one address is needed", f"{named} names {names}.", hints=("imagebatch resolve --list",))
    return found[0]


def _without_ids(doubt: Doubt) -> PlanError:
    return PlanError(
        "this provider has no generation to adopt",
        f"{doubt.provider} answers at once and keeps nothing that could be asked for by an id.",
        hints=(f"imagebatch resolve {shlex.quote(doubt.address)} --file PICTURE, or --abandon, or --resend",),
        code="resolve.no_id",
        address=doubt.address,
    )


def without_doubt(address: str, entry: Entry) -> Event:
    """The entry without its open attempt: the picture before it, or no entry at all."""
    if not entry.earlier:
        return Dropped(address=address)
    last, *rest = entry.earlier
    return Kept(
        address=address,
        entry=replace(
            entry,
            provider=last.provider,
            type=last.type,
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
