"""How an answer leaves: as it is, changed, cut, dripped, reset or replaced."""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from aiohttp import web

from imagebatch.simulator.faults import Action
from imagebatch.simulator.loose import Loose

HANG_LIMIT_S = 600.0
_CHUNK = 256 * 1024
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer before it is sent: JSON or bytes, status and headers."""

    status: int = 200
    json: Loose = None
    body: bytes = b""
    media_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)

    def payload(self) -> bytes:
        """Give the bytes of the body."""
        return dump(self.json) if self.json is not None else self.body


class Refusal(Exception):
    """The simulated provider refuses; carries the answer."""

    def __init__(self, reply: Reply) -> None:
        """Keep the answer."""
        super().__init__(f"refused with {reply.status}")
        self.reply = reply


def dump(value: object) -> bytes:
    """Write JSON as Node's servers do: no blanks, text as UTF-8; a lone surrogate stays an escape."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()


def merged(value: Loose, patch: Loose) -> Loose:
    """Lay a JSON merge patch (RFC 7396) over a value."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(value) if isinstance(value, Mapping) else {}
    for key, item in patch.items():
        if item is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), item)
    return result


def changed(reply: Reply | None, action: Action, words: Mapping[str, str]) -> Reply:
    """Apply the action to the real answer (`None` where nothing was done) and give what is to be sent.

    Args:
        reply: the real answer.
        action: what is to happen.
        words: `$ID`, `$API_KEY` and the like, put in wherever scripted JSON or text names them.
    """
    if not action.replaces:
        answer = reply or Reply(status=500, json={"statusCode": 500, "message": "Internal server error"})
        if action.patch is not None:
            patch = _filled(action.patch, words)
            answer = Reply(status=answer.status, json=merged(answer.json, patch), headers=answer.headers)
        if action.headers:
            answer = Reply(
                status=answer.status,
                body=answer.payload(),
                media_type=answer.media_type,
                headers={**answer.headers, **dict(action.headers)},
            )
        return answer
    body = action.body if action.body is not None else b""
    if action.has_json:
        body = dump(_filled(action.json, words))
    elif body and b"$" in body:
        for name, value in words.items():
            body = body.replace(name.encode(), value.encode())
    media_type = "application/json; charset=utf-8" if action.has_json else "text/html; charset=utf-8"
    return Reply(status=action.status or 200, body=body, media_type=media_type, headers={"x-scripted": "1"})


def _filled(value: Loose, words: Mapping[str, str]) -> Loose:
    if isinstance(value, str):
        for name, word in words.items():
            value = value.replace(name, word)
        return value
    if isinstance(value, Mapping):
        return {key: _filled(item, words) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, words) for item in value]
    return value


async def send(request: web.Request, reply: Reply, action: Action) -> web.StreamResponse:
    """Send an answer in the way the action says."""
    if action.then == "hang":
        await _wait_for_client(request)
        return _gone(request)
    if action.then in ("close", "rst") and not (action.replaces and action.then == "close"):
        _cut(request, reset=action.then == "rst")
        return _gone(request)
    if action.raw is not None:
        await _write(request, action.raw)
        return await _ended(request, action)
    if action.replaces or action.then:
        return await _send_by_hand(request, reply, action)
    return web.Response(
        status=reply.status, body=reply.payload(), headers={"Content-Type": reply.media_type, **reply.headers}
    )


async def _send_by_hand(request: web.Request, reply: Reply, action: Action) -> web.StreamResponse:
    """Write status line, headers and body ourselves, so that anything can be said, right or wrong."""
    payload = reply.payload()
    named = {name.lower() for name, _ in action.headers}
    headers = [*action.headers] if action.replaces else [*reply.headers.items()]
    if "content-type" not in named and reply.status not in (204, 304):
        headers.append(("content-type", reply.media_type))
    length = len(payload)
    if action.fill is not None:
        length = sum(len(str(action.fill.get(k, ""))) for k in ("prefix", "suffix")) + int(action.fill.get("length", 0))
    ended_by_close = action.replaces and action.then == "close" and "content-length" not in named
    if (
        not named & {"content-length", "transfer-encoding"}
        and action.then != "endless"
        and not ended_by_close
        and reply.status != 204
    ):
        headers.append(("content-length", str(length)))
    if action.then == "endless":
        headers.append(("transfer-encoding", "chunked"))
    headers.append(("connection", "close"))
    phrase = _PHRASES.get(reply.status, "Unknown")
    head = f"HTTP/1.1 {reply.status} {phrase}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
    await _write(request, head.encode("utf-8", "surrogateescape"))
    if action.then == "half":
        payload = payload[: len(payload) // 2]
    await _write_body(request, payload, action)
    return await _ended(request, action)


async def _write_body(request: web.Request, payload: bytes, action: Action) -> None:
    if action.fill is not None:
        await _write(request, str(action.fill.get("prefix", "")).encode())
        left, piece = int(action.fill.get("length", 0)), str(action.fill.get("byte", "A")).encode()[:1] * _CHUNK
        while left > 0 and await _write(request, piece[:left]):
            left -= len(piece)
        await _write(request, str(action.fill.get("suffix", "")).encode())
    elif action.then == "drip":
        for index in range(max(len(payload), 1)):
            if not await _write(request, payload[index : index + 1]):
                return
            await asyncio.sleep(action.drip_s)
    elif action.then == "endless":
        piece = payload or b"\x00" * 65536
        while await _write(request, b"%x\r\n%b\r\n" % (len(piece), piece)):  # noqa: ASYNC110 - asyncio's transports have no event for this
            await asyncio.sleep(0.001)
    else:
        await _write(request, payload)


async def _ended(request: web.Request, action: Action) -> web.StreamResponse:
    _cut(request, reset=action.then == "rst")
    await asyncio.sleep(0)
    return _gone(request)


async def _write(request: web.Request, data: bytes) -> bool:
    """Write past aiohttp's own framing; tell whether the client is still there."""
    transport = request.transport
    if transport is None or transport.is_closing():
        return False
    for start in range(0, len(data), _CHUNK):
        transport.write(data[start : start + _CHUNK])
        # aiohttp's protocol object pauses its own writer; draining by buffer size keeps memory flat here.
        while not transport.is_closing() and transport.get_write_buffer_size() > 4 * _CHUNK:  # noqa: ASYNC110 - asyncio's transports have no event for this
            await asyncio.sleep(0.002)
    return not transport.is_closing()


async def _wait_for_client(request: web.Request) -> None:
    waited = 0.0
    while request.transport is not None and not request.transport.is_closing() and waited < HANG_LIMIT_S:
        await asyncio.sleep(0.05)
        waited += 0.05


def _cut(request: web.Request, *, reset: bool) -> None:
    transport = request.transport
    if transport is None:
        return
    if reset:
        opened = transport.get_extra_info("socket")
        if opened is not None:
            with contextlib.suppress(OSError):
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()


class _Nothing(web.Response):
    """An answer of which not one byte is written: the connection was already used up by hand."""

    async def prepare(self, request: web.BaseRequest) -> Loose:
        """Write no head."""
        del request

    async def write_eof(self, data: bytes = b"") -> None:
        """Write no body."""
        del data


def _gone(request: web.Request) -> web.StreamResponse:
    del request
    nothing = _Nothing()
    nothing.force_close()
    return nothing
