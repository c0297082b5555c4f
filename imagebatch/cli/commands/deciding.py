"""`pick`, `use`, `redraw`, `accept`, `restore`: what people decide goes into picks.yaml, bound to bytes."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagebatch.cli.opening import open_project
from imagebatch.cli.options import Shell, braking, command, complete_addresses, flag, naming, running, told_line
from imagebatch.cli.planned import plan_request
from imagebatch.cli.views.foreign import shown
from imagebatch.cli.views.wording import counted
from imagebatch.errors import EXIT_OK, UsageError

if TYPE_CHECKING:
    from imagebatch.model.picks import Picks
    from imagebatch.pipeline.project import Project

ADDRESS = click.argument("address", shell_complete=complete_addresses)


@command("pick", named=())
@click.argument("words", nargs=-1, required=True, metavar="ADDRESS N... | SEL...", shell_complete=complete_addresses)
@flag(
    "--auto",
    "rule",
    metavar="RULE",
    help="Let a rule choose: first, sharpest, closest (to the reference), a plug-in's.",
)
@flag("--again", "again", is_flag=True, help="With --auto: choose anew where somebody has chosen already.")
@flag("--reject", "reject", is_flag=True, help="None of their candidates will do: ask for another attempt.")
@click.option("--note", metavar="TEXT", help="With --reject: why; kept in picks.yaml.")
@click.option("--add", metavar="TEXT", help="With --reject: words that enter the prompt of the next attempt.")
def pick(
    shell: Shell,
    *,
    words: tuple[str, ...],
    rule: str | None,
    again: bool,
    reject: bool,
    note: str | None,
    add: str | None,
) -> int:
    """Choose candidates of an address by their numbers, let a rule choose, or reject all; written to picks.yaml."""
    _refuse_mixed(rule=rule, again=again, reject=reject, note=note, add=add)
    project = open_project(shell)
    if reject:
        return _reject(shell, project, words, note=note or "", add=add)
    if rule is not None:
        return _auto(shell, project, words, rule=rule, again=again)
    from imagebatch.pipeline.deciding import choose

    address, numbers = words[0], _numbers(words[1:])
    picks, offered = choose(project, address, numbers)
    _save(shell, project, picks)
    chosen = ", ".join(map(str, numbers))
    shell.screen.lines([f"Picked {chosen} of {offered} for {shown(address)}. Next: imagebatch apply"])
    return EXIT_OK


@command("use")
@ADDRESS
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
def use(shell: Shell, *, address: str, file: Path) -> int:
    """Make a file of your own (a retouched master) the picture of an address; written to picks.yaml. Costs nothing."""
    from imagebatch.pipeline.own_files import use_file

    project = open_project(shell)
    picks, facts, own = use_file(project, address, shell.directory / file)
    _save(shell, project, picks)
    told = f"{shown(own)} ({facts.width}x{facts.height}) stands for {shown(address)}"
    shell.screen.lines([f"{told}; what was drawn stays in the store. Next: imagebatch apply"])
    return EXIT_OK


def _refuse_mixed(*, rule: str | None, again: bool, reject: bool, note: str | None, add: str | None) -> None:
    why = None
    if rule is not None and reject:
        why = "--auto chooses, and --reject chooses none: give one of them."
    elif again and rule is None:
        why = "--again belongs to --auto RULE."
    elif not reject and (note is not None or add is not None):
        why = (
            "--note and --add belong to --reject; for a picture that is wanted once more there is `imagebatch redraw`."
        )
    elif reject and not note:
        why = "--reject needs --note TEXT, so that the next one knows what was wrong."
    if why is not None:
        raise UsageError("these flags do not go together", why, code="usage.flags")


def _numbers(words: tuple[str, ...]) -> tuple[int, ...]:
    if not words or not all(word.isascii() and word.isdecimal() and int(word[:9]) > 0 for word in words):
        raise UsageError(
            "which candidates are meant?",
            "Behind the address stand the numbers of its candidates, from 1.",
            hints=("imagebatch pick ADDRESS 2", "imagebatch pick --auto first SEL"),
            code="usage.numbers",
        )
    return tuple(int(word[:9]) for word in words)


def _reject(shell: Shell, project: "Project", selectors: tuple[str, ...], *, note: str, add: str | None) -> int:
    from imagebatch.pipeline.deciding import reject as reject_all

    picks, addresses, guarded = reject_all(project, selectors, note=note, add=add)
    _save(shell, project, picks)
    _warn_guarded(shell, guarded)
    lines = [f"Rejected the candidates of {counted(len(addresses), 'picture')}:", *_named(addresses)]
    shell.screen.lines([*lines, "Next: imagebatch apply draws them again, which costs money (imagebatch plan tells)."])
    return EXIT_OK


def _auto(shell: Shell, project: "Project", selectors: tuple[str, ...], *, rule: str, again: bool) -> int:
    from imagebatch.pipeline.choosing import choose_by_rule

    picks, chosen, lacking = choose_by_rule(project, selectors, rule, again=again)
    if chosen:
        _save(shell, project, picks)
        lines = [f"Picked by {rule} for {counted(len(chosen), 'picture')}:"]
        named = [f"  {shown(address)}: {number}" for address, number in chosen.items()]
        more = [f"  … and {len(named) - 20} more"] if len(named) > 20 else []
        shell.screen.lines([*lines, *named[:20], *more, "Next: imagebatch apply"])
    if lacking:
        shell.screen.say(
            f"left out: {counted(len(lacking), 'picture')} whose candidates are not all here, such as "
            f"{shown(lacking[0])} (`pick: review` in its manifest fetches all, then: imagebatch apply)"
        )
    return EXIT_OK


def _warn_guarded(shell: Shell, guarded: tuple[str, ...]) -> None:
    if guarded:
        one = f"{shown(guarded[0])} is" if len(guarded) == 1 else f"{len(guarded)} of them are"
        shell.screen.say(f"warning: {one} protected: no redraw before protection is taken back (imagebatch unprotect)")


def _named(addresses: Sequence[str]) -> list[str]:
    more = [f"  … and {len(addresses) - 20} more"] if len(addresses) > 20 else []
    return [*(f"  {shown(one)}" for one in addresses[:20]), *more]


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
    picks, addresses, guarded = ask_again(project, selectors, exclude=wishes["exclude"], note=note, add=add)
    before = picks_bytes(project)
    _save(shell, project, picks)
    _warn_guarded(shell, guarded)
    if not now:
        text = f"Asked for {counted(len(addresses), 'redraw')}. Next: imagebatch apply"
        if shell.json:
            shell.screen.json_line(told_line("redraw", EXIT_OK, text))
        else:
            shell.screen.lines([text])
        return EXIT_OK
    wishes["select"] = addresses
    wishes["force"] = (*wishes["force"], "redraws")  # that brake is for surprises, and these were named

    def take_back() -> None:
        if put_back(project, before, written=picks):
            shell.screen.say("took the redraw back: picks.yaml is as it was before")

    return carry_out(
        shell,
        open_project(shell, warn=False),
        plan_request(**wishes),
        options,
        yes=bool(flags["yes"]),
        not_approved=take_back,
    )


@command("accept", named=())
@naming
def accept(shell: Shell, *, selectors: tuple[str, ...], exclude: tuple[str, ...]) -> int:
    """Let the present pictures stand for the changed requests, so that nothing is redrawn; written to picks.yaml."""
    from imagebatch.pipeline.deciding import accept_present

    project = open_project(shell)
    picks, addresses = accept_present(project, selectors, exclude=exclude)
    _save(shell, project, picks)
    shell.screen.lines([f"Accepted {counted(len(addresses), 'picture')}:", *_named(addresses)])
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
    _save(shell, project, picks)
    history = f"imagebatch history {shlex.quote(address)}"
    which = f"candidate {', '.join(map(str, chosen))} of " if chosen else ""
    shell.screen.lines([f"Restored {which}number {number} of {shown(address)} ({history}). Next: imagebatch apply"])
    return EXIT_OK


def _save(shell: Shell, project: "Project", picks: "Picks") -> None:
    from imagebatch.pipeline.deciding import save_picks

    path = save_picks(project, picks)
    shell.screen.say(f"wrote {path.name}")
