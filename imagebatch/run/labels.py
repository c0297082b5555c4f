"""Labels at the provider: name, tags and metadata of a generation, changed without touching its picture."""

from imagebatch.model.generation import Entry
from imagebatch.model.variant import Variant
from imagebatch.model.wire import BadAnswer, NotSent, OutcomeLost, Unreachable
from imagebatch.providers.base import CanUpdate
from imagebatch.run.ends import Try
from imagebatch.run.entries import gone_since
from imagebatch.run.lanes import Lane
from imagebatch.run.paid_steps import PaidSteps
from imagebatch.run.trouble import Trouble


async def update_labels(variant: Variant, lane: Lane, entry: Entry, steps: PaidSteps) -> str | None:
    """Send the variant's labels where they differ and where the provider keeps labels.

    A generation that is no more has no labels: that is said (the answer), written down, and no failure. Raises Trouble
    where the provider refuses or cannot be reached: the lock then keeps the old labels.
    """
    adapter = lane.adapter
    generation = entry.generation
    if entry.labels == variant.labels or generation is None or not isinstance(adapter, CanUpdate):
        return None
    order = steps.order(Try(variant=variant, lane=lane, token=entry.token, attempt=entry.attempt))
    try:
        refused = await adapter.update(generation, order, request=False, wire=lane.wire)
    except (Unreachable, OutcomeLost, NotSent, BadAnswer) as error:
        raise Trouble("provider.unreachable", f"the labels could not be changed: {error}") from error
    if refused is None:
        return None
    if refused.failure.kind != "gone":
        raise Trouble("provider.rejected", f"the labels were refused: {refused.failure.message}")
    learnt = gone_since(entry, refused.failure)
    if learnt is not None:
        await steps.recorder.record(learnt)
    return f"its labels are recorded here only: {lane.alias} no longer knows generation {generation}"
