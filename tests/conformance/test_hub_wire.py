"""AIGNE Hub by the wire: discovery with several creates waiting, routes, parts, refusals, answers of real hubs."""

import base64
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import web

from tests.conformance.wiretap import Raw, Request, Shop, Simulated, png, rule

HUB = {"provider": "aigne-hub"}
PARAMS = {"model": "openai/gpt-image-2", "size": "1024x1024"}
FOXES = {"prompt": "fox {{ i }}", "matrix": {"i": [0, 1, 2]}, "params": PARAMS}
DISCOVERY = "GET /aigne-hub/__blocklet__.js"
MOUNT = "/aigne-hub/ai-kit/api"
COMPONENT = "z8ia3xzq2tMq8CRHfaXj1BTYJyYnEcHbqP8cJ"


def posts(asked: list[Request]) -> list[Request]:
    return [one for one in asked if one.method == "POST"]


@contextmanager
def dialect(simulated: Simulated, name: str) -> Iterator[None]:
    with simulated.settings({"rules": {"dialect": name}, "job_time": {"hold": "0.2s"}}, {"rules": {"dialect": "any"}}):
        yield
    simulated.ask("POST", "/_simulator/settings", {"job_time": {"hold": "0s"}})


@pytest.mark.parametrize(
    ("served", "found", "tried"),
    [
        ("seed", "/images/generations", 1),
        ("worker", "/v2/images/generations", 2),
        ("hub", "/v2/image/generations", 3),
    ],
)
def test_one_create_finds_the_route_alone_the_rest_follow_and_the_next_run_knows_it(
    shop: Shop, simulated: Simulated, served: str, found: str, tried: int
) -> None:
    shop.assets(HUB, hero=FOXES)
    with dialect(simulated, served):
        ran = shop.apply()
        assert ran.code == 0, str(ran)
        asked = simulated.tap.requests()
        assert Counter(one.line for one in asked)[DISCOVERY] == 1
        sent = posts(asked)
        alone, rest = sent[:tried], sent[tried:]
        assert len({one.headers["x-request-id"] for one in alone}) == 1
        assert [one.path for one in rest] == [MOUNT + found] * 2
        assert min(one.at for one in rest) - alone[-1].at >= 0.2, "another create left before the first was answered"
        assert sorted(name for name, _ in simulated.bills({b["token"] for b in shop.lock.values()})) == ["create"] * 3
        shop.assets(HUB, hero={**FOXES, "matrix": {"i": [0, 1, 2, 3]}})
        assert shop.apply().code == 0
        assert [one.line for one in simulated.tap.requests()] == [f"POST {MOUNT}{found}"]


def test_each_route_is_spoken_to_in_its_own_words(shop: Shop, simulated: Simulated) -> None:
    bodies = {}
    for spoken, served in (("documented", "seed"), ("hub", "hub"), ("worker", "worker")):
        shop.providers(simulated.tap.origin, aigne_hub={"mount": "/ai-kit", "dialect": spoken})
        shop.assets(HUB, hero={"prompt": spoken, "params": PARAMS})
        with dialect(simulated, served):
            ran = shop.apply()
        assert ran.code == 0, str(ran)
        (create,) = simulated.tap.requests()
        bodies[create.path] = create.json
        assert create.headers["authorization"] == "Bearer canary-aigne-hub-key"
        assert create.headers["accept"] == "application/json"
    common = {"model": "openai/gpt-image-2", "size": "1024x1024"}
    assert bodies == {
        f"{MOUNT}/images/generations": {**common, "prompt": "documented", "response_format": "b64_json"},
        f"{MOUNT}/v2/image/generations": {**common, "prompt": "hub", "outputFileType": "file"},
        f"{MOUNT}/v2/images/generations": {**common, "prompt": "worker"},
    }


def test_a_402_stops_creates_that_stand_ready_and_its_link_is_told(shop: Shop, simulated: Simulated) -> None:
    shop.assets(HUB, hero=FOXES)
    with dialect(simulated, "hub"):
        ran = shop.run("apply", "-y", "--json", AIGNE_HUB_API_KEY="no-credit")
        assert (ran.code, ran.ends["hero[i=0]"]) == (3, "failed")
        assert ran.outcomes["hero[i=0]"]["code"] == "provider.no_credit"
        assert ran.outcomes["hero[i=0]"]["message"].count("https://payment.simulator.invalid/checkout") == 1
        assert {ran.ends[f"hero[i={number}]"] for number in (1, 2)} == {"unsent"}
        assert len({one.headers["x-request-id"] for one in posts(simulated.tap.requests())}) == 1
        assert list(shop.lock) == ["hero[i=0]"]
        assert shop.apply().code == 0


def test_moderation_inside_a_400_is_blocked_and_not_sent_again(shop: Shop, simulated: Simulated) -> None:
    shop.assets(HUB, hero={"prompt": "a fox [blocked]", "params": PARAMS})
    with dialect(simulated, "hub"):
        assert shop.apply().ends == {"hero": "blocked"}
        simulated.lines()
        assert shop.plan() == {"hero": "keep"}
        assert shop.apply().code == 3
        assert not simulated.lines()


def test_a_404_about_credentials_is_no_wrong_path(shop: Shop, simulated: Simulated) -> None:
    shop.assets(HUB, hero=FOXES)
    text = "no active credentials found for provider openai"
    disabled = rule(
        "aigne-hub", "create", {"status": 404, "json": {"error": text}}, match={"path": "v2/image/"}, times=1
    )
    with dialect(simulated, "hub"), simulated.wrong(disabled):
        ran = shop.apply()
    assert Counter(ran.ends.values()) == {"failed": 1, "done": 2}
    assert any(one["message"] == text for one in ran.outcomes.values())


def test_n_pictures_are_parts_of_one_entry_and_only_what_is_missing_is_drawn_again(
    shop: Shop, simulated: Simulated
) -> None:
    params = {"model": "openai/gpt-image-1.5", "size": "1024x1024", "n": 3}
    shop.assets(HUB, hero={"prompt": "foxes", "params": params, "pick": "all", "output": "o/{{ candidate }}.png"})
    second = rule("aigne-hub", "create", {"status": 400, "json": {"error": "400 odd"}}, match={"nth": 2, "path": "v2/"})
    shop.providers(simulated.tap.origin, aigne_hub={"mount": "/ai-kit", "dialect": "hub", "max_concurrency": 1})
    with simulated.wrong(second):
        ran = shop.apply()
    assert (ran.code, ran.ends) == (3, {"hero": "failed"})
    assert ran.summary["cost"] == [{"amount": "0.068", "currency": "credit"}]
    sent = posts(simulated.tap.requests())
    assert all("n" not in one.json for one in sent)
    entry = shop.lock["hero"]
    assert [part["token"] for part in entry["parts"]] == [one.headers["x-request-id"] for one in sent]
    assert len({part["token"] for part in entry["parts"]}) == 3
    assert entry["cost"] == ["0.068 credit"]
    told = json.loads(shop.run("plan", "--json").out)
    assert told["cost"] == [{"amount": "0.034", "currency": "credit", "basis": "estimated", "count": 1}]
    ran = shop.apply()
    assert (ran.ends, ran.summary["cost"]) == ({"hero": "done"}, [{"amount": "0.034", "currency": "credit"}])
    (missing,) = posts(simulated.tap.requests())
    assert missing.headers["x-request-id"] == entry["parts"][1]["token"]
    done = shop.lock["hero"]
    assert (done["picked"], done["cost"], len(done["candidates"])) == ([1, 2, 3], ["0.102 credit"], 3)
    assert shop.plan() == {}


def test_one_create_in_doubt_of_three_may_have_cost_its_own_share_and_is_drawn_alone_once_it_is_given_up(
    shop: Shop, simulated: Simulated
) -> None:
    params = {"model": "openai/gpt-image-1.5", "size": "1024x1024", "n": 3}
    shop.assets(HUB, hero={"prompt": "hens", "params": params, "pick": "all", "output": "o/{{ candidate }}.png"})
    shop.providers(simulated.tap.origin, aigne_hub={"mount": "/ai-kit", "dialect": "hub", "max_concurrency": 1})
    with simulated.wrong(rule("aigne-hub", "create", {"accept": True, "then": "rst"}, times=1)):
        assert shop.apply().ends == {"hero": "in_doubt"}
    told_by = "  1 of its 3 creates: the billing record says it was charged 0.034 credit"
    assert told_by in shop.run("resolve", "--list").out
    told = json.loads(shop.run("resolve", "--list", "--json").out)
    assert told["possible_cost"] == "0.034 credit (estimated)"
    assert shop.run("resolve", "hero", "--abandon").code == 0
    (change,) = json.loads(shop.run("plan", "--json").out)["changes"]
    assert (change["reason_code"], change["cost"][0]["amount"]) == ("new", "0.034")
    assert change["reason"] == "some of its pictures are missing: what came is kept, and only the rest is drawn"
    assert shop.apply().summary["cost"] == [{"amount": "0.034", "currency": "credit"}]
    assert shop.lock["hero"]["picked"] == [1, 2, 3]


def test_an_edit_goes_by_the_native_route_with_the_picture_inside(shop: Shop, simulated: Simulated) -> None:
    shop.write("data/mark.png", png())
    params = {"model": "openai/gpt-image-1", "size": "1024x1024"}
    shop.assets(HUB, hero={"prompt": "a fox", "params": params, "references": ["data/mark.png"]})
    with dialect(simulated, "hub"):
        ran = shop.apply()
    assert ran.code == 0, str(ran)
    (edit,) = posts(simulated.tap.requests())
    assert edit.path == f"{MOUNT}/v2/image"
    assert edit.json == {
        "input": {
            "prompt": "a fox", "size": "1024x1024", "outputFileType": "file",
            "modelOptions": {"model": "openai/gpt-image-1"},
            "image": [
                {
                    "type": "file", "data": base64.b64encode(png()).decode(), "mimeType": "image/png",
                    "filename": "mark.png",
                }
            ],
        },
        "agent": "$CHAT_MODEL",
    }  # fmt: skip


def test_a_manifest_without_a_model_says_why_there_is_no_default(shop: Shop, simulated: Simulated) -> None:
    shop.assets(HUB, hero={"prompt": "a fox"})
    ran = shop.run("plan")
    assert ran.code == 1
    assert "dall-e-2, was retired on 2026-05-12" in ran.err
    assert not simulated.lines()


def real_hub(picture: bytes) -> Any:
    """Hub 0.9 as its source answers: one path, six copies of broken lines, 404 pages, its web app for any GET."""
    text = base64.b64encode(picture).decode()
    lines = "\r\n".join(text[at : at + 60] for at in range(0, len(text), 60))
    entry = {"base64": lines, "b64_json": lines, "b64Json": lines}
    answer = {
        "images": [entry], "data": [entry], "model": "gpt-image-2",
        "usage": {"aigneHubCredits": None, "creditPrefix": ""},
    }  # fmt: skip

    async def serve(request: web.Request, _: bytes) -> web.StreamResponse:
        if request.path == "/__blocklet__.js":
            points = [{"did": "other", "mountPoint": "/"}, {"did": COMPONENT, "mountPoint": "/ai-kit/"}]
            return web.json_response({"componentMountPoints": points})
        if request.method == "POST" and request.path == "/ai-kit/api/v2/image/generations":
            return web.json_response(answer)
        if request.method == "GET":
            return web.Response(text="<html>app</html>", content_type="text/html")
        page = f"<!DOCTYPE html><html><body><pre>Cannot POST {request.path}</pre></body></html>"
        return web.Response(status=404, text=page, content_type="text/html")

    return serve


def test_a_real_hubs_six_copies_of_broken_base64_are_one_picture(lone_shop: Shop) -> None:
    with Raw(real_hub(png())) as hub:
        lone_shop.provider("aigne-hub", hub.origin)
        lone_shop.assets(HUB, hero={"prompt": "a fox", "params": {"model": "openai/gpt-image-2"}})
        ran = lone_shop.apply()
        assert ran.code == 0, str(ran)
        assert [one.path for one in posts(hub.requests())] == [
            "/ai-kit/api/images/generations",
            "/ai-kit/api/v2/images/generations",
            "/ai-kit/api/v2/image/generations",
        ]
    assert (lone_shop.root / "outputs/hero/hero.png").read_bytes() == png()


class Gateway:
    """A gateway that keeps to the document: addresses of pictures, which die after `lives` looks (0: at first)."""

    def __init__(self, statuses: list[int]) -> None:
        self.statuses = statuses
        self.origin = ""

    async def serve(self, request: web.Request, _: bytes) -> web.StreamResponse:
        if request.path == "/api/images/generations":
            return web.json_response({"created": 1, "data": [{"url": f"{self.origin}/img/1.png"}]})
        if request.path == "/img/1.png":
            status = self.statuses.pop(0) if self.statuses else 200
            return web.Response(status=status, body=png() if status == 200 else b"no", content_type="image/png")
        return web.json_response({"error": "Not Found"}, status=404)


@pytest.mark.parametrize(("statuses", "looks"), [([], 1), ([404], 2)])
def test_an_address_is_fetched_at_once_without_a_key_and_again_where_it_is_not_there_yet(
    lone_shop: Shop, statuses: list[int], looks: int
) -> None:
    gateway = Gateway(statuses)
    with Raw(gateway.serve) as hub:
        gateway.origin = hub.origin
        lone_shop.provider("aigne-hub", hub.origin)
        lone_shop.assets(HUB, hero={"prompt": "a fox", "params": {"model": "openai/gpt-image-2"}})
        ran = lone_shop.apply()
        assert ran.code == 0, str(ran)
        fetched = [one for one in hub.requests() if one.target == "/img/1.png"]
    assert len(fetched) == looks
    assert all("authorization" not in one.headers for one in fetched)


def test_an_address_that_does_not_answer_leaves_a_receipt_and_is_asked_again_from_the_kept_answer(
    lone_shop: Shop,
) -> None:
    gateway = Gateway([503, 503, 503])
    with Raw(gateway.serve) as hub:
        gateway.origin = hub.origin
        lone_shop.provider("aigne-hub", hub.origin)
        lone_shop.assets(HUB, hero={"prompt": "a fox", "params": {"model": "openai/gpt-image-2"}})
        assert lone_shop.apply().ends == {"hero": "failed"}
        assert lone_shop.lock["hero"]["status"] == "pending"
        ran = lone_shop.apply()
        assert (ran.code, ran.summary["collected"]) == (0, 1)
        assert len(posts(hub.requests())) == 1


def test_a_dead_address_may_have_been_paid_and_is_never_drawn_again_by_itself(lone_shop: Shop) -> None:
    gateway = Gateway([404] * 9)
    with Raw(gateway.serve) as hub:
        gateway.origin = hub.origin
        lone_shop.provider("aigne-hub", hub.origin)
        lone_shop.assets(HUB, hero={"prompt": "a fox", "params": {"model": "openai/gpt-image-2"}})
        assert lone_shop.apply().ends == {"hero": "failed"}
        assert lone_shop.plan() == {"hero": "keep"}
        assert lone_shop.apply().code == 3
        assert len(posts(hub.requests())) == 1
