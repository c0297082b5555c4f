"""`providers list|check|params|trust`: who draws, with which abilities, and where keys may go."""

import re
from typing import TYPE_CHECKING

import click

from imagebatch.cli.opening import open_project
from imagebatch.cli.options import FlagGroup, Shell, command, naming
from imagebatch.cli.views.foreign import json_text, shown, without_absent
from imagebatch.cli.views.wording import counted
from imagebatch.errors import EXIT_ERROR, EXIT_OK, UsageError

if TYPE_CHECKING:
    from imagebatch.pipeline.accounts import Checked, ProviderFacts

_FORMAT = {"format": "imagebatch-providers", "format_version": "1.0"}
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")


@click.group("providers", cls=FlagGroup)
def providers() -> None:
    """List providers, check their keys, show their params, trust a host."""


@command("list", json=True)
def list_(shell: Shell) -> int:
    """List the project's providers and the built-in ones; keys are never shown."""
    from imagebatch.pipeline.accounts import list_providers

    project = open_project(shell)
    paint = shell.screen.out_paint
    for one in list_providers(project):
        if shell.json:
            shell.screen.json_line(json_text(_object(one)))
            continue
        key = "key set" if one.has_key else "no key"
        key_text = f"{key} ({one.key_variable})" if one.key_variable else "needs no key"
        simulated = paint("  simulated", "magenta") if one.simulated else ""
        used = f", used by {counted(one.used, 'variant')}" if one.used else ""
        shell.screen.lines(
            [
                f"{paint(shown(one.alias), 'bold')}  {one.type}{simulated}",
                f"  {shown(one.base)}; {key_text}{used}",
                f"  {_abilities(one)}",
            ]
        )
    return EXIT_OK


@command("check", json=True)
@click.argument("aliases", nargs=-1, metavar="[ALIAS]...")
def check(shell: Shell, *, aliases: tuple[str, ...]) -> int:
    """Ask providers whether their keys work, and what the account has left. Costs nothing."""
    from imagebatch.pipeline.accounts import check_providers

    project = open_project(shell)
    unknown = sorted(set(aliases) - set(project.targets))
    if unknown:
        known = ", ".join(sorted(project.targets))
        raise UsageError("no such provider", f"{', '.join(unknown)} is not among: {known}.", code="usage.provider")
    found = check_providers(project, aliases)
    for one in found:
        if shell.json:
            shell.screen.json_line(json_text(_checked_object(one)))
        else:
            shell.screen.lines(_checked_lines(shell, one))
    return EXIT_ERROR if any(one.trouble for one in found) else EXIT_OK


@command("params", json=True)
@naming
def params(shell: Shell, *, selectors: tuple[str, ...], exclude: tuple[str, ...]) -> int:
    """Show what becomes of each param on its way to the provider: sent, mapped or dropped. SEL may be an alias."""
    from imagebatch.pipeline.inspecting import render_variants

    project = open_project(shell)
    assets = {draft.policy.asset for draft in project.loaded.drafts}
    selectors = tuple(f"provider:{one}" if one in project.targets and one not in assets else one for one in selectors)
    paint = shell.screen.out_paint
    for one in render_variants(project, selectors, exclude=exclude):
        notes = [without_absent({"name": note.name, "fate": note.fate, "why": note.why}) for note in one.params]
        if shell.json:
            shell.screen.json_line(json_text({"address": one.variant.address, "params": notes, **_FORMAT}))
            continue
        head = f"{paint(shown(one.variant.address), 'bold')}  {shown(one.variant.provider)} ({one.variant.type})"
        rows = [
            f"  {shown(note.name):<20} {note.fate}{f' ({shown(note.why)})' if note.why else ''}" for note in one.params
        ]
        shell.screen.lines([head, *(rows or ["  no params"])])
    return EXIT_OK


@command("trust")
@click.argument("host")
@click.option("--key", "key", metavar="NAME", help="Let this environment variable's value go there, too.")
def trust(shell: Shell, *, host: str, key: str | None) -> int:
    """Allow keys to be sent to HOST[:PORT]; kept in your own configuration folder, never in the project."""
    from imagebatch.http.trustfile import add_trust

    if key is not None and not _VARIABLE.fullmatch(key):
        raise UsageError(
            "--key takes the name of an environment variable",
            "What was given is no such name. If it was the key itself: it stands in your shell's history now.",
            hints=("imagebatch providers trust HOST --key MY_HUB_API_KEY",),
            code="secret.argv",
        )
    path = add_trust(shell.environ, host, key)
    also = f", and {key} may go there" if key else ""
    shell.screen.lines([f"Trusted {shown(host)}{also}; remembered in {path}."])
    return EXIT_OK


for one in (list_, check, params, trust):
    providers.add_command(one)


def _abilities(one: "ProviderFacts") -> str:
    told = one.capabilities
    words = [f"answers {told.answers}"]
    can = (("list", told.can_list), ("update", told.can_update), ("retry", told.can_retry), ("delete", told.can_delete))
    words += [name for name, able in can if able]
    if told.can_buy:
        words.append("buy " + "/".join(one for one in told.resolutions if one != "preview"))
    return ", ".join(words)


def _object(one: "ProviderFacts") -> dict[str, object]:
    told = one.capabilities
    return {
        "alias": one.alias,
        "type": one.type,
        "simulated": one.simulated,
        "has_key": one.has_key,
        **without_absent({"base": one.base, "key_variable": one.key_variable}),
        "declared": one.declared,
        "used": one.used,
        "answers": told.answers,
        "can": [
            name
            for name in ("list", "update", "retry", "delete", "buy", "check")
            if getattr(told, f"can_{name}", False)
        ],
        **_FORMAT,
    }


def _checked_object(one: "Checked") -> dict[str, object]:
    return {
        "alias": one.alias,
        "ok": not one.trouble,
        "checked": one.checked,
        **without_absent({"account": one.account, "balances": dict(one.balances), "trouble": one.trouble}),
        **_FORMAT,
    }


def _checked_lines(shell: Shell, one: "Checked") -> list[str]:
    paint = shell.screen.out_paint
    if one.trouble:
        return [f"{paint('x', 'red')} {shown(one.alias)}: {shown(one.trouble)}"]
    if not one.checked:
        return [f"{paint('?', 'yellow')} {shown(one.alias)}: this type cannot be asked; the key is set"]
    account = f" as {shown(one.account)}" if one.account else ""
    left = [
        f"{shown(name)} {shown(amount) if amount is not None else 'unlimited'}" for name, amount in one.balances.items()
    ]
    return [f"{paint('ok', 'green')} {shown(one.alias)}{account}" + (f": {', '.join(left)}" if left else "")]
