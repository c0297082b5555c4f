"""What a run has come to so far, from its events; pure, so that bar, line and test see the same."""

from collections import Counter
from dataclasses import dataclass, field

from imagebatch.cli.views.foreign import shown
from imagebatch.cli.views.result_text import seconds_text
from imagebatch.model.event import Accepted, BoughtStored, Event, Fetched, Intended, Told

MOST_ROWS = 8
_STAGES = {
    "sending": "sending",
    "accepted": "being drawn",
    "progress": "being drawn",
    "settling": "looking for an earlier draw",
    "paused": "paused by the provider",
    "fetching": "fetching",
    "developing": "writing files",
}


@dataclass(slots=True)
class Tally:
    """Counts and the addresses under way; `total` is how many changes the run has. Times are seconds of one clock."""

    total: int
    started_at: float
    ended: Counter[str] = field(default_factory=Counter)
    active: dict[str, tuple[str, float]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    pictures: int = 0

    @property
    def done(self) -> int:
        """How many changes have ended, one way or the other."""
        return min(sum(self.ended.values()), self.total)

    def take(self, event: Event | Told, now: float) -> str | None:
        """Take one event in; gives a message that a person should read now, else None."""
        if isinstance(event, Intended):
            self.tokens[event.token] = event.address
            self._stage(event.address, "sending", now)
        elif isinstance(event, Accepted):
            self._stage(self.tokens.get(event.token), "being drawn", now)
        elif isinstance(event, (Fetched, BoughtStored)):
            self.pictures += 1
        elif isinstance(event, Told):
            return self._told(event, now)
        return None

    def _told(self, event: Told, now: float) -> str | None:
        if event.kind == "ended":
            self.ended[str(event.data.get("end", "done"))] += 1
            if event.address is not None:
                self.active.pop(event.address, None)
            return None
        if event.address is not None and event.kind in _STAGES:
            self._stage(event.address, _stage_text(event), now)
            return None
        if event.message:
            place = f"{shown(event.address)}: " if event.address else ""
            return f"{place}{shown(event.message)}"
        return None

    def _stage(self, address: str | None, stage: str, now: float) -> None:
        if address is not None:
            since = self.active[address][1] if address in self.active else now
            self.active[address] = (stage, since)


def _stage_text(event: Told) -> str:
    text = _STAGES[event.kind]
    images, seconds = event.data.get("images"), event.data.get("seconds")
    if images:
        text += f", {images} there"
    if isinstance(seconds, (int, float)) and seconds:
        text += f" for {seconds_text(float(seconds))}"
    return text


def counts_text(tally: Tally) -> str:
    """`12 of 40 done, 3 under way, 1 failed`."""
    parts = [f"{tally.done} of {tally.total} done"]
    if tally.active:
        parts.append(f"{len(tally.active)} under way")
    words = (
        ("failed", "failed"),
        ("blocked", "blocked"),
        ("in_doubt", "in doubt"),
        ("pending", "left to wait"),
        ("unsent", "not sent"),
    )
    parts += [f"{tally.ended[end]} {word}" for end, word in words if tally.ended[end]]
    return ", ".join(parts)


def progress_line(tally: Tally, now: float) -> str:
    """The line that is printed each 30 s where there is no terminal."""
    return f"imagebatch: {counts_text(tally)}; {seconds_text(now - tally.started_at)}"


def bar_text(done: int, total: int, cells: int) -> tuple[str, str]:
    """A bar in two halves: what is done, what is left."""
    filled = cells if not total else done * cells // total
    return "━" * filled, "─" * (cells - filled)


def active_rows(tally: Tally, now: float, columns: int) -> list[str]:
    """At most eight addresses under way, the longest first; the last row counts the others."""
    oldest = sorted(tally.active.items(), key=lambda item: (item[1][1], item[0]))
    most = MOST_ROWS if len(oldest) <= MOST_ROWS else MOST_ROWS - 1
    rows = []
    for address, (stage, since) in oldest[:most]:
        right = f"{stage}  {seconds_text(now - since)}"
        room = max(columns - len(right) - 4, 10)
        name = shown(address)
        name = name if len(name) <= room else name[: room - 1] + "…"
        rows.append(f"  {name:<{room}}  {right}"[:columns])
    if len(oldest) > most:
        rows.append(f"  … and {len(oldest) - most} more")
    return rows
