"""One simulator for all wire tests, and the official AIGNE client installed once per machine."""

import io
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from PIL import Image

from imagebatch.simulator.process import SimulatorProcess, start

AIGNE = Path(__file__).parent / "aigne"
INSTALL_LIMIT_S = 600


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    """Give a running simulator with the quick profile."""
    with start(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture(scope="session")
def source_png() -> bytes:
    """Give a small PNG to be edited."""
    out = io.BytesIO()
    Image.new("RGB", (96, 64), (200, 40, 40)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="session")
def aigne_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of the official client; without node it is skipped, except in CI, where that is a failure."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        reason = "node and npm are needed to run the official AIGNE client"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with FileLock(tmp_path_factory.getbasetemp().parent / "npm.lock"):  # the processes of a run share the folder
        failed = _install(npm)
    if failed is not None:
        if os.environ.get("CI"):
            pytest.fail(failed)
        pytest.skip(failed)
    return AIGNE


def _install(npm: str) -> str | None:
    """Why the client's packages could not be installed; None where they are there."""
    if (AIGNE / "node_modules" / "@aigne" / "aigne-hub" / "package.json").is_file():
        return None
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=AIGNE, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False)
    return f"npm ci failed: {done.stderr[-300:]}" if done.returncode else None
