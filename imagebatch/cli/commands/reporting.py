"""`report`: what was paid, from the cost ledger of this checkout."""

import re
from typing import TYPE_CHECKING

import click

from imagebatch.cli.opening import open_setup
from imagebatch.cli.options import Shell, command
from imagebatch.cli.views.foreign import json_text, shown, without_absent
from imagebatch.cli.views.wording import counted
from imagebatch.errors import EXIT_OK, UsageError

if TYPE_CHECKING:
    from imagebatch.pipeline.costs import CostReport, Spent
    from imagebatch.state.costs import CostLine

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


@command("report", json=True)
@click.argument("run", required=False, metavar="[RUN]")
@click.option("--month", "month", metavar="2026-11", help="Only what was sent in this month, in UTC.")
@click.option("--csv", "csv", is_flag=True, help="Each paid step as a line for a spreadsheet.")
def report(shell: Shell, *, run: str | None, month: str | None, csv: bool) -> int:
    """Tell what was paid here: by month, provider and currency, or in one RUN (`last`).

    Reads .imagebatch/ledger.csv, which knows what this checkout has sent, and asks nobody.
    """
    from imagebatch.pipeline.costs import cost_report

    if month is not None and not _MONTH.fullmatch(month):
        raise UsageError("not a month", f"--month {month} is no month; write it like 2026-11.")
    if csv and shell.json:
        raise UsageError("one form at a time", "--csv and --json exclude each other.")
    found = cost_report(open_setup(shell).home, run=run, month=month)
    if found.unreadable:
        lines = counted(found.unreadable, "line")
        shell.screen.say(f"warning: {lines} of .imagebatch/ledger.csv cannot be read, and are not counted")
    if csv:
        from imagebatch.state.costs import encode_lines, header

        shell.screen.data(header() + encode_lines(found.steps))
    elif shell.json:
        shell.screen.json_line(json_text(_document(found)))
    else:
        shell.screen.lines(_text(shell, found))
    return EXIT_OK


def _text(shell: Shell, found: "CostReport") -> list[str]:
    from imagebatch.plan.costs import money_text

    if not found.sums:
        return ["Nothing was paid."]
    lines: list[str] = []
    for month in dict.fromkeys(one.month for one in found.sums):
        if lines:
            lines.append("")
        lines.append(shell.screen.out_paint(f"{month} (UTC)", "bold"))
        for one in found.sums:
            if one.month == month:
                spent = money_text(one.spent) or "no known price"
                lines.append(f"  {shown(one.provider)}  {spent} for {counted(one.steps, 'paid step')}{_aside(one)}")
    return lines


def _aside(one: "Spent") -> str:
    from imagebatch.plan.costs import money_text

    doubt = f"{money_text(one.in_doubt)} of it in doubt" if one.in_doubt else ""
    unknown = f"{one.unknown} without a known price" if one.unknown and one.spent else ""
    told = ", ".join(part for part in (doubt, unknown) if part)
    return f" ({told})" if told else ""


def _document(found: "CostReport") -> dict[str, object]:
    from imagebatch.plan.document import money_document

    return {
        "format": "imagebatch-report",
        "format_version": "1.0",
        "sums": [
            {
                "month": one.month,
                "provider": one.provider,
                "steps": one.steps,
                "spent": [money_document(money) for money in one.spent],
                "in_doubt": [money_document(money) for money in one.in_doubt],
                "unknown": one.unknown,
            }
            for one in found.sums
        ],
        "steps": [_step(line) for line in found.steps],
    }


def _step(line: "CostLine") -> dict[str, object]:
    from imagebatch.plan.document import money_document

    fields: dict[str, object] = {
        "time": line.time,
        "run": line.run,
        "address": line.address,
        "token": line.token,
        "step": line.step,
        "attempt": line.attempt,
        "candidate": line.candidate,
        "provider": line.provider,
        "cost": {**money_document(line.cost.money), "basis": line.cost.basis} if line.cost.money is not None else None,
        "state": line.state,
    }
    return without_absent(fields)
