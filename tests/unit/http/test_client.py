"""The API client against servers that misbehave: what was certainly not sent, what is lost, what is repeated."""

import asyncio
import gzip
import json
import logging
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from imagebatch.errors import ProviderError
from imagebatch.http.client import ProviderWire
from imagebatch.http.downloader import Downloader
from imagebatch.http.errors import AnswerLost, ConnectFailed, NoAnswer, UnreadableAnswer
from imagebatch.http.limits import Gate
from imagebatch.http.spool import Inbox
from imagebatch.http.transport import ssl_context
from imagebatch.http.trust import PictureRules, parse_base
from imagebatch.model.capabilities import Capabilities
from imagebatch.model.settings import ProviderSettings, RateLimit
from imagebatch.model.wire import Answer, BadAnswer, Call, FormFile, NotSent

KEY = "canary-key-123456"
CAPS = Capabilities(type="t", answers="now", witness="none", key_header="api-key", key_prefix="")
TOKEN = "ib-aaaaaaaaaaaaaaaa"


class Hurry:
    """The real clock with waits that are a hundred times shorter, remembered."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> float:
        return asyncio.get_running_loop().time() * 100

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(seconds / 100)


def wire(base: str, *, gate: Gate | None = None, **options: Any) -> ProviderWire:
    clock = options.pop("clock", None) or Hurry()
    return ProviderWire(
        settings=ProviderSettings(alias="studio", type="t"),
        capabilities=CAPS,
        base=parse_base(base),
        key=options.pop("key", KEY),
        gate=gate or Gate(clock=clock),
        memory=options.pop("memory", {}),
        clock=clock,
        **options,
    )


def create(**options: Any) -> Call:
    return Call(
        **{"kind": "create", "operation": "create", "method": "POST", "path": "/c", "json": {"p": "é"}} | options
    )


def read(**options: Any) -> Call:
    return Call(**{"kind": "read", "operation": "get", "method": "GET", "path": "/g"} | options)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def says(*replies: bytes) -> Callable[..., Awaitable[None]]:
    """Answers in this order, the last one for ever; an empty one hangs up."""
    left = list(replies)

    async def reply(_: Any, __: bytes, ___: bytes, writer: asyncio.StreamWriter) -> None:
        now = left.pop(0) if len(left) > 1 else left[0]
        if now:
            writer.write(now)
        else:
            writer.close()

    return reply


async def test_a_call_arrives_as_it_is_meant(raw_server: Any, whole: Any) -> None:
    server = await raw_server(says(whole(200, b'{"ok":1}', "X-One: a")))
    async with wire(f"{server.base}/v1") as it:
        got = await it.send(read(path="/x%2Fy", query={"a": "b c", "d": "é"}, headers={"X-Request-ID": "t"}))
        await it.send(create(at_origin=True, path="/top"))
    assert got == Answer(status=200, headers={"content-length": "8", "x-one": "a"}, body=b'{"ok":1}')
    assert server.requests[0][0].startswith(b"GET /v1/x%2Fy?a=b%20c&d=%C3%A9 HTTP/1.1\r\n")
    assert server.requests[1][0].startswith(b"POST /top HTTP/1.1\r\n")
    assert server.requests[1][1] == '{"p":"é"}'.encode()
    assert [server.header(1, name) for name in ("api-key", "accept", "content-type")] == [
        KEY,
        "application/json",
        "application/json",
    ]
    assert server.header(1, "accept-encoding") == "identity"
    assert server.header(1, "cookie") is None
    assert it.counts == {"get": 1, "create": 1}


async def test_a_form_carries_its_files(raw_server: Any, whole: Any) -> None:
    server = await raw_server(says(whole(200)))
    file = FormFile(field="image[]", filename="a.png", media_type="image/png", content=b"\x89PNG bytes")
    async with wire(server.base) as it:
        await it.send(create(json=None, form={"prompt": "a fox"}, files=(file,)))
    head, body = server.requests[0]
    assert b"multipart/form-data; boundary=" in head
    assert b'name="image[]"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG bytes' in body
    assert b'name="prompt"\r\n\r\na fox' in body


async def test_reads_share_a_connection_and_each_create_has_its_own(raw_server: Any, whole: Any) -> None:
    server = await raw_server(says(whole(200)))
    async with wire(server.base) as it:
        for _ in range(3):
            await it.send(read())
        assert server.connections == 1
        for _ in range(3):
            await it.send(create())
        assert server.connections == 4
    assert server.header(4, "connection") == "close"


async def test_cookies_are_neither_kept_nor_sent(raw_server: Any, whole: Any) -> None:
    server = await raw_server(says(whole(200, b"{}", "set-cookie: a=b; Path=/")))
    async with wire(server.base) as it:
        await it.send(read())
        await it.send(read())
    assert server.header(1, "cookie") is None


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_answers_and_never_followed(raw_server: Any, whole: Any, status: int) -> None:
    elsewhere = await raw_server(says(whole(200)))
    server = await raw_server(says(whole(status, b"", f"location: {elsewhere.base}/evil")))
    async with wire(server.base) as it:
        assert (await it.send(create())).status == status
        assert (await it.send(read())).status == status
    assert elsewhere.requests == []


async def test_a_refused_connection_is_tried_again_and_pays_once(raw_server: Any, whole: Any) -> None:
    server = await raw_server(says(whole(200)))
    fails = 2

    async def wobbly(request: httpx.Request) -> httpx.Response:
        nonlocal fails
        if fails:
            fails -= 1
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(200, json={"port": server.port})

    async with wire(server.base, transport=httpx.MockTransport(wobbly)) as it:
        assert (await it.send(create())).status == 200
    assert it.counts == {"create": 1}


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


async def test_where_nobody_listens_nothing_was_sent() -> None:
    clock = Hurry()
    async with wire(f"http://127.0.0.1:{closed_port()}", clock=clock) as it:
        with pytest.raises(ConnectFailed, match="no connection") as error:
            await it.send(create())
        assert error.value.code == "net.unreachable"
        assert len(clock.slept) == 4
        with pytest.raises(NoAnswer) as read_error:
            await it.send(read())
        assert read_error.value.code == "net.unreachable"
    assert it.counts.total() == 0


async def test_an_unknown_name_means_that_nothing_was_sent() -> None:
    async with wire("https://no-such-host.invalid") as it:
        with pytest.raises(ConnectFailed, match="no connection"):
            await it.send(create(timeout_s=5.0))


async def test_a_server_that_hangs_up_leaves_a_create_in_doubt_and_it_is_sent_once(raw_server: Any) -> None:
    server = await raw_server(says(b""))
    async with wire(server.base) as it:
        with pytest.raises(AnswerLost) as error:
            await it.send(create())
    assert (error.value.why, error.value.status, error.value.code) == ("cut", None, "create.in_doubt")
    assert len(server.requests) == 1


async def test_a_server_that_never_answers_leaves_a_create_in_doubt(raw_server: Any) -> None:
    async def hang(*_: Any) -> None:
        await asyncio.sleep(30)

    server = await raw_server(hang)
    async with wire(server.base) as it:
        with pytest.raises(AnswerLost, match="no whole answer within") as error:
            await it.send(create(timeout_s=0.2))
        server.writers[0].close()
    assert error.value.why == "timeout"
    assert len(server.requests) == 1


async def test_a_server_that_closes_while_it_reads_leaves_a_create_in_doubt() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.transport.abort()

    server = await asyncio.start_server(half, "127.0.0.1", 0)
    async with server, wire(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as it:
        with pytest.raises(AnswerLost):
            await it.send(create(json={"p": "x" * 3_000_000}))


async def test_drips_do_not_outlast_the_whole_time(raw_server: Any) -> None:
    async def drip(_: Any, __: bytes, ___: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
        for _ in range(100):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    server = await raw_server(drip)
    start = asyncio.get_running_loop().time()
    async with wire(server.base) as it:
        with pytest.raises(AnswerLost) as error:
            await it.send(create(timeout_s=0.3))
    assert asyncio.get_running_loop().time() - start < 2
    assert error.value.status == 200


CUT = {
    "length": b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{}",
    "chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "gzip": b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 20\r\n\r\n"
    + gzip.compress(b"abc" * 99)[:20],
    "lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "garbage": b"SSH-2.0-OpenSSH_9\r\n\r\n",
}


GARBAGE = {
    "a status line of control characters": b"\x1b[31mSSH-2.0-" + KEY.encode() + b"\x00\xff\r\n\r\n",
    "a status that is no number": b"HTTP/1.1 abc OK\r\n\r\n",
    "a header of control characters": b"HTTP/1.1 200 OK\r\nbad\x01header\r\n\r\n",
    "a line without end": b"X" * 300_000,
    "a chunk without size": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n",
}


@pytest.mark.parametrize("call", [create(), read()])
@pytest.mark.parametrize("how", sorted(GARBAGE))
async def test_what_is_no_http_is_told_in_one_short_line(raw_server: Any, how: str, call: Call) -> None:
    async def garbage(_: Any, __: bytes, ___: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(GARBAGE[how])
        await writer.drain()
        writer.close()

    server = await raw_server(garbage)
    async with wire(server.base) as it:
        with pytest.raises((AnswerLost, NoAnswer)) as error:
            await it.send(call)
    text = str(error.value)
    assert text.isprintable(), text
    assert len(text) < 300
    assert "  " not in text
    assert KEY not in text
    assert "127.0.0.1" not in text


@pytest.mark.parametrize("how", sorted(CUT))
async def test_an_answer_that_does_not_come_whole_is_lost_for_a_create(raw_server: Any, how: str) -> None:
    async def cut(_: Any, __: bytes, ___: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(CUT[how])
        await writer.drain()
        writer.close()

    server = await raw_server(cut)
    async with wire(server.base) as it:
        with pytest.raises(AnswerLost):
            await it.send(create())
    assert len(server.requests) == 1


@pytest.mark.parametrize("how", sorted(CUT))
async def test_an_answer_that_does_not_come_whole_is_asked_for_again_on_a_read(
    raw_server: Any, whole: Any, how: str
) -> None:
    left = [CUT[how], CUT[how], whole(200, b'{"ok":1}')]

    async def cut(_: Any, __: bytes, ___: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(left.pop(0))
        await writer.drain()
        if left:
            writer.close()

    server = await raw_server(cut)
    async with wire(server.base) as it:
        assert (await it.send(read())).body == b'{"ok":1}'
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 402, 413, 422])
async def test_a_clear_refusal_stays_clear_though_its_body_is_broken(raw_server: Any, status: int) -> None:
    async def cut(_: Any, __: bytes, ___: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 100\r\n\r\nno".encode())
        await writer.drain()
        writer.close()

    server = await raw_server(cut)
    async with wire(server.base) as it:
        answer = await it.send(create())
    assert (answer.status, answer.body) == (status, b"no")


async def test_a_clear_refusal_stays_clear_though_its_body_never_ends(raw_server: Any) -> None:
    async def hang(_: Any, __: bytes, ___: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 402 X\r\ncontent-length: 100\r\n\r\nno")
        await writer.drain()
        await asyncio.sleep(30)

    server = await raw_server(hang)
    async with wire(server.base) as it:
        assert (await it.send(create(timeout_s=0.3))).status == 402


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 999])
async def test_a_creates_answer_is_handed_on_whatever_its_status(raw_server: Any, whole: Any, status: int) -> None:
    server = await raw_server(says(whole(status, b"oops")))
    async with wire(server.base) as it:
        assert (await it.send(create())).status == status
    assert len(server.requests) == 1


async def test_a_read_outlives_a_storm(raw_server: Any, whole: Any) -> None:
    server = await raw_server(says(whole(503), whole(500), b"", whole(429, b"{}", "retry-after: 3"), whole(200, b"{}")))
    clock = Hurry()
    async with wire(server.base, clock=clock) as it:
        assert (await it.send(read())).status == 200
    assert len(server.requests) == 5
    assert 2.0 < max(clock.slept) <= 3.0


async def test_a_read_that_never_gets_better_gives_its_last_answer(raw_server: Any, whole: Any) -> None:
    server = await raw_server(says(whole(503, b"still down")))
    async with wire(server.base) as it:
        answer = await it.send(read())
    assert (answer.status, answer.body) == (503, b"still down")
    assert len(server.requests) == 7


async def test_a_buy_that_is_lost_every_time_is_in_doubt_and_was_repeated(raw_server: Any) -> None:
    server = await raw_server(says(b""))
    async with wire(server.base) as it:
        with pytest.raises(AnswerLost):
            await it.send(create(kind="buy", operation="buy"))
    assert len(server.requests) == 7


async def test_a_429_on_a_create_pauses_all_calls_of_the_provider(raw_server: Any, whole: Any) -> None:
    server = await raw_server(says(whole(429, b"{}", "retry-after: 5"), whole(200)))
    clock = Hurry()
    gate = Gate(clock=clock)
    async with wire(server.base, clock=clock, gate=gate) as it:
        assert (await it.send(create())).status == 429
        assert 4.0 < gate.paused_s <= 5.0
        await it.send(read())
    assert max(clock.slept) > 4.0


async def test_a_pause_beyond_the_run_is_not_slept(raw_server: Any, whole: Any) -> None:
    server = await raw_server(says(whole(429, b"{}", "retry-after: 999999999")))
    clock = Hurry()
    async with wire(server.base, clock=clock) as it:
        assert (await it.send(create())).status == 429
        with pytest.raises(NotSent):
            await it.send(create())
        with pytest.raises(NoAnswer) as error:
            await it.send(read())
    assert error.value.code == "provider.paused"
    assert len(server.requests) == 1
    assert clock.slept == []


async def test_declared_rates_hold_for_all_kinds_of_requests(raw_server: Any, whole: Any) -> None:
    server = await raw_server(says(whole(200)))
    gate = Gate((RateLimit(count=2, per_s=0.3),))
    start = asyncio.get_running_loop().time()
    async with wire(server.base, gate=gate) as it:
        await asyncio.gather(*(it.send(call) for call in (read(), create(), read(), create(), read())))
    assert asyncio.get_running_loop().time() - start >= 0.6


async def test_an_answer_over_the_limit_is_named(raw_server: Any, whole: Any) -> None:
    server = await raw_server(says(whole(200, bytes(5000))))
    async with wire(server.base) as it:
        with pytest.raises(UnreadableAnswer) as large:
            await it.send(read(limit_bytes=1000))
        with pytest.raises(AnswerLost) as lost:
            await it.send(create(limit_bytes=1000))
    assert large.value.code == "provider.too_large"
    assert (lost.value.why, lost.value.status) == ("too_large", 200)


async def test_a_coding_that_was_not_asked_for_is_no_answer(raw_server: Any, whole: Any) -> None:
    server = await raw_server(says(whole(200, b"xx", "content-encoding: br")))
    async with wire(server.base) as it:
        with pytest.raises(UnreadableAnswer) as error:
            await it.send(read())
        with pytest.raises(AnswerLost):
            await it.send(create())
    assert error.value.code == "provider.bad_response"


async def test_a_packed_listing_is_unpacked(raw_server: Any, whole: Any) -> None:
    server = await raw_server(says(whole(200, gzip.compress(b'{"a":1}'), "content-encoding: gzip")))
    async with wire(server.base) as it:
        assert (await it.send(read())).body == b'{"a":1}'


async def test_headers_may_be_long_but_not_endless(raw_server: Any, whole: Any) -> None:
    server = await raw_server(says(whole(200, b"{}", "x-long: " + "a" * 100_000)))
    async with wire(server.base) as it:
        assert len((await it.send(read())).headers["x-long"]) == 100_000
    endless = await raw_server(says(b"HTTP/1.1 200 OK\r\nx: " + b"a" * 2_000_000 + b"\r\n\r\n"))
    async with wire(endless.base) as it:
        with pytest.raises(AnswerLost):
            await it.send(create())


async def test_a_flood_of_interim_answers_is_given_up_and_a_few_are_honest(raw_server: Any, whole: Any) -> None:
    few = await raw_server(says(b"HTTP/1.1 102 X\r\n\r\n" * 5 + whole(200)))
    async with wire(few.base) as it:
        assert (await it.send(read())).status == 200
        assert (await it.send(read())).status == 200
    flood = await raw_server(says(b"HTTP/1.1 102 X\r\n\r\n" * 1000 + whole(200)))
    async with wire(flood.base) as it:
        with pytest.raises(AnswerLost):
            await it.send(create())


async def test_the_key_is_masked_in_what_comes_back(raw_server: Any, whole: Any) -> None:
    server = await raw_server(says(whole(400, json.dumps({"error": f"bad key {KEY}"}).encode())))
    async with wire(server.base) as it:
        assert KEY.encode() not in (await it.send(create())).body
    async with wire(server.base, secret=False) as it:
        assert KEY.encode() in (await it.send(create())).body


async def test_a_kept_answer_and_its_headers_hold_no_key(raw_server: Any, whole: Any, tmp_path: Path) -> None:
    body = json.dumps({"oops": KEY}).encode()
    answer = whole(200, body).replace(b"\r\n", b"\r\nx-request-id: " + KEY.encode() + b"\r\n", 1)
    server = await raw_server(says(answer))
    async with wire(server.base) as it:
        told = await it.send_spooled(create(), tmp_path / "kept.answer")
    assert KEY not in str(told.headers) + told.body.decode()
    assert KEY.encode() not in (tmp_path / "kept.answer").read_bytes()


@pytest.mark.parametrize("key", ["a\nb", "schlüssel-kaputt", "a\x00b"])
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ProviderError) as error:
        wire("http://127.0.0.1:1", key=key)
    assert key not in str(error.value)


@pytest.mark.parametrize(
    "path", ["c", "//evil.example/c", "/a/../b", "/a/%2e%2e/b", "/a b", "/a?b", "/a#b", "/a\\b", "/é", "/a\r\nx: y"]
)
async def test_a_path_cannot_name_another_place(path: str) -> None:
    async with wire("http://127.0.0.1:1") as it:
        with pytest.raises(BadAnswer):
            await it.send(read(path=path))


async def test_facts_about_the_address_are_kept_by_address() -> None:
    memory: dict[str, str] = {}
    async with wire("http://127.0.0.1:1/a", memory=memory) as one, wire("http://127.0.0.1:1/b", memory=memory) as two:
        one.remember("mount", "/hub")
        assert one.recall("mount") == "/hub"
        assert two.recall("mount") is None


async def test_a_proxy_that_is_not_there_means_that_nothing_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed_port()}")
    async with wire("https://hub.example") as it:
        with pytest.raises(ConnectFailed) as error:
            await it.send(create())
    assert error.value.code == "net.proxy"


async def test_a_proxy_of_the_environment_is_asked_first(
    raw_server: Any, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = await raw_server(says(whole(502)))
    monkeypatch.setenv("HTTPS_PROXY", proxy.base)
    async with wire("https://hub.example") as it:
        with pytest.raises(ConnectFailed):
            await it.send(create())
    assert proxy.requests[0][0].startswith(b"CONNECT hub.example:443")
    assert KEY.encode() not in b"".join(head for head, _ in proxy.requests)


async def test_the_most_specific_proxy_rule_counts(
    raw_server: Any, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = await raw_server(says(whole(502)))
    monkeypatch.setenv("ALL_PROXY", proxy.base)
    monkeypatch.setenv("NO_PROXY", "hub.invalid")
    async with wire("https://hub.invalid") as it:
        with pytest.raises(ConnectFailed) as error:
            await it.send(create())
    assert error.value.code == "net.unreachable"
    assert proxy.connections == 0


async def test_loopback_goes_past_the_proxy_and_socks_is_named(
    raw_server: Any, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await raw_server(says(whole(200)))
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    async with wire(server.base) as it:
        assert (await it.send(read())).status == 200
    async with wire("https://hub.example") as it:
        with pytest.raises(ProviderError, match="socks5 proxy"):
            await it.send(read())


@pytest.fixture
def server_tls(tmp_path: Path) -> ssl.SSLContext:
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", tmp_path / "k", "-out", tmp_path / "c"),
        ],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("no openssl program here to make a certificate with")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "c", tmp_path / "k")
    return context


async def test_a_certificate_that_nobody_vouches_for_is_final(server_tls: ssl.SSLContext) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=server_tls)
    clock = Hurry()
    async with server, wire(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", clock=clock) as it:
        with pytest.raises(ConnectFailed, match="no safe connection") as error:
            await it.send(create())
    assert error.value.code == "net.tls"
    assert clock.slept == []


async def test_authorities_of_the_environment_are_believed(
    server_tls: ssl.SSLContext, raw_server: Any, whole: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "c"))
    ssl_context.cache_clear()
    plain = await raw_server(says(whole(200, b"over tls")))
    server = await asyncio.start_server(plain.serve, "127.0.0.1", 0, ssl=server_tls)
    base = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        async with server, wire(base) as it, Downloader(PictureRules(origin=parse_base(base).origin)) as down:
            assert (await it.send(create())).body == b"over tls"
            async with down.stream(f"{base}/x.png") as pieces:
                assert b"".join([piece async for piece in pieces]) == b"over tls"
            for writer in plain.writers:
                writer.close()
    finally:
        ssl_context.cache_clear()


async def test_respx_can_stand_in_for_the_network() -> None:
    router = respx.Router()
    route = router.post("https://hub.example/c").mock(side_effect=[httpx.ReadTimeout, httpx.Response(200, json={})])
    async with wire("https://hub.example", transport=httpx.MockTransport(router.async_handler)) as it:
        with pytest.raises(AnswerLost) as error:
            await it.send(create())
    assert error.value.why == "timeout"
    assert route.call_count == 1


async def test_a_spooled_answer_is_on_disk_before_it_is_read(raw_server: Any, whole: Any, tmp_path: Path) -> None:
    server = await raw_server(
        says(whole(400, b"no"), whole(200, b'{"data":1}', "content-type: application/json", f"x-k: {KEY}"))
    )
    inbox = Inbox(tmp_path / "inbox")
    async with wire(server.base) as it:
        spooling = inbox.wire(TOKEN, it)
        assert (await spooling.send(create())).status == 400
        assert inbox.answer(TOKEN) is None
        answer = await spooling.send(create())
        assert (await spooling.send(read())).status == 200
    kept = inbox.answer(TOKEN)
    assert kept is not None
    assert (kept.status, kept.body, kept.headers) == (200, answer.body, {"content-type": "application/json"})
    assert inbox.path(TOKEN).stat().st_mode & 0o777 == 0o600
    assert inbox.tokens() == (TOKEN,)
    inbox.discard(TOKEN)
    assert names(tmp_path / "inbox") == []


def test_what_is_no_file_in_the_inbox_is_no_answer(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox")
    (tmp_path / "inbox").mkdir()
    os.mkfifo(inbox.path(TOKEN))
    assert inbox.answer(TOKEN) is None, "a pipe was waited for"
    (tmp_path / "file").touch()
    assert Inbox(tmp_path / "file").answer(TOKEN) is None


async def test_a_spooled_answer_that_is_cut_is_never_taken_for_whole(raw_server: Any, tmp_path: Path) -> None:
    async def cut(_: Any, __: bytes, ___: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(CUT["length"])
        await writer.drain()
        writer.close()

    server = await raw_server(cut)
    inbox = Inbox(tmp_path)
    async with wire(server.base) as it:
        with pytest.raises(AnswerLost):
            await inbox.wire(TOKEN, it).send(create())
    assert inbox.answer(TOKEN) is None
    assert names(tmp_path) == [f"{TOKEN}.answer.part"]


async def test_a_disk_that_fails_does_not_lose_a_paid_answer(raw_server: Any, whole: Any, tmp_path: Path) -> None:
    server = await raw_server(says(whole(200, b'{"data":1}')))
    (tmp_path / "inbox").write_text("a file where the folder should be")
    async with wire(server.base) as it:
        answer = await Inbox(tmp_path / "inbox").wire(TOKEN, it).send(create())
    assert answer.body == b'{"data":1}'


def test_the_http_libraries_say_nothing_below_warnings() -> None:
    assert all(logging.getLogger(name).getEffectiveLevel() >= logging.WARNING for name in ("httpx", "httpcore"))


HUGE = """
import asyncio, sys
from pathlib import Path
from imagebatch.http.client import ProviderWire
from imagebatch.http.errors import AnswerLost
from imagebatch.http.limits import Gate
from imagebatch.http.transport import ssl_context
from imagebatch.http.trust import PictureRules, parse_base
from imagebatch.model.capabilities import Capabilities
from imagebatch.model.settings import ProviderSettings
from imagebatch.model.wire import Call

async def main():
    caps = Capabilities(type="t", answers="now", witness="none")
    it = ProviderWire(settings=ProviderSettings(alias="a", type="t"), capabilities=caps, base=parse_base(sys.argv[1]),
                      key=None, gate=Gate(), memory={})
    call = Call(kind="create", operation="create", method="POST", path="/c", limit_bytes=96 * 1024 * 1024)
    try:
        await (it.send_spooled(call, Path(sys.argv[2])) if sys.argv[3] == "spool" else it.send(call))
    except AnswerLost as error:
        assert error.why == "too_large", error
        # VmHWM, not ru_maxrss: a child inherits the latter's peak from the process that forked it.
        status = open('/proc/self/status').read()
        print(int(status.split('VmHWM:')[1].split()[0]) // 1024)
    await it.aclose()
asyncio.run(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize(("how", "most_mib"), [("spool", 120), ("memory", 300)])
async def test_an_answer_of_400_mb_is_stopped_with_little_memory(
    raw_server: Any, tmp_path: Path, how: str, most_mib: int
) -> None:
    async def flood(_: Any, __: bytes, ___: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 400000000\r\n\r\n")
        piece = b"QUJD" * 250_000
        for _ in range(400):
            writer.write(piece)
            await writer.drain()

    server = await raw_server(flood)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HUGE, server.base, str(tmp_path / "a.answer"), how,
        stdout=asyncio.subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    out, _ = await asyncio.wait_for(child.communicate(), 60)
    assert int(out) < most_mib
