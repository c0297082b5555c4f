"""`verify` as people and programs see it: whatever is wrong is told at once, and nothing of it hides the rest."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imagebatch.model.mark import Mark
from imagebatch.outputs.marking import find_mark, with_packet
from imagebatch.outputs.xmp import origin_in, packet
from tests.cli.conftest import Project

MANIFEST = """assets:
  hero:
    prompt: A {{ season }} pier
    matrix: {season: [spring, summer, autumn, winter]}
    params: {format: 3:2}
"""
SPRING, SUMMER, AUTUMN, WINTER = (f"hero[season={season}]" for season in ("spring", "summer", "autumn", "winter"))


@pytest.fixture
def made(project: Project) -> Project:
    """Four pictures, applied."""
    project.write("manifests/catalog.yaml", MANIFEST)
    assert project.run("apply", "-y").code == 0
    return project


def found(project: Project, *arguments: str) -> list[dict[str, Any]]:
    """What `verify` tells of, without that the simulator drew it all."""
    lines = [json.loads(line) for line in project.run("verify", "--json", *arguments).out.splitlines()]
    return [one for one in lines if one.get("code") != "verify.simulated"]


def told(project: Project, *arguments: str) -> set[tuple[str, str]]:
    return {(one["code"], one.get("address", "")) for one in found(project, *arguments) if "code" in one}


def output(project: Project, season: str) -> Path:
    lock = json.loads((project.root / "imagebatch.lock").read_text("utf-8"))
    path: str = lock["generations"][f"hero[season={season}]"]["outputs"][0]["path"]
    return project.root / path


def stored(project: Project) -> list[Path]:
    return sorted((project.root / ".imagebatch/store").glob("??/*"))


def test_where_all_agree_only_the_summary_is_told(made: Project) -> None:
    (last,) = found(made)
    assert (last["type"], last["files"], last["stored"], last["warnings"]) == ("summary", 4, 4, 0)
    assert last["format_version"] == "1.1"


def test_everything_that_is_wrong_is_told_in_one_go(made: Project) -> None:
    spring, summer, autumn, winter = (output(made, one) for one in ("spring", "summer", "autumn", "winter"))
    spring.unlink()
    summer.write_bytes(b"x" * summer.stat().st_size)
    autumn.write_bytes(b"short")
    winter.unlink()
    winter.mkdir()
    bad, gone, *_ = stored(made)
    bad.write_bytes(b"rot")
    gone.unlink()
    made.write("manifests/catalog.yaml", MANIFEST.replace("spring, ", "").replace("winter]", "winter, fog]"))
    told_of = found(made)
    by_code = {one["code"]: one for one in told_of if "code" in one}
    assert {(one["code"], one.get("address")) for one in told_of if "code" in one} == {
        ("verify.missing", SPRING),
        ("verify.differs", SUMMER),
        ("verify.size", AUTUMN),
        ("verify.not_regular", WINTER),
        ("verify.undrawn", "hero[season=fog]"),
        ("verify.unwanted", SPRING),
        ("verify.store", None),
        ("verify.originals", None),
    }
    assert by_code["verify.store"]["path"] == bad.relative_to(made.root).as_posix()
    assert by_code["verify.originals"]["severity"] == "warning"
    assert all(one["summary"] and one["hint"] and one["detail"] for one in by_code.values())
    assert (told_of[-1]["disagreements"], told_of[-1]["warnings"]) == (7 + 4, 1)
    assert made.run("verify").code == 2


def test_a_damaged_block_hides_nothing_of_the_others(made: Project) -> None:
    lock = made.root / "imagebatch.lock"
    head, mark, tail = lock.read_text("utf-8").partition(f'"{SUMMER}"')
    lock.write_text(head + mark + re.sub(r'"attempt": 1', '"attempt": "one"', tail, count=1), "utf-8")
    output(made, "winter").unlink()
    before = lock.read_bytes()
    assert told(made) == {("verify.lock", SUMMER), ("verify.missing", WINTER)}
    (damaged,) = (one for one in found(made) if one.get("code") == "verify.lock")
    assert (damaged["path"], damaged["line"] > 1, "git checkout" in damaged["hint"]) == ("imagebatch.lock", True, True)
    assert lock.read_bytes() == before


@pytest.mark.parametrize("text", ["", "{", "<<<<<<< ours\n"])
def test_a_lock_that_cannot_be_read_at_all_leaves_the_store_to_be_looked_at(made: Project, text: str) -> None:
    (made.root / "imagebatch.lock").write_text(text, "utf-8")
    stored(made)[0].write_bytes(b"rot")
    assert told(made) == {("verify.lock", ""), ("verify.store", "")}
    assert made.run("verify").code == 2


def test_a_damaged_journal_leaves_lock_and_files_to_be_looked_at(made: Project) -> None:
    (made.root / ".imagebatch/journal.db").write_bytes(b"no database" * 100)
    output(made, "winter").unlink()
    assert told(made) == {("verify.lock", ""), ("verify.missing", WINTER)}


def test_a_missing_lock_is_told_with_the_way_back(made: Project) -> None:
    (made.root / "imagebatch.lock").unlink()
    assert ("verify.lock", "") in told(made)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_told(made: Project) -> None:
    output(made, "spring").chmod(0)
    assert told(made) == {("verify.unreadable", SPRING)}


def test_an_edited_master_is_told_until_it_is_used_again(made: Project) -> None:
    art = made.root / "art/spring.jpg"
    art.parent.mkdir()
    art.write_bytes(output(made, "summer").read_bytes())
    assert made.run("use", SPRING, "art/spring.jpg").code == 0
    assert made.run("apply", "-y").code == 0
    assert told(made) == set()
    art.write_bytes(output(made, "autumn").read_bytes())
    assert told(made) == {("verify.own_file", SPRING)}
    art.unlink()
    (one,) = (one for one in found(made) if "code" in one)
    assert (one["code"], one["type"]) == ("verify.own_file", "warning")


def test_a_choice_for_an_earlier_request_warns(made: Project) -> None:
    assert made.run("pick", SPRING, "1").code == 0
    assert made.run("apply", "-y").code == 0
    assert told(made) == set()
    made.write("manifests/catalog.yaml", MANIFEST.replace("pier", "beach"))
    assert made.run("apply", "-y").code == 0
    (one,) = (one for one in found(made) if "code" in one)
    assert (one["code"], one["address"], one["type"]) == ("verify.stale_pick", SPRING, "warning")


def test_a_rejection_that_was_followed_by_a_redraw_is_no_old_choice(made: Project) -> None:
    assert made.run("pick", "--reject", SPRING, "--note", "too dark", "--add", "bright light").code == 0
    assert made.run("apply", "-y").code == 0
    assert not [one for one in found(made) if "code" in one]


def test_a_failed_check_of_the_manifest_is_told_and_a_warning_only_warns(made: Project) -> None:
    checks = "    checks: {size: 10x10, max_bytes: {is: 1 kB, level: warn}}\n"
    made.write("manifests/catalog.yaml", MANIFEST + checks)
    assert made.run("apply", "-y").code == 3
    kinds = {(one["type"], one["code"]) for one in found(made, "-s", SPRING) if "code" in one}
    assert kinds == {("disagreement", "verify.checks"), ("warning", "verify.checks")}


def test_a_selection_looks_at_nothing_else(made: Project) -> None:
    output(made, "spring").unlink()
    output(made, "winter").unlink()
    lines = found(made, "-s", SPRING)
    assert told(made, "-s", SPRING) == {("verify.missing", SPRING)}
    assert (lines[-1]["files"], lines[-1]["stored"]) == (1, 0)
    assert made.run("verify", "-s", "nobody").code == 1


def test_quick_lets_size_and_time_vouch_and_still_sees_what_is_gone(made: Project) -> None:
    stored(made)[0].write_bytes(b"rot")
    output(made, "spring").unlink()
    output(made, "autumn").write_bytes(b"short")
    assert told(made, "--quick") == {("verify.missing", SPRING), ("verify.size", AUTUMN)}


def test_nothing_is_written(made: Project) -> None:
    def everything() -> dict[str, tuple[int, bytes]]:
        # SQLite keeps two files beside a database that is read, and may leave them there.
        files = (one for one in made.root.rglob("*") if one.is_file() and not one.name.endswith(("-shm", "-wal")))
        return {str(one): (one.stat().st_mtime_ns, one.read_bytes()) for one in files}

    before = everything()
    made.run("verify")
    made.run("verify", "--quick", "--json")
    assert everything() == before


def test_a_file_of_ones_own_is_never_called_made_by_ai_and_keeps_what_it_says(made: Project) -> None:
    both = "    outputs: [{path: 'outputs/{{ season }}.png'}, {path: 'outputs/{{ season }}-s.webp', width: 40}]\n"
    made.write("manifests/catalog.yaml", MANIFEST + "    embed: minimal\n    alt: a pier\n" + both)
    assert made.run("apply", "-y").code == 0
    art = made.root / "art/spring.png"
    art.parent.mkdir()
    Image.new("RGB", (80, 60), "teal").save(art)
    plain = art.read_bytes()
    for says in ("", "compositeWithTrainedAlgorithmicMedia"):
        art.write_bytes(with_packet(plain, packet(Mark(origin=says))) if says else plain)
        assert made.run("use", SPRING, "art/spring.png").code == 0
        assert made.run("apply", "-y").code == 0
        same, small = ((made.root / f"outputs/spring{end}").read_bytes() for end in (".png", "-s.webp"))
        assert same == art.read_bytes()
        assert (origin_in(find_mark(small).xmp), b"a pier" in small) == (says, True)
        assert told(made) == set()
        assert json.loads(made.run("plan", "--json").out)["changes"] == []
