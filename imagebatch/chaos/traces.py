"""What runs leave behind, as data: how they ended, what was billed, what stands in the project."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imagebatch.model.generation import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """How one `apply` ended: its exit code (negative for a signal), its summary, what it said on stderr.

    `seconds` is from its plan to its end.
    """

    code: int
    seconds: float
    summary: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""

    @property
    def killed(self) -> bool:
        """Whether we ended it."""
        return self.code == -signal.SIGKILL

    @property
    def creates(self) -> int:
        """How many creates it sent, as far as it could say."""
        return int(self.summary.get("requests", {}).get("create", 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """One thing that the server billed: `operation` is create, retry or buy, `delivered` the pictures of it."""

    operation: str
    token: str
    image: str
    delivered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a project holds: its lock's bytes, its entries by address, the hash of every output, files that lie about,
    and the journal's events, each with its token."""

    lock: bytes
    entries: Mapping[str, Entry]
    outputs: Mapping[str, str]
    files: tuple[str, ...] = ()
    events: tuple[tuple[str, str], ...] = ()

    @property
    def doubts(self) -> Mapping[str, tuple[str, ...]]:
        """What the lock says is in doubt: the tokens by address."""
        return {
            address: tuple(part.token for part in entry.parts if part.status == "in_doubt") or (entry.token,)
            for address, entry in self.entries.items()
            if entry.status == "in_doubt"
        }

    @property
    def tokens(self) -> frozenset[str]:
        """Every token that the lock knows: of pictures, of parts, of what was current before."""
        return frozenset(
            token
            for entry in self.entries.values()
            for token in (entry.token, *(part.token for part in entry.parts), *(one.token for one in entry.earlier))
        )
