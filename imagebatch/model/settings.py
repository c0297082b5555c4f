"""The project file's settings in the form that the stages use; no key ever stands here, only variables' names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from imagebatch.model.canonical import Json
from imagebatch.model.generation import OnRemove
from imagebatch.model.money import Money
from imagebatch.model.variant import Place

WithoutKey = Literal["error", "simulate"]
Share = Literal["none", "git", "lfs", "dir"]
USUAL_STORE = ".imagebatch/store"
SIMULATOR_BASE = "simulator"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """At most `count` requests of all kinds in any `per_s` seconds."""

    count: int
    per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """One provider of the project.

    `base_url` is None for the type's own public address, and `simulator` for the built-in one. `key_variable` is the
    environment variable that `api_key` references, None where none is given (the type's usual one then counts);
    `key_default` only ever goes to loopback. Times are seconds. `price` overrides the dated table: `create`, `buy`
    and whatever else the adapter prices. `options` are the keys that only some types know: `mount`, `dialect`,
    `extra_body`, `capabilities`. `filled` names the variables whose values stand in the address or in an option, and
    `base_written` is the address as it was written then: a value of the environment is nothing to be shown.
    """

    alias: str
    type: str
    base_url: str | None = None
    key_variable: str | None = None
    key_default: str | None = None
    without_key: WithoutKey = "error"
    max_concurrency: int = 8
    rate_limits: tuple[RateLimit, ...] = ()
    consistency_window_s: float = 60.0
    deadline_s: float | None = None
    price: Mapping[str, Money] = field(default_factory=dict)
    options: Mapping[str, Json] = field(default_factory=dict)
    filled: tuple[str, ...] = ()
    base_written: str | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A brake on a number of variants: `percent` of those in the lock and `count`, each None where not given."""

    percent: float | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Brakes:
    """Where a plan has to stop and ask; percentages bite from ten variants on.

    `max_blocked` stops a provider's creates in a run: so many prompts in a row were blocked by its moderation.
    """

    max_deletes: Threshold = field(default_factory=lambda: Threshold(percent=30.0))
    max_redraws: Threshold = field(default_factory=lambda: Threshold(percent=30.0))
    max_cost: tuple[Money, ...] = ()
    max_variants: int = 50_000
    max_blocked: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most that may be spent, once for each currency: by one run, and in one calendar month (UTC)."""

    run: tuple[Money, ...] = ()
    month: tuple[Money, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A rename that the manifest tells of; both sides are globs over addresses with as many wildcards."""

    source: str
    target: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Redo:
    """A redraw that `picks.yaml` asks for: the attempt to reach, and words that enter the prompt."""

    attempt: int
    note: str | None = None
    add: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedState:
    """A lease that runs on other machines see, on a git remote; `mirrored` tells that intents are kept there, too."""

    remote: str
    mirrored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Where originals are kept: `path` below the project's root, and how they live beyond this machine.

    `folder` is the shared one of `dir`, as it was written: absolute, or below the project's root. `said` tells that
    somebody wrote `share` down, so that `none` is a decision and no default.
    """

    path: str = USUAL_STORE
    share: Share = "none"
    folder: str | None = None
    said: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningSettings:
    """With what derived files are signed: `certificate` is the chain as PEM text, `fingerprint` its `sha256:…`.

    `key_variable` names what holds the private key, or the path of its file; the key itself never stands here.
    """

    path: str
    certificate: str
    fingerprint: str
    key_variable: str
    alg: str = "es256"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSettings:
    """What `imagebatch.yaml` says, with every default filled in."""

    lineage: str | None
    providers: Mapping[str, ProviderSettings]
    brakes: Brakes
    budget: Budget = Budget()
    on_remove: OnRemove = "trash"
    shared: SharedState | None = None
    store: StoreSettings = StoreSettings()
    signing: SigningSettings | None = None
