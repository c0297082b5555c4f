"""The file that a gallery's page saves is hostile text like any other."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebatch.errors import PlanError
from imagebatch.review.decisions import decode_decisions

DRAW = "sha256:" + "d" * 64
PICTURE = "sha256:" + "a" * 64


def saved(*decisions: object, **more: object) -> bytes:
    head = {"format": "imagebatch-picks", "format_version": "1.0", "lineage": "f" * 32}
    return json.dumps({**head, "decisions": list(decisions), **more}).encode()


def test_picks_and_rejections_are_read() -> None:
    found = decode_decisions(
        saved(
            {"address": "a", "for": DRAW, "use": [PICTURE]},
            {"address": "b[x=1]", "for": DRAW, "seen": [PICTURE], "reject": " warmer\nplease "},
        ),
        path="p.json",
    )
    assert found.lineage == "f" * 32
    assert [(one.address, one.pictures, one.rejected, one.note) for one in found.made] == [
        ("a", (PICTURE,), False, ""),
        ("b[x=1]", (PICTURE,), True, "warmer\nplease"),
    ]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "Expecting value"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"format": NaN}', "no JSON number"),
        (b"[]", "not an object"),
        (b'{"format":"x"}', "its format is 'x'"),
        (b'{"format":"imagebatch-picks","format":"imagebatch-picks"}', "twice"),
        (saved(format_version="2.0"), "reads 1.x"),
        (saved(format_version=1), "has to be a text"),
        (saved(lineage=7), "lineage has to be a text"),
        (saved(decisions={}), "has to be a list"),
        (saved(more="rm"), "more is not known"),
        (saved("a"), "decision 1 is not an object"),
        (saved({"address": "a", "for": DRAW}), "either use or reject"),
        (saved({"address": "a", "for": DRAW, "use": [PICTURE], "reject": "x"}), "either use or reject"),
        (saved({"address": "a", "for": DRAW, "use": []}), "at least one"),
        (saved({"address": "a", "for": DRAW, "use": [PICTURE, PICTURE]}), "none of them twice"),
        (saved({"address": "a", "for": DRAW, "use": ["../../etc"]}), "by its hash"),
        (saved({"address": "a", "for": DRAW, "use": [7]}), "list of texts"),
        (saved({"address": "a", "for": DRAW, "reject": ""}), "seen has to name at least one"),
        (saved({"address": "a", "for": "x", "use": [PICTURE]}), "64 hex digits"),
        (saved({"address": "a", "for": DRAW, "reject": "\x1b[2J"}), "control characters"),
        (saved({"address": "a", "for": DRAW, "reject": "x" * 2001}), "2000 characters"),
        (
            saved({"address": "a", "for": DRAW, "seen": [PICTURE], "reject": "", "__proto__": 1}),
            "__proto__ is not known",
        ),
        (saved(*[{"address": "a", "for": DRAW, "seen": [PICTURE], "reject": ""}] * 2), "decided twice"),
    ],
)
def test_what_is_no_such_file_is_refused_with_one_sentence(data: bytes, says: str) -> None:
    with pytest.raises(PlanError, match="not a file of picks") as caught:
        decode_decisions(data, path="p.json")
    assert says in caught.value.detail
    assert caught.value.path == "p.json"
    assert "Nothing was written" in caught.value.detail


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from([DRAW, PICTURE]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["address", "for", "use", "reject", "format", "decisions", "x"]), inner)
    ),
    max_leaves=8,
)


@given(st.binary(max_size=200) | _values.map(lambda one: json.dumps(one).encode()) | _values.map(saved))
def test_whatever_it_holds_it_is_read_or_refused(data: bytes) -> None:
    try:
        found = decode_decisions(data, path="p.json").made
    except PlanError:  # and nothing else
        found = ()
    assert all(one.pictures for one in found)
