"""What exists: candidates, outputs, failures, and the lock's entry for one address."""

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Final, Literal

from imagebatch.model.bulk import made_in_bulk
from imagebatch.model.canonical import Json
from imagebatch.model.checks import Checked

Status = Literal["pending", "succeeded", "failed", "blocked", "in_doubt"]
FailureKind = Literal[
    "rejected",  # the provider refused the request as it is
    "blocked",  # moderation refused it
    "provider",  # the provider accepted it and failed to draw
    "no_credit",  # the account cannot pay
    "gone",  # the provider no longer knows the generation
    "no_images",  # done, and nothing was delivered
    "bad_image",  # bytes came that are no allowed picture
    "expired",  # the link died before we could fetch
]
WORST_FIRST: Final[tuple[Status, ...]] = ("in_doubt", "pending", "blocked", "failed", "succeeded")
OnRemove = Literal["keep", "trash", "delete"]
OnReplace = Literal["keep", "delete"]
Resolution = Literal["preview", "full", "upscale", "uhd"]

RETRIED_BY_LATER_APPLIES: frozenset[FailureKind] = frozenset({"rejected", "no_credit", "provider"})
MAY_HAVE_BEEN_PAID: frozenset[FailureKind] = frozenset({"gone", "no_images", "bad_image", "expired"})
MAX_ACCEPTED_ATTEMPTS = 3
MAX_ATTEMPT = 10_000  # a number above it was written by no one who drew
SET_ASIDE = "set_aside"  # the provider code of a `gone` whose picture lies beside the project file
DELETED = "deleted"  # the provider code of a `gone` that is our own doing, and therefore certain
EARLIER_KEPT = 5


@made_in_bulk
class Failure:
    """Why there is no picture: a value, not an exception. `message` is foreign text, escaped when printed."""

    kind: FailureKind
    message: str
    provider_code: str | None = None

    @property
    def code(self) -> str:
        """The dotted name for programs: what is wrong with the bytes (`image.truncated`), else `provider.` and kind."""
        if self.kind in {"bad_image", "expired"} and self.provider_code is not None:
            return self.provider_code
        return "provider.failed" if self.kind == "provider" else f"provider.{self.kind}"

    @property
    def dead_link(self) -> bool:
        """Whether a fresh link may bring the picture: a page of text in its place is how many dead links look."""
        return self.kind == "expired" or self.provider_code == "image.not_image"


def worst_status(statuses: Iterable[Status]) -> Status:
    """The status that names a draw of several creates."""
    return min(statuses, key=WORST_FIRST.index)


def disputed(why: str) -> Failure:
    """What stands with a draw in doubt that its provider does not list and that was paid by all appearances."""
    return Failure(kind="gone", message=why)


@made_in_bulk
class PictureFacts:
    """What the checked bytes of a picture are; `sha256` is `sha256:` and 64 hex digits, `bytes` their number."""

    sha256: str
    width: int
    height: int
    media_type: str
    bytes: int


@made_in_bulk
class Bought:
    """A candidate in the higher resolution that was paid for."""

    resolution: Resolution
    facts: PictureFacts | None = None


@made_in_bulk
class Candidate:
    """One image that a generation offers; `facts` stand there once its bytes are in the store."""

    id: str
    facts: PictureFacts | None = None
    bought: Bought | None = None


@made_in_bulk
class Output:
    """A file that the project keeps; `path` is relative to the root, with `/`."""

    path: str
    develop: str
    sha256: str
    bytes: int


@made_in_bulk
class Part:
    """One of several creates that a single request needed; `candidates` is how many it delivered."""

    token: str
    generation: str | None
    status: Status
    candidates: int = 0


@made_in_bulk
class Earlier:
    """A draw that another one replaced; the newest stands first in the lock.

    `provider` and `type` are those that drew it: its address may have gone to another provider since.
    """

    provider: str
    type: str
    attempt: int
    draw: str
    request: str
    token: str
    generation: str | None
    candidates: tuple[Candidate, ...]
    picked: tuple[int, ...]
    cost: tuple[str, ...]


@made_in_bulk
class Entry:
    """The lock's block for one address.

    `request` is the canonical JSON of the wire form. `picked` counts candidates from 1. `generation` is None while
    in doubt, and for a provider that answers at once it is the token. `checked` is what came of its checks, None
    without any. `extra` holds fields of our own version that this program does not know; they are written back as they
    were.
    """

    provider: str
    type: str
    draw: str
    request: str
    labels: str
    attempt: int
    token: str
    generation: str | None
    status: Status
    candidates: tuple[Candidate, ...] = ()
    picked: tuple[int, ...] = ()
    outputs: tuple[Output, ...] = ()
    cost: tuple[str, ...] = ()
    on_remove: OnRemove = "trash"
    failure: Failure | None = None
    parts: tuple[Part, ...] = ()
    earlier: tuple[Earlier, ...] = ()
    protect: bool = False
    held: bool = False
    checked: Checked | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)
