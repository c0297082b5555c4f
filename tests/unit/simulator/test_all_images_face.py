"""The All-Images.ai face, by the wire."""

import io
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from PIL import Image

from imagebatch.simulator.ledger import Ledger
from imagebatch.simulator.process import SimulatorProcess
from tests.unit.simulator.asking import create, finished, wanted

TOKEN = "ib-aaaaaaaaaaaaaaa2"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer key"}, {"x-api-key": "key"}, {"api-key": ""}])
def test_only_the_header_api_key_is_a_key(simulator: SimulatorProcess, headers: dict[str, str]) -> None:
    assert httpx.get(f"{simulator.all_images_url}/credit", headers=headers).status_code == 401


def test_two_equal_creates_are_two_generations_and_two_bills(simulator: SimulatorProcess, images: httpx.Client) -> None:
    token = "ib-bbbbbbbbbbbbbbb2"
    first, second = create(images, tags=[token]), create(images, tags=[token])
    assert first != second
    assert [entry.generation_id for entry in Ledger.read(simulator.data_dir).paid_twice()[token]] == [first, second]


def test_a_finished_generation_offers_four_pictures_of_the_right_size(images: httpx.Client) -> None:
    shown = finished(images, create(images, params=[{"name": "format", "value": "16:9"}]))
    assert shown["status"] == 3
    pictures = [httpx.get(image["url"]).content for image in shown["images"]]
    assert len(set(pictures)) == 4
    for data in pictures:
        with Image.open(io.BytesIO(data)) as picture:
            assert (picture.format, picture.size) == ("JPEG", (1304, 744))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (wanted(mode="fancy"), "mode must be one of the following values: simple, advanced"),
        (wanted(prompt="x" * 4097), "prompt must be shorter than or equal to 4096 characters"),
        (wanted(params=[{"name": "weather", "value": "hail"}]), "params.0.value must be one of the following values"),
        (wanted(params=[{"name": "chaos", "value": "101"}]), "params.0.value must not be greater than 100"),
        (wanted(params=[{"name": "colour", "value": "red"}]), "params.0.name must be one of the following values"),
        (wanted(params={"weather": "sunny"}), "params must be an array"),
        (wanted(prompt="a fox --ar 3:2"), "prompt must not contain Midjourney parameters in simple mode"),
        (wanted(tags="one"), "tags must be an array"),
        ([], "name should not be empty"),
    ],
)
def test_a_wrong_create_is_refused_in_the_words_of_a_validator(images: httpx.Client, body: Any, message: str) -> None:
    reply = images.post("/image-generations", json=body)
    assert reply.status_code == 400
    assert reply.json()["error"] == "Bad Request"
    assert any(text.startswith(message) for text in reply.json()["message"])


def test_update_is_refused_while_work_goes_on_and_retry_but_in_error(images: httpx.Client) -> None:
    slow = create(images, "a cat [slow]")
    time.sleep(0.12)
    assert images.put(f"/image-generations/{slow}", json={"name": "new"}).status_code == 400
    assert images.post(f"/image-generations/retry/{slow}").status_code == 400
    done = create(images)
    finished(images, done)
    assert images.post(f"/image-generations/retry/{done}").status_code == 400
    assert images.put(f"/image-generations/{done}", json={"name": "new"}).json()["name"] == "new"


def test_a_failed_generation_is_updated_and_retried_under_its_id(
    simulator: SimulatorProcess, images: httpx.Client
) -> None:
    failed = create(images, "a dog [fail once]", tags=[TOKEN])
    assert finished(images, failed)["status"] == 4
    assert images.put(f"/image-generations/{failed}", json={"prompt": "a dog"}).json()["prompt"] == "a dog"
    assert images.post(f"/image-generations/retry/{failed}").json()["id"] == failed
    assert finished(images, failed)["status"] == 3
    bills = Ledger.read(simulator.data_dir).by_token()[TOKEN]
    assert [(bill.operation, bill.n_delivered) for bill in bills] == [("create", 0), ("retry", 4)]


def test_lists_are_paged_newest_first_by_exact_tag_and_part_of_the_name(images: httpx.Client) -> None:
    ids = [create(images, tags=["page"], name=f"Paged {i}") for i in range(3)]
    first = images.get("/image-generations", params={"tag": "page", "limit": 2}).json()
    second = images.get("/image-generations", params={"tag": "page", "limit": 2, "offset": 2}).json()
    assert first["filteredResults"] == second["filteredResults"] == 3
    assert [shown["id"] for shown in first["prints"] + second["prints"]] == ids[::-1]
    assert images.get("/image-generations", params={"tag": "pag"}).json()["filteredResults"] == 0
    assert images.get("/image-generations", params={"name": "aged 1"}).json()["prints"][0]["id"] == ids[1]


def test_delete_takes_a_body_and_never_tells_what_went(images: httpx.Client) -> None:
    gone = create(images)
    reply = images.request("DELETE", "/image-generations", json={"printIds": [gone, "unknown"]})
    assert (reply.status_code, reply.content) == (200, b"")
    assert images.request("DELETE", "/image-generations", json={"printIds": []}).status_code == 200
    assert images.get(f"/image-generations/{gone}").status_code == 404


def test_buying_debits_once_and_opens_the_full_picture(simulator: SimulatorProcess, images: httpx.Client) -> None:
    image = finished(images, create(images, "a bought cup"))["images"][0]
    assert httpx.get(image["urlFull"]).status_code == 403
    for _ in range(2):
        bought = images.post("/images/buy", json={"id": image["id"]}).json()
    full = httpx.get(bought["urlFull"])
    with Image.open(io.BytesIO(full.content)) as picture:
        assert picture.size == (2688, 1792)
    assert images.post("/images/download", json={"id": image["id"]}).content == full.content
    buys = [entry for entry in Ledger.read(simulator.data_dir) if entry.image_id == image["id"]]
    assert [(entry.operation, entry.amount) for entry in buys] == [("buy", "1")]
    assert images.post("/images/downladed", json={}).json()["images"][0]["id"] == image["id"]


def test_an_empty_account_can_not_create(simulator: SimulatorProcess) -> None:
    headers = {"api-key": "no-credit"}
    reply = httpx.post(f"{simulator.all_images_url}/image-generations", json=wanted(), headers=headers)
    assert reply.status_code == 402
    credits_left = httpx.get(f"{simulator.all_images_url}/credit", headers=headers).json()["credits"]
    assert {entry["credit"] for entry in credits_left} == {0}


def test_a_webhook_shows_the_key_but_never_its_events(images: httpx.Client) -> None:
    known = images.post("/api-keys/webhook/subscribe", json={"url": "https://example.com/x"})
    assert known.status_code == 201
    shown = images.get(f"/api-keys/webhook/{known.json()['webhookId']}").json()
    assert shown == {"id": known.json()["webhookId"], "apiKeyId": "key", "url": "https://example.com/x"}


def test_a_scripted_view_shows_in_get_and_in_list(images: httpx.Client, script: Callable[..., None]) -> None:
    token = "ib-ccccccccccccccc2"
    script({"op": "poll", "match": {"token": token}, "action": {"generation": {"status": 5}}})
    odd = create(images, tags=[token])
    assert images.get(f"/image-generations/{odd}").json()["status"] == 5
    assert images.get("/image-generations", params={"tag": token}).json()["prints"][0]["status"] == 5
