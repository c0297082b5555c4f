"""`run "PROMPT"`: one picture, no manifest."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagebatch.cli.commands.applying import carry_out, run_options, tell_version
from imagebatch.cli.opening import open_project, open_setup
from imagebatch.cli.options import Shell, braking, command, running
from imagebatch.cli.planned import plan_request
from imagebatch.cli.views.foreign import shown
from imagebatch.effects import seams
from imagebatch.effects.files import exists, read_bytes, remove
from imagebatch.errors import EXIT_OK, ManifestError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from imagebatch.pipeline.oneshot import OneShot

EXTENSIONS = ("png", "jpg", "jpeg", "webp", "avif")


@command("run", json=True)
@click.argument("prompt")
@click.option("--provider", metavar="ALIAS", help="Who draws; by default the project's own.")
@click.option("--param", "params", multiple=True, metavar="K=V", help="A param of the provider; several are allowed.")
@click.option(
    "-o", "--output", "output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Where to."
)
@click.option("--save", "asset", metavar="ASSET", help="Keep it as an asset of this project.")
@braking
@running
def run(
    shell: Shell,
    *,
    prompt: str,
    provider: str | None,
    params: tuple[str, ...],
    output: Path | None,
    asset: str | None,
    **flags: Any,  # noqa: ANN401  # the shared flags
) -> int:
    """Draw one picture without a manifest. Asking twice for the same draws once."""
    from imagebatch.pipeline import oneshot

    tell_version(shell)
    _check_prompt(prompt)
    shot = oneshot.OneShot(
        prompt=prompt, provider=provider, params=oneshot.parse_params(params), ext=_extension(output)
    )
    if asset is not None:
        return _saved(shell, shot, asset, output, **flags)
    overwrite = "overwrite" in flags["force"]
    if output is not None:
        oneshot.check_free(output, overwrite=overwrite)
    root = oneshot.prepare(Path(seams.disk.realpath(shell.directory)), shot, shell.environ)
    shell.screen.directory = _seen_from_here(root)  # the commands that are named from here on are about that project
    code, made = _drawn(shell, root, shot, shot.asset, oneshot.MANIFEST, **flags)
    if made is None:
        return code
    target = output if output is not None else Path(f"{shot.asset}{made.suffix}")
    if output is None and exists(target) and read_bytes(target) == read_bytes(made):
        overwrite = True
    oneshot.copy_out(made, target, overwrite=overwrite)
    if not shell.json:
        shell.screen.lines([f"Wrote {shown(str(target))}."])
    return code


def _drawn(
    shell: Shell,
    root: Path,
    shot: "OneShot",
    asset: str,
    manifest: str,
    *,
    not_approved: "Callable[[], None]" = lambda: None,
    **flags: Any,  # noqa: ANN401  # the shared flags
) -> tuple[int, Path | None]:
    from imagebatch.pipeline.oneshot import about_options, made_file

    options, wishes = run_options(**flags)
    inner = replace(shell, directory=root)
    wishes["select"] = (asset,)
    try:
        try:
            project = open_project(inner)
        except BaseException:
            not_approved()
            raise
        yes = bool(flags["yes"])
        code = carry_out(inner, project, plan_request(**wishes), options, yes=yes, not_approved=not_approved)
    except ManifestError as error:
        raise about_options(error, manifest, shot) from None
    return code, made_file(project.home, asset) if code == EXIT_OK else None


def _saved(shell: Shell, shot: "OneShot", asset: str, output: Path | None, **flags: Any) -> int:  # noqa: ANN401  # the shared flags
    from imagebatch.pipeline.oneshot import save_asset

    if output is not None:
        raise UsageError("--save and -o exclude each other", "A saved asset has its output in the project.")
    setup = open_setup(shell)
    project = open_project(shell, setup=setup)
    known = frozenset(draft.policy.asset for draft in project.loaded.drafts)
    path = save_asset(setup.root, asset, shot, known)
    shell.screen.say(f"wrote manifests/{path.name}")

    def take_back() -> None:
        remove(path)
        shell.screen.say(f"took manifests/{path.name} away again")

    manifest = f"manifests/{path.name}"
    code, made = _drawn(shell, setup.root, shot, asset, manifest, not_approved=take_back, **flags)
    if made is not None and not shell.json:
        shell.screen.lines([f"Wrote {shown(str(made))}."])
    return code


def _seen_from_here(root: Path) -> str:
    here = Path.cwd()
    return str(root.relative_to(here) if root.is_relative_to(here) else root)


def _check_prompt(prompt: str) -> None:
    from imagebatch.cli.main import COMMANDS

    word = prompt.strip()
    if not word:
        raise UsageError("the prompt is empty", "There is nothing to draw.")
    if word in COMMANDS:
        raise UsageError(
            "that is a command, not a prompt",
            f"A picture of the word {word!r} is hardly meant.",
            hints=(f"imagebatch {word}", f"or say more: imagebatch run 'the word {word}'"),
        )


def _extension(output: Path | None) -> str | None:
    if output is None:
        return None
    ext = output.suffix.removeprefix(".").lower()
    if ext not in EXTENSIONS:
        raise UsageError("no picture format", f"-o has to end in one of {', '.join(EXTENSIONS)}.")
    return ext
