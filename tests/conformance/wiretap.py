"""What leaves on the wire: a tap before the simulator, a server that answers as a test says, and a project that asks.

Both listen on loopback in a thread of their own, so that the real command line can run in this one.
"""

import asyncio
import contextlib
import hashlib
import io
import json
import os
import re
import threading
import time
import urllib.request
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from aiohttp import web
from PIL import Image

from imagebatch.cli.main import main
from imagebatch.simulator.process import SimulatorProcess

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TOKEN = re.compile(r"ib-[a-z2-7]{16}")
KEYS = {"all-images": "ALL_IMAGES_API_KEY", "aigne-hub": "AIGNE_HUB_API_KEY", "openai": "OPENAI_API_KEY"}
PATHS = {"all-images": "/all-images/v1", "aigne-hub": "/aigne-hub", "openai": "/openai/v1"}


def png(color: str = "teal", side: int = 64) -> bytes:
    """A small picture."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((side, side)).convert("RGB").save(buffer, "PNG", comment=color)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it came: `connection` counts from 1, `at` is in seconds, header names are in small letters."""

    connection: int
    at: float
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path without its query, ids of the provider's replaced."""
        return UUID.sub("ID", self.target.partition("?")[0])

    @property
    def line(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


class _Loop(ABC):
    """An event loop in a thread, with one server on it."""

    def __init__(self) -> None:
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def origin(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        self._loop.run_until_complete(self._main())
        self._loop.close()

    async def _main(self) -> None:
        self._stop = asyncio.Event()
        close = await self.listen()
        self._ready.set()
        await self._stop.wait()
        await close
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    @abstractmethod
    async def listen(self) -> Coroutine[Any, Any, None]:
        """Start; gives what closes it again."""


class Tap(_Loop):
    """Passes bytes on to the simulator and keeps what was asked."""

    def __init__(self, upstream: str) -> None:
        super().__init__()
        self._upstream = int(upstream.rpartition(":")[2])
        self._heard: dict[int, list[tuple[float, bytes]]] = {}
        self._count = 0

    async def listen(self) -> Coroutine[Any, Any, None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]

        async def close() -> None:
            server.close()

        return close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._count += 1
        heard = self._heard.setdefault(self._count, [])
        there, back = await asyncio.open_connection("127.0.0.1", self._upstream)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, keep: bool) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65536):
                    if keep:
                        heard.append((time.monotonic(), data))
                    sink.write(data)
                    await sink.drain()
            sink.close()

        await asyncio.gather(pump(reader, back, True), pump(there, writer, False))

    def requests(self) -> list[Request]:
        """Everything that was asked since the last call, in the order of arrival."""
        heard, self._heard = self._heard, {number: [] for number in self._heard}
        found = [one for number, pieces in heard.items() for one in _parsed(number, pieces)]
        return sorted(found, key=lambda one: one.at)


def _parsed(connection: int, pieces: Sequence[tuple[float, bytes]]) -> Iterator[Request]:
    whole, ends, length = b"".join(piece for _, piece in pieces), [], 0
    for at, piece in pieces:
        length += len(piece)
        ends.append((length, at))
    start = 0
    while (end := whole.find(b"\r\n\r\n", start)) >= 0:
        first, *lines = whole[start:end].decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        size = int(headers.get("content-length", "0"))
        at = next(moment for reached, moment in ends if reached > start)
        body = whole[end + 4 : end + 4 + size]
        yield Request(connection=connection, at=at, method=method, target=target, headers=headers, body=body)
        start = end + 4 + size


Handler = Callable[[web.Request, bytes], Awaitable[web.StreamResponse]]


class Raw(_Loop):
    """A server that answers what a test says."""

    def __init__(self, handler: Handler) -> None:
        super().__init__()
        self._handler = handler
        self._asked: list[Request] = []

    async def listen(self) -> Coroutine[Any, Any, None]:
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{rest:.*}", self._serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = int(runner.addresses[0][1])
        return runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self._asked.append(
            Request(
                connection=0, at=time.monotonic(), method=request.method, target=request.path_qs, headers=headers,
                body=body,
            )
        )  # fmt: skip
        return await self._handler(request, body)

    def requests(self) -> list[Request]:
        """Everything that was asked since the last call."""
        asked, self._asked = self._asked, []
        return asked


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a command ended; `events` are the lines of `--json`."""

    code: int
    out: str
    err: str

    @cached_property
    def events(self) -> list[Mapping[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def outcomes(self) -> Mapping[str, Mapping[str, Any]]:
        return {one["address"]: one for one in self.events if one["type"] == "outcome"}

    @property
    def ends(self) -> Mapping[str, str]:
        return {address: one["end"] for address, one in self.outcomes.items()}

    @property
    def summary(self) -> Mapping[str, Any]:
        return self.events[-1]

    def __str__(self) -> str:
        return f"exit {self.code}\n{self.out[-3000:]}\n{self.err[-2000:]}"


@dataclass(slots=True)
class Shop:
    """A project with a lineage of its own whose providers stand at `origin`."""

    root: Path
    name: str
    variables: dict[str, str] = field(default_factory=dict)

    def providers(self, origin: str, **settings: Mapping[str, Any]) -> None:
        """Declare the three types under their own names; `settings` by type, with `_` for `-`."""
        found = {}
        for kind, path in PATHS.items():
            more = dict(settings.get(kind.replace("-", "_"), {}))
            base = {"base_url": origin + path, "api_key": f"${{{KEYS[kind]}}}", "consistency_window": "0.3s"}
            found[kind] = {"type": kind, **base, **more}
        self.write("imagebatch.yaml", {"version": 1, "lineage": self.lineage, "providers": found})

    def provider(self, kind: str, base_url: str, **more: object) -> None:
        """Declare one provider only, under its type's name."""
        one = {"type": kind, "base_url": base_url, "consistency_window": "0.3s", **more}
        self.write("imagebatch.yaml", {"version": 1, "lineage": self.lineage, "providers": {kind: one}})

    @property
    def lineage(self) -> str:
        return hashlib.sha256(self.name.encode()).hexdigest()[:32]

    @property
    def tag(self) -> str:
        return f"ibl-{self.lineage[:16]}"

    def write(self, path: str, value: object) -> None:
        """Write a file: JSON (which is YAML) for anything but bytes."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())

    def assets(self, defaults: Mapping[str, Any] | None = None, **assets: Mapping[str, Any]) -> None:
        """Write the one manifest."""
        filled = {name: {**(defaults or {"provider": "all-images"}), **asset} for name, asset in assets.items()}
        self.write("manifests/a.yaml", {"assets": filled})

    def run(self, *words: str, **variables: str) -> Ran:
        """Run a command line here."""
        streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2)]
        before = dict(os.environ)
        kept = {name: value for name, value in before.items() if name in {"PATH", "LANG", "TMPDIR"}}
        keys = {variable: f"canary-{kind}-key" for kind, variable in KEYS.items()}
        os.environ.clear()
        os.environ.update({**kept, "HOME": str(self.root.parent), **keys, **self.variables, **variables})
        try:
            with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
                code = main(("-C", str(self.root), *words))
        finally:
            os.environ.clear()
            os.environ.update(before)
        out, err = (stream.buffer.getvalue().decode() for stream in streams)
        return Ran(code=code, out=out, err=err)

    def apply(self, *words: str) -> Ran:
        """Apply without asking, told in JSON."""
        return self.run("apply", "-y", "--json", *words)

    def plan(self) -> Mapping[str, str]:
        """What a plan would do, by address."""
        ran = self.run("plan", "--json")
        assert ran.code == 0, str(ran)
        return {change["address"]: change["action"] for change in json.loads(ran.out)["changes"]}

    @property
    def lock(self) -> Mapping[str, Any]:
        """The lock's blocks."""
        found: Mapping[str, Any] = json.loads((self.root / "imagebatch.lock").read_text("utf-8"))["generations"]
        return found


@dataclass(slots=True)
class Simulated:
    """The simulator behind a tap."""

    process: SimulatorProcess
    tap: Tap

    def ask(self, method: str, path: str, value: object = None) -> Any:
        """Speak to the simulator's control face, past the tap."""
        data = None if value is None else json.dumps(value).encode()
        call = urllib.request.Request(self.process.origin + path, data=data, method=method)  # noqa: S310 - loopback
        with urllib.request.urlopen(call, timeout=20) as answer:  # noqa: S310 - loopback
            return json.loads(answer.read())

    @contextmanager
    def wrong(self, *rules: Mapping[str, Any]) -> Iterator[None]:
        """Something goes wrong for a while."""
        self.ask("POST", "/_simulator/script", list(rules))
        try:
            yield
        finally:
            self.ask("DELETE", "/_simulator/script")

    @contextmanager
    def settings(self, inside: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[None]:
        """Settings laid over the profile for a while."""
        self.ask("POST", "/_simulator/settings", inside)
        try:
            yield
        finally:
            self.ask("POST", "/_simulator/settings", after)

    def bills(self, tokens: Iterable[str]) -> list[tuple[str, str]]:
        """What was billed under these tokens: operation and token, or image where one was bought."""
        wanted = set(tokens)
        entries = self.ask("GET", "/_simulator/ledger")["entries"]
        return [(one["operation"], one["image_id"] or one["token"]) for one in entries if one["token"] in wanted]

    def lines(self) -> Counter[str]:
        """What was asked since the last look, by method and path."""
        return Counter(one.line for one in self.tap.requests())


def rule(face: str, op: str, action: Mapping[str, Any], **more: Any) -> Mapping[str, Any]:
    """A scripted rule."""
    return {"face": face, "op": op, "action": action, **more}
