"""What is in doubt, settled by a person: it was drawn (here is its id, or its file), or it was not."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from imagebatch.errors import PlanError, UsageError
from imagebatch.model.event import Abandoned, Accepted, Dropped, Event, Intended, Kept, Observed
from imagebatch.model.generation import Candidate, Entry, Failure, PictureFacts, worst_status
from imagebatch.model.money import Cost, totals
from imagebatch.model.recorded import PARTS_MISSING, KnownDraw, drawn_since
from imagebatch.model.variant import Variant
from imagebatch.pipeline.adopting import checked_token
from imagebatch.pipeline.inspecting import recorded_now
from imagebatch.pipeline.lockwork import open_session, record
from imagebatch.pipeline.opened import ApplyOptions, Opened
from imagebatch.pipeline.planning import Planned, PlanRequest, make_plan, plan_against, selected, selected_in
from imagebatch.pipeline.project import Project
from imagebatch.plan.costs import price_of_creates
from imagebatch.plan.types import Change
from imagebatch.run.entries import cost_text, earlier_of, without_twins
from imagebatch.state.ledger import Ledger

A_PERSON = "a person said so"
EVERYTHING = PlanRequest(detail=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One draw of an address of which nobody knows whether it was paid; an address may have several.

    `tokens` are those of the creates in doubt among the `of` creates of that draw; `cost` is what they may have cost,
    `charged` what the provider's own billing record says that it charged. `names` are those by which a person may call
    it: its address, the one that it has in the lock until it is moved, and the one under which it was sent. `wanted`
    says whether the manifests ask for the address still, `same` whether with the request that was sent, `since` is
    the attempt that was drawn after it, here or on another machine, 0 for none.
    """

    address: str
    names: frozenset[str]
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
    wanted: bool = True
    same: bool = True
    since: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What is in doubt now; `running` is who holds the project: what that run has sent and not heard of is in it."""

    doubts: tuple[Doubt, ...]
    running: str | None = None


def list_doubts(project: Project, selectors: Sequence[str] = (), exclude: Sequence[str] = ()) -> Listed:
    """Everything in doubt among what is selected, each with its possible cost. Reads only."""
    planned = make_plan(project, EVERYTHING)
    named = selected(project, selectors, exclude=exclude)
    found = doubts_of(project, planned, recorded_now(project), named)
    return Listed(doubts=found, running=planned.apply_running)


def doubts_of(
    project: Project, planned: Planned, ledger: Ledger, named: AbstractSet[str] | None = None
) -> tuple[Doubt, ...]:
    """What is in doubt by a plan of `EVERYTHING`, among the addresses `named`; `ledger` is what it was planned against.

    A plan of a part would not see what is moved into it, or out of it.
    """
    steps, beside = ledger.open_steps(), ledger.doubts()
    every = [
        _doubt(project, change, source, ledger, steps)
        for change in planned.plan.changes
        for source in _sources(change, beside)
    ]
    own = {doubt.address for doubt in every}  # a name that another took over since is that other's
    found = (replace(doubt, names=(doubt.names - own) | {doubt.address}) for doubt in every)
    return tuple(doubt for doubt in found if named is None or not named.isdisjoint(doubt.names))


def _in_doubt(change: Change) -> bool:
    """Whether the address is in doubt still: of an old lock's doubt the plan may know the end, and take the picture."""
    entry = change.entry
    if change.reason == "in_doubt" or entry is None or entry.status != "in_doubt":
        return change.reason == "in_doubt"
    known = change.known
    return known is None or known.open_intent or known.status not in {"succeeded", "pending"}


def _sources(change: Change, beside: Mapping[str, Sequence[KnownDraw]]) -> tuple[KnownDraw, ...]:
    """The draws of an address that are in doubt, first the one that its change speaks of."""
    entry = change.entry
    own = change.known or (KnownDraw.of_entry(entry) if entry is not None else None)
    found = {own.token: own} if own is not None and _in_doubt(change) else {}
    for name in filter(None, (change.address, change.moved_from)):
        for known in beside.get(name, ()):
            found.setdefault(known.token, known)
    return tuple(found.values())


def _doubt(project: Project, change: Change, source: KnownDraw, ledger: Ledger, steps: Mapping[str, Intended]) -> Doubt:
    entry = change.entry
    tokens = source.doubted() or (source.token,)
    sent = steps.get(tokens[0])
    provider = sent.provider if sent is not None else change.provider
    target = project.targets.get(provider) or project.targets.get(change.provider)
    told = target.adapter.capabilities if target is not None else None
    cost = _cost(ledger, tokens, change.variant)
    return Doubt(
        address=change.address,
        names=frozenset(filter(None, (change.address, change.moved_from, sent.address if sent is not None else None))),
        provider=provider,
        token=source.token,
        draw=source.draw,
        attempt=source.attempt,
        cost=cost,
        can_list=told is not None and told.can_list,
        answers_later=told is not None and told.answers == "later",
        tokens=tokens,
        of=max(1, len(source.parts)),
        wanted=change.variant is not None,
        same=change.variant is not None and change.variant.draw == source.draw,
        since=max(drawn_since(ledger.known(source.draw), source), _of_entry(entry, source)),
        charged=_charged(ledger, tokens[0], entry, cost) if told is not None and told.witness == "billing" else (),
    )


def _of_entry(entry: Entry | None, source: KnownDraw) -> int:
    """The attempt of the lock's own picture, where it is a later one than the one in doubt."""
    stands = entry is not None and entry.status == "succeeded" and entry.draw == source.draw
    return entry.attempt if stands and entry is not None and entry.attempt > source.attempt else 0


def _cost(ledger: Ledger, tokens: Sequence[str], variant: Variant | None) -> Cost | None:
    """What creates in doubt may have cost: as they were sent, else by today's price; None where neither is known."""
    attempts = [ledger.attempt(token) for token in tokens]
    sent = [one.steps[-1].cost for one in attempts if one is not None and one.steps]
    if len(sent) == len(tokens) and all(one.money is not None for one in sent):
        (money,) = totals(sent)
        return Cost(money=money, basis=sent[0].basis)
    return price_of_creates(variant, len(tokens)) if variant is not None else None


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
        for address, entry in ledger.doubtful():  # whoever shares the draw has it, too
            if entry.token == doubt.token:
                events.append(Kept(address=address, entry=_with_generation(entry, token, generation)))
        _settled(run, events)
    return doubt.address


def abandon(
    project: Project, selectors: Sequence[str], *, exclude: Sequence[str] = (), lock_timeout_s: float
) -> tuple[Doubt, ...]:
    """It was not drawn, or is not wanted: the attempts are closed, and it is as if they had never been sent.

    Gives what was in doubt.
    """
    with _held(project, selectors, exclude, lock_timeout_s) as run:
        found = _doubts_now(run)
        tokens = dict.fromkeys(token for doubt in found for token in doubt.tokens)
        draws = {doubt.token for doubt in found}
        names = {name for doubt in found for name in doubt.names}
        events: list[Event] = [Abandoned(token=token, why=A_PERSON) for token in tokens]
        for address, entry in run.session.ledger.doubtful():
            if address in names or entry.token in draws:  # else the lock would tell of it again
                events.append(without_doubt(address, entry))
        _settled(run, events)
    return found


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
        facts = take_file(run.store, path)
        candidate = Candidate(id="1", facts=facts)
        mine = {at: entry for at, entry in run.session.ledger.doubtful() if entry.token == doubt.token}
        token = doubt.tokens[0]
        step = run.session.ledger.open_steps().get(token)
        kind = step.step if step is not None and step.step != "buy" else "create"
        generation = (step.generation if step is not None else None) or token
        events: list[Event] = [
            Accepted(step=kind, token=token, attempt=doubt.attempt, generation=generation),
            Observed(token=token, status="succeeded", candidates=(candidate,)),
        ]
        # Without an entry of this attempt the next plan finds the draw by its fingerprint, and adopts it.
        for address, entry in mine.items():
            events.append(Kept(address=address, entry=_with_picture(entry, token, generation, candidate)))
        before = run.session.ledger.current(doubt.address)
        if before is not None and _is_redrawn(before, doubt):  # that this was asked for is written down nowhere else
            events.append(Kept(address=doubt.address, entry=_redrawn(before, doubt, generation, candidate)))
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
            request=PlanRequest(select=tuple(selectors), exclude=tuple(exclude), detail=True),
            options=ApplyOptions(lock_timeout_s=lock_timeout_s),
            session=session,
            tell=lambda _: None,
            stack=stack,
        )


def _doubts_now(run: Opened) -> tuple[Doubt, ...]:
    planned = plan_against(run.project, run.world(), EVERYTHING)
    named = selected_in(run.world(), run.project, run.request.select, exclude=run.request.exclude)
    return doubts_of(run.project, planned, run.session.ledger, named)


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


def _is_redrawn(entry: Entry, doubt: Doubt) -> bool:
    """Whether a whole draw in doubt is a later attempt of the picture that stands."""
    later = entry.draw == doubt.draw and entry.attempt < doubt.attempt
    return entry.status == "succeeded" and later and doubt.of == 1


def _redrawn(entry: Entry, doubt: Doubt, generation: str, candidate: Candidate) -> Entry:
    """The entry once a later attempt of its draw has brought `candidate`."""
    return replace(
        entry,
        attempt=doubt.attempt,
        token=doubt.token,
        generation=generation,
        candidates=(candidate,),
        picked=(),
        cost=cost_text(doubt.cost) if doubt.cost is not None else (),
        parts=(),
        earlier=without_twins((earlier_of(entry), *entry.earlier), doubt.token),
    )


def _only(run: Opened) -> Doubt:
    """The doubt of the one address among what is selected, of several the one that its change speaks of.

    Raises PlanError for none, UsageError for several addresses.
    """
    found = _doubts_now(run)
    named = " ".join(run.request.select)
    if not found:
        raise PlanError(
            "nothing is in doubt there",
            f"Nothing of {named} is in doubt.",
            hints=("imagebatch resolve --list",),
            code="resolve.nothing",
        )
    addresses = tuple(dict.fromkeys(one.address for one in found))
    if len(addresses) > 1:
        names = ", ".join(addresses[:5])
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
