"""Shell scripts as pages show them: read by the shell, and every `imagebatch` in them by the program's own parser."""

import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence

import click

from imagebatch.cli.main import build

_SEPARATORS = {
    "&&",
    "||",
    ";",
    "|",
    "&",
    "(",
    ")",
    "{",
    "}",
    ";;",
    "!",
    "then",
    "do",
    "if",
    "else",
    "fi",
    "case",
    "esac",
}
_ASSIGNED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
_EXPRESSION = re.compile(r"\$\{\{.*?\}\}")


def check_script(script: str, place: str) -> None:
    """Fail where the shell or the program would not take a script."""
    plain = _EXPRESSION.sub("x", script)
    read = subprocess.run(["sh", "-n"], input=plain, text=True, capture_output=True, timeout=20, check=False)
    assert read.returncode == 0, f"{place}: the shell does not read this: {read.stderr}"
    for words in simple_commands(plain):
        if words[0].rpartition("/")[2] == "imagebatch":
            check_arguments(words[1:], place)


def simple_commands(script: str) -> Iterator[list[str]]:
    """The words of each simple command, assignments before it left out."""
    lexer = shlex.shlex(script.replace("\\\n", " ").replace("\n", " ; "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    comment = False
    for token in [*lexer, ";"]:
        if token.startswith("#"):
            comment = True
        if token in _SEPARATORS or set(token) <= set(";|&()<>"):
            if words:
                yield words
            words = []
            comment = comment and token != ";"
        elif not comment and (words or not _ASSIGNED.fullmatch(token)):
            words.append(token)


def check_arguments(arguments: Sequence[str], place: str) -> None:
    """Fail where the program would call a command line a usage error."""
    command: click.Command = build()
    context = click.Context(command, info_name="imagebatch")
    rest = list(arguments)
    try:
        while isinstance(command, click.Group):
            _, rest, _ = command.make_parser(context).parse_args(rest)
            if not rest:
                return  # flags only: --version, --help
            name, found, rest = command.resolve_command(context, rest)
            assert found is not None, f"{place}: there is no command {name}"
            if not isinstance(found, click.Group):
                found.make_context(name, rest, parent=context)
                return
            command, context = found, click.Context(found, info_name=name, parent=context)
    except click.exceptions.Exit:
        return  # --help
    except click.ClickException as error:
        raise AssertionError(f"{place}: imagebatch {' '.join(arguments)}: {error.format_message()}") from error
