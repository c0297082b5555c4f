"""Small projects on disk for tests of loading."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from imagebatch.errors import ManifestError, Problem
from imagebatch.manifest.project import Loaded, load_project
from imagebatch.model.variant import Draft

PROJECT = "version: 1\ndefaults: {provider: all-images}\n"


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write files below `root`; an ordinary project file where none is given."""
    for path, text in {"imagebatch.yaml": PROJECT, **files}.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def load(root: Path, manifest: str, files: Mapping[str, str] | None = None, **variables: str) -> Loaded:
    """Load a project with one manifest."""
    write(root, {"manifests/m.yaml": manifest, **(files or {})})
    return load_project(root, variables=variables)


def drafts(root: Path, manifest: str, files: Mapping[str, str] | None = None) -> dict[str, Draft]:
    """The drafts of a project with one manifest, by address."""
    return {draft.address: draft for draft in load(root, manifest, files).drafts}


def problems(
    root: Path, manifest: str, files: Mapping[str, str] | None = None, **variables: str
) -> tuple[Problem, ...]:
    """The problems of a project with one manifest."""
    with pytest.raises(ManifestError) as caught:
        load(root, manifest, files, **variables)
    return caught.value.problems


def codes(root: Path, manifest: str, files: Mapping[str, str] | None = None, **variables: str) -> list[str]:
    """The codes of a project's problems, by place."""
    return [problem.code for problem in problems(root, manifest, files, **variables)]
