"""The simulator that all cases share."""

from collections.abc import Iterator

import pytest

from imagebatch.simulator.process import start
from tests.cases.faraway import Faraway
from tests.cases.world import Simulated


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    """One simulator with all three faces; every case has accounts of its own there."""
    with start(tmp_path_factory.mktemp("simulator"), "fast") as process:
        far = Faraway(tmp_path_factory.mktemp("faraway"), process.origin)
        yield Simulated(process, far)
        far.close()
