"""What the server serves, as it sees it: pages, pictures, what stands, and decisions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from imagebatch.model.canonical import Json
from imagebatch.review.wishes import Wish

Kind: TypeAlias = Literal["done", "same", "conflict", "stale", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture's bytes and its media type."""

    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a wish: `standing` is what stands now, `text` says why a wish came to nothing.

    `same` tells that it stood so already, `conflict` that somebody else decided meanwhile, `stale` that the pictures
    are others than those that were seen, `refused` that something else stands against it.
    """

    kind: Kind
    text: str = ""
    standing: Mapping[str, Json] | None = None


class Desk(Protocol):
    """What is served. All of it may take a while and is called aside, from several threads."""

    def page(self, name: str) -> str | None:
        """A page by its file name; None for a name that is none."""
        ...

    def picture(self, name: str) -> Picture | None:
        """A picture by the name that a page says; None for any other name."""
        ...

    def state(self, page: str, since: int) -> Mapping[str, Json]:
        """What stands at a page's addresses, as far as it is newer than the revision `since`."""
        ...

    def decide(self, wish: Wish) -> Answer:
        """Do what a page asks for, where what stands is what it has seen."""
        ...
