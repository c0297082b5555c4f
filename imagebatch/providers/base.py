"""What a provider adapter is.

An adapter builds `Call`s and reads `Answer`s; it never waits, retries, counts, writes or holds a key. The engine does
that. `submit` is the one required call; every other ability is an optional protocol of one or two methods, and
`Capabilities` says which are there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from imagebatch.model.bulk import made_in_bulk
from imagebatch.model.canonical import Json
from imagebatch.model.capabilities import Capabilities, Encoded, ParamProblem
from imagebatch.model.event import PaidStep
from imagebatch.model.generation import Failure, Resolution
from imagebatch.model.money import Money
from imagebatch.model.settings import ProviderSettings
from imagebatch.model.wire import Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceImage:
    """A reference's bytes, read and hashed by the engine."""

    sha256: str
    filename: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One create to be sent: `body` is the request's wire form (prompt in it), `count` the pictures of this part.

    `name` already holds a default with the token in it; `tags` and `metadata` are the manifest's own: the adapter adds
    the markers (`token`, `lineage_tag`) where the API has a place for them.
    """

    token: str
    lineage_tag: str
    body: Mapping[str, Json]
    extras: Mapping[str, Json]
    name: str
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Json] = field(default_factory=dict)
    references: tuple[ReferenceImage, ...] = ()
    count: int = 1


@made_in_bulk
class Offer:
    """A candidate as the provider offers it: its id, and its bytes or the address to fetch them from.

    Of a purchase both may be missing: it was paid for, and has to be asked for again.
    """

    id: str
    url: str | None = None
    data: bytes | None = None


@made_in_bulk
class Observation:
    """What a provider says of one generation now.

    `state` is never final for a wire value that the adapter does not know. `token` is our marker as found on the
    object, None where the API shows none. `tags` are all its tags.
    """

    generation: str
    state: Literal["pending", "succeeded", "failed", "blocked"]
    offers: tuple[Offer, ...] = ()
    failure: Failure | None = None
    tags: tuple[str, ...] = ()
    token: str | None = None
    prompt: str | None = None
    cost: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The provider took the request: `generation` is its id; `observation` whatever it told already."""

    generation: str
    observation: Observation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """The pictures came with the answer; `cost` where the provider told it.

    `unpriced` is what of `cost` a plan's price does not count, such as the tokens of prompt and references.
    """

    offers: tuple[Offer, ...]
    cost: Money | None = None
    unpriced: Money | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The provider certainly did not take the request.

    `stops` names why no further create of this provider makes sense in this run (`auth`, `no_credit`, `path`), else
    None. `wait_s` is set where the same create may be sent again (429, 425): the seconds that the provider
    named, not capped, or 0.0 where it named none and the engine's own back-off counts.
    """

    failure: Failure
    stops: Literal["auth", "no_credit", "path", "redirect"] | None = None
    wait_s: float | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclear:
    """Nobody can tell from here whether the provider took the request."""

    why: str


Submission: TypeAlias = Accepted | Completed | Refused | Unclear


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a listing; `total` is None where the provider does not say."""

    observations: tuple[Observation, ...]
    total: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingRecord:
    """A provider's own record of one call, found by our token: what it says of payment."""

    id: str
    state: Literal["processing", "success", "failed"]
    cost: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFacts:
    """What a key check tells: a display name for the account and its balances by bucket, None for unlimited.

    `left` is what each paid step can be paid with, as far as that is certain: a step that is missing has no bound that
    is known. None where the balance could not be read.
    """

    account: str | None
    balances: Mapping[str, str | None] = field(default_factory=dict)
    left: Mapping[PaidStep, Money] | None = None


@runtime_checkable
class Adapter(Protocol):
    """The required part: name, abilities, encoding, and the create."""

    capabilities: Capabilities
    settings: ProviderSettings

    def encode(self, params: Mapping[str, Json], references: int) -> Encoded:
        """Put a manifest's params (prompt apart) in wire form; `references` is how many images go along."""
        ...

    def check_prompt(self, prompt: str, encoded: Encoded) -> Sequence[ParamProblem]:
        """What is wrong with a rendered prompt under these params."""
        ...

    async def submit(self, order: Order, wire: Wire) -> Submission:
        """Send one create and read its answer."""
        ...


@runtime_checkable
class CanObserve(Protocol):
    """Asked about one generation. Needed wherever `answers` is `later`."""

    async def observe(self, generation: str, wire: Wire) -> Observation | None:
        """The generation as it is now; None where the provider does not know the id."""
        ...


@runtime_checkable
class CanList(Protocol):
    """Lists generations by one tag."""

    async def list_page(self, tag: str | None, offset: int, limit: int, wire: Wire) -> Page: ...


@runtime_checkable
class CanUpdate(Protocol):
    """Changes a generation that is not being drawn: labels always, the request too before a retry."""

    async def update(self, generation: str, order: Order, *, request: bool, wire: Wire) -> Refused | None: ...


@runtime_checkable
class CanRetry(Protocol):
    """Starts a failed generation again, under the same id. A paid step."""

    async def retry(self, generation: str, wire: Wire) -> Accepted | Refused | Unclear: ...


@runtime_checkable
class CanDelete(Protocol):
    """Deletes generations; the answer proves nothing, so the engine reads each id back."""

    async def delete(self, generations: Sequence[str], wire: Wire) -> None: ...


@runtime_checkable
class CanBuy(Protocol):
    """Buys one candidate in a higher resolution; gives the address or the bytes to fetch."""

    async def buy(self, generation: str, candidate: str, resolution: Resolution, wire: Wire) -> Offer | Refused: ...


@runtime_checkable
class CanCheck(Protocol):
    """Proves that the key works, and tells the balance where it can."""

    async def check(self, wire: Wire) -> AccountFacts: ...


@runtime_checkable
class CanWitness(Protocol):
    """Finds the billing record of a lost create by our token."""

    async def billing_record(self, token: str, wire: Wire) -> BillingRecord | None: ...


@runtime_checkable
class CanTellLeft(Protocol):
    """Tells without delay what creates are paid from: one that was taken shows in the next answer."""

    async def creates_left(self, wire: Wire) -> Decimal | None:
        """What is left there, counted in creates; None where the account has no such balance, or one without end."""
        ...


@runtime_checkable
class GoesAlone(Protocol):
    """Learns from its first create how the provider wants to be spoken to.

    The engine asks before the intent is written and sends such a create with no other in flight: those that wait have
    no open intent, so a crash leaves one in doubt and not all of them.
    """

    def goes_alone(self, order: Order, wire: Wire) -> bool: ...
