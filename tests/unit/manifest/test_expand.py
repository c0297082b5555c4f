"""Matrix, include and exclude, as GitHub Actions reads them; addresses and slugs."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebatch.manifest.expand import AxisPoint
from imagebatch.manifest.keys import make_addresses, make_slugs, tell_apart
from imagebatch.manifest.paths import check_component, fold
from imagebatch.model.address import parse_address, render_address
from tests.unit.manifest.projects import codes, drafts, load, problems

TEXT = st.text(min_size=1, max_size=12).filter(lambda text: text.strip() and text.isprintable())


def _asset(body: str) -> str:
    return f"assets:\n  a:\n    prompt: x\n{body}"


def test_include_joins_fits_and_else_stands_alone(tmp_path: Path) -> None:
    # The worked example of GitHub's documentation, by its rules.
    found = drafts(
        tmp_path,
        _asset(
            "    matrix: {fruit: [apple, pear], animal: [cat, dog]}\n"
            "    include:\n"
            "      - {color: green}\n"
            "      - {color: pink, animal: cat}\n"
            "      - {fruit: apple, shape: circle}\n"
            "      - {fruit: banana}\n"
            "      - {fruit: banana, animal: cat}\n"
        ),
    )
    assert set(found) == {
        "a[animal=cat,color=pink,fruit=apple,shape=circle]",
        "a[animal=dog,color=green,fruit=apple,shape=circle]",
        "a[animal=cat,color=pink,fruit=pear]",
        "a[animal=dog,color=green,fruit=pear]",
        "a[fruit=banana]",
        "a[animal=cat,fruit=banana]",
    }


def test_include_without_a_matrix_is_a_list_of_combinations(tmp_path: Path) -> None:
    assert set(drafts(tmp_path, _asset("    include: [{s: x}, {s: y, t: z}]\n"))) == {"a[s=x]", "a[s=y,t=z]"}


def test_exclude_takes_partial_matches_out(tmp_path: Path) -> None:
    found = drafts(tmp_path, _asset("    matrix: {s: [1.10, 2], t: [x, y]}\n    exclude: [{s: 1.10, t: x}, {s: 2}]\n"))
    assert list(found) == ["a[s=1.10,t=y]"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("    matrix: {s: [x]}\n    exclude: [{z: x}]\n", "manifest.unknown_key"),
        ("    matrix: {s: [x]}\n    exclude: [{s: y}]\n", "manifest.range"),
        ("    matrix: {s: [x]}\n    exclude: [{s: x}]\n", "plan.empty_axis"),
        ("    matrix: {s: [x]}\n    exclude: [{}]\n", "manifest.required"),
        ("    matrix: {s: [x, x]}\n", "manifest.duplicate_value"),
        ("    matrix: {s: [1, '1']}\n", "manifest.duplicate_value"),
        ("    matrix: {s: [{a: 1}]}\n", "manifest.type"),
        ("    matrix: {s: [[1]]}\n", "manifest.type"),
        ("    matrix: {s: [null]}\n", "manifest.type"),
        ("    matrix: {row: [x]}\n", "manifest.id"),
        ("    matrix: {'a-b': [x]}\n", "manifest.id"),
        ('    matrix: {s: ["a\\u200bb"]}\n', "manifest.id"),
        ("    matrix: {s: [{id: x, matrix: {}}]}\n", "manifest.unknown_key"),
        ("    matrix: {s: [{id: x, retries: true}]}\n", "manifest.type"),
        ("    include: [{s: x}, {s: x}]\n", "manifest.duplicate_value"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, body: str, code: str) -> None:
    assert codes(tmp_path, _asset(body)) == [code]


def test_a_product_is_bounded_before_it_is_built_and_exclude_counts(tmp_path: Path) -> None:
    files = {"imagebatch.yaml": "version: 1\ndefaults: {provider: all-images}\nbrakes: {max_variants: 6}\n"}
    matrix = "    matrix: {s: [1, 2, 3], t: [1, 2, 3]}\n"
    assert codes(tmp_path, _asset(matrix), files) == ["plan.too_many"]
    assert len(drafts(tmp_path, _asset(matrix + "    exclude: [{s: 1}]\n"), files)) == 6
    assert codes(tmp_path, _asset(matrix + "    exclude: [{s: 1, t: 1}]\n"), files) == ["plan.too_many"]
    two = "assets:\n  a: {prompt: x, matrix: {s: [1, 2, 3, 4]}}\n  b: {prompt: x, matrix: {s: [1, 2, 3, 4]}}\n"
    assert codes(tmp_path, two, files) == ["plan.too_many"]


def test_an_unknown_setting_on_an_axis_value_gets_its_place_and_the_nearest_name(tmp_path: Path) -> None:
    found = problems(tmp_path, _asset("    matrix:\n      s:\n        - {id: x, provder: y}\n"))
    assert (found[0].place, found[0].hint) == ("manifests/m.yaml:6:19", "did you mean provider?")


def test_a_true_axis_value_can_be_asked_for_and_not_printed(tmp_path: Path) -> None:
    body = "assets:\n  a: {prompt: \"{{ 'sketch' if draft else 'photo' }}\", matrix: {draft: [true, false]}}\n"
    assert {a: d.prompt for a, d in drafts(tmp_path, body).items()} == {
        "a[draft=false]": "photo",
        "a[draft=true]": "sketch",
    }
    assert "template.not_text" in codes(tmp_path, "assets: {a: {prompt: '{{ draft }}', matrix: {draft: [true]}}}\n")


@given(keys=st.lists(TEXT, min_size=1, max_size=4, unique=True), values=st.lists(TEXT, max_size=3, unique=True))
def test_fast_addresses_are_the_addresses_of_the_grammar(keys: list[str], values: list[str]) -> None:
    combos = [{"s": AxisPoint(text=value, value=value)} for value in values] or [{}]
    made = make_addresses("asset", keys, combos)
    expected = [
        render_address("asset", key, {axis: point.text for axis, point in combo.items()})
        for key in keys
        for combo in combos
    ]
    assert made == expected
    assert [str(parse_address(address)) for address in made] == made


@given(keys=st.lists(TEXT, min_size=1, max_size=5, unique=True), values=st.lists(TEXT, max_size=3, unique=True))
def test_slugs_are_file_names_and_tell_variants_apart(keys: list[str], values: list[str]) -> None:
    combos = [{"s": AxisPoint(text=value, value=value)} for value in values] or [{}]
    addresses = make_addresses("asset", keys, combos)
    slugs = tell_apart(make_slugs("asset", keys, combos, addresses), addresses)
    assert len({fold(slug) for slug in slugs}) == len(addresses)
    for slug in slugs:
        check_component(slug, slug)


def test_ordinary_slugs_are_readable() -> None:
    combos = [{"angle": AxisPoint(text="front", value="front")}]
    assert make_slugs("p", ["LMP-001"], combos, make_addresses("p", ["LMP-001"], combos)) == ["LMP-001-front"]
    assert make_slugs("hero", None, [{}], ["hero"]) == ["hero"]
    assert make_slugs("p", ["CON"], [{}], ["p[CON]"])[0].startswith("CON-")


def test_a_slug_that_is_not_its_key_carries_a_hash_whatever_other_rows_there_are() -> None:
    alone = make_slugs("p", ["a b"], [{}], make_addresses("p", ["a b"], [{}]))
    both = make_slugs("p", ["a b", "a_b"], [{}], make_addresses("p", ["a b", "a_b"], [{}]))
    assert both == [alone[0], "a_b"]
    assert alone[0].startswith("a_b-")


def test_an_include_that_joins_a_value_keeps_the_settings_that_the_value_carries(tmp_path: Path) -> None:
    body = """
assets:
  h:
    prompt: p
    matrix: {e: [{id: mj, params: {chaos: 5, weather: sunny}}, {id: z, params: {chaos: 6}}]}
    include: [{e: mj, q: high}, {e: {id: z, params: {stylize: 9}}}]
"""
    found = drafts(tmp_path, body)
    assert found["h[e=mj,q=high]"].params == {"chaos": 5, "weather": "sunny"}
    assert found["h[e=z]"].params == {"chaos": 6, "stylize": 9}


def test_default_paths_of_values_with_and_without_settings_never_collide(tmp_path: Path) -> None:
    body = """
assets:
  h:
    prompt: p
    matrix: {e: [{id: a, params: {chaos: 5}}, a-b], q: [b-c, c]}
"""
    paths = [draft.outputs[0].path for draft in drafts(tmp_path, body).values()]
    assert len(set(paths)) == 4


def test_an_axis_value_may_have_output_files_of_its_own(tmp_path: Path) -> None:
    body = """
assets:
  h:
    prompt: p
    output: "o/{{ a }}.png"
    matrix: {a: [{id: 1, outputs: [{path: "x/{{ a }}.webp", width: 10}]}, 2]}
"""
    found = drafts(tmp_path, body)
    assert [(spec.path, spec.width) for draft in found.values() for spec in draft.outputs] == [
        ("x/1.webp", 10),
        ("o/2.png", None),
    ]


def test_a_combination_that_stands_alone_takes_what_the_matrix_says_of_its_values(tmp_path: Path) -> None:
    body = """
assets:
  h:
    prompt: p
    matrix: {e: [{id: gpt, provider: openai, params: {size: s1, n: 2}}, {id: mj}], q: [low]}
    include:
      - {e: gpt, q: high}
      - {e: {id: gpt, params: {n: 4}}, q: top}
"""
    found = drafts(tmp_path, body)
    assert found["h[e=gpt,q=high]"].policy.provider == "openai"
    assert found["h[e=gpt,q=high]"].params == {"size": "s1", "n": 2}
    assert found["h[e=gpt,q=top]"].params == {"size": "s1", "n": 4}
    assert found["h[e=mj,q=low]"].policy.provider == "all-images"


def test_exclude_finds_a_value_in_any_form_of_unicode(tmp_path: Path) -> None:
    body = 'assets: {a: {prompt: x, matrix: {drink: ["caf\u00e9", tea]}, exclude: [{drink: "cafe\u0301"}]}}\n'
    assert list(drafts(tmp_path, body)) == ["a[drink=tea]"]


def test_a_wrong_name_of_an_axis_is_told_where_the_name_stands(tmp_path: Path) -> None:
    body = """
assets:
  a: {prompt: x, matrix: {row: [1]}}
  b: {prompt: x, matrix: {season: [spring, autumn]}, exclude: [{saeson: spring}]}
"""
    found = problems(tmp_path, body)
    assert [one.place for one in found] == ["manifests/m.yaml:3:27", "manifests/m.yaml:4:65"]


def test_an_axis_value_that_looks_like_a_template_is_warned_of_and_stays_as_it_is(tmp_path: Path) -> None:
    body = 'assets: {a: {prompt: "{{ hue }}", matrix: {hue: [red, "{{ vars.hue }}"]}, include: [{hue: "{% x %}"}]}}\n'
    loaded = load(tmp_path, body)
    assert {draft.prompt for draft in loaded.drafts} == {"red", "{{ vars.hue }}", "{% x %}"}
    assert [(one.code, one.column) for one in loaded.warnings] == [
        ("manifest.not_rendered", 55),
        ("manifest.not_rendered", 91),
    ]


def test_entries_of_exclude_that_name_different_axes_each_leave_out_what_they_fit(tmp_path: Path) -> None:
    body = """
assets:
  a:
    prompt: x
    matrix: {b: [1, 2, 3], c: [x, y]}
    exclude: [{c: x, b: 1}, {b: 3}, {b: 2, c: y}, {c: x, b: 3}]
"""
    assert list(drafts(tmp_path, body)) == ["a[b=1,c=y]", "a[b=2,c=x]"]
