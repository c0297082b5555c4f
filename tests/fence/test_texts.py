"""P25: text that chance puts together from nasty pieces runs no code, reads no file, and ends no program."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fence.texts import told_by

PROJECTS = int(os.environ.get("IMAGEBATCH_TEST_TEXTS", "150"))
REPOSITORY = Path(__file__).resolve().parents[2]
LONGEST_S = 10.0
SLOW_MACHINE = 3.0


@pytest.mark.slow
def test_no_text_gets_out_of_the_fence_or_ends_the_program(tmp_path: Path, figure: Callable[[str], None]) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.fence.texts", str(tmp_path), str(PROJECTS), "25"],
        cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60 + 2 * PROJECTS,
    )  # fmt: skip
    assert ran.returncode == 0, f"the program died with {ran.returncode}: {ran.stderr[-2000:]}"
    told = json.loads(ran.stdout)
    figure(
        f"texts: {PROJECTS} projects of templates, YAML and tables: {told['ends']['refused']} refused, "
        f"{len(told['escapes'])} escapes, 0 dead parents in 600 MiB, the longest {told['longest']:.1f} s"
    )
    assert told["ends"]["refused"], "nothing was refused, so nothing was tried"
    assert told["ends"]["loaded"], "nothing was rendered, so nothing was tried"
    assert not told["escapes"]
    assert told["longest"] <= LONGEST_S * SLOW_MACHINE


def test_a_template_that_prints_an_object_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "imagebatch.yaml").write_text("version: 1\ndefaults: {provider: all-images}\n", "utf-8")
    manifest = {"assets": {"a": {"prompt": "<class 'str'> in a template's text"}}}
    (tmp_path / "manifests/a.yaml").write_text(json.dumps(manifest), "utf-8")
    end, text = told_by(tmp_path)
    assert end == "loaded"
    assert "<class " in text
