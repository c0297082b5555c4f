"""`init`, `schema`, `completion`, `simulate`: what stands around a project."""

import shlex
from pathlib import Path

import click

from imagebatch.cli.opening import relative
from imagebatch.cli.options import Shell, command, flag
from imagebatch.effects import seams
from imagebatch.effects.files import make_folders, write_bytes
from imagebatch.errors import EXIT_ERROR, EXIT_OK, UsageError

SCHEMA_KINDS = ("project", "manifest", "plan", "events", "lock", "picks")
# One line: the screen breaks it to the width of the terminal.
_ADVICE = (
    "Commit these, imagebatch.lock above all: it is the receipt for what you pay. Only .imagebatch/ stays out; "
    "git ignores it. Commit outputs/ where the repository may grow with it; else ignore it, and `apply` fetches the "
    "pictures anew for as long as the provider keeps them."
)


@command("init")
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path), metavar="[FOLDER]")
def init(shell: Shell, *, folder: Path | None) -> int:
    """Write a new project that plans: imagebatch.yaml, a manifest, a template.

    Overwrites nothing.
    """
    from imagebatch.cli.schemas import schema_of
    from imagebatch.pipeline.scaffold import project_around, write_project

    root = Path(seams.disk.realpath(shell.directory / folder if folder is not None else shell.directory))
    written = write_project(root, {kind: schema_of(kind) for kind in ("project", "manifest")})
    paint = shell.screen.out_paint
    shell.screen.lines(f"  {paint('+', 'green')} {path}" for path in written)
    outer = project_around(root)
    if outer is not None:
        shell.screen.say(f"note: this is a project of its own inside the project in {click.format_filename(outer)}")
    place = relative(root, Path.cwd())
    into = "" if place == "." else f"-C {shlex.quote(place)} "
    shell.screen.lines(
        [
            "",
            _ADVICE,
            "",
            f"Next: {paint(f'imagebatch {into}plan', 'bold')}",
        ]
    )
    return EXIT_OK


@command("schema")
@flag("--kind", "kind", type=click.Choice(SCHEMA_KINDS), required=True, help="Which format.")
@click.option("--editor", is_flag=True, help="Also refresh the files in .imagebatch/ that the editor's lines point to.")
def schema(shell: Shell, *, kind: str, editor: bool) -> int:
    """Print the JSON Schema of a file or an output."""
    from imagebatch.cli.schemas import schema_of, schema_text

    shell.screen.data(schema_text(kind))
    if editor:
        from imagebatch.cli.opening import open_setup
        from imagebatch.pipeline.scaffold import schema_files

        root = open_setup(shell).root
        for path, text in schema_files({name: schema_of(name) for name in ("project", "manifest")}).items():
            make_folders((root / path).parent)
            write_bytes(root / path, text.encode())
            shell.screen.say(f"wrote {path}")
    return EXIT_OK


@command("completion")
@click.argument("shell_name", type=click.Choice(["bash", "zsh", "fish"]), metavar="bash|zsh|fish")
def completion(shell: Shell, *, shell_name: str) -> int:
    """Print the completion script of a shell.

    For example, in ~/.bashrc: eval "$(imagebatch completion bash)".
    """
    from click.shell_completion import get_completion_class

    from imagebatch.cli.bash import Bash
    from imagebatch.cli.main import COMPLETE_VARIABLE, build

    found = Bash if shell_name == "bash" else get_completion_class(shell_name)
    if found is None:
        raise UsageError("no such shell", f"There is no completion for {shell_name}.")
    shell.screen.data(found(build(), {}, "imagebatch", COMPLETE_VARIABLE).source())
    return EXIT_OK


@command("simulate")
@flag("--port", "port", type=click.IntRange(0, 65535), default=8910, show_default=True, help="0 takes a free one.")
@flag(
    "--data", "data", type=click.Path(file_okay=False, path_type=Path), default=Path(".imagebatch/simulator"),
    show_default=True, metavar="DIR", help="Folder of its state, ledger and pictures.",
)  # fmt: skip
@flag(
    "--profile", "profile", default="calm", show_default=True, metavar="NAME", help="How it behaves: a name or a file."
)
def simulate(shell: Shell, *, port: int, data: Path, profile: str) -> int:
    """Serve both APIs and the OpenAI one on this machine, until ctrl-C. Any key will do."""
    from imagebatch.simulator.chance import SettingError
    from imagebatch.simulator.server import serve

    folder = data if data.is_absolute() else shell.directory / data

    def ready(bound: int) -> None:
        origin = f"http://127.0.0.1:{bound}"
        faces = (("All-Images.ai", "/all-images/v1"), ("AIGNE Hub", "/aigne-hub"), ("OpenAI Images", "/openai/v1"))
        shell.screen.lines(f"{name:<14} {origin}{path}" for name, path in faces)
        shell.screen.say(f"simulator: profile {profile}, data in {folder}; any key will do; ctrl-C stops it")

    try:
        seams.clock.run(serve(port=port, data_dir=folder, profile=profile, on_ready=ready))
    except SettingError as error:
        raise UsageError("the profile cannot be used", f"{error}.", code="simulate.profile") from None
    except OSError as error:
        shell.screen.error(f"error: the simulator cannot serve: {error.strerror or error}")
        return EXIT_ERROR
    return EXIT_OK
