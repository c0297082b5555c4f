"""Where outputs go, and the fingerprint of what is done to them."""

from typing import Any

import pytest

from imagebatch.errors import OutputError
from imagebatch.model.mark import Mark
from imagebatch.model.variant import EXT_MARK, OutputSpec
from imagebatch.outputs.fingerprint import develop_fingerprint, does_nothing
from imagebatch.outputs.paths import format_of, path_parts


@pytest.mark.parametrize(
    ("path", "media"),
    [("a.png", "png"), ("a.JPG", "jpeg"), ("a.b.jpeg", "jpeg"), ("x/a.webp", "webp"), ("a.avif", "avif")],
)
def test_the_ending_is_the_format(path: str, media: str) -> None:
    assert format_of(path) == f"image/{media}"


@pytest.mark.parametrize("path", ["a", "a.gif", "x.png/a", ".", ""])
def test_an_ending_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="does not end in"):
        format_of(path)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/etc/cron.d/x.png", "path.outside_project"), ("../x.png", "path.outside_project"),
        ("a/b/../../../x.png", "path.outside_project"), ("a//x.png", "path.component"), ("./x.png", "path.component"),
        ("a/", "path.component"), ("", "path.component"), ("a\\x.png", "path.component"), ("C:x.png", "path.component"),
        ("a\0.png", "path.component"), ("a\nb.png", "path.component"), (".git/x.png", "path.reserved"),
        (".GIT/x.png", "path.reserved"), ("a/.git/x.png", "path.reserved"), (".imagebatch/x.png", "path.reserved"),
        (".github/workflows/x.png", "path.reserved"), ("a" * 201 + ".png", "path.too_long"),
    ],
)  # fmt: skip
def test_a_path_that_leaves_the_project_or_hits_its_own_files_is_refused(path: str, code: str) -> None:
    with pytest.raises(OutputError) as error:
        path_parts(path)
    assert error.value.code == code


@pytest.mark.parametrize(
    "path", ["a.png", "a/b/c.png", "v1.2.hero..final.png", "🦊.png", "лиса.png", "%2e%2e%2fx.png", "..a/x.png"]
)
def test_an_ordinary_path_passes(path: str) -> None:
    assert "/".join(path_parts(path)) == path


def spec(path: str = f"a.{EXT_MARK}", **steps: Any) -> OutputSpec:
    return OutputSpec(path=path, **steps)


def test_the_fingerprint_knows_the_steps_and_not_the_path() -> None:
    plain = develop_fingerprint(spec(), "png")
    assert plain == develop_fingerprint(spec("else/where.PNG"), "jpg")
    steps: list[dict[str, Any]] = [
        {"width": 800}, {"width": 801}, {"height": 800}, {"width": 800, "height": 600},
        {"width": 800, "height": 600, "fit": "cover"}, {"width": 800, "height": 600, "fit": "fill"},
        {"width": 800, "height": 600, "fit": "cover", "focus": (0, 0)}, {"background": "#ffffff"}, {"strip": True},
        {"max_bytes": 900}, {"max_bytes": 901},
    ]  # fmt: skip
    prints = {develop_fingerprint(spec(**one), "png") for one in steps} | {plain, develop_fingerprint(spec(), "webp")}
    assert len(prints) == len(steps) + 2
    assert develop_fingerprint(spec(quality=80), "jpg") != develop_fingerprint(spec(), "jpg")


def test_what_changes_nothing_is_not_in_the_fingerprint() -> None:
    assert develop_fingerprint(spec(), "jpg") == develop_fingerprint(spec(), "jpeg")
    assert develop_fingerprint(spec(quality=80), "png") == develop_fingerprint(spec(), "png")
    assert develop_fingerprint(spec(width=8, fit="cover"), "png") == develop_fingerprint(spec(width=8), "png")
    assert develop_fingerprint(spec(background="#ffffff"), "jpg") == develop_fingerprint(spec(), "jpg")
    assert develop_fingerprint(spec(embed="none"), "jpg") == develop_fingerprint(spec(), "jpg")
    box: dict[str, Any] = {"width": 8, "height": 8}
    assert develop_fingerprint(spec(focus=(0, 0), **box), "png") == develop_fingerprint(spec(**box), "png")


def test_a_mark_is_a_step_of_what_is_made_and_of_what_asks_for_it() -> None:
    plain, sized = spec(), spec(width=8)
    assert does_nothing(plain, "png")
    assert does_nothing(spec("a.jpeg"), "jpg")
    assert not does_nothing(sized, "png")
    assert not does_nothing(spec("a.webp"), "png")
    assert develop_fingerprint(plain, "png", Mark(alt="x")) == develop_fingerprint(plain, "png")
    marks = [None, Mark(), Mark(simulated=True), Mark(always=True), Mark(alt="x"), Mark(title="x"), Mark(prompt="x")]
    assert len({develop_fingerprint(sized, "png", mark) for mark in marks}) == len(marks)
    assert develop_fingerprint(plain, "png", Mark(always=True)) != develop_fingerprint(plain, "png")


def test_the_fingerprints_stay_what_they_are() -> None:
    assert develop_fingerprint(spec(), "png") == PNG
    assert develop_fingerprint(spec(width=800, height=600, fit="cover", quality=82), "webp") == WEBP


PNG = "sha256:14a778af5abb571d0d413bff4e64383bd2c4f4dfaaeed111ce14223221969303"
WEBP = "sha256:ddeedb2ba7919b8d6925186093816d3b9ba01e2f0f7dbe60ca23a349047b7bb6"
