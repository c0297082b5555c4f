"""All problems in one go, each once, at its place: no fault hides another, none is told of what follows from it."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from imagebatch.manifest.templating import Answer, Renderer
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


def test_a_format_stands_for_an_open_ending_and_agrees_with_a_written_one(tmp_path: Path) -> None:
    body = 'assets: {a: {prompt: x, outputs: [{path: "a.{{ ext }}", format: webp}, {path: "b.png", format: webp}]}}\n'
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


def told(root: Path, manifest: str, files: Mapping[str, str] | None = None) -> list[str]:
    """Line and code of each problem of the manifest, those of one kind once; other files by their names."""
    found = problems(root, manifest, files)
    return list(
        dict.fromkeys(
            f"{one.line} {one.code}" if one.path == "manifests/m.yaml" else f"{one.path} {one.code}" for one in found
        )
    )


def test_a_fault_of_one_row_hides_none_of_a_later_row(tmp_path: Path) -> None:
    body = """
assets:
  a:
    for_each: t.jsonl
    key: k
    prompt: "{{ row.p }}"
    alt: "{{ row.a }}"
"""
    rows = "".join(f'{{"k": {number}, "a": "x"}}\n' for number in range(20)) + '{"k": 20, "p": "x"}\n'
    found = problems(tmp_path, body, {"t.jsonl": rows})
    assert [(one.line, one.address) for one in found] == [(6, f"a[{n}]") for n in range(5)] + [(7, "a[20]")]


def test_a_variable_hides_only_the_texts_that_need_it(tmp_path: Path) -> None:
    body = """
assets:
  a:
    template: p.j2
    vars:
      one: "{{ nobody }}"
      two: "{{ also_nobody }}"
      three: "{{ vars.one }}"
    name: "{{ vars.one }} {{ never_seen }}"
    alt: "{{ no_alt }}"
"""
    assert told(tmp_path, body, {"templates/p.j2": "{{ no_part }}"}) == [
        "6 template.undefined", "7 template.undefined", "10 template.undefined", "templates/p.j2 template.undefined"
    ]  # fmt: skip


def test_variables_that_need_each_other_hide_no_others(tmp_path: Path) -> None:
    body = """
assets:
  a:
    prompt: "{{ vars.one }} {{ never_seen }}"
    vars: {one: "{{ vars.two }}", two: "{{ vars.one }}"}
    alt: "{{ no_alt }}"
"""
    assert told(tmp_path, body) == ["5 template.cycle", "6 template.undefined"]


def test_what_a_template_file_names_is_judged_without_the_row_that_it_does_not_need(tmp_path: Path) -> None:
    body = "assets:\n  a: {template: p.j2, for_each: no.csv, key: k}\n  b: {template: q.j2, for_each: no.csv, key: k}\n"
    files = {"templates/p.j2": "a {{ nobody }}", "templates/q.j2": "a {{ row.t }} {{ nobody }}"}
    assert told(tmp_path, body, files) == ["2 data.missing", "templates/p.j2 template.undefined"]


def test_a_variable_that_where_needs_is_told_once_at_its_own_place(tmp_path: Path) -> None:
    body = """
assets:
  a:
    prompt: "{{ vars.least }} {{ row.k }}"
    for_each: t.csv
    key: k
    where: "row.k | int > vars.least"
    vars:
      least: "{{ nobody }}"
      other: "{{ vars.least }}"
"""
    found = problems(tmp_path, body, {"t.csv": "k\n1\n"})
    assert [(one.line, one.code) for one in found] == [(9, "template.undefined")]


def test_where_and_key_are_compiled_though_there_is_no_table_or_one_of_them_is_wrong(tmp_path: Path) -> None:
    body = """
assets:
  a: {prompt: x, for_each: no.csv, key: "{{ row.k ", where: "row.k = 1"}
  b: {prompt: x, for_each: t.csv, key: "{{ row.k ", where: "row.k = 1"}
  c: {prompt: x, for_each: t.csv, key: [k, l], where: "row.nobody"}
  d: {prompt: x, for_each: t.csv, key: "{{ row.k ", where: "row.nobody"}
  e: {prompt: x, for_each: no.csv, key: "{{ row.k }}"}
"""
    found = problems(tmp_path, body, {"t.csv": "k\n1\n"})
    assert [(one.line, one.code) for one in found] == [
        (3, "data.missing"), (3, "template.syntax"), (3, "template.syntax"),
        (4, "template.syntax"), (4, "template.syntax"),
        (5, "data.key_column"), (5, "template.undefined"),
        (6, "template.syntax"), (6, "template.undefined"),
    ]  # fmt: skip


def test_paths_that_are_not_known_in_whole_meet_nobody(tmp_path: Path) -> None:
    body = """
assets:
  a: {prompt: x, output: "o/{{ nobody }}.jpg"}
  b: {prompt: x, output: "o/{{ nobody }}.jpg"}
  c: {prompt: x, output: o/-.jpg, matrix: {x: [1]}}
  d: {prompt: x, for_each: no.csv, key: k, output: "o/{{ row.k }}.jpg"}
  e: {prompt: x, for_each: no.csv, key: k}
  f: {prompt: x, for_each: no.csv, key: k, output: same.jpg}
  g: {prompt: "{{ nobody }}", output: same.jpg}
  h: {prompt: "{{ nobody }}", output: same.jpg/x.jpg}
"""
    found = problems(tmp_path, body)
    assert [(one.line, one.code) for one in found if one.code != "template.undefined"] == [
        (5, "path.component"),  # c: a name that starts with a dash
        (6, "data.missing"),
        (8, "path.collision"),  # f: a folder for h
        (9, "path.collision"),  # g: with f
    ]


def test_settings_of_an_axis_value_are_judged_beside_what_is_wrong_in_them(tmp_path: Path) -> None:
    body = """
assets:
  a:
    matrix:
      x:
        - {id: 1, promt: a, output: ../a.jpg}
        - {id: 2, prompt: "{{ nobody }}", pick: 0, tags: [ib-x]}
        - {id: 3, vars: [a], prompt: "{{ vars.a }}", output: ../c.jpg}
"""
    assert told(tmp_path, body) == [
        "6 manifest.unknown_key", "6 path.outside_project",
        "7 template.undefined", "7 manifest.type", "7 manifest.reserved",
        "8 manifest.type", "8 path.outside_project",
    ]  # fmt: skip


def test_a_value_that_could_not_be_read_is_not_judged_as_another_one(tmp_path: Path) -> None:
    body = """
assets:
  a: {prompt: x, outputs: [{path: a.jpg, width: 007}]}
  b: {prompt: x, retries: .nan, output: ../b.jpg}
  c: {prompt: "x\\u202e", matrix: {y: [007, z]}, exclude: [{y: 007}], output: "{{ y }}.jpg"}
  d: {prompt: x, distinct: 007, alt: "{{ nobody }}"}
"""
    assert told(tmp_path, body) == [
        "3 manifest.type", "4 manifest.type", "4 path.outside_project",
        "5 manifest.control_char", "5 manifest.type", "6 manifest.type", "6 template.undefined",
    ]  # fmt: skip
    project = "version: 007\ndefaults: {provider: all-images, retries: 08}\nbrakes: {max_variants: 0x}\n"
    assert told(tmp_path, "assets: {a: {prompt: x}}\n", {"imagebatch.yaml": project}) == [
        "imagebatch.yaml manifest.type"
    ]


def test_without_the_limit_nobody_has_too_many_variants(tmp_path: Path) -> None:
    many = ", ".join(map(str, range(300)))
    body = f"assets:\n  a: {{prompt: x, matrix: {{x: [{many}], y: [{many}]}}, output: ../x.jpg}}\n"
    project = "version: 1\ndefaults: {provider: all-images}\n"
    assert told(tmp_path, body, {"imagebatch.yaml": project}) == ["2 plan.too_many", "2 path.outside_project"]
    broken = project + "brakes: {max_variants: many}\n"
    assert told(tmp_path, body, {"imagebatch.yaml": broken}) == [
        "imagebatch.yaml manifest.type", "2 path.outside_project"
    ]  # fmt: skip


def test_all_assets_together_that_are_too_many_are_judged_all_the_same(tmp_path: Path) -> None:
    body = """
assets:
  a: {prompt: "{{ x ", matrix: {x: [1, 2, 3]}, output: ../x.jpg}
  b: {prompt: x, matrix: {x: [1, 2, 3]}, tags: [ib-x]}
  c: {prompt: x}
  d: {prompt: x}
"""
    project = "version: 1\ndefaults: {provider: all-images}\nbrakes: {max_variants: 3}\n"
    found = problems(tmp_path, body, {"imagebatch.yaml": project})
    assert [one.code for one in found] == [
        "plan.too_many", "template.syntax", "path.outside_project", "manifest.reserved"
    ]  # fmt: skip


def test_constants_are_judged_though_the_child_has_died(tmp_path: Path) -> None:
    loop = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"
    body = f"""
assets:
  a: {{prompt: "{loop}", tags: [ib-a]}}
  b: {{prompt: "{{{{ 1 }}}}", output: ../b.jpg}}
  c: {{prompt: x, for_each: t.csv, key: "{{{{ row.k }}}}", metadata: {{imagebatch: 1}}}}
"""
    assert told(tmp_path, body, {"t.csv": "k\n1\n"}) == [
        "3 template.limit", "3 manifest.reserved", "4 path.outside_project", "5 manifest.reserved"
    ]  # fmt: skip


def test_a_reference_that_cannot_be_rendered_moves_no_other(tmp_path: Path) -> None:
    body = """
assets:
  a:
    prompt: x
    references:
      - "{{ nobody }}"
      - no.png
"""
    assert told(tmp_path, body) == ["6 template.undefined", "7 path.missing"]


def test_an_asset_without_names_is_in_no_circle(tmp_path: Path) -> None:
    body = """
assets:
  a: {prompt: x, for_each: no.csv, key: k, references: ["asset:b"]}
  b: {prompt: x, references: ["asset:a"]}
"""
    assert told(tmp_path, body) == ["3 data.missing"]


def test_a_style_that_nobody_knows_hides_what_it_may_set_only(tmp_path: Path) -> None:
    body = """
styles: {look: {prompt_suffix: "{{ nobody }}", parms: {}}}
assets:
  a: {prompt: "{{ vars.mood }}", styles: [lok], output: ../a.jpg}
  b: {prompt: x, styles: [look], alt: "{{ nobody }}"}
"""
    assert told(tmp_path, body) == [
        "2 template.undefined", "2 manifest.unknown_key",
        "4 manifest.unknown_style", "4 path.outside_project", "5 template.undefined",
    ]  # fmt: skip


def test_no_stand_in_is_drawn_whatever_the_child_leaves_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Renderer, "answers", lambda _: iter([Answer(job=1, done=True)]))
    assert told(tmp_path, "assets:\n  a: {prompt: '{{ 1 }}'}\n") == ["2 template.limit"]
