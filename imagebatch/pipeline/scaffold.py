"""A new project: the files that `init` writes, so that the first `plan` already works without a key."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from imagebatch.effects.disk import APPEND
from imagebatch.effects.files import exists, make_folders, opened, read_bytes, write_bytes, write_whole
from imagebatch.errors import ManifestError, RefusedError, StateError
from imagebatch.manifest.project import MANIFESTS, find_root
from imagebatch.state.lockfile import empty_lock, encode_lock
from imagebatch.state.store import StateStore, new_lineage

PROJECT_MODELINES = (
    "# yaml-language-server: $schema=.imagebatch/project.schema.json\n# $schema: .imagebatch/project.schema.json\n"
)
MANIFEST_MODELINES = (
    "# yaml-language-server: $schema=../.imagebatch/manifest.schema.json\n"
    "# $schema: ../.imagebatch/manifest.schema.json\n"
)
SCHEMA_FILES = {"project": ".imagebatch/project.schema.json", "manifest": ".imagebatch/manifest.schema.json"}
IGNORED = (".imagebatch/",)


def scaffold(lineage: str) -> dict[str, str]:
    """The files of a new project by path; pure."""
    return {
        "imagebatch.yaml": _project(lineage),
        "manifests/example.yaml": _MANIFEST,
        "templates/scene.j2": _TEMPLATE,
    }


def ignore_lines(present: str) -> str:
    """What has to be appended to a `.gitignore`; empty where nothing is missing."""
    known = {line.strip() for line in present.splitlines()}
    missing = [line for line in IGNORED if line not in known and line.rstrip("/") not in known]
    if not missing:
        return ""
    start = "" if not present or present.endswith("\n") else "\n"
    why = "# imagebatch's own folder: journal, candidates, caches. Never delete it while draws are open.\n"
    return start + why + "".join(f"{line}\n" for line in missing)


def project_around(root: Path) -> Path | None:
    """The root of the project that a folder lies in, itself left out; None where there is none."""
    try:
        return find_root(root.parent)
    except ManifestError:
        return None


def write_project(root: Path, schemas: Mapping[str, Mapping[str, object]]) -> tuple[str, ...]:
    """Write a new project below `root`; gives the paths written.

    `schemas` are the JSON Schemas of project and manifest. Raises RefusedError where a file is there already, and among
    the manifests of another project, which would read the new files as its own: then nothing at all is written.
    """
    outer = project_around(root)
    if outer is not None and root.is_relative_to(outer / MANIFESTS):
        raise RefusedError(
            "a project is here already",
            f"{root} is among the manifests of the project in {outer}, which would take the new files for its own. "
            "Nothing was written.",
            hints=(f"imagebatch -C {shlex.quote(str(outer))} plan",),
            code="init.inside",
        )
    lineage = new_lineage()
    files = scaffold(lineage)
    present = [path for path in (*files, "imagebatch.lock") if exists(root / path)]
    if present:
        raise RefusedError(
            "a project is here already",
            f"{', '.join(present)} would be overwritten in {root}. Nothing was written.",
            hints=("imagebatch init ANOTHER-FOLDER",),
            code="init.exists",
        )
    files |= {"imagebatch.lock": encode_lock(empty_lock(lineage)).decode()} | schema_files(schemas)
    StateStore(root).prepare()
    try:
        for path, text in files.items():
            target = root / path
            make_folders(target.parent)
            write_bytes(target, text.encode())
        ignore = root / ".gitignore"
        added = ignore_lines(read_bytes(ignore).decode() if exists(ignore) else "")
        if added:
            with opened(ignore, APPEND) as handle:
                write_whole(handle, added.encode())
    except (OSError, UnicodeDecodeError) as error:
        raise StateError("the project could not be written", f"{error}.", code="init.write") from None
    return (*files, *([".gitignore"] if added else []))


def schema_files(schemas: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """The schema files that editors read, by path."""
    return {path: json.dumps(schemas[kind], indent=2) + "\n" for kind, path in SCHEMA_FILES.items()}


def _project(lineage: str) -> str:
    return f"""\
{PROJECT_MODELINES}version: 1
lineage: "{lineage}"      # names this project for ever; never change it

providers:
  studio:
    type: all-images
    api_key: ${{ALL_IMAGES_API_KEY}}
    without_key: simulate         # draws with the built-in simulator until the key is set

defaults:
  provider: studio
  # Each file says in its metadata that a machine made it: since August 2026 pictures made by AI have to be marked so in
  # the EU (AI Act, Article 50). `none` leaves delivered files as they are, `full` writes the prompt into them, too.
  embed: minimal
"""


_MANIFEST = f"""\
{MANIFEST_MODELINES}assets:
  hero:
    template: scene.j2
    matrix:
      season: [spring, summer]
    params:
      mode: simple
      format: 3:2
    output: "outputs/hero/{{{{ season }}}}.jpg"
"""

_TEMPLATE = "A {{ season }} morning in a city park, soft light, a wooden bench under old trees\n"
