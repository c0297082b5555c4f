"""What disturbed runs came to: counted from the provider's bills and the project's lock, added up over a sweep."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.crash.checking import Bill, bills, doubts, entries

# What can tell of a create whose answer was lost: a listing, a billing record, nothing.
CLASSES: Final[Mapping[str, str]] = {"all-images": "listable", "aigne-hub": "ledger", "openai": "blind"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a project's provider and its lock say together, before anybody has decided about a doubt.

    `double` counts what was billed more than once for one token, `strays` are bills of which the lock knows nothing,
    `doubts` counts the pictures that it declares to be in doubt, by class of provider.
    """

    double: int
    strays: frozenset[Bill]
    doubts: Mapping[str, int]


def account(project: Path, simulator: Path) -> Account:
    """Look at what a disturbed project has come to."""
    billed = bills(simulator)
    known: set[str] = set()
    open_: Counter[str] = Counter()
    if (project / "imagebatch.lock").exists():
        kept = entries(project)
        for entry in kept.values():
            known |= {entry.token, *(part.token for part in entry.parts)}
        for address, tokens in doubts(project).items():
            known |= {*tokens}
            open_[CLASSES[kept[address].type.removeprefix("simulator:")]] += 1
    return Account(
        double=sum(count - 1 for count in billed.values()),
        strays=frozenset(bill for bill in billed if bill[1] not in known),
        doubts=open_,
    )


@dataclass(slots=True, kw_only=True)
class Tally:
    """The sum of a sweep: how often the program was disturbed, by class of provider that it draws at, and what of it.

    `level` is the proof's own letter: K for kills at effects, Y for calls of the system.
    """

    level: str
    counts: "Counter[str]" = field(default_factory=Counter)
    points: "Counter[str]" = field(default_factory=Counter)
    doubts: "Counter[str]" = field(default_factory=Counter)

    def add(self, found: Account, *, kinds: Mapping[str, int], runs: int, lost: int) -> None:
        """One place: `kinds` counts its disturbances by class, `runs` its runs, `lost` what is not accounted for."""
        self.points.update(kinds)
        self.doubts.update(found.doubts)
        points = max(kinds.values(), default=0)
        self.counts.update({"points": points, "runs": runs, "double pays": found.double, "undeclared losses": lost})

    def seen(self, seconds: float) -> Mapping[str, Any]:
        """For `record_property("seen", …)`."""
        classes = {kind: {"points": self.points[kind], "doubts": self.doubts[kind]} for kind in CLASSES.values()}
        return {
            "what": "level", "level": self.level, "counts": dict(self.counts), "classes": classes, "seconds": seconds
        }  # fmt: skip
