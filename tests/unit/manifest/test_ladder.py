"""Entries of `outputs:`: what they ask for, and what cannot go together."""

from pathlib import Path

import pytest

from imagebatch.manifest.output_words import FOCUSES
from imagebatch.model.variant import EXT_MARK, OutputSpec
from tests.unit.manifest.projects import drafts, problems

HEAD = "assets:\n  hero:\n    prompt: a fox\n    outputs:\n"


def spec(root: Path, entry: str, above: str = "") -> OutputSpec:
    [found] = drafts(root, f"{above}{HEAD}      - {entry}\n")["hero"].outputs
    return found


def test_every_step_arrives(tmp_path: Path) -> None:
    entry = (
        "{path: a.webp, width: 80, height: 60, fit: cover, focus: [0.25, 1], max_bytes: 900, background: '#FFee00', "
        "strip: true, embed: full}"
    )
    assert spec(tmp_path, entry) == OutputSpec(
        path="a.webp", width=80, height=60, fit="cover", focus=(2_500, 10_000), max_bytes=900, background="#ffee00",
        strip=True, embed="full",
    )  # fmt: skip
    assert spec(tmp_path, "{path: a.webp}") == OutputSpec(path="a.webp")


@pytest.mark.parametrize(("word", "place"), FOCUSES.items())
def test_a_focus_is_a_word_or_the_shares_that_it_means(tmp_path: Path, word: str, place: tuple[int, int]) -> None:
    box = "path: a.png, width: 8, height: 8, fit: cover"
    shares = [part / 10_000 for part in place]
    assert spec(tmp_path, f"{{{box}, focus: {word}}}") == spec(tmp_path, f"{{{box}, focus: {shares}}}")
    assert spec(tmp_path, f"{{{box}, focus: {word}}}").focus == place


def test_a_written_format_stands_for_ext_at_the_end_and_nowhere_else(tmp_path: Path) -> None:
    path = 'path: "{{ ext }}/a.{{ ext }}"'
    assert spec(tmp_path, f"{{{path}}}").path == f"{EXT_MARK}/a.{EXT_MARK}"
    assert spec(tmp_path, f"{{{path}, format: webp}}").path == f"{EXT_MARK}/a.webp"
    assert spec(tmp_path, "{path: a.jpeg, format: jpg}").path == "a.jpeg"


def test_embed_comes_from_defaults_asset_axis_value_and_entry(tmp_path: Path) -> None:
    above = "defaults: {embed: minimal}\n"
    assert spec(tmp_path, "{path: a.webp}", above).embed == "minimal"
    assert spec(tmp_path, "{path: a.webp, embed: none}", above).embed == "none"
    found = drafts(
        tmp_path, f"{above}assets:\n  hero: {{prompt: a fox, embed: full, output: x.png}}\n  plain: {{prompt: b}}\n"
    )
    assert [found[name].outputs[0].embed for name in ("hero", "plain")] == ["full", "minimal"]
    axis = "assets:\n  hero:\n    prompt: a fox\n    matrix: {v: [{id: a, embed: full}, {id: b}]}\n"
    made = drafts(tmp_path, axis)
    assert [made[f"hero[v={one}]"].outputs[0].embed for one in "ab"] == ["full", None]


@pytest.mark.parametrize(
    ("entry", "column", "word"),
    [
        ("{path: a.webp, quality: 8, max_bytes: 900}", 47, "quality and max_bytes"),
        ("{path: a.png, max_bytes: 900}", 34, "a PNG has no quality"),
        ("{path: 'a.{{ ext }}', format: png, max_bytes: 900}", 55, "a PNG has no quality"),
        ("{path: a.png, focus: top}", 30, "without width, height and fit: cover"),
        ("{path: a.png, width: 8, height: 8, fit: fill, focus: top}", 62, "without width, height and fit: cover"),
        ("{path: a.png, width: 8, fit: cover, focus: top}", 52, "without width, height and fit: cover"),
        ("{path: a.png, format: webp}", 31, "the extension is the format"),
        ("{path: a.png, focus: middle}", 30, "must be one of center, top,"),
        ("{path: a.png, focus: [0.5, 1.5]}", 30, "two shares from 0 to 1"),
        ("{path: a.png, focus: [0.5, true]}", 30, "two shares from 0 to 1"),
        ("{path: a.png, focus: }", 30, "must be one of center"),
        ("{path: a.jpg, background: white}", 35, 'must be a colour like "#ffffff"'),
        ("{path: a.jpg, background: '#fff'}", 35, 'must be a colour like "#ffffff"'),
        ("{path: a.jpg, max_bytes: 0}", 34, "at least 1"),
        ("{path: a.jpg, strip: 'yes'}", 30, "true or false"),
        ("{path: a.jpg, embed: all}", 30, "'none', 'minimal' or 'full'"),
        ("{path: a.jpg, focal: top}", 23, "focus"),
    ],
)
def test_what_cannot_be_is_told_where_it_stands(tmp_path: Path, entry: str, column: int, word: str) -> None:
    [problem] = problems(tmp_path, f"{HEAD}      - {entry}\n")
    assert (problem.path, problem.line) == ("manifests/m.yaml", 5)
    assert word in f"{problem.detail} {problem.hint}"
    assert problem.column == column


def test_a_colour_that_is_a_comment_says_so(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, f"{HEAD}      - path: a.jpg\n        background: #ffffff\n")
    assert (problem.line, "in quotes, since # begins a comment" in problem.detail) == (6, True)
