"""Applying: settle, plan, ask, carry out, plan again where references were waited for, checkpoint."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass, replace

from imagebatch.effects import seams
from imagebatch.effects.files import read_bytes
from imagebatch.errors import EXIT_PENDING, ImagebatchError
from imagebatch.http.clock import SystemClock
from imagebatch.http.spool import Inbox
from imagebatch.http.trustfile import read_trust
from imagebatch.model.bulk import seldom_collected
from imagebatch.model.event import Accepted, Event, Intended, Told
from imagebatch.model.token import lineage_tag
from imagebatch.model.variant import Reference, Variant
from imagebatch.outputs.develop import Outputs
from imagebatch.outputs.store import Store
from imagebatch.outputs.tree import Tree
from imagebatch.outputs.workers import Workers
from imagebatch.pipeline.balances import refuse_short
from imagebatch.pipeline.costs import limits_of, read_funds
from imagebatch.pipeline.lanes import open_lane
from imagebatch.pipeline.lost_lock import drawn_before, strangers
from imagebatch.pipeline.planning import Planned, PlanRequest, plan_against
from imagebatch.pipeline.project import Project
from imagebatch.pipeline.recording import Recording
from imagebatch.pipeline.resolving import without_doubt
from imagebatch.pipeline.shared import may_be_elsewhere, remote_of
from imagebatch.pipeline.space import at_once, room_for
from imagebatch.pipeline.unlooked import Unlooked
from imagebatch.pipeline.world import (
    STORE,
    Memory,
    PlacedDisk,
    World,
    is_run_home,
    known_here,
    read_beside,
    remember_rows,
    session_world,
    stat_disk,
)
from imagebatch.plan.budget import Funds
from imagebatch.plan.following import followed_picks
from imagebatch.plan.options import InDoubt
from imagebatch.plan.saved import SavedPlan, check_fresh, check_same
from imagebatch.plan.types import Action, Plan
from imagebatch.providers.base import CanList, CanObserve, CanWitness, ReferenceImage
from imagebatch.run.create import Creator
from imagebatch.run.cut_off import cut_off
from imagebatch.run.doubts import Doubts
from imagebatch.run.draw import Drawing
from imagebatch.run.duplicates import Duplicates
from imagebatch.run.executor import Executor, new_doubt
from imagebatch.run.files import Files
from imagebatch.run.lanes import Lane
from imagebatch.run.paid_steps import PaidSteps
from imagebatch.run.pictures import Pictures
from imagebatch.run.poll import Poller
from imagebatch.run.receiving import Receiving
from imagebatch.run.removal import Removal
from imagebatch.run.reopened import Reopened
from imagebatch.run.result import Outcome, RunResult, exit_code, left_bad
from imagebatch.run.settle import ListingFailed, Listings
from imagebatch.run.spending import Spending
from imagebatch.run.stop import COLLECT_S, DRAIN_S, LAST_WORD, Stop, on_signals
from imagebatch.run.turns import Turns
from imagebatch.simulator.process import SimulatorProcess, start
from imagebatch.state.cost_file import utc_now
from imagebatch.state.store import Session, StateStore, lock_missing


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOptions:
    """How to apply: `jobs` bounds what is in flight over all providers, `timeout_s` the whole run."""

    jobs: int | None = None
    in_doubt: InDoubt = "skip"
    wait: bool = True
    timeout_s: float | None = None
    lock_timeout_s: float = 0.0
    require_picks: bool = False
    profile: str = "calm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What an apply came to; `result` is None where the plan was not approved."""

    planned: Planned
    result: RunResult | None
    exit_code: int


def apply_project(
    project: Project,
    request: PlanRequest,
    options: ApplyOptions,
    *,
    approve: Callable[[Planned], bool],
    tell: Callable[[Told | Event], None],
    saved: SavedPlan | None = None,
    last_word: str = LAST_WORD,
) -> Applied:
    """Plan and carry out.

    `approve` is shown the plan and answers whether to go on; it raises RefusedError for a brake. `tell` hears of every
    event and of progress. `saved` is a saved plan that the fresh one has to equal. `last_word` is said on stderr where
    a second interrupt ends the process at once.
    """
    with ExitStack() as stack:
        session = stack.enter_context(
            StateStore(project.home).open(
                lineage=project.settings.lineage,
                command="apply",
                lock_timeout_s=options.lock_timeout_s,
                force_new_lock="new-lock" in request.force,
                remote=remote_of(project),
                warn=lambda text: tell(Told(kind="warning", message=text)),
            )
        )
        run = _Run(project, request=request, options=options, session=session, tell=tell, stack=stack)
        run.last_word = last_word
        run.settle_open_steps()
        run.look_for_duplicates()
        planned = run.plan(saved)
        if session.first and any(one.code == "path.not_ours" for one in planned.plan.blocked_by):
            seams.clock.run(run.refuse_lost_lock(planned))
        if planned.plan.empty:
            approve(planned)
            if any(new_doubt(change) for change in planned.plan.changes):
                run.carry_out(
                    planned
                )  # sends nothing: a doubt that only the journal knows of gets its place in the lock
            session.checkpoint()
            remember_rows(project.home, run.rows)
            nothing = RunResult(
                outcomes=(),
                seconds=0.0,
                left_unpicked=planned.plan.unpicked,
                left_kept=_kept(planned.plan, ()),
                left_bad=left_bad(planned.plan.changes),
                duplicates=len(run.duplicates.tokens),
            )
            code = exit_code(nothing, require_picks=options.require_picks)
            return Applied(planned=planned, result=nothing, exit_code=code)
        if not approve(planned):
            return Applied(planned=planned, result=None, exit_code=4)
        result = run.carry_out(planned)
        remember_rows(project.home, run.rows)
        code = exit_code(result, require_picks=options.require_picks)
        return Applied(planned=planned, result=result, exit_code=code)


class _Run:
    """One apply of one project, with everything that it opened."""

    def __init__(
        self,
        project: Project,
        *,
        request: PlanRequest,
        options: ApplyOptions,
        session: Session,
        tell: Callable[[Told | Event], None],
        stack: ExitStack,
    ) -> None:
        self.project = project
        self.request = request
        self.options = options
        self.session = session
        self.tell = tell
        self.stack = stack
        self.home = project.home
        self.work = project.home / ".imagebatch"
        self.disk = stat_disk(self.home)
        self.stack.callback(self.disk.save)
        self.store = Store(self.work / STORE)
        self._beside = read_beside(self.home, project.settings.lineage)
        self.memory = Memory(self.home)
        self._unlooked = Unlooked(self.home, project.targets)
        self.trust = read_trust(project.setup.variables)
        self.started = seams.clock.monotonic()
        self.spending = Spending()
        self.recording = Recording(session, self._told)
        self.duplicates = Duplicates(tell=tell, address_of=session.ledger.address_of)
        self._inbox = Inbox(self.work / "inbox")
        self._simulator: SimulatorProcess | None = None
        self._begun = False
        self.funds = Funds()
        self.last_word = LAST_WORD

    # Planning -------------------------------------------------------------------------------------------------------

    def plan(self, saved: SavedPlan | None) -> Planned:
        """Plan against what the session knows; a saved plan has to be matched."""
        world = self._world()
        if saved is not None:
            check_fresh(
                saved,
                lineage=world.lineage,
                lock=world.lock_digest,
                inputs=self.project.inputs,
                forced="stale" in self.request.force,
            )
        options = saved.options if saved is not None else None
        if options is not None and options.in_doubt == "skip":
            options = replace(options, in_doubt=self.request.in_doubt)  # how to apply it is said when it is applied
        self.funds = self._funds()
        planned = plan_against(self.project, world, self.request, options, funds=self.funds)
        if saved is not None:
            check_same(saved, planned.plan)
        return planned

    def _funds(self) -> Funds:
        """The budget, and what of it is gone by now."""
        if self.project.settings.budget.month:
            self.session.flush()  # the cost ledger follows the journal
        return read_funds(self.project, utc_now, run=self.spending.spent)

    def _told(self, event: Told | Event) -> None:
        self.spending.note(event)
        self.tell(event)

    def _world(self) -> World:
        return session_world(self.session, self.home, self.store, self.disk, self._beside)

    @property
    def rows(self) -> Mapping[str, int]:
        """How many rows each asset's table has."""
        return {table.asset: table.rows for table in self.project.loaded.tables}

    # Carrying out ---------------------------------------------------------------------------------------------------

    def settle_open_steps(self) -> None:
        """Ask about what an earlier run began and never settled, where asking can tell; reads only."""
        self._inbox.sweep()
        self.store.sweep()
        for token in self._inbox.tokens():
            if self.session.ledger.has_ended(token):
                self._inbox.discard(token)  # a run that died right after it had stored the pictures left it
        steps = self.session.ledger.open_steps()
        aliases = {step.provider for step in steps.values() if self._can_tell(step)}
        if aliases:
            seams.clock.run(self._settle(sorted(aliases), steps))

    def look_for_duplicates(self) -> None:
        """Look into the listings of providers at which the run before this one drew without a shared lease, once."""
        aliases = self._unlooked.aliases()
        with suppress(ImagebatchError):  # no key, or nobody answers: another run looks
            looked = seams.clock.run(self._looked_at(aliases)) if aliases else False
            if looked:
                self._unlooked.looked()

    async def _looked_at(self, aliases: Sequence[str]) -> bool:
        """Whether these providers' listings could be read."""
        async with AsyncExitStack() as stack:
            lanes = await self._lanes(stack, aliases, None)
            listings = Listings(lineage_tag(self.session.lineage), SystemClock(), self.duplicates.look)
            try:
                await asyncio.gather(*(listings.first(lane) for lane in lanes.values()))
            except ListingFailed:
                return False
        return True

    def carry_out(self, planned: Planned) -> RunResult:
        """Do what the plan says, save the lock, and tell what came of it."""
        stop = Stop()
        executor_outcomes: list[Outcome] = []
        requests: Counter[str] = Counter()
        try:
            with seldom_collected():
                seams.clock.run(self._carry_out(planned, stop, executor_outcomes, requests))
        finally:
            self._tell_unsaved()
            if self._begun:  # a run that was refused before its first step begins no lock
                if not self.session.sharing.active and may_be_elsewhere(self.project.setup):
                    self._unlooked.drew(executor_outcomes, planned.variants)
                self.session.checkpoint()
        return RunResult(
            outcomes=tuple(executor_outcomes),
            seconds=seams.clock.monotonic() - self.started,
            requests=dict(requests),
            stopped_by=stop.exit_code,
            simulated=sum(1 for one in executor_outcomes if _simulated(one, planned)),
            left_unpicked=planned.plan.unpicked,
            left_kept=_kept(planned.plan, executor_outcomes),
            left_bad=left_bad(planned.plan.changes, executor_outcomes),
            duplicates=len(self.duplicates.tokens),
        )

    def _tell_unsaved(self) -> None:
        """What was paid for and could not be written down anywhere is said: then a person may know of it."""
        for event in self.session.unsaved:
            if isinstance(event, Accepted):
                text = f"not written down, keep this line: {event.token} was taken as generation {event.generation}"
                self.tell(Told(kind="warning", message=text))

    async def _settle(self, aliases: Iterable[str], steps: Mapping[str, Intended]) -> None:
        reopened = Reopened(
            lineage=self.session.lineage,
            inbox=self._inbox,
            recorder=self.recording,
            tell=self.tell,
            known=lambda token: self.session.ledger.attempt(token) is not None,
            seen=self.duplicates.look,
        )
        async with AsyncExitStack() as stack:
            lanes = await self._lanes(stack, aliases, None)
            for alias, lane in lanes.items():
                mine = {token: step for token, step in steps.items() if step.provider == alias}
                for token in await reopened.settle(lane, mine):
                    await self._forget_doubt(steps[token])

    async def _forget_doubt(self, step: Intended) -> None:
        """A create that certainly was not accepted is as if it had never been sent, in the lock too."""
        entry = self.session.ledger.current(step.address)
        if entry is not None and entry.status == "in_doubt" and entry.token == step.token and not entry.parts:
            await self.recording.record(without_doubt(step.address, entry))

    async def _carry_out(self, planned: Planned, stop: Stop, outcomes: list[Outcome], requests: "Counter[str]") -> None:
        async with AsyncExitStack() as stack:
            executor, lanes, pollers = await self._executor(stack, planned, stop, outcomes)
            stack.callback(_count, requests, tuple(lanes.values()))
            if "cost" not in planned.options.forces:
                await refuse_short(planned.plan, lanes.values(), self.tell)
            await self._refuse_known(
                lanes, executor.drawing.creator.doubts.listings, lambda listed: self._lock_is_lost(listed, planned)
            )
            self._begun = True
            with on_signals(stop, lambda text: self.tell(Told(kind="stopping", message=text)), self.last_word):
                work = asyncio.create_task(self._rounds(executor, planned, stop))
                guard = asyncio.create_task(self._guard(stop, pollers, work))
                try:
                    await work
                except asyncio.CancelledError:
                    if not stop.asked:
                        raise
                    ledger = self.session.ledger
                    left = cut_off(planned.plan, _ended(executor), ledger.open_steps(), ledger.known)
                    executor.outcomes.extend(left)
                finally:
                    guard.cancel()

    async def refuse_lost_lock(self, planned: Planned) -> None:
        """Raise RefusedError where the files in the way are this project's own, and only its lock is lost."""
        async with AsyncExitStack() as stack:
            try:
                lanes = await self._lanes(stack, _aliases(planned.plan), None)
            except ImagebatchError:
                return  # nobody can be asked: the files in the way are told of
            listings = Listings(lineage_tag(self.session.lineage), SystemClock())
            await self._refuse_known(lanes, listings, bool)

    async def _refuse_known(
        self, lanes: Mapping[str, Lane], listings: Listings, lost: Callable[[frozenset[str]], bool]
    ) -> None:
        """Raise RefusedError where there is no lock, and `lost` says so of the pictures of ours that are listed.

        The listings are those that are read before a first create anyway.
        """
        if not self.session.first or "new-lock" in self.request.force:
            return
        tag = lineage_tag(self.session.lineage)
        for alias, lane in lanes.items():
            if lane.capabilities.witness != "list":
                continue
            with suppress(ListingFailed):  # told when its first create is due
                if lost(strangers(await listings.first(lane), tag, self._beside)):
                    raise lock_missing(f"the listing of {alias} shows")

    def _lock_is_lost(self, listed: frozenset[str], planned: Planned) -> bool:
        """Whether these pictures, which nobody here knows, tell that this project had a lock.

        Where `run` draws, those of other checkouts are listed too and say nothing: git keeps no lock of theirs. What
        is asked for again is adopted by its token; only a redraw has another one.
        """
        if is_run_home(self.home):
            return drawn_before(listed, planned.plan, self.session.lineage)
        return bool(listed)

    async def _rounds(self, executor: Executor, planned: Planned, stop: Stop) -> None:
        """The plan, and then what its references have made possible, until nothing new comes of it."""
        plan = planned.plan
        while True:
            before = len(executor.outcomes)
            if self._beside is not None:
                self._beside.bring(plan, self.store)
            await executor.run(plan)
            deferred = any(change.action == "defer" for change in plan.changes)
            drawn = any(one.end == "done" for one in executor.outcomes[before:])
            if not deferred or not drawn or stop.asked:
                break
            plan = plan_against(self.project, self._world(), self.request, planned.options, funds=self._funds()).plan
            plan = replace(plan, changes=tuple(one for one in plan.changes if one.address not in _ended(executor)))
            if plan.blocked_by:
                break
        executor.outcomes.extend(
            Outcome(address=one.address, action="defer", end="unsent", code="reference.pending", message=one.detail)
            for one in plan.changes
            if one.action == "defer" and one.address not in _ended(executor)
        )
        executor.outcomes.extend(
            Outcome(address=one.address, action=one.action, end="unsent", code=brake.code, message=brake.message)
            for brake in plan.blocked_by[:1]
            for one in plan.changes
            if one.action not in {"noop", "keep", "defer"} and one.address not in _ended(executor)
        )

    async def _guard(self, stop: Stop, pollers: Mapping[str, Poller], work: "asyncio.Task[None]") -> None:
        """Once the end is asked for: collect what runs for a while, give what is on its way the rest, then leave."""
        try:
            async with asyncio.timeout(self.options.timeout_s):
                await stop.wait()
        except TimeoutError:
            stop.ask(EXIT_PENDING)
        await seams.clock.sleep(COLLECT_S)
        for poller in pollers.values():
            poller.close()
        await seams.clock.sleep(DRAIN_S - COLLECT_S)
        work.cancel()

    # What a run needs -----------------------------------------------------------------------------------------------

    async def _executor(
        self, stack: AsyncExitStack, planned: Planned, stop: Stop, outcomes: list[Outcome]
    ) -> tuple[Executor, Mapping[str, Lane], Mapping[str, Poller]]:
        jobs = at_once(self.options.jobs)
        shared = asyncio.Semaphore(jobs) if jobs else None
        lanes = await self._lanes(stack, _aliases(planned.plan), shared)
        clock = SystemClock()
        tag = lineage_tag(self.session.lineage)
        pollers = {alias: Poller(lane, tag, clock) for alias, lane in lanes.items()}
        workers = await stack.enter_async_context(Workers())
        tree = Tree(self.home)
        stack.callback(tree.close)
        recorder, options = self.recording, planned.options
        max_cost = options.max_cost if options.max_cost is not None else self.project.settings.brakes.max_cost
        self.spending.hold(limits_of(self.funds, options, max_cost), options.max_creates)
        turns = Turns()
        room = room_for(self.home, planned.plan, lanes.values(), jobs)
        pictures = Pictures(
            store=self.store,
            workers=workers,
            recorder=recorder,
            tell=self.tell,
            turns=turns,
            lacking=room.lacking,
            cleared=recorder.cleared,
            spending=self.spending,
        )
        files = Files(
            root=self.home,
            outputs=Outputs(store=self.store, workers=workers, tree=tree),
            disk=PlacedDisk(self.disk, self.session.ledger, known_here(self.session.ledger, self.store, self._beside)),
            recorder=recorder,
            forces=planned.options.forces,
            day=seams.clock.wall().date().isoformat(),
        )
        steps = PaidSteps(
            lineage=self.session.lineage,
            recorder=recorder,
            inbox=self._inbox,
            clock=clock,
            stop=stop,
            tell=self.tell,
            reference_images=self._reference_images,
            lacking=room.lacking,
            cleared=recorder.cleared,
            spending=self.spending,
        )
        listings = Listings(tag, clock, self.duplicates.look)
        creator = Creator(
            steps=steps,
            receiving=Receiving(steps=steps, intake=pictures),
            doubts=Doubts(steps=steps, listings=listings, in_doubt=self.options.in_doubt),
            pollers=pollers,
            open_steps=self.session.ledger.open_steps(),
            turns=turns,
            wait=self.options.wait,
        )
        removal = Removal(lineage=self.session.lineage, lanes=lanes, recorder=recorder, trash=files.put_away_all)
        executor = Executor(
            lanes=lanes,
            drawing=Drawing(creator=creator),
            pictures=pictures,
            files=files,
            removal=removal,
            recorder=recorder,
            picks=followed_picks(self.project.loaded.picks, planned.variants.values(), self.session.ledger),
            stop=stop,
            tell=self.tell,
            outcomes=outcomes,
        )
        return executor, lanes, pollers

    async def _lanes(
        self, stack: AsyncExitStack, aliases: Iterable[str], shared: asyncio.Semaphore | None
    ) -> Mapping[str, Lane]:
        known = [alias for alias in aliases if alias in self.project.targets]
        simulator = self._simulator_origin() if any(self.project.targets[one].simulated for one in known) else None
        return {
            alias: await open_lane(
                stack,
                self.project,
                alias,
                simulator=simulator,
                memory=self.memory,
                trust=self.trust,
                shared=shared,
            )
            for alias in known
        }

    def _simulator_origin(self) -> str:
        if self._simulator is None:
            profile = self.project.setup.variables.get("IMAGEBATCH_SIMULATOR_PROFILE", "calm")
            self._simulator = self.stack.enter_context(start(self.work / "simulator", profile))
        return self._simulator.origin

    def _can_tell(self, step: Intended) -> bool:
        """Whether anything may be learnt of an open step: from its provider, or from an answer that was kept."""
        target = self.project.targets.get(step.provider)
        if target is None:
            return False
        asked = isinstance(target.adapter, CanList | CanObserve | CanWitness)
        return asked or self._inbox.answer(step.token) is not None

    def _reference_images(self, variant: Variant) -> tuple[ReferenceImage, ...]:
        return tuple(self._reference_image(reference) for reference in variant.references)

    def _reference_image(self, reference: Reference) -> ReferenceImage:
        sha256 = reference.sha256 or ""
        path = self.project.root / reference.path if reference.path is not None else self.store.path_of(sha256)
        return ReferenceImage(
            sha256=sha256,
            filename=path.name,
            media_type=reference.media_type or "application/octet-stream",
            content=read_bytes(path),
        )


_ASKS: frozenset[Action] = frozenset(
    {"create", "redraw", "retry", "wait", "buy", "fetch", "adopt", "share", "update", "delete", "defer"}
)


def _aliases(plan: Plan) -> tuple[str, ...]:
    """The providers that a plan has to ask; what is only developed, moved or forgotten needs no key."""
    asking = [change for change in plan.changes if _ASKS & {change.action, *change.also}]
    found = {change.provider for change in asking}
    found |= {change.entry.provider for change in asking if change.entry is not None}
    return tuple(sorted(found))


_DRAWS: frozenset[Action] = frozenset({"create", "redraw", "retry"})


def _kept(plan: Plan, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """What the plan keeps, and what the run did not mend after all."""
    other = {one.address for one in outcomes if one.end != "kept"}
    return tuple(one.address for one in plan.changes if one.action == "keep" and one.address not in other)


def _simulated(outcome: Outcome, planned: Planned) -> bool:
    variant = planned.variants.get(outcome.address)
    return (
        variant is not None
        and variant.type.startswith("simulator:")
        and outcome.end == "done"
        and outcome.action in _DRAWS
    )


def _ended(executor: Executor) -> frozenset[str]:
    return frozenset(one.address for one in executor.outcomes)


def _count(requests: "Counter[str]", lanes: Iterable[Lane]) -> None:
    for lane in lanes:
        for operation, number in (*lane.wire.counts.items(), *lane.downloader.counts.items()):
            requests["poll" if operation == "get" else operation] += number
