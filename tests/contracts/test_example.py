"""The worked example plans, uses all of its files, and nothing of one machine is in the repository.

That `--help` and `plan` import nothing heavy is held by `tests/cli/test_entry.py`.
"""

import re
import shutil
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import jsonschema
import pytest

from imagebatch.manifest.findings import Findings
from imagebatch.manifest.project import load_project
from imagebatch.manifest.schema import SchemaKind, json_schema
from imagebatch.manifest.written import plain
from imagebatch.manifest.yaml import parse_yaml
from imagebatch.pipeline.planning import PlanRequest, make_plan
from imagebatch.pipeline.project import Setup, load
from imagebatch.pipeline.scaffold import write_project
from tests.contracts.pages import ROOT
from tests.contracts.scratch import EXAMPLE

# A path below somebody's home or workplace, and the address of a package registry or of a mirror of one.
_MACHINE = re.compile(r"(?<![\w.~:/-])/(?:home|Users|root|work)/\w")
_REGISTRY = re.compile(
    r"registry\.(?:npmjs|yarnpkg)|pypi\.org/simple|files\.pythonhosted|--(?:extra-)?index-url|https?://[^\s\"']+/"
    r"(?:simple|artifactory|nexus)/"
)
_LOCKED = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<rest>.*?)(?=^[a-z0-9]|\Z)", re.MULTILINE | re.DOTALL)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A copy of the worked example, with nothing drawn."""
    for name in EXAMPLE:
        source = ROOT / name
        shutil.copytree(source, tmp_path / name) if source.is_dir() else shutil.copy(source, tmp_path / name)
    return tmp_path


def test_the_worked_example_plans_twenty_variants_over_three_providers(example: Path) -> None:
    planned = make_plan(load(Setup(root=example, variables={})), PlanRequest())
    assert Counter(change.action for change in planned.plan.changes) == {"create": 19, "defer": 1}
    assert {change.provider for change in planned.plan.changes} == {"studio", "hub", "retouch"}
    assert set(planned.simulated) == {"studio", "hub", "retouch"}
    assert not planned.plan.blocked_by


def test_the_worked_example_shows_what_the_program_is_for(example: Path) -> None:
    planned = make_plan(load(Setup(root=example, variables={})), PlanRequest())
    variants = list(planned.variants.values())
    assert any('"mode":"advanced"' in variant.request for variant in variants)
    assert any('"mode":"simple"' in variant.request and '"params"' in variant.request for variant in variants)
    assert any(variant.provider == "hub" and variant.count > 1 for variant in variants)
    assert any(variant.references for variant in variants)
    assert any(variant.pending_references for variant in variants)  # a picture of this project
    assert any(variant.policy.pick == "review" and len(variant.outputs) == 3 for variant in variants)
    assert any(variant.policy.checks for variant in variants)
    assert any(variant.row is not None for variant in variants)
    assert any("seamless white background" in variant.request for variant in variants)  # the style's words


def test_every_file_of_the_worked_example_is_used(example: Path) -> None:
    loaded = load_project(example, variables={})
    assert {draft.policy.place.path for draft in loaded.drafts} == set(_files(example, "manifests"))
    templates = {path for path in loaded.sources if path.startswith("templates/")}
    assert templates == set(_files(example, "templates"))
    references = {at for draft in loaded.drafts for at in draft.references if not at.startswith("asset:")}
    assert {path for path in loaded.sources if path.startswith("data/")} | references == set(_files(example, "data"))


def test_the_editors_schemas_accept_the_worked_example_and_what_init_writes(tmp_path: Path) -> None:
    write_project(tmp_path, {"project": json_schema("project"), "manifest": json_schema("manifest")})
    kinds: dict[SchemaKind, str] = {"project": "imagebatch.yaml", "manifest": "manifests/*.yaml"}
    for root in (ROOT, tmp_path):
        for kind, pattern in kinds.items():
            paths = sorted(root.glob(pattern))
            assert paths
            for path in paths:
                document = parse_yaml(path.read_text(encoding="utf-8"), path.name, Findings())
                assert document is not None
                jsonschema.Draft7Validator(json_schema(kind)).validate(plain(document.root))


@pytest.mark.parametrize("path", ["imagebatch.lock", "imagebatch.lock.d", "picks.yaml", "outputs", ".imagebatch"])
def test_what_the_worked_example_draws_is_ignored_by_git_and_the_file_says_why(path: str) -> None:
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    at = next(number for number, line in enumerate(lines) if line.strip("/") == path)
    start = max(number for number in range(at) if not lines[number])
    reason = " ".join(line for line in lines[start:at] if line.startswith("#"))
    assert "lock" in reason
    assert "commit imagebatch.lock" in reason  # an example must not teach what a project should not do


def test_no_path_of_a_machine_and_no_registry_address_is_in_the_repository() -> None:
    found: list[str] = []
    for path, text in _tracked():
        for number, line in enumerate(text.splitlines(), start=1):
            machine = _MACHINE.search(line) if not path.startswith("tests/") else None
            here = len(ROOT.parts) > 2 and re.search(rf"{re.escape(str(ROOT))}(?![\w-])", line)
            if machine or here or _REGISTRY.search(line):
                found.append(f"{path}:{number}: {line.strip()[:120]}")
    assert found == []


@pytest.mark.parametrize(
    ("line", "bad"),
    [
        ("see /home/someone/project", True),
        ('root = "/Users/someone"', True),
        ("https://example.com/home/page", False),
        ("--index-url https://mirror.example/simple/", True),
        ('"resolved": "https://registry.npmjs.org/x/-/x-1.tgz"', True),
        ("the registry of providers", False),
    ],
)
def test_the_search_for_machines_and_registries_finds_them(line: str, bad: bool) -> None:
    assert bool(_MACHINE.search(line) or _REGISTRY.search(line)) is bad


@pytest.mark.parametrize("path", ["requirements.lock", "requirements-dev.lock"])
def test_the_pinned_requirements_are_those_of_the_project(path: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = {_name(line) for line in project["project"]["dependencies"]}
    if path == "requirements-dev.lock":
        wanted |= {_name(line) for line in project["dependency-groups"]["dev"]}
        for extra in ("review", "c2pa"):
            wanted |= {_name(line) for line in project["project"]["optional-dependencies"][extra]}
    pinned = _pinned(path)
    assert wanted <= set(pinned)
    direct = {name for name, rest in pinned.items() if "imagebatch (pyproject.toml" in rest or "imagebatch:" in rest}
    assert direct == wanted
    assert all("--hash=sha256:" in rest for rest in pinned.values())


def test_the_pinned_requirements_of_both_files_agree() -> None:
    run, dev = _pinned("requirements.lock"), _pinned("requirements-dev.lock")
    assert {name: rest.split()[0] for name, rest in run.items()} == {name: dev[name].split()[0] for name in run}


def _files(root: Path, folder: str) -> Iterator[str]:
    for path in (root / folder).rglob("*"):
        if path.is_file():
            yield path.relative_to(root).as_posix()


def _tracked() -> Iterator[tuple[str, str]]:
    """Every text file that git knows, by path."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, timeout=60, check=False)
    if listed.returncode != 0:
        pytest.skip("this is no git checkout, so nobody can tell which files are the repository's")
    for path in listed.stdout.decode().split("\0"):
        file = ROOT / path
        if path and file.is_file() and path != Path(__file__).resolve().relative_to(ROOT).as_posix():
            data = file.read_bytes()
            if b"\0" not in data:
                yield path, data.decode("utf-8")


def _pinned(path: str) -> Mapping[str, str]:
    text = (ROOT / path).read_text(encoding="utf-8")
    return {match["name"]: match["rest"] for match in _LOCKED.finditer(text)}


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return found[0].lower().replace("_", "-")
