"""The network between program and simulated providers: it takes time, loses things, and outlives the process."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

import aiohttp
import httpx
from aiohttp.client_reqrep import ConnectionKey

from imagebatch.http.transport import EXCHANGE, Exchange
from imagebatch.http.trust import Origin
from imagebatch.model.event import Event, Intended
from imagebatch.state.records import Unpacker, decode_event
from tests.simulation.databases import SimulatedDatabases
from tests.simulation.providers import Reply

if TYPE_CHECKING:
    from tests.simulation.world import World

Latency = Callable[[Random], float]

LATENCIES: Mapping[str, Latency] = {
    "none": lambda _: 0.0,
    "constant": lambda _: 0.05,
    "near": lambda random: random.uniform(0.001, 0.01),
    "far": lambda random: random.uniform(0.1, 0.4),
    "wide": lambda random: random.uniform(0.001, 2.0),
    "long tail": lambda random: random.expovariate(8.0),
    "two speeds": lambda random: 0.01 if random.random() < 0.8 else 1.5,
    "slow": lambda random: random.uniform(1.0, 3.0),
    "steps": lambda random: 0.02 * random.randrange(1, 6),
    "stalls": lambda random: 20.0 if random.random() < 0.05 else 0.03,
}


@dataclass(slots=True)
class Losses:
    """What the network does to paid calls (creates, retries, purchases), by their number in a run's life, from 1."""

    lost_before: frozenset[int] = frozenset()
    """These never arrive, and the program cannot know."""
    lost_after: frozenset[int] = frozenset()
    """These are done, and their answers are lost."""
    errors_after: frozenset[int] = frozenset()
    """These are done, and answered with 502."""


@dataclass(slots=True, eq=False)
class UnderWay:
    """A request that has left; its reply once it has arrived."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes
    reply: Reply | None = None


_NOWHERE = ConnectionKey("127.0.0.1", 1, False, True, None, None, None)
_PAID = ("image-generations", "images/generations", "image/generations", "images/download", "images/buy")


class SimulatedNetwork:
    """The network's seam (`imagebatch.http.network.Network`)."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.latency: Latency = LATENCIES["constant"]
        self.losses = Losses()
        self.paid_calls = 0
        self.may_have_left: set[str] = set()
        """Tokens and prompts of creates that have left, or whose intent was on disk when a run died."""
        self.without_intent: list[str] = []
        """Paid requests that left before their intent was on disk."""
        self.late: list[UnderWay] = []
        """What may still arrive when the process is gone."""

    def transport(self, origin: Origin, *, fresh: bool) -> httpx.AsyncBaseTransport:
        del fresh
        return _Transport(self, origin)

    def session(self, resolver: object, *, tls: bool) -> "_Session":
        del resolver, tls
        return _Session(self)

    async def wait(self) -> None:
        """The time that something takes one way."""
        await asyncio.sleep(self.latency(self.world.random))

    def refuses(self) -> bool:
        """Whether no connection is opened now."""
        chance = self.world.providers.ways.weather.unreachable
        return chance > 0 and self.world.random.random() < chance

    def loses(self) -> bool:
        """Whether a picture does not come for the network's sake now: no connection, or an answer that is lost."""
        chance = self.world.providers.ways.weather.pictures / 2
        return chance > 0 and self.world.random.random() < chance

    async def ask(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Reply:
        """Carry a request there and its answer back. Raises httpx.RemoteProtocolError where either is lost."""
        paid = method == "POST" and any(part in url for part in _PAID)
        number = 0
        if paid:
            self.paid_calls += 1
            number = self.paid_calls
        under_way = UnderWay(method, url, headers, content)
        if number not in self.losses.lost_before:
            self.late.append(under_way)
        await self.wait()
        if number in self.losses.lost_before:
            raise httpx.RemoteProtocolError("the connection broke")
        reply = self.arrive(under_way)
        self.late.remove(under_way)
        await self.wait()
        if number in self.losses.lost_after:
            raise httpx.RemoteProtocolError("the connection broke")
        return Reply(502, {"error": "bad gateway"}) if number in self.losses.errors_after else reply

    def arrive(self, under_way: "UnderWay") -> Reply:
        """A request arrives where it was sent to, once."""
        if under_way.reply is None:
            one = under_way
            under_way.reply = self.world.providers.handle(one.method, one.url, one.headers, one.content)
        return under_way.reply

    def cut(self, chance: Random) -> None:
        """The process ends: of what is under way some still arrives."""
        for intent in intended(self.world.databases):
            self.may_have_left |= {intent.token, _prompt(intent)}
        late, self.late = self.late, []
        for under_way in late:
            if chance.random() < 0.5:
                self.arrive(under_way)

    def take_over(self, other: "SimulatedNetwork") -> None:
        """Begin with another network's ways and with what is under way in it."""
        self.latency, self.losses, self.paid_calls = other.latency, other.losses, other.paid_calls
        self.late = [replace(one) for one in other.late]
        self.may_have_left, self.without_intent = set(other.may_have_left), list(other.without_intent)

    def leaves(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> None:
        """A request's first byte leaves now; one that costs money has its intent on disk by then."""
        if method != "POST" or not any(part in url for part in _PAID):
            return
        body = json.loads(content) if content[:1] == b"{" else {}
        step = "retry" if "/retry/" in url else "buy" if "images/download" in url or "images/buy" in url else "create"
        if step == "create":
            self.may_have_left |= {headers.get("x-request-id", ""), str(body.get("prompt", ""))}
        named = {*headers.values(), *map(str, body.get("tags", ())), url.rpartition("/")[2], str(body.get("id"))}
        if step == "buy" and body.get("id") in self.world.providers.bought:
            return  # it is paid for, and fetching it once more is free
        prompt = str(body.get("prompt"))
        mine = (one for one in intended(self.world.databases) if one.step == step)
        if not any({one.token, one.generation, one.candidate} & named or _prompt(one) == prompt for one in mine):
            self.without_intent.append(f"{step} {url.rpartition('/')[2]}")


def intended(databases: SimulatedDatabases) -> list[Intended]:
    """The intents that are committed to a journal."""
    return [event for event in committed(databases) if isinstance(event, Intended)]


def committed(databases: SimulatedDatabases) -> Iterator[Event]:
    """The events that are committed to a journal."""
    for tables in databases.contents().values():
        unpacker = Unpacker()
        for record in tables.batch.values():
            yield from map(decode_event, unpacker.unpack(record))


def _prompt(intent: Intended) -> str:
    return str(json.loads(intent.request).get("prompt"))


class _Transport(httpx.AsyncBaseTransport):
    def __init__(self, network: SimulatedNetwork, origin: Origin) -> None:
        self._network = network
        self._origin = origin

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        exchange: Exchange = request.extensions[EXCHANGE]
        exchange.opened = False
        await self._network.wait()
        if self._network.refuses():
            raise httpx.ConnectError("connection refused")
        exchange.opened = True
        if exchange.before is not None:
            await exchange.before()
        if exchange.departing is not None:
            exchange.departing()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self._network.leaves(request.method, str(request.url), headers, request.content)
        self._network.world.effect("send", f"{request.method} {request.url.path}")
        reply = await self._network.ask(request.method, str(request.url), headers, request.content)
        return httpx.Response(reply.status, headers=reply.headers, content=reply.content(), request=request)


class _Session:
    def __init__(self, network: SimulatedNetwork) -> None:
        self._network = network

    async def get(self, url: str) -> "_Response":
        network = self._network
        if network.loses():
            raise aiohttp.ClientConnectorError(_NOWHERE, ConnectionRefusedError(111, "connection refused"))
        network.world.effect("send", "GET picture")
        reply = await network.ask("GET", url, {}, b"")
        if network.loses():
            raise aiohttp.ServerDisconnectedError
        return _Response(reply)

    async def close(self) -> None:
        """Nothing is open."""


class _Response:
    def __init__(self, reply: Reply) -> None:
        self.status = reply.status
        self.headers = reply.headers
        self.content = _Body(reply)

    def close(self) -> None:
        """Nothing is open."""


class _Body:
    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    async def iter_any(self) -> AsyncIterator[bytes]:
        yield self._reply.content()
        if self._reply.cut:
            raise aiohttp.ClientPayloadError("not enough data to satisfy the content length")
