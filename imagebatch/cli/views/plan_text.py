"""The plan for people: symbols with words, equal changes folded, reasons, costs, what stands against it.

Folding has one rule: changes of one asset with the same action, reason, figures and side effects are one line with
their number and two addresses. A delete, a protected variant and an unknown price always have a line of their own.
"""

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imagebatch.cli.screen import Paint
from imagebatch.cli.views.foreign import shown
from imagebatch.cli.views.money_text import cost_text, has_unknown
from imagebatch.cli.views.result_text import ENDS
from imagebatch.plan.costs import summary_line
from imagebatch.plan.types import Action, Blocker, Change, Plan, Reason
from imagebatch.run.result import left_bad

SYMBOLS: dict[Action, tuple[str, str]] = {
    "create": ("+", "green"),
    "redraw": ("-/+", "yellow"),
    "retry": ("^", "yellow"),
    "buy": ("$", "magenta"),
    "update": ("~", "cyan"),
    "develop": ("~", "cyan"),
    "fetch": ("<=", "cyan"),
    "adopt": ("<=", "cyan"),
    "share": ("<=", "cyan"),
    "wait": ("<=", "cyan"),
    "move": (">", "blue"),
    "forget": ("-", "red"),
    "delete": ("-", "red"),
    "keep": ("!", "yellow"),
    "defer": ("?", "dim"),
    "noop": ("=", "dim"),
}
REASONS: dict[Reason, str] = {
    "new": "new",
    "prompt": "prompt changed",
    "model": "model changed",
    "params": "params changed",
    "references": "references changed",
    "provider": "provider changed",
    "count": "count changed",
    "simulated": "simulated",
    "labels": "labels changed",
    "policy": "policy changed",
    "ladder": "output steps changed",
    "output_missing": "output file missing",
    "edited": "output edited by hand",
    "moved": "renamed",
    "failed": "failed before",
    "paid_failure": "failed, may have been paid",
    "asked": "asked for",
    "rejected_pick": "no candidate was picked",
    "removed": "not in the manifests any more",
    "protected": "protected",
    "blocked": "blocked by moderation",
    "in_doubt": "nobody knows whether it was paid",
    "pending": "being drawn at the provider",
    "adopted": "drawn before",
    "shared": "same request",
    "unavailable": "picture not to be had",
    "reference_pending": "its reference is not settled yet",
    "resolution": "higher resolution wanted",
}
_ALSO: dict[Action, str] = {
    "update": "update labels or policy", "develop": "write files", "fetch": "fetch", "move": "rename files",
    "buy": "buy", "forget": "forget", "delete": "delete",
}  # fmt: skip
_FOLDED_FROM = 3
_INDENT = " " * 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Changes that are shown as one."""

    changes: tuple[Change, ...]

    @property
    def first(self) -> Change:
        """The one that stands for all."""
        return self.changes[0]


def plan_lines(
    plan: Plan, *, paint: Paint, columns: int = 80, folded: bool = True, simulated: Sequence[str] = (), title: str = ""
) -> list[str]:
    """The whole plan; `simulated` are provider aliases that draw with the simulator, `title` what stands above it."""
    lines: list[str] = []
    if title:
        lines += [paint(title, "bold"), ""]
    for group in groups(plan.changes, folded=folded):
        lines += group_lines(group, paint=paint, columns=columns, simulated=frozenset(simulated))
    if plan.changes:
        lines.append("")
    lines += notes_lines(plan, paint=paint, simulated=simulated)
    lines += blocker_lines(plan.blocked_by, paint=paint, columns=columns)
    lines.append(paint(summary_line(plan), "bold"))
    return lines


def nothing_line(plan: Plan, *, paint: Paint, simulated: Sequence[str] = ()) -> str:
    """`Nothing to do: 20 pictures are as the manifests want them.`"""
    unchanged = plan.counts.get("noop", 0)
    count = f"{unchanged} {'variant is' if unchanged == 1 else 'variants are'} as the manifests want"
    bad = Counter(one.end for one in left_bad(plan.changes))
    kept = plan.counts.get("keep", 0) - bad.total()
    rest = [f"{bad[end]} {word}" for end, word in ENDS if bad[end]] + ([f"{kept} kept"] if kept else [])
    above = f", {', '.join(rest)} as above" if rest else ""
    line = f"{paint('Nothing to do:', 'yellow' if bad else 'green', 'bold')} {count}{above}."
    return line + (
        f" {paint('Simulated:', 'magenta', 'bold')} {', '.join(map(shown, simulated))}." if simulated else ""
    )


def groups(changes: Iterable[Change], *, folded: bool) -> list[Group]:
    """Equal changes together, at the place of the first; fewer than three stay apart."""
    buckets: dict[object, list[Change]] = {}
    for index, change in enumerate(changes):
        buckets.setdefault(_fold_key(change) if folded and _may_fold(change) else index, []).append(change)
    found: list[Group] = []
    for bucket in buckets.values():
        if len(bucket) < _FOLDED_FROM:
            found += [Group(changes=(change,)) for change in bucket]
        else:
            found.append(Group(changes=tuple(bucket)))
    return found


def group_lines(group: Group, *, paint: Paint, columns: int, simulated: frozenset[str]) -> list[str]:
    """One line with symbol, word and addresses, and one or more with reason, provider, cost and side effects."""
    change = group.first
    symbol, color = SYMBOLS[change.action]
    head = f"  {paint(f'{symbol:<3} {change.action:<7}', color)} "
    lines = [head + line if at == 0 else _INDENT + line for at, line in enumerate(_names(group, columns))]
    facts = [
        _why(group),
        _where(change, simulated),
        cost_text(change.costs, len(group.changes)),
        *_side_effects(change),
    ]
    style = () if has_unknown(change.costs) else ("dim",)
    lines += [
        _INDENT + paint(line, *style) for line in _wrapped([fact for fact in facts if fact], columns - len(_INDENT))
    ]
    warnings = dict.fromkeys(warning for one in group.changes for warning in one.warnings)
    lines += [f"{_INDENT}{paint('warning:', 'yellow')} {shown(warning)}" for warning in list(warnings)[:3]]
    if len(warnings) > 3:
        lines.append(f"{_INDENT}{paint('warning:', 'yellow')} and {len(warnings) - 3} more (-v shows them)")
    return lines


def notes_lines(plan: Plan, *, paint: Paint, simulated: Sequence[str]) -> list[str]:
    """What a reader has to know before saying yes."""
    lines: list[str] = []
    concerned = {change.provider for change in plan.changes if change.action not in {"noop", "keep"} or change.also}
    simulated = [alias for alias in simulated if alias in concerned] or simulated
    if simulated:
        names, draw = ", ".join(shown(name) for name in simulated), "draws" if len(simulated) == 1 else "draw"
        label = paint("Simulated:", "magenta", "bold")
        lines.append(f"{label} {names} {draw} with the built-in simulator; nothing is paid.")
    lines += [f"{paint('Note:', 'bold')} {shown(note)}" for note in plan.notes]
    return [*lines, ""] if lines else []


def blocker_lines(blockers: Sequence[Blocker], *, paint: Paint, columns: int = 80) -> list[str]:
    """What would stop the apply, each with the flag that lifts it."""
    if not blockers:
        return []
    lines = [paint("This would stop the apply:", "red", "bold")]
    for blocker in blockers:
        for at, text in enumerate(blocker_text(blocker).splitlines()):
            words = [text] if text.startswith(" ") else [word for word in text.split(" ") if word]
            mark = paint("x", "red") if at == 0 else " "
            wrapped = _wrapped(words, columns - 4, joint=" ")
            lines += [f"  {mark if part == 0 else ' '} {line}" for part, line in enumerate(wrapped)]
    return [*lines, ""]


def blocker_text(blocker: Blocker) -> str:
    """What stands against the apply, and the flag that lifts it where the message does not say it itself."""
    lift = f"--force {shlex.quote(blocker.force)}" if blocker.force else ""
    # A message may have lines of its own: what is to be pasted stands alone.
    message = "\n".join(shown(line) for line in blocker.message.splitlines())
    return f"{message} Lift it with {lift}." if lift and lift not in message else message


def _may_fold(change: Change) -> bool:
    protected = (change.entry is not None and (change.entry.protect or change.entry.held)) or (
        change.variant is not None and change.variant.policy.protect
    )
    removal = change.action in {"delete", "forget"} or "delete" in change.also
    return not (protected or removal or change.reason == "protected" or has_unknown(change.costs))


def _fold_key(change: Change) -> object:
    asset = change.address.partition("[")[0]
    return (
        asset,
        change.action,
        change.reason,
        change.provider,
        change.costs,
        change.also,
        change.later,
        change.in_place,
    )


def _names(group: Group, columns: int) -> list[str]:
    change = group.first
    if len(group.changes) == 1:
        moved = f" (was {shown(change.moved_from)})" if change.moved_from else ""
        return [shown(change.address) + moved]
    count, first, last = f"{len(group.changes)} × ", shown(change.address), shown(group.changes[-1].address)
    whole = f"{count}{first} … {last}"
    if len(whole) <= columns - len(_INDENT):
        return [whole]
    return [f"{count}{first}", f"{' ' * (len(count) - 2)}… {last}"]


def reason_word(change: Change) -> str:
    """Why a change is due, in a few words; what is fetched may never have had an output (it waits for a pick)."""
    if change.action == "fetch" and change.reason == "output_missing":
        return "picture not here"
    return REASONS[change.reason] if change.reason else ""


def _why(group: Group) -> str:
    change = group.first
    word = reason_word(change)
    details = {one.detail for one in group.changes}
    detail = shown(change.detail, 200) if len(details) == 1 else ""
    if change.action == "move" and change.moved_from is not None:
        return word  # the old name stands beside the new one already
    if not detail or detail == word or detail.startswith(word.split(",")[0] + " "):
        return detail or word
    return f"{word}: {detail}" if word else detail


def _where(change: Change, simulated: frozenset[str]) -> str:
    if not change.provider or change.action in {"noop", "develop", "move", "forget", "keep"}:
        return ""
    return shown(change.provider) + (" (simulated)" if change.provider in simulated else "")


def _side_effects(change: Change) -> list[str]:
    found = []
    if change.also:
        found.append("also: " + ", ".join(_ALSO.get(action, action) for action in change.also))
    if change.action in {"retry", "redraw"} and change.attempt > 1:
        found.append(f"attempt {change.attempt}")
    return found


def _wrapped(parts: Sequence[str], columns: int, joint: str = " · ") -> list[str]:
    """Parts joined on as few lines as they need; a part is never broken."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(joint) + len(part) <= columns:
            lines[-1] += joint + part
        else:
            lines.append(part)
    return lines
