"""What an outcome means for sending again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebatch.http.retry import backoff_s, certainly_refused, classify, http_date, parse_retry_after

NOW = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize("status", [200, 302, 400, 401, 402, 403, 404, 405, 409, 413, 415, 422, 501, 999])
def test_a_read_is_not_repeated_after_a_lasting_answer(status: int) -> None:
    assert classify("read", status) == "done"


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
@pytest.mark.parametrize("kind", ["read", "change", "buy"])
def test_a_repeatable_call_goes_again_after_a_passing_trouble(kind: str, status: int) -> None:
    assert classify(kind, status) == "again"  # type: ignore[arg-type]  # the parameter is a plain text here


@pytest.mark.parametrize("status", [200, 408, 425, 429, 500, 503, 999])
def test_a_create_is_never_repeated_for_its_status(status: int) -> None:
    assert classify("create", status) == "done"


def test_too_many_requests_pauses_the_provider() -> None:
    assert classify("read", 429) == classify("change", 425) == "pause"


def test_only_the_contracts_statuses_say_that_a_create_was_not_taken() -> None:
    refused = {status for status in range(100, 1000) if certainly_refused(status)}
    assert refused == {400, 401, 402, 403, 404, 405, 413, 415, 422, 425, 429, *range(300, 400)}


@pytest.mark.parametrize(
    "value", ["-5", "1.5", "1e9", "nan", "inf", "1_0", "１２", "3, 5", "", " ", "1234567890", "0x10", "+3", "soon", "٣"]
)
def test_an_illegal_retry_after_says_nothing(value: str) -> None:
    assert parse_retry_after(value, NOW, 0.0) is None


def test_seconds_are_taken_as_they_are_and_at_least_one() -> None:
    assert parse_retry_after("3", None) == 3.0
    assert parse_retry_after("0", None) == 1.0
    assert parse_retry_after("999999999", None) == 999_999_999.0


@pytest.mark.parametrize(
    "value",
    [
        "Wed, 21 Oct 2026 07:28:10 GMT",
        "Wed, 21 Oct 2026 07:28:10 -0000",
        "Wed Oct 21 07:28:10 2026",
        "Wednesday, 21-Oct-26 07:28:10 GMT",
    ],
)
def test_a_date_in_any_form_counts_from_the_answers_own_date(value: str) -> None:
    assert parse_retry_after(value, NOW, 0.0) == 10.0


def test_a_date_without_the_servers_date_counts_from_the_callers_time_or_says_nothing() -> None:
    start = http_date(NOW)
    assert start is not None
    assert parse_retry_after("Wed, 21 Oct 2026 07:28:10 GMT", None, start) == 10.0
    assert parse_retry_after("Wed, 21 Oct 2026 07:28:10 GMT", None) is None


@pytest.mark.parametrize(
    "value", ["Fri, 31 Dec 99999 23:59:59 GMT", "Wed, 21 Oct 2026 07:27:59 GMT", "Wed, 31 Feb 2026 00:00:00 GMT"]
)
def test_a_date_that_is_past_or_none_says_nothing(value: str) -> None:
    assert parse_retry_after(value, NOW, 0.0) is None


@given(st.text(max_size=60))
def test_no_text_crashes_the_parser_or_gives_less_than_a_second(text: str) -> None:
    found = parse_retry_after(text, text, 0.0)
    assert found is None or found >= 1.0


def test_back_off_doubles_up_to_its_cap_and_chance_takes_at_most_half() -> None:
    whole = [backoff_s(number, first_s=0.5, cap_s=4.0, chance=1.0) for number in range(1, 6)]
    half = [backoff_s(number, first_s=0.5, cap_s=4.0, chance=0.0) for number in range(1, 6)]
    assert whole == [0.5, 1.0, 2.0, 4.0, 4.0]
    assert half == [one / 2 for one in whole]
