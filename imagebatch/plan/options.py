"""What a command adds to the manifests' wishes: a selection, forces, and things asked for by hand."""

from dataclasses import dataclass
from typing import Literal

from imagebatch.model.money import Money

Force = Literal[
    "deletes", "redraws", "cost", "unknown-price", "stale", "edited", "overwrite", "missing", "blocked", "new-lock",
]  # fmt: skip
FORCES: tuple[Force, ...] = Force.__args__  # type: ignore[attr-defined]  # typing has no public way to list a Literal
InDoubt = Literal["stop", "skip", "resend"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """One command's wishes.

    `selected` are the addresses that may change, None for all; the others are left as they are. `retry`, `redraw`,
    `destroy` and `resend` (what is in doubt there) are addresses that the command names. `max_cost` replaces the
    project's limits where it is not None. `detail` asks for the unchanged ones too.
    """

    selected: frozenset[str] | None = None
    forces: frozenset[Force] = frozenset()
    retry: frozenset[str] = frozenset()
    redraw: frozenset[str] = frozenset()
    destroy: frozenset[str] = frozenset()
    resend: frozenset[str] = frozenset()
    max_cost: tuple[Money, ...] | None = None
    max_creates: int | None = None
    in_doubt: InDoubt = "skip"
    detail: bool = False

    def selects(self, address: str) -> bool:
        """Whether the command may change this address."""
        return self.selected is None or address in self.selected
