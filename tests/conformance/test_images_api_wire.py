"""The OpenAI Images API by the wire, and servers at home that speak it: LocalAI, Ollama, stable-diffusion.cpp."""

import base64
import json
from collections.abc import Mapping
from email import message_from_bytes
from email.message import Message
from typing import Any

import pytest
from aiohttp import web

from tests.conformance.wiretap import Raw, Request, Shop, Simulated, png, rule

OPENAI = {"provider": "openai"}
GPT = {"model": "gpt-image-2", "size": "1024x1024", "quality": "low"}
PICTURE = base64.b64encode(png()).decode()


def parts_of(request: Request) -> list[tuple[str, str | None, bytes]]:
    """A multipart form: name, file name, content."""
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    found = []
    for part in message_from_bytes(head + request.body).get_payload():
        assert isinstance(part, Message)
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        found.append((str(name), part.get_filename(), content))
    return found


def test_a_generation_and_an_edit_as_the_api_takes_them(shop: Shop, simulated: Simulated) -> None:
    shop.providers(simulated.tap.origin, openai={"capabilities": {"base64": False}})
    shop.write("data/mark.png", png())
    shop.assets(
        OPENAI,
        plain={"prompt": "a fox", "params": {**GPT, "output_format": "webp", "background": "opaque", "user": "u1"}},
        edit={"prompt": "a fox with it", "params": GPT, "references": ["data/mark.png"]},
    )
    ran = shop.apply()
    assert ran.code == 0, str(ran)
    asked = {one.path: one for one in simulated.tap.requests()}
    plain = asked["/openai/v1/images/generations"]
    assert plain.json == {
        "background": "opaque", "model": "gpt-image-2", "output_format": "webp", "prompt": "a fox", "quality": "low",
        "size": "1024x1024", "user": "u1",
    }  # fmt: skip
    assert plain.headers["authorization"] == "Bearer canary-openai-key"
    assert plain.headers["x-request-id"] == shop.lock["plain"]["token"]
    assert shop.lock["plain"]["outputs"][0]["path"].endswith(".webp")
    assert parts_of(asked["/openai/v1/images/edits"]) == [
        ("model", None, b"gpt-image-2"), ("prompt", None, b"a fox with it"), ("quality", None, b"low"),
        ("size", None, b"1024x1024"), ("image[]", "mark.png", png()),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("params", "where"),
    [
        ({"model": "gpt-image-2", "size": "1000x1000"}, "size"),
        ({"model": "gpt-image-1.5", "size": "512x512"}, "size"),
        ({"model": "gpt-image-2", "quality": "hd"}, "quality"),
        ({"model": "gpt-image-2", "n": 11}, "n"),
        ({"model": "dall-e-3"}, "model"),
        ({"model": "gpt-image-2", "output_compression": 50}, "output_compression"),
        ({"model": "gpt-image-2", "background": "transparent", "output_format": "jpeg"}, "background"),
        ({"model": "gpt-image-2", "seed": 1}, "seed"),
    ],
)
def test_limits_bind_at_the_public_host_and_are_told_before_anything_is_sent(
    lone_shop: Shop, params: Mapping[str, Any], where: str
) -> None:
    lone_shop.provider("openai", "https://api.openai.com/v1")
    lone_shop.assets(OPENAI, hero={"prompt": "a fox", "params": params})
    ran = lone_shop.run("plan")
    assert ran.code == 1
    assert f"hero: {where}: " in ran.err
    lone_shop.provider("openai", "http://127.0.0.1:9/v1")
    assert lone_shop.run("plan").code == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"message": "quota", "type": "insufficient_quota", "param": None, "code": "insufficient_quota"}, 3),
        ({"message": "slow down", "type": "requests", "param": None, "code": "rate_limit_exceeded"}, 0),
    ],
)
def test_a_429_about_money_stops_creates_and_one_about_speed_waits(
    shop: Shop, simulated: Simulated, error: Mapping[str, Any], code: int
) -> None:
    shop.providers(simulated.tap.origin, openai={"max_concurrency": 1, "capabilities": {"base64": False}})
    shop.assets(OPENAI, hero={"prompt": "fox {{ i }}", "matrix": {"i": [0, 1, 2]}, "params": GPT})
    answer = {"status": 429, "headers": {"retry-after": "1"}, "json": {"error": error}}
    with simulated.wrong(rule("openai", "create", answer, times=1)):
        ran = shop.apply()
    sent = simulated.lines().total()
    assert ran.code == code
    if code:
        assert sorted(ran.ends.values()) == ["failed", "unsent", "unsent"]
        assert sent == 1
    else:
        assert sent == 4
        assert sorted(one for one, _ in simulated.bills({b["token"] for b in shop.lock.values()})) == ["create"] * 3


async def local_ai(request: web.Request, body: bytes) -> web.StreamResponse:
    """An address unless base64 is asked for, on the server's own origin."""
    if request.path == "/v1/images/generations":
        if json.loads(body).get("response_format") == "b64_json":
            entry = {"embedding": None, "index": 0, "b64_json": PICTURE}
        else:
            entry = {"index": 0, "url": f"http://{request.host}/generated-images/b64.png"}
        return web.json_response({"created": 1, "id": "x", "data": [entry]})
    if request.path == "/generated-images/b64.png":
        return web.Response(body=png(), content_type="image/png")
    return web.Response(status=404, text="404 page not found")


@pytest.mark.parametrize("asks", [True, False])
def test_local_ai_is_asked_for_base64_without_a_key_and_by_address_where_told_so(lone_shop: Shop, asks: bool) -> None:
    with Raw(local_ai) as server:
        lone_shop.provider(
            "openai",
            f"{server.origin}/v1",
            extra_body={"mode": 1},
            capabilities={"base64": asks},
            price={"create": "0 EUR"},
        )
        lone_shop.assets(OPENAI, hero={"prompt": "a fox", "params": {"model": "sd-3.5", "size": "512x512", "step": 20}})
        ran = lone_shop.apply("-q")
        assert ran.code == 0, str(ran)
        assert not [one for one in ran.events if one["type"] == "diagnostic" and "step" in one["detail"]]
        create, *rest = server.requests()
    asked = {"response_format": "b64_json"} if asks else {}
    assert create.json == {
        "mode": 1, "step": 20, "model": "sd-3.5", "prompt": "a fox", "size": "512x512", **asked,
    }  # fmt: skip
    assert [one.target for one in rest] == ([] if asks else ["/generated-images/b64.png"])
    assert create.headers["authorization"] == "Bearer canary-openai-key"


async def ollama(_: web.Request, body: bytes) -> web.StreamResponse:
    """One picture a request, base64 only."""
    asked = json.loads(body)
    if asked.get("n", 1) != 1 or asked.get("response_format") not in {None, "b64_json"}:
        error = {"message": "only n=1 and b64_json", "type": "invalid_request_error", "param": None, "code": None}
        return web.json_response({"error": error}, status=400)
    return web.json_response({"created": 1, "data": [{"b64_json": PICTURE}]})


def test_ollama_draws_n_pictures_by_n_requests_of_one(lone_shop: Shop) -> None:
    params = {"model": "x/z-image-turbo", "n": 2, "steps": 4, "seed": 42}
    with Raw(ollama) as server:
        lone_shop.provider("openai", f"{server.origin}/v1")
        lone_shop.assets(
            OPENAI, hero={"prompt": "a fox", "params": params, "pick": "all", "output": "{{ candidate }}.png"}
        )
        ran = lone_shop.run("apply", "-y", "--json", OPENAI_API_KEY="")
        assert ran.code == 0, str(ran)
        asked = server.requests()
    assert len(asked) == 2
    assert all("authorization" not in one.headers for one in asked)
    assert {one.headers["x-request-id"] for one in asked} == {part["token"] for part in lone_shop.lock["hero"]["parts"]}
    assert lone_shop.lock["hero"]["picked"] == [1, 2]


async def stable_diffusion(request: web.Request, _: bytes) -> web.StreamResponse:
    """Wants its pictures as `image[]`, in a form."""
    if request.path != "/v1/images/edits" or not request.content_type.startswith("multipart/"):
        return web.json_response({"error": "prompt required"}, status=400)
    return web.json_response({"created": 1, "output_format": "png", "data": [{"b64_json": PICTURE}]})


def test_stable_diffusion_takes_references_as_form_files(lone_shop: Shop) -> None:
    with Raw(stable_diffusion) as server:
        lone_shop.provider("openai", f"{server.origin}/v1")
        lone_shop.write("data/a.png", png())
        lone_shop.write("data/b.png", png(side=32))
        asset = {"prompt": "a fox", "params": {"model": "sd"}, "references": ["data/a.png", "data/b.png"]}
        lone_shop.assets(OPENAI, hero=asset)
        ran = lone_shop.apply()
        assert ran.code == 0, str(ran)
        (edit,) = server.requests()
    assert [(name, file) for name, file, _ in parts_of(edit)] == [
        ("model", None), ("prompt", None), ("response_format", None), ("image[]", "a.png"), ("image[]", "b.png"),
    ]  # fmt: skip


async def strict(_: web.Request, body: bytes) -> web.StreamResponse:
    """Refuses what the Images API refuses for its newest models."""
    if "response_format" in json.loads(body):
        error = {
            "message": "Unknown parameter: 'response_format'.", "type": "invalid_request_error",
            "param": "response_format", "code": "unknown_parameter",
        }  # fmt: skip
        return web.json_response({"error": error}, status=400)
    return web.json_response({"created": 1, "data": [{"b64_json": PICTURE}]})


def test_a_server_that_refuses_response_format_is_asked_without_and_that_is_remembered(lone_shop: Shop) -> None:
    with Raw(strict) as server:
        lone_shop.provider("openai", f"{server.origin}/v1", max_concurrency=1)
        lone_shop.assets(OPENAI, hero={"prompt": "fox {{ i }}", "matrix": {"i": [0, 1]}, "params": {"model": "m"}})
        assert lone_shop.apply().code == 0
        assert ["response_format" in one.json for one in server.requests()] == [True, False, False]
        lone_shop.assets(OPENAI, hero={"prompt": "fox {{ i }}", "matrix": {"i": [0, 1, 2]}, "params": {"model": "m"}})
        assert lone_shop.apply().code == 0
        assert ["response_format" in one.json for one in server.requests()] == [False]
