"""What was spent, as lines of the cost ledger: which event adds which line, and what all lines come to; pure.

One line tells of one paid step at one time, and no line is ever changed. Lines of one step (token, step, attempt,
candidate) follow each other, and the last of a sending counts: `in_doubt` holds what it may have cost until `paid`,
`not_paid` or `given_up` follows; `billed` corrects a `paid` by what the provider says it charged. What is sent after
`given_up` or `not_paid` is a sending of its own, and counts beside the other.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

from imagebatch.model.event import Abandoned, Accepted, Doubted, Event, Intended, Observed, PaidStep, Refused
from imagebatch.model.money import UNKNOWN_COST, Basis, Cost, Money, decimal_text, parse_money, read_money

CostState = Literal[
    "paid",  # the provider took it; the amount is the plan's
    "billed",  # the provider told what it charged
    "in_doubt",  # nobody knows; the amount is what it may have cost
    "not_paid",  # a doubt that the provider itself has settled: it was never taken
    "given_up",  # a doubt that was closed without knowing; the amount still counts
]
# The state stands last, and none begins like another: a line that was cut off is never taken for a whole one.
COLUMNS: Final = (
    "time", "run", "address", "token", "step", "attempt", "candidate", "provider", "amount", "currency", "basis",
    "state",
)  # fmt: skip
_STATES: Final[Mapping[str, CostState]] = {
    state: state for state in ("paid", "billed", "in_doubt", "not_paid", "given_up")
}
_STEPS: Final[Mapping[str, PaidStep]] = {"create": "create", "retry": "retry", "buy": "buy"}
_BASES: Final[Mapping[str, Basis]] = {"exact": "exact", "estimated": "estimated", "unknown": "unknown"}
# What makes a spreadsheet run a cell, in all the ways in which it can be written.
_FORMULA: Final = frozenset("=+-@\t\r\n＝＋－＠'")
_SETTLED: Final = frozenset({"not_paid", "given_up"})
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z")
_DIGITS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """One line: a paid step, what it cost or may have cost, and how that is known.

    `time` is UTC in ISO form, `run` names the command that wrote the line; both are empty until it is written.
    """

    address: str
    token: str
    step: PaidStep
    attempt: int
    candidate: str
    provider: str
    cost: Cost
    state: CostState
    time: str = ""
    run: str = ""

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What tells one paid step from another."""
        return (self.token, self.step, self.attempt, self.candidate)

    @property
    def said(self) -> tuple[CostState, Money | None]:
        """What the line says of its step."""
        return (self.state, self.cost.money)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostText:
    """A cost ledger as it was read; `unreadable` counts lines that were cut off or changed by hand."""

    lines: tuple[CostLine, ...] = ()
    unreadable: int = 0


# Text ---------------------------------------------------------------------------------------------------------------


def encode_lines(lines: Iterable[CostLine]) -> str:
    """Lines as CSV, each with its end; no cell can be taken for a formula."""
    return "".join(map(_row, map(_cells, lines)))


def header() -> str:
    """The first line of the file."""
    return _row(COLUMNS)


def decode_lines(text: str) -> CostText:
    """Read a ledger; a last line that is not whole is still being written, or was cut off, and is left out."""
    lines: list[CostLine] = []
    unreadable = 0
    first = header().rstrip("\n")
    # A spreadsheet may have saved it, with a mark before its first line and other ends of lines.
    *rows, last = (row.removesuffix("\r") for row in text.removeprefix("\ufeff").split("\n"))
    for row in rows:
        if not row or row == first:
            continue
        line = _line(row)
        if line is None:
            unreadable += 1
        else:
            lines.append(line)
    ending = _line(last) if last else None
    if ending is not None:  # only its end is missing, and whatever is written next begins with that
        lines.append(ending)
    return CostText(lines=tuple(lines), unreadable=unreadable)


def _cells(line: CostLine) -> tuple[str, ...]:
    money = line.cost.money
    amount, currency = (decimal_text(money.amount), money.currency) if money is not None else ("", "")
    return (
        line.time, line.run, line.address, line.token, line.step, str(line.attempt), line.candidate, line.provider,
        amount, currency, line.cost.basis, line.state,
    )  # fmt: skip


def _row(cells: Sequence[str]) -> str:
    made = io.StringIO()
    csv.writer(made, lineterminator="\n").writerow(map(_safe, cells))
    return made.getvalue()


def _safe(cell: str) -> str:
    """A cell that no spreadsheet runs, on one line."""
    flat = cell.replace("\n", " ").replace("\r", " ")
    return f"'{flat}" if flat[:1] in _FORMULA and flat else flat


def _line(row: str) -> CostLine | None:
    """One line; None where it is none of ours, or not whole."""
    try:
        (cells,) = csv.reader([row], strict=True)
        fields = dict(zip(COLUMNS, (cell.removeprefix("'") for cell in cells), strict=True))
        if not _TIME.fullmatch(fields["time"]):
            return None
        money = parse_money(f"{fields['amount']} {fields['currency']}") if fields["amount"] else None
        return CostLine(
            address=fields["address"],
            token=fields["token"],
            step=_STEPS[fields["step"]],
            attempt=int(fields["attempt"]),
            candidate=fields["candidate"],
            provider=fields["provider"],
            cost=Cost(money=money, basis=_BASES[fields["basis"]]),
            state=_STATES[fields["state"]],
            time=fields["time"],
            run=fields["run"],
        )
    except (ValueError, KeyError, csv.Error, InvalidOperation):
        return None


# Events -------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Step:
    """A paid step under way, as the line that it would be now; `doubted` once a line says that it is in doubt."""

    line: CostLine
    doubted: bool = False
    paid: bool = True


class Costing:
    """Tells of each event which lines it adds.

    `known` looks up what the ledger has of a token that no event told of; a replay does without.
    """

    def __init__(self) -> None:
        self.known: Callable[[str], Sequence[CostLine]] = lambda _: ()
        self._open: dict[tuple[str, str, str], _Step] = {}
        self._paid: dict[str, CostLine] = {}
        self._refusals: set[str] = set()

    def after(self, event: Event) -> tuple[CostLine, ...]:
        """The lines that `event` adds."""
        match event:
            case Intended():
                self._begun(event)
            case Accepted():
                return self._taken(event)
            case Refused():
                return self._refused(event)
            case Doubted():
                step = self._step(event.token, event.step, event.candidate or "")
                return self._in_doubt(step, event.charged) if step is not None else ()
            case Abandoned():
                return self._closed(event)
            case Observed():
                return self._told(event)
        return ()

    def unanswered(self) -> tuple[CostLine, ...]:
        """The lines of steps that were begun and never answered: their process is dead, so they are in doubt."""
        return tuple(line for step in self._open.values() for line in self._in_doubt(step))

    def _begun(self, event: Intended) -> None:
        if event.type.startswith("simulator:"):
            return  # the simulator takes no money
        key = (event.token, event.step, event.candidate or "")
        line = CostLine(
            address=event.address,
            token=event.token,
            step=event.step,
            attempt=event.attempt,
            candidate=event.candidate or "",
            provider=event.provider,
            cost=_rounded(event.cost),
            state="in_doubt",
        )
        before = self._open.get(key)
        self._open[key] = _Step(line, doubted=before is not None and before.doubted, paid=event.paid)

    def _taken(self, event: Accepted) -> tuple[CostLine, ...]:
        step = self._step(event.token, event.step, event.candidate or "")
        if step is None:
            return ()
        self._open.pop((event.token, event.step, event.candidate or ""), None)
        if not step.paid:
            return ()
        line = replace(step.line, state="paid")
        if event.step != "buy":
            self._paid[event.token] = line
        return (line,)

    def _refused(self, event: Refused) -> tuple[CostLine, ...]:
        """A refusal costs nothing; that it was sent stays known, once for each token."""
        step = self._open.pop((event.token, event.step, event.candidate or ""), None)
        if step is None or not step.paid or (not step.doubted and event.token in self._refusals):
            return ()
        self._refusals.add(event.token)
        return (_unpaid(step.line),)

    def _closed(self, event: Abandoned) -> tuple[CostLine, ...]:
        self._learn(event.token)
        keys = [key for key in self._open if key[0] == event.token]
        steps = [self._open.pop(key) for key in keys]
        if event.absent:
            return tuple(_unpaid(step.line) for step in steps if step.doubted)
        return tuple(replace(step.line, state="given_up") for step in steps if step.paid)

    def _told(self, event: Observed) -> tuple[CostLine, ...]:
        line = self._paid.pop(event.token, None)
        if event.billed is None:
            return ()
        if line is None:
            self._learn(event.token)
            line = self._paid.pop(event.token, None)
        billed = read_money(event.billed)
        if line is None or (billed is not None and line.cost.money == billed):
            return ()
        # What was charged and cannot be read is unknown, and not the plan's figure any more.
        cost = Cost(money=billed, basis="exact") if billed is not None else UNKNOWN_COST
        return (replace(line, cost=cost, state="billed"),)

    def _in_doubt(self, step: _Step, charged: str | None = None) -> tuple[CostLine, ...]:
        money = read_money(charged) if charged is not None else None
        told = Cost(money=money, basis="exact") if money is not None else step.line.cost
        if not step.paid or (step.doubted and told == step.line.cost):
            return ()
        step.line = replace(step.line, cost=told)
        step.doubted = True
        return (step.line,)

    def _step(self, token: str, step: PaidStep, candidate: str) -> _Step | None:
        if (token, step, candidate) not in self._open:
            self._learn(token)
        return self._open.get((token, step, candidate))

    def _learn(self, token: str) -> None:
        """What the ledger has of a token, where no event of this journal told of it."""
        if any(key[0] == token for key in self._open):
            return
        for line in settled(self.known(token)):
            if line.state == "in_doubt":
                self._open[(token, line.step, line.candidate)] = _Step(line, doubted=True)
            elif line.state == "paid" and line.step != "buy":
                self._paid[token] = line


def _rounded(cost: Cost) -> Cost:
    """An uneven share without its endless digits: what is written has to read back as the same."""
    money = cost.money
    if money is None or int(money.amount.as_tuple().exponent) >= -_DIGITS:
        return cost
    return replace(cost, money=replace(money, amount=round(money.amount, _DIGITS)))


def _unpaid(line: CostLine) -> CostLine:
    currency = line.cost.money.currency if line.cost.money is not None else None
    nothing = Cost(money=Money(amount=Decimal(0), currency=currency), basis="exact") if currency else UNKNOWN_COST
    return replace(line, cost=nothing, state="not_paid")


def missing_lines(told: Sequence[CostLine], there: Iterable[CostLine]) -> tuple[CostLine, ...]:
    """Which of the lines that a journal tells of are not in the ledger: a crash can only have cut off the last of them.

    Lines of one step are compared in order: the end of what is there with the beginning of what is told.
    """
    mine = _by_key(told)
    theirs = _by_key(line for line in there if line.key in mine)
    return tuple(line for key, lines in mine.items() for line in lines[_overlap(theirs.get(key, []), lines) :])


def _by_key(lines: Iterable[CostLine]) -> dict[tuple[str, str, int, str], list[CostLine]]:
    found: dict[tuple[str, str, int, str], list[CostLine]] = {}
    for line in lines:
        found.setdefault(line.key, []).append(line)
    return found


def _overlap(there: Sequence[CostLine], told: Sequence[CostLine]) -> int:
    """How many of `told`, from its beginning, are the end of `there`."""
    said, known = [line.said for line in told], [line.said for line in there]
    return next((size for size in range(len(said), 0, -1) if known[-size:] == said[:size]), 0)


# Sums ---------------------------------------------------------------------------------------------------------------


def settled(lines: Iterable[CostLine]) -> tuple[CostLine, ...]:
    """One line for each sending of a paid step, as it stands now, with the time and run in which it was sent."""
    found: list[CostLine] = []
    last: dict[tuple[str, str, int, str], int] = {}
    for line in lines:
        at = last.get(line.key)
        if at is None or found[at].state in _SETTLED:
            last[line.key] = len(found)
            found.append(line)
        else:
            found[at] = replace(line, time=found[at].time, run=found[at].run)
    return tuple(found)


def spent_in(lines: Iterable[CostLine], month: str) -> tuple[tuple[Money, ...], int]:
    """What was spent in a month (`2026-11`, UTC), by currency, and how many of its steps have no known price."""
    sums: dict[str, Decimal] = {}
    unknown = 0
    for line in settled(lines):
        if not line.time.startswith(f"{month}-") or line.state == "not_paid":
            continue
        if line.cost.money is None:
            unknown += 1
        else:
            sums[line.cost.money.currency] = sums.get(line.cost.money.currency, Decimal(0)) + line.cost.money.amount
    return tuple(Money(amount=sums[currency], currency=currency) for currency in sorted(sums)), unknown
