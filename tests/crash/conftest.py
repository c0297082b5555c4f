"""Fork servers that all crash tests share; a provider for each module, a project for each test."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from imagebatch.simulator.process import SimulatorProcess, start
from tests.crash.benches import ONE, PROJECT, Bench
from tests.crash.projects import PROFILE, write_project
from tests.crash.sweeping import AT_ONCE
from tests.program.providing import Providers
from tests.program.running import Server


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Server(tmp_path_factory.mktemp("server"))) for _ in range(AT_ONCE)]


@pytest.fixture(scope="session")
def providers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Providers]:
    with Providers(tmp_path_factory.mktemp("providers")) as running:
        yield running


@pytest.fixture
def server(servers: list[Server]) -> Server:
    return servers[0]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The user's own folder in a test."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    folder = tmp_path_factory.mktemp("provider")
    (folder / "profile.yaml").write_text(PROFILE, encoding="utf-8")
    with start(folder / "data", folder / "profile.yaml") as running:
        yield running


@pytest.fixture
def bench(tmp_path: Path, provider: SimulatorProcess, server: Server, home: Path) -> Iterator[Bench]:
    """A project of its own lineage: no token of one test is known to another."""
    lineage = hashlib.sha256(str(tmp_path).encode()).hexdigest()[:32]
    folder = write_project(tmp_path / "project", PROJECT.replace("LINEAGE", lineage), ONE)
    made = Bench(folder, provider, server, home)
    yield made
    made.clear()
