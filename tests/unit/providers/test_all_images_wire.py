"""All-Images.ai on the wire: bodies as documented, and every odd answer that was seen or feared."""

import json

import pytest

from imagebatch.model.canonical import Json
from imagebatch.model.generation import Failure
from imagebatch.model.settings import ProviderSettings
from imagebatch.model.wire import Answer, BadAnswer, OutcomeLost, Unreachable
from imagebatch.providers import all_images_wire as wire_format
from imagebatch.providers.all_images import AllImages
from imagebatch.providers.base import Accepted, Observation, Offer, Order, Refused, Unclear
from imagebatch.providers.scripted import ScriptedWire, json_answer, text_answer

TOKEN = "ib-abcdefghij234567"
OTHER = "ib-zzzzzzzzzzzzzzzz"
LINEAGE = "ibl-0123456789abcdef"
BASE = "https://api.all-images.ai/v1"
PNG_JPEG = b"\xff\xd8\xff\xe0 bytes"


def order(**changes: Json) -> Order:
    body: dict[str, Json] = {
        "mode": "simple",
        "prompt": "a dog in a park",
        "params": {"weather": "sunny", "format": "3:2", "chaos": "20"},
        **changes,
    }
    return Order(
        token=TOKEN, lineage_tag=LINEAGE, body=body, extras={"processMode": "relax"}, name=f"hero {TOKEN}",
        tags=("campaign",), metadata={"sku": "7"},
    )  # fmt: skip


def generation(**changes: Json) -> dict[str, Json]:
    return {
        "id": "g1",
        "name": f"hero {TOKEN}",
        "prompt": "a dog in a park",
        "status": 3,
        "params": [{"name": "format", "value": "3:2"}],
        "images": [{"id": f"a{at}", "url": f"{BASE}/images/preview/a{at}.jpg", "free": False} for at in range(1, 5)],
        "tags": ["campaign", TOKEN, LINEAGE],
        "metaData": {"imagebatch": {"token": TOKEN, "lineage": LINEAGE}},
        **changes,
    }


def adapter() -> AllImages:
    return AllImages(ProviderSettings(alias="studio", type="all-images"))


def test_a_create_is_the_documented_call_with_three_markers() -> None:
    call = wire_format.build_create(order(), timeout_s=60)
    assert (call.kind, call.method, call.path) == ("create", "POST", "/image-generations")
    assert call.json == {
        "name": f"hero {TOKEN}",
        "mode": "simple",
        "prompt": "a dog in a park",
        "params": [
            {"name": "chaos", "value": "20"},
            {"name": "format", "value": "3:2"},
            {"name": "weather", "value": "sunny"},
        ],
        "processMode": "relax",
        "tags": ["campaign", TOKEN, LINEAGE],
        "metaData": {"sku": "7", "imagebatch": {"token": TOKEN, "lineage": LINEAGE}},
    }


def test_a_name_without_the_token_gets_it_once() -> None:
    plain = Order(token=TOKEN, lineage_tag=LINEAGE, body={"mode": "simple", "prompt": "x"}, extras={}, name="My hero")
    call = wire_format.build_create(plain, timeout_s=60)
    assert isinstance(call.json, dict)
    assert call.json["name"] == f"My hero {TOKEN}"


def test_an_id_in_a_success_is_acceptance() -> None:
    found = wire_format.parse_create(json_answer(generation(status=0, images=[]), 201))
    assert isinstance(found, Accepted)
    assert found.generation == "g1"
    assert found.observation is not None
    assert found.observation.state == "pending"


def test_an_integer_id_becomes_text() -> None:
    assert wire_format.parse_create(json_answer({"id": 17})) == Accepted(generation="17")


@pytest.mark.parametrize(
    "answer",
    [
        text_answer("<html>login</html>"),
        Answer(status=200, headers={}, body=b'{"id":"g1","sta'),
        Answer(status=200, headers={}, body=b""),
        Answer(status=200, headers={}, body=b'{"id":1e21}'),
        Answer(status=200, headers={}, body=b'{"id":"a","id":"b"}'),
        json_answer({"id": {"$oid": "x"}}),
        json_answer({"id": "x" * 10_000}),
        json_answer({"id": "../../x"}),
        json_answer({"id": {"x": 1}, "error": {"message": "both"}}),
        json_answer({}),
        json_answer([]),
        json_answer({}, 500),
        json_answer({}, 409),
        json_answer({}, 408),
    ],
)
def test_a_create_without_a_usable_id_is_in_doubt(answer: Answer) -> None:
    assert isinstance(wire_format.parse_create(answer), Unclear)


def test_an_error_object_in_a_success_is_a_refusal_with_its_words() -> None:
    found = wire_format.parse_create(json_answer({"error": {"message": "insufficient credits"}}))
    assert found == Refused(failure=Failure(kind="rejected", message="insufficient credits"))


def test_a_missing_path_stops_all_creates() -> None:
    found = wire_format.parse_create(json_answer({"message": "Cannot POST"}, 404))
    assert isinstance(found, Refused)
    assert found.stops == "path"


@pytest.mark.parametrize(
    ("status", "state"),
    [(0, "pending"), (1, "pending"), (2, "pending"), (5, "pending"), (6, "pending"), (99, "pending"), (-1, "pending"),
     (3, "succeeded"), ("3", "succeeded"), (3.0, "succeeded"), (4, "failed"), ("4", "failed")],
)  # fmt: skip
def test_only_three_and_four_are_final(status: Json, state: str) -> None:
    assert wire_format.parse_generation(generation(status=status), base=BASE).state == state


@pytest.mark.parametrize("status", [None, True, {}, [], "done", 2.5, ""])
def test_a_status_that_cannot_be_read_is_a_bad_answer(status: Json) -> None:
    with pytest.raises(BadAnswer, match="no readable status"):
        wire_format.parse_generation(generation(status=status), base=BASE)


def test_images_grow_while_the_generation_is_drawn() -> None:
    seen = wire_format.parse_generation(generation(status=2, images=[{"id": "a1"}]), base=BASE)
    assert seen.state == "pending"
    assert seen.offers == (Offer(id="a1", url=f"{BASE}/images/preview/a1.jpg"),)


@pytest.mark.parametrize("count", [1, 3, 4, 5])
def test_as_many_offers_as_there_are_images(count: int) -> None:
    images: Json = [{"id": f"a{at}", "url": "u"} for at in range(count)]
    assert len(wire_format.parse_generation(generation(images=images), base=BASE).offers) == count


def test_one_image_told_twice_is_one_offer() -> None:
    images: Json = [{"id": "a1"}, {"id": "a1"}, {"id": "a2"}]
    assert [o.id for o in wire_format.parse_generation(generation(images=images), base=BASE).offers] == ["a1", "a2"]


def test_done_with_no_images_is_a_failure_that_may_have_been_paid() -> None:
    seen = wire_format.parse_generation(generation(images=[]), base=BASE)
    assert seen.state == "failed"
    assert seen.failure is not None
    assert seen.failure.kind == "no_images"


def test_done_without_the_list_of_images_is_asked_again() -> None:
    assert wire_format.parse_generation({"id": "g1", "status": "3"}, base=BASE).state == "pending"
    assert wire_format.parse_generation({"id": "g1", "status": 3, "nbImages": 0}, base=BASE).state == "failed"


def test_an_image_without_an_id_is_a_bad_answer_because_positions_would_shift() -> None:
    with pytest.raises(BadAnswer, match="image 2"):
        wire_format.parse_generation(generation(images=[{"id": "a1"}, {"url": "u"}]), base=BASE)


def test_a_failure_keeps_whatever_reason_there_is() -> None:
    silent = wire_format.parse_generation(generation(status=4), base=BASE)
    told = wire_format.parse_generation(generation(status=4, error="bad \ud800"), base=BASE)
    blocked = wire_format.parse_generation(generation(status=4, message="blocked by moderation"), base=BASE)
    assert silent.failure is not None
    assert "no reason" in silent.failure.message
    assert told.failure is not None
    assert (told.failure.kind, told.failure.message) == ("provider", "bad ?")
    assert blocked.state == "blocked"


@pytest.mark.parametrize(
    ("changes", "token"),
    [
        ({}, TOKEN),
        ({"tags": []}, TOKEN),
        ({"tags": [], "metaData": {}}, TOKEN),
        ({"tags": [], "metaData": {}, "name": f"{TOKEN}-copy"}, None),
        ({"tags": [], "metaData": {}, "name": "hero"}, None),
        ({"tags": [], "metaData": {"imagebatch": {"token": "x"}}, "name": "hero"}, None),
        ({"tags": ["ib-other"]}, "ib-other"),
        ({"tags": [LINEAGE], "metaData": None, "name": None}, None),
        ({"tags": [OTHER]}, OTHER),
        ({"tags": "text", "metaData": "text", "name": 7}, None),
    ],
)
def test_our_token_is_compared_whole(changes: dict[str, Json], token: str | None) -> None:
    assert wire_format.parse_generation(generation(**changes), base=BASE).token == token


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://api.all-images.ai/v1/images/preview/x.jpg", "https://api.all-images.ai/v1/images/preview/x.jpg"),
        ("HTTP://API.All-Images.ai/v1/x.jpg", "https://API.All-Images.ai/v1/x.jpg"),
        ("http://api.all-images.ai:80/v1/x.jpg", "https://api.all-images.ai/v1/x.jpg"),
        ("https://api.all-images.aiv1/images/preview/x.jpg", "https://api.all-images.ai/v1/images/preview/x.jpg"),
        ("http://api.all-images.aiv1/images/preview/x.jpg", "https://api.all-images.ai/v1/images/preview/x.jpg"),
        ("https://cdn.all-images.ai/y.png?sig=1", "https://cdn.all-images.ai/y.png?sig=1"),
        ("http://api.all-images.ai.evil.example/v1/x.jpg", "http://api.all-images.ai.evil.example/v1/x.jpg"),
        ("http://api.all-images.aiv1.evil.example/x.jpg", "http://api.all-images.aiv1.evil.example/x.jpg"),
        ("http://evil.example/api.all-images.aiv1/x.jpg", "http://evil.example/api.all-images.aiv1/x.jpg"),
        ("http://evil-all-images.ai/x.jpg", "http://evil-all-images.ai/x.jpg"),
        ("http://u@api.all-images.ai/x.jpg", "http://u@api.all-images.ai/x.jpg"),
        ("file:///etc/passwd", "file:///etc/passwd"),
        ("", None),
        (None, None),
        (7, None),
        ("https://h/" + "a" * 5000, None),
    ],
)
def test_addresses_are_repaired_for_the_providers_own_host_only(given: Json, url: str | None) -> None:
    assert wire_format.repair_url(given) == url


def test_another_generation_than_asked_for_is_a_bad_answer() -> None:
    with pytest.raises(BadAnswer, match="asked for g1, got OTHER"):
        wire_format.parse_get(json_answer({"id": "OTHER", "status": 3}), "g1", base=BASE)


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":"g1","status":NaN}',
        b"[" * 100_000,
        b'{"id":"g1","status":' + b"9" * 5000 + b"}",
        b'{"id":"\xe9"}',
        b"[]",
    ],
)
def test_broken_json_is_a_bad_answer(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        wire_format.parse_get(Answer(status=200, headers={}, body=body), "g1", base=BASE)


def test_a_bom_is_skipped() -> None:
    body = b"\xef\xbb\xbf" + json.dumps(generation()).encode()
    seen = wire_format.parse_get(Answer(status=200, headers={}, body=body), "g1", base=BASE)
    assert seen is not None
    assert seen.state == "succeeded"


def test_an_unknown_generation_is_none_and_a_storm_is_unreachable() -> None:
    assert wire_format.parse_get(json_answer({}, 404), "g1", base=BASE) is None
    with pytest.raises(Unreachable):
        wire_format.parse_get(json_answer({}, 500), "g1", base=BASE)


def test_a_page_tells_its_generations_and_the_number_of_all() -> None:
    call = wire_format.build_list(LINEAGE, 100, 50)
    assert call.query == {"limit": "50", "offset": "100", "tag": LINEAGE}
    page, _ = wire_format.parse_list(json_answer({"filteredResults": 7, "prints": [generation()]}), base=BASE)
    assert page.total == 7
    assert [seen.generation for seen in page.observations] == ["g1"]
    assert wire_format.parse_list(json_answer({"filteredResults": {}, "prints": []}), base=BASE)[0].total is None


def test_what_stands_in_a_listing_as_it_did_is_not_read_anew_and_what_changed_is() -> None:
    same, changed = generation(id="g1"), generation(id="g2", status=1)
    body: Json = {"filteredResults": 2, "prints": [same, changed]}
    first, seen = wire_format.parse_list(json_answer(body), base=BASE)
    again, _ = wire_format.parse_list(
        json_answer({"filteredResults": 2, "prints": [same, generation(id="g2", status=3)]}), base=BASE, seen=seen
    )
    assert again.observations[0] is first.observations[0]
    assert [one.state for one in first.observations] == ["succeeded", "pending"]
    assert [one.state for one in again.observations] == ["succeeded", "succeeded"]


@pytest.mark.parametrize("body", [{"filteredResults": 3}, {"prints": {}}, {"prints": "x"}, [], {"prints": [{}]}])
def test_a_page_without_readable_prints_is_a_bad_answer(body: Json) -> None:
    with pytest.raises(BadAnswer):
        wire_format.parse_list(json_answer(body), base=BASE)


def test_an_update_of_labels_touches_nothing_else() -> None:
    call = wire_format.build_update("g1", order(), request=False)
    assert (call.kind, call.method, call.path) == ("change", "PUT", "/image-generations/g1")
    assert isinstance(call.json, dict)
    assert set(call.json) == {"name", "tags", "metaData"}


def test_an_update_of_the_request_empties_what_it_no_longer_has() -> None:
    bare = Order(token=TOKEN, lineage_tag=LINEAGE, body={"mode": "simple", "prompt": "x"}, extras={}, name="n")
    call = wire_format.build_update("g1", bare, request=True)
    assert isinstance(call.json, dict)
    assert call.json["prompt"] == "x"
    assert (call.json["additionalPrompt"], call.json["optimizePrompt"], call.json["params"]) == ("", False, [])


async def test_a_refused_update_says_why_and_an_update_of_nothing_is_gone() -> None:
    wire = ScriptedWire(
        [json_answer({"message": "is processing"}, 400), json_answer({}, 404), json_answer(generation())]
    )
    refused = await adapter().update("g1", order(), request=False, wire=wire)
    gone = await adapter().update("g1", order(), request=False, wire=wire)
    assert refused is not None
    assert refused.failure.message == "is processing"
    assert gone is not None
    assert gone.failure.kind == "gone"
    assert await adapter().update("g1", order(), request=False, wire=wire) is None


def test_a_retry_is_a_paid_step_under_the_same_id() -> None:
    call = wire_format.build_retry("g1", timeout_s=60)
    assert (call.kind, call.method, call.path) == ("create", "POST", "/image-generations/retry/g1")
    assert wire_format.parse_retry(Answer(status=201, headers={}, body=b""), "g1") == Accepted(generation="g1")
    assert wire_format.parse_retry(json_answer({"id": "g1"}), "g1") == Accepted(generation="g1")
    assert isinstance(wire_format.parse_retry(json_answer({"id": "g2"}), "g1"), Unclear)
    assert isinstance(wire_format.parse_retry(json_answer({}, 500), "g1"), Unclear)
    assert isinstance(wire_format.parse_retry(json_answer({"message": "not in error"}, 400), "g1"), Refused)
    gone = wire_format.parse_retry(json_answer({}, 404), "g1")
    assert isinstance(gone, Refused)
    assert (gone.failure.kind, gone.stops) == ("gone", None)


async def test_a_delete_of_nothing_sends_nothing() -> None:
    wire = ScriptedWire()
    await adapter().delete([], wire)
    assert wire.calls == []
    with pytest.raises(ValueError, match="at least one id"):
        wire_format.build_delete([])


async def test_a_delete_names_its_ids_in_the_body() -> None:
    wire = ScriptedWire([Answer(status=200, headers={}, body=b"")])
    await adapter().delete(["g1", "g2"], wire)
    assert (wire.calls[0].method, wire.calls[0].path) == ("DELETE", "/image-generations")
    assert wire.calls[0].json == {"printIds": ["g1", "g2"]}


async def test_a_hostile_id_from_a_lock_is_never_sent() -> None:
    wire = ScriptedWire()
    with pytest.raises(BadAnswer):
        await adapter().delete(["../api-keys"], wire)
    with pytest.raises(BadAnswer):
        await adapter().observe("../api-keys/check", wire)
    assert wire.calls == []


async def test_the_full_size_is_bought_as_bytes() -> None:
    wire = ScriptedWire([Answer(status=200, headers={"content-type": "image/jpeg"}, body=PNG_JPEG)])
    assert await adapter().buy("g1", "a1", "full", wire) == Offer(id="a1", data=PNG_JPEG)
    assert (wire.calls[0].kind, wire.calls[0].path, wire.calls[0].json) == ("buy", "/images/download", {"id": "a1"})


@pytest.mark.parametrize(
    ("resolution", "key"), [("full", "urlFull"), ("upscale", "urlUpscale"), ("uhd", "urlUpscaleUHD")]
)
def test_a_purchase_gives_the_link_of_its_resolution(resolution: str, key: str) -> None:
    body: Json = {"id": "a1", "url": "u", key: "http://api.all-images.ai/v1/images/big/a1.jpg", "downloadedAt": "x"}
    found = wire_format.parse_buy(json_answer(body), "a1", resolution)  # type: ignore[arg-type]  # parametrised text
    assert found == Offer(id="a1", url="https://api.all-images.ai/v1/images/big/a1.jpg")


async def test_a_purchase_without_credit_is_refused_and_one_that_nothing_proves_is_a_bad_answer() -> None:
    wire = ScriptedWire([json_answer({"message": "no credits"}, 402), json_answer({}), text_answer("<html>")])
    refused = await adapter().buy("g1", "a1", "full", wire)
    assert isinstance(refused, Refused)
    assert (refused.failure.kind, refused.stops) == ("no_credit", "no_credit")
    with pytest.raises(BadAnswer, match="urlUpscaleUHD"):
        await adapter().buy("g1", "a1", "uhd", wire)
    with pytest.raises(BadAnswer, match="no picture"):
        await adapter().buy("g1", "a1", "full", wire)


def test_an_answer_that_names_the_image_and_no_link_sold_it_unless_it_says_that_it_did_not() -> None:
    sold: Json = {"id": "a1", "url": "u", "urlFull": "f", "urlUpscaleUHD": "h", "downloadedAt": "x"}
    assert wire_format.parse_buy(json_answer(sold), "a1", "upscale") == Offer(id="a1")
    refused = wire_format.parse_buy(json_answer({"statusCode": 402, "message": "no credits"}), "a1", "upscale")
    assert isinstance(refused, Refused)


@pytest.mark.parametrize("resolution", ["full", "uhd"])
async def test_an_image_that_may_not_be_bought_stops_no_creates(resolution: str) -> None:
    refused = await adapter().buy(
        "g1",
        "a1",
        resolution,  # type: ignore[arg-type]  # parametrised text
        ScriptedWire([json_answer({"message": "not for sale"}, 403)]),
    )
    assert isinstance(refused, Refused)
    assert (refused.failure.kind, refused.stops) == ("rejected", None)


async def test_a_check_tells_the_account_and_what_is_left() -> None:
    credit: Json = {
        "credits": [
            {"type": "f_images", "credit": 12, "creditTotal": 20},
            {"type": "global", "credit": 3},
            {"type": "f_queues", "credit": 1, "unlimited": True},
        ]
    }
    facts = await adapter().check(ScriptedWire([json_answer({"email": "a@example.com"}), json_answer(credit)]))
    assert facts.account == "a@example.com"
    assert facts.balances == {"f_images": "12", "global": "3", "f_queues": None, "images": "15"}


async def test_unlimited_pictures_have_no_number() -> None:
    credit: Json = {"credits": [{"type": "f_images", "credit": 0, "unlimited": True}, {"type": "global", "credit": 3}]}
    facts = await adapter().check(ScriptedWire([json_answer({"email": "a"}), json_answer(credit)]))
    assert facts.balances["images"] is None


async def test_a_lost_create_is_the_engines_to_judge() -> None:
    with pytest.raises(OutcomeLost):
        await adapter().submit(order(), ScriptedWire([OutcomeLost("cut")]))


async def test_create_observe_and_list_work_together() -> None:
    wire = ScriptedWire([
        json_answer(generation(status=0, images=[])),
        json_answer(generation()),
        json_answer({"filteredResults": 1, "prints": [generation()]}),
    ])  # fmt: skip
    created = await adapter().submit(order(), wire)
    assert isinstance(created, Accepted)
    seen = await adapter().observe(created.generation, wire)
    assert isinstance(seen, Observation)
    assert (seen.state, seen.token, len(seen.offers)) == ("succeeded", TOKEN, 4)
    page = await adapter().list_page(LINEAGE, 0, 100, wire)
    assert page.observations == (seen,)
