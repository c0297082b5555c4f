"""Rendering: what templates may do, what they may not, and what a failure says."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebatch.manifest import characters, render_child
from imagebatch.manifest.project import load_project
from imagebatch.manifest.templating import Answer, Died, Renderer
from imagebatch.model.variant import CANDIDATE_MARK, EXT_MARK
from tests.unit.manifest.projects import codes, drafts, load, problems, write

FILTERS = {
    "abs": "{{ -3|abs }}",
    "batch": "{% for b in [1,2,3]|batch(2) %}{{ b|join('+') }};{% endfor %}",
    "capitalize": "{{ 'fOX'|capitalize }}",
    "default": "{{ ''|default('d', true) }}",
    "dictsort": "{% for k, v in {'b': 1, 'a': 2}|dictsort %}{{ k }}{{ v }}{% endfor %}",
    "first": "{{ ['x','y']|first }}",
    "float": "{{ '1.5'|float }}",
    "int": "{{ '7'|int }}",
    "items": "{% for k, v in {'b': 1, 'a': 2}|items %}{{ k }}{{ v }}{% endfor %}",
    "join": "{{ ['x','y']|join('-') }}",
    "last": "{{ ['x','y']|last }}",
    "length": "{{ 'four'|length }}",
    "list": "{{ 'ab'|list|join('.') }}",
    "lower": "{{ 'FOX'|lower }}",
    "map": "{{ ['a','b']|map('upper')|join }}",
    "max": "{{ [1,3,2]|max }}",
    "min": "{{ [3,1,2]|min }}",
    "reject": "{{ [1,2,3]|reject('odd')|join }}",
    "rejectattr": "{{ [{'a':1},{'a':2}]|rejectattr('a','eq',1)|map(attribute='a')|join }}",
    "replace": "{{ 'aXa'|replace('X','-') }}",
    "round": "{{ 2.567|round(1) }}",
    "select": "{{ [1,2,3]|select('odd')|join }}",
    "selectattr": "{{ [{'a':1},{'a':2}]|selectattr('a','eq',2)|map(attribute='a')|join }}",
    "sort": "{{ ['b','a']|sort|join }}",
    "string": "{{ 5|string }}",
    "sum": "{{ [1,2]|sum }}",
    "title": "{{ 'red fox'|title }}",
    "trim": "[{{ '  x '|trim }}]",
    "unique": "{{ ['b','a','b','c','a']|unique|join }}",
    "upper": "{{ 'fox'|upper }}",
}


def rendered(sources: Sequence[str], *, hash_seed: str = "0") -> list[Any]:
    """Render texts in a child of its own."""
    with Renderer(hash_seed=hash_seed) as renderer:
        renderer.limit(variants=1, renders=len(sources))
        renderer.send(
            {
                "op": "render", "job": 1, "asset": "a", "table": None, "rows": None, "rowed": False, "combos": [{}],
                "vars": {}, "var_slots": [],
                "slots": [{"kind": "text", "source": one, "mute": False, "vars": False} for one in sources],
                "first_path": len(sources), "addresses": None, "slugs": None, "marks": {},
            }
        )  # fmt: skip
        columns: list[Any] = []
        for answer in renderer.answers():
            assert isinstance(answer, Answer), answer
            assert not answer.errors, answer.errors
            columns += [column[0] for column in answer.columns or ()]
            if answer.done:
                return columns
    raise AssertionError("the child never ended its job")


def test_every_allowed_filter_renders_the_same_under_two_hash_seeds() -> None:
    assert sorted(FILTERS) == sorted(render_child.FILTERS)
    first = rendered(list(FILTERS.values()), hash_seed="1")
    assert first == rendered(list(FILTERS.values()), hash_seed="4242")
    said = dict(zip(FILTERS, first, strict=True))
    assert said["unique"] == "bac"
    assert said["dictsort"] == "a2b1"
    assert said["items"] == "b1a2"
    assert said["round"] == "2.6"


def test_the_child_and_the_parent_refuse_the_same_characters() -> None:
    for point in [*range(0x3000), *range(0xD7FF, 0xE010), *range(0xFE00, 0x10000), 0x1F98A, 0xE0001]:
        char = chr(point)
        assert bool(render_child.BAD_IN_TEXT.match(char)) == bool(characters.BAD_IN_TEXT.match(char)), hex(point)


def test_an_undefined_cell_names_template_line_row_and_what_is_near(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "assets: {p: {for_each: data/p.csv, key: sku, template: sub/p.j2}}\n",
        {"data/p.csv": "sku,title\nA,x\nB,y\n", "templates/sub/p.j2": "A photo\nof {{ row.titel }}\n"},
    )
    assert found[0].place == "templates/sub/p.j2:2:1"
    assert found[0].code == "template.undefined"
    assert "row.titel is undefined; did you mean row.title" in found[0].detail
    assert "data/p.csv:2" in found[0].detail
    assert found[0].address == "p[A]"


def test_a_column_written_without_row_gets_the_right_hint(tmp_path: Path) -> None:
    found = problems(
        tmp_path, "assets: {p: {for_each: d.csv, key: sku, prompt: '{{ title }}'}}\n", {"d.csv": "sku,title\nA,x\n"}
    )
    assert "did you mean row.title" in found[0].detail


def test_a_failing_template_is_told_a_few_times_and_not_for_every_row(tmp_path: Path) -> None:
    rows = "k\n" + "".join(f"r{number}\n" for number in range(500))
    found = problems(tmp_path, "assets: {p: {for_each: d.csv, key: k, prompt: '{{ row.x }}'}}\n", {"d.csv": rows})
    assert 1 <= len(found) <= 5


def test_a_column_called_items_is_the_cell(tmp_path: Path) -> None:
    found = drafts(tmp_path, "assets: {p: {for_each: d.csv, key: k, prompt: '{{ row.items }} {{ row.keys }}'}}\n",
                   {"d.csv": "k,items,keys\nA,x,y\n"})  # fmt: skip
    assert found["p[A]"].prompt == "x y"


def test_includes_see_the_row_and_imports_do_not_change_it(tmp_path: Path) -> None:
    files = {
        "d.csv": "k,t\nA,lamp\nB,chair\n",
        "templates/p.j2": "{% include 'part.j2' %}{% set n = (n|default('')) ~ row.k %} {{ n }}",
        "templates/part.j2": "a {{ row.t }}",
    }
    found = drafts(tmp_path, "assets: {p: {for_each: d.csv, key: k, template: p.j2}}\n", files)
    assert [draft.prompt for draft in found.values()] == ["a lamp A", "a chair B"], "nothing is carried to the next row"


def test_a_missing_template_names_the_nearest(tmp_path: Path) -> None:
    files = {"templates/product.j2": "x", "templates/p.j2": "{% import 'produkt.j2' as p %}"}
    assert problems(tmp_path, "assets: {a: {template: produkt.j2}}\n", files)[0].hint == "did you mean product.j2?"
    found = problems(tmp_path, "assets: {a: {template: p.j2}}\n", files)
    assert found[0].code == "template.missing"
    assert "did you mean 'product.j2'" in found[0].detail


@pytest.mark.parametrize("name", ["../x.j2", "/etc/passwd", "..\\x.j2", "a/../../x.j2"])
def test_templates_are_looked_for_in_their_folder_only(tmp_path: Path, name: str) -> None:
    files = {"templates/p.j2": f"{{% include {name!r} %}}", "x.j2": "secret"}
    assert codes(tmp_path, "assets: {a: {template: p.j2}}\n", files) == ["template.forbidden"]
    assert codes(tmp_path, f"assets: {{a: {{template: '{name}'}}}}\n", files) == ["path.outside_project"]


def test_a_template_that_is_a_link_out_of_the_project_is_not_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside.j2"
    outside.write_text("the secret")
    project = tmp_path / "project"
    write(project, {"templates/a.j2": "x", "manifests/m.yaml": "assets: {a: {template: b.j2}}\n"})
    (project / "templates/b.j2").symlink_to(outside)
    assert codes(project, "assets: {a: {template: b.j2}}\n") == ["template.not_regular"]


def test_where_has_to_be_true_or_false(tmp_path: Path) -> None:
    files = {"d.csv": "k,on\nA,no\nB,yes\n"}
    found = problems(tmp_path, "assets: {p: {for_each: d.csv, key: k, where: row.on, prompt: x}}\n", files)
    assert found[0].code == "template.not_bool"
    assert list(
        drafts(tmp_path, "assets: {p: {for_each: d.csv, key: k, where: '{{ row.on == \"yes\" }}', prompt: x}}\n", files)
    ) == ["p[B]"]


def test_where_that_leaves_nothing_is_an_error(tmp_path: Path) -> None:
    files = {"d.csv": "k,on\nA,no\n"}
    assert codes(
        tmp_path, "assets: {p: {for_each: d.csv, key: k, where: \"row.on == 'yes'\", prompt: x}}\n", files
    ) == ["data.empty"]


def test_a_runaway_asset_is_named_though_others_are_fine(tmp_path: Path) -> None:
    loop = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"
    found = problems(tmp_path, f"assets:\n  fine: {{prompt: '{{{{ 1 }}}}'}}\n  wild:\n    prompt: '{loop}'\n")
    assert [(problem.code, problem.place) for problem in found] == [("template.limit", "manifests/m.yaml:4:13")]
    assert '"wild"' in found[0].detail


def test_a_project_without_templates_needs_no_child(tmp_path: Path) -> None:
    write(tmp_path, {"manifests/m.yaml": "assets: {a: {prompt: x}}\n"})
    renderer = Renderer()
    os.kill(renderer._process.pid, 9)
    assert len(load_project(tmp_path, variables={}, renderer=renderer).drafts) == 1


def test_a_child_that_is_killed_is_an_error_and_not_a_hang(tmp_path: Path) -> None:
    write(tmp_path, {"manifests/m.yaml": "assets: {a: {prompt: '{{ 1 }}'}}\n"})
    renderer = Renderer()
    os.kill(renderer._process.pid, 9)
    with pytest.raises(Exception, match="template takes too much"):
        load_project(tmp_path, variables={}, renderer=renderer)


def test_the_child_sees_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with Renderer() as renderer:
        environment = Path(f"/proc/{renderer._process.pid}/environ")
        if not environment.exists():
            pytest.skip("needs /proc")
        found, until = b"", time.monotonic() + 10
        while not found and time.monotonic() < until:  # empty for a moment after the child's start
            found = environment.read_bytes()
        assert b"sk-secret" not in found
        assert b"PYTHONHASHSEED=0" in found


@pytest.mark.parametrize(
    "said", [b"nonsense\n", b"[1]\n", b'{"job": 1, "errors": 5}\n', b'{"start": "x"}\n', b"half a line"]
)
def test_nonsense_from_the_child_is_an_end_and_not_a_crash(said: bytes) -> None:
    with Renderer() as renderer:
        read, write_end = os.pipe()
        os.write(write_end, said)
        os.close(write_end)
        assert renderer._process.stdout is not None
        renderer._process.stdout.close()
        renderer._process.stdout = os.fdopen(read, "rb")
        renderer._process.kill()
        assert isinstance(next(iter(renderer.answers())), Died)


@given(st.text(max_size=40))
def test_any_text_is_a_template_or_is_left_alone(text: str) -> None:
    from imagebatch.manifest.templating import needs_rendering

    assert needs_rendering(text) == any(mark in text for mark in ("{{", "{%", "{#"))


def test_all_texts_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagebatch.manifest.templating.ANSWER_BASE", 1000)
    monkeypatch.setattr("imagebatch.manifest.templating.ANSWER_PER_VARIANT", 0)
    assert codes(tmp_path, "assets: {a: {prompt: \"{{ 'x' * 5000 }}\"}}\n") == ["template.limit"]


def test_numbers_are_shown_as_written(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "assets: {p: {for_each: d.json, key: k, vars: {w: 1.50}, "
        "prompt: '{{ row.v }} {{ row.v * 2 }} {{ vars.w }}'}}\n",
        {"d.json": '[{"k": 1.0, "v": 1.10}, {"k": 2e0, "v": 3}]'},
    ).drafts
    assert [(draft.address, draft.prompt) for draft in found] == [("p[1.0]", "1.10 2.2 1.50"), ("p[2e0]", "3 6 1.50")]


@given(
    st.text(st.characters(codec="utf-8", categories=("L", "N", "Zs")), max_size=10),
    st.one_of(st.text("ab é", max_size=5), st.integers(), st.just(1.5), st.booleans(), st.none(), st.just([1])),
)
def test_the_short_way_renders_as_the_long_way(text: str, value: Any) -> None:
    def end(source: str) -> str:
        worker = render_child.Worker(None)
        context = {"row": {"a": value}, "range": range}
        try:
            return str(worker._compile("text", source)(context))
        except render_child.Refused as error:
            return error.code

    short = f"{text}{{{{ row.a }}}}{text}"
    assert render_child._SIMPLE.fullmatch(short)
    assert end(short) == end(short + "{# the long way #}")


@pytest.mark.parametrize("source", ["{{ range|string }}", "{{ range ~ '' }}", "{{ ([1]|map('string'))|string }}"])
def test_an_object_that_was_turned_into_text_is_refused(tmp_path: Path, source: str) -> None:
    assert codes(tmp_path, f'assets: {{a: {{prompt: "{source}"}}}}\n') == ["template.not_text"]


def test_a_job_of_many_templates_gets_the_time_to_compile_them(tmp_path: Path) -> None:
    assets = "".join(f"  a{number}: {{prompt: 'fox {number} {{{{ asset|upper }}}}'}}\n" for number in range(300))
    assert len(drafts(tmp_path, "assets:\n" + assets)) == 300


def test_variables_may_use_each_other_in_any_order_and_no_prompt_holds_the_text_of_a_template(tmp_path: Path) -> None:
    body = """
assets:
  h:
    prompt: "{{ vars.a }} {{ vars.list|join('+') }} {{ vars.d.y }}"
    vars:
      a: "{{ vars.b }}!"
      b: "{{ vars['c'] }}?"
      c: "{{ ax }}"
      list: ["{{ vars.a }}", "{{ vars.other[0] }}"]
      other: ["{{ ax }}2"]
      d: {x: "{{ ax }}", y: "<{{ vars.d.x }}>"}
    matrix: {ax: [1.10]}
"""
    assert drafts(tmp_path, body)["h[ax=1.10]"].prompt == "1.10?! 1.10?!+1.102 <1.10>"


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ("{a: '{{ vars.b }}', b: '{{ vars.a }}'}", "template.cycle"),
        ("{a: '{{ vars.a }}'}", "template.cycle"),
        ("{a: '{% for k in vars %}{{ vars[k] }}{% endfor %}'}", "template.undefined"),
    ],
)
def test_variables_that_need_themselves_are_refused(tmp_path: Path, variables: str, code: str) -> None:
    assert codes(tmp_path, f"assets: {{h: {{prompt: 'x', vars: {variables}}}}}\n") == [code]


def test_where_and_key_see_rendered_variables_and_none_that_an_axis_sets(tmp_path: Path) -> None:
    body = """
assets:
  h:
    for_each: data/t.csv
    key: "{{ vars.head }}-{{ row.id }}"
    where: "vars.season == 'spring' and vars.head == 'a-x'"
    vars: {head: "{{ row.cat }}-x", season: spring, shown: "{{ ax }}"}
    matrix: {ax: [{id: one, vars: {season: winter}}, two]}
    prompt: "{{ vars.season }} {{ vars.shown }}"
"""
    found = drafts(tmp_path, body, {"data/t.csv": "id,cat\n1,a\n2,b\n"})
    assert {address: draft.prompt for address, draft in found.items()} == {
        "h[a-x-1,ax=one]": "winter one",
        "h[a-x-1,ax=two]": "spring two",
    }


def test_a_whole_expression_may_yield_several_tags(tmp_path: Path) -> None:
    body = "assets: {h: {for_each: data/t.json, key: id, prompt: p, tags: [all, '{{ row.tags }}', '{{ row.n }}']}}\n"
    table = '[{"id": "a", "tags": ["x", "y"], "n": 1.50}, {"id": "b", "tags": [], "n": 2}]'
    found = drafts(tmp_path, body, {"data/t.json": table})
    assert found["h[a]"].tags == ("all", "x", "y", "1.50")
    assert found["h[b]"].tags == ("all", "2")


@pytest.mark.parametrize(
    "expression",
    [
        "{{ 'a' if candidate == 1 else 'b' }}",
        "{{ candidate | int }}",
        "{{ '%02d' % candidate }}",
        "{{ '{:02d}'.format(candidate) }}",
        "{% if ext != 'png' %}x{% endif %}",
        "{{ ext | length }}",
        "{{ candidate | first }}",
        "{{ candidate * 2 }}",
    ],
)
def test_nothing_can_be_decided_by_what_is_known_only_after_the_drawing(tmp_path: Path, expression: str) -> None:
    body = f"""
assets:
  a: {{prompt: x, pick: all, output: "o/{expression}-{{{{ candidate }}}}.{{{{ ext }}}}"}}
"""
    (found,) = problems(tmp_path, body)
    assert (found.code, found.line) == ("template.later", 3)


@pytest.mark.parametrize(
    "expression",
    [
        "{{ candidate }}",
        "{{ asset ~ '-' ~ candidate }}",
        "{{ [asset, candidate] | join('-') }}",
        "{{ '%s' % candidate }}",
    ],
)
def test_candidate_may_be_put_into_any_text_of_a_path(tmp_path: Path, expression: str) -> None:
    found = drafts(tmp_path, f'assets: {{a: {{prompt: x, pick: all, output: "o/{expression}.png"}}}}\n')
    assert CANDIDATE_MARK in found["a"].outputs[0].path


def test_a_stand_in_as_the_name_of_something_is_reported_and_kills_nothing(tmp_path: Path) -> None:
    body = """assets: {a: {prompt: x, output: "o/{{ {'1': 'x'}[candidate] }}.png"}}\n"""
    assert codes(tmp_path, body) == ["template.undefined"]


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("{{ variant }}", "in output paths only"),
        ("{{ candidate }}", "in output paths only"),
        ("{{ env.HOME }}", "no environment"),
        ("{{ now() }}", "no clock"),
    ],
)
def test_names_that_people_look_for_here_are_explained(tmp_path: Path, expression: str, told: str) -> None:
    (found,) = problems(tmp_path, f'assets: {{a: {{prompt: "{expression}"}}}}\n')
    assert (found.code, told in found.detail) == ("template.undefined", True), found.detail


def test_one_equals_sign_in_a_condition_is_explained(tmp_path: Path) -> None:
    body = "assets: {a: {prompt: x, for_each: a.csv, key: k, where: \"row.k = '1'\"}}\n"
    (found,) = problems(tmp_path, body, {"a.csv": "k\n1\n"})
    assert "equal is written ==" in found.detail


def test_a_whole_expression_whose_if_has_no_else_is_empty_text_as_it_is_inside_a_text(tmp_path: Path) -> None:
    body = """
vars: {mist: "{{ 'in mist' if season == 'autumn' }}"}
assets:
  park:
    prompt: "a park {{ vars.mist }}"
    matrix: {season: [spring, autumn]}
    metadata: {mist: "{{ 5 if season == 'autumn' }}"}
"""
    found = drafts(tmp_path, body)
    assert [(one.prompt, one.metadata) for one in found.values()] == [
        ("a park in mist", {"mist": 5}),
        ("a park", {"mist": ""}),
    ]


def test_a_file_that_an_output_path_takes_in_knows_what_output_paths_know(tmp_path: Path) -> None:
    body = """
assets:
  a: {prompt: x, matrix: {s: [1]}, output: "o/{% include 'name.j2' %}"}
  b: {prompt: x, matrix: {s: [1]}, output: "o/{% from 'say.j2' import named with context %}{{ named('b') }}.png"}
"""
    files = {
        "templates/name.j2": "{{ variant }}-a.{{ ext }}",
        "templates/say.j2": "{% macro named(what) %}{{ what }}-{{ variant }}{% endmacro %}",
    }
    found = drafts(tmp_path, body, files)
    assert [one.outputs[0].path for one in found.values()] == [f"o/1-a.{EXT_MARK}", "o/b-1.png"]


@pytest.mark.parametrize("where", ["row.n > 3", "row.n + 1 == 4", "range(row.n)", "row.n + 1.50 > 2"])
def test_a_cell_that_is_taken_for_a_number_is_told_in_words(tmp_path: Path, where: str) -> None:
    body = f"assets: {{a: {{prompt: x, for_each: d.csv, key: k, where: '{where}'}}}}\n"
    (found,) = problems(tmp_path, body, {"d.csv": "k,n\nA,3\n"})
    assert found.detail.startswith("text stands where a number is needed")
    assert "TypeError" not in found.detail


def test_a_macro_that_sees_no_variables_is_told_how_it_can(tmp_path: Path) -> None:
    files = {"templates/m.j2": "{% macro mood() %}{{ vars.mood }}{% endmacro %}"}
    body = "vars: {mood: calm}\nassets: {a: {prompt: \"{% import 'm.j2' as m %}{{ m.mood() }}\"}}\n"
    (found,) = problems(tmp_path, body, files)
    assert "vars is undefined in an imported macro; pass it on, or write {% import … with context %}" in found.detail
    fine = body.replace("as m %}", "as m with context %}")
    assert drafts(tmp_path, fine, files)["a"].prompt == "calm"


@pytest.mark.parametrize(
    ("asset", "place", "meant"),
    [
        ('{prompt: "{season} garden", matrix: {season: [spring]}}', "manifests/m.yaml:1:22", "season"),
        ('{prompt: x, vars: {mood: calm}, alt: "so { mood }"}', "manifests/m.yaml:1:50", "vars.mood"),
        ('{prompt: "{sku} x", for_each: t.csv, key: sku}', "manifests/m.yaml:1:22", "row.sku"),
        ('{prompt: "{row.sku} x", for_each: t.csv, key: sku}', "manifests/m.yaml:1:22", "row.sku"),
        ('{prompt: x, output: "o/{asset}.png"}', "manifests/m.yaml:1:33", "asset"),
        ('{prompt: x, output: "o/x.{ext}.png"}', "manifests/m.yaml:1:33", "ext"),
        ('{prompt: x, tags: [a, "{q}"], matrix: {q: [b]}}', "manifests/m.yaml:1:35", "q"),
        ("{template: t.j2, matrix: {q: [b]}}", "templates/t.j2:2:6", "q"),
    ],
)
def test_single_braces_around_a_known_name_are_warned_of(tmp_path: Path, asset: str, place: str, meant: str) -> None:
    files = {"t.csv": "sku\nA\n", "templates/t.j2": "{{ q }}\n and {q}\n"}
    (warning,) = load(tmp_path, f"assets: {{a: {asset}}}\n", files).warnings
    assert (warning.code, warning.place) == ("manifest.not_rendered", place)
    assert str(warning.hint).startswith(f"write {{{{ {meant} }}}}, or ")


@pytest.mark.parametrize(
    "prompt",
    [
        "{other} garden",
        "a set like {a, b}",
        "{{ '{q}' }} stays",
        "{% raw %}{q}{% endraw %}",
        "{# {q} #} x",
        "{{ q }}",
        "{ext}",
        "{}",
    ],
)
def test_other_single_braces_are_nobodys_business(tmp_path: Path, prompt: str) -> None:
    body = f'assets: {{a: {{prompt: "{prompt}", matrix: {{q: [b]}}}}}}\n'
    assert load(tmp_path, body).warnings == ()
