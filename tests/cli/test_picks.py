"""What people decide about candidates, from the command line to files on disk."""

import json
from pathlib import Path

from PIL import Image

from tests.cli.conftest import Project

AXE, CROWN = "icon[thing=axe]", "icon[thing=crown]"


def chosen(project: Project, address: str) -> list[int]:
    """The picks of an address in the lock."""
    lock = json.loads((project.root / "imagebatch.lock").read_text("utf-8"))
    picked: list[int] = lock["generations"][address]["picked"]
    return picked


def test_a_rule_chooses_for_what_has_no_pick_yet(project: Project) -> None:
    project.run("apply", "-y")
    project.run("pick", AXE, "2")
    done = project.run("pick", "--auto", "sharpest", "icon")
    assert (done.code, AXE in done.out, CROWN in done.out) == (0, False, True)
    assert project.run("apply", "-y", "--require-picks").code == 0
    assert chosen(project, AXE) == [2]
    again = project.run("pick", "--auto", "first", "icon")
    assert (again.code, "all of these have a pick already" in again.err) == (0, True)
    assert project.run("pick", "--auto", "first", "--again", "icon").code == 0
    project.run("apply", "-y")
    assert (chosen(project, AXE), chosen(project, CROWN)) == ([1], [1])
    assert project.run("pick", "--auto", "closest", "icon", "--again").code == 1
    left = project.run("pick", "--auto", "first", "hero")  # of `pick: first` only one candidate is fetched
    assert (left.code, "left out: 4 pictures" in left.err) == (0, True)


def test_rejected_candidates_are_redrawn_and_the_new_ones_wait(project: Project) -> None:
    project.run("apply", "-y")
    assert project.run("pick", "--reject", AXE).code == 64
    assert project.run("pick", AXE, "2", "--note", "x").code == 64
    assert project.run("pick", AXE).code == 64
    done = project.run("pick", "--reject", AXE, "--note", "more gold")
    assert (done.code, "Rejected the candidates of 1 picture" in done.out) == (0, True)
    plan = json.loads(project.run("plan", "--json").out)
    assert [(one["address"], one["action"], one["reason_code"]) for one in plan["changes"]] == [
        (AXE, "redraw", "rejected_pick")
    ]
    project.run("pick", AXE, "1")
    assert json.loads(project.run("plan", "--json").out)["summary"]["redraw"] == 0
    project.run("pick", "--reject", AXE, "--note", "more gold")
    redrawn = project.run("apply", "-y", "--require-picks")
    assert (redrawn.code, AXE in redrawn.out) == (5, True)
    assert json.loads(project.run("plan", "--json").out)["changes"] == []
    assert f'"unpicked": ["{AXE}"' in project.run("status", "--json").out.replace('":["', '": ["')


def test_a_retouched_master_runs_through_the_ladder(project: Project) -> None:
    project.run("apply", "-y")
    master = project.root / "art/axe.png"
    outside = project.root.parent / "far.png"
    master.parent.mkdir()
    for path, color in ((master, "teal"), (outside, "red")):
        Image.new("RGB", (90, 60), color).save(path)
    refused = project.run("use", AXE, str(outside))
    assert (refused.code, "cp " in refused.err) == (1, True)
    assert project.run("use", AXE, "imagebatch.yaml").code == 1
    assert project.run("use", AXE, "art/axe.png").code == 0
    done = project.run("apply", "-y", "--json")
    assert (done.code, json.loads(done.out.splitlines()[-1])["requests"].get("create", 0)) == (0, 0)
    (made,) = json.loads((project.root / "imagebatch.lock").read_text("utf-8"))["generations"][AXE]["outputs"]
    with Image.open(project.root / made["path"]) as picture:
        assert picture.size == (90, 60)
    assert json.loads(project.run("plan", "--json").out)["changes"] == []

    Image.new("RGB", (90, 60), "olive").save(master)
    (change,) = json.loads(project.run("plan", "--json").out)["changes"]
    assert (change["action"], change["reason_code"], f"imagebatch use '{AXE}' art/axe.png" in change["reason"]) == (
        "keep", "edited", True,
    )  # fmt: skip
    project.run("use", AXE, "art/axe.png")
    assert project.run("apply", "-y").code == 0
    with Image.open(project.root / made["path"]) as picture:
        assert picture.convert("RGB").getpixel((5, 5)) == (128, 128, 0) or made["path"].endswith("jpg")
    assert json.loads(project.run("plan", "--json").out)["changes"] == []


def test_a_clone_without_the_store_keeps_the_master(project: Project, tmp_path: Path) -> None:
    project.run("apply", "-y")
    master = project.root / "axe.png"
    Image.new("RGB", (90, 60), "teal").save(master)
    project.run("use", AXE, "axe.png")
    project.run("apply", "-y")
    lock = json.loads((project.root / "imagebatch.lock").read_text("utf-8"))["generations"][AXE]
    (project.root / lock["outputs"][0]["path"]).unlink()
    for digest in [one["sha256"][7:] for one in lock["candidates"] if one["id"].startswith("file:")]:
        for path in (project.root / ".imagebatch/store").rglob(f"{digest}.*"):
            path.unlink()
    done = project.run("apply", "-y")
    assert (done.code, (project.root / lock["outputs"][0]["path"]).exists()) == (0, True), done.out + done.err


def test_the_first_candidate_stands_in_until_somebody_chooses(project: Project) -> None:
    manifest = next((project.root / "manifests").glob("*.y*ml"))
    text = manifest.read_text("utf-8")
    manifest.write_text(
        text.replace("pick: review", "pick: review\n    until_picked: first\n    resolution: full"), "utf-8"
    )
    done = project.run("apply", "-y", "--require-picks", "--json")
    summary = json.loads(done.out.splitlines()[-1])
    assert (done.code, summary["unpicked"], summary["bought"]) == (5, 2, 0)
    lock = json.loads((project.root / "imagebatch.lock").read_text("utf-8"))["generations"][AXE]
    assert (lock["picked"], [(project.root / one["path"]).exists() for one in lock["outputs"]]) == ([1], [True])
    assert json.loads(project.run("plan", "--json").out)["changes"] == []
    assert project.run("apply", "-y", "--require-picks").code == 5
    project.run("pick", "--auto", "first", "icon")
    bought = json.loads(project.run("apply", "-y", "--json", "--require-picks").out.splitlines()[-1])
    assert (bought["exit_code"], bought["unpicked"]) == (0, 0)
    assert bought["bought"] == 2


def test_verify_names_a_pick_whose_bytes_nobody_has(project: Project) -> None:
    project.run("apply", "-y")
    project.run("pick", AXE, "2")
    project.run("apply", "-y")
    picks = project.root / "picks.yaml"
    text = picks.read_text("utf-8")
    assert "verify.picks" not in project.run("verify").out
    used = text.partition('use: ["sha256:')[2][:64]
    picks.write_text(text.replace(used, "0" * 64), "utf-8")
    found = [json.loads(line) for line in project.run("verify", "--json").out.splitlines()]
    assert [one["address"] for one in found if one.get("code") == "verify.picks"] == [AXE]


def test_use_before_anything_was_drawn_says_what_to_do(project: Project) -> None:
    Image.new("RGB", (8, 6), "teal").save(project.root / "own.png")
    done = project.run("use", AXE, "own.png")
    assert (done.code, "[use.undrawn]" in done.err) == (1, True)
    assert f"hint: imagebatch apply -s '{AXE}' && imagebatch use '{AXE}' own.png" in done.err
    assert not (project.root / "picks.yaml").exists()
