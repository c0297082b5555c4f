"""What is wanted: drafts as the manifests give them, and variants ready to be planned."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from imagebatch.errors import Problem, Severity
from imagebatch.model.bulk import made_in_bulk
from imagebatch.model.canonical import Json
from imagebatch.model.checks import Check
from imagebatch.model.generation import OnRemove, OnReplace, Resolution
from imagebatch.model.mark import Embed, Mark
from imagebatch.model.money import UNKNOWN_COST, Cost

Fit = Literal["contain", "cover", "fill"]
UntilPicked = Literal["first", "none"]
OnReferenceChange = Literal["redraw", "ask", "keep"]
PickRule = Literal["first", "all", "review"] | tuple[int, ...]
CENTER = (5_000, 5_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something stands in the project's text; `line` and `column` count from 1."""

    path: str
    line: int
    column: int

    def problem(
        self,
        code: str,
        summary: str,
        detail: str,
        *,
        address: str | None = None,
        hint: str | None = None,
        severity: Severity = "error",
    ) -> Problem:
        """A problem that stands here; the words are those of `Problem`."""
        return Problem(
            code=code,
            summary=summary,
            detail=detail,
            path=self.path,
            line=self.line,
            column=self.column,
            address=address,
            hint=hint,
            severity=severity,
        )


@made_in_bulk
class OutputSpec:
    """One file to make from a pick, as the manifest asks for it.

    `path` is rendered but for `{{ candidate }}` and `{{ ext }}`, which stand in it as the private characters
    `CANDIDATE_MARK` and `EXT_MARK`, because they are known only after the pick and the request. `focus` is where a crop
    goes, in ten-thousandths of what is left over, from the left and from the top. `max_bytes` are those of the file,
    `background` is `#rrggbb`. `embed` is None where nobody wrote it.
    """

    path: str
    width: int | None = None
    height: int | None = None
    fit: Fit = "contain"
    focus: tuple[int, int] = CENTER
    quality: int | None = None
    max_bytes: int | None = None
    background: str | None = None
    strip: bool = False
    embed: Embed | None = None


CANDIDATE_MARK = "\ue000"
EXT_MARK = "\ue001"
# In the place of a reference that could not be found out, because something is wrong with it, which was told.
LOST = "\x00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What an asset's manifest says of all its variants alike; one object is shared by them.

    `checks_of` is the fingerprint of `checks`, empty without any. `places` tells where single keys were written
    (`prompt`, `pick`, `params.chaos`), for messages only.
    """

    asset: str
    place: Place
    provider: str
    resolution: Resolution = "preview"
    pick: PickRule = "first"
    until_picked: UntilPicked = "none"
    distinct: bool = False
    protect: bool = False
    on_remove: OnRemove = "trash"
    on_replace: OnReplace = "keep"
    retries: int = 0
    on_reference_change: OnReferenceChange = "redraw"
    checks: tuple[Check, ...] = ()
    checks_of: str = ""
    places: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)

    def place_of(self, *keys: str) -> Place:
        """Where the first of `keys` that was written stands, else the asset itself."""
        return next((self.places[key] for key in keys if key in self.places), self.place)


@made_in_bulk
class Draft:
    """A variant in the manifest's own terms: templates rendered, nothing put in a provider's wire form yet.

    `params` is shared between the variants of an asset where no param is a template. `references` are project
    paths or `asset:ADDRESS`. `row` names the data row for messages (`data/products.csv:7`).
    """

    address: str
    policy: Policy
    prompt: str
    params: Mapping[str, Json]
    references: tuple[str, ...] = ()
    name: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Json] = field(default_factory=dict)
    outputs: tuple[OutputSpec, ...] = ()
    alt: str | None = None
    title: str | None = None
    row: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image that goes into a request: its project path or `asset:ADDRESS`, and its bytes' hash once known."""

    source: str
    sha256: str | None
    path: str | None = None
    media_type: str | None = None


@made_in_bulk
class WantedOutput:
    """A file to make: path (marks still in it), the develop fingerprint, the spec behind it, what it says of itself."""

    spec: OutputSpec
    develop: str
    mark: Mark | None = None


@made_in_bulk
class Variant:
    """One concrete picture request, ready to be compared with the lock.

    `request` is the canonical JSON of the wire form without the type; `draw` and `labels` are fingerprints.
    `extras` are params that are sent and decide no picture. `parts` is how many creates the request takes and
    `count` how many pictures it asks for in all. `asked_size` is what the request asks for in pixels, None where
    the provider decides. `pending_references` are addresses that have to be drawn first. `ext` replaces `EXT_MARK`.
    `price` is what the whole draw costs, `buy_price` one bought candidate by resolution, `offers` how many candidates
    are to be expected. `buy_price_at` has the prices of the other accounts of its type, by alias, where something may
    be bought: what was drawn there is bought there. `salt` enters the token: empty, or the address where the variant is
    to be drawn apart.
    """

    address: str
    policy: Policy
    provider: str
    type: str
    request: str
    draw: str
    labels: str
    labels_body: str
    outputs: tuple[WantedOutput, ...]
    ext: str
    extras: Mapping[str, Json] = field(default_factory=dict)
    references: tuple[Reference, ...] = ()
    pending_references: tuple[str, ...] = ()
    parts: int = 1
    count: int = 1
    asked_size: tuple[int, int] | None = None
    offers: int = 1
    price: Cost = UNKNOWN_COST
    buy_price: Mapping[Resolution, Cost] = field(default_factory=dict)
    buy_price_at: Mapping[str, Mapping[Resolution, Cost]] = field(default_factory=dict)
    salt: str = ""
    alt: str | None = None
    title: str | None = None
    row: str | None = None
