"""Flags with one meaning in every command, each also an environment variable `IMAGEBATCH_<FLAG>`.

They stand before or after the command's name; what a command has no use for is refused, in either place. A flag on the
command line wins over the environment. Imports click and the standard library only: `--help` and completion are quick.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from imagebatch.cli.screen import ColorChoice, Screen, is_terminal

if TYPE_CHECKING:
    from pathlib import Path

    from imagebatch.model.money import Money

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

STREAMING = "imagebatch.streaming"  # in a context's `meta`: a stream of JSON was begun, and has to be ended
CAME_TO = "imagebatch.came_to"  # there, too: what a run came to, for its last line must tell it however it ends

FORCES = (
    "deletes", "redraws", "cost", "unknown-price", "stale", "edited", "overwrite", "missing", "blocked", "new-lock",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """What every command gets: its common flags, the environment, and the screen."""

    screen: Screen
    environ: Mapping[str, str]
    directory: "Path"
    json: bool = False
    verbose: int = 0
    no_progress: bool = False
    no_input: bool = False
    simulate: bool = False

    @property
    def interactive(self) -> bool:
        """Whether a person can be asked."""
        import sys

        return not self.no_input and is_terminal(sys.stdin) and is_terminal(self.screen.err)


class MoneyType(click.ParamType["Money"]):
    """`3 USD`, `0.50 EUR`, `20 credit`; in the environment several are separated by commas."""

    name = "amount currency"
    envvar_list_splitter = ","

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> "Money":
        """Read one amount."""
        from imagebatch.model.money import Money, parse_money

        if isinstance(value, Money):
            return value
        try:
            return parse_money(str(value))
        except ValueError as error:
            self.fail(f"{error} (for example --max-cost '3 USD')", param, ctx)


class DurationType(click.ParamType[float]):
    """Seconds: `90`, `90s`, `5m`, `2h`, `30d`."""

    name = "seconds"
    _form = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(s|m|h|d)?")

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read a duration."""
        if isinstance(value, (int, float)):
            return float(value)
        match = self._form.fullmatch(str(value).strip())
        if match is None:
            self.fail(f"{value!r} is no duration; write seconds, or 90s, 5m, 2h, 30d", param, ctx)
        return float(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[match[2] or "s"]


class WordsType(click.ParamType[str]):
    """A text that is taken whole; in the environment, too, where blanks belong to the selector language."""

    name = "selector"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Take the text."""
        return str(value)

    def split_envvar_value(self, rv: str) -> list[str]:
        """The variable is one selector."""
        return [rv] if rv.strip() else []


class ForceType(click.Choice[str]):
    """The name of a brake; in the environment several are separated by commas or blanks."""

    def __init__(self) -> None:
        super().__init__(FORCES)

    def split_envvar_value(self, rv: str) -> list[str]:
        """Names in a variable."""
        return rv.replace(",", " ").split()


MONEY = MoneyType()
DURATION = DurationType()
SELECTOR = WordsType()


def variable(flag: str) -> str:
    """The environment variable of a flag: `--max-cost` is `IMAGEBATCH_MAX_COST`."""
    return "IMAGEBATCH_" + flag.lstrip("-").replace("-", "_").upper()


def flag(*names: str, env: str | None = None, **settings: Any) -> Callable[[Decorated], Decorated]:  # noqa: ANN401  # click's own settings
    """`click.option` with the environment variable of its longest name."""
    longest = max((name for name in names if name.startswith("--")), key=len).partition("/")[0]
    return click.option(*names, envvar=env or variable(longest), show_envvar=False, **settings)


def common_options(*, environment: bool) -> list[click.Option]:
    """The flags that every command has."""

    def option(*names: str, **settings: Any) -> click.Option:  # noqa: ANN401  # click's own settings
        longest = max((name for name in names if name.startswith("--")), key=len)
        return click.Option(list(names), envvar=variable(longest) if environment else None, **settings)

    return [
        option("--json", "json", is_flag=True, help="Output for programs."),
        option("-C", "--directory", "directory", metavar="DIR", help="Start from DIR instead of here."),
        option(
            "--color", "color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True,
            help="Colours (NO_COLOR and FORCE_COLOR are heeded).",
        ),
        option("-q", "--quiet", "quiet", is_flag=True, help="Only data and errors."),
        option("-v", "--verbose", "verbose", count=True, help="More detail; -vv shows tracebacks."),
        option("--no-progress", "no_progress", is_flag=True, help="No progress bar, no progress lines."),
        option("--no-input", "no_input", is_flag=True, help="Never ask; a question counts as a no."),
        option("--simulate", "simulate", is_flag=True, help="Draw with the simulator, state and outputs apart."),
    ]  # fmt: skip


def shared_options() -> list[click.Option]:
    """The flags that many commands have, as they stand before a command's name: without a default, not in the help."""

    def every() -> None: ...

    for decorate in (saving, running, braking, selecting):
        every = decorate(every)
    found: list[click.Option] = []
    for option in reversed(every.__click_params__):  # type: ignore[attr-defined]  # where click's decorators leave them
        option.envvar, option.default, option.hidden = None, None, True
        found.append(option)
    return found


COMMON = ("json", "directory", "color", "quiet", "verbose", "no_progress", "no_input", "simulate")


def common_values(ctx: click.Context) -> dict[str, Any]:
    """The common flags of a command: from its own command line, else the group's, else the environment."""
    found: dict[str, Any] = {}
    for name in COMMON:
        given = next((level for level in _levels(ctx) if _is_given(level, name)), ctx)
        found[name] = given.params.get(name)
    return found


def own_values(ctx: click.Context) -> dict[str, Any]:
    """The other flags and arguments of a command; those before its name count like those behind it.

    Raises click.UsageError for a flag before the name that the command has no use for.
    """
    found = {name: value for name, value in ctx.params.items() if name not in COMMON}
    for level in list(_levels(ctx))[1:]:
        for param in level.command.params:
            name = param.name or ""
            if name in COMMON or not _is_given(level, name):
                continue
            if name not in ctx.params:
                raise click.UsageError(f"{param.opts[-1]} has no meaning for {ctx.command_path}.", ctx)
            if isinstance(param, click.Option) and param.multiple and _is_given(ctx, name):
                found[name] = (*level.params[name], *found[name])
            elif not _is_given(ctx, name):
                found[name] = level.params[name]
    return found


def _levels(ctx: click.Context) -> Iterator[click.Context]:
    """A command's context and those of the groups around it, the nearest first."""
    at: click.Context | None = ctx
    while at is not None:
        yield at
        at = at.parent


def _is_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def open_shell(values: Mapping[str, Any]) -> Shell:
    """The shell for one command's common flags."""
    from pathlib import Path

    color: ColorChoice = values.get("color") or "auto"
    quiet = bool(values.get("quiet"))
    moved = bool(values.get("directory")) and Path(values["directory"]) != Path()
    return Shell(
        screen=Screen.open(
            color=color, quiet=quiet, environ=os.environ, directory=str(values["directory"]) if moved else None
        ),
        environ=dict(os.environ),
        directory=Path(values.get("directory") or "."),
        json=bool(values.get("json")),
        verbose=int(values.get("verbose") or 0),
        no_progress=bool(values.get("no_progress")),
        no_input=bool(values.get("no_input")),
        simulate=bool(values.get("simulate")),
    )


class _Placed(click.Command):
    """A command whose usage errors know where they belong: click's parser leaves that out for an option alone."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line; what cannot be understood is this command's."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise


class ShellCommand(_Placed):
    """A command whose callback takes a `Shell` first and gives the exit code.

    `takes_json` tells that it prints JSON itself; of another one's lines one object is made. `named` is None where
    selectors may be left out, else the flags that stand for them.
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401  # click's own settings
        takes_json: bool = False,
        named: tuple[str, ...] | None = None,
        **settings: Any,  # noqa: ANN401  # click's own settings
    ) -> None:
        super().__init__(*args, **settings)
        self.takes_json = takes_json
        self.named = named
        self.params += common_options(environment=True)

    def invoke(self, ctx: click.Context) -> int:
        """Open the shell and run the callback."""
        shell = open_shell(common_values(ctx))
        ctx.find_root().obj = shell
        own = self._with_selectors(ctx, own_values(ctx))
        if self.callback is None:
            raise AssertionError(f"the command {self.name} has no callback")
        with ctx:
            if shell.json and not self.takes_json:
                return self._told_as_json(shell, own)
            return int(self.callback(shell, **own))

    def _with_selectors(self, ctx: click.Context, own: dict[str, Any]) -> dict[str, Any]:
        """Selectors behind the name and `--select` are one thing; the variable counts where neither is given."""
        if "selectors" not in own or "select" not in own:
            return own
        selected = own.pop("select")
        given = any(_is_given(level, "select") for level in _levels(ctx))
        named = (*own["selectors"], *(selected if given else ()))
        if self.named is not None and not named and not any(own[flag] for flag in self.named):
            ways = "".join(f", or say --{'all' if flag == 'everything' else flag}" for flag in self.named)
            raise click.UsageError(f"nothing is named: give selectors (SEL){ways}.", ctx)
        return {**own, "selectors": named or selected}

    def _told_as_json(self, shell: Shell, own: dict[str, Any]) -> int:
        """Run a command that knows only lines for people, and put those into one object."""
        import io

        text = io.StringIO()
        if self.callback is None:
            raise AssertionError(f"the command {self.name} has no callback")
        aside = replace(shell.screen, out=text, columns=None, out_paint=replace(shell.screen.out_paint, on=False))
        code = int(self.callback(replace(shell, screen=aside), **own))
        shell.screen.json_line(told_line(self.name or "", code, text.getvalue().rstrip("\n")))
        return code


def told_line(command: str, exit_code: int, text: str) -> str:
    """One object of what a command has to say to people."""
    import json

    fields: dict[str, object] = {"type": "summary", "command": command, "exit_code": exit_code, "text": text}
    fields |= {"format": "imagebatch-command", "format_version": "1.0"}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


class FlagGroup(_Placed, click.Group):
    """A group of commands that takes the flags with one meaning before a command's name."""

    def __init__(self, *args: Any, params: list[click.Parameter] | None = None, **settings: Any) -> None:  # noqa: ANN401  # click's own settings
        shared = [*common_options(environment=False), *shared_options()]
        super().__init__(*args, params=[*shared, *(params or [])], **settings)
        self.callback = None  # a group does nothing itself; its flags are its commands' to read

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands, each with the first sentence of its help; click would cut it off."""
        with formatter.section("Commands"):
            names = self.list_commands(ctx)
            formatter.write_dl([(name, first_sentence(self.get_command(ctx, name))) for name in names])


def first_sentence(command: click.Command | None) -> str:
    """What a command does, in one line."""
    text = " ".join((command.help or "").split("\n\n")[0].split()) if command is not None else ""
    return text.removesuffix(".")


def command(
    name: str,
    *,
    json: bool = False,
    named: tuple[str, ...] | None = None,
    **settings: Any,  # noqa: ANN401  # click's own settings
) -> Callable[[Callable[..., int]], ShellCommand]:
    """Make a command of a function `(shell, …) -> exit code`; its docstring is the help."""

    def decorate(function: Callable[..., int]) -> ShellCommand:
        made = click.command(name, cls=ShellCommand, takes_json=json, named=named, **settings)(function)
        if not isinstance(made, ShellCommand):
            raise AssertionError("click made another class than it was asked for")
        return made

    return decorate


def naming(function: Decorated) -> Decorated:
    """Selectors behind the command's name, with `--select` and `--exclude`; all come as `selectors` and `exclude`."""
    return click.argument("selectors", nargs=-1, metavar="[SEL]...", shell_complete=complete_addresses)(
        selecting(function)
    )


def selecting(function: Decorated) -> Decorated:
    """`--select/-s` and `--exclude`."""
    function = flag("--exclude", "exclude", multiple=True, type=SELECTOR, metavar="SEL", help="Leave these out.")(
        function
    )
    return flag(
        "-s", "--select", "select", multiple=True, type=SELECTOR, metavar="SEL", shell_complete=complete_addresses,
        help="Only these: addresses with * and ?, asset: tag: provider: path: state: @FILE.",
    )(function)  # fmt: skip


def braking(function: Decorated) -> Decorated:
    """`--force NAME`, `--max-cost`, `--max-creates`: what a plan is held against."""
    function = flag(
        "--max-creates", "max_creates", type=click.IntRange(min=0), metavar="N", help="At most N paid draws."
    )(function)
    function = flag(
        "--max-cost", "max_cost", multiple=True, type=MONEY, metavar="'3 USD'", help="At most so much; once a currency."
    )(function)
    # The names stand in the help: as one word they would be wider than a terminal.
    names = f"Lift one brake by its name: {', '.join(FORCES)}."
    return flag("--force", "force", multiple=True, type=ForceType(), metavar="NAME", help=names)(function)


def running(function: Decorated) -> Decorated:
    """How a run goes: `-y`, `-j`, `--in-doubt`, `--timeout`, `--lock-timeout`, `--no-wait`, `--require-picks`."""
    for decorate in (
        flag("--require-picks", "require_picks", is_flag=True, help="Exit 5 where pictures wait for a pick."),
        flag("--no-wait", "no_wait", is_flag=True, help="Send, and leave what is being drawn to `wait` (exit 75)."),
        flag("--timeout", "timeout", type=DURATION, metavar="S", help="Stop after S; 75 if pictures are still drawn."),
        locking,
        flag(
            "--in-doubt", "in_doubt", type=click.Choice(["stop", "skip", "resend"]), default="skip", show_default=True,
            help="What to do where nobody knows whether a draw was paid.",
        ),
        flag("-j", "--jobs", "jobs", type=click.IntRange(1, 1000), metavar="N", help="Generations in flight at once."),
        approving,
    ):  # fmt: skip
        function = decorate(function)
    return function


def saving(function: Decorated) -> Decorated:
    """`--out FILE`."""
    import pathlib

    return flag(
        "--out",
        "out",
        type=click.Path(dir_okay=False, path_type=pathlib.Path),
        metavar="FILE",
        help="Save the plan for apply FILE.",
    )(function)


def approving(function: Decorated) -> Decorated:
    """`-y/--auto-approve`."""
    return flag("-y", "--auto-approve", "yes", is_flag=True, help="Do not ask.")(function)


def locking(function: Decorated) -> Decorated:
    """`--lock-timeout`."""
    return flag(
        "--lock-timeout",
        "lock_timeout",
        type=DURATION,
        default=0.0,
        metavar="S",
        help="Wait S for the project's lease.",
    )(function)


def complete_addresses(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Addresses from the lock, for the shell's Tab: reads lines, parses nothing."""
    from imagebatch.cli.completing import addresses_of_lock

    level: click.Context | None = ctx
    directory = None
    while level is not None and not directory:
        directory = level.params.get("directory")
        level = level.parent
    return addresses_of_lock(str(directory or "."), incomplete)
