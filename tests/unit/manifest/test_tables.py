"""Tables become rows with lines; whatever could be read in two ways is refused."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebatch.manifest.tables import glob_matches
from tests.unit.manifest.projects import codes, drafts, load, problems, write


def _asset(path: str, *, key: str = "k", extra: str = "") -> str:
    return f"assets: {{p: {{for_each: {path}, key: {key}, prompt: 'a {{{{ row.t }}}}'{extra}}}}}\n"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("d.csv", "k,t\nA,lamp\nB,chair\n"),
        ("d.csv", 'k,t\r\n"A","lamp"\r\n\r\nB,chair'),
        ("d.tsv", "k\tt\nA\tlamp\nB\tchair\n"),
        ("d.json", '[{"k": "A", "t": "lamp"},\n {"k": "B", "t": "chair"}]'),
        ("d.jsonl", '{"k": "A", "t": "lamp"}\n\n{"k": "B", "t": "chair"}\n'),
        ("d.yaml", "- {k: A, t: lamp}\n- k: B\n  t: chair\n"),
    ],
)
def test_every_kind_of_table_gives_the_same_rows(tmp_path: Path, path: str, text: str) -> None:
    found = drafts(tmp_path, _asset(path), {path: text})
    assert {address: draft.prompt for address, draft in found.items()} == {"p[A]": "a lamp", "p[B]": "a chair"}


def test_rows_know_their_lines_even_behind_cells_with_line_ends(tmp_path: Path) -> None:
    found = drafts(tmp_path, _asset("d.csv"), {"d.csv": 'k,t\nA,"two\nlines"\nB,x\n'})
    assert [draft.row for draft in found.values()] == ["d.csv:2", "d.csv:4"]
    found = drafts(tmp_path, _asset("d.json"), {"d.json": '[\n\n{"k": "A", "t": "x"},\n{"k": "B",\n "t": "y"}]'})
    assert [draft.row for draft in found.values()] == ["d.json:3", "d.json:4"]


@pytest.mark.parametrize(
    ("path", "text", "code"),
    [
        ("d.json", '{"k": "A"}', "data.type"),
        ("d.json", "[1]", "data.type"),
        ("d.json", '[{"k": "A",}]', "data.syntax"),
        ("d.json", '[{"k": "A"},]', "data.syntax"),
        ("d.json", '[{"k": "A"} {"k": "B"}]', "data.syntax"),
        ("d.json", '[{"k": "A"}] x', "data.syntax"),
        ("d.json", "[", "data.syntax"),
        ("d.json", '[{"k": "A", "k": "B"}]', "data.duplicate_key"),
        ("d.json", '[{"k": "A", "t": NaN}]', "data.type"),
        ("d.json", '[{"k": "A", "t": 1e999}]', "data.type"),
        ("d.json", '[{"k": "A", "t": "\\u0000"}]', "data.control_char"),
        ("d.json", '[{"k": "A", "t": "\\ud800"}]', "data.encoding"),
        ("d.json", "[" * 100, "data.too_deep"),
        ("d.jsonl", '{"k": "A"} {"k": "B"}', "data.syntax"),
        ("d.jsonl", '{"k": ' + "[" * 100, "data.too_deep"),
        ("d.yaml", "k: A\n", "data.type"),
        ("d.yaml", "- {k: A, k: B}\n", "data.duplicate_key"),
        ("d.csv", "", "data.empty"),
        ("d.csv", "k,\nA,x\n", "data.column_name"),
        ("d.csv", "k,t\nA,x\nA,y\n", "data.duplicate_key"),
        ("d.csv", "q,t\nA,x\n", "data.key_column"),
        ("d.csv", 'k,t\nA,"x"y\n', "data.syntax"),
        ("d.csv", "<<<<<<< HEAD\nk,t\n=======\nk,u\n>>>>>>> b\n", "data.conflict_markers"),
        ("d.txt", "k\nA\n", "data.format"),
        ("gone.csv", None, "data.missing"),
        ("../d.csv", None, "path.outside_project"),
    ],
)
def test_what_is_not_strictly_a_table_is_refused(tmp_path: Path, path: str, text: str | None, code: str) -> None:
    assert codes(tmp_path, _asset(path), {} if text is None else {path: text}) == [code]


def test_equal_keys_name_both_rows(tmp_path: Path) -> None:
    found = problems(tmp_path, _asset("d.csv"), {"d.csv": "k,t\nA,x\nB,y\nA,z\n"})
    assert "rows 2 and 4" in found[0].detail
    assert found[0].place == "d.csv:4:1"


def test_equal_keys_among_rows_that_are_not_taken_do_not_matter(tmp_path: Path) -> None:
    extra = ", where: \"row.t == 'x'\""
    assert list(drafts(tmp_path, _asset("d.csv", extra=extra), {"d.csv": "k,t\nA,x\nA,y\n,z\n"})) == ["p[A]"]


def test_keys_are_columns_or_a_template(tmp_path: Path) -> None:
    files = {"d.csv": "k,t\nA,x\nB,y z\n"}
    assert list(drafts(tmp_path, _asset("d.csv", key="[k, t]"), files)) == ['p["B-y z"]', "p[A-x]"]
    assert list(drafts(tmp_path, _asset("d.csv", key="'{{ row.k }}.{{ row.t|length }}'"), files)) == [
        "p[A.1]",
        "p[B.3]",
    ]


def test_a_table_needs_a_key(tmp_path: Path) -> None:
    assert codes(tmp_path, "assets: {p: {for_each: d.csv, prompt: x}}\n", {"d.csv": "k\nA\n"}) == ["manifest.required"]
    assert codes(tmp_path, "assets: {p: {key: k, where: 'true', prompt: x}}\n") == ["manifest.required"] * 2


def test_a_glob_gives_files_by_their_stems(tmp_path: Path) -> None:
    write(tmp_path, {"art/a.png": "\0", "art/deep/b.png": "\0", "art/c.txt": "x", "art/.hidden.png": "x"})
    found = drafts(
        tmp_path,
        "assets: {p: {for_each: 'art/**/*.png', prompt: 'like {{ row.path }}', references: ['{{ row.path }}']}}\n",
    )
    assert {address: draft.references for address, draft in found.items()} == {
        "p[a]": ("art/a.png",),
        "p[b]": ("art/deep/b.png",),
    }
    loaded = load(tmp_path, "assets: {p: {for_each: 'art/*.png', prompt: x}}\n")
    assert "art/*.png" in loaded.sources
    assert codes(tmp_path, "assets: {p: {for_each: 'art/*.gif', prompt: x}}\n") == ["data.empty"]


def test_globs_match_components() -> None:
    assert glob_matches(["a", "b", "c.png"], ["a", "**", "*.png"])
    assert glob_matches(["a", "c.png"], ["a", "**", "*.png"])
    assert not glob_matches(["a", "b", "c.png"], ["a", "*.png"])
    assert not glob_matches(["a"], ["a", "*"])


def test_a_glob_does_not_follow_a_link_out_of_the_project(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.png").write_text("secret")
    project = tmp_path / "project"
    write(project, {"art/a.png": "x"})
    (project / "art/linked").symlink_to(outside)
    assert list(drafts(project, "assets: {p: {for_each: 'art/**/*.png', prompt: x}}\n")) == ["p[a]"]
    (project / "art/b.png").symlink_to(outside / "x.png")
    assert "path.symlink" in codes(project, "assets: {p: {for_each: 'art/*.png', prompt: x}}\n")


def test_a_pipe_as_a_table_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "d.csv")
    assert codes(tmp_path, _asset("d.csv")) == ["data.not_regular"]


def test_a_table_may_be_larger_than_the_limit_where_few_rows_are_taken(tmp_path: Path) -> None:
    rows = "k,t\n" + "".join(f"r{number},{'x' if number < 3 else 'y'}\n" for number in range(30))
    files = {
        "imagebatch.yaml": "version: 1\ndefaults: {provider: all-images}\nbrakes: {max_variants: 10}\n",
        "d.csv": rows,
    }
    assert codes(tmp_path, _asset("d.csv"), files) == ["plan.too_many"]
    assert len(drafts(tmp_path, _asset("d.csv", extra=", where: \"row.t == 'x'\""), files)) == 3
    assert codes(tmp_path, _asset("d.csv", extra=", where: \"row.t == 'y'\""), files) == ["plan.too_many"]


@pytest.mark.parametrize("key", ["a/b", "..", "a\u200bb", "x" * 201, " "])
def test_keys_that_files_and_addresses_cannot_carry_are_refused(tmp_path: Path, key: str) -> None:
    assert codes(tmp_path, _asset("d.csv"), {"d.csv": f"k,t\n{key},x\n"})[0] in {"manifest.id", "data.key_missing"}


def _matches_plainly(parts: list[str], patterns: list[str]) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return any(_matches_plainly(parts[start:], patterns[1:]) for start in range(len(parts) + 1))
    return bool(parts) and patterns[0] in {parts[0], "*"} and _matches_plainly(parts[1:], patterns[1:])


@given(st.lists(st.sampled_from("ab"), max_size=6), st.lists(st.sampled_from(["a", "b", "*", "**"]), max_size=6))
def test_a_glob_matches_what_its_parts_say(parts: list[str], patterns: list[str]) -> None:
    assert glob_matches(parts, patterns) == _matches_plainly(parts, patterns)


def test_a_glob_of_many_stars_answers_at_once() -> None:
    assert not glob_matches([*"abcdefghijklmnopqrstuvwxyz", "a.png"], ["**", "a*", *["**"] * 12, "*.jpg"])


def test_a_glob_may_start_at_the_folder_itself(tmp_path: Path) -> None:
    write(tmp_path, {"art/fox.png": "x"})
    assert list(drafts(tmp_path, "assets: {p: {for_each: ./art/./*.png, prompt: '{{ row.path }}'}}\n")) == ["p[fox]"]


def test_blank_lines_of_a_table_are_no_rows_and_count_against_no_limit(tmp_path: Path) -> None:
    settings = "version: 1\ndefaults: {provider: all-images}\nbrakes: {max_variants: 3}\n"
    files = {"imagebatch.yaml": settings, "d.csv": "k,t\nA,x\n\n\n\n\nB,y\n"}
    assert list(drafts(tmp_path, _asset("d.csv"), files)) == ["p[A]", "p[B]"]
    (found,) = problems(tmp_path, _asset("d.csv"), {**files, "d.csv": "k,t\n" + "\nA,x\nB,y\nC,x\nD,y\n"})
    assert found.detail == "d.csv has 4 rows; at most 3 are allowed here."
