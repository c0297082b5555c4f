"""A simulator of its own for each test module, and clients for its faces."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from imagebatch.simulator.process import SimulatorProcess, start

Body = dict[str, Any]


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    with start(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture
def images(simulator: SimulatorProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=simulator.all_images_url, headers={"api-key": "key"}, timeout=10) as client:
        yield client


@pytest.fixture
def hub(simulator: SimulatorProcess) -> Iterator[httpx.Client]:
    headers = {"Authorization": "Bearer blocklet-key"}
    with httpx.Client(base_url=simulator.hub_url, headers=headers, timeout=10) as client:
        yield client


@pytest.fixture
def script(simulator: SimulatorProcess) -> Iterator[Callable[..., None]]:
    """Give a function that adds scripted rules; they are forgotten after the test."""

    def add(*rules: Body) -> None:
        reply = httpx.post(f"{simulator.origin}/_simulator/script", json=list(rules))
        assert reply.status_code == 201, reply.text

    yield add
    httpx.delete(f"{simulator.origin}/_simulator/script")


@pytest.fixture
def settings(simulator: SimulatorProcess) -> Callable[[Body], None]:
    def change(written: Body) -> None:
        reply = httpx.post(f"{simulator.origin}/_simulator/settings", json=written)
        assert reply.status_code == 200, reply.text

    return change
