"""`checks:` in manifests: what is read, what is refused and where, and that no picture is drawn for it."""

from dataclasses import replace
from pathlib import Path

import pytest

from imagebatch.model.checks import Check
from tests.unit.manifest.projects import drafts, problems


def checks_in(tmp_path: Path, checks: str, more: str = "") -> tuple[Check, ...]:
    return drafts(tmp_path, f"{more}assets: {{a: {{prompt: x, checks: {checks}}}}}\n")["a"].policy.checks


def test_every_check_is_read_in_one_form(tmp_path: Path) -> None:
    written = (
        "{size: 1024x768, format: jpg, alpha: false, not_blank: true, sharpness: 60, distinct: 8, max_bytes: 1.5 kB}"
    )
    assert {one.name: one.wanted for one in checks_in(tmp_path, written)} == {
        "size": "1024x768", "format": "jpeg", "alpha": "false", "not_blank": "true", "sharpness": "60",
        "distinct": "8", "max_bytes": "1500",
    }  # fmt: skip


def test_a_check_may_warn_only(tmp_path: Path) -> None:
    (found,) = checks_in(tmp_path, "{sharpness: {is: 60, level: warn}}")
    assert found == Check(name="sharpness", wanted="60", level="warn")


def test_checks_merge_by_name_and_not_blank_may_be_taken_back(tmp_path: Path) -> None:
    found = checks_in(tmp_path, "{size: 2x2, not_blank: false}", "defaults: {checks: {alpha: true, not_blank: true}}\n")
    assert [(one.name, one.wanted) for one in found] == [("alpha", "true"), ("size", "2x2")]


def test_an_axis_value_has_checks_of_its_own(tmp_path: Path) -> None:
    found = drafts(tmp_path, "assets: {a: {prompt: x, matrix: {e: [{id: big, checks: {size: 9x9}}, small]}}}\n")
    assert [one.wanted for one in found["a[e=big]"].policy.checks] == ["9x9"]
    assert found["a[e=small]"].policy.checks == ()


@pytest.mark.parametrize(
    ("checks", "code", "said"),
    [
        ("{sise: 1x1}", "manifest.unknown_key", "size"),
        ("{size: 1024}", "manifest.type", "a size like 1024x1024"),
        ("{size: 0x4}", "manifest.type", "a size like"),
        ("{format: gif}", "manifest.type", "one of png, jpg"),
        ("{alpha: 1}", "manifest.type", "true or false"),
        ("{sharpness: 1.5}", "manifest.type", "a whole number"),
        ("{sharpness: true}", "manifest.type", "a whole number"),
        ("{distinct: 65}", "manifest.type", "from 1 to 64"),
        ("{max_bytes: 400 tons}", "manifest.type", "an amount like 400 kB"),
        ("{size: {is: 1x1, level: fatal}}", "manifest.range", "fail or warn"),
        ("{size: {is: 1x1, levle: warn}}", "manifest.unknown_key", "did you mean level"),
        ("{size: {level: warn}}", "manifest.type", "a size like"),
        ("{size: }", "manifest.type", "a size like"),
        ("[sharp]", "manifest.type", "a mapping"),
    ],
)
def test_what_is_no_check_is_refused_at_its_place(tmp_path: Path, checks: str, code: str, said: str) -> None:
    (found,) = problems(tmp_path, f"assets:\n  a:\n    prompt: x\n    checks: {checks}\n")
    assert (found.code, found.line) == (code, 4)
    assert said in f"{found.detail} {found.hint}"


def test_checks_change_nothing_of_what_is_sent(tmp_path: Path) -> None:
    bare = drafts(tmp_path / "bare", "assets: {a: {prompt: x}}\n")["a"]
    held = drafts(tmp_path / "held", "assets: {a: {prompt: x, checks: {size: 1x1}, on_reference_change: ask}}\n")["a"]
    assert replace(held, policy=bare.policy) == bare
