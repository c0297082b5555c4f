"""The cases of the area gallery: their ends, the gallery's pages, and the Markdown of a job's summary.

What a page would take for its own language stands in a prompt, a title, a path or a picture. A browser lays out the
gallery, whose text does nothing (`tests/browser` opens one), and the summary, in which foreign text stands in code
spans only.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import yaml

from tests.cases.ci_scenes import in_actions
from tests.cases.image_scenes import image_scene
from tests.cases.project_of import write_project
from tests.cases.scenes import PLAN, Scene, shown
from tests.cases.world import Ran, World
from tests.program.html import check_harmless

_SVG: Final = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
# As CommonMark ends it: at the next row of as many backticks, no more and no less.
_SPAN: Final = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")


def gallery_scene(case: Mapping[str, Any], _: Mapping[str, Any] | None) -> Scene:
    """A case of the area in a job of GitHub Actions, and then what is shown of it."""
    scene = _played(case)
    first, last = scene.before, scene.after

    def before(world: World) -> None:
        in_actions(world)
        first(world)

    def after(world: World, ran: Ran) -> None:
        last(world, ran)
        _looked_at(world)
        _in_gallery(case, world)
        if ran.code == 0:
            _in_prompt_and_address(case, world)
            _in_gallery(case, world)

    return replace(scene, before=before, after=after)


def _played(case: Mapping[str, Any]) -> Scene:
    given = case["input"]
    if given["kind"] == "sim":
        # All-Images.ai names its images; a field for a title's address it has not, and so it is one that nobody knows.
        (text,) = given["chaos"].values()
        return Scene(rules=[shown(titles={"en": text}, titleUrl=text)])
    if given["kind"] == "image":
        return image_scene({**case, "input": {**given, "gen": "bytes", "args": {"text": _SVG}}}, None)
    return Scene(before=lambda world: write_project(case, world.project, _settings(world)))


def _settings(world: World) -> str:
    return world.project_file(lineage=world.lineage)


def _text_of(case: Mapping[str, Any]) -> str:
    given = case["input"]
    if given["kind"] == "manifest":
        return str(yaml.safe_load(given["text"])["assets"]["hero"]["prompt"])
    (text,) = given["chaos"].values()
    return str(text)


def _in_prompt_and_address(case: Mapping[str, Any], world: World) -> None:
    """The case's text as a prompt that was changed, in addresses, and with what would end a code span or a cell."""
    text = _text_of(case)
    (world.base / "summary.md").unlink()
    hero = {"provider": "all-images", "prompt": f"{text} in snow"}
    world.assets({"hero": hero, "page": {"prompt": "a fox", "matrix": {"text": [text, f"`{text}``|{text}"]}}})
    plan = json.loads(world.run(*PLAN).out)
    addresses = [one["address"] for one in plan["changes"]]
    assert len([one for one in addresses if one.startswith("page[")]) == 2, addresses
    told = [world.run(*words) for words in (["plan"], ["plan", "--detail"], ["status"])]
    for ran in told:
        assert ran.code == 0, str(ran)
        assert all(one in ran.out for one in addresses), str(ran)
    drawn = world.run("history", "hero")
    assert drawn.code == 0, str(drawn)
    if case["input"]["kind"] == "manifest":
        assert text in drawn.out
    for words in (["status", "--json"], ["history", "hero", "--json"]):
        assert world.run(*words).lines
    spans = _looked_at(world)
    for one in addresses:
        assert one.replace("|", "\\|") in spans, f"{one} is not whole in a code span: {spans}"


def _in_gallery(case: Mapping[str, Any], world: World) -> None:
    """The pages show the case's text as text, however it came there."""
    done = world.run("gallery")
    if done.code != 0:  # the project itself is refused
        assert case["expected"]["outcome"] == "reject", str(done)
        return
    text = check_harmless(world.project / ".imagebatch/gallery")
    if case["input"]["kind"] == "manifest":
        assert _text_of(case) in text
    for page in (world.project / ".imagebatch/gallery").glob("*.html"):
        for one in case["expected"].get("html_has_no", ()):
            assert one not in page.read_text("utf-8")


def _looked_at(world: World) -> list[str]:
    """The summary has neither a tag nor a link nor a picture, and no code span that was left; gives its code spans."""
    text = (world.base / "summary.md").read_text("utf-8")
    spans: list[str] = []
    for line in text.splitlines():
        spans += [found[2] for found in _SPAN.finditer(line)]
        outside = _SPAN.sub("", line)
        assert not re.search(r"[<`]|\]\(|!\[|javascript:|onerror|onload", outside), f"out of a code span: {line}"
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in {4, 5}, f"a cell was split: {line}"
    assert spans, text
    return spans
