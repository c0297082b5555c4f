"""`picks.yaml` there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebatch.errors import ManifestError
from imagebatch.manifest.picks import decode_picks, encode_picks
from imagebatch.model.address import render_address
from imagebatch.model.picks import Pick, Picks
from imagebatch.model.settings import Redo

HASH = st.integers(0, 2**256 - 1).map(lambda number: f"sha256:{number:064x}")
WORDS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=30)
ADDRESS = st.builds(lambda key: render_address("hero", key, {}), WORDS)
USE = st.lists(HASH, min_size=1, max_size=3, unique=True).map(tuple)
PICK = st.builds(Pick, for_draw=HASH, use=USE, was=st.sampled_from(["pick", "accept", "restore"]))
REDO = st.builds(Redo, attempt=st.integers(1, 99), note=st.none() | WORDS, add=st.none() | WORDS)


@given(
    st.builds(Picks, picks=st.dictionaries(ADDRESS, PICK, max_size=3), redo=st.dictionaries(ADDRESS, REDO, max_size=3))
)
def test_what_is_written_is_read_back(picks: Picks) -> None:
    text = encode_picks(picks)
    assert decode_picks(text) == picks
    assert encode_picks(decode_picks(text)) == text


def test_the_file_is_one_line_a_decision_sorted_by_address() -> None:
    draw, picture = "sha256:" + "a" * 64, "sha256:" + "b" * 64
    picks = Picks(
        picks={
            "icon[sword]": Pick(for_draw=draw, use=(picture,)),
            "icon[crown]": Pick(for_draw=draw, use=(picture,), was="file", file="art/crown.png"),
        },
        redo={"icon[axe]": Redo(attempt=2, note="more gold", add="heavier, more gold")},
    )
    assert encode_picks(picks).split("\n")[1:] == [
        "version: 1",
        "picks:",
        f'  "icon[crown]": {{for: "{draw}", file: "art/crown.png", use: ["{picture}"], was: file}}',
        f'  "icon[sword]": {{for: "{draw}", use: ["{picture}"], was: pick}}',
        "redo:",
        '  "icon[axe]": {attempt: 2, note: "more gold", add: "heavier, more gold"}',
        "",
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("version: 2\n", "manifest.version"),
        ("picks: {}\n", "manifest.required"),
        ("version: 1\npicks: {'a[': {for: sha256:%s, use: [sha256:%s]}}\n", "manifest.address"),
        ("version: 1\npicks: {'a[y=1,x=2]': {for: sha256:%s, use: [sha256:%s]}}\n", "manifest.address"),
        ("version: 1\npicks: {a: {for: sha256:%s, use: [], was: accept}}\n", "manifest.range"),
        ("version: 1\npicks: {a: {for: sha256:%s, use: [sha256:%s], was: file}}\n", "manifest.required"),
        (
            "version: 1\npicks: {a: {for: sha256:%s, use: [sha256:%s], was: file, file: ../x.png}}\n",
            "path.outside_project",
        ),
        ("version: 1\nredo: {a: {attempt: 0}}\n", "manifest.range"),
        ("version: 1\npicks: {a: {fro: x}}\n", "manifest.unknown_key"),
        ("", "manifest.empty"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(text: str, code: str) -> None:
    with pytest.raises(ManifestError) as caught:
        decode_picks(text.replace("%s", "a" * 64))
    assert code in [problem.code for problem in caught.value.problems]
