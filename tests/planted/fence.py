"""Small looks at the real wire and at real pictures, which bite where one of the planted bugs is in.

Each answers what is wrong, None where nothing is.
"""

import asyncio
import io
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from PIL import Image

from imagebatch.http.client import ProviderWire
from imagebatch.http.downloader import Downloader
from imagebatch.http.limits import Gate
from imagebatch.http.trust import PictureRules, parse_base
from imagebatch.model.capabilities import Capabilities
from imagebatch.model.settings import ProviderSettings
from imagebatch.model.wire import Answer, Call
from imagebatch.outputs import worker
from imagebatch.outputs.bad_picture import BadPicture
from imagebatch.providers import all_images_wire
from imagebatch.providers.base import Unclear

KEY = "canary-key-123456"
_CAPABILITIES = Capabilities(type="t", answers="now", witness="none", key_header="api-key", key_prefix="")
_CREATE = Call(kind="create", operation="create", method="POST", path="/create", json={"prompt": "x"}, timeout_s=5.0)

Seen = list[bytes]


@asynccontextmanager
async def serving(answer: Callable[[str], bytes]) -> AsyncIterator[tuple[str, Seen]]:
    """A server on loopback: its address, and the heads of the requests that it saw; `answer` is told its own origin."""
    seen: Seen = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer(origin))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield origin, seen
    finally:
        server.close()


def _says(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", "connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def _wire(origin: str) -> ProviderWire:
    return ProviderWire(
        settings=ProviderSettings(alias="t", type="t"),
        capabilities=_CAPABILITIES,
        base=parse_base(origin),
        key=KEY,
        gate=Gate(),
        memory={},
    )


async def a_redirect() -> str | None:
    """A create is answered with another address."""
    async with (
        serving(lambda _: _says(200, b"{}")) as (elsewhere, seen),
        serving(lambda _: _says(307, b"", f"location: {elsewhere}/evil")) as (origin, _),
        _wire(origin) as wire,
    ):
        await wire.send(_CREATE)
        return f"the create went on to another host, key and all: {seen[0][:40]!r}" if seen else None


async def a_picture() -> str | None:
    """A picture is fetched."""
    async with serving(lambda _: _says(200, b"bytes")) as (origin, seen):
        rules = PictureRules(origin=parse_base(origin).origin)
        async with Downloader(rules) as downloader, downloader.stream(f"{origin}/a.png") as pieces:
            async for _ in pieces:
                pass
        return "the key travelled with a download" if KEY.encode() in seen[0] else None


async def an_echo() -> str | None:
    """A server repeats the key in its answer's body."""
    async with (
        serving(lambda _: _says(400, f'{{"error": "bad key {KEY}"}}'.encode())) as (origin, _),
        _wire(origin) as wire,
    ):
        answer = await wire.send(_CREATE)
        return "the key stands in an answer that will be shown and stored" if KEY.encode() in answer.body else None


def two_ids() -> str | None:
    """A create is answered with two ids under one name."""
    submission = all_images_wire.parse_create(
        Answer(status=201, headers={}, body=b'{"id": "a1", "id": "b2", "status": 1}')
    )
    return None if isinstance(submission, Unclear) else f"one of two ids was believed: {submission}"


def a_hollow_picture(folder: Path) -> str | None:
    """A WebP whose container is whole, and whose picture ends in the middle."""
    path = folder / "hollow.webp"
    path.write_bytes(_hollow())
    try:
        found = worker.check({"path": str(path)})
    except BadPicture:
        return None
    except Exception:  # noqa: BLE001  # what a decoder raises is told by the worker as 'no picture'
        return None
    return f"a picture without its lower half was taken: {found}"


def _hollow() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((96, 96), 80).convert("RGB").save(out, "WEBP", quality=80)
    picture = out.getvalue()[20:]
    half = picture[: len(picture) // 4 * 2]
    return b"RIFF" + struct.pack("<I", 12 + len(half)) + b"WEBPVP8 " + struct.pack("<I", len(half)) + half


LOOKS: dict[str, Callable[[Path], Awaitable[str | None] | str | None]] = {
    "redirect followed": lambda _: a_redirect(),
    "key on download client": lambda _: a_picture(),
    "masking by header name only": lambda _: an_echo(),
    "duplicate JSON keys accepted": lambda _: two_ids(),
    "verify() without load()": a_hollow_picture,
}
