"""All problems in one go, each once, at its place: no fault hides another, none is told of what follows from it."""

from pathlib import Path

from tests.unit.manifest.projects import codes, drafts, problems


def test_refused_values_of_an_axis_are_not_called_twins_of_each_other(tmp_path: Path) -> None:
    body = 'assets: {a: {prompt: x, matrix: {q: [007, .inf, 08, ~, null, {p: 1}, {p: 2}, "a\\u202eb", "c\\u202ed"]}}}\n'
    found = codes(tmp_path, body)
    assert "manifest.duplicate_value" not in found
    assert found.count("manifest.type") == 7


def test_values_that_stand_twice_beside_a_refused_one_are_told(tmp_path: Path) -> None:
    found = codes(tmp_path, "assets: {a: {prompt: x, matrix: {q: [007, b, b]}}}\n")
    assert sorted(found) == ["manifest.duplicate_value", "manifest.type"]


def test_settings_of_all_axis_values_are_judged_though_one_of_them_has_no_id(tmp_path: Path) -> None:
    body = """
assets:
  a:
    prompt: x
    matrix: {x: [{provider: all-images}], y: [{id: 1, parms: {}}]}
    include: [{y: {id: 2, pick: none}}]
"""
    found = problems(tmp_path, body)
    assert [(one.code, one.line) for one in found] == [
        ("manifest.type", 5),
        ("manifest.unknown_key", 5),
        ("manifest.type", 6),
    ]
    assert found[1].detail == '"parms" is not known here, in a value of axis "y".'
    assert found[1].hint == "did you mean params?"


def test_moves_are_judged_though_something_else_in_the_file_is_wrong(tmp_path: Path) -> None:
    body = """
assets: {a: {promt: x}}
moved:
  - {form: b, to: a}
  - {from: "b[*]", to: a}
  - {from: "b[", to: a}
"""
    found = {(one.code, one.line) for one in problems(tmp_path, body)}
    assert {("manifest.moved", 5), ("manifest.address", 6), ("manifest.unknown_key", 4)} <= found


def test_a_file_where_another_output_needs_a_folder_is_told_where_it_is_written(tmp_path: Path) -> None:
    body = """
assets:
  a: {prompt: x, output: p/x.png}
  b: {prompt: x, output: p/x.png/y.png}
"""
    (found,) = problems(tmp_path, body)
    assert (found.code, found.place, found.address) == ("path.collision", "manifests/m.yaml:3:26", "a")


def test_a_path_in_a_message_shows_the_names_that_are_filled_in_later(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, 'assets: {trail.: {prompt: x, output: "o./{{ candidate }}.{{ ext }}"}}\n')
    assert '"o./{{ candidate }}.{{ ext }}"' in found.detail
    (found,) = problems(tmp_path, "assets: {trail.: {prompt: x}}\n")
    assert "\\ue001" not in found.detail
    assert found.hint is not None
    assert "output:" in found.hint


def test_parameters_of_an_advanced_prompt_may_stand_on_a_line_of_their_own(tmp_path: Path) -> None:
    body = """
styles: {look: {prompt_suffix: soft light}}
defaults: {styles: look, params: {mode: advanced}}
assets:
  a: {prompt: "a dog\\n--ar 3:2 --v 6"}
  b: {prompt: "a well--known dog"}
"""
    found = drafts(tmp_path, body)
    assert found["a"].prompt == "a dog, soft light --ar 3:2 --v 6"
    assert found["b"].prompt == "a well--known dog, soft light"
