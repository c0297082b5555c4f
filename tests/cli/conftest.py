"""Real processes on throw-away projects; nothing here needs a key or a network."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.program.running import Server

ROOT = Path(__file__).resolve().parents[2]
ENTRY = "from imagebatch.cli.main import run; run()"
TIMEOUT_S = 120

_TOKENS = re.compile(r"ib-[a-z2-7]{16}")
_SECONDS = re.compile(r"in [0-9.]+ s\b")
_IDS = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_HASHES = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a process ended."""

    code: int
    out: str
    err: str

    @property
    def filtered(self) -> str:
        """Standard output without what differs from run to run."""
        text = _TOKENS.sub("ib-TOKEN", _IDS.sub("ID", _HASHES.sub("sha256:HASH", self.out)))
        return _SECONDS.sub("in N s", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project in a folder of its own; its commands run in forks of `server`, or each in an interpreter of its own."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict)
    server: Server | None = None

    def run(self, *arguments: str, text: str = "", **variables: str) -> Ran:
        """Run one command in it."""
        if self.server is not None:
            run = self.server.run(self.root, *arguments, environ={**self.environ, **variables}, text=text)
            return Ran(code=run.code, out=run.out, err=run.err)
        done = subprocess.run(
            [sys.executable, "-c", ENTRY, *arguments],
            cwd=self.root,
            env={**self.environ, **variables},
            input=text,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=TIMEOUT_S,
            check=False,
        )
        return Ran(code=done.returncode, out=done.stdout, err=done.stderr)

    def write(self, path: str, text: str) -> None:
        """Write one of its files."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def bare_environment(home: Path) -> dict[str, str]:
    """An environment without keys, without CI, with a home of its own and the simulator's quick profile."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
        "HOME": str(home),
        "IMAGEBATCH_SIMULATOR_PROFILE": "fast",
        "LANG": "C.UTF-8",
    }


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Does the imports of all commands once."""
    with Server(tmp_path_factory.mktemp("server")) as running:
        yield running


def small_project(folder: Path, server: Server) -> Project:
    """A small project in `folder`: four pictures of one asset, two of another with a pick to be made."""
    made = Project(root=folder / "project", environ=bare_environment(folder / "home"), server=server)
    made.write(
        "imagebatch.yaml",
        "version: 1\nlineage: 00112233445566778899aabbccddeeff\nproviders:\n  studio:\n    type: all-images\n"
        "    base_url: simulator\n    api_key: ${ALL_IMAGES_API_KEY}\ndefaults: {provider: studio}\n",
    )
    made.write(
        "manifests/catalog.yaml",
        "assets:\n  hero:\n    prompt: A {{ season }} morning in a park\n"
        "    matrix: {season: [spring, summer, autumn, winter]}\n    params: {mode: simple, format: 3:2}\n"
        "  icon:\n    prompt: A small icon of a {{ thing }}\n    matrix: {thing: [axe, crown]}\n    pick: review\n",
    )
    return made


@pytest.fixture
def project(tmp_path: Path, server: Server) -> Project:
    """A small project of one's own."""
    (tmp_path / "home").mkdir(exist_ok=True)
    return small_project(tmp_path, server)


@pytest.fixture(scope="session")
def applied_once(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Path:
    """The worked example as `make demo` leaves it: drawn, picked, made; copy it before changing anything."""
    folder = tmp_path_factory.mktemp("example")
    root = folder / "project"
    root.mkdir()
    (folder / "home").mkdir()
    for name in ("imagebatch.yaml", "manifests", "templates", "data"):
        source = ROOT / name
        copy: Callable[..., object] = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, root / name)
    made = Project(root=root, environ=bare_environment(folder / "home"), server=server)
    for words in (("apply", "-y"), ("pick", "--auto", "sharpest", "hero"), ("apply", "-y")):
        done = made.run(*words)
        assert done.code == 0, done.err
    return root


@pytest.fixture
def applied(applied_once: Path, tmp_path: Path, server: Server) -> Project:
    """A copy of the applied worked example."""
    shutil.copytree(applied_once, tmp_path / "applied")
    (tmp_path / "home").mkdir(exist_ok=True)
    return Project(root=tmp_path / "applied", environ=bare_environment(tmp_path / "home"), server=server)
