"""What is known of single paid attempts, and how the parts of one draw are seen as one; pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from imagebatch.model.bulk import made_in_bulk
from imagebatch.model.event import (
    Abandoned,
    Accepted,
    BoughtStored,
    Doubted,
    Fetched,
    Intended,
    Observed,
    Refused,
)
from imagebatch.model.generation import DELETED, Bought, Candidate, Failure, Part, Status, disputed, worst_status
from imagebatch.model.money import Cost, read_money, totals
from imagebatch.model.recorded import PARTS_MISSING, KnownDraw
from imagebatch.model.token import make_token
from imagebatch.state.entries import RESOLUTIONS
from imagebatch.state.machine import Phase, advance

TokenEvent = Intended | Accepted | Refused | Doubted | Abandoned | Observed | Fetched | BoughtStored


@made_in_bulk
class Attempt:
    """One token and all that is known of it.

    `phase` is where the machine stands; `steps` are the paid steps that were begun and never settled, each its
    `Intended`. `accepted` tells that the provider took it at some time: then it belongs in the draw index. `before` is
    what was known before a retry that is open: a retry that was not taken never happened. `doubt` is the last word on a
    step that is in doubt. `provider` is the alias that it was asked of, empty where nothing tells it.
    """

    token: str
    phase: Phase | None = None
    attempt: int = 1
    part: int = 0
    parts: int = 1
    type: str = ""
    draw: str = ""
    request: str = ""
    salt: str = ""
    generation: str | None = None
    candidates: tuple[Candidate, ...] = ()
    failure: Failure | None = None
    cost: tuple[str, ...] = ()
    steps: tuple[Intended, ...] = ()
    doubt: Doubted | None = None
    accepted: bool = False
    before: "Attempt | None" = None
    provider: str = ""

    def after(self, event: TokenEvent, lineage: str) -> "Attempt":
        """This attempt once `event` has happened. Raises StateError for a move that is not legal."""
        phase = advance(self.phase, event)
        match event:
            case Intended():
                return _begun(self, phase, event, lineage)
            case Accepted():
                return _taken(self, phase, event)
            case Refused():
                untaken = self.before if event.step == "retry" else None
                return untaken or replace(
                    self, phase=phase, steps=_without(self.steps, event.step, event.candidate), doubt=None
                )
            case Doubted():
                return replace(self, phase=phase, doubt=event)
            case Abandoned():
                grown = replace(self, phase=phase) if self.before is None else self.before
                return replace(grown, steps=(), doubt=None)
            case Observed():
                return _seen(self, phase, event)
            case Fetched() | BoughtStored():
                return _stored(self, phase, event)


def _begun(known: Attempt, phase: Phase | None, event: Intended, lineage: str) -> Attempt:
    others = tuple(step for step in known.steps if (step.step, step.candidate) != (event.step, event.candidate))
    steps = (*others, event)
    if event.step == "buy":
        named = {} if known.draw else _named(known, event, lineage)
        return replace(known, phase=phase, steps=steps, doubt=None, **named)
    return replace(
        known,
        phase=phase,
        steps=steps,
        doubt=None,
        before=(known.before or known) if event.step == "retry" else None,
        attempt=event.attempt,
        cost=(str(event.cost.money),) if event.cost.money is not None else (),
        **_named(known, event, lineage),
    )


def _named(known: Attempt, event: Intended, lineage: str) -> dict[str, Any]:
    """The fields of an attempt that an intent tells: what is drawn, and under which name."""
    salt = salt_of(
        lineage, draw=event.draw, attempt=event.attempt, part=event.part, token=event.token, address=event.address
    )
    return {
        "part": event.part,
        "parts": event.parts,
        "type": event.type,
        "draw": event.draw,
        "request": event.request,
        "salt": salt or known.salt,
        "generation": event.generation,
        "provider": event.provider,
    }


def _taken(known: Attempt, phase: Phase | None, event: Accepted) -> Attempt:
    if event.step == "buy":
        return _paid_for(known, phase, event)
    return replace(
        known,
        phase=phase,
        accepted=True,
        attempt=event.attempt,
        generation=event.generation,
        before=None,
        steps=_without(known.steps, event.step),
        failure=None,
        doubt=None,
    )


def _paid_for(known: Attempt, phase: Phase | None, event: Accepted) -> Attempt:
    """A purchase that was taken: the candidate is bought from now on, though its bytes have yet to come."""
    step = next((one for one in known.steps if _is_step(one, "buy", event.candidate)), None)
    if step is None or step.resolution not in RESOLUTIONS:
        return replace(known, phase=phase, steps=_without(known.steps, "buy", event.candidate))
    bought = Bought(resolution=step.resolution)
    told = tuple(
        replace(one, bought=bought) if one.id == step.candidate and one.bought is None else one
        for one in known.candidates
    )
    paid = (str(step.cost.money),) if step.cost.money is not None else ()
    return replace(
        known,
        phase=phase,
        steps=_without(known.steps, "buy", step.candidate),
        candidates=told,
        cost=_summed((known.cost, paid)),
    )


def _seen(known: Attempt, phase: Phase | None, event: Observed) -> Attempt:
    return replace(
        known,
        phase=phase,
        accepted=True,
        before=None,
        steps=tuple(step for step in known.steps if step.step == "buy"),
        doubt=None,
        candidates=merged_candidates(event.candidates or known.candidates, known.candidates),
        failure=known.failure if _is_ours(known.failure, event.failure) else event.failure,
        cost=event.cost or known.cost,
    )


def _is_ours(known: Failure | None, told: Failure | None) -> bool:
    """Whether a generation that is gone is gone because we deleted it: a provider's 404 says no more than that."""
    return known is not None and known.provider_code == DELETED and told is not None and told.kind == "gone"


def _stored(known: Attempt, phase: Phase | None, event: Fetched | BoughtStored) -> Attempt:
    if isinstance(event, Fetched):
        told = Candidate(id=str(event.index), facts=event.facts)
        return replace(known, phase=phase, candidates=_with_candidate(known.candidates, event.index, told))
    candidates = _with_candidate(known.candidates, event.index, Candidate(id=str(event.index), bought=event.bought))
    steps = _without(known.steps, "buy", candidates[event.index - 1].id)
    return replace(known, phase=phase, candidates=candidates, steps=steps)


def _without(steps: Sequence[Intended], step: str, candidate: str | None = None) -> tuple[Intended, ...]:
    """The open steps once this one is settled."""
    done = next((one for one in steps if _is_step(one, step, candidate)), None)
    return tuple(one for one in steps if one is not done)


def _is_step(one: Intended, step: str, candidate: str | None) -> bool:
    """Whether an answer is about this step; one that names no candidate is about the oldest."""
    return one.step == step and (step != "buy" or candidate is None or one.candidate == candidate)


def _with_candidate(known: Sequence[Candidate], index: int, told: Candidate) -> tuple[Candidate, ...]:
    candidates = list(known)
    candidates += [Candidate(id=str(at)) for at in range(len(candidates) + 1, index + 1)]
    candidates[index - 1] = _merged(candidates[index - 1], told)
    return tuple(candidates)


def with_past(attempt: Attempt, past: Attempt) -> Attempt:
    """What the journal knows of a token, with what the draw index adds: its end where the journal has none, bytes."""
    base = attempt
    if attempt.phase in {None, "closed"}:  # what was given up was a step on it; that it was accepted once stays true
        base = replace(past, steps=attempt.steps, doubt=attempt.doubt, cost=attempt.cost or past.cost)
    theirs = attempt.candidates if base is not attempt else past.candidates
    return replace(base, candidates=merged_candidates(base.candidates or theirs, theirs))


def known_draw(parts: Sequence[Attempt], lineage: str, recorded: KnownDraw | None = None) -> KnownDraw:
    """The parts of one draw (same fingerprint, attempt and salt) as the planner knows a draw.

    `recorded` is what the lock has of the same draw: it tells of the parts that nothing else tells of.
    """
    by_part = {attempt.part: attempt for attempt in parts}
    first = parts[0]
    count = max(max(by_part) + 1, *(attempt.parts for attempt in parts))
    if count == 1:
        return _single(by_part[0])
    if recorded is not None and (recorded.attempt != first.attempt or len(recorded.parts) != count):
        recorded = None
    told = [_part_of(index, by_part.get(index), first, lineage, recorded) for index in range(count)]
    whole = tuple(part for part, _ in told)
    candidates = [candidate for _, delivered in told for candidate in delivered]
    status = worst_status(part.status for part in whole)
    failure = next((attempt.failure for attempt in parts if attempt.failure is not None), None)
    if status == "failed" and failure is None:
        failure = Failure(kind="provider", message=PARTS_MISSING)
    return KnownDraw(
        draw=first.draw,
        type=first.type,
        request=first.request,
        attempt=first.attempt,
        token=whole[0].token,
        generation=None if status == "in_doubt" else whole[0].generation,
        status=status,
        candidates=tuple(replace(one, id=str(at)) for at, one in enumerate(candidates, start=1)),
        cost=_summed(attempt.cost for attempt in parts if attempt.phase != "closed"),
        parts=whole,
        failure=failure if status in {"failed", "blocked"} else _disputed(parts),
        open_intent=any(attempt.steps for attempt in parts),
        salt=first.salt,
        provider=first.provider,
    )


def _part_of(
    index: int, attempt: Attempt | None, first: Attempt, lineage: str, recorded: KnownDraw | None
) -> tuple[Part, Sequence[Candidate]]:
    """One part of a draw, and what it delivered."""
    if attempt is not None and attempt.phase != "closed":
        delivered = attempt.candidates if attempt.phase == "succeeded" else ()
        part = Part(
            token=attempt.token, generation=attempt.generation, status=_status(attempt), candidates=len(delivered)
        )
        return part, delivered
    if attempt is None and recorded is not None:
        return recorded.parts[index], delivered_by(recorded, index)
    token = make_token(lineage=lineage, draw=first.draw, attempt=first.attempt, part=index, salt=first.salt)
    return Part(token=token, generation=None, status="failed"), ()


def delivered_by(known: KnownDraw, index: int) -> Sequence[Candidate]:
    """The candidates that one part of a draw delivered."""
    start = sum(part.candidates for part in known.parts[:index])
    return known.candidates[start : start + known.parts[index].candidates]


def completed(known: KnownDraw, older: Sequence[KnownDraw]) -> KnownDraw:
    """A draw of several parts with those that an earlier attempt delivered before it failed: they stay.

    An attempt that was whole lends nothing: what came after it is a redraw.
    """
    older = [one for one in older if len(one.parts) == len(known.parts) and one.status != "succeeded"]
    missing = [index for index, part in enumerate(known.parts) if part.status == "failed" and part.generation is None]
    parts, delivered = list(known.parts), [delivered_by(known, index) for index in range(len(known.parts))]
    for index in missing:
        source = next((one for one in older if one.parts[index].status == "succeeded"), None)
        if source is not None:
            parts[index], delivered[index] = source.parts[index], delivered_by(source, index)
    if tuple(parts) == known.parts:
        return known
    status = worst_status(part.status for part in parts)
    candidates = [candidate for one in delivered for candidate in one]
    return replace(
        known,
        token=parts[0].token,
        generation=None if status == "in_doubt" else parts[0].generation,
        status=status,
        candidates=tuple(replace(one, id=str(at)) for at, one in enumerate(candidates, start=1)),
        parts=tuple(parts),
        failure=known.failure if status in {"failed", "blocked"} else None,
    )


def attempts_of(known: KnownDraw, lineage: str, address: str) -> Iterator[Attempt]:
    """The accepted attempts behind a draw that an entry at `address` holds, as the draw index keeps them."""
    parts = known.parts or (Part(token=known.token, generation=known.generation, status=known.status),)
    for index, part in enumerate(parts):
        if part.generation is None or part.status == "in_doubt":
            continue
        yield Attempt(
            token=part.token,
            phase=part.status,
            attempt=known.attempt,
            part=index,
            parts=len(parts),
            type=known.type,
            draw=known.draw,
            request=known.request,
            provider=known.provider,
            salt=salt_of(
                lineage, draw=known.draw, attempt=known.attempt, part=index, token=part.token, address=address
            ),
            generation=part.generation,
            candidates=tuple(delivered_by(known, index)) if known.parts else known.candidates,
            failure=known.failure if part.status in {"failed", "blocked"} else None,
            cost=known.cost if index == 0 else (),
            accepted=True,
        )


def salt_of(lineage: str, *, draw: str, attempt: int, part: int, token: str, address: str) -> str:
    """The salt that a token was made with: its address where the variant is drawn apart, else empty."""
    apart = make_token(lineage=lineage, draw=draw, attempt=attempt, part=part, salt=address)
    return address if token == apart else ""


def merged_candidates(one: Sequence[Candidate], other: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """`one`, with the facts and purchases that only `other` knows of candidates of the same id and place."""
    return tuple(
        _merged(candidate, other[index]) if index < len(other) and _same(candidate, other[index]) else candidate
        for index, candidate in enumerate(one)
    )


def _same(one: Candidate, other: Candidate) -> bool:
    return one.id == other.id or one.facts is None or one.facts == other.facts


def _merged(candidate: Candidate, told: Candidate) -> Candidate:
    return replace(candidate, facts=told.facts or candidate.facts, bought=told.bought or candidate.bought)


def _single(attempt: Attempt) -> KnownDraw:
    status = _status(attempt)
    return KnownDraw(
        draw=attempt.draw,
        type=attempt.type,
        request=attempt.request,
        attempt=attempt.attempt,
        token=attempt.token,
        generation=attempt.generation,
        status=status,
        candidates=attempt.candidates,
        cost=attempt.cost,
        failure=attempt.failure if status in {"failed", "blocked", "succeeded"} else _disputed((attempt,)),
        open_intent=bool(attempt.steps),
        salt=attempt.salt,
        provider=attempt.provider,
    )


def _disputed(parts: Iterable[Attempt]) -> Failure | None:
    """Why a draw in doubt is not settled by its absence from a listing, where another witness speaks of a payment."""
    doubts = (one.doubt for one in parts if one.steps and one.doubt is not None)
    return next((disputed(doubt.why) for doubt in doubts if doubt.disputed), None)


def _status(attempt: Attempt) -> Status:
    match attempt.phase:
        case "intended" | None:
            return "in_doubt"
        case "closed":
            return "failed"
        case phase:
            return phase


def _summed(costs: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    sums = (read_money(text) for cost in costs for text in cost)
    return tuple(str(money) for money in totals(Cost(money=money, basis="exact") for money in sums))
