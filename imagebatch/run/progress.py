"""What one change has come to: its entry and what it cost so far, and the outcome that is made of it."""

from dataclasses import dataclass, field

from imagebatch.model.generation import Entry, Status
from imagebatch.model.money import Money
from imagebatch.plan.types import Change
from imagebatch.run.result import End, Outcome

ENDS: dict[Status, End] = {
    "pending": "pending",
    "failed": "failed",
    "blocked": "blocked",
    "in_doubt": "in_doubt",
    "succeeded": "done",
}


@dataclass(slots=True)
class Progress:
    """What one change has come to so far: its entry, what it cost in this run, what it has to say."""

    entry: Entry | None
    paid: list[Money] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    adopted: bool = False

    def bought(self, entry: Entry, money: Money | None) -> None:
        """Something was bought: that is to be known whatever becomes of its bytes."""
        self.entry = entry
        self.paid += [money] if money is not None else []


def outcome_of(
    change: Change, progress: Progress, end: End, *,
    code: str | None = None, message: str = "", unpicked: bool = False,
) -> Outcome:  # fmt: skip
    """How a change has ended, with what it cost and what is to be said of it."""
    return Outcome(
        address=change.address,
        action=change.action,
        end=end,
        code=code,
        message=message,
        cost=tuple(progress.paid),
        warnings=tuple(progress.warnings),
        unpicked=unpicked,
        adopted=progress.adopted,
    )
