"""A key never shows, in whatever form it would be printed."""

import base64
import io
import json
from urllib.parse import quote

import pytest

from imagebatch.cli.masking import Masks
from imagebatch.cli.screen import Screen

KEY = "sk-l/ve+0123456789abcdef=="


@pytest.mark.parametrize(
    "form",
    [
        KEY,
        quote(KEY, safe=""),
        quote(KEY, safe="").lower(),
        json.dumps(KEY),
        *(base64.b64encode(b"u:"[:offset] + KEY.encode()).decode() for offset in range(3)),
        base64.b64encode(b"user:" + KEY.encode() + b"@tail").decode(),
        base64.urlsafe_b64encode(KEY.encode()).decode(),
    ],
)
def test_every_form_of_a_key_is_masked(form: str) -> None:
    found = Masks.of([KEY]).over(f"authorization: Bearer {form} end")
    assert "***" in found
    assert form not in found
    assert found.startswith("authorization: Bearer ")
    assert found.endswith(" end")


def test_short_values_are_left_alone() -> None:
    assert Masks.of(["abc", ""]).over("abc abc") == "abc abc"


def test_usual_variables_are_masked_without_a_project() -> None:
    masks = Masks.of_variables((), {"OPENAI_API_KEY": KEY, "HOME": "/home/someone"})
    assert masks.over(f"{KEY} /home/someone") == "*** /home/someone"


def test_the_screen_masks_both_streams_and_json() -> None:
    out, err = io.StringIO(), io.StringIO()
    screen = Screen(out=out, err=err, masks=Masks.of([KEY]))
    screen.data(f"{KEY}\n")
    screen.json_line(json.dumps({"key": KEY}))
    screen.say(KEY)
    screen.error(KEY)
    assert KEY not in out.getvalue() + err.getvalue()
    assert err.getvalue() == "***\n***\n"


def test_no_printed_line_is_a_log_command() -> None:
    out = io.StringIO()
    Screen(out=out, err=io.StringIO()).data("plan\n::add-mask::x\n\n ::y\n")
    assert not any(line.lstrip().startswith("::") for line in out.getvalue().splitlines())
