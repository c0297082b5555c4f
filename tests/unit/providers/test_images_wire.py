"""Answers of OpenAI-like image APIs: pictures in every shape, and what is none."""

import base64

import pytest

from imagebatch.http.trust import PictureRules, check_picture_url, parse_base
from imagebatch.model.canonical import Json
from imagebatch.model.transfer import DownloadError
from imagebatch.model.wire import Answer, Call
from imagebatch.providers.base import Completed, Offer, Order, Refused, Unclear
from imagebatch.providers.images_wire import (
    decode_base64,
    image_refusal,
    is_missing_route,
    parse_pictures,
    read_entry,
    request_fields,
    send_asking_base64,
)
from imagebatch.providers.scripted import ScriptedWire, json_answer, text_answer

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
TEXT = base64.b64encode(PNG).decode()
LINES = "\r\n".join(TEXT[at : at + 76] for at in range(0, len(TEXT), 76)) + "\n"


def pictures(answer: Answer) -> Completed:
    found = parse_pictures(answer, lambda _: None)
    assert isinstance(found, Completed)
    return found


@pytest.mark.parametrize(
    "entry",
    [
        {"b64_json": TEXT},
        {"b64Json": TEXT},
        {"base64": TEXT},
        {"type": "file", "data": TEXT, "mimeType": "image/png"},
        {"b64_json": LINES},
        {"b64_json": f"data:image/png;base64,{TEXT}"},
        {"url": f"data:image/png;base64,{TEXT}"},
        {"b64_json": TEXT, "url": "https://h/x.png"},
        {"b64_json": "", "url": None, "base64": TEXT},
    ],
)
def test_bytes_are_found_under_every_name(entry: Json) -> None:
    assert read_entry(entry) == Offer(id="", data=PNG)


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"type": "local"},
        {"type": "local", "path": "/etc/passwd"},
        {"url": ""},
        {"url": "data:text/html,x"},
        {"b64_json": "!!!!"},
        {"b64_json": "abc"},
        {"b64_json": 7},
        "text",
        None,
        [],
    ],
)
def test_what_is_no_picture_is_said_and_never_opened(entry: Json) -> None:
    assert isinstance(read_entry(entry), str)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "/relative.png", "//h/x.png", "https://h/" + "a" * 9000])
def test_an_address_of_any_kind_is_handed_on_and_refused_where_all_addresses_are_judged(url: str) -> None:
    offer = read_entry({"url": url})
    assert isinstance(offer, Offer)
    assert offer.url == url
    rules = PictureRules(origin=parse_base("https://h").origin, any_public_host=True)
    with pytest.raises(DownloadError) as error:
        check_picture_url(offer.url, rules)
    assert error.value.kind == "blocked"


@pytest.mark.parametrize(
    ("entry", "offer"),
    [
        ({"b64_json": "!!!!", "url": "https://h/x.png"}, Offer(id="", url="https://h/x.png")),
        ({"b64_json": "!!!!", "base64": TEXT}, Offer(id="", data=PNG)),
    ],
)
def test_a_paid_picture_is_taken_from_where_it_can_be_read(entry: Json, offer: Offer) -> None:
    assert read_entry(entry) == offer


def test_an_address_is_taken_as_it_is() -> None:
    assert read_entry({"type": "url", "url": "https://h/x.png?sig=1"}) == Offer(id="", url="https://h/x.png?sig=1")


def test_base64_is_read_strictly() -> None:
    assert decode_base64("AAAA") == b"\0\0\0"
    assert decode_base64("AA-_") is None
    assert decode_base64("AA AA") == b"\0\0\0"
    assert decode_base64("") is None
    assert decode_base64("AAAA" * 200 + "\n" + "AAAA" * 200) == b"\0" * 1200
    assert decode_base64("AAAA\x00") is None
    assert decode_base64("AA==AAAA") is None
    long = "AAAA" * 100_000
    assert decode_base64(long + "AA==") == b"\0" * 300_001
    assert decode_base64(long + "AA==" + long) is None


def test_six_copies_are_one_picture() -> None:
    entry: Json = {"base64": TEXT, "b64_json": TEXT, "b64Json": TEXT}
    found = pictures(json_answer({"images": [entry], "data": [entry], "model": "dall-e-2"}))
    assert found.offers == (Offer(id="1", data=PNG),)


def test_an_empty_list_does_not_hide_the_pictures_of_the_other() -> None:
    assert len(pictures(json_answer({"data": [], "images": [{"b64_json": TEXT}]})).offers) == 1
    assert len(pictures(json_answer({"data": [{"b64_json": TEXT}], "images": []})).offers) == 1


def test_offers_are_numbered_and_broken_ones_are_told() -> None:
    found = pictures(json_answer({"data": [{"b64_json": TEXT}, {}, {"url": "https://h/2.png"}]}))
    assert [offer.id for offer in found.offers] == ["1", "2"]
    assert found.warnings == ("picture 2 of the answer: holds neither bytes nor an address",)


@pytest.mark.parametrize(
    "body", [{"created": 1, "data": []}, {"images": []}, {"data": [{"type": "local", "path": "/x"}]}]
)
def test_an_answer_without_a_picture_is_complete_and_empty_because_it_may_be_paid(body: Json) -> None:
    assert pictures(json_answer(body)).offers == ()


@pytest.mark.parametrize(
    "answer",
    [
        json_answer({}),
        json_answer({"created": 1}),
        json_answer({"data": None}),
        json_answer({"data": {"b64_json": TEXT}}),
        json_answer("text"),
        json_answer([{"b64_json": TEXT}]),
        text_answer("<html>"),
        text_answer('data: {"error":"x"}\n\n', media_type="text/event-stream"),
        json_answer({"error": {"message": "x"}}, 500),
        json_answer({"error": "x"}, 503),
        Answer(status=200, headers={}, body=b'{"data":[{"b64_json":"AAA'),
    ],
)
def test_an_answer_that_says_nothing_certain_is_in_doubt(answer: Answer) -> None:
    assert isinstance(parse_pictures(answer, lambda _: None), Unclear)


def test_an_error_object_in_a_200_is_a_refusal_only_without_pictures() -> None:
    error: Json = {"message": "no", "type": "invalid_request_error"}
    assert isinstance(parse_pictures(json_answer({"error": error}), lambda _: None), Refused)
    assert isinstance(parse_pictures(json_answer({"error": error, "data": []}), lambda _: None), Refused)
    assert len(pictures(json_answer({"error": error, "data": [{"b64_json": TEXT}]})).offers) == 1


@pytest.mark.parametrize(
    ("answer", "missing"),
    [
        (text_answer("<html><pre>Cannot POST /api/images/generations</pre></html>", 404), True),
        (text_answer("<html><h1>404 Not Found</h1><hr>nginx</html>", 404), True),
        (Answer(status=404, headers={}, body=b""), True),
        (json_answer({"error": "Not Found"}, 404), True),
        (json_answer({"detail": "Not Found"}, 404), True),
        (json_answer({"message": "Cannot POST /v1/x", "error": "Not Found", "statusCode": 404}, 404), True),
        (json_answer({"error": {"message": "Invalid URL (POST /v1/image)"}}, 404), True),
        (text_answer("Method Not Allowed", 405), True),
        (json_answer({"error": "provider ollama model x not found"}, 404), False),
        (json_answer({"error": "no active credentials found for provider openai"}, 404), False),
        (json_answer({"error": {"message": "The model 'x' does not exist", "code": "model_not_found"}}, 404), False),
        (json_answer({"error": "Not Found"}, 400), False),
    ],
)
def test_a_missing_path_is_told_from_a_missing_model(answer: Answer, missing: bool) -> None:
    assert is_missing_route(answer) is missing
    found = image_refusal(answer)
    assert isinstance(found, Refused)
    assert (found.stops == "path") is missing


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "Unknown parameter", "param": "response_format"}},
        {"detail": [{"loc": ["body", "response_format"], "msg": "Extra inputs are not permitted"}]},
        {"detail": [{"loc": ["body", "response_format"], "msg": "Input should be 'url'"}]},
    ],
)
async def test_a_server_that_refuses_response_format_is_asked_without_it_and_remembered(body: Json) -> None:
    asked: list[bool] = []

    def build(*, base64: bool) -> Call:
        asked.append(base64)
        return Call(kind="create", operation="create", method="POST", path="/x")

    wire = ScriptedWire([json_answer(body, 422), json_answer({"data": []}), json_answer({"data": []})])
    await send_asking_base64(wire, build)
    await send_asking_base64(wire, build)
    assert asked == [True, False, False]


@pytest.mark.parametrize(
    "answer",
    [
        json_answer({"error": {"message": "Unknown parameter: 'style'.", "param": "style"}}, 400),
        json_answer({"error": {"message": "response_format is unknown"}}, 500),
        json_answer({"error": {"message": "prompt with the word response_format was blocked"}}, 400),
        json_answer({"detail": [{"loc": ["body", "size"], "msg": "Extra inputs are not permitted"}]}, 422),
    ],
)
async def test_nothing_else_is_ever_sent_twice(answer: Answer) -> None:
    wire = ScriptedWire([answer])
    await send_asking_base64(
        wire, lambda *, base64: Call(kind="create", operation="create", method="POST", path=f"/{base64}")
    )
    assert len(wire.calls) == 1


def test_extra_fields_never_replace_our_own() -> None:
    order = Order(
        token="ib-abcdefghij234567", lineage_tag="ibl-0", name="n", extras={"user": "u"}, count=3,
        body={"model": "m", "prompt": "p", "n": 9, "references": ["sha256:0"], "extra_body": '{"model":"x","cfg":7.5}'},
    )  # fmt: skip
    assert request_fields(order) == {"cfg": 7.5, "model": "m", "prompt": "p", "n": 3, "user": "u"}


def test_a_long_row_of_digits_inside_a_picture_is_no_number() -> None:
    assert pictures(json_answer({"data": [{"b64_json": "0" * 800}]})).offers[0].data == b"\xd3\x4d\x34" * 200


def test_a_number_of_many_digits_is_in_doubt_and_no_crash() -> None:
    body = b'{"data":[],"created":' + b"9" * 5000 + b"}"
    found = parse_pictures(Answer(status=200, headers={}, body=body), lambda _: None)
    assert isinstance(found, Unclear)
    assert "400 digits" in found.why
