"""A ladder of files and their marks, as people see them: plan, apply, validate, verify, files edited by hand."""

import json
import re
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from imagebatch.outputs.marking import find_mark, with_packet
from tests.cli.conftest import Project, bare_environment
from tests.program.running import Server

LADDER = """assets:
  hero:
    prompt: A harbour
    params: {mode: simple, format: 1:1}
    title: Harbour
    alt: %s
    outputs:
      - {path: outputs/hero.jpg}
      - {path: outputs/hero-200.webp, width: 200, max_bytes: %d}
      - {path: outputs/square.png, width: 64, height: 64, fit: cover, focus: top%s}
"""


def ladder(project: Project, *, alt: str = "boats at dawn", most: int = 9000, more: str = "") -> None:
    project.write("manifests/catalog.yaml", LADDER % (alt, most, more))


def files(project: Project) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((project.root / "outputs").iterdir())}


def entry(project: Project) -> dict[str, object]:
    found: dict[str, object] = json.loads((project.root / "imagebatch.lock").read_text())["generations"]["hero"]
    return found


@pytest.fixture
def made(project: Project) -> Project:
    ladder(project)
    done = project.run("apply", "-y")
    assert done.code == 0, done.err
    return project


def test_a_ladder_of_three_is_made_marked_and_then_unchanged(made: Project) -> None:
    found = files(made)
    assert list(found) == ["hero-200.webp", "hero.jpg", "square.png"]
    sizes = {name: Image.open(BytesIO(data)).size for name, data in found.items()}
    assert (sizes["hero-200.webp"], sizes["square.png"]) == ((200, 200), (64, 64))
    assert len(found["hero-200.webp"]) <= 9000
    marked = {name: find_mark(data).xmp for name, data in found.items()}
    assert marked["hero.jpg"] == b"", "delivered bytes stay as delivered"
    for name in ("hero-200.webp", "square.png"):
        assert b"digitalsourcetype/algorithmicMedia" in marked[name]
        assert b"boats at dawn" in marked[name]
        assert b"A harbour" not in marked[name], "the prompt stays at home"
    assert made.run("plan").out.splitlines()[-1] == "Plan: 1 unchanged."


def test_changed_words_and_steps_are_free_and_touch_only_what_has_them(made: Project) -> None:
    before, cost = files(made), entry(made)["cost"]
    ladder(made, alt="boats at dusk")
    plan = made.run("plan").out
    assert "~   develop hero\n              output steps changed: outputs/hero-200.webp" in plan
    assert plan.splitlines()[-1] == "Plan: 1 to develop."
    assert made.run("apply", "-y").code == 0
    after = files(made)
    assert {name for name in after if after[name] != before[name]} == {"hero-200.webp", "square.png"}
    assert b"boats at dusk" in find_mark(after["square.png"]).xmp
    ladder(made, alt="boats at dusk", more=", strip: true")
    assert made.run("apply", "-y").code == 0
    assert {name for name, data in files(made).items() if data != after[name]} <= {"square.png"}
    assert made.run("plan").out.splitlines()[-1] == "Plan: 1 unchanged."
    assert entry(made)["cost"] == cost


def test_a_file_edited_by_hand_is_named_and_kept_while_the_others_follow(made: Project) -> None:
    edited = made.root / "outputs/hero-200.webp"
    edited.write_bytes(b"by hand")
    ladder(made, alt="boats at noon")
    plan = made.run("plan").out
    assert "output edited by hand: outputs/hero-200.webp is kept; --force edited replaces it" in plan
    done = made.run("apply", "-y")
    assert done.code == 0
    assert edited.read_bytes() == b"by hand"
    assert "outputs/hero-200.webp was changed by hand and is kept; --force edited replaces it" in done.err + done.out
    assert b"boats at noon" in find_mark(files(made)["square.png"]).xmp
    assert made.run("apply", "-y", "--force", "edited").code == 0
    assert b"boats at noon" in find_mark(edited.read_bytes()).xmp
    assert any(path.read_bytes() == b"by hand" for path in (made.root / ".imagebatch/trash").rglob("*.webp"))
    assert made.run("plan").out.splitlines()[-1] == "Plan: 1 unchanged."


def test_a_file_that_cannot_be_small_enough_says_by_how_much_and_loses_nothing(made: Project) -> None:
    ladder(made, most=300)
    done = made.run("apply", "-y")
    assert done.code == 3
    said = done.out + done.err
    assert re.search(r"outputs/hero-200\.webp: it takes [0-9]+ bytes, [0-9]+ more than max_bytes allows", said), said
    assert len(files(made)) == 3
    ladder(made, most=300, alt="boats at dusk")  # a new first file, and a second that cannot be made
    before = files(made)
    assert made.run("apply", "-y").code == 3
    assert files(made) == before, "old and new files stand side by side"
    assert "edited" not in made.run("plan").out
    ladder(made, most=12_000)
    assert made.run("apply", "-y").code == 0
    assert made.run("plan").out.splitlines()[-1] == "Plan: 1 unchanged."


def test_a_written_embed_marks_delivered_bytes_without_changing_a_pixel(made: Project) -> None:
    delivered = files(made)["hero.jpg"]
    made.write("manifests/catalog.yaml", (LADDER % ("x", 9000, "")) + "    embed: full\n")
    assert made.run("apply", "-y").code == 0
    marked = files(made)["hero.jpg"]
    assert with_packet(delivered, find_mark(marked).xmp) == marked
    assert b"<Iptc4xmpExt:AIPromptInformation>A harbour<" in find_mark(marked).xmp
    assert b"<Iptc4xmpExt:AISystemUsed>simulator:all-images<" in find_mark(marked).xmp
    made.write("manifests/catalog.yaml", (LADDER % ("x", 9000, "")) + "    embed: none\n")
    assert made.run("apply", "-y").code == 0
    assert files(made)["hero.jpg"] == delivered
    assert not any(find_mark(data).marked for data in files(made).values())
    assert "[verify.mark]" not in made.run("verify").out


def test_verify_names_every_file_whose_mark_is_gone(made: Project) -> None:
    assert "[verify.mark]" not in made.run("verify").out
    path = made.root / "outputs/square.png"
    Image.open(path).save(path)
    done = made.run("verify")
    assert done.code == 2
    assert "outputs/square.png does not say that a machine made it" in done.out
    lines = [json.loads(line) for line in made.run("verify", "--json").out.splitlines()]
    assert [line["path"] for line in lines if line.get("code") == "verify.mark"] == ["outputs/square.png"]
    assert made.run("apply", "-y", "--force", "edited").code == 0
    assert "[verify.mark]" not in made.run("verify").out


def test_a_new_project_marks_what_is_delivered(tmp_path: Path, server: Server) -> None:
    (tmp_path / "home").mkdir()
    fresh = Project(root=tmp_path / "fresh", environ=bare_environment(tmp_path / "home"), server=server)
    fresh.root.mkdir()
    assert fresh.run("init").code == 0
    assert "  embed: minimal\n" in (fresh.root / "imagebatch.yaml").read_text()
    assert fresh.run("apply", "-y").code == 0
    pictures = [path.read_bytes() for path in sorted((fresh.root / "outputs").rglob("*.jpg"))]
    assert len(pictures) == 2
    assert all(find_mark(data).marked for data in pictures)
    assert "[verify.mark]" not in fresh.run("verify").out
