"""One simulator behind a tap for all tests of this folder, and a project for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebatch.simulator.process import start
from tests.conformance.wiretap import Shop, Simulated, Tap


@pytest.fixture(scope="session")
def tapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    """The simulator with the quick profile."""
    with start(tmp_path_factory.mktemp("simulator") / "data", "fast") as process, Tap(process.origin) as tap:
        yield Simulated(process=process, tap=tap)


@pytest.fixture
def simulated(tapped: Simulated) -> Simulated:
    """The same, with nothing heard yet."""
    tapped.tap.requests()
    return tapped


@pytest.fixture
def shop(tmp_path: Path, request: pytest.FixtureRequest, simulated: Simulated) -> Shop:
    """A project whose providers stand at the simulator."""
    made = Shop(root=tmp_path / "project", name=request.node.nodeid)
    made.root.mkdir()
    made.providers(simulated.tap.origin)
    return made


@pytest.fixture
def lone_shop(tmp_path: Path, request: pytest.FixtureRequest) -> Shop:
    """A project whose providers a test has yet to name."""
    made = Shop(root=tmp_path / "project", name=request.node.nodeid)
    made.root.mkdir()
    return made
