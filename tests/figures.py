"""What the proof of the money promises comes to, in lines at the end of a test run.

Tests say what they saw by `record_property("seen", {...})`; here it is added up over all processes and printed. The
asserts are the tests' own: this only tells.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

SEEN = "seen"

_DISTURBED = {"K": "kills of the real program", "Y": "calls of the system that kill or fail"}


@dataclass(slots=True)
class Level:
    """The real program, disturbed: what its sweeps came to."""

    counts: "Counter[str]" = field(default_factory=Counter)
    classes: dict[str, "Counter[str]"] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, seen: Mapping[str, Any]) -> None:
        """What one sweep came to."""
        self.counts.update(seen["counts"])
        self.seconds += seen["seconds"]
        for kind, counts in seen["classes"].items():
            self.classes.setdefault(kind, Counter()).update(counts)

    def told(self, name: str) -> Iterator[str]:
        """The lines."""
        counts = self.counts
        yield (
            f"level {name}: {counts['points']} {_DISTURBED[name]} ({counts['runs']} runs), {self.seconds:.0f} s: "
            f"double pays {counts['double pays']}, undeclared losses {counts['undeclared losses']}"
        )
        for kind, counted in sorted(self.classes.items()):
            yield f"  {kind}: {counted['points']} where it draws, {counted['doubts']} pictures left in a declared doubt"


@dataclass(slots=True)
class Figures:
    """Everything that was seen, added up."""

    simulated: "Counter[str]" = field(default_factory=Counter)
    by_kind: dict[str, "Counter[str]"] = field(default_factory=dict)
    bugs: dict[str, str] = field(default_factory=dict)
    levels: dict[str, "Level"] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    seconds: float = 0.0
    bug_seconds: float = 0.0

    def add(self, seen: Mapping[str, Any]) -> None:
        """What one test saw."""
        if seen["what"] == "simulation":
            self.simulated.update(seen["counts"])
            self.seconds += seen["seconds"]
            for kind, counts in seen["kinds"].items():
                self.by_kind.setdefault(kind, Counter()).update(counts)
        elif seen["what"] == "level":
            self.levels.setdefault(seen["level"], Level()).add(seen)
        elif seen["what"] == "bug":
            self.bugs[seen["name"]] = seen["found"]
            self.bug_seconds += seen["seconds"]
        else:
            self.lines.append(seen["line"])

    def told(self) -> Iterator[str]:
        """The lines."""
        if self.simulated:
            yield from self._simulation()
        for name, level in sorted(self.levels.items()):
            yield from level.told(name)
        if self.bugs:
            found = sum(1 for how in self.bugs.values() if how)
            yield f"planted bugs: {found} of {len(self.bugs)} found, {self.bug_seconds:.0f} s"
            yield from (f"  {name}: {how or 'NOT FOUND'}" for name, how in sorted(self.bugs.items()))
        yield from self.lines

    def _simulation(self) -> Iterator[str]:
        counts = self.simulated
        rate = counts["disturbed"] / self.seconds if self.seconds else 0.0
        yield (
            f"level S: {counts['disturbed']} disturbed runs ({counts['runs']} runs of the program), "
            f"{self.seconds:.0f} s of CPU, {rate:.0f} a second on one core: double pays {counts['double pays']}, "
            f"undeclared losses and other faults {counts['wrong']}"
        )
        for kind, counted in sorted(self.by_kind.items()):
            yield (
                f"  {kind}: {counted['disturbed']} disturbed runs, {counted['doubts']} left a declared doubt; of "
                f"{counted['alone']} plain kills {_share(counted['alone doubts'], counted['alone'])}"
            )


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def figures_of(reports: Iterable[Any]) -> Figures:
    """What all reports of a test run say."""
    figures = Figures()
    for report in reports:
        if getattr(report, "when", None) == "call":
            for name, value in getattr(report, "user_properties", ()):
                if name == SEEN:
                    figures.add(value)
    return figures
