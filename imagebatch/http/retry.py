"""What an HTTP outcome means for sending again: pure, and the one place that reads `Retry-After`.

A status decides nothing about a create here: the adapter reads a create's answer, by the table of the contract's
section 6. What this module decides is which answers to a *repeatable* call are worth another try, and how long to wait.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from imagebatch.model.wire import CallKind

REFUSED_STATUSES: frozenset[int] = frozenset({400, 401, 402, 403, 404, 405, 413, 415, 422, 425, 429})
"""Statuses that say that a create was certainly not accepted (contract, section 6)."""

PASSING_STATUSES: frozenset[int] = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which a repeatable call is sent again."""

MIN_RETRY_AFTER_S = 1.0
MAX_RETRY_AFTER_S = 300.0

Verdict = Literal["done", "again", "pause"]

_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_MONTH = "(?P<month>[A-Z][a-z]{2})"
_DATES = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"[A-Z][a-z]{{2}}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} (?:GMT|UTC|[+-]0000)",
        rf"[A-Z][a-z]{{5,8}}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
        rf"[A-Z][a-z]{{2}} {_MONTH} (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
)


def classify(kind: CallKind, status: int) -> Verdict:
    """Whether an answer is handed on (`done`), or the call is to be sent again, at once with back-off or after a pause.

    `pause` speaks of the whole provider: a 429, or a 425. A create's answer is always `done`.
    """
    if kind == "create":
        return "done"
    if status in {425, 429}:
        return "pause"
    return "again" if status in PASSING_STATUSES else "done"


def certainly_refused(status: int) -> bool:
    """Whether a create that got this status was certainly not accepted; any redirect was not either."""
    return status in REFUSED_STATUSES or 300 <= status < 400


def parse_retry_after(value: str | None, date_header: str | None, now: float | None = None) -> float | None:
    """Seconds to wait by a `Retry-After` header, at least 1; None where the header says nothing legal.

    `value` is the header: up to nine ASCII digits, or an HTTP date in any of its three forms (a zone of `-0000` is
    UTC). A date is compared with the answer's own `Date` header where that can be read, else with `now` (seconds since
    1970, where the caller has them): a wrong clock here must not turn 3 s into an hour. A date in the past is no
    answer. The result is not capped; callers treat more than `MAX_RETRY_AFTER_S` as a pause beyond this run.
    (RFC 9110, 10.2.3.)
    """
    if value is None:
        return None
    text = value.strip(" \t")
    if _SECONDS.fullmatch(text):
        return max(MIN_RETRY_AFTER_S, float(text))
    until = http_date(text)
    base = http_date((date_header or "").strip(" \t"))
    if base is None:
        base = now
    if until is None or base is None or until <= base:
        return None
    return max(MIN_RETRY_AFTER_S, until - base)


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """`parse_retry_after` over an answer's headers (lower-case names)."""
    return parse_retry_after(headers.get("retry-after"), headers.get("date"))


def backoff_s(attempt: int, *, first_s: float, cap_s: float, chance: float) -> float:
    """Seconds before try number `attempt` + 1: doubling from `first_s` up to `cap_s`, half of it by chance.

    `attempt` counts from 1; `chance` is a number in [0, 1).
    """
    whole = min(cap_s, first_s * 2.0 ** min(attempt - 1, 30))
    return whole * (0.5 + 0.5 * chance)


def http_date(text: str) -> float | None:
    """An HTTP date (IMF-fixdate, RFC 850, asctime) as seconds since 1970; None where it is none."""
    match = next((found for pattern in _DATES if (found := pattern.fullmatch(text))), None)
    if match is None or match["month"] not in _MONTHS:
        return None
    year = int(match["year"])
    if len(match["year"]) == 2:
        # RFC 9110 5.6.7 wants two digits more than 50 years ahead read as the past; 1970 to 2069 needs no clock.
        year += 1900 if year >= 70 else 2000
    clock = (int(match["hour"]), int(match["minute"]), min(int(match["second"]), 59))
    try:
        return datetime(year, _MONTHS.index(match["month"]) + 1, int(match["day"]), *clock, tzinfo=UTC).timestamp()
    except ValueError:
        return None
