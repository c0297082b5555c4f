"""`redraw`, `accept`, `restore`: what people decide of pictures that are there goes into picks.yaml, bound to bytes."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from imagebatch.cli.opening import open_project
from imagebatch.cli.options import (
    Shell,
    braking,
    command,
    complete_addresses,
    naming,
    running,
    told_line,
)
from imagebatch.cli.planned import plan_request
from imagebatch.cli.views.foreign import shown
from imagebatch.cli.views.wording import counted
from imagebatch.errors import EXIT_OK

if TYPE_CHECKING:
    from imagebatch.model.picks import Picks
    from imagebatch.pipeline.deciding import Asked
    from imagebatch.pipeline.project import Project

ADDRESS = click.argument("address", shell_complete=complete_addresses)


@command("redraw", json=True, named=())
@naming
@click.option("--note", metavar="TEXT", help="Why; kept in picks.yaml.")
@click.option("--add", metavar="TEXT", help="Words that enter the prompt.")
@click.option("--now", is_flag=True, help="Apply it at once.")
@braking
@running
def redraw(
    shell: Shell,
    *,
    selectors: tuple[str, ...],
    note: str | None,
    add: str | None,
    now: bool,
    **flags: Any,  # noqa: ANN401  # the shared flags
) -> int:
    """Ask for one more attempt of pictures that are there; written to picks.yaml. Costs money once it is applied."""
    from imagebatch.cli.commands.applying import carry_out, run_options, tell_version
    from imagebatch.pipeline.deciding import ask_again, picks_bytes, put_back

    if now:
        tell_version(shell)
    options, wishes = run_options(**flags)
    project = open_project(shell)
    asked = ask_again(project, selectors, exclude=wishes["exclude"], note=note, add=add)
    before = picks_bytes(project)
    save(shell, project, asked.picks)
    _warn(shell, asked)
    if not now:
        text = f"Asked for {counted(len(asked.addresses), 'redraw')}. Next: imagebatch apply"
        if shell.json:
            shell.screen.json_line(told_line("redraw", EXIT_OK, text))
        else:
            shell.screen.lines([text])
        return EXIT_OK
    wishes["select"] = asked.addresses
    wishes["force"] = (*wishes["force"], "redraws")  # that brake is for surprises, and these were named

    def take_back() -> None:
        if put_back(project, before, written=asked.picks):
            shell.screen.say("took the redraw back: picks.yaml is as it was before")

    return carry_out(
        shell,
        open_project(shell, warn=False),
        plan_request(**wishes),
        options,
        yes=bool(flags["yes"]),
        not_approved=take_back,
    )


def _warn(shell: Shell, asked: "Asked") -> None:
    """Of what was named, what no apply draws anew as things are."""
    from imagebatch.pipeline.picking import settle_hint

    warn_guarded(shell, asked.guarded)
    doubted = asked.doubted
    if doubted:
        one = f"{shown(doubted[0])} is" if len(doubted) == 1 else f"{len(doubted)} of them are"
        shell.screen.say(
            f"warning: {one} in doubt, and not to be redrawn before that is settled: {settle_hint(doubted)}"
        )


@command("accept", named=())
@naming
def accept(shell: Shell, *, selectors: tuple[str, ...], exclude: tuple[str, ...]) -> int:
    """Let the present pictures stand for the changed requests, so that nothing is redrawn; written to picks.yaml."""
    from imagebatch.pipeline.deciding import accept_present

    project = open_project(shell)
    picks, addresses = accept_present(project, selectors, exclude=exclude)
    save(shell, project, picks)
    shell.screen.lines([f"Accepted {counted(len(addresses), 'picture')}:", *named(addresses)])
    return EXIT_OK


@command("restore")
@ADDRESS
@click.option("--to", "number", type=click.IntRange(min=1), required=True, metavar="N", help="As `history` counts.")
@click.option(
    "--candidate", "candidates", type=click.IntRange(min=1), multiple=True, metavar="N",
    help="Which picture of that draw; by default the one that was picked there. Several are allowed.",
)  # fmt: skip
def restore(shell: Shell, *, address: str, number: int, candidates: tuple[int, ...]) -> int:
    """Go back to an earlier picture of an address, without drawing; written to picks.yaml."""
    from imagebatch.pipeline.deciding import restore_earlier

    project = open_project(shell)
    picks, chosen = restore_earlier(project, address, number, candidates)
    save(shell, project, picks)
    history = f"imagebatch history {shlex.quote(address)}"
    which = f"candidate {', '.join(map(str, chosen))} of " if chosen else ""
    shell.screen.lines([f"Restored {which}number {number} of {shown(address)} ({history}). Next: imagebatch apply"])
    return EXIT_OK


def save(shell: Shell, project: "Project", picks: "Picks") -> None:
    """Write picks.yaml, and say so."""
    from imagebatch.pipeline.deciding import save_picks

    path = save_picks(project, picks)
    shell.screen.say(f"wrote {path.name}")


def warn_guarded(shell: Shell, guarded: Sequence[str]) -> None:
    """Of what was named, what is protected, so that no apply draws it anew."""
    if guarded:
        one = f"{shown(guarded[0])} is" if len(guarded) == 1 else f"{len(guarded)} of them are"
        shell.screen.say(f"warning: {one} protected: no redraw before protection is taken back (imagebatch unprotect)")


def named(addresses: Sequence[str]) -> list[str]:
    """The first addresses, a line each, and how many more there are."""
    more = [f"  … and {len(addresses) - 20} more"] if len(addresses) > 20 else []
    return [*(f"  {shown(one)}" for one in addresses[:20]), *more]
