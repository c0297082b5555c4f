"""The program: one entry function, the list of commands, and the way every error leaves.

click's own exit code for a usage error is 2, which here means *changes present*; so click runs without its standalone
mode, commands give their exit code as a value, and `run` maps everything else (CONTRACT section 4).
"""

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from imagebatch.cli.options import CAME_TO, STREAMING, FlagGroup, Shell, first_sentence, open_shell
from imagebatch.cli.streams import fill_closed, lost_output, with_closed
from imagebatch.errors import (
    EXIT_ERROR,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_REFUSED,
    ImagebatchError,
    UsageError,
    unnameable,
)

# The commands in the order in which they are shown, each with its module in `cli.commands`.
SECTIONS: dict[str, dict[str, str]] = {
    "Start": {"init": "project", "validate": "planning", "render": "looking", "explain": "looking"},
    "Plan and apply": {
        "plan": "planning", "apply": "applying", "wait": "applying", "retry": "applying", "refresh": "applying",
        "destroy": "applying", "run": "oneshot",
    },
    "Decide": {
        "pick": "picking", "use": "picking", "redraw": "deciding", "accept": "deciding", "restore": "deciding",
        "resolve": "resolving",
        "protect": "keeping", "unprotect": "keeping", "gc": "collecting",
    },
    "Look": {
        "status": "looking", "gallery": "gallery", "review": "review", "verify": "looking", "history": "looking",
        "report": "reporting", "export": "exporting", "doctor": "doctor",
    },
    "Set up": {
        "providers": "providers", "lock": "locks", "schema": "project", "simulate": "project", "completion": "project",
    },
}  # fmt: skip
COMMANDS: dict[str, str] = {name: module for section in SECTIONS.values() for name, module in section.items()}
COMPLETE_VARIABLE = "_IMAGEBATCH_COMPLETE"
GITHUB = frozenset({"GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"})
COLLECT_AFTER = 50_000  # objects; at Python's 700 the collector runs a hundred times while modules are imported

_ENVIRONMENT = (
    "Every flag is also an environment variable: --max-cost is IMAGEBATCH_MAX_COST. Exit codes: 0 done, 1 error, 2 "
    "changes present (only where asked for), 3 some variants failed, 4 refused, 5 picks wanted, 64 usage, 75 still "
    "being drawn."
)
_SECRET_FLAGS = ("--api-key", "--api_key", "--apikey", "--secret", "--password", "--token", "--auth-token")


class LazyGroup(FlagGroup):
    """A group whose commands are imported when they are used."""

    def __init__(self, *args: Any, table: dict[str, str], **settings: Any) -> None:  # noqa: ANN401  # click's own settings
        super().__init__(*args, **settings)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in self.table:
            return None
        found = getattr(import_module(f"imagebatch.cli.commands.{self.table[cmd_name]}"), cmd_name)
        return found if isinstance(found, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by section, each with the first sentence of its help."""
        for section, names in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(name, first_sentence(self.get_command(ctx, name))) for name in names])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and offer the nearest name where there is none."""
        name = args[0] if args else ""
        if name and name not in self.table and not name.startswith("-"):
            import difflib

            near = difflib.get_close_matches(name, self.table, n=1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"No such command {name!r}.{meant}", ctx)
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001  # click calls it so
    if value and not ctx.resilient_parsing:
        from imagebatch import __version__

        click.echo(f"imagebatch {__version__}")
        ctx.exit()


def build() -> LazyGroup:
    """The whole command line."""
    return LazyGroup(
        "imagebatch",
        table=COMMANDS,
        help="Images as code: manifests in, pictures and a lock file out, and no picture is paid twice.",
        epilog=_ENVIRONMENT,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        params=[
            click.Option(
                ["--version"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_version,
                help="Show the version.",
            ),
        ],
    )


def run() -> None:
    """The console script: run, and leave with the contract's exit code."""
    fill_closed()
    instruction = os.environ.get(COMPLETE_VARIABLE)
    if instruction:
        from click.shell_completion import add_completion_class, shell_complete

        from imagebatch.cli.bash import Bash

        add_completion_class(Bash, "bash")
        sys.exit(shell_complete(build(), {}, "imagebatch", COMPLETE_VARIABLE, instruction))
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    code = with_closed(main(sys.argv[1:]))
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)


def main(arguments: Sequence[str]) -> int:
    """Run one command line; give the exit code. Never raises but for a second interrupt."""
    group = build()
    ctx: click.Context | None = None
    try:
        _refuse_secrets(arguments)
        ctx = group.make_context("imagebatch", list(arguments))
        with ctx:
            result = group.invoke(ctx)
        return _told(ctx, ctx.obj, _with_losses(ctx.obj, result if isinstance(result, int) else EXIT_OK))
    except click.exceptions.Exit as error:
        return error.exit_code
    except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001  # the last line of defence: no traceback reaches a user
        known = ctx.obj if ctx is not None and isinstance(ctx.obj, Shell) else None
        shell = known or _guessed_shell(arguments)
        try:
            code = _leave(error, shell)
        except (ImportError, OSError) as other:  # this machine gives nothing any more, not even our own words
            shell.screen.error(f"error: {type(error).__name__}, and it cannot be shown: {other}")
            return EXIT_ERROR
        if ctx is not None and ctx.meta.get(STREAMING) and not isinstance(error, BrokenPipeError):
            from imagebatch.cli.views.events_json import summary_line

            shell.screen.json_line(summary_line(ctx.meta.get(CAME_TO), code))
        return _told(ctx, shell, code, error)


def _told(ctx: click.Context | None, shell: object, code: int, error: BaseException | None = None) -> int:
    """Tell the CI how a command ended that plans or applies; gives the exit code."""
    if ctx is not None and isinstance(shell, Shell) and GITHUB & shell.environ.keys():
        from imagebatch.cli.github import tell_end

        tell_end(shell.environ, shell.screen, ctx.meta, code, error)
    return code


def _leave(error: BaseException, shell: Shell) -> int:
    """Show how a command ended that did not come to its own end; give the exit code."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]  # tasks that ran side by side: the first fault tells more than their number
    if isinstance(error, KeyboardInterrupt):
        shell.screen.error("interrupted; everything learnt so far is saved")
        return EXIT_INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return EXIT_OK
    if isinstance(error, click.Abort) and isinstance(error.__context__, KeyboardInterrupt):
        shell.screen.error("interrupted at the question; nothing was sent")
        return EXIT_INTERRUPTED
    if isinstance(error, (click.Abort, EOFError)):
        shell.screen.error("not applied: the question was not answered")
        return EXIT_REFUSED
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        shell.screen.error(error.format_message())
        return UsageError.exit_code
    if isinstance(error, click.ClickException):
        return _show(_usage(error), shell)
    code = _show(error if isinstance(error, ImagebatchError) else _unforeseen(error), shell)
    if shell.verbose > 1:
        _traceback(error, shell)
    return code


def _refuse_secrets(arguments: Sequence[str]) -> None:
    for argument in arguments:
        if argument == "--":
            return
        if argument.partition("=")[0].lower() in _SECRET_FLAGS:
            raise UsageError(
                "keys are not accepted on the command line",
                "Every process of this machine can read command lines (ps), and shells keep them. Take the key back if "
                "it was a real one.",
                hints=("export ALL_IMAGES_API_KEY=… and name it in imagebatch.yaml: api_key: ${ALL_IMAGES_API_KEY}",),
                code="secret.argv",
            )


def _with_losses(shell: object, code: int) -> int:
    """A command that could not print what it was asked for did not succeed."""
    if isinstance(shell, Shell) and shell.screen.lost is not None and code == EXIT_OK:
        shell.screen.error(lost_output(str(shell.screen.lost.strerror), code))
        return EXIT_ERROR
    return code


def _guessed_shell(arguments: Sequence[str]) -> Shell:
    """A shell for messages where the command line was not understood."""
    words = [*arguments]
    color = next((word.partition("=")[2] for word in words if word.startswith("--color=")), "auto")
    return open_shell(
        {
            "json": "--json" in words or os.environ.get("IMAGEBATCH_JSON", "").lower() in {"1", "true", "yes", "on"},
            "color": color if color in {"always", "never"} else "auto",
            "verbose": 2 if "-vv" in words or words.count("-v") > 1 else 0,
        }
    )


def _show(error: ImagebatchError, shell: Shell) -> int:
    from imagebatch.cli.views.problems import diagnostic, error_lines, sorted_problems

    if shell.json:
        for problem in sorted_problems(error.problems):
            shell.screen.json_line(diagnostic(problem, shell.screen.from_here))
    for line in error_lines(error, shell.screen.err_paint):
        shell.screen.error(line)
    return error.exit_code


def _usage(error: click.ClickException) -> UsageError:
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context is not None else "imagebatch"
    # click lays choices out with tabs and line ends; a message is one sentence.
    message = " ".join(error.format_message().replace("a valid integer range", "a whole number").split())
    return UsageError("the command line cannot be understood", message, hints=(f"{path} --help",))


def _unforeseen(error: BaseException) -> ImagebatchError:
    """What nobody had better words for."""
    from imagebatch.cli.views.foreign import shown
    from imagebatch.effects.files import foreign_encoding

    encoding = foreign_encoding()
    if encoding is not None and isinstance(error, UnicodeEncodeError):  # a name that was met before any output's
        return unnameable(shown(repr(error.object), 200), encoding)
    return _refused_by_system(error) if isinstance(error, OSError) and error.errno else _internal(error)


def _internal(error: BaseException) -> ImagebatchError:
    from imagebatch import __version__
    from imagebatch.cli.views.foreign import shown

    return ImagebatchError(
        "internal error",
        f"imagebatch {__version__} met something it did not expect: {type(error).__name__} at {_place(error)}: "
        f"{shown(str(error), 200)}. What was learnt before it is saved.",
        hints=("report it with the lines above, your command, and the output of the same command with -vv",),
        code="internal",
    )


def _refused_by_system(error: OSError) -> ImagebatchError:
    """What the machine could not do, where nobody had better words for it."""
    from imagebatch.cli.views.foreign import shown

    what = f" ({shown(str(error.filename), 200)})" if error.filename is not None else ""
    return ImagebatchError(
        "the system refused",
        f"{error.strerror or type(error).__name__}{what}, at {_place(error)}. What was learnt before it is saved.",
        hints=(
            "see to it that this machine has room, rights and open files left (ulimit -n), then run the same command",
        ),
        code="system.error",
    )


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    place = "?"
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__", "?")
        if name.startswith("imagebatch"):
            place = f"{name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _traceback(error: BaseException, shell: Shell) -> None:
    import traceback

    from imagebatch.cli.views.foreign import shown

    for chunk in traceback.format_exception(error):
        for line in chunk.rstrip("\n").splitlines():
            shell.screen.error(shown(line, 2000))
