"""Outputs that change places: each file gets its own, in one apply, and nothing is paid for a path that is not free."""

import json
from collections.abc import Mapping

import pytest

from tests.cli.conftest import Project, Ran

Assets = Mapping[str, tuple[str, str]]


def declare(project: Project, assets: Assets, *, more: str = "") -> None:
    """Assets by id: what the prompt asks for, and the output's name."""
    lines = [
        f"  {name}: {{prompt: a {what}, params: {{mode: simple}}, output: outputs/{path}.jpg{more}}}"
        for name, (what, path) in assets.items()
    ]
    project.write("manifests/catalog.yaml", "assets:\n" + "\n".join(lines) + "\n")


def applied(project: Project, *words: str) -> Ran:
    ran = project.run("apply", "-y", *words)
    assert ran.code == 0, ran.out + ran.err
    return ran


def files(project: Project) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in sorted((project.root / "outputs").iterdir())}


def blocks(project: Project) -> dict[str, list[str]]:
    """Address to the output paths that the lock lists."""
    found = json.loads((project.root / "imagebatch.lock").read_text())["generations"]
    return {name: [output["path"] for output in entry.get("outputs", ())] for name, entry in found.items()}


def settled(project: Project, wanted: dict[str, bytes]) -> None:
    """The files are these, the lock says so, and nothing is left to do."""
    assert files(project) == wanted
    assert project.run("plan").out.splitlines()[-1].endswith(" unchanged.")


@pytest.mark.parametrize("around", [("x", "y"), ("x", "y", "z")])
def test_outputs_that_go_round_in_a_circle_find_their_places(around: tuple[str, ...], project: Project) -> None:
    names = ("fox", "owl", "jar")[: len(around)]
    declare(project, {name: (name, path) for name, path in zip(names, around, strict=True)})
    applied(project)
    before = files(project)
    declare(project, {name: (name, path) for name, path in zip(names, (*around[1:], around[0]), strict=True)})
    applied(project)
    settled(project, {around[(at + 1) % len(around)]: before[path] for at, path in enumerate(around)})


def test_one_that_is_new_takes_the_place_of_one_that_goes(project: Project) -> None:
    declare(project, {"fox": ("fox", "x"), "owl": ("owl", "y")})
    applied(project)
    before = files(project)
    declare(project, {"jar": ("jar", "x"), "owl": ("owl", "y")})
    applied(project)
    after = files(project)
    assert after["x"] != before["x"]
    settled(project, {"x": after["x"], "y": before["y"]})
    assert blocks(project) == {"jar": ["outputs/x.jpg"], "owl": ["outputs/y.jpg"]}
    trash = (project.root / ".imagebatch" / "trash").rglob("x.jpg")
    assert [path.read_bytes() for path in trash] == [before["x"]], "what went is not in the trash"


def test_one_that_is_renamed_takes_the_place_of_one_that_goes(project: Project) -> None:
    declare(project, {"fox": ("fox", "x"), "owl": ("owl", "y")})
    applied(project)
    before = files(project)
    declare(project, {"fox": ("fox", "y")})
    applied(project)
    settled(project, {"y": before["x"]})


def test_a_chain_holds_where_one_link_writes_as_well(project: Project) -> None:
    declare(project, {"fox": ("fox", "x"), "owl": ("owl", "y")})
    applied(project)
    before = files(project)
    ladder = "outputs: [{path: outputs/z.jpg}, {path: outputs/small.webp, width: 64}]"
    project.write(
        "manifests/catalog.yaml",
        "assets:\n  fox: {prompt: a fox, params: {mode: simple}, output: outputs/y.jpg}\n"
        f"  owl: {{prompt: a owl, params: {{mode: simple}}, {ladder}}}\n",
    )
    applied(project)
    after = files(project)
    settled(project, {"small": after["small"], "y": before["x"], "z": before["y"]})


@pytest.mark.parametrize("way", ["orphan", "protected", "unselected"])
def test_nothing_is_paid_for_a_path_that_another_address_keeps(way: str, project: Project) -> None:
    declare(project, {"fox": ("fox", "x")}, more=", on_remove: keep" if way == "orphan" else "")
    applied(project)
    before = files(project)
    if way == "protected":
        assert project.run("protect", "fox").code == 0
    declare(project, {"jar": ("jar", "x"), **({"fox": ("fox", "z")} if way == "unselected" else {})})
    selected = ("-s", "jar") if way == "unselected" else ()
    document = json.loads(project.run("plan", "--json", *selected).out)
    (blocker,) = document["blocked_by"]
    assert blocker["code"] == "path.held"
    assert "outputs/x.jpg of fox, wanted by jar" in blocker["message"]
    for force in ((), ("--force", "overwrite")):
        refused = project.run("apply", "-y", *selected, *force)
        assert refused.code == 4, refused.out + refused.err
    assert files(project) == before
    assert list(blocks(project)) == ["fox"], "a picture was drawn that could be put nowhere"
    if way == "unselected":
        applied(project)
        assert sorted(files(project)) == ["x", "z"]


def test_an_old_name_is_explained_by_the_new_one(project: Project) -> None:
    declare(project, {"fox": ("fox", "x")})
    applied(project)
    declare(project, {"cub": ("fox", "x")})
    ran = project.run("explain", "fox")
    assert (ran.code, "cub" in ran.out, "was fox" in ran.out) == (0, True, True), ran.out + ran.err


def test_a_rename_that_is_to_be_destroyed_under_its_new_name_is_no_error(project: Project) -> None:
    declare(project, {"fox": ("fox", "x")})
    applied(project)
    declare(project, {"cub": ("fox", "x")})
    ran = project.run("destroy", "cub", "-y")
    assert "internal error" not in ran.err, ran.err
    applied(project)
    assert list(blocks(project)) == ["cub"]
