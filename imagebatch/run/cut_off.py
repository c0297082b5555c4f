"""What a stopped run had no time to end: every address is told of, and one that may have been paid above all."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from imagebatch.model.event import Intended
from imagebatch.model.recorded import KnownDraw
from imagebatch.plan.schedule import schedule
from imagebatch.plan.types import Change, Plan
from imagebatch.run.result import Outcome


def cut_off(
    plan: Plan,
    ended: Collection[str],
    open_steps: Mapping[str, Intended],
    known: Callable[[str], Sequence[KnownDraw]],
) -> Iterator[Outcome]:
    """The outcomes of changes that the run left in the middle; `known` gives what is recorded of a draw fingerprint."""
    sent = {step.address for step in open_steps.values()}
    changes = [step.change for wave in schedule(plan) for step in wave.steps]
    for change in [*changes, *(one for one in plan.changes if one.action == "defer")]:
        if change.address not in ended:
            yield _left(change, sent, known)


def _left(change: Change, sent: Collection[str], known: Callable[[str], Sequence[KnownDraw]]) -> Outcome:
    if change.address in sent:
        message = "it was sent, and no answer came in time; nothing is sent again before that is settled"
        return Outcome(
            address=change.address, action=change.action, end="in_doubt", code="create.in_doubt", message=message
        )
    statuses = {one.status for one in known(change.variant.draw)} if change.variant is not None else set()
    message = "the run was stopped before it was sent"
    if "pending" in statuses:
        message = "the provider has it; the next run collects it"
        return Outcome(address=change.address, action=change.action, end="pending", code="run.stopped", message=message)
    if "succeeded" in statuses:
        message = "it is drawn, and the run was stopped before its files were made"
    return Outcome(address=change.address, action=change.action, end="unsent", code="run.stopped", message=message)
