"""Lock entries made from what a run learnt; pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from imagebatch.model.event import Observed
from imagebatch.model.generation import (
    EARLIER_KEPT,
    Candidate,
    Earlier,
    Entry,
    Failure,
    Output,
    Part,
    Status,
)
from imagebatch.model.money import Cost
from imagebatch.model.recorded import KnownDraw
from imagebatch.model.variant import Variant
from imagebatch.plan.aliases import Aliases


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What one whole draw came to, all its parts together.

    `status` None means that nothing was sent or accepted and nothing is known: the address stays as it was. `cost` is
    what all of it cost, `paid` what of that this run paid.
    """

    token: str
    attempt: int
    status: Status | None
    generation: str | None = None
    candidates: tuple[Candidate, ...] = ()
    parts: tuple[Part, ...] = ()
    failure: Failure | None = None
    cost: tuple[str, ...] = ()
    paid: tuple[str, ...] = ()
    adopted: bool = False
    code: str | None = None
    message: str = ""
    warnings: tuple[str, ...] = ()


def entry_of(variant: Variant, drawn: Drawn, before: Entry | None) -> Entry:
    """The entry for `variant` after a draw.

    A draw that replaced another one moves that under `earlier`. Outputs stay listed until new ones are made: they are
    still on disk.
    """
    if drawn.status is None:
        raise ValueError(f"{variant.address} was not drawn, so there is nothing to write down")
    replaced = before is not None and before.draw + before.token != variant.draw + drawn.token
    earlier = before.earlier if before is not None else ()
    if before is not None and replaced and before.status == "succeeded":
        earlier = (earlier_of(before), *earlier)
    return Entry(
        provider=variant.provider,
        type=variant.type,
        draw=variant.draw,
        request=variant.request,
        labels=variant.labels,
        attempt=drawn.attempt,
        token=drawn.token,
        generation=drawn.generation,
        status=drawn.status,
        candidates=drawn.candidates,
        outputs=before.outputs if before is not None else (),
        cost=drawn.cost,
        on_remove=variant.policy.on_remove,
        failure=drawn.failure,
        parts=drawn.parts,
        earlier=without_twins(earlier, drawn.token),
        protect=variant.policy.protect or (before is not None and before.held),
        held=before is not None and before.held,
        extra=before.extra if before is not None else {},
    )


def adopted_entry(variant: Variant, known: KnownDraw, before: Entry | None) -> Entry:
    """The entry for `variant` when a draw that exists already becomes its own.

    The lock keeps the request and the account that drew it, also where a person let it stand for another one.
    """
    drawn = Drawn(
        token=known.token,
        attempt=known.attempt,
        status=known.status,
        generation=known.generation,
        candidates=known.candidates,
        parts=known.parts,
        failure=known.failure if known.status != "succeeded" else None,
        cost=known.cost,
    )
    alias = known.provider or variant.provider
    drew = replace(variant, provider=alias, draw=known.draw, request=known.request, type=known.type)
    return entry_of(drew, drawn, before)


def earlier_of(entry: Entry) -> Earlier:
    """An entry's current draw, as it is remembered once another one replaces it."""
    return Earlier(
        provider=entry.provider,
        type=entry.type,
        attempt=entry.attempt,
        draw=entry.draw,
        request=entry.request,
        token=entry.token,
        generation=entry.generation,
        candidates=entry.candidates,
        picked=entry.picked,
        cost=entry.cost,
    )


def gone_since(entry: Entry, failure: Failure) -> Observed | None:
    """What is to be remembered of a generation that the provider has no more, so that nobody promises its pictures.

    What had been drawn was drawn all the same. None where there is nothing to remember: what had failed stays failed,
    and of a request that took several creates one generation does not tell.
    """
    if entry.parts or entry.status not in {"succeeded", "pending"}:
        return None
    status: Literal["succeeded", "failed"] = "succeeded" if entry.status == "succeeded" else "failed"
    return Observed(token=entry.token, status=status, candidates=entry.candidates, failure=failure, cost=entry.cost)


def without_twins(earlier: Sequence[Earlier], token: str) -> tuple[Earlier, ...]:
    """The newest five earlier draws, without the one that is current again."""
    return tuple(one for one in earlier if one.token != token)[:EARLIER_KEPT]


def with_labels(entry: Entry, variant: Variant, aliases: Aliases) -> Entry:
    """The entry with the variant's labels and policy, and a renamed alias; nothing about the picture changes.

    What runs, or may run, is still to be asked for where it was sent.
    """
    renamed = aliases.renamed(entry.provider, entry.type, variant.provider)
    return replace(
        entry,
        provider=variant.provider if renamed and entry.status not in {"pending", "in_doubt"} else entry.provider,
        labels=variant.labels,
        on_remove=variant.policy.on_remove,
        protect=variant.policy.protect or entry.held,
    )


def with_candidate(entry: Entry, index: int, candidate: Candidate) -> Entry:
    """The entry with its candidate number `index` (from 1) replaced."""
    candidates = tuple(candidate if at == index else one for at, one in enumerate(entry.candidates, start=1))
    return replace(entry, candidates=candidates)


def with_outputs(entry: Entry, outputs: Sequence[Output]) -> Entry:
    """The entry with the files that the project keeps now."""
    return replace(entry, outputs=tuple(outputs))


def cost_text(cost: Cost) -> tuple[str, ...]:
    """A cost as the lock has it: one amount, or nothing where it is not known."""
    return (str(cost.money),) if cost.money is not None else ()
