"""The simulated hub against `@aigne/aigne-hub`, the client its vendor ships."""

import base64
import io
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from imagebatch.simulator.ledger import Ledger
from imagebatch.simulator.process import SimulatorProcess

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def said(simulator: SimulatorProcess, aigne_client: Path, source_png: bytes) -> dict[str, dict[str, Any]]:
    """Run the client's script once and give what it said, by name."""
    source = base64.b64encode(source_png).decode()
    environment = {**os.environ, "SOURCE_PNG": source, "AIGNE_HUB_API_URL": simulator.origin}
    done = subprocess.run(
        ["node", "drive.mjs", simulator.origin, "blocklet-key"],
        cwd=aigne_client,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}


def picture(entry: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(entry["data"])))


def test_the_official_client_gets_an_address_that_serves_a_picture(said: dict[str, dict[str, Any]]) -> None:
    (image,) = said["url"]["images"]
    assert image["type"] == "url"
    fetched = httpx.get(image["url"])
    with Image.open(io.BytesIO(fetched.content)) as shown:
        assert (shown.format, shown.size) == ("PNG", (1024, 1024))
    assert said["url"]["usage"]["aigneHubCredits"] > 0


def test_the_official_client_gets_two_different_pictures_for_n_2(said: dict[str, dict[str, Any]]) -> None:
    first, second = said["file"]["images"]
    assert picture(first).size == picture(second).size == (512, 512)
    assert first["data"] != second["data"]


def test_an_edit_of_the_official_client_shows_the_input_picture(said: dict[str, dict[str, Any]]) -> None:
    (image,) = said["edit"]["images"]
    with picture(image) as shown:
        pixel = shown.convert("RGB").getpixel((shown.width // 2, round(shown.height * 0.44)))
    assert isinstance(pixel, tuple)
    assert abs(pixel[0] - 200) + abs(pixel[1] - 40) + abs(pixel[2] - 40) < 30


def test_the_official_client_reads_the_errors_of_the_hub(said: dict[str, dict[str, Any]]) -> None:
    assert "401" in said["bad key"]["error"]
    assert "Not enough credits" in said["no credit"]["error"]
    assert "safety system" in said["blocked"]["error"]


def test_the_official_client_reads_the_list_of_models(said: dict[str, dict[str, Any]]) -> None:
    assert said["models"]["count"] > 5
    assert isinstance(said["models"]["first"]["output_credits_per_token"], str)


def test_only_answered_creates_of_the_official_client_are_billed(
    simulator: SimulatorProcess, said: dict[str, dict[str, Any]]
) -> None:
    prompts = {"A brass desk lamp on white", "the same lamp at night"}
    billed = [entry for entry in Ledger.read(simulator.data_dir) if entry.prompt in prompts]
    assert [(entry.n_requested, entry.currency) for entry in billed] == [(1, "credit"), (2, "credit"), (1, "credit")]
    assert "error" in said["blocked"]
