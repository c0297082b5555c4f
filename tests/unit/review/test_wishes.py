"""What a served page asks for, and all that is no such thing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebatch.review.wishes import MAX_WISH_BYTES, decode_wish

PICTURE = "sha256:" + "7" * 64
DECISION = {"address": "hero", "for": "sha256:" + "1" * 64, "use": [PICTURE]}


def read(**fields: object) -> object:
    return decode_wish(json.dumps(fields).encode())


def test_each_kind_of_wish() -> None:
    picked = decode_wish(json.dumps({"version": "v", "decision": DECISION}).encode())
    assert picked.decision is not None
    assert (picked.address, picked.version, picked.decision.pictures) == ("hero", "v", (PICTURE,))
    for on in (True, False):
        protect = decode_wish(json.dumps({"version": "v", "address": "hero", "protect": on}).encode())
        assert (protect.protect, protect.undo) == (on, False)
    assert decode_wish(b'{"version": "v", "address": "hero", "undo": true}').undo


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"version": "v"},
        {"version": 7, "decision": DECISION},
        {"version": "v" * 65, "decision": DECISION},
        {"version": "v", "address": "hero"},
        {"version": "v", "address": "hero", "undo": False},
        {"version": "v", "address": "hero", "undo": True, "protect": True},
        {"version": "v", "address": "hero", "protect": "yes"},
        {"version": "v", "address": "hero", "undo": True, "more": 1},
        {"version": "v", "decision": DECISION, "undo": True},
        {"version": "v", "decision": {**DECISION, "use": ["../x"]}},
        {"version": "v", "decision": {**DECISION, "use": []}},
        {"version": "v", "decision": {**DECISION, "reject": "\x1b[31m"}},
        {"version": "v", "decision": [DECISION]},
    ],
)
def test_what_is_no_wish(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"(?s)."):
        read(**fields)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_wish_or_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"(?s)."):
        decode_wish(data)


def test_a_wish_has_a_size() -> None:
    with pytest.raises(ValueError, match="over 64 KiB"):
        decode_wish(b" " * (MAX_WISH_BYTES + 1))
