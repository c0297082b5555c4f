"""A plug-in that raises, ends the program or gives nonsense in a real run: one doubt, and the project goes on."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from imagebatch.chaos.running import bills
from imagebatch.simulator.process import start
from tests.cli.conftest import ENTRY, bare_environment

pytestmark = pytest.mark.slow

MANIFEST = """assets:
  bad: {prompt: a fox, provider: subject, params: {model: gpt-image-2, size: 1024x640, quality: low}}
  good: {prompt: an owl, provider: sound, params: {model: gpt-image-2, size: 1024x640, quality: low}}
"""


def applied(folder: Path, site: Path) -> tuple[int, dict[str, Any], str]:
    """Exit code, summary and all that was said of `apply`."""
    environ = bare_environment(folder.parent)
    environ["PYTHONPATH"] = os.pathsep.join([environ["PYTHONPATH"], str(site)])
    done = subprocess.run(
        [sys.executable, "-c", ENTRY, "apply", "-y", "--json"],
        cwd=folder, env=environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    return done.returncode, json.loads(lines[-1]) if lines else {}, done.stderr + done.stdout


def project(place: Path, type_: str, url: str) -> Path:
    """A project of two pictures, of which one is a plug-in's."""
    folder = place / "project"
    (folder / "manifests").mkdir(parents=True)
    (folder / "manifests/all.yaml").write_text(MANIFEST, encoding="utf-8")
    base = f'base_url: "{url}", api_key: "${{KEY:-k}}"'
    (folder / "imagebatch.yaml").write_text(
        f"version: 1\nlineage: {'5a' * 16}\nproviders:\n"
        f"  subject: {{type: {type_}, {base}}}\n  sound: {{type: openai, {base}}}\n",
        encoding="utf-8",
    )
    return folder


@pytest.mark.parametrize("type_", ["exits", "raises", "gives-junk", "nameless"])
def test_a_fault_after_a_create_is_a_doubt_of_one_address_and_the_project_goes_on(
    tmp_path: Path, site: Path, type_: str
) -> None:
    with start(tmp_path / "server", "fast") as running:
        folder = project(tmp_path, type_, running.openai_url)
        code, summary, said = applied(folder, site)
        assert (code, summary["in_doubt"], summary["created"]) == (3, 1, 1), said
        assert "internal error" not in said
        code, summary, said = applied(folder, site)
        assert (code, summary["requests"].get("create", 0)) == (3, 0), said
        assert len(bills(running.openai_url) or ()) == 2, "one for each address, and no second one"


def test_a_cost_that_is_none_costs_no_picture_and_the_project_goes_on(tmp_path: Path, site: Path) -> None:
    with start(tmp_path / "server", "fast") as running:
        folder = project(tmp_path, "tells-negative", running.openai_url)
        code, summary, said = applied(folder, site)
        assert (code, summary["created"]) == (0, 2), said
        assert "no amount" in said
        code, summary, said = applied(folder, site)
        assert (code, summary["requests"].get("create", 0)) == (0, 0), said
        assert len(bills(running.openai_url) or ()) == 2
