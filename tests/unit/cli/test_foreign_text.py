"""Text from outside can neither move the cursor, nor reverse a line, nor run a command of a CI."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebatch.cli.views.foreign import json_text, shown, without_log_command


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("failed\rSUCCESS", "failed\\rSUCCESS"),
        ("\x9b2J", "\\x9b2J"),
        ("\x1b]52;c;ZXZpbA==\x07", "\\x1b]52;c;ZXZpbA==\\x07"),
        ("a\u202eb\u2066c", "a\\u202eb\\u2066c"),
        ("two\nlines\tand a tab", "two\\nlines\\tand a tab"),
        ("\x7f\u2028\ufeff", "\\x7f\\u2028\\ufeff"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("hangul\u3164filler", "hangul\\u3164filler"),
        ("Füße, 木, 🦊", "Füße, 木, 🦊"),
        ("12\u00a0EUR", "12 EUR"),
    ],
)
def test_what_cannot_be_seen_becomes_a_visible_escape(text: str, expected: str) -> None:
    assert shown(text) == expected


def test_long_text_is_cut_at_500_characters() -> None:
    assert len(shown("x" * 10_000)) == 500
    assert shown("x" * 10_000).endswith("…")
    assert shown("x" * 500) == "x" * 500


@given(st.text())
def test_shown_text_is_always_one_printable_line(text: str) -> None:
    found = shown(text)
    assert found.isprintable()
    assert len(found.splitlines()) <= 1


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("::add-mask::a", "\\x3a:add-mask::a"),
        ("  \t::stop-commands::t", "  \t\\x3a:stop-commands::t"),
        ("hero: ::add-mask::a", "hero: ::add-mask::a"),
        ("x ##[set-output name=a]b", "x ##\\x5bset-output name=a]b"),
        ("", ""),
    ],
)
def test_no_line_is_a_command_of_github(line: str, expected: str) -> None:
    assert without_log_command(line) == expected


@given(st.text())
def test_json_says_the_same_and_holds_nothing_that_moves_a_cursor(text: str) -> None:
    written = json_text({"value": text})
    assert json.loads(written) == {"value": text}
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) <= 0x9F for char in written)
    assert not any(char in written for char in "\u202a\u202e\u2066\u2069\u200b\u200e\u2028\ufeff")
