"""`pick` and `use`: which picture an address shows, written to picks.yaml, bound to bytes."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagebatch.cli.commands.deciding import ADDRESS, named, save, warn_guarded
from imagebatch.cli.commands.taking import take
from imagebatch.cli.opening import open_project
from imagebatch.cli.options import ForceType, Shell, command, complete_addresses, flag
from imagebatch.cli.views.foreign import shown
from imagebatch.cli.views.wording import counted
from imagebatch.errors import EXIT_OK, UsageError

if TYPE_CHECKING:
    from imagebatch.pipeline.project import Project


@command("pick", named=())
@click.argument("words", nargs=-1, metavar="ADDRESS N... | SEL...", shell_complete=complete_addresses)
@flag(
    "--auto",
    "rule",
    metavar="RULE",
    help="Let a rule choose: first, sharpest, closest (to the reference), a plug-in's.",
)
@flag("--again", "again", is_flag=True, help="With --auto: choose anew where somebody has chosen already.")
@flag("--reject", "reject", is_flag=True, help="None of their candidates will do: ask for another attempt.")
@click.option(
    "--import",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take what was picked on a gallery's page and saved there.",
)
@flag("--force", "force", multiple=True, type=ForceType(), metavar="stale", help="Leave out what has changed since.")
@click.option("--note", metavar="TEXT", help="With --reject: why; kept in picks.yaml.")
@click.option("--add", metavar="TEXT", help="With --reject: words that enter the prompt of the next attempt.")
def pick(
    shell: Shell,
    *,
    words: tuple[str, ...],
    rule: str | None,
    again: bool,
    reject: bool,
    file: Path | None,
    force: tuple[str, ...],
    note: str | None,
    add: str | None,
) -> int:
    """Choose candidates of an address by their numbers, let a rule choose, or reject all; written to picks.yaml."""
    _refuse_mixed(rule=rule, again=again, reject=reject, note=note, add=add)
    if file is not None:
        if words or rule is not None or reject:
            raise UsageError("one way to pick at a time", "--import FILE names the addresses itself.")
        return take(shell, file, leave_stale="stale" in force)
    if not words:
        raise UsageError(
            "nothing is picked",
            "Name an address and the numbers of its candidates, or a file that a gallery's page has saved.",
            hints=("imagebatch pick hero 2", "imagebatch pick --import picks.json"),
        )
    project = open_project(shell)
    if reject:
        return _reject(shell, project, words, note=note or "", add=add)
    if rule is not None:
        return _auto(shell, project, words, rule=rule, again=again)
    from imagebatch.pipeline.deciding import choose

    address, numbers = words[0], _numbers(words[1:])
    picks, offered = choose(project, address, numbers)
    save(shell, project, picks)
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
    save(shell, project, picks)
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
    save(shell, project, picks)
    warn_guarded(shell, guarded)
    lines = [f"Rejected the candidates of {counted(len(addresses), 'picture')}:", *named(addresses)]
    shell.screen.lines([*lines, "Next: imagebatch apply draws them again, which costs money (imagebatch plan tells)."])
    return EXIT_OK


def _auto(shell: Shell, project: "Project", selectors: tuple[str, ...], *, rule: str, again: bool) -> int:
    from imagebatch.pipeline.choosing import choose_by_rule

    picks, chosen, lacking = choose_by_rule(project, selectors, rule, again=again)
    if chosen:
        save(shell, project, picks)
        lines = [f"Picked by {rule} for {counted(len(chosen), 'picture')}:"]
        named = [f"  {shown(address)}: {number}" for address, number in chosen.items()]
        more = [f"  … and {len(named) - 20} more"] if len(named) > 20 else []
        shell.screen.lines([*lines, *named[:20], *more, "Next: imagebatch apply"])
    elif not lacking:
        shell.screen.say("Nothing to choose: all of these have a pick already (--again chooses anew).")
    if lacking:
        shell.screen.say(
            f"left out: {counted(len(lacking), 'picture')} whose candidates are not all here, such as "
            f"{shown(lacking[0])} (`pick: review` in its manifest fetches all, then: imagebatch apply)"
        )
    return EXIT_OK
