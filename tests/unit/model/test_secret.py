"""The forms in which a key could come back."""

import base64
import json
from urllib.parse import quote

import pytest

from imagebatch.model.secret import key_forms

KEY = 'sk-a/b+c%d=é"12345'


@pytest.mark.parametrize("text", [KEY, quote(KEY), quote(KEY, safe=""), json.dumps(KEY), f"https://h/{quote(KEY)}?x"])
def test_a_key_is_known_in_addresses_and_json(text: str) -> None:
    assert any(form in text for form in key_forms(KEY))


@pytest.mark.parametrize("offset", range(5))
def test_a_key_is_known_inside_base64_at_any_offset(offset: int) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(b"." * offset + KEY.encode() + b"....").decode()
        assert any(form in text for form in key_forms(KEY))


def test_a_short_value_has_no_forms() -> None:
    assert not key_forms("abc")


def test_ordinary_text_holds_no_form() -> None:
    assert not any(form in "a fox in the snow, 1024x1024" for form in key_forms(KEY))
