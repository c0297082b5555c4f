"""What happened, in the past tense: the journal's records, and what the screen shows.

Events about one paid attempt carry its token; events about what the project keeps carry an address. The journal is
the fold of these; the lock is a checkpoint of the fold.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Literal, TypeAlias

from imagebatch.model.bulk import made_in_bulk
from imagebatch.model.generation import Bought, Candidate, Entry, Failure, PictureFacts
from imagebatch.model.money import Cost

PaidStep = Literal["create", "retry", "buy"]


@made_in_bulk
class Intended:
    """A paid step is about to be sent. Durable before the first byte leaves.

    `token` names the generation's create; for a retry `attempt` is the new attempt on the same generation; for a buy
    `candidate` is its id. `address` is for people who read the journal; nothing is keyed by it. `parts` is how many
    creates the whole request needs, so that a crash between them is not taken for a finished draw. `paid` is False
    where nothing is sent: what is taken down was paid for by somebody else, or before. `again` tells that this token
    may have been sent before: then a provider's record of a failure may be that of the earlier sending. `origin` is the
    server that `provider` stood for when it was sent, empty where nobody knows: only there may absence prove anything.
    """

    step: PaidStep
    token: str
    attempt: int
    part: int
    provider: str
    type: str
    draw: str
    request: str
    address: str
    cost: Cost
    candidate: str | None = None
    resolution: str | None = None
    generation: str | None = None
    parts: int = 1
    paid: bool = True
    again: bool = False
    origin: str = ""


@made_in_bulk
class Accepted:
    """The provider took it. Durable before anything else is done with the id. `candidate` is that of a buy."""

    step: PaidStep
    token: str
    attempt: int
    generation: str
    candidate: str | None = None


@made_in_bulk
class Refused:
    """The provider certainly did not take it; the intent is closed and nothing was paid."""

    step: PaidStep
    token: str
    failure: Failure
    candidate: str | None = None


@made_in_bulk
class Doubted:
    """Nobody can know whether the provider took it; only a listing, a record or a person closes this.

    `disputed` where absence from the listing proves nothing any more, because another witness speaks of a payment.
    `charged` is what the provider's own record says that it charged.
    """

    step: PaidStep
    token: str
    why: str
    candidate: str | None = None
    disputed: bool = False
    charged: str | None = None


@made_in_bulk
class Abandoned:
    """An open intent was closed without a picture: the listing shows nothing after the window, or a person said so.

    `absent` tells that the provider itself shows that it was not taken; else it may have been paid for all the same.
    """

    token: str
    why: str
    absent: bool = False


@made_in_bulk
class Observed:
    """The generation came to an end, or told its candidates.

    `cost` is what is known of its price; `billed` is set where the provider itself told what it charged.
    """

    token: str
    status: Literal["succeeded", "failed", "blocked"]
    candidates: tuple[Candidate, ...] = ()
    failure: Failure | None = None
    cost: tuple[str, ...] = ()
    billed: str | None = None


@made_in_bulk
class Fetched:
    """A candidate's bytes are in the store, checked and hashed; `index` counts from 1."""

    token: str
    index: int
    facts: PictureFacts


@made_in_bulk
class BoughtStored:
    """A bought candidate's bytes are in the store."""

    token: str
    index: int
    bought: Bought


@made_in_bulk
class Placing:
    """A file of ours is about to appear at an output path; durable before it does.

    After a crash between the file and the lock's block, this tells our file from one that a person put there.
    """

    path: str
    sha256: str


@made_in_bulk
class Kept:
    """The lock's block of one address, as it is from now on."""

    address: str
    entry: Entry


@made_in_bulk
class Dropped:
    """The address leaves the lock; `moved_to` where its entry goes on under another name."""

    address: str
    moved_to: str | None = None


Event: TypeAlias = (
    Intended | Accepted | Refused | Doubted | Abandoned | Observed | Fetched | BoughtStored | Placing | Kept | Dropped
)


@made_in_bulk
class Told:
    """Something only the screen needs: progress of one address, a warning, a provider's pause."""

    kind: str
    address: str | None = None
    message: str = ""
    data: Mapping[str, str | int | float] = field(default_factory=dict)
