"""The table that money hangs on, error texts, ids and Retry-After."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebatch.model.canonical import Json
from imagebatch.model.wire import Answer, BadAnswer, Redirected, Unreachable
from imagebatch.providers.answers import (
    classify_create,
    clean_text,
    path_id,
    read_error,
    read_json,
    refusal,
    refusal_in_success,
    safe_id,
)
from imagebatch.providers.base import Refused, Unclear
from imagebatch.providers.scripted import json_answer, text_answer

DATE = "Wed, 21 Oct 2026 07:27:00 GMT"


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 413, 415, 422])
def test_a_status_that_says_so_is_a_refusal(status: int) -> None:
    assert classify_create(status) == "refused"
    found = refusal(json_answer({"message": "no"}, status))
    assert isinstance(found, Refused)
    assert found.wait_s is None


def test_a_read_that_is_redirected_says_so_and_names_the_host_only() -> None:
    moved = Answer(status=307, headers={"location": "https://other.example/v1?key=secret"}, body=b"")
    with pytest.raises(
        Redirected, match=r"a redirect to other\.example, which no key follows; correct base_url"
    ) as told:
        read_json(moved, "the list")
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("status", [425, 429])
def test_too_early_and_too_many_may_be_sent_again(status: int) -> None:
    assert classify_create(status) == "wait"
    found = refusal(json_answer({}, status, {"retry-after": "7"}))
    assert isinstance(found, Refused)
    assert found.wait_s == 7
    assert found.stops is None


def test_a_429_without_a_time_leaves_the_back_off_to_the_engine() -> None:
    found = refusal(json_answer({}, 429))
    assert isinstance(found, Refused)
    assert found.wait_s == 0.0


@pytest.mark.parametrize(
    "status", [100, 101, 408, 409, 410, 418, 424, 451, 499, 500, 502, 503, 504, 520, 599, 600, 999]
)
def test_anything_that_is_not_listed_is_unclear(status: int) -> None:
    assert classify_create(status) == "unclear"
    assert isinstance(refusal(json_answer({"message": "no"}, status)), Unclear)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 399])
def test_a_redirect_is_refused_and_names_the_host_only(status: int) -> None:
    answer = Answer(status=status, headers={"location": "https://evil.example/path?sig=secret"}, body=b"")
    found = refusal(answer)
    assert isinstance(found, Refused)
    assert found.stops == "redirect"
    assert "evil.example" in found.failure.message
    assert "base_url" in found.failure.message
    assert "secret" not in found.failure.message


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_a_success_is_accepted(status: int) -> None:
    assert classify_create(status) == "accepted"


@pytest.mark.parametrize(
    ("status", "body", "kind", "stops"),
    [
        (401, {"message": "nope"}, "rejected", "auth"),
        (402, {"message": "no credit"}, "no_credit", "no_credit"),
        (403, {"error": "Invalid API key"}, "rejected", "auth"),
        (403, {"statusCode": 403, "error": "Forbidden", "message": "Forbidden resource"}, "rejected", "auth"),
        (403, {"error": {"message": "Your organization must be verified to use the model"}}, "rejected", "auth"),
        (403, {"error": "403 content violation detected"}, "blocked", None),
        (404, {"message": "Cannot POST /v1/x"}, "rejected", "path"),
        (405, {}, "rejected", "path"),
        (413, {}, "rejected", None),
        (422, {"message": ["format must be one of"]}, "rejected", None),
        (400, {"error": {"message": "x", "code": "moderation_blocked"}}, "blocked", None),
        (400, {"error": "400 Your request was rejected as a result of our safety system."}, "blocked", None),
        (400, {"error": {"message": "limit", "code": "billing_hard_limit_reached"}}, "no_credit", "no_credit"),
        (429, {"error": {"message": "quota", "code": "insufficient_quota"}}, "no_credit", "no_credit"),
        (429, {"error": {"message": "quota", "type": "insufficient_quota"}}, "no_credit", "no_credit"),
    ],
)
def test_the_kind_of_a_refusal_and_what_it_stops(status: int, body: Json, kind: str, stops: str | None) -> None:
    found = refusal(json_answer(body, status))
    assert isinstance(found, Refused)
    assert (found.failure.kind, found.stops) == (kind, stops)


def test_an_empty_quota_is_not_waited_for() -> None:
    found = refusal(json_answer({"error": {"code": "insufficient_quota", "message": "x"}}, 429, {"retry-after": "3"}))
    assert isinstance(found, Refused)
    assert found.wait_s is None


def test_the_link_of_a_402_is_kept_as_text() -> None:
    body: Json = {"error": {"type": "NOT_ENOUGH", "message": "no credit", "link": "https://evil.example/pay"}}
    found = refusal(json_answer(body, 402))
    assert isinstance(found, Refused)
    assert found.link == "https://evil.example/pay"
    assert found.failure.provider_code == "NOT_ENOUGH"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"statusCode": 400, "error": "Bad Request", "message": ["a must be x", "b too"]}, "a must be x; b too"),
        ({"statusCode": 400, "error": "Bad Request", "message": "a"}, "a"),
        ({"statusCode": 400, "error": "Bad Request"}, "Bad Request"),
        ({"error": '"prompt" is required'}, '"prompt" is required'),
        ({"error": {"message": "parser"}}, "parser"),
        ({"code": "forbidden", "error": "not authorized"}, "not authorized"),
        ({"detail": "Not Found"}, "Not Found"),
        ({"detail": [{"msg": "field required"}]}, "field required"),
        ("plain", "plain"),
        ({"nothing": 1}, '{"nothing": 1}'),
        ({}, ""),
        ([], ""),
    ],
)
def test_error_words_are_found_in_every_seen_shape(body: Json, message: str) -> None:
    assert read_error(json_answer(body, 400)).message == message


def test_the_field_that_a_fastapi_server_refuses_is_named() -> None:
    size: Json = {"type": "missing", "loc": ["body", "size"], "msg": "Field required"}
    inner: Json = {"type": "int_parsing", "loc": ["body", "options", 0, "steps"], "msg": "Input should be an integer"}
    both = read_error(json_answer({"detail": [size, inner]}, 422))
    assert both.message == "size: Field required; options.0.steps: Input should be an integer"
    assert both.param is None
    assert read_error(json_answer({"detail": [size]}, 422)).param == "size"


def test_an_html_error_is_read_without_its_tags() -> None:
    page = "<!DOCTYPE html><html><style>p{}</style><body><pre>Cannot POST /api/x</pre></body></html>"
    assert read_error(text_answer(page, 404)).message == "Cannot POST /api/x"


def test_an_error_of_a_megabyte_is_cut() -> None:
    assert len(read_error(json_answer({"message": "x" * 1_000_000}, 400)).message) == 500


def test_lone_surrogates_become_text_that_can_be_written() -> None:
    message = read_error(Answer(status=400, headers={}, body=b'{"message":"a \\ud800 b"}')).message
    assert message.encode() == b"a ? b"


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({"error": {"message": "insufficient credits"}}, True),
        ({"statusCode": 400, "error": "Bad Request", "message": ["x"]}, True),
        ({"statusCode": 500, "error": "Internal Server Error", "message": "x"}, False),
        ({"error": {"message": "x", "type": "server_error"}}, False),
        ({"error": "text"}, False),
        ({"error": {}}, False),
        ({"error": None, "message": "fine"}, False),
        ({"message": "created"}, False),
        ([], False),
        ({}, False),
    ],
)
def test_only_a_spelled_out_refusal_in_a_200_is_one(body: Json, refused: bool) -> None:
    assert (refusal_in_success(body) is not None) is refused


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("6f0c-1", "6f0c-1"),
        (17, "17"),
        (10**150, str(10**150)),
        ("a" * 200, "a" * 200),
        ("a" * 201, None),
        (1e21, None),
        (1.0, None),
        (True, None),
        (None, None),
        ("", None),
        ("../../x", None),
        ("..", None),
        ("a/b", None),
        ("a\\b", None),
        ("a%2fb", None),
        ("a b", None),
        ("a\n", None),
        ("ａ", None),
        (-5, None),
        ({"$oid": "x"}, None),
        (["x"], None),
    ],
)
def test_ids_are_short_safe_text(value: Json, text: str | None) -> None:
    assert safe_id(value) == text


def test_an_unsafe_id_never_enters_a_path() -> None:
    with pytest.raises(BadAnswer, match="is not one that this provider hands out"):
        path_id("../../x")


@given(st.text(max_size=300))
def test_a_safe_id_has_no_character_that_means_something_in_a_path(text: str) -> None:
    found = safe_id(text)
    assert found is None or not set(found) & set("/\\?#% \t\r\n")


@given(st.text(max_size=700))
def test_cleaned_text_is_one_line_that_can_be_encoded(text: str) -> None:
    cleaned = clean_text(text)
    assert len(cleaned) <= 500
    assert cleaned.encode().decode() == cleaned
    assert len(cleaned.splitlines()) <= 1


@pytest.mark.parametrize("status", [301, 401, 402, 403, 408, 425, 429, 500, 503])
def test_a_read_that_may_work_later_is_unreachable_now(status: int) -> None:
    with pytest.raises(Unreachable, match=str(status)):
        read_json(json_answer({}, status), "the list")


@pytest.mark.parametrize(("status", "said"), [(401, "the key was refused"), (403, "access was refused")])
def test_a_read_with_a_refused_key_says_what_to_look_at(status: int, said: str) -> None:
    with pytest.raises(Unreachable, match=rf"the list: {said} \({status}\): nope; check the variable that api_key"):
        read_json(json_answer({"message": "nope"}, status), "the list")


@pytest.mark.parametrize("status", [400, 404, 409, 422])
def test_a_read_that_will_not_work_later_is_a_bad_answer(status: int) -> None:
    with pytest.raises(BadAnswer, match=f"the list: answered {status}"):
        read_json(json_answer({}, status), "the list")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        ("0", 1),
        ("999999999", 999_999_999),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 60),
        ("Wed, 21 Oct 2026 07:28:00 -0000", 60),
        ("Wed Oct 21 07:28:00 2026", 60),
        ("-5", 0),
        ("1.5", 0),
        ("1e9", 0),
        ("nan", 0),
        ("1_0", 0),
        ("１２", 0),
        ("3, 5", 0),
        ("", 0),
        ("Fri, 31 Dec 99999 23:59:59 GMT", 0),
    ],
)
def test_the_wait_is_what_the_provider_named_or_nothing(text: str, seconds: float) -> None:
    found = refusal(json_answer({}, 429, {"retry-after": text, "date": DATE}))
    assert isinstance(found, Refused)
    assert found.wait_s == seconds


def test_a_date_without_the_servers_own_clock_names_no_wait() -> None:
    found = refusal(json_answer({}, 429, {"retry-after": "Wed, 21 Oct 2099 07:28:00 GMT"}))
    assert isinstance(found, Refused)
    assert found.wait_s == 0
