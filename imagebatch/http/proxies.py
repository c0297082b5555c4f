"""Proxies from the environment, as httpx reads them, for our own transport."""

import httpx

# httpx has no public way to ask which proxy it would use, and ignores them as soon as a transport is passed.
from httpx._utils import URLPattern, get_environment_proxies

from imagebatch.errors import ProviderError
from imagebatch.http.transport import TracingTransport
from imagebatch.http.trust import Origin


def plain_transport(origin: Origin, *, fresh: bool) -> TracingTransport:
    """The transport to an origin: through a proxy where `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` say so.

    Loopback never goes through a proxy: the proxy's loopback is another machine's.

    Raises ProviderError for a proxy that is not http or https.
    """
    proxy = None if origin.loopback else _proxy_of(httpx.URL(str(origin)))
    tls = origin.scheme == "https" or proxy is not None
    return TracingTransport(fresh=fresh, proxy=None if proxy is None else _checked(proxy), tls=tls)


def _proxy_of(url: httpx.URL) -> str | None:
    """The address of the proxy for `url`; of several patterns that match the most specific counts."""
    proxies = get_environment_proxies()
    patterns = sorted(URLPattern(pattern) for pattern in proxies)
    return next((proxies[one.pattern] for one in patterns if one.matches(url)), None)


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
