"""OpenAI and the servers that speak it: params, prices, requests on the wire."""

import base64
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebatch.errors import ProviderError
from imagebatch.model.canonical import Json, canonical
from imagebatch.model.capabilities import Encoded
from imagebatch.model.money import Money
from imagebatch.model.settings import ProviderSettings
from imagebatch.providers.aigne_hub import AigneHub
from imagebatch.providers.base import Completed, Order, ReferenceImage, Refused
from imagebatch.providers.openai import OpenAI, is_public
from imagebatch.providers.prices import gpt_image_2_tokens
from imagebatch.providers.scripted import ScriptedWire, json_answer

PNG = b"\x89PNG picture"
TEXT = base64.b64encode(PNG).decode()
LOCAL = "http://127.0.0.1:8080/v1"
REFERENCE = ReferenceImage(sha256="sha256:1", filename="logo.png", media_type="image/png", content=PNG)


def adapter(base_url: str | None = None, **options: Json) -> OpenAI:
    return OpenAI(ProviderSettings(alias="oa", type="openai", base_url=base_url, options=options))


def errors(encoded: Encoded) -> list[str]:
    return [problem.name for problem in encoded.problems if problem.severity == "error"]


def warnings(encoded: Encoded) -> list[str]:
    return [problem.name for problem in encoded.problems if problem.severity == "warning"]


def order(**changes: Json) -> Order:
    body: dict[str, Json] = {"model": "gpt-image-2", "prompt": "a fox", "size": "1024x1024", **changes}
    return Order(token="ib-abcdefghij234567", lineage_tag="ibl-0", body=body, extras={"user": "u"}, name="n")


def test_a_whole_request_is_encoded_with_its_price() -> None:
    params: dict[str, Json] = {
        "model": "gpt-image-2", "n": 2, "size": "1024X1024", "quality": "high", "output_format": "jpg",
        "output_compression": "80", "user": "me", "background": "opaque",
    }  # fmt: skip
    found = adapter().encode(params, 0)
    assert found.problems == ()
    assert found.body == {
        "model": "gpt-image-2", "n": 2, "size": "1024x1024", "quality": "high", "output_format": "jpeg",
        "output_compression": 80, "background": "opaque",
    }  # fmt: skip
    assert found.extras == {"user": "me"}
    assert (found.count, found.parts, found.asked_size, found.ext) == (2, 1, (1024, 1024), "jpg")
    assert found.price.basis == "estimated"
    assert found.price.money == Money(amount=Decimal("0.42144"), currency="USD")


def test_one_picture_is_not_written_as_a_number() -> None:
    assert "n" not in adapter().encode({"model": "gpt-image-2", "n": 1}, 0).body


def test_a_missing_model_says_why_there_is_no_default() -> None:
    found = adapter().encode({}, 0)
    assert errors(found) == ["model"]
    assert "retired" in found.problems[0].message
    assert found.problems[0].code == "manifest.no_model"


@pytest.mark.parametrize("model", ["dall-e-2", "dall-e-3", "gpt-image-1"])
def test_a_retired_model_is_an_error_at_openai_and_a_warning_elsewhere(model: str) -> None:
    assert "model" in errors(adapter().encode({"model": model}, 0))
    elsewhere = adapter(LOCAL).encode({"model": model}, 0)
    assert errors(elsewhere) == []
    assert warnings(elsewhere) == ["model"]


@pytest.mark.parametrize("model", ["gpt-image-1.5", "gpt-image-1-mini", "chatgpt-image-latest", "gpt-image-9"])
def test_a_model_that_ends_or_is_unknown_is_a_warning(model: str) -> None:
    found = adapter().encode({"model": model}, 0)
    assert errors(found) == []
    assert warnings(found) == ["model"]


@pytest.mark.parametrize(
    "model", ["gpt-image-2", "gpt-image-2-2026-04-21", "gpt-image-2.5-flare", "gpt-image-2.6-sunburst"]
)
def test_a_live_model_is_fine(model: str) -> None:
    assert adapter().encode({"model": model, "size": "1600x896", "quality": "low"}, 0).problems == ()


@pytest.mark.parametrize(
    ("model", "size", "fine"),
    [
        ("gpt-image-2", "auto", True),
        ("gpt-image-2", "1024x640", True),
        ("gpt-image-2", "1024x624", False),
        ("gpt-image-2", "1025x1024", False),
        ("gpt-image-2", "3072x1024", True),
        ("gpt-image-2", "3088x1024", False),
        ("gpt-image-2", "4096x2048", False),
        ("gpt-image-2", "big", False),
        ("gpt-image-2", "0x0", False),
        ("gpt-image-2", "-1024x1024", False),
        ("gpt-image-1.5", "1024x1024", True),
        ("gpt-image-1.5", "1600x896", False),
        ("gpt-image-2", "99999x99999", False),
    ],
)
def test_sizes_are_checked_by_model(model: str, size: str, fine: bool) -> None:
    found = adapter().encode({"model": model, "size": size}, 0)
    assert ("size" not in errors(found)) is fine
    elsewhere = adapter(LOCAL).encode({"model": model, "size": size}, 0)
    assert ("size" not in errors(elsewhere)) is (size != "99999x99999")


def test_a_size_over_the_tried_ones_is_a_warning() -> None:
    assert warnings(adapter().encode({"model": "gpt-image-2", "size": "3840x2160"}, 0)) == ["size"]


@pytest.mark.parametrize(
    ("params", "name", "code"),
    [
        ({"n": 11}, "n", "manifest.range"),
        ({"n": 0}, "n", "manifest.range"),
        ({"n": True}, "n", "manifest.type"),
        ({"n": 1.5}, "n", "manifest.type"),
        ({"n": "two"}, "n", "manifest.type"),
        ({"quality": "hd"}, "quality", "manifest.range"),
        ({"quality": "xhigh"}, "quality", "manifest.range"),
        ({"style": "vivid"}, "style", "manifest.range"),
        ({"background": "green"}, "background", "manifest.range"),
        ({"background": "transparent", "output_format": "jpeg"}, "background", "manifest.range"),
        ({"output_format": "gif"}, "output_format", "manifest.range"),
        ({"output_compression": 50}, "output_compression", "manifest.range"),
        ({"output_compression": 101, "output_format": "webp"}, "output_compression", "manifest.range"),
        ({"moderation": "off"}, "moderation", "manifest.range"),
        ({"input_fidelity": "high"}, "input_fidelity", "manifest.range"),
        ({"stream": True}, "stream", "manifest.value"),
        ({"mask": "m.png"}, "mask", "manifest.unknown_param"),
        ({"qualty": "high"}, "qualty", "manifest.unknown_param"),
        ({"prompt": "x"}, "prompt", "manifest.unknown_param"),
        ({"size": ["x"]}, "size", "manifest.type"),
    ],
)
def test_what_openai_refuses_is_refused_before_it_is_sent(params: dict[str, Json], name: str, code: str) -> None:
    found = adapter().encode({"model": "gpt-image-2", **params}, 0)
    assert (name, code) in [(problem.name, problem.code) for problem in found.problems if problem.severity == "error"]
    canonical(found.body)


def test_a_misspelt_param_names_the_nearest() -> None:
    found = adapter().encode({"model": "gpt-image-2", "qualty": "high"}, 0)
    assert found.problems[0].hint == "did you mean quality?"


def test_newer_models_have_more_qualities_and_no_known_price() -> None:
    found = adapter().encode({"model": "gpt-image-2.5-flare", "quality": "max", "size": "1024x1024"}, 0)
    assert found.problems == ()
    assert found.price.basis == "unknown"


def test_response_format_is_dropped_with_a_reason() -> None:
    found = adapter().encode({"model": "gpt-image-2", "response_format": "url"}, 0)
    assert [(note.name, note.fate) for note in found.notes] == [("response_format", "dropped"), ("model", "sent")]
    assert found.notes[0].why


@pytest.mark.parametrize(
    ("params", "amount"),
    [
        ({"model": "gpt-image-1.5", "size": "1024x1024", "quality": "medium"}, "0.034"),
        ({"model": "gpt-image-1.5", "size": "1536x1024", "quality": "high", "n": 3}, "0.6"),
        ({"model": "gpt-image-2", "size": "1024x1024", "quality": "high"}, "0.21072"),
        ({"model": "gpt-image-2-2026-04-21", "size": "1024x1024", "quality": "high"}, "0.21072"),
        ({"model": "gpt-image-2", "size": "1024x1024"}, None),
        ({"model": "gpt-image-2", "quality": "high"}, None),
        ({"model": "gpt-image-2", "size": "auto", "quality": "high"}, None),
    ],
)
def test_a_price_is_told_where_it_is_known(params: dict[str, Json], amount: str | None) -> None:
    price = adapter().encode(params, 0).price
    assert price.basis == ("unknown" if amount is None else "estimated")
    assert (price.money.amount if price.money else None) == (Decimal(amount) if amount else None)


def test_the_projects_own_price_counts_for_each_picture() -> None:
    settings = ProviderSettings(
        alias="oa", type="openai", price={"create": Money(amount=Decimal("0.1"), currency="EUR")}
    )
    price = OpenAI(settings).encode({"model": "gpt-image-2", "n": 3}, 0).price
    assert str(price.money) == "0.3 EUR"


@pytest.mark.parametrize(
    ("width", "height", "quality", "tokens"),
    [(1024, 1024, "high", 7024), (1536, 1024, "high", 5488), (1792, 1024, "high", 5063), (3584, 2048, "high", 12329),
     (976, 704, "low", 129), (960, 720, "low", 130)],
)  # fmt: skip
def test_the_token_formula_gives_the_published_points(width: int, height: int, quality: str, tokens: int) -> None:
    assert gpt_image_2_tokens(width, height, quality) == tokens


def test_a_compatible_server_takes_fields_of_its_own_unchanged() -> None:
    found = adapter(LOCAL, extra_body={"steps": 20}).encode({"model": "sd", "seed": 5, "cfg_scale": 7.5}, 0)
    assert errors(found) == []
    assert found.body == {"model": "sd", "extra_body": '{"cfg_scale":7.5,"seed":5,"steps":20}'}
    canonical(found.body)


def test_a_compatible_server_draws_several_pictures_one_by_one() -> None:
    found = adapter(LOCAL).encode({"model": "sd", "n": 3}, 0)
    assert (found.count, found.parts) == (3, 3)
    assert [note.fate for note in found.notes if note.name == "n"] == ["mapped"]
    assert adapter(LOCAL, capabilities={"n": True}).encode({"model": "sd", "n": 3}, 0).parts == 1


BEYOND: list[tuple[dict[str, Json], str]] = [
    ({"n": 11}, "n"),
    ({"size": "1000x1000"}, "size"),
    ({"size": "auto or whatever this server makes of so long a text"}, "size"),
    ({"quality": "ultra"}, "quality"),
    ({"quality": "q" * 200}, "quality"),
    ({"style": "vivid"}, "style"),
    ({"background": "green"}, "background"),
    ({"moderation": "none"}, "moderation"),
    ({"output_format": "gif"}, "output_format"),
    ({"output_format": "avif"}, "output_format"),
    ({"output_compression": 101, "output_format": "webp"}, "output_compression"),
    ({"input_fidelity": "high"}, "input_fidelity"),
]


@pytest.mark.parametrize(("params", "name"), BEYOND)
def test_a_value_beyond_a_models_list_is_an_error_at_the_public_host_only(params: dict[str, Json], name: str) -> None:
    hub = AigneHub(ProviderSettings(alias="hub", type="aigne-hub", base_url="https://hub.example.com"))
    asked: dict[str, Json] = {"model": "gpt-image-1.5", **params}
    assert name in errors(adapter().encode(asked, 0))
    for one in (adapter(LOCAL), hub):
        found = one.encode(asked, 0)
        assert errors(found) == []
        assert name in [problem.name for problem in found.problems]
        assert found.body.get(name) == params[name], "it does not go out as it was written"


@pytest.mark.parametrize("model", ["gpt-image-1.5", "dall-e-3"])
def test_a_prompt_over_a_models_limit_is_an_error_at_the_public_host_only(model: str) -> None:
    prompt = "x" * 32_001
    hub = AigneHub(ProviderSettings(alias="hub", type="aigne-hub", base_url="https://hub.example.com"))
    for one, severity in ((adapter(), "error"), (adapter(LOCAL), "warning"), (hub, "warning")):
        (problem,) = one.check_prompt(prompt, one.encode({"model": model}, 0))
        assert problem.severity == severity


def test_more_pictures_than_a_request_takes_are_said_with_what_goes_out() -> None:
    (split,) = adapter(LOCAL).encode({"model": "sd", "n": 11}, 0).problems
    assert split.message == "11: OpenAI's API takes 1..10 in one request; it goes out as 11 creates of one picture each"
    whole = adapter(LOCAL, capabilities={"n": True}).encode({"model": "sd", "n": 11}, 0)
    assert (whole.parts, whole.count) == (1, 11)
    assert [problem.severity for problem in whole.problems] == ["warning"]
    assert errors(adapter(LOCAL).encode({"model": "sd", "n": 0}, 0)) == ["n"]


def test_a_number_that_is_no_json_is_a_problem_not_a_crash() -> None:
    assert errors(adapter(LOCAL).encode({"model": "sd", "cfg": float("nan")}, 0)) == ["extra_body"]


@pytest.mark.parametrize("prompt", ["", "  ", "x" * 32_001])
def test_a_prompt_that_is_empty_or_too_long_is_an_error(prompt: str) -> None:
    one = adapter()
    assert len(one.check_prompt(prompt, one.encode({"model": "gpt-image-2"}, 0))) == 1


def test_a_prompt_is_measured_by_the_projects_own_limit_elsewhere() -> None:
    one = adapter(LOCAL, capabilities={"max_prompt": 10})
    encoded = one.encode({"model": "sd"}, 0)
    assert one.check_prompt("short", encoded) == ()
    assert one.check_prompt("a prompt that is too long", encoded)[0].severity == "error"


@pytest.mark.parametrize(
    ("base_url", "public"),
    [
        (None, True), ("simulator", True), ("https://api.openai.com/v1", True), (LOCAL, False),
        ("https://api.openai.com.evil.example/v1", False), ("http://[", False),
    ],
)  # fmt: skip
def test_only_openais_own_host_is_strict(base_url: str | None, public: bool) -> None:
    assert is_public(base_url) is public


def test_a_server_of_ones_own_may_want_no_key() -> None:
    assert adapter(LOCAL).capabilities.key_optional
    assert not adapter().capabilities.key_optional


async def test_a_generation_goes_out_as_json_with_the_token_in_its_request_id() -> None:
    wire = ScriptedWire([json_answer({"created": 1, "data": [{"b64_json": TEXT}]})])
    found = await adapter().submit(order(), wire)
    assert isinstance(found, Completed)
    call = wire.calls[0]
    assert (call.kind, call.method, call.path) == ("create", "POST", "/images/generations")
    assert call.json == {"model": "gpt-image-2", "prompt": "a fox", "size": "1024x1024", "user": "u"}
    assert call.headers == {"accept": "application/json", "x-request-id": "ib-abcdefghij234567"}


async def test_references_make_it_a_multipart_edit() -> None:
    wire = ScriptedWire([json_answer({"data": [{"b64_json": TEXT}]})])
    edit = Order(
        token="ib-abcdefghij234567", lineage_tag="ibl-0", name="n", extras={}, references=(REFERENCE, REFERENCE),
        count=2, body={"model": "gpt-image-2", "prompt": "a fox", "n": 2, "output_compression": 80, "references": []},
    )  # fmt: skip
    await adapter().submit(edit, wire)
    call = wire.calls[0]
    assert call.path == "/images/edits"
    assert call.json is None
    assert call.form == {"model": "gpt-image-2", "prompt": "a fox", "n": "2", "output_compression": "80"}
    assert [(part.field, part.filename, part.content) for part in call.files] == [("image[]", "logo.png", PNG)] * 2


async def test_a_compatible_server_is_asked_for_base64() -> None:
    wire = ScriptedWire([json_answer({"data": [{"b64_json": TEXT}]})])
    await adapter(LOCAL).submit(order(), wire)
    assert isinstance(wire.calls[0].json, dict)
    assert wire.calls[0].json["response_format"] == "b64_json"


async def test_the_answers_own_tokens_are_priced() -> None:
    usage: Json = {
        "input_tokens": 350, "output_tokens": 7024, "total_tokens": 7374,
        "input_tokens_details": {"text_tokens": 50, "image_tokens": 300},
    }  # fmt: skip
    wire = ScriptedWire([json_answer({"data": [{"b64_json": TEXT}], "usage": usage})] * 2)
    found = await adapter().submit(order(), wire)
    assert isinstance(found, Completed)
    assert found.cost == Money(amount=Decimal("0.213370"), currency="USD")
    elsewhere = await adapter(LOCAL).submit(order(), wire)
    assert isinstance(elsewhere, Completed)
    assert elsewhere.cost is None


@pytest.mark.parametrize("usage", [None, 7, {}, {"output_tokens": "x"}, {"input_tokens": 1, "output_tokens": -1}])
async def test_a_usage_that_cannot_be_read_is_an_unknown_cost(usage: Json) -> None:
    found = await adapter().submit(order(), ScriptedWire([json_answer({"data": [{"b64_json": TEXT}], "usage": usage})]))
    assert isinstance(found, Completed)
    assert found.cost is None


async def test_a_missing_model_refuses_one_picture_and_a_missing_path_all() -> None:
    model: Json = {
        "error": {"message": "The model 'x' does not exist", "code": "model_not_found", "type": "t", "param": "model"}
    }
    path: Json = {
        "error": {"message": "Invalid URL (POST /v2/images/generations)", "type": "t", "param": None, "code": None}
    }
    wire = ScriptedWire([json_answer(model, 404), json_answer(path, 404)])
    one, all_ = await adapter().submit(order(), wire), await adapter().submit(order(), wire)
    assert isinstance(one, Refused)
    assert isinstance(all_, Refused)
    assert (one.stops, all_.stops) == (None, "path")


@pytest.mark.parametrize(("base_url", "stops"), [(None, "path"), ("http://127.0.0.1:8080/v1", None)])
async def test_a_compatible_server_without_edits_goes_on_drawing(base_url: str | None, stops: str | None) -> None:
    wire = ScriptedWire([json_answer({"detail": "Not Found"}, 404)])
    found = await adapter(base_url).submit(replace(order(), references=(REFERENCE,)), wire)
    assert isinstance(found, Refused)
    assert found.stops == stops
    assert ("no path for edits" in found.failure.message) is (stops is None)


async def test_a_refused_key_is_an_error_of_the_provider() -> None:
    with pytest.raises(ProviderError, match="refused the key"):
        await adapter().check(ScriptedWire([json_answer({"error": {"message": "Incorrect API key"}}, 401)]))


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.lists(st.integers(), max_size=2)
)
NAMES = st.sampled_from(["model", "n", "size", "quality", "seed", "output_format", "style", "user"])


@given(st.dictionaries(NAMES, ODD))
def test_any_params_give_a_body_that_can_be_fingerprinted(params: dict[str, Json]) -> None:
    for base_url in (None, LOCAL):
        found = adapter(base_url).encode(params, 0)
        canonical(found.body)
        assert 1 <= found.parts <= found.count <= (10 if base_url is None else 1000)
