"""One picture without a manifest: a small project of its own, so that money is as safe as everywhere else.

Its home is `.imagebatch/run` of the project around it, else a folder of the user's. The same prompt with the same
params is the same asset there, so asking twice pays once.
"""

import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from imagebatch.effects.files import copy, exists, make_folders, read_bytes
from imagebatch.errors import ManifestError, OutputError, Problem, RefusedError, StateError, UsageError
from imagebatch.manifest.project import certificate_file, find_root
from imagebatch.manifest.source import PROJECT_FILE
from imagebatch.pipeline.project import RUN_HOME
from imagebatch.state.files import write_atomic
from imagebatch.state.store import StateStore, new_lineage

MANIFEST = "manifests/run.yaml"
MANIFEST_MODE = 0o644
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,15})")
_ASSET_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OneShot:
    """What is asked for: `params` as (name, text) pairs, `ext` the ending of the file that is wanted or None."""

    prompt: str
    provider: str | None
    params: tuple[tuple[str, str], ...]
    ext: str | None = None

    @property
    def asset(self) -> str:
        """A name that is the same for the same request."""
        text = json.dumps([self.prompt, self.provider, sorted(self.params), self.ext])
        return "run-" + hashlib.sha256(text.encode()).hexdigest()[:12]


def parse_params(texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """`k=v` pairs.

    Raises UsageError for anything else, and for a name that stands there twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(
                "not a param", f"{text!r} is not written as name=value.", hints=("--param size=1024x1024",)
            )
        if name.strip() in found:
            raise UsageError("a param is given twice", f"{name.strip()!r} has two values.")
        found[name.strip()] = value
    return tuple(found.items())


def manifest_text(asset: str, shot: OneShot, output: str) -> str:
    """A manifest with this one asset; JSON is YAML, so every text is safe as it stands."""
    lines = [f"  {_text(asset)}:", f"    prompt: {_text(_literal(shot.prompt))}"]
    if shot.provider is not None:
        lines.append(f"    provider: {_text(shot.provider)}")
    if shot.params:
        lines.append("    params:")
        lines += [f"      {_text(name)}: {_scalar(value)}" for name, value in shot.params]
    lines.append(f"    output: {_text(output)}")
    return "assets:\n" + "\n".join(lines) + "\n"


def about_options(error: ManifestError, path: str, shot: OneShot) -> ManifestError:
    """What is wrong with the manifest that was written for a picture, told of what stood on the command line.

    `path` is that manifest: nobody wrote it by hand, and it may be gone already.
    """
    return ManifestError(_about_option(one, shot) if one.path == path else one for one in error.problems)


def _about_option(problem: Problem, shot: OneShot) -> Problem:
    """Lines as in `manifest_text`: the asset's name, the prompt, the provider, the params, the output."""
    line, params = problem.line or 0, 4 if shot.provider is None else 5
    option = ""
    if line == 3:
        option = "the prompt"
    elif shot.provider is not None and line == 4:
        option = f"--provider {shlex.quote(shot.provider)}"
    elif params < line <= params + len(shot.params):
        option = f"--param {shlex.quote('='.join(shot.params[line - params - 1]))}"
    elif line >= params:
        option = "--param" if shot.params and line == params else "-o"
    detail = problem.detail.removeprefix(f"{problem.address}: ")
    detail = f"{option}: {detail}" if option else detail
    return replace(problem, path=None, line=None, column=None, address=None, detail=detail)


def prepare(start: Path, shot: OneShot, variables: Mapping[str, str]) -> Path:
    """Write the small project for a picture; gives its root.

    Raises StateError where it cannot be written.
    """
    try:
        around: Path | None = find_root(start)
    except ManifestError:
        around = None
    try:
        if around is not None:
            StateStore(around).prepare()
            root = around / RUN_HOME
            project = read_bytes(around / PROJECT_FILE)
        else:
            root = _own_folder(variables)
            kept = root / PROJECT_FILE
            project = read_bytes(kept) if exists(kept) else _own_project().encode()
        make_folders(root / "manifests", 0o700)
        write_atomic(root / PROJECT_FILE, project, mode=MANIFEST_MODE)
        certificate = certificate_file(around) if around is not None else None
        if certificate is not None:
            path, pem = certificate
            make_folders((root / path).parent, 0o700)
            write_atomic(root / path, pem.encode(), mode=MANIFEST_MODE)
        output = f"outputs/{shot.asset}.{shot.ext or '{{ ext }}'}"
        text = manifest_text(shot.asset, shot, output)
        write_atomic(root / MANIFEST, text.encode(), mode=MANIFEST_MODE)
    except OSError as error:
        raise StateError("the picture's project cannot be written", f"{error}.", code="run.write") from None
    return root


def save_asset(root: Path, asset: str, shot: OneShot, known: frozenset[str]) -> Path:
    """Write the picture as an asset of the project; gives the manifest's path.

    Raises UsageError for a name that is none, RefusedError where asset or file is there already.
    """
    if not _ASSET_ID.fullmatch(asset):
        raise UsageError("not an asset's name", f"{asset!r} has other characters than letters, digits, . _ and -.")
    path = root / "manifests" / f"{asset}.yaml"
    if asset.casefold() in {one.casefold() for one in known} or exists(path):
        raise RefusedError(
            "the asset is there already",
            f"{asset} is declared already, or manifests/{asset}.yaml exists; nothing was written.",
            hints=(f"--save {asset}-2",),
            code="run.exists",
        )
    output = f"outputs/{asset}.{shot.ext or '{{ ext }}'}"
    make_folders(path.parent)
    write_atomic(path, manifest_text(asset, shot, output).encode(), mode=MANIFEST_MODE)
    return path


def made_file(root: Path, asset: str) -> Path | None:
    """The file of an asset's only output, as the lock knows it; None where there is none yet."""
    ledger = StateStore(root).open_for_plan(lineage=None).ledger
    entry = ledger.current(asset)
    if entry is None or not entry.outputs:
        return None
    return root / entry.outputs[0].path


def copy_out(source: Path, target: Path, *, overwrite: bool) -> None:
    """Copy a picture to where it is wanted.

    Raises RefusedError where a file is there already, OutputError where it cannot be written.
    """
    check_free(target, overwrite=overwrite)
    try:
        make_folders(target.parent)
        copy(source, target)
    except OSError as error:
        raise OutputError("the picture cannot be written", f"{target}: {error.strerror}.", code="run.copy") from None


def check_free(target: Path, *, overwrite: bool) -> None:
    """Refuse, before anything is paid, to write over a file."""
    if exists(target) and not overwrite:
        raise RefusedError(
            "a file is there already",
            f"{target} would be overwritten; nothing was sent.",
            hints=("--force overwrite, or another -o FILE",),
            code="path.not_ours",
        )


def _own_folder(variables: Mapping[str, str]) -> Path:
    state = variables.get("XDG_STATE_HOME") or (
        str(Path(variables["HOME"]) / ".local" / "state") if variables.get("HOME") else ""
    )
    if not state:
        raise StateError("no home folder", "Neither HOME nor XDG_STATE_HOME is set.", code="run.no_home")
    return Path(state) / "imagebatch" / "run"


def _own_project() -> str:
    return f'version: 1\nlineage: "{new_lineage()}"\ndefaults: {{provider: all-images}}\nstore: {{share: none}}\n'


def _literal(prompt: str) -> str:
    """A prompt as a template that renders to just this text."""
    if "{" not in prompt:
        return prompt
    return "{% raw %}" + prompt.replace("endraw", "end{% endraw %}{% raw %}raw") + "{% endraw %}"


def _text(text: str) -> str:
    return json.dumps(text)


def _scalar(text: str) -> str:
    return text if _WHOLE.fullmatch(text) or text in {"true", "false"} else _text(text)
