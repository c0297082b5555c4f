"""`resolve`: a person settles what nobody else can know."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagebatch.cli.opening import open_project
from imagebatch.cli.options import Shell, braking, command, naming, running, told_line
from imagebatch.cli.planned import plan_request
from imagebatch.cli.views.foreign import json_text, shown, without_absent
from imagebatch.cli.views.wording import counted
from imagebatch.errors import EXIT_OK, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imagebatch.pipeline.resolving import Doubt, Listed

_NOTHING = "Nothing is in doubt there."
_FORMAT = {"format": "imagebatch-resolve", "format_version": "1.0"}


@command("resolve", json=True)
@naming
@click.option("--list", "list_", is_flag=True, help="Show what is in doubt, and what it may have cost.")
@click.option("--adopt", "generation", metavar="ID", help="It was drawn: this is the provider's id.")
@click.option("--file", "file", type=click.Path(path_type=Path), metavar="F", help="It was drawn: this is the picture.")
@click.option("--resend", is_flag=True, help="Send it again; it may be paid a second time.")
@click.option("--abandon", is_flag=True, help="It was not drawn: close it; the next apply draws it anew.")
@braking
@running
def resolve(
    shell: Shell,
    *,
    selectors: tuple[str, ...],
    list_: bool,
    generation: str | None,
    file: Path | None,
    resend: bool,
    abandon: bool,
    **flags: Any,  # noqa: ANN401  # the shared flags
) -> int:
    """Settle draws of which nobody knows whether they were paid."""
    from imagebatch.cli.commands.applying import carry_out, run_options, tell_version
    from imagebatch.pipeline import resolving

    if resend:
        tell_version(shell)
    ways = [name for name, given in _ways(generation, file, resend=resend, abandon=abandon) if given]
    if len(ways) > 1 or (list_ and ways):
        raise UsageError("one way at a time", "--list, --adopt, --file, --resend and --abandon exclude each other.")
    project = open_project(shell)
    if not ways:
        return list_doubts(shell, resolving.list_doubts(project, selectors, flags["exclude"]))
    if not selectors:
        raise UsageError("nothing is named", "Name what is to be settled.", hints=("imagebatch resolve --list",))
    named = {"exclude": flags["exclude"], "lock_timeout_s": float(flags["lock_timeout"])}
    if resend:
        options, wishes = run_options(**{**flags, "in_doubt": "resend"})
        wishes["select"] = selectors
        request = plan_request(resend=True, **wishes)
        return carry_out(shell, project, request, options, yes=bool(flags["yes"]), nothing=_NOTHING)
    if generation is not None:
        address = resolving.adopt(project, selectors, generation, **named)
        text = f"{shown(address)} is now the provider's {shown(generation)}. Next: imagebatch apply"
    elif file is not None:
        address, facts = resolving.supply(project, selectors, file, **named)
        text = f"{shown(address)} is now this picture ({facts.width}x{facts.height}). Next: imagebatch apply"
    else:
        text = _closed(resolving.abandon(project, selectors, **named))
    if shell.json:
        shell.screen.json_line(told_line("resolve", EXIT_OK, text))
    else:
        shell.screen.lines([text])
    return EXIT_OK


def _closed(doubts: "Sequence[Doubt]") -> str:
    if not doubts:
        return _NOTHING
    drawn = any(one.wanted for one in doubts)
    after = "the next apply draws what is missing" if drawn else "nothing of it is wanted, so nothing is drawn"
    return f"Closed {counted(len(doubts), 'attempt')}; {after}."


def _ways(generation: str | None, file: Path | None, *, resend: bool, abandon: bool) -> tuple[tuple[str, bool], ...]:
    return (
        ("--adopt", generation is not None),
        ("--file", file is not None),
        ("--resend", resend),
        ("--abandon", abandon),
    )


def list_doubts(shell: Shell, found: "Listed") -> int:
    """Show what is in doubt, and every way to settle it."""
    if shell.json:
        for one in found.doubts:
            shell.screen.json_line(json_text(_document(one, found.running)))
        return EXIT_OK
    if not found.doubts:
        shell.screen.lines(["Nothing is in doubt."])
        return EXIT_OK
    paint = shell.screen.out_paint
    if found.running is not None:
        words = "what it has sent and not heard of stands here, too, and it may still settle that"
        shell.screen.lines([f"{paint('A run is under way:', 'yellow')} {shown(found.running)}", f"  {words}"])
    for one in found.doubts:
        head = f"{paint(shown(one.address), 'bold')}  {shown(one.provider)}, attempt {one.attempt}, {one.token}"
        shell.screen.lines([head, *(f"  {line}" for line in (_cost_line(one), *_ways_out(one)))])
    return EXIT_OK


def _document(one: "Doubt", running: str | None) -> dict[str, object]:
    from imagebatch.cli.views.money_text import cost_text

    cost = cost_text((one.cost,)) if one.cost is not None else None
    fields = {"address": one.address, "provider": one.provider, "token": one.token, "attempt": one.attempt}
    more = {"possible_cost": cost, "charged": list(one.charged), "apply_running": running}
    return {**fields, **without_absent(more), **_FORMAT}


def _cost_line(one: "Doubt") -> str:
    from imagebatch.cli.views.money_text import cost_text

    some = f"{len(one.tokens)} of its {one.of} creates: " if one.of > 1 else ""
    if one.charged:
        return f"{some}the billing record says it was charged {' + '.join(map(shown, one.charged))}"
    if one.cost is None or one.cost.money is None:
        return f"{some}what it may have cost is not known"
    return f"{some}may have cost {cost_text((one.cost,))}"


def _ways_out(one: "Doubt") -> list[str]:
    name = shlex.quote(one.address)
    lines = ["the provider can be asked: imagebatch refresh"] if one.can_list else []
    if one.answers_later:
        lines.append(f"drawn, and you know its id:  imagebatch resolve {name} --adopt ID")
    lines.append(f"drawn, and you have it:      imagebatch resolve {name} --file PICTURE")
    if one.charged:  # `not drawn` is no answer then
        after = "; the next apply pays again" if one.same else ""
        lines.append(f"give up what was paid:       imagebatch resolve {name} --abandon{after}")
    else:
        lines.append(f"not drawn:                   imagebatch resolve {name} --abandon")
    if not one.wanted:
        return [*lines, "it is in no manifest any more, so it is not sent again"]
    if not one.same:
        return [
            *lines,
            "its request changed since, so it is not sent again; the next apply after that draws the new one",
        ]
    if one.since:
        return [*lines, f"attempt {one.since} was drawn since, here or on another machine: nothing is sent again"]
    again = "send again (pays twice):     " if one.charged else "send again (may pay twice):  "
    return [*lines, f"{again}imagebatch resolve {name} --resend"]
