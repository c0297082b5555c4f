"""Applying: open the project, settle, plan, ask, carry out, checkpoint."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace

from imagebatch.effects import seams
from imagebatch.errors import EXIT_REFUSED
from imagebatch.model.event import Event, Told
from imagebatch.pipeline.beyond import share
from imagebatch.pipeline.carrying_out import carry_out
from imagebatch.pipeline.homes import is_apart
from imagebatch.pipeline.lost_lock import refuse_in_the_way
from imagebatch.pipeline.opened import ApplyOptions, Opened
from imagebatch.pipeline.originals import fetch_for, move_in
from imagebatch.pipeline.planning import Planned, PlanRequest, plan_against
from imagebatch.pipeline.project import Project
from imagebatch.pipeline.resending import Resending, resending
from imagebatch.pipeline.settling import look_for_duplicates, settle_open_steps
from imagebatch.pipeline.shared import remote_of
from imagebatch.pipeline.unmounted import refused_unfilled
from imagebatch.pipeline.world import remember_rows
from imagebatch.plan.budget import Funds
from imagebatch.plan.saved import SavedPlan, check_fresh, check_same
from imagebatch.run.executor import new_doubt
from imagebatch.run.result import OnlyHere, RunResult, exit_code, left_bad, left_kept
from imagebatch.run.stop import LAST_WORD
from imagebatch.state.store import StateStore


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
    came_to: Callable[[RunResult], None] = lambda _: None,
) -> Applied:
    """Plan and carry out.

    `approve` is shown the plan and answers whether to go on; it raises RefusedError for a brake. `tell` hears of every
    event and of progress. `saved` is a saved plan that the fresh one has to equal. `last_word` is said on stderr where
    a second interrupt ends the process at once; `came_to` is told the result before it is saved.
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
        run = Opened(project, request=request, options=options, session=session, tell=tell, stack=stack)
        doubted = resending(run) if request.resend else None  # before what is settled now turns into other changes
        settle_open_steps(run)
        move_in(run.originals)
        look_for_duplicates(run)
        planned, funds = _planned(run, saved, doubted)
        if session.first and any(one.code == "path.not_ours" for one in planned.plan.blocked_by):
            seams.clock.run(refuse_in_the_way(run, planned.plan))
        approved = approve(planned)
        if planned.plan.empty:
            result = _with_nothing_to_do(run, planned, funds, last_word)
        elif approved:
            result = carry_out(run, planned, funds, last_word=last_word, came_to=came_to)
        else:
            return Applied(planned=planned, result=None, exit_code=EXIT_REFUSED)
        remember_rows(project.home, run.rows)
        result = replace(result, only_here=_shared(run, result))
        code = exit_code(result, require_picks=options.require_picks)
        return Applied(planned=planned, result=result, exit_code=code)


def _planned(run: Opened, saved: SavedPlan | None, doubted: Resending | None) -> tuple[Planned, Funds]:
    """Plan against what the session knows, and the budget that judged it; a saved plan has to be matched."""
    world = run.world()
    if saved is not None:
        check_fresh(
            saved,
            lineage=world.lineage,
            lock=world.lock_digest,
            inputs=run.project.inputs,
            forced="stale" in run.request.force,
        )
    options = saved.options if saved is not None else None
    if options is not None and options.in_doubt == "skip":
        options = replace(options, in_doubt=run.request.in_doubt)  # how to apply it is said when it is applied
    if doubted is not None:
        options = doubted.options
    funds = run.funds()
    planned = plan_against(run.project, world, run.request, options, funds=funds)
    if fetch_for(planned.plan, run.originals, run.warn):  # what was thought to lie beyond the store does not
        planned = plan_against(run.project, run.world(), run.request, options, funds=funds)
    planned = replace(planned, plan=refused_unfilled(run.originals, planned.plan, planned.options))
    if doubted is not None:
        planned = doubted.guarded(planned)
    if saved is not None:
        check_same(saved, planned.plan)
    return planned, funds


def _shared(run: Opened, result: RunResult) -> OnlyHere:
    """Share originals as the project says, once all else is done; how many are on this machine only."""
    if is_apart(run.home):
        return OnlyHere()
    stopped = result.stopped_by is not None
    environ = run.project.setup.variables
    return share(run.originals, run.session.ledger, environ=environ, warn=run.warn, stopped=stopped)


def _with_nothing_to_do(run: Opened, planned: Planned, funds: Funds, last_word: str) -> RunResult:
    """Save what was settled, and tell how all stands."""
    changes = planned.plan.changes
    if any(new_doubt(change) for change in changes):
        # Nothing is sent: a doubt that only the journal knows of gets its place in the lock.
        carry_out(run, planned, funds, last_word=last_word, came_to=lambda _: None)
    if not (run.request.resend and run.session.first):  # nothing was in doubt: that begins no lock
        run.session.checkpoint()
    return RunResult(
        outcomes=(),
        seconds=0.0,
        left_unpicked=planned.plan.unpicked,
        left_kept=left_kept(changes),
        left_bad=left_bad(changes),
        duplicates=len(run.duplicates.tokens),
        unmet=planned.unmet,
    )
