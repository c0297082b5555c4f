"""What `verify` found, for people and for programs."""

from collections.abc import Callable, Sequence
from itertools import groupby

from imagebatch.cli.screen import Paint
from imagebatch.cli.views.foreign import shown, without_absent
from imagebatch.cli.views.wording import counted
from imagebatch.errors import Problem


def fault_lines(found: Sequence[Problem], paint: Paint) -> list[str]:
    """Everything found: those of one kind together, with why it matters above them and what to do below."""
    lines: list[str] = []
    for (severity, code, summary, hint), same in groupby(sorted(found, key=_kind), key=_kind):
        told = sorted(same, key=lambda one: (one.address or "", one.path or "", one.line or 0))
        word = paint(summary[:1].upper() + summary[1:], "red" if severity == "error" else "yellow", "bold")
        lines.append(f"{word} ({len(told)})")
        lines += [f"  {_place(one)}{shown(one.detail)} {paint(f'[{code}]', 'dim')}" for one in told]
        lines += [f"  {paint('hint:', 'cyan')} {shown(hint)}", ""]
    return lines


def verified_line(found: Sequence[Problem], files: int, stored: int, paint: Paint) -> str:
    """The last line: whether all agree, and what was looked at."""
    errors = sum(one.severity == "error" for one in found)
    warnings = len(found) - errors
    word = paint("Disagreements:", "red", "bold") if errors else paint("Verified:", "green", "bold")
    what = f"{errors} found" if errors else "lock, manifests, picks and files agree"
    beside = f", {counted(warnings, 'warning')}" if warnings else ""
    looked = counted(files, "file") + (f" and {stored} of the store" if stored else "")
    return f"{word} {what}{beside}; {looked} looked at."


def fault_document(one: Problem, from_here: Callable[[str], str] = str) -> dict[str, object]:
    """One thing found, for programs: a `disagreement`, or a `warning`, which does not decide the exit code."""
    return {
        "type": "disagreement" if one.severity == "error" else "warning",
        **without_absent(
            {
                "severity": one.severity,
                "code": one.code,
                "summary": one.summary,
                "detail": one.detail,
                "address": one.address,
                "path": one.path,
                "line": one.line,
                "hint": from_here(one.hint) if one.hint else None,
            }
        ),
    }


def _kind(one: Problem) -> tuple[str, str, str, str]:
    return one.severity, one.code, one.summary, one.hint or ""


def _place(one: Problem) -> str:
    if one.address is not None:
        return f"{shown(one.address)}: "
    return f"{shown(one.path)}:{one.line}: " if one.path is not None and one.line is not None else ""
