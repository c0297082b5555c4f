"""Errors and warnings for people and for programs."""

from collections.abc import Callable, Iterable

from imagebatch.cli.screen import Paint
from imagebatch.cli.views.foreign import json_text, shown, without_absent
from imagebatch.errors import ImagebatchError, ManifestError, Problem

LONG = 2000
DIAGNOSTIC_VERSION = "1.0"


def problem_lines(problem: Problem, paint: Paint) -> list[str]:
    """`path:line:column: error: summary [code]`, then the detail and the hint, indented."""
    place = shown(problem.place)
    head = f"{place}: " if place else ""
    color = "red" if problem.severity == "error" else "yellow"
    word = paint(f"{problem.severity}:", color, "bold")
    lines = [f"{paint(head, 'bold')}{word} {paint(shown(problem.summary), 'bold')} {paint(f'[{problem.code}]', 'dim')}"]
    if problem.address and problem.path:
        lines.append(f"  in {shown(problem.address)}")
    if problem.detail:
        lines += [f"  {shown(line, LONG)}" for line in problem.detail.splitlines() if line.strip()]
    if problem.hint:
        lines += _hint(problem.hint, paint)
    return lines


def error_lines(error: ImagebatchError, paint: Paint) -> list[str]:
    """An error with all its problems, by place; the number of them last where there are several."""
    problems = sorted_problems(error.problems)
    lines = [line for problem in problems for line in problem_lines(problem, paint)]
    for hint in error.hints[1:]:
        lines += _hint(hint, paint)
    if isinstance(error, ManifestError) and len(problems) > 1:
        lines.append(f"{len(problems)} problems; nothing was sent and nothing was written.")
    return lines


def sorted_problems(problems: Iterable[Problem]) -> list[Problem]:
    """By file, line and column; what has no place comes last."""
    return sorted(
        problems, key=lambda one: (one.path is None, one.path or "", one.line or 0, one.column or 0, one.code)
    )


def diagnostic(problem: Problem, from_here: Callable[[str], str] = str) -> str:
    """One problem as a line of JSON; `from_here` makes its commands work when they are copied."""
    return json_text(
        {
            "type": "diagnostic",
            **without_absent(
                {
                    "severity": problem.severity,
                    "code": problem.code,
                    "summary": problem.summary,
                    "detail": from_here(problem.detail),
                    "path": problem.path,
                    "line": problem.line,
                    "column": problem.column,
                    "address": problem.address,
                    "hint": from_here(problem.hint) if problem.hint else None,
                }
            ),
            "format": "imagebatch-diagnostic",
            "format_version": DIAGNOSTIC_VERSION,
        }
    )


def _hint(hint: str, paint: Paint) -> list[str]:
    first, *rest = [line for line in hint.splitlines() if line.strip()] or [""]
    return [f"  {paint('hint:', 'cyan')} {shown(first, LONG)}", *(f"        {shown(line, LONG)}" for line in rest)]
