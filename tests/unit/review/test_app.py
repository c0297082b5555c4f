"""The review's application over a desk that writes down what it was asked for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx
import pytest

from imagebatch.model.canonical import Json
from imagebatch.review.serving.app import application
from imagebatch.review.serving.desk import Answer, Picture
from imagebatch.review.serving.guard import Door
from imagebatch.review.wishes import MAX_WISH_BYTES, Wish

DOOR = Door(port=4321, token="t0k3n")
WISH = {"version": "v", "address": "hero", "undo": True}
POST = {"origin": DOOR.origin, "content-type": "application/json"}


@dataclass(slots=True)
class Paper:
    """A desk that has one page and one picture."""

    asked: list[str] = field(default_factory=list)
    wishes: list[Wish] = field(default_factory=list)
    answer: Answer = field(default_factory=lambda: Answer(kind="done"))

    def page(self, name: str) -> str | None:
        self.asked.append(name)
        return "<p>hello" if name == "index.html" else None

    def picture(self, name: str) -> Picture | None:
        self.asked.append(name)
        return Picture(data=b"picture", media_type="image/webp") if name == "thumbs/a.webp" else None

    def state(self, page: str, since: int) -> Mapping[str, Json]:
        self.asked.append(f"{page}@{since}")
        return {"revision": since + 1, "trouble": "", "standings": {}}

    def decide(self, wish: Wish) -> Answer:
        self.wishes.append(wish)
        return self.answer


@pytest.fixture
def desk() -> Paper:
    return Paper()


@pytest.fixture
def client(desk: Paper) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(application(desk, DOOR)), base_url=DOOR.address)


async def test_pages_pictures_and_what_stands(client: httpx.AsyncClient, desk: Paper) -> None:
    assert (await client.get("")).text == "<p>hello"
    assert (await client.get("index.html")).headers["content-type"] == "text/html; charset=utf-8"
    picture = await client.get("thumbs/a.webp")
    assert (picture.content, picture.headers["content-type"]) == (b"picture", "image/webp")
    assert (await client.get("state?page=asset-a.html&since=7")).json()["revision"] == 8
    assert desk.asked == ["index.html", "index.html", "thumbs/a.webp", "asset-a.html@7"]


@pytest.mark.parametrize("path", ["", "nothing.html", "state", "thumbs/b.webp"])
async def test_every_answer_has_the_strict_headers(client: httpx.AsyncClient, path: str) -> None:
    for answer in (await client.get(path), await client.get(path, headers={"host": "evil.com"})):
        headers = answer.headers
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"].startswith("default-src 'none'; img-src 'self' data:; connect-src")
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert not {"set-cookie", "access-control-allow-origin", "server"} & set(headers)


async def test_dns_rebinding_finds_nothing(client: httpx.AsyncClient, desk: Paper) -> None:
    answer = await client.get("", headers={"host": "evil.com:4321"})
    assert (answer.status_code, desk.asked) == (421, [])
    assert "t0k3n" not in answer.text


@pytest.mark.parametrize("origin", ["null", "http://evil.com", "http://localhost:4321"])
async def test_another_origin_decides_nothing(client: httpx.AsyncClient, desk: Paper, origin: str) -> None:
    answer = await client.post("decide", json=WISH, headers={"origin": origin})
    assert (answer.status_code, desk.wishes) == (403, [])


async def test_a_preflight_is_answered_with_no(client: httpx.AsyncClient) -> None:
    asked = {"origin": "http://evil.com", "access-control-request-method": "POST"}
    answer = await client.options("decide", headers=asked)
    assert (answer.status_code, "access-control-allow-origin" in answer.headers) == (405, False)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:4321/", "http://127.0.0.1:4321/t0k3/", "http://127.0.0.1:4321/state"]
)
async def test_a_missing_token_finds_nothing(client: httpx.AsyncClient, desk: Paper, url: str) -> None:
    answer = await client.get(url)
    assert (answer.status_code, desk.asked) == (404, [])
    assert (await client.post(f"{url}decide", json=WISH, headers=POST)).status_code == 404
    assert desk.wishes == []


async def test_a_decision_reaches_the_desk_and_its_answer_the_page(client: httpx.AsyncClient, desk: Paper) -> None:
    assert (await client.post("decide", json=WISH, headers=POST)).json() == {"is": "done", "text": "", "standing": None}
    desk.answer = Answer(kind="conflict", standing={"version": "w"})
    answer = await client.post("decide", json=WISH, headers=POST)
    assert (answer.status_code, answer.json()["standing"]) == (409, {"version": "w"})
    assert [one.address for one in desk.wishes] == ["hero", "hero"]


@pytest.mark.parametrize("length", ["told", "not told"])
async def test_a_large_body_is_cut_off(client: httpx.AsyncClient, desk: Paper, length: str) -> None:
    body = b" " * MAX_WISH_BYTES + json.dumps(WISH).encode()

    async def pieces() -> object:
        for at in range(0, len(body), 4096):
            yield body[at : at + 4096]

    content: object = body if length == "told" else pieces()
    answer = await client.post("decide", content=content, headers=POST)  # type: ignore[arg-type]  # both are right
    assert (answer.status_code, desk.wishes) == (413, [])


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"version":"v","version":"w"}', b"[" * 50_000, b"NaN"])
async def test_what_is_no_decision_is_told_so(client: httpx.AsyncClient, desk: Paper, body: bytes) -> None:
    answer = await client.post("decide", content=body, headers=POST)
    assert (answer.status_code, answer.json()["is"], desk.wishes) == (400, "refused", [])


@pytest.mark.parametrize(
    "path",
    ["/t0k3n/..%2f..%2fetc%2fpasswd", "/t0k3n/thumbs/..%2f..%2fimagebatch.lock", "/t0k3n/%2e%2e/secret",
     "/t0k3n/thumbs/a.webp%00.html", "/t0k3n/thumbs//a.webp", "/t0k3n/thumbs%5ca.webp", "/t0k3n/a/b/c/d"],
)  # fmt: skip
async def test_a_path_is_a_name_from_the_list_or_nothing(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(httpx.URL(f"http://127.0.0.1:4321{path}"))
    assert answer.status_code == 404


@pytest.mark.parametrize("since", ["", "-1", "1e9", "²", "9" * 30, "x"])
async def test_a_revision_is_a_number(client: httpx.AsyncClient, since: str) -> None:
    assert (await client.get("state", params={"since": since})).status_code == 400


async def test_what_nobody_expected_is_told_in_the_terminal_and_not_in_the_browser() -> None:
    class Broken(Paper):
        def page(self, name: str) -> str | None:
            raise RuntimeError("secret")

    told: list[Exception] = []
    transport = httpx.ASGITransport(application(Broken(), DOOR, told.append))
    async with httpx.AsyncClient(transport=transport, base_url=DOOR.address) as client:
        answer = await client.get("")
    assert (answer.status_code, "secret" in answer.text, [str(one) for one in told]) == (500, False, ["secret"])
