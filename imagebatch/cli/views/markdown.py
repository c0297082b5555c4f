"""The plan and the result as Markdown, for a job's summary. Foreign text stands in code spans only."""

from collections.abc import Iterable, Sequence

from imagebatch.cli.screen import Paint
from imagebatch.cli.views.foreign import shown
from imagebatch.cli.views.money_text import cost_text
from imagebatch.cli.views.plan_text import SYMBOLS, groups, reason_word
from imagebatch.cli.views.result_text import only_here_lines
from imagebatch.errors import Problem
from imagebatch.plan.costs import summary_line
from imagebatch.plan.types import Plan
from imagebatch.run.result import RunResult

# GitHub takes 1 MiB for one step; what is above it would be dropped whole.
MOST_BYTES = 1_000_000


def code(text: str, *, table: bool = False, limit: int = 200) -> str:
    """Foreign text in a code span that it cannot end; in a table also without a bar that would split its cell."""
    # In a table GitHub splits cells before it reads code spans; there, and only there, `\\|` is a bar that is text.
    safe = shown(text, limit).replace("|", "\\|") if table else shown(text, limit)
    longest = run = 0
    for char in safe:
        run = run + 1 if char == "`" else 0
        longest = max(longest, run)
    fence = "`" * (longest + 1)
    pad = " " if safe.startswith("`") or safe.endswith("`") or not safe.strip() else ""
    return f"{fence}{pad}{safe}{pad}{fence}"


def plan_markdown(plan: Plan, *, simulated: Sequence[str] = ()) -> str:
    """A table of changes, folded as on the screen, and the last line."""
    head = ["### imagebatch plan", "", code(summary_line(plan), limit=2000), ""]
    if simulated:
        head += [f"**Simulated:** {', '.join(code(name) for name in simulated)}; nothing is paid for these.", ""]
    head += [f"- **would stop the apply:** {code(one.message, limit=500)}" for one in plan.blocked_by]
    if plan.blocked_by:
        head.append("")
    rows = []
    for group in groups((change for change in plan.changes if change.action != "noop"), folded=True):
        first, last, count = group.first, group.changes[-1], len(group.changes)
        names = code(first.address, table=True)
        if count > 1:
            names = f"{count} × {names} … {code(last.address, table=True)}"
        reason = reason_word(first)
        detail = f" {code(first.detail, table=True)}" if first.detail else ""
        cost = cost_text(first.costs, count)
        rows.append(f"| `{SYMBOLS[first.action][0]}` {first.action} | {names} | {reason}{detail} | {cost} |")
    if not rows:
        return _bounded(head, [])
    return _bounded([*head, "| action | address | why | cost |", "| --- | --- | --- | --- |"], rows)


def result_markdown(result: RunResult, last_line: str) -> str:
    """What went wrong and which checks do not hold, the last line, and what would be lost with this machine."""
    lost = (code(text) for text in only_here_lines(result.only_here, Paint())[:1])
    head = [
        "### imagebatch apply",
        "",
        code(last_line, limit=2000),
        "",
        *(line for text in lost for line in (text, "")),
    ]
    rows = [
        f"| {one.end} | {code(one.address, table=True)} | {code(one.message or one.code or '-', table=True)} |"
        for one in result.ends
        if one.end not in {"done", "kept"}
    ]
    rows += [
        f"| check {'fails' if one.unmet.level == 'fail' else 'warns'} | {code(one.address, table=True)} "
        f"| {code(one.unmet.text, table=True)} |"
        for one in sorted(result.unmet, key=lambda one: (one.unmet.level, one.address))
    ]
    if not rows:
        return _bounded(head, [])
    return _bounded([*head, "| end | address | why |", "| --- | --- | --- |"], rows)


def error_markdown(problems: Iterable[Problem]) -> str:
    """Why a command did nothing, or did not come to its end."""
    head = ["### imagebatch", ""]
    rows = []
    for one in problems:
        place = f"{one.place}: " if one.place else ""
        rows.append(f"- {code(f'{place}{one.severity}: {one.summary} [{one.code}]', limit=500)}")
        rows += [f"  - {code(line, limit=500)}" for line in one.detail.splitlines() if line.strip()]
        rows += [f"  - hint: {code(one.hint, limit=500)}"] if one.hint else []
    return _bounded(head, rows)


def _bounded(head: Sequence[str], rows: Iterable[str], most: int = MOST_BYTES) -> str:
    lines = list(head)
    size = sum(len(line.encode()) + 1 for line in lines)
    rows = list(rows)
    for index, row in enumerate(rows):
        size += len(row.encode()) + 1
        if size > most - 200:
            lines += ["", f"… and {len(rows) - index} more rows that do not fit here."]
            break
        lines.append(row)
    return "\n".join(lines) + "\n"
