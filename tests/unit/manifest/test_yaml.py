"""The loader reads YAML 1.2 core scalars and keeps places; it builds nothing that is not small."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebatch.errors import ManifestError, Problem
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.written import show
from imagebatch.manifest.yaml import parse_yaml

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")))
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3)
)


def _root(text: str) -> Any:
    findings = Findings()
    document = parse_yaml(text, "m.yaml", findings)
    findings.check()
    assert document is not None
    return document.root


def _refused(text: str) -> Problem:
    findings = Findings()
    assert parse_yaml(text, "m.yaml", findings) is None
    with pytest.raises(ManifestError) as caught:
        findings.check()
    (problem,) = caught.value.problems
    return problem


@given(st.dictionaries(st.text("abc", min_size=1), VALUES, min_size=1, max_size=4))
def test_json_is_yaml(value: dict[str, Any]) -> None:
    assert _root(json.dumps(value, ensure_ascii=False)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("On", "On"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("16:9", "16:9"),
        ("12:30:00", "12:30:00"),
        ("2026-01-02", "2026-01-02"),
        ("1_000", "1_000"),
        ("0", 0),
        ("0.5", 0.5),
        ("-3", -3),
        ("1e3", 1000.0),
        ("0x1F", 31),
        ("0o17", 15),
        ("0b11", "0b11"),
        (".5", 0.5),
        ("1.", 1.0),
        ("=", "="),
        ("1.2.3", "1.2.3"),
        ("007a", "007a"),
        ("+", "+"),
        ("-", [None]),
        ("'007'", "007"),
        ("v1", "v1"),
    ],
)
def test_scalars_follow_the_core_rules(text: str, value: Any) -> None:
    assert _root(f"a: {text}\n" if text != "-" else "a:\n  -\n")["a"] == value


@pytest.mark.parametrize("text", ["007", "-01", "00", "01.5", ".nan", "-.inf", ".INF", "1e999", "9" * 500])
def test_numbers_that_could_be_two_things_or_none_are_refused(text: str) -> None:
    findings = Findings()
    parse_yaml(f"a: {text}\n", "m.yaml", findings)
    assert findings.failed


@pytest.mark.parametrize("text", ["1.10", "+5", "1e3", "0x1F", "1.0", "10", "0.30"])
def test_numbers_are_shown_as_written(text: str) -> None:
    assert show(_root(f"a: {text}\n")["a"]) == text


def test_merge_keys_give_way_to_written_keys_and_earlier_merges() -> None:
    root = _root("x: &x {a: 1, b: 1, c: 1}\ny: &y {b: 2, c: 2, d: 2}\nz: {a: 0, <<: [*x, *y]}\nw: {<<: *x}\n")
    assert root["z"] == {"a": 0, "b": 1, "c": 1, "d": 2}
    assert root["w"] == {"a": 1, "b": 1, "c": 1}


def test_a_quoted_merge_sign_is_a_key() -> None:
    assert _root("a: {'<<': 1}\n") == {"a": {"<<": 1}}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: *b\n", "manifest.syntax"),
        ("a: &a [*a]\n", "manifest.too_complex"),
        ("? [a]\n: b\n", "manifest.syntax"),
        ("a: {<<: 1}\n", "manifest.type"),
        ("%TAG ! tag:x,2000:\n---\na: 1\n", "manifest.tag_not_allowed"),
        ("a: ! x\n", "manifest.tag_not_allowed"),
        ("a: 'x\n", "manifest.syntax"),
        ("a: \x07\n", "manifest.control_char"),
        ("a: b\x85c\n", "manifest.control_char"),
        ('a: "\\u202e"\n', "manifest.control_char"),
        ("---\n---\na: 1\n", "manifest.multiple_documents"),
        ("{a: 1, a: 2}", "manifest.duplicate_key"),
        ("1: a\n'1': b\n", "manifest.duplicate_key"),
    ],
)
def test_what_is_not_plain_data_is_refused(text: str, code: str) -> None:
    findings = Findings()
    parse_yaml(text, "m.yaml", findings)
    assert code in {problem.code for problem in findings._errors}


def test_places_are_those_of_keys_and_values() -> None:
    findings = Findings()
    document = parse_yaml("a:\n  - b: ü\n    c: d\n", "m.yaml", findings)
    assert document is not None
    value, key = document.place(("a", 0, "c")), document.place(("a", 0, "c"), key=True)
    assert ((value.line, value.column), (key.line, key.column)) == ((3, 8), (3, 5))
    assert document.place(("a", 5)).line == 2


@given(st.text(max_size=60))
def test_no_text_makes_the_loader_fall_over(text: str) -> None:
    findings = Findings()
    document = parse_yaml(text, "m.yaml", findings)
    assert document is not None or findings.failed


@pytest.mark.parametrize("text", ["a: {[b, c]: d}", "a: {? {b: c} : d}", "x: &n 5\na: {*n : d}"])
def test_a_key_that_is_no_text_is_not_taken_for_a_template_without_quotes(text: str) -> None:
    assert _refused(text).summary == "key is not text"


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ('a:\n  b: "{{ c }}" in snow\n', "m.yaml:2:16", "the text goes on behind its closing quote"),
        ("a:\n  b: 'it's'\n", "m.yaml:2:10", "a text in '…' ends at the next '"),
        ("a:\n  b: 'it' is\n", "m.yaml:2:11", "the text goes on behind its closing quote"),
        ("a:\n  b: 1\n   c: 2\n", "m.yaml:3:5", "indent all keys of one mapping alike"),
        ("a:\n  b: a fox: red\n", "m.yaml:2:11", "quote a text that holds a colon"),
        ("a: *fox*\n", "m.yaml:1:8", "quote a text that starts with *"),
    ],
)
def test_a_slip_of_the_pen_gets_a_hint_that_fits(text: str, place: str, hint: str) -> None:
    problem = _refused(text)
    assert (problem.code, problem.place) == ("manifest.syntax", place)
    assert hint in (problem.hint or "")


def test_a_quote_that_never_closes_is_told_where_it_opens() -> None:
    problem = _refused('a:\n  b: "red fox\n  c: snow\n')
    assert (problem.summary, problem.place) == ("quote never closes", "m.yaml:2:6")
