"""A server on loopback that says exactly what a test tells it, and a clock that is moved by hand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

Reply = Callable[["RawServer", bytes, bytes, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RawServer:
    """Counts connections, keeps requests, and leaves the answer to `reply`."""

    reply: Reply
    port: int = 0
    connections: int = 0
    requests: list[tuple[bytes, bytes]] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def header(self, index: int, name: str) -> str | None:
        head = self.requests[index][0].decode("latin-1").split("\r\n")[1:]
        found = dict(line.lower().split(": ", 1) for line in head if ": " in line)
        return found.get(name)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                body = await reader.readexactly(int(lengths[0].split(b":")[1])) if lengths else b""
                self.requests.append((head, body))
                await self.reply(self, head, body, writer)
                await writer.drain()
                if writer.is_closing():
                    return


@pytest.fixture
async def raw_server() -> AsyncIterator[Callable[[Reply], Awaitable[RawServer]]]:
    running: list[tuple[asyncio.Server, RawServer]] = []

    async def start(reply: Reply) -> RawServer:
        raw = RawServer(reply=reply)
        server = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
        raw.port = server.sockets[0].getsockname()[1]
        running.append((server, raw))
        return raw

    yield start
    for server, raw in running:
        server.close()
        for writer in raw.writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        await server.wait_closed()


class HandClock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def answer(status: int, body: bytes = b"{}", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@pytest.fixture
def whole() -> Callable[..., bytes]:
    return answer
