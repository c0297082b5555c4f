"""A plan is data: one change for each address, each with its action, its reason and its price."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from imagebatch.model.generation import Entry
from imagebatch.model.money import Cost, Money
from imagebatch.model.recorded import KnownDraw
from imagebatch.model.variant import Variant

Action = Literal[
    "keep", "wait", "fetch", "adopt", "share", "create", "redraw", "retry", "buy", "move", "update", "develop",
    "forget", "delete", "defer", "noop",
]  # fmt: skip
Reason = Literal[
    "new", "prompt", "model", "params", "references", "provider", "count", "simulated", "labels", "policy", "ladder",
    "output_missing", "edited", "moved", "failed", "paid_failure", "asked", "rejected_pick", "removed", "protected",
    "blocked", "in_doubt", "pending", "adopted", "shared", "unavailable", "reference_pending", "resolution",
]  # fmt: skip

ACTIONS: tuple[Action, ...] = Action.__args__  # type: ignore[attr-defined]  # typing has no public way to list a Literal
DRAW_ACTIONS: frozenset[Action] = frozenset({"create", "redraw", "retry"})
PAID_ACTIONS: frozenset[Action] = DRAW_ACTIONS | {"buy"}
# What is only developed, moved or forgotten needs no provider, and so no key.
_ASKS: frozenset[Action] = PAID_ACTIONS | {"wait", "fetch", "adopt", "share", "update", "delete", "defer"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happens to one address.

    `action` is the first that holds in the contract's order; `also` is what else is due, free, and done in the same
    apply. `entry` is what the lock has (for a move: at `moved_from`), `variant` what is wanted; one of them is None for
    something new or something removed. `attempt` is the attempt that a create, redraw or retry will be. `known` is the
    draw that is adopted or shared, `leader` the address whose draw is shared where it has yet to be drawn. `released`
    says of a removal that its generation is used by no other entry and may be deleted at the provider; `held_by` names
    the addresses that have the generation of `entry` as well, where it would be deleted once it is replaced.

    `in_place` says of a retry that the provider starts the same generation again (after an update where the draw
    changed), so that token and generation stay; else a retry is a new create. `picked` are the candidates (from 1)
    that are to be kept, where they are known already. `use` are hashes of bytes in the store that stand for the
    request although no draw here offered them (a file of one's own, whose project path is `own`). `unpicked` says that
    `picked` only stands in until a person chooses. A `buy` in `also` has its price in `costs`. `gives_up` are the
    tokens in doubt in whose place a draw is sent: once it leaves, none of them is in doubt any more.
    """

    address: str
    action: Action
    reason: Reason | None
    detail: str = ""
    provider: str = ""
    entry: Entry | None = None
    variant: Variant | None = None
    attempt: int = 1
    known: KnownDraw | None = None
    leader: str | None = None
    moved_from: str | None = None
    also: tuple[Action, ...] = ()
    costs: tuple[Cost, ...] = ()
    later: Cost | None = None
    released: bool = False
    held_by: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    in_place: bool = False
    picked: tuple[int, ...] = ()
    use: tuple[str, ...] = ()
    own: str | None = None
    unpicked: bool = False
    gives_up: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocker:
    """What would stop the apply: `code` names the brake, `force` the flag's value that lifts it, else None."""

    code: str
    message: str
    force: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All changes in the order of addresses (noops only counted, unless asked for), the sums, and what stands against.

    `later` is the most that picks may cost in further applies; `later_unknown` says that some of it is unknown.
    `unpicked` are addresses whose picture waits for a person's choice.
    `inputs` maps project paths to the sha256 of what was read; a saved plan is refused where one differs.
    """

    changes: tuple[Change, ...]
    counts: Mapping[Action, int]
    costs: tuple[Cost, ...] = ()
    later: tuple[Money, ...] = ()
    later_unknown: bool = False
    blocked_by: tuple[Blocker, ...] = ()
    lineage: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    unpicked: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether applying this plan would do nothing."""
        return all(change.action in {"noop", "keep"} and not change.also for change in self.changes)

    @property
    def asked(self) -> tuple[str, ...]:
        """The providers that applying this plan has to ask, sorted."""
        asking = [change for change in self.changes if _ASKS & {change.action, *change.also}]
        found = {change.provider for change in asking}
        found |= {change.variant.provider for change in asking if change.variant is not None}
        found |= {change.entry.provider for change in asking if change.entry is not None}
        found |= {change.known.provider for change in asking if change.known is not None and change.known.provider}
        return tuple(sorted(found))
