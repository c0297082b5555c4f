"""Downloads: no key, checked at every hop, bounded in everything."""

import asyncio
from typing import Any

import pytest

from imagebatch.http.downloader import CheckingResolver, Downloader, RefusedAddress
from imagebatch.http.limits import Gate
from imagebatch.http.trust import PictureRules, parse_base
from imagebatch.model.transfer import DownloadError

PUBLIC = PictureRules(origin=parse_base("https://api.example").origin, any_public_host=True)


def here(base: str) -> PictureRules:
    return PictureRules(origin=parse_base(base).origin)


async def fetched(down: Downloader, url: str) -> bytes:
    async with down.stream(url) as pieces:
        return b"".join([piece async for piece in pieces])


async def trouble(down: Downloader, url: str) -> DownloadError:
    with pytest.raises(DownloadError) as error:
        await fetched(down, url)
    return error.value


def says(reply: bytes, *, close: bool = False) -> Any:
    async def answer(_: Any, __: bytes, ___: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(reply)
        if close:
            await writer.drain()
            writer.close()

    return answer


async def test_a_picture_comes_over_loopback_where_the_provider_is_there(raw_server: Any, whole: Any) -> None:
    server = await raw_server(
        says(whole(200, b"picture" * 1000, 'content-disposition: attachment; filename="../../x"'))
    )
    async with Downloader(here(server.base)) as down:
        assert await fetched(down, f"{server.base}/a%2Fb.png?sig=a%2Bb%3D") == b"picture" * 1000
    assert server.requests[0][0].startswith(b"GET /a%2Fb.png?sig=a%2Bb%3D HTTP/1.1\r\n")
    assert [server.header(0, name) for name in ("authorization", "api-key", "cookie")] == [None, None, None]
    assert server.header(0, "accept-encoding") == "identity"
    assert down.counts == {"download": 1}


async def test_it_does_not_ask_loopback_for_a_provider_elsewhere(raw_server: Any, whole: Any) -> None:
    server = await raw_server(says(whole(200)))
    async with Downloader(PUBLIC) as down:
        for url in (f"{server.base}/x", f"https://127.0.0.1:{server.port}/x", f"https://localhost:{server.port}/x"):
            assert (await trouble(down, url)).kind == "blocked"
    assert server.connections == 0


async def test_redirects_are_followed_three_times_at_most(raw_server: Any, whole: Any) -> None:
    async def count_down(_: Any, head: bytes, __: bytes, writer: asyncio.StreamWriter) -> None:
        left = int(head.split(b" ")[1][1:])
        writer.write(whole(302, b"never read", f"location: /{left - 1}") if left else whole(200, b"here"))

    server = await raw_server(count_down)
    async with Downloader(here(server.base)) as down:
        assert await fetched(down, f"{server.base}/3") == b"here"
        error = await trouble(down, f"{server.base}/4")
    assert error.kind == "blocked"
    assert "more than 3 times" in str(error)


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/", "file:///etc/passwd", "https://10.0.0.1/", "//[fe80::1]/x"]
)
async def test_a_redirect_to_a_bad_place_is_not_followed(raw_server: Any, whole: Any, target: str) -> None:
    server = await raw_server(says(whole(302, b"", f"location: {target}")))
    async with Downloader(here(server.base)) as down:
        assert (await trouble(down, f"{server.base}/x")).kind == "blocked"
    assert down.counts == {"download": 1}


@pytest.mark.parametrize(
    "addresses",
    [["10.0.0.5"], ["93.184.216.34", "127.0.0.1"], ["169.254.169.254"], ["64:ff9b::a9fe:a9fe"], ["::ffff:127.0.0.1"]],
)
async def test_one_bad_address_blocks_a_name(addresses: list[str]) -> None:
    async def lookup(_: str, __: int) -> list[str]:
        return addresses

    async with Downloader(PUBLIC, lookup=lookup) as down:
        error = await trouble(down, "https://evil.example/x.png")
    assert error.kind == "blocked"
    assert "leads to" in str(error)
    assert down.counts.total() == 0


async def test_the_connection_goes_to_the_address_that_was_checked_without_a_second_look() -> None:
    looks: list[str] = []

    async def rebinding(host: str, _: int) -> list[str]:
        looks.append(host)
        return ["93.184.216.34"] if len(looks) == 1 else ["169.254.169.254"]

    resolver = CheckingResolver(rebinding, private=False, loopback=False)
    found = await resolver.resolve("evil.example", 443)
    assert [one["host"] for one in found] == ["93.184.216.34"]
    assert looks == ["evil.example"]
    with pytest.raises(RefusedAddress):
        await resolver.resolve("evil.example", 443)


async def test_a_trusted_name_may_lead_into_a_private_network_and_no_further() -> None:
    async def lookup(host: str, _: int) -> list[str]:
        return ["10.0.0.5"] if host == "in.example" else ["169.254.169.254"]

    inside = CheckingResolver(lookup, private=True, loopback=False)
    assert (await inside.resolve("in.example", 443))[0]["host"] == "10.0.0.5"
    with pytest.raises(RefusedAddress):
        await inside.resolve("meta.example", 443)


async def test_a_loopback_name_may_lead_nowhere_else(raw_server: Any, whole: Any) -> None:
    async def lookup(_: str, __: int) -> list[str]:
        return ["93.184.216.34"]

    server = await raw_server(says(whole(200)))
    async with Downloader(here(server.base), lookup=lookup) as down:
        assert (await trouble(down, f"http://localhost:{server.port}/x")).kind == "blocked"


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_dead_link_is_expired(raw_server: Any, whole: Any, status: int) -> None:
    server = await raw_server(says(whole(status, b"<html>")))
    async with Downloader(here(server.base)) as down:
        error = await trouble(down, f"{server.base}/x?sig=secret")
    assert (error.kind, error.status, error.again) == ("expired", status, False)
    assert "secret" not in str(error)


async def test_what_is_no_http_is_told_in_one_line_without_the_signed_address(raw_server: Any) -> None:
    server = await raw_server(says(b"\x1b[31mgarbage\x00\r\n\r\n", close=True))
    async with Downloader(here(server.base)) as down:
        error = await trouble(down, f"{server.base}/a.png?sig=secret")
    assert error.kind == "cut"
    assert str(error) == "127.0.0.1 broke the transfer off (Bad status line: Expected HTTP/, RTSP/ or ICE/)"


async def test_trouble_at_the_server_is_worth_another_try(raw_server: Any, whole: Any) -> None:
    server = await raw_server(says(whole(503, b"", "retry-after: 7")))
    async with Downloader(here(server.base)) as down:
        error = await trouble(down, f"{server.base}/x")
    assert (error.kind, error.again, error.wait_s) == ("status", True, 7.0)
    strange = await raw_server(says(whole(206, b"part")))
    async with Downloader(here(strange.base)) as down:
        assert not (await trouble(down, f"{strange.base}/x")).again


CUT = {
    "length": b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc",
    "chunked": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc",
    "nothing": b"",
}


@pytest.mark.parametrize("how", sorted(CUT))
async def test_a_cut_picture_is_noticed(raw_server: Any, how: str) -> None:
    server = await raw_server(says(CUT[how], close=True))
    async with Downloader(here(server.base)) as down:
        error = await trouble(down, f"{server.base}/x")
    assert (error.kind, error.again) == ("cut", True)


async def test_a_packed_picture_is_refused(raw_server: Any, whole: Any) -> None:
    server = await raw_server(says(whole(200, b"x", "content-encoding: gzip")))
    async with Downloader(here(server.base)) as down:
        assert (await trouble(down, f"{server.base}/x")).kind == "coding"


async def test_an_announced_flood_is_not_begun_and_an_endless_one_is_stopped(raw_server: Any) -> None:
    sent = 0

    async def endless(_: Any, head: bytes, __: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        if b"/announced" in head:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n")
            return
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + bytes(65536) + b"\r\n")
            await writer.drain()
            sent += 65536

    server = await raw_server(endless)
    async with Downloader(here(server.base), limit=1024 * 1024) as down:
        assert (await trouble(down, f"{server.base}/announced")).kind == "too_large"
        assert (await trouble(down, f"{server.base}/endless")).kind == "too_large"
    assert sent < 20 * 1024 * 1024


async def test_drips_do_not_outlast_the_whole_time(raw_server: Any) -> None:
    async def drip(_: Any, __: bytes, ___: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
        for _ in range(100):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    server = await raw_server(drip)
    async with Downloader(here(server.base), total_s=0.3) as down:
        error = await trouble(down, f"{server.base}/x")
    assert (error.kind, error.code) == ("too_slow", "net.too_slow")


async def test_no_connection_is_said_so() -> None:
    async with Downloader(here("http://127.0.0.1:1")) as down:
        error = await trouble(down, "http://127.0.0.1:1/x")
    assert (error.kind, error.code, error.again) == ("unreachable", "net.unreachable", True)


async def test_pictures_from_the_api_itself_count_at_its_gate(raw_server: Any, whole: Any) -> None:
    server = await raw_server(says(whole(429, b"", "retry-after: 5")))
    gate = Gate()
    async with Downloader(here(server.base), gate=gate) as down:
        error = await trouble(down, f"{server.base}/x")
    assert error.wait_s == 5.0
    assert gate.paused_s > 4


async def test_the_environment_decides_nothing(raw_server: Any, whole: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = await raw_server(says(whole(200, b"from the proxy")))
    server = await raw_server(says(whole(200, b"direct")))
    monkeypatch.setenv("HTTP_PROXY", proxy.base)
    monkeypatch.setenv("ALL_PROXY", proxy.base)
    async with Downloader(here(server.base)) as down:
        assert await fetched(down, f"{server.base}/x") == b"direct"
    assert proxy.connections == 0
