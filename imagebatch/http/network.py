"""The seam to the network: API calls by httpx's transports, pictures by sessions of aiohttp.

What stands behind it has to keep `Exchange` as `transport.TracingTransport` does, because money hangs on it.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol, cast

import aiohttp
import httpx
from yarl import URL

from imagebatch.effects import seams
from imagebatch.http.proxies import plain_transport
from imagebatch.http.transport import CONNECT_TIMEOUT_S, no_tls, open_session, ssl_context
from imagebatch.http.trust import Origin

PICTURE_HEADERS = {"accept": "image/*", "accept-encoding": "identity", "user-agent": "imagebatch"}


class Body(Protocol):
    """The body of a picture's answer."""

    def iter_any(self) -> AsyncIterator[bytes]:
        """Its pieces, as they come."""
        ...


class Response(Protocol):
    """The answer to a request for a picture: head first, the body streams."""

    status: int

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def content(self) -> Body: ...

    def close(self) -> None: ...


class Session(Protocol):
    """Connections for pictures under one kind of permission."""

    async def get(self, url: str) -> Response:
        """Ask for an address; follows nothing. Raises aiohttp.ClientError, OSError."""
        ...

    async def close(self) -> None: ...


class Network(Protocol):
    """How the program reaches other machines."""

    def transport(self, origin: Origin, *, fresh: bool) -> httpx.AsyncBaseTransport:
        """The way to an API; `fresh` opens a connection for every request. Raises ProviderError for a bad proxy."""
        ...

    def session(self, resolver: aiohttp.abc.AbstractResolver, *, tls: bool) -> Session:
        """Connections for pictures; `resolver` looks names up and refuses addresses."""
        ...


class PlainNetwork:
    """The real one."""

    @staticmethod
    def transport(origin: Origin, *, fresh: bool) -> httpx.AsyncBaseTransport:
        return plain_transport(origin, fresh=fresh)

    @staticmethod
    def session(resolver: aiohttp.abc.AbstractResolver, *, tls: bool) -> Session:
        return _PictureSession(resolver, tls=tls)


_PLAIN = PlainNetwork()


def network() -> Network:
    """The network that is in use."""
    return cast("Network | None", seams.network) or _PLAIN


class _PictureSession:
    def __init__(self, resolver: aiohttp.abc.AbstractResolver, *, tls: bool) -> None:
        context = ssl_context() if tls else no_tls()
        self._session = open_session(aiohttp.TCPConnector(ssl=context, limit=0, resolver=resolver))

    async def get(self, url: str) -> Response:
        return await self._session.get(
            URL(url, encoded=True),
            allow_redirects=False,
            headers=PICTURE_HEADERS,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
        )

    async def close(self) -> None:
        await self._session.close()
