"""httpx's transport over aiohttp, with the one thing that money needs: knowing whether the first byte may have left.

Built on httpx-aiohttp's transport; its exception map is not used for sending, because there every
`ClientConnectionError`, a server that hung up after it read the request among them, becomes `ConnectTimeout`, which
would say 'not sent'. Here aiohttp's trace hooks tell: until a connection stands, nothing left; from then on it may
have.
"""

import io
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace

import aiohttp
import httpx
from aiohttp import StreamReader
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from httpx_aiohttp.transport import AiohttpResponseStream, AiohttpTransport
from yarl import URL

from imagebatch.http.announce import Before

CONNECT_TIMEOUT_S = 15.0
EXCHANGE = "imagebatch.exchange"

MAX_STATUS_LINE = 64 * 1024
MAX_HEADER = 256 * 1024
MAX_HEADERS = 256
MAX_INTERIM = 20
MAX_TOLD = 200


@dataclass(slots=True)
class Exchange:
    """What is known of one request while it runs.

    `opened` is None for a transport that cannot tell; `status` and `headers` (lower-case names) stand there as soon as
    the answer's head has come. `before` is called once the connection stands and before the first byte leaves; what it
    raised is in `halted`, and then nothing left. `departing` hears of that moment too, right after it.
    """

    before: Before | None = None
    departing: Callable[[], None] | None = None
    halted: BaseException | None = None
    opened: bool | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def told(error: BaseException) -> str:
    """What the HTTP library's error says, in one line of printable characters.

    aiohttp names the whole address, which may be a signed one, and shows below a blank line the bytes that it could not
    read, with a mark under them: neither is told.
    """
    text = str(error)
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.http.HttpProcessingError):
        text = error.message
    words = " ".join(text.partition("\n\n")[0].split()).rstrip(":")
    line = "".join(char if char.isprintable() else "?" for char in words) or type(error).__name__
    return line if len(line) <= MAX_TOLD else line[: MAX_TOLD - 1] + "…"


class _Body(AiohttpResponseStream):
    """An answer's body; whatever breaks while it is read means that the answer is cut."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._aiohttp_response.content.iter_any():
                yield piece
        except Exception as error:  # aiohttp's parser raises several that are no ClientError
            raise httpx.ReadError(told(error)) from error


@cache
def ssl_context() -> ssl.SSLContext:
    """The one TLS context of the process: certificates as httpx finds them (`SSL_CERT_FILE`, `SSL_CERT_DIR`)."""
    return httpx.create_ssl_context(trust_env=True)


@cache
def no_tls() -> ssl.SSLContext:
    """For connections that need no TLS: reads no certificates, which takes a while, and so trusts nobody."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class InterimFlood(aiohttp.ClientPayloadError):
    """More interim (1xx) answers came than any server has a reason to send."""


class BoundedResponse(aiohttp.ClientResponse):
    """An answer that gives up on a server which sends one interim (1xx) answer after the other."""

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Read the head; raises InterimFlood after too many interim answers."""
        protocol = connection.protocol
        if protocol is None:
            return await super().start(connection)
        read, left = protocol.read, MAX_INTERIM

        async def counted() -> tuple[RawResponseMessage, StreamReader]:
            nonlocal left
            message, body = await read()
            left -= 1 if 100 <= message.code < 200 else 0
            if left < 0:
                raise InterimFlood("too many interim answers")
            return message, body

        # aiohttp's own loop over 1xx answers has no bound, and no hook but this one.
        protocol.read = counted  # type: ignore[method-assign]  # put back below
        try:
            return await super().start(connection)
        finally:
            del protocol.read  # the class's own method shows again


class TracingTransport(AiohttpTransport):
    """One aiohttp session; `fresh` opens a connection for every request and closes it afterwards.

    `proxy` is a proxy's address; a connection through it counts as opened once the proxy was reached. Where `tls` is
    False no connection of it can be a TLS one.
    """

    def __init__(self, *, fresh: bool, proxy: str | None = None, tls: bool = True) -> None:
        context = ssl_context() if tls else no_tls()
        super().__init__(
            verify=context,
            proxy=httpx.Proxy(proxy) if proxy else None,
            client=lambda: _session(context=context, fresh=fresh),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and give the answer's head; the body streams.

        Raises httpx.ConnectError (or ConnectTimeout, ProxyError) where no connection was opened, and other
        httpx.TransportErrors where the request may have left.
        """
        if not isinstance(self.client, aiohttp.ClientSession):
            self.client = self.get_client()
        found = request.extensions.get(EXCHANGE)
        exchange = found if isinstance(found, Exchange) else Exchange()
        exchange.opened = False
        try:
            answer = await self.client.request(
                request.method,
                # yarl would decode and encode the address again, which breaks signatures over its text.
                URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                # aiohttp wants large bodies as a file, so that it can give the loop a turn between pieces.
                data=io.BytesIO(request.content) if request.content else None,
                allow_redirects=False,
                proxy=str(self.proxy.url) if self.proxy else None,
                proxy_auth=aiohttp.BasicAuth(*self.proxy.auth) if self.proxy and self.proxy.auth else None,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
                trace_request_ctx=exchange,
            )
        except Exception as error:  # whatever it is: only `opened` decides what it means for money
            if exchange.halted is not None:
                raise exchange.halted from None
            raise _mapped(error, opened=exchange.opened) from error
        return httpx.Response(
            status_code=answer.status,
            headers=answer.raw_headers,
            stream=_Body(answer),
            request=request,
            extensions={"http_version": b"HTTP/1.1"},
        )


def _mapped(error: Exception, *, opened: bool) -> httpx.TransportError:
    text = told(error)
    if opened:
        return httpx.RemoteProtocolError(text)
    if isinstance(error, (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError)):
        return httpx.ProxyError(text)
    if isinstance(error, TimeoutError):
        return httpx.ConnectTimeout(text)
    return httpx.ConnectError(text)


def open_session(
    connector: aiohttp.TCPConnector, *, trace_configs: list[aiohttp.TraceConfig] | None = None
) -> aiohttp.ClientSession:
    """A session without memory or manners of its own: no cookies, no proxies, no unpacking, heads in bounds."""
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        response_class=BoundedResponse,
        trust_env=False,
        auto_decompress=False,
        max_line_size=MAX_STATUS_LINE,
        max_field_size=MAX_HEADER,
        max_headers=MAX_HEADERS,
        trace_configs=trace_configs,
    )


def _session(*, context: ssl.SSLContext, fresh: bool) -> aiohttp.ClientSession:
    # No limit on connections: the executor's concurrency stands in front, which measured twice as fast as a pool limit.
    if fresh:
        connector = aiohttp.TCPConnector(ssl=context, limit=0, force_close=True)
    else:
        connector = aiohttp.TCPConnector(ssl=context, limit=0, keepalive_timeout=30.0)
    return open_session(connector, trace_configs=[_trace()])


def _trace() -> aiohttp.TraceConfig:
    async def opened(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        # aiohttp wraps what `trace_request_ctx` was given in a namespace.
        context.trace_request_ctx.opened = True

    async def leaving(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        # aiohttp awaits this before it writes the head, whatever the hook's name says; a test holds it to that.
        exchange: Exchange = context.trace_request_ctx
        exchange.opened = True
        if exchange.before is not None:
            try:
                await exchange.before()
            except BaseException as error:
                exchange.halted = error
                raise
        if exchange.departing is not None:
            exchange.departing()

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(opened)
    trace.on_connection_reuseconn.append(opened)
    trace.on_request_headers_sent.append(leaving)
    return trace
