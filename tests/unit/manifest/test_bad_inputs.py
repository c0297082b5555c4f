"""Every manifest, template, table and path case of `bad-inputs.yaml`, at the level of `load_project`."""

import os
import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from imagebatch.errors import ManifestError
from imagebatch.manifest.project import Loaded, load_project
from tests.cases.adapted import ADAPTED, SLOW_MACHINE, expected_of
from tests.cases.project_of import ELSEWHERE, all_cases, manifest_cases, write_project

_HERE = [case for case in manifest_cases() if case["id"] not in ELSEWHERE]
_SECRET = "value-of-a-key-that-nobody-may-see"


def _name(case: Mapping[str, Any]) -> str:
    return str(case["id"])


def _load(case: Mapping[str, Any], folder: Path) -> Loaded:
    write_project(case, folder)
    return load_project(folder, variables={"AIGNE_API_KEY": _SECRET})


def _worked_s() -> float:
    """Seconds of CPU of this process and of its children that have ended, whatever else the machine does."""
    return sum(os.times()[:4])


@pytest.mark.parametrize("case", _HERE, ids=_name)
def test_every_case_comes_to_its_end(case: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIGNE_API_KEY", _SECRET)
    wanted, expected = expected_of(case), case["expected"]
    began = _worked_s()
    if wanted.outcome == "ok":
        loaded = _load(case, tmp_path)
        assert loaded.drafts
        text = ""
    else:
        with pytest.raises(ManifestError) as caught:
            _load(case, tmp_path)
        problems = caught.value.problems
        text = "\n".join(f"{p.place} {p.summary} {p.detail} {p.hint}" for p in problems)
        assert wanted.code in {p.code for p in problems}, text
        assert all(p.path or p.address or p.code == "plan.too_many" for p in problems), text
    assert _worked_s() - began < expected.get("max_seconds", 10) * SLOW_MACHINE
    assert _SECRET not in text
    for leaked in [*expected.get("output_has_no_text", []), expected.get("must_not_leak", _SECRET)]:
        assert leaked not in text
    assert all(char.isprintable() or char == "\n" for char in text), "an unprintable character reached the message"
    if "must_not_exist" in expected:
        assert not os.path.lexists(expected["must_not_exist"])


@pytest.mark.parametrize(
    "case", [case for case in manifest_cases() if case["expected"].get("parent_survives")], ids=_name
)
def test_the_parent_stays_small_whatever_a_template_does(case: Mapping[str, Any], tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ManifestError):
        _load(case, tmp_path)
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mib < 100


def test_every_adaptation_names_a_case_and_changes_something() -> None:
    known = {case["id"]: case for case in all_cases()}
    for name, change in ADAPTED.items():
        expected = known[name]["expected"]
        changed = {field: getattr(change, field) for field in ("outcome", "exit", "code", "paid")}
        assert change.reason
        assert any(value is not None and value != expected.get(field) for field, value in changed.items()), name
    assert ELSEWHERE.keys() <= known.keys()


def _loaded(name: str, folder: Path) -> Loaded:
    return _load(next(case for case in all_cases() if case["id"] == name), folder)


def test_sixteen_to_nine_stays_text(tmp_path: Path) -> None:
    assert _loaded("my-sexagesimal-16-9", tmp_path).drafts[0].params == {"format": "16:9"}


def test_a_date_stays_text(tmp_path: Path) -> None:
    assert _loaded("my-date-for-string", tmp_path).drafts[0].name == "2024-01-01"


def test_a_bare_equals_sign_is_text(tmp_path: Path) -> None:
    assert _loaded("my-plain-equals", tmp_path).drafts[0].prompt == "="


def test_params_that_an_adapter_has_to_judge_arrive_as_written(tmp_path: Path) -> None:
    for number, (name, params) in enumerate(
        [
            ("my-underscore-number", {"seed": "1_000"}),
            ("ms-n-11", {"model": "m", "n": 11}),
            ("ms-n-bool", {"model": "m", "n": True}),
            ("ms-size-absurd", {"model": "m", "size": "99999x99999"}),
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert _loaded(name, folder).drafts[0].params == params


def test_data_is_never_rendered_again(tmp_path: Path) -> None:
    draft = _loaded("tp-var-is-template", tmp_path).drafts[0]
    assert draft.prompt == "a {{ 7*7 }}"
    assert draft.address == 'hero["{{ 7*7 }}"]'


def test_dot_components_are_taken_out_and_percent_signs_stay(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert _loaded("pa-dot-component", tmp_path / "a").drafts[0].outputs[0].path == "a/x.png"
    assert _loaded("pa-percent", tmp_path / "b").drafts[0].outputs[0].path == "%2e%2e%2fx.png"


def test_crlf_gives_the_same_drafts_as_lf(tmp_path: Path) -> None:
    with_cr = _loaded("bn-crlf-manifest", tmp_path)
    source = tmp_path / "manifests/case.yaml"
    source.write_bytes(source.read_bytes().replace(b"\r\n", b"\n"))
    assert load_project(tmp_path, variables={}).drafts == with_cr.drafts
