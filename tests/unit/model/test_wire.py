"""Strict JSON from a stranger."""

import pytest

from imagebatch.model.wire import BadAnswer, parse_json


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("depth", [33, 900, 5000, 200_000])
def test_an_answer_that_is_nested_too_deep_is_refused(opening: str, closing: str, depth: int) -> None:
    with pytest.raises(BadAnswer, match="nested more than 32 deep"):
        parse_json((opening * depth + "1" + closing * depth).encode())


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_the_allowed_depth_is_read(opening: str, closing: str) -> None:
    assert parse_json((opening * 32 + "1" + closing * 32).encode())


def test_brackets_inside_texts_are_no_depth() -> None:
    assert parse_json(b'["' + b"[" * 100 + b'"]') == ["[" * 100]


@pytest.mark.parametrize("body", [b'{"a": 1, "a": 2}', b"[NaN]", b"[1", b"\xff", b"[" + b"9" * 401 + b"]"])
def test_what_is_no_strict_json_is_refused(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        parse_json(body)
