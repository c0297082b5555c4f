"""Who may ask the server, and for what: decided by a request's head alone, before anything is looked up. Pure.

A page from elsewhere can make a browser send requests here. It knows no token, so all of these are in vain; that a name
of its own leads here (DNS rebinding), or that somebody has got hold of the address, is caught by Host and Origin.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

Headers = Iterable[tuple[bytes, bytes]]

LOOPBACK: Final = "127.0.0.1"
READING: Final = frozenset({"GET", "HEAD"})
WRITING: Final = frozenset({"POST"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a request gets nothing: an HTTP status and a line for a person, without anything of the request in it."""

    status: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """The one address that is served. `token` is its first part and known to nobody else."""

    port: int
    token: str

    @property
    def host(self) -> str:
        """What the Host header has to say."""
        return LOOPBACK if self.port == 80 else f"{LOOPBACK}:{self.port}"

    @property
    def origin(self) -> str:
        """What the Origin header has to say."""
        return f"http://{self.host}"

    @property
    def address(self) -> str:
        """What a person opens."""
        return f"{self.origin}/{self.token}/"

    def admit(self, method: str, path: str, headers: Headers) -> str | Refusal:
        """The path below the token, or why the request is refused; `path` is as a browser sends it, decoded."""
        found = _by_name(headers)
        if found.get(b"host") != [self.host.encode()]:
            return Refusal(status=421, text="This is not the name under which the review is served.")
        if method not in READING | WRITING:
            return Refusal(status=405, text="Only GET and POST are known here.")
        token, slash, rest = path.removeprefix("/").partition("/")
        if not slash or not compare_digest(token.encode("utf-8", "surrogatepass"), self.token.encode()):
            return Refusal(status=404, text="Open the whole address that `imagebatch review` has printed.")
        if method in WRITING and found.get(b"origin") != [self.origin.encode()]:
            return Refusal(status=403, text="Only the review's own pages may decide.")
        if method in WRITING and found.get(b"content-type") != [b"application/json"]:
            return Refusal(status=415, text="A decision is sent as application/json.")
        return rest


def _by_name(headers: Headers) -> Mapping[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        found.setdefault(name.lower(), []).append(value)
    return found
