"""What a message tells people to do, where YAML's own words or a pattern would leave them alone."""

from pathlib import Path

import pytest

from imagebatch.manifest.project import load_project
from tests.unit.manifest.projects import load, problems, write


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("A fox: in snow", "quote a text that holds a colon and a blank"),
        ("{% if x %}a{% endif %}", "quote values that start with {%"),
        ("{# note #} fox", "quote values that start with {#"),
        ("%foo", "quote a text that starts with %"),
        ("@foo", "quote a text that starts with @"),
        ("*foo", "quote a text that starts with *"),
        ("!wow", "a text that starts with ! has to be quoted"),
    ],
)
def test_prompts_that_are_no_plain_yaml_get_told_to_quote_them(tmp_path: Path, value: str, hint: str) -> None:
    (found,) = problems(tmp_path, f"assets:\n  a:\n    prompt: {value}\n")
    assert found.hint is not None
    assert hint in found.hint
    assert found.line in {3, 4}  # where {# makes the rest a comment, YAML misses it on the next line


def test_a_core_tag_is_named_as_it_is_written(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "assets: {a: {prompt: !!str x}}\n")
    assert found.detail == '"!!str" is a tag; manifests hold plain data.'


def test_settings_of_the_wrong_kind_are_told_how_they_are_written(tmp_path: Path) -> None:
    project = """
version: 1
lineage: xyz
providers:
  p: {type: openai, deadline: 30, max_concurrency: 0}
brakes: {max_cost: 20}
"""
    found = problems(tmp_path, "assets: {}\n", {"imagebatch.yaml": project})
    assert [one.detail for one in found] == [
        "lineage does not have the form of 32 characters, each 0-9 or a-f.",
        "providers.p.deadline has to be a time like 60s, 30m or 2h, with its unit.",
        "providers.p.max_concurrency must be at least 1.",
        "brakes.max_cost must be text, or a list of texts.",
    ]
    assert found[-1].hint == "for example: max_cost: [20 EUR, 10 USD]"


@pytest.mark.parametrize(
    ("manifest", "hint"),
    [
        ("assets:\n  - {id: hero, prompt: x}\n", "assets: {hero: {prompt: A lighthouse}}"),
        ("assets:\n  hero:\n  prompt: x\n", "assets: {hero: {prompt: A lighthouse}}"),
        ("assets:\n  hero: {prompt: x, matrix: [spring]}\n", "matrix: {season: [spring, summer]}"),
        ("assets:\n  hero: {prompt: x, matrix: {season: spring}}\n", "matrix: {season: [spring, summer]}"),
        (
            "assets:\n  hero: {prompt: x, outputs: a.png}\n",
            "outputs: [{path: outputs/hero.webp, width: 800}]",
        ),
        ("assets:\n  hero: {prompt: [x]}\n", 'prompt: "A {{ season }} morning in a city park"'),
    ],
)
def test_a_value_of_the_wrong_kind_is_answered_with_an_example_of_the_right_one(
    tmp_path: Path, manifest: str, hint: str
) -> None:
    assert problems(tmp_path, manifest)[0].hint == f"for example: {hint}"


def test_a_quote_inside_a_quoted_text_is_told_how_it_is_written(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "assets:\n  soup:\n    prompt: 'Grandma's soup'\n")
    assert found.hint == "a text in '…' ends at the next '; write it twice ('') or put the text in \"…\""


def test_cells_of_a_table_that_are_compared_with_numbers_are_told_to_be_text(tmp_path: Path) -> None:
    manifest = "assets: {{a: {{for_each: d.csv, key: k, where: 'row.n {} 4', prompt: x}}}}\n"
    files = {"d.csv": "k,n\na,4\n"}
    (ordered,) = problems(tmp_path, manifest.format(">"), files)
    assert (ordered.code, "row.stock | int" in ordered.detail) == ("template.error", True)
    (equal,) = problems(tmp_path, manifest.format("=="), files)
    hint = "cells of such a table are text: compare row.n | int, or put the number in quotes"
    assert (equal.code, equal.hint) == ("data.empty", hint)


def test_every_text_of_a_provider_may_come_from_the_environment(tmp_path: Path) -> None:
    project = """
version: 1
providers:
  p:
    type: "${TYPE:-openai}"
    rate_limit: ["${RATE:-60/min}"]
    deadline: "${DEADLINE}"
    price: {create: "${PRICE:-1 EUR}"}
"""
    write(tmp_path, {"imagebatch.yaml": project, "manifests/m.yaml": "assets: {}\n"})
    found = load_project(tmp_path, variables={"DEADLINE": "5m", "RATE": "2/s"}).settings.providers["p"]
    assert (found.type, found.rate_limits[0].count, found.deadline_s) == ("openai", 2, 300.0)
    assert str(found.price["create"].currency) == "EUR"


def test_an_unset_variable_is_told_where_it_is_read(tmp_path: Path) -> None:
    project = 'version: 1\nproviders:\n  p:\n    type: "${TYPE}"\n    deadline: "${DEADLINE}"\n'
    body = "assets: {a: {prompt: x, provider: p}}\n"
    found = problems(tmp_path, body, {"imagebatch.yaml": project})
    assert [(one.code, one.line) for one in found] == [("manifest.variable", 4), ("manifest.variable", 5)]


def test_a_variable_of_the_environment_outside_providers_is_warned_of(tmp_path: Path) -> None:
    body = """
x-shared: ["${OUT}"]
vars: {town: "${TOWN:-Rome}"}
assets:
  a: {prompt: "a view of ${TOWN}", tags: ["$5", "${", "{{ vars.town }}"]}
"""
    found = load(tmp_path, body).warnings
    assert [(one.code, one.line) for one in found] == [("manifest.variable", 3), ("manifest.variable", 5)]
    assert '"${TOWN}" stays as it is written' in found[1].detail


def test_files_of_a_glob_with_one_key_are_both_named_at_the_manifest(tmp_path: Path) -> None:
    body = 'assets: {a: {prompt: x, for_each: "art/**/*.png"}}\n'
    (found,) = problems(tmp_path, body, {"art/a.png": "", "art/sub/a.png": ""})
    assert (found.code, found.place) == ("data.duplicate_key", "manifests/m.yaml:1:35")
    assert "art/a.png and for art/sub/a.png" in found.detail
    assert found.hint is not None
    assert "row.path | replace" in found.hint


def test_references_to_an_asset_with_variants_name_one_of_them(tmp_path: Path) -> None:
    body = 'assets: {a: {prompt: x, references: "asset:b"}, b: {prompt: "{{ q }}", matrix: {q: [2, 1]}}}\n'
    (found,) = problems(tmp_path, body)
    assert found.hint == "did you mean asset:b[q=1]?"


def test_a_template_without_its_ending_is_known(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "assets: {a: {template: t}}\n", {"templates/t.j2": "x", "templates/tt.j2": "x"})
    assert found.hint == "did you mean t.j2?"


def test_a_row_with_a_cell_too_many_is_told_of_quotes(tmp_path: Path) -> None:
    manifest = "assets: {a: {for_each: d.csv, key: k, prompt: x}}\n"
    (long,) = problems(tmp_path, manifest, {"d.csv": "k,title\na,Chocolate, dark\n"})
    assert (long.code, long.hint) == ("data.row_width", "put a cell that holds the delimiter in quotes")
    (short,) = problems(tmp_path, manifest, {"d.csv": "k,title\na\n"})
    assert (short.code, short.hint) == ("data.row_width", None)


def test_a_number_too_small_to_hold_is_refused_and_zero_is_not(tmp_path: Path) -> None:
    body = "assets: {a: {prompt: x, metadata: {small: 1e-400, zero: 0.0e-400, tiny: 1e-300}}}\n"
    (found,) = problems(tmp_path, body)
    assert "1e-400 is too small for a number" in found.detail
