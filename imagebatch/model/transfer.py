"""Moving a picture's bytes here: the words that `http/` (which fetches) and `outputs/` (which keeps) share."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Literal, TypeAlias

DownloadTrouble = Literal[
    "blocked",  # the address is not one that pictures may come from; nothing was sent there
    "expired",  # 401, 403, 404, 410: the link is dead, a fresh one may live
    "too_large",  # more than 64 MiB
    "too_slow",  # the time for the whole transfer is over
    "cut",  # fewer bytes than announced, or the connection died
    "coding",  # compressed, though identity was asked for
    "status",  # any other status than 200
    "unreachable",  # no connection
]

REPEATED_TROUBLE: frozenset[DownloadTrouble] = frozenset({"cut", "coding", "unreachable"})

OpenStream: TypeAlias = Callable[[], AbstractAsyncContextManager[AsyncIterator[bytes]]]
"""Opens the source of one picture anew; entering it raises DownloadError, and so may each step of reading."""


class DownloadError(Exception):
    """A picture's bytes did not arrive.

    `kind` says what is the matter, `code` is the dotted name for messages, `status` the HTTP status where there was
    one, `wait_s` what a 429 or 503 asked for. The text names the host, never the whole address: links are secrets.
    """

    def __init__(
        self, text: str, *, kind: DownloadTrouble, status: int | None = None, wait_s: float | None = None
    ) -> None:
        super().__init__(text)
        self.kind = kind
        self.status = status
        self.wait_s = wait_s

    @property
    def code(self) -> str:
        """The dotted name for JSON output."""
        return {
            "blocked": "url.blocked",
            "expired": "image.expired",
            "too_large": "image.too_large",
            "too_slow": "net.too_slow",
            "unreachable": "net.unreachable",
        }.get(self.kind, f"download.{self.kind}")

    @property
    def again(self) -> bool:
        """Whether the same address is worth another try right away."""
        return self.kind in REPEATED_TROUBLE or self.status in {408, 425, 429, 500, 502, 503, 504}
