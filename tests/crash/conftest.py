"""Fork servers that all crash tests share."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.crash.running import Server
from tests.crash.sweeping import AT_ONCE


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Server(tmp_path_factory.mktemp("server"))) for _ in range(AT_ONCE)]


@pytest.fixture
def server(servers: list[Server]) -> Server:
    return servers[0]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The user's own folder in a test."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder
