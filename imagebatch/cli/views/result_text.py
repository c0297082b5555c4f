"""How a run ended, for people: what did not work and why, the next command, and one line that sums it up."""

import shlex
from collections.abc import Sequence

from imagebatch.cli.screen import Paint
from imagebatch.cli.views.foreign import shown
from imagebatch.model.checks import UnmetAt
from imagebatch.plan.costs import money_text
from imagebatch.plan.types import Action
from imagebatch.run.result import End, OnlyHere, Outcome, RunResult

PAST: dict[Action, str] = {
    "create": "created",
    "redraw": "redrawn",
    "retry": "retried",
    "buy": "bought",
    "fetch": "fetched",
    "adopt": "adopted",
    "share": "shared",
    "update": "updated",
    "develop": "developed",
    "move": "moved",
    "wait": "collected",
    "forget": "forgotten",
    "delete": "deleted",
}
_TITLES: dict[End, tuple[str, str]] = {
    "failed": ("Failed", "red"),
    "blocked": ("Blocked by moderation", "red"),
    "in_doubt": ("In doubt: nobody knows whether these were paid", "red"),
    "unsent": ("Not sent", "yellow"),
    "pending": ("Still being drawn at the provider", "yellow"),
}
_NEXT: dict[End, str] = {
    "failed": "imagebatch apply",
    "blocked": "imagebatch explain {}",
    "in_doubt": "imagebatch resolve --list",
    "unsent": "imagebatch apply",
    "pending": "imagebatch wait",
}
ENDS: tuple[tuple[End, str], ...] = (
    ("failed", "failed"), ("blocked", "blocked"), ("in_doubt", "in doubt"), ("pending", "still being drawn"),
    ("unsent", "not sent"),
)  # fmt: skip
_MAYBE_PAID = frozenset({"provider.gone", "provider.no_images", "provider.bad_image", "provider.expired"})
_ELSEWHERE = "provider.unknown"  # the message says what helps, and coming again does not
_SHOWN = 20
_FOLDED_ABOVE = 2


def command_for(words: str, addresses: Sequence[str]) -> str:
    """A command with its addresses quoted for the shell; many addresses become the first few."""
    return words.format(" ".join(shlex.quote(address) for address in addresses[:5]))


def seconds_text(seconds: float) -> str:
    """`1.9 s`, `4 min 10 s`, `2 h 3 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def result_lines(
    result: RunResult,
    *,
    paint: Paint,
    verbose: bool = False,
    simulated: Sequence[str] = (),
    real: bool = True,
) -> list[str]:
    """The whole report.

    `simulated` are aliases that the simulator stood in for, `real` tells whether any other was asked.
    """
    lines: list[str] = []
    for end, (title, color) in _TITLES.items():
        outcomes = sorted((one for one in result.ends if one.end == end), key=lambda one: one.address)
        if outcomes:
            lines += [
                paint(f"{title} ({len(outcomes)})", color, "bold"),
                *_outcomes(end, outcomes, paint, verbose=verbose),
                "",
            ]
    lines += _warnings(result.outcomes, paint, verbose=verbose)
    lines += unmet_lines(result.unmet, paint, verbose=verbose)
    lines += unpicked_lines(result.unpicked, paint)
    if result.duplicates:
        many = "1 draw has" if result.duplicates == 1 else f"{result.duplicates} draws have"
        lines.append(f"{paint('Paid twice:', 'red', 'bold')} {many} more than one generation; they are named above.")
    return [*lines, _last_line(result, paint, simulated, real=real), *only_here_lines(result.only_here, paint)]


def only_here_lines(only_here: OnlyHere, paint: Paint) -> list[str]:
    """How many originals would be lost with this machine; nothing for none."""
    count = only_here.count
    if not count:
        return []
    many = "1 original exists" if count == 1 else f"{count} originals exist"
    return [
        f"{many} only on this machine",
        *([f"  {paint('next:', 'cyan')} {only_here.next}"] if only_here.next is not None else []),
    ]


def unmet_lines(unmet: Sequence[UnmetAt], paint: Paint, *, verbose: bool = False) -> list[str]:
    """The checks that pictures do not hold, those that fail first, and what a person can do; nothing for none."""
    lines: list[str] = []
    for level, title, color in (("fail", "Checks failed", "red"), ("warn", "Checks warn", "yellow")):
        found = [one for one in unmet if one.unmet.level == level]
        if not found:
            continue
        most = found if verbose else found[:_SHOWN]
        lines.append(paint(f"{title} ({len(found)})", color, "bold"))
        lines += [f"  {shown(one.address)}: {shown(one.unmet.text)}" for one in most]
        lines += [f"  … and {len(found) - len(most)} more (-v shows them)"] if len(most) < len(found) else []
        if level == "fail":
            words = command_for("imagebatch redraw {}", [found[0].address])
            lines.append(
                f"  {paint('next:', 'cyan')} {words} draws it anew and is paid; or change its pick, or its checks"
            )
        lines.append("")
    return lines


def unpicked_lines(addresses: Sequence[str], paint: Paint) -> list[str]:
    """What waits for a person's choice, and the command that makes it; nothing for none."""
    if not addresses:
        return []
    explain = command_for("imagebatch explain {}", addresses[:1])
    return [
        paint(f"Waiting for a pick ({len(addresses)})", "magenta", "bold"),
        *(f"  {shown(address)}" for address in addresses[:_SHOWN]),
        *_more(addresses),
        *(
            f"  {paint('next:', 'cyan')} {words}"
            for words in (
                "imagebatch gallery shows them, and imagebatch review takes picks, too",
                f"{explain} names their files",
                command_for("imagebatch pick {} 1", addresses[:1]),
            )
        ),
        "",
    ]


def _outcomes(end: End, outcomes: Sequence[Outcome], paint: Paint, *, verbose: bool) -> list[str]:
    """Each address with its message; those with the same message under it once, folded as a plan folds them."""
    groups: dict[tuple[str, str | None, str | None], list[Outcome]] = {}
    for one in outcomes:
        groups.setdefault((one.message, one.code, one.hint), []).append(one)
    lines: list[str] = []
    limit = len(groups) if verbose else _SHOWN
    for (message, code, hint), alike in list(groups.items())[:limit]:
        folded = len(alike) > _FOLDED_ABOVE and not verbose
        names = [f"{len(alike)} × {alike[0].address} … {alike[-1].address}"] if folded else [a.address for a in alike]
        lines += [f"  {shown(name)}" for name in names]
        if message or (code and code != end):
            lines.append(f"    {shown(message)}" + (paint(f" [{code}]", "dim") if code else ""))
        if hint:
            lines.append(f"    {paint('hint:', 'cyan')} {shown(hint)}")
    left = sum(len(alike) for alike in list(groups.values())[limit:])
    lines += [f"  … and {left} more (-v shows them)"] if left else []
    return lines + [f"  {paint('next:', 'cyan')} {words}" for words in _next(end, outcomes)]


def _next(end: End, outcomes: Sequence[Outcome]) -> list[str]:
    """The commands that go on from here; one that pays is named only where the provider drew nothing, or with a word.

    What did not arrive, or could not be written, is done by the next apply for nothing; what an earlier run left failed
    is not, and is explained.
    """
    if end == "unsent" and all(one.code == "provider.blocked_streak" for one in outcomes):
        return ["imagebatch status -s state:blocked"]  # the next apply would send more of what is blocked
    if end != "failed":
        return [command_for(_NEXT[end], [one.address for one in outcomes])]
    left = [one.address for one in outcomes if one.left]
    if left:
        rest = [one for one in outcomes if not one.left]
        return [*(_next(end, rest) if rest else ()), command_for("imagebatch explain {}", left[:1])]
    refused = [one.address for one in outcomes if one.refused]
    lost = [one for one in outcomes if one.code in _MAYBE_PAID or (one.code or "").startswith("image.")]
    doubtful = [one.address for one in lost if one.hint is None]
    lines = [command_for("imagebatch retry {}", refused)] if refused else []
    if len(refused) + sum(one.code == _ELSEWHERE for one in outcomes) < len(outcomes):
        lines.append(_NEXT[end])
    if doubtful:
        words = command_for("imagebatch retry {}", doubtful)
        lines.append(f"{words}, only if that does not help: it draws anew what may have been paid")
    return lines


def _warnings(outcomes: Sequence[Outcome], paint: Paint, *, verbose: bool) -> list[str]:
    texts = [f"{shown(one.address)}: {shown(warning)}" for one in outcomes for warning in one.warnings]
    limit = len(texts) if verbose else _SHOWN
    lines = [f"{paint('warning:', 'yellow')} {text}" for text in texts[:limit]]
    if limit < len(texts):
        lines.append(f"  … and {len(texts) - limit} more warnings (-v shows them)")
    return lines


def _more(addresses: Sequence[str]) -> list[str]:
    return [f"  … and {len(addresses) - _SHOWN} more (-v shows them)"] if len(addresses) > _SHOWN else []


def _last_line(result: RunResult, paint: Paint, simulated: Sequence[str], *, real: bool) -> str:
    done = [f"{result.done[action]} {word}" for action, word in PAST.items() if result.done[action]]
    bad = [f"{count} {word}" for end, word in ENDS if (count := result.count(end))]
    failing = len({one.address for one in result.unmet if one.unmet.level == "fail"})
    bad += [f"{failing} with failed checks"] if failing else []
    word, color = ("Stopped", "yellow") if result.stopped_by is not None else ("Done", "green")
    if bad and result.stopped_by is None:
        word, color = "Ended", "yellow"
    kept = [f"{result.kept} kept"] if result.kept else []
    counts = ", ".join([*done, *bad, *kept]) or "nothing changed"
    text = f"{paint(f'{word}:', color, 'bold')} {counts} in {seconds_text(result.seconds)}."
    if result.cost and real:
        text += f" Paid: {money_text(result.cost)}."
    if simulated:
        label = paint("Simulated:", "magenta", "bold")
        text += f" {label} {', '.join(map(shown, simulated))}; nothing was paid there."
    return text
