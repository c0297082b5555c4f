"""What earlier runs left open, asked about before anything is planned. Reads only; nothing is sent."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace

from imagebatch.effects import seams
from imagebatch.errors import ImagebatchError
from imagebatch.model.event import Accepted, Event, Intended, Observed
from imagebatch.pipeline.lockwork import record
from imagebatch.pipeline.opened import Opened
from imagebatch.pipeline.resolving import without_doubt
from imagebatch.pipeline.taking_back import take_back
from imagebatch.providers.base import CanList, CanObserve, CanWitness
from imagebatch.run.reopened import Reopened
from imagebatch.run.settle import ListingFailed


def settle_open_steps(run: Opened) -> None:
    """Ask about what an earlier run began and never settled, where asking can tell."""
    take_back(run)
    run.inbox.sweep()
    run.store.sweep()
    for token in run.inbox.tokens():
        if run.session.ledger.has_ended(token) or _is_stored(run, token):
            run.inbox.discard(token)  # a run that ended right after it had stored the pictures left it
    steps = run.session.ledger.open_steps()
    aliases = {step.provider for step in steps.values() if _can_tell(run, step)}
    if aliases:
        seams.clock.run(_settle(run, sorted(aliases), steps))


def _is_stored(run: Opened, token: str) -> bool:
    """Whether the pictures of an answer are in the store and in the lock, though the journal could not take its end.

    It takes it now: whoever waits for this answer would find it gone.
    """
    drawn, known = run.session.ledger.drawn(token), run.session.ledger.attempt(token)
    if drawn is None or not all(
        one.facts is not None and run.store.holds(one.facts.sha256) for one in drawn.candidates
    ):
        return False
    events: list[Event] = [
        Accepted(step="create", token=token, attempt=step.attempt, generation=token)
        for step in (known.steps if known is not None else ())
        if step.step == "create"
    ]
    candidates = tuple(replace(one, id=str(number)) for number, one in enumerate(drawn.candidates, start=1))
    events.append(Observed(token=token, status="succeeded", candidates=candidates, cost=drawn.cost))
    record(run.session, events)
    return True


def _can_tell(run: Opened, step: Intended) -> bool:
    """Whether anything may be learnt of an open step: from its provider, or from an answer that was kept."""
    target = run.project.targets.get(step.provider)
    if target is None:
        return False
    asked = isinstance(target.adapter, CanList | CanObserve | CanWitness)
    return asked or run.inbox.answer(step.token) is not None


async def _settle(run: Opened, aliases: Iterable[str], steps: Mapping[str, Intended]) -> None:
    reopened = Reopened(
        lineage=run.session.lineage,
        inbox=run.inbox,
        recorder=run.recording,
        tell=run.tell,
        known=lambda token: run.session.ledger.attempt(token) is not None,
        seen=run.duplicates.look,
    )
    async with AsyncExitStack() as stack:
        lanes = await run.lanes(stack, aliases)
        for alias, lane in lanes.items():
            mine = {token: step for token, step in steps.items() if step.provider == alias}
            for token in await reopened.settle(lane, mine):
                await _forget_doubt(run, steps[token])


async def _forget_doubt(run: Opened, step: Intended) -> None:
    """A create that certainly was not accepted is as if it had never been sent, in the lock too."""
    entry = run.session.ledger.current(step.address)
    if entry is not None and entry.status == "in_doubt" and entry.token == step.token and not entry.parts:
        await run.recording.record(without_doubt(step.address, entry))


def look_for_duplicates(run: Opened) -> None:
    """Look into the listings of providers at which the run before this one drew without a shared lease, once."""
    aliases = run.unlooked.aliases()
    with suppress(ImagebatchError):  # no key, or nobody answers: another run looks
        looked = seams.clock.run(_looked_at(run, aliases)) if aliases else False
        if looked:
            run.unlooked.looked()


async def _looked_at(run: Opened, aliases: Sequence[str]) -> bool:
    """Whether these providers' listings could be read."""
    async with AsyncExitStack() as stack:
        lanes = await run.lanes(stack, aliases)
        listings = run.listings()
        try:
            await asyncio.gather(*(listings.first(lane) for lane in lanes.values()))
        except ListingFailed:
            return False
    return True
