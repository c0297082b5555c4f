"""All problems in one go, each once, at its place: no fault hides another, none is told of what follows from it."""

from pathlib import Path

from tests.unit.manifest.projects import codes, drafts, load, problems, write


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


def test_all_rows_that_do_not_fit_their_table_are_told(tmp_path: Path) -> None:
    body = """
assets:
  a: {prompt: x, for_each: a.csv, key: k}
  b: {prompt: x, for_each: b.jsonl, key: k}
  c: {prompt: x, for_each: c.yaml, key: k}
  d: {prompt: x, for_each: d.csv, key: k}
  e: {prompt: x, for_each: e.csv, key: k}
"""
    files = {
        "a.csv": "k,v\n1\n2,3,4\n5,6\n7\n",
        "b.jsonl": '{"k": 1}\n{"k": }\n[2]\n{"k": 3} 4\n',
        "c.yaml": "- {k: 1}\n- 2\n- [3]\n",
        "d.csv": "k,v\na\u202eb,1\nb,2\nc\u0007,3\n",
        "e.csv": "k,v,k, w,\n1,2,3,4,5\n",
    }
    found = [f"{one.path}:{one.line} {one.code}" for one in problems(tmp_path, body, files)]
    assert found == [
        "a.csv:2 data.row_width",
        "a.csv:3 data.row_width",
        "a.csv:5 data.row_width",
        "b.jsonl:2 data.syntax",
        "b.jsonl:3 data.type",
        "b.jsonl:4 data.syntax",
        "c.yaml:2 data.type",
        "c.yaml:3 data.type",
        "d.csv:2 data.control_char",
        "d.csv:4 data.control_char",
        "e.csv:1 data.column_name",
        "e.csv:1 data.column_name",
        "e.csv:1 data.duplicate_column",
    ]


def test_a_table_full_of_faults_is_given_up_after_some(tmp_path: Path) -> None:
    body = "assets: {a: {prompt: x, for_each: a.csv, key: k}}\n"
    assert len(codes(tmp_path, body, {"a.csv": "k,v\n" + "1\n" * 500})) == 20


def test_keys_in_two_forms_of_unicode_are_one_and_lists_are_none(tmp_path: Path) -> None:
    body = "assets: {a: {prompt: '{{ row.v }}', for_each: a.csv, key: k}}\n"
    (found,) = problems(tmp_path, body, {"a.csv": "k,v\ne\u0301,1\n\u00e9,2\n"})
    assert (found.code, "rows 2 and 3" in found.detail) == ("data.duplicate_key", True)
    assert list(drafts(tmp_path, body, {"a.csv": "k,v\ne\u0301,1\n"})) == ["a[\u00e9]"]
    listed = "assets: {a: {prompt: '{{ row.v }}', for_each: a.json, key: k}}\n"
    assert codes(tmp_path, listed, {"a.json": '[{"k": [1], "v": 1}, {"k": {}, "v": 2}]'}) == ["data.type"] * 2


def test_a_glob_that_leads_outside_is_told_where_it_is_written_and_once(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    root = tmp_path / "project"
    root.mkdir()
    (root / "o").symlink_to(tmp_path / "elsewhere")
    (found,) = problems(root, 'assets: {a: {prompt: x, for_each: "o/*.png"}}\n')
    assert (found.code, found.place) == ("data.not_regular", "manifests/m.yaml:1:35")


def test_each_reference_is_told_at_its_own_place(tmp_path: Path) -> None:
    body = """
assets:
  a:
    prompt: x
    references:
      - no.png
      - "https://x.example/y.png"
      - "asset:b"
"""
    found = problems(tmp_path, body)
    assert [(one.code, one.line) for one in found] == [
        ("path.missing", 6),
        ("manifest.reference", 7),
        ("manifest.unknown_address", 8),
    ]


def test_a_format_beside_an_ending_that_the_request_decides_is_refused(tmp_path: Path) -> None:
    body = 'assets: {a: {prompt: x, outputs: [{path: "a.{{ ext }}", format: webp}]}}\n'
    assert codes(tmp_path, body) == ["manifest.conflict"]


def test_one_old_address_cannot_move_to_two_places(tmp_path: Path) -> None:
    body = """
assets: {a: {prompt: x}, b: {prompt: y}}
moved:
  - {from: old, to: a}
  - {from: old, to: b}
"""
    (found,) = problems(tmp_path, body, {"manifests/n.yaml": "assets: {c: {prompt: z}}\n"})
    assert (found.code, found.line) == ("manifest.moved", 5)
    assert found.detail == '"old" is moved to "a" already in manifests/m.yaml:4.'


def test_a_manifest_with_another_ending_is_warned_of_in_any_case_of_letters(tmp_path: Path) -> None:
    files = {"manifests/n.YAML": "assets: {}\n", "manifests/o.Yml": "assets: {}\n", "manifests/notes.txt": "x"}
    found = load(tmp_path, "assets: {}\n", files).warnings
    assert [(one.path, one.hint) for one in found] == [
        ("manifests/n.YAML", "rename it to manifests/n.yaml"),
        ("manifests/o.Yml", "rename it to manifests/o.yaml"),
    ]


def test_a_template_that_cannot_be_read_is_not_called_missing_as_well(tmp_path: Path) -> None:
    body = """
assets:
  a: {template: bad.j2}
  b: {template: outer.j2}
  c: {prompt: "{% include 'bad.j2' %}"}
  d: {prompt: "{% import 'bad.j2' as m %}x"}
  e: {for_each: t.csv, key: "{% include 'bad.j2' %}{{ row.k }}", prompt: x}
  f: {template: gone.j2}
"""
    write(tmp_path, {"templates/outer.j2": '{% include "bad.j2" %}', "t.csv": "k\n1\n"})
    (tmp_path / "templates/bad.j2").write_bytes(b"caf\xe9")
    found = problems(tmp_path, body)
    assert [(one.code, one.path) for one in found] == [
        ("template.missing", "manifests/m.yaml"),
        ("template.encoding", "templates/bad.j2"),
    ]
    assert "gone.j2" in found[0].detail


def test_of_a_folder_of_templates_that_cannot_be_read_no_file_is_called_missing(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    root = tmp_path / "project"
    root.mkdir()
    (root / "templates").symlink_to(tmp_path / "elsewhere")
    body = "assets: {a: {template: x.j2}, b: {prompt: \"{% include 'x.j2' %}\"}}\n"
    assert codes(root, body) == ["template.not_regular"]
