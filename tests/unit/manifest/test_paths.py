"""Output paths: one rule set for every system, and no two that one of them takes for one file."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imagebatch.manifest.paths import BadPath, OutputPaths, collision_key, normal_path
from imagebatch.model.variant import CANDIDATE_MARK, EXT_MARK

ORDINARY = [
    "a.png",
    "a/b.JPG",
    "v1.2.hero..final.png",
    "лиса.webp",
    "🦊.png",
    "👩\u200d🎨.png",
    "❤\ufe0f.avif",
    "_x.png",
]
ORDINARY += ["nullable.png", "a b/c d.jpeg", f"x-{CANDIDATE_MARK}.{EXT_MARK}", "console.png", "%2e%2e.png"]
TROUBLE = {
    "reserved": [
        ".g\u200dit/x.png",
        "a/.git/x.png",
        ".imagebatch/x.png",
        "git~1/x.png",
        "Manifests/x.png",
        "a/aux/x.png",
    ],
    "component": [
        "x\ufe0f\u202e.png",
        "a?.png",
        "a|b.png",
        "a' onload='x.png",
        "it's/a.png",
        "",
        " a.png",
        "C:/x.png",
        "a/b /c.png",
        "~/x.png",
        "-x.png",
    ],
    "extension": [".png", "png", "a.png/b", "a.svg", "a.png.exe"],
    "too_long": ["é" * 101 + ".png", "d/" * 600 + "x.png"],
    "outside_project": ["..", "a/../b.png", "/a.png", "//a.png"],
}


@pytest.mark.parametrize("path", ORDINARY)
def test_ordinary_paths_stay_as_they_are(path: str) -> None:
    assert normal_path(path) == path


@pytest.mark.parametrize(("code", "path"), [(code, path) for code, paths in TROUBLE.items() for path in paths])
def test_paths_that_are_trouble_somewhere_are_refused(path: str, code: str) -> None:
    with pytest.raises(BadPath) as caught:
        normal_path(path)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("one", "two"),
    [("A.png", "a.png"), ("stra\u00dfe.png", "STRASSE.png"), ("caf\u00e9.png", "cafe\u0301.png"),
     ("\uff41.png", "a.png"),
     ("a\u200d.png", "a.png"), ("./a.png", "a.png"), ("\u0130.png", "i\u0307.png")],
)  # fmt: skip
def test_paths_that_are_one_file_somewhere_collide(tmp_path: Path, one: str, two: str) -> None:
    paths = OutputPaths(root=tmp_path)
    paths.claim(one, "first")
    with pytest.raises(BadPath, match="first") as caught:
        paths.claim(two, "second")
    assert caught.value.code == "collision"


def test_one_variant_cannot_write_one_path_twice(tmp_path: Path) -> None:
    paths = OutputPaths(root=tmp_path)
    paths.claim("a.png", "same")
    with pytest.raises(BadPath, match="twice"):
        paths.claim("a.png", "same")


def test_links_and_folders_in_the_way_are_refused(tmp_path: Path) -> None:
    (tmp_path / "out/sub.png").mkdir(parents=True)
    (tmp_path / "out/link.png").symlink_to("elsewhere")
    (tmp_path / "linked").symlink_to("out")
    (tmp_path / "file").write_text("x")
    paths = OutputPaths(root=tmp_path)
    for path, code in [
        ("out/sub.png", "not_regular"),
        ("out/link.png", "symlink"),
        ("linked/x.png", "symlink"),
        ("file/x.png", "not_regular"),
    ]:
        with pytest.raises(BadPath) as caught:
            paths.claim(path, "a")
        assert caught.value.code == code, path
    assert paths.claim("out/fine.png", "a") == "out/fine.png"


@given(st.text("aA.-_ /~:\\éＡ\u200d1", min_size=1, max_size=12).map(lambda text: text + ".png"))
@example("/1.png")
def test_the_short_check_agrees_with_the_long_one(path: str) -> None:
    try:
        expected = normal_path(path)
    except BadPath as error:
        expected = error.code
    paths = OutputPaths(root=Path("/nonexistent"))
    folder = path.rpartition("/")[0]
    with suppress(BadPath):
        paths.claim(f"{folder}/zz.png" if folder else "zz.png", "first")  # so that the folder is known
    try:
        found = paths.claim(path, "second")
    except BadPath as error:
        found = error.code
    assert found == expected or (found == "collision" and collision_key(expected).endswith("zz.png"))
