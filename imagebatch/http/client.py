"""The engine's side of the wire: one `ProviderWire` for each provider, over httpx's transports.

What httpx's client would add (cookies, redirects, authentication, `.netrc`) must not happen here, so requests go to the
transport itself, which also costs less.

A create is sent once, on a fresh connection, and only what certainly never left is sent again. Everything else is
repeated in bounds. The key travels in one header to one host; redirects are never followed; nothing is read from
`.netrc`, no cookie is kept. Each exchange has one limit on its whole time and one on its decoded size.
"""

import asyncio
import json
import logging
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote, unquote, urlencode

import httpx
import stamina
import stamina.instrumentation

from imagebatch.effects import seams
from imagebatch.errors import ProviderError
from imagebatch.http.announce import Before
from imagebatch.http.bodies import BAD, CutBody, KeyMask, decoded
from imagebatch.http.clock import Clock, SystemClock
from imagebatch.http.errors import AnswerLost, ConnectFailed, GatePaused, LostWhy, NetCode, NoAnswer, UnreadableAnswer
from imagebatch.http.limits import Gate
from imagebatch.http.network import network
from imagebatch.http.retry import MAX_RETRY_AFTER_S, backoff_s, certainly_refused, classify, retry_after_of
from imagebatch.http.spool import Keeper
from imagebatch.http.transport import EXCHANGE, Exchange, InterimFlood
from imagebatch.http.trust import Base
from imagebatch.model.canonical import Json, encoded
from imagebatch.model.capabilities import Capabilities
from imagebatch.model.settings import ProviderSettings
from imagebatch.model.wire import Answer, BadAnswer, Call, NotSent, OutcomeLost

CREATE_TRIES = 5
READ_TRIES = 7
READ_BUDGET_S = 120.0
USER_AGENT = "imagebatch"
_HEADERS = {
    "accept": "application/json",
    "accept-encoding": "gzip",
    "connection": "keep-alive",
    "user-agent": USER_AGENT,
}
_FRESH_HEADERS = _HEADERS | {"accept-encoding": "identity", "connection": "close"}

# Whole addresses may be logged at INFO, and a signed link is a secret; stamina would log each retry to stderr.
for _name in ("httpx", "httpcore", "aiohttp"):
    logging.getLogger(_name).setLevel(logging.WARNING)
stamina.instrumentation.set_on_retry_hooks([])


class ProviderWire:
    """Sends the calls of one provider's adapter (implements `model.wire.Wire`).

    `base` is the checked base address, `key` its key or None, `memory` where small facts about the address are kept
    between runs. `secret` is False for a default key of the project file, which nobody has to hide. `transport`
    replaces the network in tests. Use it inside `async with`, or call `aclose` at the end.

    Raises ProviderError at once for a key that cannot stand in a header.
    """

    def __init__(
        self,
        *,
        settings: ProviderSettings,
        capabilities: Capabilities,
        base: Base,
        key: str | None,
        gate: Gate,
        memory: MutableMapping[str, str],
        clock: Clock | None = None,
        secret: bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
        read_budget_s: float = READ_BUDGET_S,
        chance: Callable[[], float] | None = None,
    ) -> None:
        self.settings = settings
        self.gate = gate
        self.counts: Counter[str] = Counter()
        """Requests sent so far, by operation."""
        self._base = base
        self._clock = clock or SystemClock()
        self._memory = memory
        self._budget_s = read_budget_s
        self._chance = chance or seams.chance.fraction
        self._key_header = _key_header(capabilities, key, settings.alias)
        self.mask = KeyMask.of(key if secret else None)
        self._mock = transport
        self._transports: dict[bool, httpx.AsyncBaseTransport] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        transports, self._transports = list(self._transports.values()), {}
        for transport in transports:
            await transport.aclose()

    def recall(self, key: str) -> str | None:
        """What was remembered of this provider's address."""
        return self._memory.get(f"{self._base}#{key}")

    def remember(self, key: str, value: str) -> None:
        """Keep a small fact about this provider's address."""
        self._memory[f"{self._base}#{key}"] = value

    async def send(self, call: Call) -> Answer:
        """Send one call and give the whole answer, whatever its status; the key is masked in its body.

        Raises NotSent (ConnectFailed, GatePaused) where a create certainly never left; OutcomeLost (AnswerLost) where
        nobody can know; Unreachable (NoAnswer) where a repeatable call found no answer within its tries; BadAnswer
        (UnreadableAnswer) where a repeatable call's answer is too large or in a strange coding.
        """
        request = self._request(call)
        return await (self._create(call, request) if call.kind == "create" else self._repeat(call, request))

    async def send_spooled(self, call: Call, path: Path) -> Answer:
        """Send a create whose 2xx answer is on disk at `path`, synced, before it is given back (see `spool`)."""
        return await self._create(call, self._request(call), path)

    async def send_announced(self, call: Call, before: Before, path: Path | None) -> Answer:
        """Send a create that calls `before` when its connection stands and no byte has left yet (see `announce`).

        Raises what `before` raises, and then nothing was sent. `path` is that of `send_spooled`, None for none.
        """
        return await self._create(call, self._request(call), path, before)

    async def _create(
        self, call: Call, request: "_Draft", spool: Path | None = None, before: Before | None = None
    ) -> Answer:
        keeper = Keeper(spool)
        try:
            for attempt in range(1, CREATE_TRIES + 1):
                try:
                    return await self._once(call, request, keeper, before)
                except ConnectFailed as error:
                    if error.lasting or attempt == CREATE_TRIES:
                        raise
                await self._clock.sleep(backoff_s(attempt, first_s=0.5, cap_s=4.0, chance=self._chance()))
            raise AssertionError("the last try either answers or raises")
        finally:
            keeper.end()

    async def _repeat(self, call: Call, request: "_Draft") -> Answer:
        started = self._clock.now()
        lost: OutcomeLost | None = None
        number, pause_s = 0, 0.0

        def wait(error: Exception) -> float | bool:
            nonlocal pause_s
            late = self._clock.now() - started > self._budget_s
            if late or not isinstance(error, (_Passing, NotSent, OutcomeLost)) or isinstance(error, GatePaused):
                return False
            if isinstance(error, ConnectFailed) and error.lasting:
                return False
            # After a 429 the gate does the waiting, for all calls of the provider together.
            paused = isinstance(error, _Passing) and self.gate.paused_s > 0
            pause_s = 0.0 if paused else backoff_s(number, first_s=0.5, cap_s=10.0, chance=self._chance())
            return 0.0  # stamina counts the tries; the waiting is done on our own clock

        try:
            async for attempt in stamina.retry_context(on=wait, attempts=READ_TRIES, timeout=None):
                with attempt:
                    number = attempt.num
                    if pause_s > 0:
                        await self._clock.sleep(pause_s)
                    try:
                        answer = await self._once(call, request, Keeper(None))
                    except OutcomeLost as error:
                        lost = error
                        raise
                    return _settled(call, answer)
        except _Passing as passing:
            return passing.answer
        except (NotSent, OutcomeLost) as error:
            raise _given_up(call, error, lost) from error
        raise AssertionError("stamina either runs the last try or raises")

    async def _once(self, call: Call, request: "_Draft", keeper: Keeper, before: Before | None = None) -> Answer:
        """One exchange: the answer, or NotSent, OutcomeLost, BadAnswer (never for a create)."""
        turn = await self.gate.enter(MAX_RETRY_AFTER_S if call.kind == "create" else self._budget_s)
        exchange = Exchange(before=before, departing=partial(self.gate.departed, turn))
        sent = 1
        try:
            async with asyncio.timeout(call.timeout_s):
                return await self._exchange(call, request, exchange, keeper)
        except ConnectFailed:
            sent = 0
            raise
        except TimeoutError:
            if exchange.opened is False:
                sent = 0
                raise ConnectFailed(f"no connection within {call.timeout_s:.0f} s") from None
            if call.kind == "create" and exchange.status is not None and certainly_refused(exchange.status):
                return Answer(status=exchange.status, headers=exchange.headers, body=b"")
            text = f"no whole answer within {call.timeout_s:.0f} s"
            raise AnswerLost(text, why="timeout", status=exchange.status) from None
        finally:
            self.counts[call.operation] += sent if exchange.halted is None else 0
            wait = retry_after_of(exchange.headers)
            self.gate.leave(turn, exchange.status, wait)

    async def _exchange(self, call: Call, draft: "_Draft", exchange: Exchange, keeper: Keeper) -> Answer:
        sent = httpx.Request(
            call.method,
            _parsed(draft.url),
            headers=draft.headers,
            content=draft.content,
            extensions={EXCHANGE: exchange},
        )
        if exchange.before is not None and self._mock is not None:
            await exchange.before()  # a transport of the tests does not know the last moment
        try:
            response = await self._transport(fresh=call.kind == "create").handle_async_request(sent)
        except httpx.HTTPError as error:
            if call.kind != "create" and isinstance(error.__cause__, InterimFlood):
                raise UnreadableAnswer(f"the answer never came: {error}", code=BAD) from error
            raise _lost_or_not_sent(error, exchange) from error
        try:
            exchange.status = response.status_code
            exchange.headers = self._masked(response.headers.multi_items())
            return await self._whole(call, exchange.status, exchange.headers, response, keeper)
        finally:
            await response.aclose()

    async def _whole(
        self, call: Call, status: int, headers: Mapping[str, str], response: httpx.Response, keeper: Keeper
    ) -> Answer:
        keeper.begin(status, headers)
        masking = self.mask.masking()  # before anything is written: the spool is a file, too
        try:
            coding, pieces = _body_of(response, headers)
            async for piece in decoded(pieces, coding=coding, limit=call.limit_bytes):
                keeper.write(masking.over(piece))
            keeper.write(masking.rest())
        except (CutBody, UnreadableAnswer, httpx.HTTPError) as error:
            if call.kind == "create" and certainly_refused(status):
                # The status alone says what matters; what could be read of the message goes along.
                keeper.write(masking.rest())
                return Answer(status=status, headers=headers, body=keeper.whole())
            keeper.close()
            raise _unreadable(call, status, error) from error
        except BaseException:
            keeper.close()
            raise
        body = await seams.threads.aside(keeper.whole) if keeper.on_disk else keeper.whole()
        return Answer(status=status, headers=headers, body=body)

    def _masked(self, items: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Headers by lower-case name, without the key; what comes several times is one list."""
        headers: dict[str, str] = {}
        for name, value in items:
            shown = self.mask.in_text(value)
            headers[name] = f"{headers[name]}, {shown}" if name in headers else shown
        return headers

    def _transport(self, *, fresh: bool) -> httpx.AsyncBaseTransport:
        if fresh not in self._transports:
            self._transports[fresh] = self._mock or network().transport(self._base.origin, fresh=fresh)
        return self._transports[fresh]

    def _request(self, call: Call) -> "_Draft":
        at = self._base.origin if call.at_origin else self._base
        url = f"{at}{_checked_path(call.path)}"
        if call.query:
            url += "?" + urlencode(call.query, quote_via=quote)
        usual = _FRESH_HEADERS if call.kind == "create" else _HEADERS
        headers = {**usual, **{name.lower(): value for name, value in call.headers.items()}}
        content: bytes | None = None
        if call.form is not None or call.files:
            form = httpx.Request(
                call.method,
                url,
                data=dict(call.form or {}),
                files=[(file.field, (file.filename, file.content, file.media_type)) for file in call.files],
            )
            content, headers["content-type"] = form.read(), form.headers["content-type"]
        elif call.json is not None:
            content, headers["content-type"] = _json_bytes(call.json), "application/json"
        return _Draft(url=url, headers=headers | self._key_header, content=content)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """A request as it will be sent, as often as needed."""

    url: str
    headers: Mapping[str, str]
    content: bytes | None


class _Passing(Exception):
    """A repeatable call's answer that another try may better."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"status {answer.status}")
        self.answer = answer


@lru_cache(maxsize=64)  # most calls of a run go to one of a few addresses, and httpx reads one letter by letter
def _parsed(url: str) -> httpx.URL:
    return httpx.URL(url)


def _body_of(response: httpx.Response, headers: Mapping[str, str]) -> tuple[str, AsyncIterator[bytes]]:
    """The body's coding and raw pieces; a mock transport's answer is in memory, whole and decoded, already."""
    if response.is_stream_consumed:
        return "", response.aiter_bytes()
    return headers.get("content-encoding", ""), response.aiter_raw()


def _settled(call: Call, answer: Answer) -> Answer:
    if classify(call.kind, answer.status) == "done":
        return answer
    raise _Passing(answer)


def _key_header(capabilities: Capabilities, key: str | None, alias: str) -> dict[str, str]:
    if key is None:
        return {}
    value = capabilities.key_prefix + key.strip()
    if not value.isascii() or not value.isprintable():
        raise ProviderError(
            "the key cannot be sent",
            f"The key of {alias} holds a line break, a control character or a letter outside ASCII.",
            hints=("copy the key again, without quotes or line breaks",),
            code="provider.bad_key",
        )
    return {capabilities.key_header.lower(): value}


def _checked_path(path: str) -> str:
    # An id from a provider's answer ends up here: it must not be able to name another host or climb out of the path.
    if not path.startswith("/") or path.startswith("//") or not path.isascii() or not path.isprintable():
        raise BadAnswer("a call's path has to start with one slash and be percent-encoded")
    if any(char in path for char in "\\ ?#") or any(unquote(part) in {".", ".."} for part in path.split("/")):
        raise BadAnswer("a call's path holds '..' or a character that is not percent-encoded")
    return path


def _json_bytes(value: Json) -> bytes:
    try:
        return encoded(value).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


_NO_CONNECTION = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


def _lost_or_not_sent(error: httpx.HTTPError, exchange: Exchange) -> NotSent | OutcomeLost:
    """What a failure before the answer's head means: our own transport knows whether a connection stood."""
    if exchange.opened is not True and isinstance(error, _NO_CONNECTION):
        causes = list(_causes(error))
        if isinstance(error, httpx.ProxyError):
            return ConnectFailed("the proxy let no connection through", code="net.proxy")
        tls = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
        if tls is not None:
            lasting = isinstance(tls, ssl.SSLCertVerificationError)
            return ConnectFailed(f"no safe connection ({tls})", code="net.tls", lasting=lasting)
        return ConnectFailed(f"no connection ({error})")
    why: LostWhy = "timeout" if isinstance(error, httpx.TimeoutException) else "cut"
    return AnswerLost(f"the request left, and no answer came back ({error})", why=why)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        yield from (inner for inner in vars(seen).values() if isinstance(inner, OSError))
        seen = seen.__cause__ or seen.__context__


def _unreadable(call: Call, status: int, error: Exception) -> Exception:
    """What a broken body means: for a create its outcome is lost, for the rest the answer is bad or cut."""
    why: LostWhy = "cut"
    if isinstance(error, UnreadableAnswer):
        if call.kind != "create":
            return error
        why = "too_large" if error.code == "provider.too_large" else "protocol"
    return AnswerLost(f"the answer (status {status}) did not come whole: {error}", why=why, status=status)


def _given_up(call: Call, error: NotSent | OutcomeLost, lost: OutcomeLost | None) -> Exception:
    if call.kind == "buy":
        # Paid: it matters whether any try may have arrived, not only the last.
        return lost or error
    code: NetCode = getattr(error, "code", "net.unreachable") if isinstance(error, NotSent) else "net.unreachable"
    return NoAnswer(f"{call.operation} found no answer: {error}", code=code)
