"""Proxies from the environment, as httpx reads them, put over our own transport."""

import httpx

# httpx has no public way to ask which proxies it would use, and ignores them as soon as a transport is passed.
from httpx._utils import get_environment_proxies

from imagebatch.errors import ProviderError
from imagebatch.http.transport import TracingTransport
from imagebatch.http.trust import Origin


def proxy_mounts(origin: Origin, *, fresh: bool) -> dict[str, httpx.AsyncBaseTransport | None]:
    """httpx mounts for `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`.

    Loopback never goes through a proxy: the proxy's loopback is another machine's.

    Raises ProviderError for a proxy that is not http or https.
    """
    if origin.loopback:
        return {}
    return {
        pattern: None if address is None else TracingTransport(fresh=fresh, proxy=_checked(address))
        for pattern, address in get_environment_proxies().items()
    }


def _checked(address: str) -> str:
    scheme = address.partition("://")[0].lower()
    if scheme not in {"http", "https"}:
        raise ProviderError(
            "proxy not supported",
            f"The environment names a {scheme} proxy; API calls can go through http and https proxies.",
            hints=("set HTTPS_PROXY to an http:// address, or NO_PROXY for the provider's host",),
            code="net.proxy",
        )
    return address
