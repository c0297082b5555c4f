"""`apply`, `wait`, `retry`, `destroy`: what may cost money or remove something is shown first, and asked for."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagebatch.cli.github import note_outputs
from imagebatch.cli.opening import open_project
from imagebatch.cli.options import CAME_TO, STREAMING, Shell, braking, command, locking, naming, running, selecting
from imagebatch.cli.planned import has_changes, plan_request, show_plan, tell_github, warn_unshared
from imagebatch.cli.views.wording import quoted_path
from imagebatch.errors import EXIT_OK, EXIT_PENDING, EXIT_UNPICKED, RefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from imagebatch.cli.progress import Progress
    from imagebatch.cli.screen import Paint
    from imagebatch.model.event import Event, Told
    from imagebatch.pipeline.applying import Applied
    from imagebatch.pipeline.opened import ApplyOptions
    from imagebatch.pipeline.planning import Planned, PlanRequest
    from imagebatch.pipeline.project import Project
    from imagebatch.plan.options import InDoubt
    from imagebatch.plan.saved import SavedPlan
    from imagebatch.plan.states import State
    from imagebatch.plan.types import Blocker
    from imagebatch.run.result import RunResult

REFRESH_S = 10.0


@command("apply", json=True)
@click.argument("plan_file", required=False, metavar="[PLAN]", type=click.Path(dir_okay=False, path_type=Path))
@selecting
@braking
@running
def apply(shell: Shell, *, plan_file: Path | None, **flags: Any) -> int:  # noqa: ANN401  # the shared flags
    """Do what the plan says: draw, fetch, write files, remove; then save the lock.

    Shows the plan and asks, unless -y. With a saved PLAN it applies exactly that one without asking, or refuses it as
    stale.
    """
    tell_version(shell)
    options, wishes = run_options(**flags)
    saved = None
    if plan_file is not None:
        from imagebatch.pipeline.planning import load_saved

        if (
            any(wishes[name] for name in ("select", "exclude", "max_cost"))
            or set(wishes["force"]) - {"stale"}
            or wishes["max_creates"] is not None
        ):
            raise UsageError(
                "a saved plan is applied as it is",
                "--select, --exclude, the cost limits and every --force but `stale` belong to the plan that is being "
                "saved.",
                hints=(f"imagebatch plan --out {quoted_path(plan_file)} with these flags",),
            )
        saved = load_saved(plan_file)
    project = open_project(shell)
    warn_unshared(shell, project)
    return carry_out(shell, project, plan_request(**wishes), options, yes=bool(flags["yes"]), saved=saved)


@command("wait", json=True)
@selecting
@running
def wait(shell: Shell, **flags: Any) -> int:  # noqa: ANN401  # the shared flags
    """Collect what is being drawn at the providers; sends no new draw.

    Exits with 75 where something is still being drawn when the time is up.
    """
    tell_version(shell)
    options, wishes = run_options(**flags)
    project = open_project(shell)
    return collect(shell, project, options, ("pending",), select=wishes["select"], exclude=wishes["exclude"])


@command("refresh", json=True)
@selecting
@locking
def refresh(shell: Shell, *, select: tuple[str, ...], exclude: tuple[str, ...], lock_timeout: float) -> int:
    """Ask the providers once about everything that is open; draws and sends nothing.

    What is finished there is fetched; what is not is left to `wait`.
    """
    tell_version(shell)
    return refresh_project(shell, open_project(shell), select, exclude=exclude, lock_timeout=lock_timeout)


def refresh_project(
    shell: Shell,
    project: "Project",
    select: tuple[str, ...],
    *,
    exclude: tuple[str, ...] = (),
    lock_timeout: float = 0.0,
) -> int:
    """Ask about what is being drawn and what is in doubt, for at most `REFRESH_S`; still open is no failure here."""
    from imagebatch.pipeline.opened import ApplyOptions

    options = ApplyOptions(timeout_s=REFRESH_S, lock_timeout_s=lock_timeout, in_doubt="stop")
    code = collect(shell, project, options, ("pending", "in-doubt"), select=select, exclude=exclude)
    return EXIT_OK if code == EXIT_PENDING else code


def collect(
    shell: Shell,
    project: "Project",
    options: "ApplyOptions",
    states: tuple["State", ...],
    *,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
) -> int:
    """Settle and fetch what is open, and nothing else; gives the exit code."""
    from imagebatch.pipeline.inspecting import addresses_in

    addresses = addresses_in(project, states, select=select, exclude=exclude)
    if not addresses:
        unpicked = addresses_in(project, ("unpicked",), select=select, exclude=exclude)
        return _nothing_open(shell, unpicked, EXIT_UNPICKED if options.require_picks and unpicked else EXIT_OK)
    return carry_out(shell, project, plan_request(select=addresses), options, yes=True, brief=True)


def _nothing_open(shell: Shell, unpicked: tuple[str, ...], code: int) -> int:
    from imagebatch.cli.views.events_json import summary_line
    from imagebatch.cli.views.result_text import unpicked_lines
    from imagebatch.run.result import RunResult

    tell_version(shell)
    if shell.json:
        shell.screen.json_line(summary_line(RunResult(outcomes=(), seconds=0.0, left_unpicked=unpicked), code))
    else:
        lines = unpicked_lines(unpicked, shell.screen.out_paint)
        shell.screen.lines([*lines, "Nothing to do: nothing is being drawn."])
    return code


@command("retry", json=True, named=())
@naming
@braking
@running
def retry(shell: Shell, *, selectors: tuple[str, ...], **flags: Any) -> int:  # noqa: ANN401  # the shared flags
    """Draw again what failed, also where the failed draw may have been paid. Costs money."""
    tell_version(shell)
    options, wishes = run_options(**flags)
    project = open_project(shell)
    return carry_out(shell, project, plan_request(retry=selectors, **wishes), options, yes=bool(flags["yes"]))


@command("destroy", json=True, named=("everything",))
@naming
@click.option("--all", "everything", is_flag=True, help="Everything that the lock knows.")
@braking
@running
def destroy(shell: Shell, *, selectors: tuple[str, ...], everything: bool, **flags: Any) -> int:  # noqa: ANN401  # the shared flags
    """Remove pictures by their policy: lock entry, files (to the trash), and the generation where `delete` says so.

    What the manifests still want is drawn again by the next apply.
    """
    if everything and selectors:
        raise UsageError("--all and a selection", "Name what is to be removed, or say --all; not both.")
    tell_version(shell)
    options, wishes = run_options(**flags)
    project = open_project(shell)
    wishes["select"] = selectors
    return carry_out(shell, project, plan_request(destroy=True, **wishes), options, yes=bool(flags["yes"]))


def run_options(
    *,
    jobs: int | None,
    in_doubt: "InDoubt",
    no_wait: bool,
    timeout: float | None,
    lock_timeout: float,
    require_picks: bool,
    **flags: Any,  # noqa: ANN401  # what is left belongs to the plan
) -> tuple["ApplyOptions", dict[str, Any]]:
    """How the run goes, and the flags that are the planner's."""
    from imagebatch.pipeline.opened import ApplyOptions

    options = ApplyOptions(
        jobs=jobs,
        in_doubt=in_doubt,
        wait=not no_wait,
        timeout_s=timeout,
        lock_timeout_s=lock_timeout,
        require_picks=require_picks,
    )
    flags.pop("yes", None)
    return options, {**flags, "in_doubt": in_doubt}


def carry_out(
    shell: Shell,
    project: "Project",
    request: "PlanRequest",
    options: "ApplyOptions",
    *,
    yes: bool,
    saved: "SavedPlan | None" = None,
    brief: bool = False,
    nothing: str = "",
    not_approved: "Callable[[], None]" = lambda: None,
) -> int:
    """Plan, show, ask, apply, report; gives the exit code.

    `brief` leaves the plan out (a `wait`); `nothing` is said where nothing at all is concerned. A saved plan was looked
    at when it was made, and exactly it is applied: to name it is the yes. `not_approved` is called where the plan was
    not approved, whatever the reason.
    """
    from imagebatch.cli.progress import open_progress
    from imagebatch.pipeline.applying import apply_project
    from imagebatch.run.stop import LAST_WORD

    tell_version(shell)
    with open_progress(shell) as progress:
        session = _Session(shell=shell, progress=progress, yes=yes or saved is not None, brief=brief)
        try:
            applied = apply_project(
                project,
                request,
                options,
                approve=session.approve,
                tell=session.tell,
                saved=saved,
                last_word=shell.screen.from_here(LAST_WORD),
                came_to=session.came_to,
            )
        except Exception:
            session.tell_what_came()
            raise
        finally:
            if not session.approved:
                not_approved()
    return report(shell, applied, nothing)


def tell_version(shell: Shell) -> None:
    """The first line of a stream of JSON, once; whatever ends the command then, the last line is a summary."""
    note_outputs()
    if not shell.json:
        return
    from imagebatch import __version__
    from imagebatch.cli.views.events_json import version_line

    context = click.get_current_context(silent=True)
    if context is not None:
        if context.meta.get(STREAMING):
            return
        context.meta[STREAMING] = True
    shell.screen.json_line(version_line(__version__, (context.info_name if context else None) or "apply"))


@dataclass(slots=True, kw_only=True)
class _Session:
    """One run's two questions to the person: may I, and look."""

    shell: Shell
    progress: "Progress"
    yes: bool
    brief: bool
    shown: bool = field(default=False)
    approved: bool = field(default=False)
    planned: "Planned | None" = field(default=None)
    result: "RunResult | None" = field(default=None)

    def approve(self, planned: "Planned") -> bool:
        """Show the plan, refuse what is blocked, ask where nobody said yes yet."""
        self._show(planned)
        if planned.plan.blocked_by:
            raise blocked(planned.plan.blocked_by)
        if not has_changes(planned):
            self.approved = True
            return True
        if not self.yes:
            self._ask()
        self.approved = True
        work = sum(1 for change in planned.plan.changes if change.action != "noop" or change.also)
        self.progress.begin(work)
        return True

    def tell(self, event: "Event | Told") -> None:
        """Show that something happened."""
        if self.shell.json:
            from imagebatch.cli.views.events_json import told_line

            self.shell.screen.json_line(told_line(event))
        self.progress.tell(event)

    def came_to(self, result: "RunResult") -> None:
        """Keep what the run came to for the last line, whatever ends the command."""
        self.result = result
        context = click.get_current_context(silent=True)
        if context is not None:
            context.meta[CAME_TO] = result

    def tell_what_came(self) -> None:
        """Say what was done and paid where an error ends the command; a stream of JSON has its own last line."""
        if self.result is None or self.planned is None or self.shell.json:
            return
        paint = self.shell.screen.out_paint
        lines = _result_lines(self.planned, self.result, paint, verbose=bool(self.shell.verbose))
        self.shell.screen.lines(["", *lines])

    def _show(self, planned: "Planned") -> None:
        note_outputs(planned=dict(planned.plan.counts))
        self.planned = planned
        worth = not self.brief and has_changes(planned)
        if self.shell.json:
            from imagebatch.cli.views.events_json import plan_lines

            for text in plan_lines(planned.plan, planned.simulated):
                self.shell.screen.json_line(text)
        elif worth and self.shell.screen.quiet and self.yes:
            from imagebatch.plan.costs import summary_line

            self.shell.screen.lines([summary_line(planned.plan)])
        elif worth:
            show_plan(self.shell, planned)
            return
        if worth:
            tell_github(self.shell, planned)

    def _ask(self) -> None:
        if not self.shell.interactive:
            context = click.get_current_context(silent=True)
            command = (context.info_name if context else None) or "apply"
            raise RefusedError(
                "nobody said yes",
                "There is no terminal to ask at (or --no-input was given), and nothing was sent.",
                hints=(f"say yes beforehand: {_with_yes(command)}",),
                code="apply.not_approved",
            )
        if not ask(self.shell, "Apply this plan?"):
            raise RefusedError("not applied", "The answer was no; nothing was sent.", code="apply.declined")


def _with_yes(command: str) -> str:
    # Only `apply` is whole without what else stood on its command line.
    return "imagebatch apply -y" if command == "apply" else f"the same `imagebatch {command}` with -y"


def ask(shell: Shell, question: str) -> bool:
    """A question on stderr; only `y` and `yes` are a yes.

    Raises click.Abort for a ctrl-C (then its context is the KeyboardInterrupt) and for an end of input.
    """
    paint = shell.screen.err_paint
    shell.screen.error("")
    try:
        answer = click.prompt(f"{paint(question, 'bold')} [y/N]", default="", show_default=False, err=True)
    except click.Abort:
        shell.screen.error("")  # the cursor stands behind the question
        raise
    return str(answer).strip().lower() in {"y", "yes"}


def blocked(blockers: tuple["Blocker", ...]) -> RefusedError:
    """What stands against the apply, each with the flag that lifts it."""
    from imagebatch.cli.views.plan_text import blocker_text

    detail = "\n".join(blocker_text(blocker) for blocker in blockers)
    return RefusedError("the plan is not applied", detail, code=blockers[0].code)


def report(shell: Shell, applied: "Applied", nothing: str = "") -> int:
    """Say how the run ended, or `nothing` where nothing at all was concerned; gives its exit code."""
    if shell.json:
        from imagebatch.cli.views.events_json import outcome_line, summary_line

        for outcome in applied.result.outcomes if applied.result is not None else ():
            shell.screen.json_line(outcome_line(outcome))
        shell.screen.json_line(summary_line(applied.result, applied.exit_code))
    elif nothing and applied.planned.options.selected == frozenset():
        shell.screen.lines([nothing])
    else:
        shell.screen.lines(_report_lines(shell, applied))
        if shell.simulate:
            shell.screen.say("This was a rehearsal: its lock and its outputs lie in .imagebatch/simulated/")
    _summarise(shell, applied)
    return applied.exit_code


def _report_lines(shell: Shell, applied: "Applied") -> list[str]:
    from imagebatch.cli.views.plan_text import nothing_line, plan_lines
    from imagebatch.cli.views.result_text import only_here_lines, unmet_lines, unpicked_lines

    paint = shell.screen.out_paint
    if applied.result is None or not applied.result.outcomes:
        plan, lines = applied.planned.plan, []
        if any(change.action == "keep" for change in plan.changes):
            lines = plan_lines(plan, paint=paint, simulated=applied.planned.simulated)[:-1]
        lines += unmet_lines(applied.planned.unmet, paint, verbose=bool(shell.verbose))
        lines += unpicked_lines(plan.unpicked, paint)
        lines.append(nothing_line(plan, paint=paint, simulated=applied.planned.simulated))
        return lines if applied.result is None else [*lines, *only_here_lines(applied.result.only_here, paint)]
    return ["", *_result_lines(applied.planned, applied.result, paint, verbose=bool(shell.verbose))]


def _result_lines(planned: "Planned", result: "RunResult", paint: "Paint", *, verbose: bool = False) -> list[str]:
    from imagebatch.cli.views.result_text import result_lines

    variants = [planned.variants[one.address] for one in result.outcomes if one.address in planned.variants]
    asked = {variant.provider for variant in variants}
    simulated = [alias for alias in planned.simulated if alias in asked]
    real = len(simulated) < len(asked) or not asked
    return result_lines(result, paint=paint, verbose=verbose, simulated=simulated, real=real)


def _summarise(shell: Shell, applied: "Applied") -> None:
    if not shell.environ.get("GITHUB_STEP_SUMMARY") or applied.result is None or not applied.result.ends:
        return
    from imagebatch.cli.github import write_summary
    from imagebatch.cli.screen import Paint
    from imagebatch.cli.views.markdown import result_markdown
    from imagebatch.run.result import OnlyHere

    alone = replace(applied.result, only_here=OnlyHere())
    last = _result_lines(applied.planned, alone, Paint())[-1]
    write_summary(shell.environ, shell.screen, result_markdown(applied.result, last))
