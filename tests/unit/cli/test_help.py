"""What `--help` shows fits the usual terminal and leaves nothing out."""

from collections.abc import Iterator

import click

from imagebatch.cli.main import build

COLUMNS = 80


def _helps() -> Iterator[tuple[str, str]]:
    def below(command: click.Command, ctx: click.Context) -> Iterator[tuple[str, str]]:
        yield ctx.command_path, command.get_help(ctx)
        if not isinstance(command, click.Group):
            return
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            assert inner is not None
            yield from below(inner, click.Context(inner, info_name=name, parent=ctx))

    root = build()
    yield from below(root, click.Context(root, info_name="imagebatch", terminal_width=COLUMNS))


def test_no_line_of_any_help_is_wider_than_a_terminal() -> None:
    wide = [(path, line) for path, text in _helps() for line in text.splitlines() if len(line) > COLUMNS]
    assert wide == []


def test_no_command_is_described_by_half_a_sentence() -> None:
    cut = [(path, line) for path, text in _helps() for line in text.splitlines() if line.endswith("...")]
    assert [line for line in cut if "[OPTIONS]" not in line[1]] == []
