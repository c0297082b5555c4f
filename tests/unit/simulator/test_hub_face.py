"""The AIGNE Hub face: dialects, answer forms, errors and its own record of calls."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from imagebatch.simulator.ledger import Ledger
from imagebatch.simulator.process import SimulatorProcess

BODY = {"model": "openai/gpt-image-2", "prompt": "a coin", "size": "256x256"}
SEED, HUB, WORKER = "/api/images/generations", "/api/v2/image/generations", "/api/v2/images/generations"
Settings = Callable[[dict[str, object]], None]


@pytest.fixture
def dialect(settings: Settings) -> Iterator[Callable[[str], None]]:
    yield lambda name: settings({"rules": {"dialect": name}})
    settings({"rules": {"dialect": "any"}})


@pytest.mark.parametrize(
    ("spoken", "statuses"),
    [("any", (200, 200, 200)), ("seed", (200, 404, 404)), ("hub", (404, 200, 404)), ("worker", (404, 200, 200))],
)
def test_each_dialect_serves_its_paths_only(
    hub: httpx.Client, dialect: Callable[[str], None], spoken: str, statuses: tuple[int, ...]
) -> None:
    dialect(spoken)
    assert tuple(hub.post(path, json=BODY).status_code for path in (SEED, HUB, WORKER)) == statuses


@pytest.mark.parametrize("wrong", [{"n": "x"}, {"n": [None]}, {"n": 11}, {"n": True}, {"prompt": [1]}, {"size": 7}])
def test_the_worker_passes_wrong_fields_on_and_tells_the_refusal_without_its_words(
    hub: httpx.Client, wrong: dict[str, object]
) -> None:
    refused = hub.post(WORKER, json={**BODY, **wrong})
    assert (refused.status_code, refused.json()) == (400, {"error": {"message": "Provider error: 400"}})


def test_an_unknown_path_is_answered_as_express_does(hub: httpx.Client, dialect: Callable[[str], None]) -> None:
    dialect("hub")
    lost = hub.post(SEED, json=BODY)
    assert lost.headers["content-type"].startswith("text/html")
    assert "<pre>Cannot POST /aigne-hub/api/images/generations</pre>" in lost.text
    app = hub.get("/api/v9/none")
    assert (app.status_code, app.headers["content-type"][:9]) == (200, "text/html")
    dialect("worker")
    assert hub.post(SEED, json=BODY).json() == {"error": "Not Found"}


def test_the_compat_path_answers_six_copies_of_the_base64_and_no_created(hub: httpx.Client) -> None:
    body = hub.post(HUB, json=BODY).json()
    assert body["images"] == body["data"]
    (entry,) = body["data"]
    assert entry["base64"] == entry["b64_json"] == entry["b64Json"]
    assert "created" not in body
    assert (body["model"], body["usage"]) == ("gpt-image-2", {"aigneHubCredits": 0.042, "creditPrefix": "$"})
    assert hub.post(HUB, json={**BODY, "outputFileType": "local"}).json()["data"] == [{}]


def test_gpt_image_1_bills_what_was_asked_and_gives_one(simulator: SimulatorProcess, hub: httpx.Client) -> None:
    reply = hub.post(HUB, json={**BODY, "model": "openai/gpt-image-1", "n": 3, "prompt": "three coins"}).json()
    assert len(reply["data"]) == 1
    (entry,) = [entry for entry in Ledger.read(simulator.data_dir) if entry.prompt == "three coins"]
    assert (entry.amount, entry.n_requested, entry.n_delivered) == ("0.126", 3, 1)


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        ({"prompt": None}, 400, '"prompt" is required'),
        ({"prompt": ""}, 400, '"prompt" is not allowed to be empty'),
        ({"n": 11}, 400, '"n" must be less than or equal to 10'),
        ({"size": 512}, 400, '"size" must be a string'),
        ({"model": "flux"}, 400, 'No available provider found for model "flux". Please use provider/model format'),
        ({"model": "anthropic/claude"}, 503, "Provider 'anthropic' is not available or not configured"),
        ({"model": "openrouter/flux"}, 404, "provider openrouter model flux not found"),
        ({"model": "openai/none"}, 400, "Unsupported model openai/none"),
        ({"prompt": "x [blocked]"}, 400, "400 Your request was rejected"),
    ],
)
def test_refusals_carry_a_text_under_error(
    hub: httpx.Client, change: dict[str, object], status: int, text: str
) -> None:
    reply = hub.post(HUB, json={**BODY, **change})
    assert reply.status_code == status
    assert reply.json()["error"].startswith(text)


def test_other_exceptions_carry_an_object_under_error(hub: httpx.Client) -> None:
    assert "message" in hub.post(HUB, json={**BODY, "n": 1.5}).json()["error"]
    bad = hub.post(HUB, content=b"{", headers={"content-type": "application/json"})
    assert (bad.status_code, list(bad.json()["error"])) == (400, ["message"])


def test_a_body_of_over_thirty_megabytes_is_too_large(hub: httpx.Client) -> None:
    reply = hub.post("/api/v2/image", content=b" " * (30 * 1024 * 1024 + 1))
    assert reply.status_code == 413
    assert reply.json() == {"error": {"message": "request entity too large"}}


def test_gemini_refuses_addresses_as_the_hub_was_seen_to(hub: httpx.Client) -> None:
    reply = hub.post(HUB, json={**BODY, "model": "google/gemini-2.5-flash-image", "response_format": "url"})
    assert reply.status_code == 500
    assert reply.json()["error"]["message"] == "Gemini image models currently only support base64 format"


def test_an_empty_account_gets_402_with_a_link(simulator: SimulatorProcess) -> None:
    reply = httpx.post(simulator.hub_url + HUB, json=BODY, headers={"Authorization": "Bearer no-credit"})
    assert reply.status_code == 402
    assert set(reply.json()["error"]) == {"message", "timestamp", "type", "link"}


def test_an_event_stream_turns_errors_into_200(hub: httpx.Client) -> None:
    reply = hub.post(HUB, json={**BODY, "n": 11}, headers={"Accept": "text/event-stream"})
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/event-stream")
    assert reply.text.startswith('data: {"error":')


def test_the_record_of_calls_has_the_request_id_and_the_end(hub: httpx.Client) -> None:
    token = "ib-eeeeeeeeeeeeeee2"
    hub.post(SEED, json=BODY, headers={"X-Request-ID": token})
    hub.post(SEED, json={**BODY, "prompt": "a coin [fail]"}, headers={"X-Request-ID": token + "x"})
    rows = {row["requestId"]: row for row in hub.get("/api/user/model-calls").json()["list"]}
    assert (rows[token]["status"], rows[token]["credits"]) == ("success", 0.042)
    assert (rows[token + "x"]["status"], rows[token + "x"]["credits"]) == ("failed", 0)


def test_discovery_names_a_mount_that_serves(simulator: SimulatorProcess, hub: httpx.Client) -> None:
    for root in (simulator.origin, simulator.hub_url):
        told = httpx.get(root + "/__blocklet__.js", params={"type": "json"}).json()
        (mount,) = [point["mountPoint"] for point in told["componentMountPoints"]]
        assert httpx.get(f"{root}{mount}/api/ai/models?type=image").json()[0]["type"] == "image_generation"
        assert hub.post(f"{root}{mount}{HUB}", json=BODY).status_code == 200
