"""What commands share that make a plan: the request from the flags, and the plan as people and programs see it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from imagebatch.cli.options import Shell
from imagebatch.errors import Problem

if TYPE_CHECKING:
    from imagebatch.pipeline.planning import Planned, PlanRequest
    from imagebatch.pipeline.project import Project
    from imagebatch.plan.options import InDoubt


def plan_request(
    *,
    select: tuple[str, ...] = (),
    exclude: tuple[str, ...] = (),
    force: tuple[str, ...] = (),
    max_cost: tuple[Any, ...] = (),
    max_creates: int | None = None,
    in_doubt: "InDoubt" = "skip",
    **more: Any,  # noqa: ANN401  # retry, redraw, destroy, detail as PlanRequest has them
) -> "PlanRequest":
    """The planner's request from the flags."""
    from imagebatch.pipeline.planning import PlanRequest
    from imagebatch.plan.options import FORCES

    return PlanRequest(
        select=select,
        exclude=exclude,
        force=frozenset(name for name in FORCES if name in force),
        max_cost=max_cost,
        max_creates=max_creates,
        in_doubt=in_doubt,
        **more,
    )


def has_changes(planned: "Planned") -> bool:
    """Whether anything but noop and keep is planned."""
    return any(change.action not in {"noop", "keep"} or change.also for change in planned.plan.changes)


def show_plan(shell: Shell, planned: "Planned", *, detail: bool = False) -> None:
    """Print the plan on stdout, as text or as one document; into the job's summary, too."""
    from imagebatch.cli.screen import width

    if planned.apply_running:
        shell.screen.say(f"warning: an apply is running ({planned.apply_running}); this plan may be out of date soon")
    if shell.json:
        from imagebatch.cli.views.plan_json import plan_json

        shell.screen.json_line(plan_json(planned.plan, simulated=planned.simulated, detail=detail))
    else:
        from imagebatch.cli.views.plan_text import plan_lines

        shell.screen.lines(
            plan_lines(
                planned.plan,
                paint=shell.screen.out_paint,
                columns=width(shell.environ, shell.screen.out),
                folded=not (detail or shell.verbose),
                simulated=planned.simulated,
            )
        )
    tell_github(shell, planned)


def tell_github(shell: Shell, planned: "Planned") -> None:
    """The plan for the CI: a table in the job's summary, its counts for the step's outputs."""
    from imagebatch.cli.github import note_outputs, write_summary

    note_outputs(planned=dict(planned.plan.counts))
    if shell.environ.get("GITHUB_STEP_SUMMARY"):
        from imagebatch.cli.views.markdown import plan_markdown

        write_summary(shell.environ, shell.screen, plan_markdown(planned.plan, simulated=planned.simulated))


def warn_unshared(shell: Shell, project: "Project") -> None:
    """Warn in CI where nothing keeps runs on two machines apart."""
    if not shell.environ.get("CI"):
        return
    from imagebatch.pipeline.shared import unshared_warning

    warning = unshared_warning(project)
    show_problems(shell, (warning,) if warning is not None else ())


def show_problems(shell: Shell, problems: Iterable[Problem]) -> None:
    """Print warnings on stderr."""
    from imagebatch.cli.views.problems import problem_lines

    for problem in problems:
        for line in problem_lines(problem, shell.screen.err_paint):
            shell.screen.say(line)
