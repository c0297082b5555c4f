"""Promises that are proved by drawing a few pictures on a server."""

from imagebatch.errors import ProviderError
from imagebatch.providers.base import (
    Accepted,
    CanBuy,
    CanCheck,
    CanDelete,
    CanList,
    CanObserve,
    CanRetry,
    CanUpdate,
    CanWitness,
    Observation,
    Offer,
    Refused,
)
from imagebatch.providers.conformance.subject import (
    LINEAGE_TAG,
    UNKNOWN_ID,
    BrokenPromiseError,
    CountingWire,
    Subject,
    drawn,
    ended,
    holds,
    make_order,
    new_token,
)


async def draws(subject: Subject) -> None:
    """One order is one accepted create with pictures."""
    wire = CountingWire(subject.wire)
    order = make_order(subject)
    generation, offers, seen = await drawn(subject, order, wire)
    holds(generation, "there is no id")
    holds(seen is None or seen.state == "succeeded", f"the generation ended as {seen}")
    holds(offers, "there is no picture")
    ids = [offer.id for offer in offers]
    holds(len(set(ids)) == len(ids), f"two offers have one id: {ids}")
    holds(all(offer.data or offer.url for offer in offers), "an offer has neither bytes nor an address")
    accepted = [call for call, status in wire.calls if call.kind == "create" and 200 <= status < 300]
    holds(len(accepted) == 1, f"{len(accepted)} creates were accepted for one order")
    if seen is not None:
        holds(seen.token == order.token, f"the generation should carry {order.token} and shows {seen.token}")


async def unknown_generation(subject: Subject) -> None:
    """An unknown generation is not known."""
    adapter = subject.adapter
    if not isinstance(adapter, CanObserve):
        raise BrokenPromiseError("the ability is declared and its method is missing")
    holds(await adapter.observe(UNKNOWN_ID, subject.wire) is None, "a generation that never was is known")


async def lists(subject: Subject) -> None:
    """Generations are found by tag, page by page."""
    adapter = subject.adapter
    if not isinstance(adapter, CanList):
        raise BrokenPromiseError("the ability is declared and its method is missing")
    orders = [make_order(subject) for _ in range(3)]
    ids = [(await drawn(subject, order))[0] for order in orders]
    found: dict[str, Observation] = {}
    offset, total = 0, None
    while total is None or offset < total:
        page = await adapter.list_page(LINEAGE_TAG, offset, 2, subject.wire)
        if not page.observations:
            break
        found |= {seen.generation: seen for seen in page.observations}
        total, offset = page.total, offset + len(page.observations)
    holds(set(ids) <= set(found), "the listing by our tag lacks a generation of ours")
    for order, generation in zip(orders, ids, strict=True):
        holds(found[generation].token == order.token, "the listing does not tell our token")
    other = await adapter.list_page("ibl-" + "f" * 16, 0, 10, subject.wire)
    ours = [seen for seen in other.observations if LINEAGE_TAG in seen.tags]
    holds(not ours or all(seen.tags for seen in ours), "tags are not told, so a loose filter cannot be checked")


async def updates(subject: Subject) -> None:
    """Labels change and nothing else."""
    adapter = subject.adapter
    if not isinstance(adapter, CanUpdate):
        raise BrokenPromiseError("the ability is declared and its method is missing")
    order = make_order(subject)
    generation, offers, _ = await drawn(subject, order)
    refused = await adapter.update(generation, order, request=False, wire=subject.wire)
    holds(refused is None, f"changing labels was refused: {refused}")
    seen = await ended(subject, generation)
    holds([offer.id for offer in seen.offers] == [offer.id for offer in offers], "changing labels changed the pictures")
    holds(seen.token == order.token, "changing labels lost our token")


async def fails_and_retries(subject: Subject) -> None:
    """A failed drawing is a failure, and starts again."""
    adapter = subject.adapter
    order = make_order(subject, prompt=subject.failing_prompt)
    submission = await adapter.submit(order, subject.wire)
    if not isinstance(submission, Accepted):
        if not isinstance(submission, Refused):
            raise BrokenPromiseError(f"a drawing that failed was taken for {submission}")
        return
    seen = await ended(subject, submission.generation)
    holds(seen.state in {"failed", "blocked"}, f"a drawing that failed is {seen.state}")
    if seen.failure is None:
        raise BrokenPromiseError("a failure has no reason, not even that there is none")
    if isinstance(adapter, CanRetry) and isinstance(adapter, CanUpdate):
        better = make_order(subject, token=order.token)
        refused = await adapter.update(submission.generation, better, request=True, wire=subject.wire)
        holds(refused is None, f"a failed generation's request cannot be changed: {refused}")
        again = await adapter.retry(submission.generation, subject.wire)
        holds(again == Accepted(generation=submission.generation), f"a retry was answered with {again}")
        holds((await ended(subject, submission.generation)).state == "succeeded", "a retry with a good request failed")


async def retry_of_a_success(subject: Subject) -> None:
    """Only failed generations are restarted."""
    adapter = subject.adapter
    if not isinstance(adapter, CanRetry):
        raise BrokenPromiseError("the ability is declared and its method is missing")
    generation, _, _ = await drawn(subject, make_order(subject))
    found = await adapter.retry(generation, subject.wire)
    if not isinstance(found, Refused):
        raise BrokenPromiseError(f"a generation that did not fail was restarted: {found}")


async def deletes(subject: Subject) -> None:
    """A deleted generation is gone, others stay."""
    adapter = subject.adapter
    if not isinstance(adapter, CanDelete):
        raise BrokenPromiseError("the ability is declared and its method is missing")
    if not isinstance(adapter, CanObserve):
        raise BrokenPromiseError("the ability is declared and its method is missing")
    kept, gone = [(await drawn(subject, make_order(subject)))[0] for _ in range(2)]
    await adapter.delete([gone], subject.wire)
    holds(await adapter.observe(gone, subject.wire) is None, "a deleted generation is still known")
    if await adapter.observe(kept, subject.wire) is None:
        raise BrokenPromiseError("another generation was deleted too")


async def buys(subject: Subject) -> None:
    """A picture is bought, and bought again for nothing."""
    adapter = subject.adapter
    if not isinstance(adapter, CanBuy):
        raise BrokenPromiseError("the ability is declared and its method is missing")
    generation, offers, _ = await drawn(subject, make_order(subject))
    for resolution in adapter.capabilities.resolutions:
        if resolution == "preview":
            continue
        for _ in range(2):  # a lost answer is asked for again, so the second purchase must be the first
            bought = await adapter.buy(generation, offers[0].id, resolution, subject.wire)
            if not isinstance(bought, Offer):
                raise BrokenPromiseError(f"buying {resolution} was refused: {bought}")
            holds(bought.id == offers[0].id, "another picture was bought")
            holds(bought.data or bought.url, "what was bought has neither bytes nor an address")


async def checks(subject: Subject) -> None:
    """A working key is proved."""
    adapter = subject.adapter
    if not isinstance(adapter, CanCheck):
        raise BrokenPromiseError("the ability is declared and its method is missing")
    facts = await adapter.check(subject.wire)
    holds(not adapter.capabilities.can_balance or facts.balances, "the balance is declared and not told")
    unit = adapter.capabilities.balance_unit
    told = {money.currency for money in (facts.left or {}).values()}
    holds(told <= {unit}, "what is left is told in another currency than the declared one")


async def refuses_a_bad_key(subject: Subject) -> None:
    """A bad key stops all creates."""
    if subject.bad_key_wire is None:
        raise BrokenPromiseError("the subject lacks what the check needs")
    found = await subject.adapter.submit(make_order(subject), subject.bad_key_wire)
    if not isinstance(found, Refused):
        raise BrokenPromiseError(f"a create with a bad key was taken for {found}")
    holds(found.stops == "auth", "a refused key does not stop the other creates")
    if isinstance(subject.adapter, CanCheck):
        try:
            await subject.adapter.check(subject.bad_key_wire)
        except ProviderError:
            return
        raise BrokenPromiseError("the check of a bad key says that it works")


async def witnesses(subject: Subject) -> None:
    """A billing record is found by our token."""
    adapter = subject.adapter
    if not isinstance(adapter, CanWitness):
        raise BrokenPromiseError("the ability is declared and its method is missing")
    order = make_order(subject)
    await drawn(subject, order)
    record = await adapter.billing_record(order.token, subject.wire)
    if record is None:
        raise BrokenPromiseError("the provider's record of a create is not found by our token")
    holds(await adapter.billing_record(new_token(), subject.wire) is None, "a token that was never sent has a record")


async def edits(subject: Subject) -> None:
    """An edit takes a reference image."""
    order = make_order(subject, reference=subject.reference)
    _, offers, _ = await drawn(subject, order)
    holds(offers, "an edit brought no picture")
