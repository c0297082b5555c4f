"""Checks and changed references, as a user meets them."""

import json
import shutil
from typing import Any

import pytest

from tests.cli.conftest import Project, Ran

PROJECT = """version: 1
lineage: 00112233445566778899aabbccddeeff
providers:
  studio: {type: all-images, base_url: simulator, api_key: "${ALL_IMAGES_API_KEY}"}
  gpt: {type: openai, base_url: simulator, api_key: "${OPENAI_API_KEY}"}
"""
LOGO = "  logo: {prompt: a PLAIN logo, provider: studio, params: {format: 3:2}}\n"
BAG = (
    "  bag: {prompt: it on a bag, provider: gpt, params: {model: gpt-image-2, size: 1024x1024},"
    ' references: ["asset:logo"], on_reference_change: CHANGE}\n'
)
SEA = (
    "  sea: {prompt: the bag at sea, provider: gpt, params: {model: gpt-image-2, size: 1024x1024},"
    ' references: ["asset:bag"]}\n'
)


def write(project: Project, assets: str) -> None:
    project.write("imagebatch.yaml", PROJECT)
    project.write("manifests/catalog.yaml", "assets:\n" + assets)


def block(project: Project, address: str) -> dict[str, Any]:
    lock = json.loads((project.root / "imagebatch.lock").read_text(encoding="utf-8"))
    found: dict[str, Any] = lock["generations"][address]
    return found


def summary(done: Ran) -> dict[str, Any]:
    last: dict[str, Any] = json.loads(done.out.splitlines()[-1])
    return last


def planned(project: Project) -> dict[str, tuple[str, str]]:
    changes = json.loads(project.run("plan", "--json").out)["changes"]
    return {one["address"]: (one["action"], one.get("reason_code", "")) for one in changes}


def hero(checks: str) -> str:
    return f"  hero: {{prompt: a pier, provider: studio, params: {{format: 3:2}}, checks: {checks}}}\n"


def test_a_failed_check_ends_with_3_and_keeps_the_picture(project: Project) -> None:
    write(project, hero("{size: 1024x1024, not_blank: true}"))
    done = project.run("apply", "-y")
    assert done.code == 3
    assert "hero: size is 1344x896, wanted 1024x1024" in done.out
    assert (project.root / "outputs/hero/hero.jpg").is_file()
    assert block(project, "hero")["status"] == "succeeded"
    assert planned(project) == {}
    before = (project.root / "imagebatch.lock").read_bytes()
    again = project.run("apply", "-y")
    assert (again.code, "wanted 1024x1024" in again.out) == (3, True)
    assert (project.root / "imagebatch.lock").read_bytes() == before
    assert "size is 1344x896" in project.run("status").out
    assert "checks: 1 picture fails" in project.run("plan").out


def test_a_warning_ends_with_0_and_stands_in_json(project: Project) -> None:
    write(project, hero("{max_bytes: {is: 1 kB, level: warn}}"))
    done = project.run("apply", "-y", "--json")
    assert done.code == 0
    (unmet,) = summary(done)["unmet"]
    assert (unmet["check"], unmet["level"], unmet["of"]) == ("max_bytes", "warn", "outputs/hero/hero.jpg")
    assert json.loads(project.run("status", "--json").out)["unmet"] == [unmet]


def test_changed_checks_are_made_free_of_charge_and_mended_ones_are_forgotten(project: Project) -> None:
    write(project, hero("{sharpness: 1000000}"))
    assert project.run("apply", "-y").code == 3
    draw = block(project, "hero")["draw"]
    write(project, hero("{sharpness: 1, alpha: false}"))
    assert planned(project) == {"hero": ("develop", "policy")}
    done = project.run("apply", "-y", "--json")
    assert done.code == 0
    assert summary(done)["requests"] == {}
    assert block(project, "hero")["draw"] == draw
    assert list(block(project, "hero")["checked"]) == ["checks"]
    write(project, hero("{}"))
    assert project.run("apply", "-y").code == 0
    assert "checked" not in block(project, "hero")
    assert planned(project) == {}


def test_a_fresh_clone_is_checked_by_its_own_files(project: Project) -> None:
    write(project, hero("{}"))
    project.run("apply", "-y")
    shutil.rmtree(project.root / ".imagebatch")
    write(project, hero("{sharpness: {is: 1000000, level: warn}}"))
    done = project.run("apply", "-y", "--json")
    assert (done.code, summary(done)["requests"]) == (0, {})
    assert block(project, "hero")["checked"]["unmet"][0]["check"] == "sharpness"
    assert planned(project) == {}


def test_what_nobody_has_to_look_at_is_named_as_unchecked(project: Project) -> None:
    art = LOGO.replace("studio", "gpt").replace("format: 3:2", "model: gpt-image-2, size: 1024x1024")
    write(project, art.replace("}}", "}, output: logo.webp}"))
    project.run("apply", "-y")
    shutil.rmtree(project.root / ".imagebatch")
    write(project, art.replace("}}", "}, output: logo.webp, checks: {sharpness: 1}}"))
    assert planned(project) == {}
    assert "Not checked: their pictures are neither here nor at the provider (1)" in project.run("status").out
    assert json.loads(project.run("status", "--json").out)["unchecked"] == ["logo"]
    write(project, art.replace("}}", "}, output: logo.webp, checks: {size: 1024x1024}}"))
    assert planned(project) == {"logo": ("develop", "policy")}
    assert project.run("apply", "-y").code == 0
    assert "unchecked" not in json.loads(project.run("status", "--json").out)


def test_explain_tells_what_does_not_hold(project: Project) -> None:
    write(project, hero("{size: {is: 8x8, level: warn}}"))
    project.run("apply", "-y")
    assert "check      warn: size is 1344x896, wanted 8x8" in project.run("explain", "hero").out


def test_a_pick_of_another_candidate_is_checked_anew(project: Project) -> None:
    write(project, hero("{distinct: 1}"))
    project.run("apply", "-y")
    looks = block(project, "hero")["checked"]["looks"]
    write(project, hero("{distinct: 1}, pick: [2]"))
    assert project.run("apply", "-y").code == 0
    assert block(project, "hero")["checked"]["looks"] != looks


def test_near_duplicates_name_each_other(project: Project) -> None:
    write(project, hero("{distinct: 1}") + hero("{distinct: 1}").replace("hero", "twin"))
    done = project.run("apply", "-y")
    assert done.code == 3
    assert "hero: it is nearly the picture of twin: 0 of 64 bits differ, wanted 1" in done.out
    assert "twin: it is nearly the picture of hero" in done.out


@pytest.mark.parametrize("change", ["ask", "keep"])
def test_a_changed_reference_draws_nothing_where_it_is_not_to(project: Project, change: str) -> None:
    assets = LOGO + BAG.replace("CHANGE", change) + SEA
    write(project, assets)
    assert project.run("apply", "-y").code == 0
    bag, sea = block(project, "bag"), block(project, "sea")
    write(project, assets.replace("PLAIN", "GOLDEN"))
    assert planned(project) == {"logo": ("redraw", "prompt"), "bag": ("keep", "references")}
    done = project.run("apply", "-y", "--json")
    assert (done.code, summary(done)["redrawn"]) == (0, 1)
    assert (block(project, "bag"), block(project, "sea")) == (bag, sea)
    assert planned(project) == {"bag": ("keep", "references")}


def test_who_is_asked_may_say_yes_or_no(project: Project) -> None:
    assets = LOGO + BAG.replace("CHANGE", "ask") + SEA
    write(project, assets)
    project.run("apply", "-y")
    write(project, assets.replace("PLAIN", "GOLDEN"))
    done = project.run("apply", "-y")
    assert "imagebatch redraw bag" in done.out
    assert "imagebatch accept bag" in done.out
    assert project.run("accept", "bag").code == 0
    assert planned(project) == {}
    write(project, assets.replace("PLAIN", "SILVER"))
    project.run("apply", "-y")
    assert project.run("redraw", "bag").code == 0
    assert planned(project) == {"bag": ("redraw", "asked"), "sea": ("defer", "reference_pending")}
    done = project.run("apply", "-y", "--json")
    assert (done.code, summary(done)["redrawn"]) == (0, 2)
    assert planned(project) == {}


def test_a_changed_reference_redraws_what_uses_it_in_the_same_apply(project: Project) -> None:
    assets = LOGO + BAG.replace("CHANGE", "redraw") + SEA
    write(project, assets)
    project.run("apply", "-y")
    write(project, assets.replace("PLAIN", "GOLDEN"))
    assert {action for action, _ in planned(project).values()} == {"redraw", "defer"}
    done = project.run("apply", "-y", "--json")
    assert (done.code, summary(done)["redrawn"]) == (0, 3)
    assert planned(project) == {}


def test_what_uses_a_protected_picture_does_not_wait_for_another(project: Project) -> None:
    protected = LOGO.replace("}}", "}, protect: true}")
    assets = protected + BAG.replace("CHANGE", "redraw")
    write(project, protected)
    project.run("apply", "-y")
    write(project, assets.replace("PLAIN", "GOLDEN"))
    assert planned(project) == {"logo": ("keep", "protected"), "bag": ("create", "new")}
    assert project.run("apply", "-y").code == 0


def test_a_reference_to_what_nobody_picked_says_how_to_pick(project: Project) -> None:
    write(project, LOGO.replace("}}", "}, pick: review}") + BAG.replace("CHANGE", "redraw"))
    done = project.run("apply", "-y")
    assert "logo has no pick yet: `imagebatch pick logo 1`" in done.out
    assert project.run("pick", "logo", "1").code == 0
    assert project.run("apply", "-y").code == 0
    assert planned(project) == {}
