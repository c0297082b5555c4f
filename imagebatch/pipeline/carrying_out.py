"""Carrying out a plan: what it says, again where references were waited for, until its end or until it is stopped."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

from imagebatch.effects import seams
from imagebatch.errors import EXIT_PENDING
from imagebatch.model.bulk import seldom_collected
from imagebatch.model.event import Accepted, Told
from imagebatch.pipeline.balances import refuse_short
from imagebatch.pipeline.checks import unmet_checks
from imagebatch.pipeline.equipping import equip
from imagebatch.pipeline.lost_lock import refuse_where_lost
from imagebatch.pipeline.opened import Opened
from imagebatch.pipeline.originals import fetch_for
from imagebatch.pipeline.planning import Planned, plan_against
from imagebatch.pipeline.shared import may_be_elsewhere, whereabouts
from imagebatch.plan.budget import Funds
from imagebatch.plan.types import DRAW_ACTIONS, Plan
from imagebatch.run.cut_off import cut_off
from imagebatch.run.executor import Executor
from imagebatch.run.lanes import Lane
from imagebatch.run.poll import Poller
from imagebatch.run.result import Outcome, RunResult, left_bad, left_kept
from imagebatch.run.stop import COLLECT_S, DRAIN_S, Stop, on_signals


@dataclass(slots=True)
class _Course:
    """How far a run has come, whatever ends it; `begun` once its first step may have been made."""

    stop: Stop = field(default_factory=Stop)
    outcomes: list[Outcome] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    begun: bool = False

    @property
    def ended(self) -> frozenset[str]:
        return frozenset(one.address for one in self.outcomes)


def carry_out(
    run: Opened, planned: Planned, funds: Funds, *, last_word: str, came_to: Callable[[RunResult], None]
) -> RunResult:
    """Do what the plan says, save the lock, and tell what came of it.

    `funds` is the budget that the plan was judged by; `last_word` is said on stderr where a second interrupt ends the
    process at once; `came_to` is told the result before it is saved, for saving may fail. Raises RefusedError,
    ProviderError and StateError where nothing could be begun, and the last where it cannot be saved.
    """
    course = _Course()
    try:
        with seldom_collected():
            seams.clock.run(_carried_out(run, planned, funds, course, last_word))
    finally:
        _tell_unsaved(run)
        if course.begun:  # a run that was refused before its first step begins no lock
            try:
                came_to(_result(run, planned, course))
            finally:
                _save(run, planned, course)
    return _result(run, planned, course)


def _save(run: Opened, planned: Planned, course: _Course) -> None:
    if not run.session.sharing.active and may_be_elsewhere(run.project.setup):
        run.unlooked.drew(course.outcomes, planned.variants)
    run.session.checkpoint()


def _result(run: Opened, planned: Planned, course: _Course) -> RunResult:
    return RunResult(
        outcomes=tuple(whereabouts(run.project, one, planned.variants.get(one.address)) for one in course.outcomes),
        seconds=seams.clock.monotonic() - run.started,
        requests=dict(course.requests),
        stopped_by=course.stop.exit_code,
        simulated=sum(1 for one in course.outcomes if _simulated(one, planned)),
        left_unpicked=planned.plan.unpicked,
        left_kept=left_kept(planned.plan.changes, course.outcomes),
        left_bad=left_bad(planned.plan.changes, course.outcomes),
        duplicates=len(run.duplicates.tokens),
        unmet=unmet_checks(run.session.ledger, planned.variants.values(), planned.options.selects),
    )


def _tell_unsaved(run: Opened) -> None:
    """What was paid for and could not be written down anywhere is said: then a person may know of it."""
    for event in run.session.unsaved:
        if isinstance(event, Accepted):
            text = f"not written down, keep this line: {event.token} was taken as generation {event.generation}"
            run.tell(Told(kind="warning", message=text))


def _simulated(outcome: Outcome, planned: Planned) -> bool:
    variant = planned.variants.get(outcome.address)
    return (
        variant is not None
        and variant.type.startswith("simulator:")
        and outcome.end == "done"
        and outcome.action in DRAW_ACTIONS
    )


async def _carried_out(run: Opened, planned: Planned, funds: Funds, course: _Course, last_word: str) -> None:
    stop, plan = course.stop, planned.plan
    async with AsyncExitStack() as stack:
        equipped = await equip(run, planned, funds, stack=stack, stop=stop, outcomes=course.outcomes)
        stack.callback(_count, course.requests, tuple(equipped.lanes.values()))
        if "cost" not in planned.options.forces:
            await refuse_short(plan, equipped.lanes.values(), run.tell)
        await refuse_where_lost(run, plan, equipped.lanes, equipped.listings)
        course.begun = True
        with on_signals(stop, lambda text: run.tell(Told(kind="stopping", message=text)), last_word):
            work = asyncio.create_task(_rounds(run, planned, equipped.executor, course))
            guard = asyncio.create_task(_guard(run.options.timeout_s, stop, equipped.pollers, work))
            try:
                await work
            except asyncio.CancelledError:
                if not stop.asked:
                    raise
                ledger = run.session.ledger
                course.outcomes.extend(cut_off(plan, course.ended, ledger.open_steps(), ledger.known))
            finally:
                guard.cancel()


def _count(requests: "Counter[str]", lanes: Iterable[Lane]) -> None:
    for lane in lanes:
        for operation, number in (*lane.wire.counts.items(), *lane.downloader.counts.items()):
            requests["poll" if operation == "get" else operation] += number


async def _rounds(run: Opened, planned: Planned, executor: Executor, course: _Course) -> None:
    """The plan, and then what its references have made possible, until nothing new comes of it."""
    plan = planned.plan
    while True:
        before = len(course.outcomes)
        if run.beside is not None:
            run.beside.bring(plan, run.store)
        fetch_for(plan, run.originals, run.warn)
        await executor.run(plan)
        deferred = any(change.action == "defer" for change in plan.changes)
        drawn = any(one.end == "done" for one in course.outcomes[before:])
        if not deferred or not drawn or course.stop.asked:
            break
        plan = plan_against(run.project, run.world(), run.request, planned.options, funds=run.funds()).plan
        plan = replace(plan, changes=tuple(one for one in plan.changes if one.address not in course.ended))
        if plan.blocked_by:
            break
    course.outcomes.extend(_not_begun(plan, course.ended))


def _not_begun(plan: Plan, ended: frozenset[str]) -> Iterator[Outcome]:
    """What of a last plan is left: its references are not drawn, or a brake has stopped it."""
    for one in plan.changes:
        if one.action == "defer" and one.address not in ended:
            yield Outcome(
                address=one.address, action="defer", end="unsent", code="reference.pending", message=one.detail
            )
    for brake in plan.blocked_by[:1]:
        for one in plan.changes:
            if one.action not in {"noop", "keep", "defer"} and one.address not in ended:
                yield Outcome(
                    address=one.address, action=one.action, end="unsent", code=brake.code, message=brake.message
                )


async def _guard(
    timeout_s: float | None, stop: Stop, pollers: Mapping[str, Poller], work: "asyncio.Task[None]"
) -> None:
    """Once the end is asked for: collect what runs for a while, give what is on its way the rest, then leave."""
    try:
        async with asyncio.timeout(timeout_s):
            await stop.wait()
    except TimeoutError:
        stop.ask(EXIT_PENDING)
    await seams.clock.sleep(COLLECT_S)
    for poller in pollers.values():
        poller.close()
    await seams.clock.sleep(DRAIN_S - COLLECT_S)
    work.cancel()
