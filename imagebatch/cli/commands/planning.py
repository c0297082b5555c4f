"""`validate` and `plan`: what the files say and what an apply would do. Nothing is sent that costs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from imagebatch.cli.github import note_outputs
from imagebatch.cli.opening import open_project
from imagebatch.cli.options import Shell, braking, command, flag, saving, selecting
from imagebatch.cli.planned import has_changes, plan_request, show_plan, show_problems, warn_unshared
from imagebatch.cli.views.wording import counted, quoted_path
from imagebatch.errors import EXIT_CHANGES, EXIT_OK


@command("validate", json=True)
@selecting
def validate(shell: Shell, *, select: tuple[str, ...], exclude: tuple[str, ...]) -> int:
    """Check the project's files; every problem of every file at once.

    Sends nothing and needs no key. Errors are told of everything, warnings and counts of what is selected.
    """
    from imagebatch.cli.views.foreign import json_text
    from imagebatch.cli.views.problems import diagnostic
    from imagebatch.pipeline.inspecting import check_project

    project = open_project(shell, warn=False)
    variants, warnings = check_project(project, select, exclude=exclude)
    assets = len({variant.policy.asset for variant in variants})
    if shell.json:
        for problem in warnings:
            shell.screen.json_line(diagnostic(problem, shell.screen.from_here))
        shell.screen.json_line(
            json_text(
                {
                    "type": "summary", "assets": assets, "variants": len(variants), "warnings": len(warnings),
                    "format": "imagebatch-validate", "format_version": "1.0",
                }
            )
        )  # fmt: skip
        return EXIT_OK
    show_problems(shell, warnings)
    paint = shell.screen.out_paint
    counts = [counted(assets, "asset"), counted(len(variants), "variant")]
    if warnings:
        counts.append(counted(len(warnings), "warning"))
    shell.screen.data(f"{paint('Valid:', 'green', 'bold')} {', '.join(counts)}.\n")
    return EXIT_OK


@command("plan", json=True)
@selecting
@braking
@flag(
    "--in-doubt", "in_doubt", type=click.Choice(["stop", "skip", "resend"]), default="skip", show_default=True,
    help="What an apply would do where nobody knows whether a draw was paid.",
)  # fmt: skip
@saving
@flag("--detail", "detail", is_flag=True, help="Show what is unchanged, too, and fold nothing.")
@flag("--detailed-exitcode", "detailed_exitcode", is_flag=True, help="Exit 2 where the plan has changes.")
@flag("--refresh", "refresh", is_flag=True, help="Ask the providers first (needs keys and the network).")
def plan(shell: Shell, *, out: Path | None, detail: bool, detailed_exitcode: bool, refresh: bool, **wishes: Any) -> int:  # noqa: ANN401  # the shared flags
    """Show what an apply would do, and what it would cost.

    Sends nothing that costs; without --refresh it needs no key and no network.
    """
    from imagebatch.pipeline.planning import check_out, make_plan, save_plan

    note_outputs()
    if out is not None:
        check_out(out)
    project = open_project(shell)
    warn_unshared(shell, project)
    if refresh:
        from imagebatch.cli.commands.applying import refresh_project

        # Standard output is the plan's: what the refresh has to say goes to stderr.
        aside = replace(shell, json=False, screen=replace(shell.screen, out=shell.screen.err))
        refresh_project(aside, project, wishes["select"], exclude=wishes["exclude"])
    planned = make_plan(project, plan_request(detail=detail, **wishes))
    show_plan(shell, planned, detail=detail)
    if out is not None:
        save_plan(project, planned, out)
        shell.screen.say(f"Saved the plan: apply exactly this with  imagebatch apply {quoted_path(out)}")
    if detailed_exitcode and has_changes(planned):
        return EXIT_CHANGES
    return EXIT_OK
