"""What is no longer wanted: its own files go, what only stands in their place stays, and one stops no other."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Project

ASSETS = """assets:
  fox: {prompt: a fox, params: {mode: simple}, output: outputs/fox.jpg}
  owl: {prompt: an owl, params: {mode: simple}, output: outputs/owl.jpg}
  jar: {prompt: a jar, params: {mode: simple}, output: outputs/jar.jpg}
"""


def addresses(project: Project) -> list[str]:
    return list(json.loads((project.root / "imagebatch.lock").read_text())["generations"])


def moved_by_hand(path: Path, what: str) -> None:
    path.unlink()
    if what == "folder":
        path.mkdir()
    else:
        path.symlink_to(path.with_name("owl.jpg"))


@pytest.mark.parametrize("what", ["folder", "link"])
def test_what_is_no_file_of_ours_stays_and_holds_up_nothing(what: str, project: Project) -> None:
    project.write("manifests/catalog.yaml", ASSETS)
    assert project.run("apply", "-y").code == 0
    moved_by_hand(project.root / "outputs" / "fox.jpg", what)
    project.write("manifests/catalog.yaml", ASSETS.splitlines()[0] + "\n" + ASSETS.splitlines()[3] + "\n")
    ran = project.run("apply", "-y")
    assert ran.code == 0, ran.out + ran.err
    assert addresses(project) == ["jar"]
    assert "outputs/fox.jpg stays: it is not what the lock listed there" in ran.out + ran.err
    assert (project.root / "outputs" / "fox.jpg").exists() == (what == "folder")
    assert not (project.root / "outputs" / "owl.jpg").exists()
    assert project.run("plan").out.splitlines()[-1] == "Plan: 1 unchanged."


def test_a_file_that_another_address_lists_is_not_put_away(project: Project) -> None:
    """Of two that drew one request one is wanted still, under a third name: no rename, for nobody knows which."""
    pair = "  {0}: {{prompt: a fox, params: {{mode: simple}}, output: outputs/{1}.jpg}}\n"
    project.write("manifests/catalog.yaml", "assets:\n" + pair.format("one", "a") + pair.format("two", "b"))
    assert project.run("apply", "-y").code == 0
    project.write("manifests/catalog.yaml", "assets:\n" + pair.format("three", "a"))
    assert project.run("apply", "-y").code == 0
    assert addresses(project) == ["three"]
    assert sorted(path.name for path in (project.root / "outputs").iterdir()) == ["a.jpg"]
    assert project.run("plan").out.splitlines()[-1] == "Plan: 1 unchanged."
