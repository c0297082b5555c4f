"""What a run came to: one outcome for each address, and the exit code that follows from them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from imagebatch.errors import (
    EXIT_ERROR,
    EXIT_FAILED,
    EXIT_OK,
    EXIT_PENDING,
    EXIT_REFUSED,
    EXIT_UNPICKED,
)
from imagebatch.model.checks import UnmetAt
from imagebatch.model.money import Money
from imagebatch.plan.types import Action, Change
from imagebatch.run.spending import OVER

End = Literal[
    "done",  # as the plan said
    "failed",  # the provider refused or failed, or no picture can be had
    "blocked",  # moderation refused it
    "in_doubt",  # paid or not, nobody can know yet
    "pending",  # still being drawn at the provider
    "unsent",  # not sent: the provider was stopped, or the run was, or the disk has no room
    "kept",  # left as it is, on purpose
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one address ended: `code` and `message` say why where it is not `done`; `hint` is a command.

    `refused` tells that the provider drew nothing, so that only another paid attempt helps; `left` that an earlier run
    left it so, and that this one had nothing to do about it.
    """

    address: str
    action: Action
    end: End
    code: str | None = None
    message: str = ""
    hint: str | None = None
    cost: tuple[Money, ...] = ()
    warnings: tuple[str, ...] = ()
    unpicked: bool = False
    adopted: bool = False
    refused: bool = False
    left: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlyHere:
    """How many originals would be lost with this machine; `next` is what a person can do about it."""

    count: int = 0
    next: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A run as a whole. `stopped_by` is the exit code of a signal, 75 for a time limit, None where nothing interfered.

    `left_unpicked` are addresses that waited for a person's choice before the run; `left_kept` are those that the plan
    keeps as they are; `left_bad` those that earlier runs left failed, blocked or in doubt, as outcomes. `duplicates` is
    how many tokens were found with more than one generation. `unmet` are the checks that the pictures do not hold,
    whichever run drew them. `only_here` tells of originals that no other machine has.
    """

    outcomes: tuple[Outcome, ...]
    seconds: float
    requests: Mapping[str, int] = field(default_factory=dict)
    stopped_by: int | None = None
    simulated: int = 0
    left_unpicked: tuple[str, ...] = ()
    left_kept: tuple[str, ...] = ()
    left_bad: tuple[Outcome, ...] = ()
    duplicates: int = 0
    unmet: tuple[UnmetAt, ...] = ()
    only_here: OnlyHere = OnlyHere()

    @property
    def ends(self) -> tuple[Outcome, ...]:
        """How every address stands after the run: what it did, and what earlier runs had left."""
        return (*self.outcomes, *self.left_bad)

    def count(self, *ends: End) -> int:
        """How many addresses stand at one of `ends` after the run, whichever run left them there."""
        return sum(1 for one in self.ends if one.end in ends)

    @property
    def done(self) -> Counter[Action]:
        """How many changes of each action were carried out."""
        return Counter("adopt" if one.adopted else one.action for one in self.outcomes if one.end == "done")

    @property
    def kept(self) -> int:
        """How many addresses were left as they are, on purpose."""
        kept = {*self.left_kept, *(one.address for one in self.outcomes if one.end == "kept")}
        return len(kept.difference(one.address for one in self.left_bad))

    @property
    def cost(self) -> tuple[Money, ...]:
        """What was paid, by currency."""
        sums: dict[str, Money] = {}
        for money in (money for one in self.outcomes for money in one.cost):
            known = sums.get(money.currency)
            sums[money.currency] = (
                money if known is None else Money(amount=known.amount + money.amount, currency=money.currency)
            )
        return tuple(sums[name] for name in sorted(sums))

    @property
    def unpicked(self) -> tuple[str, ...]:
        """The addresses that wait for a person's choice, sorted."""
        told = {one.address: one for one in self.outcomes if one.end in {"done", "kept"}}
        left = {address for address in self.left_unpicked if address not in told}
        return tuple(sorted(left | {one.address for one in self.outcomes if one.unpicked}))


FINAL_ORDER = (EXIT_ERROR, EXIT_REFUSED, EXIT_PENDING, EXIT_FAILED, EXIT_UNPICKED)


def exit_code(result: RunResult, *, require_picks: bool = False) -> int:
    """The process's exit code by the contract's order: 130 or 143, then 1, 4, 75, 3, 5, 0.

    A time limit says nothing by itself: 75 sends a person to wait for what runs at a provider, and perhaps none does.
    """
    if result.stopped_by not in {None, EXIT_PENDING}:
        return result.stopped_by
    held = set()
    if any(one.code is not None and one.code.startswith("disk.") for one in result.outcomes):
        held.add(EXIT_ERROR)  # this machine's trouble, and no picture's
    if result.count("pending"):
        held.add(EXIT_PENDING)
    if result.count("failed", "blocked", "in_doubt") or any(one.unmet.level == "fail" for one in result.unmet):
        held.add(EXIT_FAILED)
    if any(one.code == OVER for one in result.outcomes):
        held.add(EXIT_REFUSED)  # the user's own limit
    if result.count("unsent"):
        # What could not be sent although nobody interrupted: the provider pauses us (come back), or it stopped us.
        paused = any(one.end == "unsent" and one.code == "provider.paused" for one in result.outcomes)
        held.add(EXIT_PENDING if paused else EXIT_FAILED)
    if require_picks and result.unpicked:
        held.add(EXIT_UNPICKED)
    return next((code for code in FINAL_ORDER if code in held), EXIT_OK)


_LEFT_BAD: Mapping[str | None, End] = {
    "failed": "failed",
    "paid_failure": "failed",
    "unavailable": "failed",
    "blocked": "blocked",
    "in_doubt": "in_doubt",
}


def left_bad(changes: Iterable[Change], outcomes: Iterable[Outcome] = ()) -> tuple[Outcome, ...]:
    """What a plan leaves failed, blocked, in doubt or unavailable as it is, as outcomes (exit 3).

    `outcomes` tell what came of the plan: what the run settled, for better or worse, is told by them alone.
    """
    settled = {one.address for one in outcomes if one.end != "kept"}
    return tuple(
        Outcome(
            address=change.address,
            action=change.action,
            end=_LEFT_BAD[change.reason],
            message=change.detail,
            left=True,
        )
        for change in changes
        if change.action == "keep" and change.reason in _LEFT_BAD and change.address not in settled
    )


def left_kept(changes: Iterable[Change], outcomes: Iterable[Outcome] = ()) -> tuple[str, ...]:
    """The addresses that a plan keeps as they are, without those that the run of `outcomes` mended after all."""
    mended = {one.address for one in outcomes if one.end != "kept"}
    return tuple(one.address for one in changes if one.action == "keep" and one.address not in mended)
