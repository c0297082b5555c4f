"""The last moment before a create leaves: what is written down then is durable before its first byte is on the wire."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from imagebatch.http.announce import AnnouncedWire
from imagebatch.http.client import ProviderWire
from imagebatch.http.limits import Gate
from imagebatch.http.spool import Inbox
from imagebatch.http.trust import parse_base
from imagebatch.model.capabilities import Capabilities
from imagebatch.model.settings import ProviderSettings
from imagebatch.model.wire import Answer, Call, NotSent

CREATE = Call(kind="create", operation="create", method="POST", path="/create", json={"prompt": "fox"})
READ = Call(kind="read", operation="get", method="GET", path="/one")
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
TOKEN = "ib-aaaaaaaaaaaaaaaa"


class Server:
    """Answers everything, and remembers when a connection was opened and how many bytes had come by then."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.got = b""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while piece := await reader.read(65536):
            self.got += piece
            if b"fox" in self.got or self.got.startswith(b"GET"):
                writer.write(ANSWER)
                await writer.drain()
                break
        writer.close()


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    async with await asyncio.start_server(server, "127.0.0.1", 0) as listening:
        server.port = int(listening.sockets[0].getsockname()[1])
        yield server


def wire_to(port: int) -> ProviderWire:
    return ProviderWire(
        settings=ProviderSettings(alias="studio", type="t"),
        capabilities=Capabilities(type="t", answers="now", witness="none"),
        base=parse_base(f"http://127.0.0.1:{port}"),
        key=None,
        gate=Gate(),
        memory={},
    )


async def test_a_create_is_announced_when_its_connection_stands_and_no_byte_has_left() -> None:
    seen: list[tuple[int, bytes]] = []
    async with serving() as server, wire_to(server.port) as wire:

        async def before() -> None:
            await asyncio.sleep(0.1)  # a byte that had left would have arrived by then
            seen.append((server.connections, server.got))

        answer = await AnnouncedWire(wire, before).send(CREATE)
    assert seen == [(1, b"")]
    assert (answer.status, wire.counts["create"]) == (200, 1)


@pytest.mark.parametrize("reason", [NotSent("the run was stopped"), ValueError("the disk is full")])
async def test_what_is_raised_at_the_last_moment_keeps_the_create_from_leaving(reason: Exception) -> None:
    async with serving() as server, wire_to(server.port) as wire:

        async def before() -> None:
            raise reason

        with pytest.raises(type(reason), match=str(reason)):
            await AnnouncedWire(wire, before).send(CREATE)
        await asyncio.sleep(0.05)
    assert (server.got, wire.counts["create"]) == (b"", 0)


async def test_a_create_that_finds_no_connection_is_never_announced() -> None:
    announced = []
    async with serving() as server:
        closed = server.port
    async with wire_to(closed) as wire:

        async def before() -> None:
            announced.append(1)

        with pytest.raises(NotSent):
            await AnnouncedWire(wire, before).send(CREATE)
    assert not announced


async def test_reads_are_not_announced() -> None:
    announced = []

    async def before() -> None:
        announced.append(1)

    async with serving() as server, wire_to(server.port) as wire:
        assert (await AnnouncedWire(wire, before).send(READ)).status == 200
    assert not announced


async def test_a_spooled_create_is_announced_too_and_its_answer_is_kept(tmp_path: Path) -> None:
    announced = []

    async def before() -> None:
        announced.append(1)

    inbox = Inbox(tmp_path / "inbox")
    async with serving() as server, wire_to(server.port) as wire:
        await inbox.wire(TOKEN, AnnouncedWire(wire, before)).send(CREATE)
    kept = inbox.answer(TOKEN)
    assert (announced, kept.body if kept else None) == ([1], b"{}")


async def test_a_wire_that_knows_no_last_moment_announces_early() -> None:
    order: list[str] = []

    class Plain:
        async def send(self, call: Call) -> Answer:
            order.append(call.operation)
            return Answer(status=200, headers={}, body=b"")

        def recall(self, key: str) -> str | None:
            return f"fact of {key}"

        def remember(self, key: str, value: str) -> None:
            order.append(f"{key}={value}")

    async def before() -> None:
        order.append("announced")

    wire = AnnouncedWire(Plain(), before)
    await wire.send(CREATE)
    wire.remember("mount", "/x")
    assert order == ["announced", "create", "mount=/x"]
    assert wire.recall("mount") == "fact of mount"
