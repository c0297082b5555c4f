"""What the planner may ask of the world: small read-only protocols, so that planning stays pure.

`state/` and `outputs/` implement them; tests use plain dictionaries.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, Protocol

from imagebatch.model.generation import Candidate, Earlier, Entry, Failure, Part, Status

OutputState = Literal["same", "missing", "edited"]
# Never sent, refused, or in doubt and given up: of a part that nobody took, that is all that stays known.
PARTS_MISSING: Final = "some of its pictures are missing: what came is kept, and only the rest is drawn"


class Glance(NamedTuple):
    """The few fields of a lock block that tell whether anything changed, cut from its text without parsing it.

    `outputs` is the block's `outputs` field as it stands there (JSON text, `[]` where absent), `picked` and
    `candidates` too. `plain` is True for a block that `succeeded` and has no `failure`, `protect`, `held` or `parts`:
    whatever is not plain has to be looked at through `entry`. `has_earlier` is False only for a block that certainly
    has no `earlier` field; it spares a look for draws that other addresses remember. `checks` is the
    fingerprint of the checks that were made, empty where none were.
    """

    provider: str
    type: str
    draw: str
    labels: str
    picked: str
    candidates: str
    outputs: str
    on_remove: str
    plain: bool
    has_earlier: bool = True
    checks: str = ""


class Recorded(Protocol):
    """The lock with the journal folded in, by address."""

    def __contains__(self, address: object) -> bool: ...

    def __iter__(self) -> Iterator[str]: ...

    def __len__(self) -> int: ...

    def glance(self, address: str) -> Glance:
        """The cheap view; raises KeyError for an unknown address."""
        ...

    def entry(self, address: str) -> Entry:
        """The whole entry; raises KeyError for an unknown address, StateError for a block that cannot be read."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDraw:
    """A draw that was paid for, or may have been, wherever we know it from.

    `open_intent` tells that a paid step was begun and never settled: then `generation` is None, or the step is a retry.
    One that `succeeded` and has a `failure` all the same was drawn, and its generation is gone from the provider since.
    `provider` is the alias that it was asked of, empty where nothing tells it; a renamed alias makes no other draw.
    """

    draw: str
    type: str
    request: str
    attempt: int
    token: str
    generation: str | None
    status: Status
    candidates: tuple[Candidate, ...] = ()
    cost: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    failure: Failure | None = None
    open_intent: bool = False
    salt: str = ""
    provider: str = field(default="", compare=False)

    def hashes(self) -> frozenset[str]:
        """All bytes known of its candidates, as delivered or as bought."""
        return hashes_of(self.candidates)

    def doubted(self) -> tuple[str, ...]:
        """The tokens of its creates that are in doubt, where it is."""
        return tuple(part.token for part in self.parts if part.status == "in_doubt") if self.parts else (self.token,)

    @classmethod
    def of_entry(cls, entry: Entry) -> "KnownDraw":
        """What an entry knows of its current draw."""
        return cls(
            draw=entry.draw,
            type=entry.type,
            request=entry.request,
            attempt=entry.attempt,
            token=entry.token,
            generation=entry.generation,
            status=entry.status,
            candidates=entry.candidates,
            cost=entry.cost,
            parts=entry.parts,
            failure=entry.failure,
            provider=entry.provider,
        )

    @classmethod
    def of_earlier(cls, earlier: Earlier) -> "KnownDraw":
        """What an entry remembers of a draw that was replaced."""
        return cls(
            draw=earlier.draw,
            type=earlier.type,
            request=earlier.request,
            attempt=earlier.attempt,
            token=earlier.token,
            generation=earlier.generation,
            status="succeeded",
            candidates=earlier.candidates,
            cost=earlier.cost,
            provider=earlier.provider,
        )


def drawn_since(draws: Iterable[KnownDraw], doubt: KnownDraw) -> int:
    """The newest attempt among `draws` that brought a picture after the one in doubt; 0 for none."""
    later = (one for one in draws if one.draw == doubt.draw and one.salt == doubt.salt and one.attempt > doubt.attempt)
    return max((one.attempt for one in later if one.status == "succeeded"), default=0)


def hashes_of(candidates: Iterable[Candidate]) -> frozenset[str]:
    """All bytes known of candidates, as delivered or as bought."""
    delivered = {one.facts.sha256 for one in candidates if one.facts is not None}
    bought = (one.bought.facts for one in candidates if one.bought is not None)
    return frozenset(delivered | {facts.sha256 for facts in bought if facts is not None})


class Known(Protocol):
    """The draw index and the store of this machine."""

    def draws(self, draw: str) -> tuple[KnownDraw, ...]:
        """All draws known for a fingerprint, the newest attempt first; empty where none is."""
        ...

    def offering(self, sha256: str) -> tuple[KnownDraw, ...]:
        """All draws, of whatever fingerprint, among whose candidates are these bytes: what no fingerprint leads to."""
        ...

    def has_bytes(self, sha256: str) -> bool:
        """Whether the store holds these bytes."""
        ...

    def doubts(self) -> Mapping[str, Sequence[KnownDraw]]:
        """Address -> its draws that were begun and never settled and of which no entry speaks, the newest first."""
        ...


class Disk(Protocol):
    """The project's output files."""

    def look(self, path: str, sha256: str, size: int) -> OutputState:
        """How a file compares with the lock: by size and time where a cache vouches, else by hash."""
        ...

    def shows(self, path: str, sha256: str, size: int, picture: str) -> bool:
        """Whether a file, as the lock has it, is this delivered picture (by its hash), perhaps with a mark put in."""
        ...

    def exists(self, path: str) -> bool:
        """Whether anything stands at an output path (for a file that is not ours)."""
        ...

    def standing(self, sha256: str, size: int) -> str | None:
        """The path of an output, of whatever address, that is just these bytes; `size` is their number."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DictKnown:
    """A `Known` over plain dictionaries: what `plan` uses where this machine has no index, and what tests use."""

    by_draw: Mapping[str, tuple[KnownDraw, ...]] = field(default_factory=dict)
    stored: frozenset[str] = frozenset()
    unsettled: Mapping[str, tuple[KnownDraw, ...]] = field(default_factory=dict)

    def draws(self, draw: str) -> tuple[KnownDraw, ...]:
        return self.by_draw.get(draw, ())

    def offering(self, sha256: str) -> tuple[KnownDraw, ...]:
        every = (known for draws in self.by_draw.values() for known in draws)
        return tuple(known for known in every if sha256 in known.hashes())

    def has_bytes(self, sha256: str) -> bool:
        return sha256 in self.stored

    def doubts(self) -> Mapping[str, Sequence[KnownDraw]]:
        return self.unsettled
