"""The simulator that all cases share."""

from collections.abc import Iterator

import pytest

from imagebatch.simulator.process import start
from tests.cases.faraway import Faraway
from tests.cases.world import Simulated
from tests.program.nest import drawings_beside
from tests.program.nests import Nests


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    """One simulator with all three faces; every case has accounts of its own there."""
    with start(tmp_path_factory.mktemp("simulator"), "fast") as process:
        far = Faraway(tmp_path_factory.mktemp("faraway"), process.origin)
        yield Simulated(process, far)
        far.close()


@pytest.fixture(scope="session")
def nests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nests]:
    """What children of the program are forked from."""
    begun = Nests(drawings_beside(tmp_path_factory.mktemp("nests")))
    yield begun
    begun.close()


@pytest.fixture(autouse=True)
def forked_children(nests: Nests) -> Iterator[None]:
    """Commands that run in this very process fork their children: there are a thousand of them."""
    nests.install()
    yield
    nests.remove()
