"""Fetches pictures. A different thing than the API client on purpose: it never holds a key, a cookie or a proxy.

Every hop is checked: the address by `trust.check_picture_url`, then at connect every network address behind its name,
and the connection goes to one of the checked ones, without a second look-up. Speaks aiohttp itself: httpx on top costs
twice the CPU for a download and adds nothing here.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from imagebatch.http.errors import GatePaused
from imagebatch.http.limits import Gate
from imagebatch.http.network import Response, Session, network
from imagebatch.http.retry import parse_retry_after
from imagebatch.http.transport import told
from imagebatch.http.trust import PictureRules, PictureTarget, address_refusal, check_picture_url
from imagebatch.model.transfer import DownloadError, OpenStream

MAX_PICTURE = 64 * 1024 * 1024
TOTAL_S = 120.0
DEAD_LINK = frozenset({401, 403, 404, 410})

Lookup = Callable[[str, int], Awaitable[list[str]]]
"""Looks a host name up: (name, port) to address literals."""


async def system_lookup(host: str, port: int) -> list[str]:
    """Ask the system's resolver; all addresses that it knows."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Downloader:
    """Fetches the pictures of one provider by its rules; use it inside `async with`, or call `aclose` at the end.

    `total_s` bounds a whole transfer with all its hops, `limit` its bytes. `gate` is the provider's: requests to its
    own origin count there. `lookup` replaces the name service in tests.
    """

    def __init__(
        self,
        rules: PictureRules,
        *,
        gate: Gate | None = None,
        total_s: float = TOTAL_S,
        limit: int = MAX_PICTURE,
        lookup: Lookup = system_lookup,
    ) -> None:
        self.counts: Counter[str] = Counter()
        """Requests sent so far, under `download`."""
        self._rules = rules
        self._gate = gate
        self._total_s = total_s
        self._limit = limit
        self._lookup = lookup
        self._sessions: dict[tuple[bool, bool, bool], Session] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            await session.close()

    def source(self, url: str) -> OpenStream:
        """A source for `outputs.download.take_picture`: opens the same address anew each time."""
        return lambda: self.stream(url)

    @asynccontextmanager
    async def stream(self, url: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a picture's address and give its bytes in pieces, within all limits.

        Raises DownloadError, on entering or while the pieces are read.
        """
        response: Response | None = None
        try:
            async with asyncio.timeout(self._total_s):
                response = await self._opened(url)
                yield self._pieces(response)
        except TimeoutError:
            text = f"the picture did not arrive within {self._total_s:.0f} s"
            raise DownloadError(text, kind="too_slow") from None
        finally:
            if response is not None:
                # Whatever is left unread is not read: the connection is closed with it.
                response.close()

    async def _opened(self, url: str) -> Response:
        came_from: str | None = None
        hop = 0
        while True:
            target = check_picture_url(url, self._rules, hop=hop, came_from=came_from)
            response = await self._asked(target)
            try:
                if response.status not in {301, 302, 303, 307, 308}:
                    return self._checked(response, target)
                url = response.headers.get("location", "")
            except BaseException:
                response.close()
                raise
            response.close()
            came_from, hop = target.url, hop + 1

    async def _asked(self, target: PictureTarget) -> Response:
        if self._gate is None or target.origin != self._rules.origin:
            return await self._get(target)
        try:
            turn = await self._gate.enter()
        except GatePaused as paused:
            text = f"{target.origin.host} wants to be left alone for {paused.wait_s:.0f} s"
            raise DownloadError(text, kind="too_slow") from None
        response: Response | None = None
        try:
            response = await self._get(target)
            return response
        finally:
            if response is None:
                self._gate.leave(turn, None)
            else:
                self._gate.leave(turn, response.status, _wait_of(response))

    async def _get(self, target: PictureTarget) -> Response:
        host = target.origin.host
        self.counts["download"] += 1
        try:
            return await self._session(target).get(target.url)
        except Exception as error:
            refused = _refusal_behind(error)
            if refused is not None:
                self.counts["download"] -= 1
                raise DownloadError(f"{host} {refused}; nothing was asked there", kind="blocked") from None
            if isinstance(error, (aiohttp.ClientConnectorError, TimeoutError)):
                raise DownloadError(f"no connection to {host} ({told(error)})", kind="unreachable") from error
            raise DownloadError(f"{host} broke the transfer off ({told(error)})", kind="cut") from error

    def _checked(self, response: Response, target: PictureTarget) -> Response:
        host, status = target.origin.host, response.status
        if status in DEAD_LINK:
            raise DownloadError(f"{host} answers {status}: the link is dead", kind="expired", status=status)
        if status != 200:
            text = f"{host} answers {status}"
            raise DownloadError(text, kind="status", status=status, wait_s=_wait_of(response))
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        if coding not in {"", "identity"}:
            raise DownloadError(f"{host} packed the picture as {coding[:20]!a}, unasked", kind="coding")
        length = response.headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length) > self._limit:
            raise self._too_large()
        return response

    async def _pieces(self, response: Response) -> AsyncIterator[bytes]:
        count = 0
        try:
            # aiohttp raises where a body ends before its announced length, or in the middle of a chunk.
            async for piece in response.content.iter_any():
                count += len(piece)
                if count > self._limit:
                    raise self._too_large()
                yield piece
        except (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise DownloadError(f"the picture is cut off after {count} bytes", kind="cut") from error

    def _too_large(self) -> DownloadError:
        return DownloadError(f"the picture is over {self._limit // (1024 * 1024)} MiB", kind="too_large")

    def _session(self, target: PictureTarget) -> Session:
        # One session for each kind of permission: a pooled connection never serves a stricter rule than its own.
        tls = target.origin.scheme == "https"
        key = (target.private, target.loopback, tls)
        if key not in self._sessions:
            resolver = CheckingResolver(self._lookup, private=target.private, loopback=target.loopback)
            self._sessions[key] = network().session(resolver, tls=tls)
        return self._sessions[key]


class RefusedAddress(OSError):
    """A name leads to an address that pictures may not come from."""


class CheckingResolver(AbstractResolver):
    """Looks a name up once and checks every address that it has; one bad address blocks the name."""

    def __init__(self, lookup: Lookup, *, private: bool, loopback: bool) -> None:
        self._lookup = lookup
        self._private = private
        self._loopback = loopback

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The checked addresses of a name; raises RefusedAddress."""
        addresses = await self._lookup(host, port)
        if not addresses:
            raise OSError(f"{host} has no address")
        for address in addresses:
            refusal = address_refusal(address, private=self._private, loopback=self._loopback)
            if refusal is not None:
                raise RefusedAddress(f"leads to {address}, which is {refusal}")
        return [_result(host, address, port) for address in addresses]

    async def close(self) -> None:
        """Nothing to close."""


def _result(host: str, address: str, port: int) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET6 if ":" in address else socket.AF_INET,
        proto=0,
        # The address is a literal already: nothing may be looked up again.
        flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
    )


def _wait_of(response: Response) -> float | None:
    return parse_retry_after(response.headers.get("retry-after"), response.headers.get("date"))


def _refusal_behind(error: BaseException) -> RefusedAddress | None:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, RefusedAddress):
            return seen
        inner = getattr(seen, "os_error", None)
        if isinstance(inner, RefusedAddress):
            return inner
        seen = seen.__cause__ or seen.__context__
    return None
