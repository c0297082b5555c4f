"""The engine under the three faces: one call in, faults decided, the real work done or not, one answer out."""

import asyncio
import base64
import json
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from imagebatch.simulator.faults import NOTHING, Action, Chances, Script, Seen
from imagebatch.simulator.ledger import Entry
from imagebatch.simulator.profile import Profile
from imagebatch.simulator.state import State, account_of
from imagebatch.simulator.studio import Studio
from imagebatch.simulator.wire import Refusal, Reply, changed, send

TOKEN = re.compile(r"ib-[a-z2-7]{16}(?![a-z2-7])")
BODY_LIMIT = 64 * 1024 * 1024
_LATENCY = {
    "create": "create",
    "retry": "create",
    "poll": "poll",
    "list": "list",
    "download": "image",
    "paid_download": "image",
}


@dataclass(slots=True, kw_only=True)
class Call:
    """One request as the faces see it.

    Attributes:
        request: aiohttp's request, for path and query.
        face, op: where it came in and what it asks.
        key: the key as sent, perhaps empty.
        raw: the body; `body` the JSON in it (`None` where it is none); `bad_json` the parser's text.
        token: our caller's mark, wherever it stood.
    """

    request: web.Request
    face: str
    op: str
    key: str
    raw: bytes
    body: Any = None
    bad_json: str = ""
    token: str = ""

    @property
    def account(self) -> str:
        """The account of the key."""
        return account_of(self.key)

    @property
    def prompt(self) -> str:
        """The prompt, wherever the body has it."""
        body = self.body if isinstance(self.body, Mapping) else {}
        nested = body.get("input")
        found = body.get("prompt") or (nested.get("prompt") if isinstance(nested, Mapping) else None)
        return found if isinstance(found, str) else ""

    @property
    def id(self) -> str:
        """The id in the path or the body."""
        named = next((value for value in self.request.match_info.values() if value), "")
        body_id = self.body.get("id") if isinstance(self.body, Mapping) else None
        return str(named or body_id or "")

    @property
    def seen(self) -> Seen:
        """What rules and chances look at."""
        return Seen(
            face=self.face, op=self.op, token=self.token, prompt=self.prompt, id=self.id, path=self.request.path
        )


Handler = Callable[[Call], Awaitable[Reply]]


@dataclass(slots=True, kw_only=True)
class Simulator:
    """What the faces share: profile, memory, script, chances, studio, counts and the address."""

    profile: Profile
    data_dir: Path
    state: State
    studio: Studio
    chances: Chances
    script: Script = field(default_factory=Script)
    origin: str = ""
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    paths: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    most_in_flight: int = 0
    last_request_at: float = field(default_factory=time.monotonic)
    background: set[asyncio.Task[None]] = field(default_factory=set)

    def endpoint(self, face: str, op: str, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Wrap a face's handler: counting, faults, latency, refusals, sending."""

        async def answer(request: web.Request) -> web.StreamResponse:
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            self.last_request_at = time.monotonic()
            try:
                return await self._answer(request, face, op, handler)
            finally:
                self.in_flight -= 1

        return answer

    async def _answer(self, request: web.Request, face: str, op: str, handler: Handler) -> web.StreamResponse:
        self.counts[face, op] += 1
        self.paths[f"{request.method} {request.path}"] += 1
        call = await read_call(request, face, op)
        action = self.script.decide(call.seen) or self.chances.decide(call.seen)
        latency = getattr(self.profile.latency, _LATENCY.get(op, "other")).at(
            self.chances.spread("latency", op, call.id, self.counts[face, op])
        )
        # Half of it is the way here, half the way back; the work itself is part of it, as it is where a client looks.
        leaves_at = time.monotonic() + latency + action.delay_s
        await _pause(latency / 2 + action.delay_s)
        reply: Reply | None = None
        if action.works:
            try:
                reply = await handler(call)
            except Refusal as refusal:
                reply = self._worded(refusal.reply, call)
        answer = changed(reply, action, _words(call, reply)) if action is not NOTHING else (reply or Reply(status=500))
        answer = self._corrupted(answer, action, call)
        self.statuses[f"{face} {op} {action.then or answer.status}"] += 1
        await _pause(leaves_at - time.monotonic())
        return await send(request, answer, action)

    def _worded(self, reply: Reply, call: Call) -> Reply:
        """Let a refusal speak the way the profile says: message as one string, or with the key in it."""
        settings, body = self.profile.json, reply.json
        if (
            isinstance(body, dict)
            and isinstance(body.get("message"), list)
            and self._by_chance("string", settings.message_as_string, call)
        ):
            body = {**body, "message": "; ".join(body["message"])}
        if isinstance(body, dict) and call.key and self._by_chance("echo", settings.echo_key_in_error, call):
            body = {**body, "debug": f"request with key {call.key} ({base64.b64encode(call.key.encode()).decode()})"}
        return reply if body is reply.json else Reply(status=reply.status, json=body, headers=reply.headers)

    def _by_chance(self, name: str, share: float, call: Call) -> bool:
        return (
            share > 0
            and self.chances.spread(name, call.op, call.token or call.id, self.counts[call.face, call.op]) < share
        )

    @staticmethod
    def _corrupted(reply: Reply, action: Action, call: Call) -> Reply:
        """Apply the fault the profile chose to an answer that was good."""
        if not action.corrupt or reply.status >= 300:
            return reply
        if call.op != "download":
            payload = reply.payload()
            if not payload.startswith(b"{"):
                return reply
            extra = (
                b'"id":"not-this-one","status":3,'
                if action.corrupt == "duplicate_keys"
                else b'"x":' + b"[" * 100_000 + b"]" * 100_000 + b","
            )
            return Reply(status=reply.status, body=b"{" + extra + payload[1:], headers=reply.headers)
        if action.corrupt == "html_200":
            return Reply(
                body=b"<!doctype html><html><body>This link has expired.</body></html>", media_type="text/html"
            )
        if action.corrupt == "truncated":
            return Reply(body=reply.body[: len(reply.body) // 2], media_type=reply.media_type)
        if action.corrupt == "wrong_type":
            return Reply(
                body=b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
            )
        if action.corrupt == "bomb":
            return Reply(body=_bomb(), media_type="image/png")
        return Reply(status=404, json={"statusCode": 404, "message": "Not Found"})

    def bill(
        self,
        call: Call,
        *,
        operation: str,
        generation_id: str,
        amount: str,
        currency: str,
        prompt: str,
        asked: int = 1,
        given: int = 1,
        image_id: str = "",
    ) -> Entry:
        """Make a ledger row for a call."""
        body = call.body if isinstance(call.body, Mapping) else {}
        metadata = body.get("metaData") or body.get("metadata")
        return Entry(
            seq=0,
            at=time.time(),
            face=call.face,
            operation=operation,
            token=call.token,
            request_id=call.request.headers.get("X-Request-ID", ""),
            metadata=json.dumps(metadata) if metadata else "",
            generation_id=generation_id,
            image_id=image_id,
            amount=amount,
            currency=currency,
            n_requested=asked,
            n_delivered=given,
            account=call.account,
            prompt=prompt,
        )

    def later(self, work: Awaitable[None]) -> None:
        """Run something beside the answers, until the server stops."""

        async def run() -> None:
            await work

        task = asyncio.get_running_loop().create_task(run())
        self.background.add(task)
        task.add_done_callback(self.background.discard)

    def report(self) -> dict[str, Any]:
        """Give the counts of requests since the start."""
        faces: dict[str, dict[str, int]] = {}
        for (face, op), count in sorted(self.counts.items()):
            faces.setdefault(face, {})[op] = count
        return {
            "faces": faces,
            "paths": dict(sorted(self.paths.items())),
            "answers": dict(sorted(self.statuses.items())),
            "total": sum(self.counts.values()),
            "in_flight": self.in_flight,
            "most_in_flight": self.most_in_flight,
        }


async def _pause(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)


async def read_call(request: web.Request, face: str, op: str) -> Call:
    """Read a request whole: key, body, token."""
    raw = await request.read() if request.can_read_body else b""
    headers = request.headers
    key = headers.get("api-key", "") if face == "all-images" else _bearer(headers.get("Authorization", ""))
    call = Call(request=request, face=face, op=op, key=key, raw=raw)
    kind = request.content_type
    if raw and kind == "application/json":
        try:
            call.body = json.loads(raw)
        except (ValueError, RecursionError) as error:
            call.bad_json = str(error)
    elif raw and kind == "application/x-www-form-urlencoded":
        call.body = dict(parse_qsl(raw.decode("utf-8", "replace")))
    call.token = _token(call)
    return call


def _bearer(header: str) -> str:
    scheme, _, key = header.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _token(call: Call) -> str:
    """Find the caller's mark: request id first, then tags, metadata, name and user of the body."""
    if found := TOKEN.search(call.request.headers.get("X-Request-ID", "")):
        return found[0]
    if not isinstance(call.body, Mapping):
        return ""
    for place in ("tags", "metaData", "metadata", "name", "user"):
        if call.body.get(place) and (found := TOKEN.search(json.dumps(call.body[place]))):
            return found[0]
    return ""


def _words(call: Call, reply: Reply | None) -> dict[str, str]:
    body = reply.json if reply is not None and isinstance(reply.json, dict) else {}
    encoded = base64.b64encode(call.key.encode("utf-8", "replace")).decode()
    return {
        "$API_KEY_BASE64": encoded,
        "$API_KEY": call.key,
        "$ID": str(body.get("id") or call.id),
        "$TOKEN": call.token,
    }


def _bomb() -> bytes:
    """A small PNG that claims 30,000 x 30,000 pixels."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = 30_000
    rows = zlib.compress(b"\x00" * (size // 8 + 1) * size, 9)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 1, 0, 0, 0, 0))
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )
