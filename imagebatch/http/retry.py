"""What an HTTP outcome means for sending again: pure, and the one place that reads `Retry-After`.

A status decides nothing about a create here: the adapter reads a create's answer, by the table of the contract's
section 6. What this module decides is which answers to a *repeatable* call are worth another try, and how long to wait.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from imagebatch.model.wire import CallKind

REFUSED_STATUSES: frozenset[int] = frozenset({400, 401, 402, 403, 404, 405, 413, 415, 422, 425, 429})
"""Statuses that say that a create was certainly not accepted (contract, section 6)."""

PASSING_STATUSES: frozenset[int] = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which a repeatable call is sent again."""

MIN_RETRY_AFTER_S = 1.0
MAX_RETRY_AFTER_S = 300.0

Verdict = Literal["done", "again", "pause"]

_SECONDS = re.compile(r"[0-9]{1,9}")


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


def parse_retry_after(value: str | None, date_header: str | None, now: float) -> float | None:
    """Seconds to wait by a `Retry-After` header, at least 1; None where the header says nothing legal.

    `value` is the header: up to nine ASCII digits, or an HTTP date in any of its three forms (one without a zone is
    UTC). A date is compared with the answer's own `Date` header where that can be read, else with `now` (seconds since
    1970): a wrong clock here must not turn 3 s into an hour. A date in the past is no answer. The result is not capped;
    callers treat more than `MAX_RETRY_AFTER_S` as a pause beyond this run. (RFC 9110, 10.2.3.)
    """
    if value is None:
        return None
    value = value.strip(" \t")
    if _SECONDS.fullmatch(value):
        return max(MIN_RETRY_AFTER_S, float(value))
    until = _http_date(value)
    if until is None:
        return None
    base = _http_date(date_header.strip(" \t")) if date_header else None
    wait = until - (now if base is None else base)
    return max(MIN_RETRY_AFTER_S, wait) if wait > 0 else None


def retry_after_of(headers: Mapping[str, str], now: float) -> float | None:
    """`parse_retry_after` over an answer's headers (lower-case names)."""
    return parse_retry_after(headers.get("retry-after"), headers.get("date"), now)


def backoff_s(attempt: int, *, first_s: float, cap_s: float, chance: float) -> float:
    """Seconds before try number `attempt` + 1: doubling from `first_s` up to `cap_s`, half of it by chance.

    `attempt` counts from 1; `chance` is a number in [0, 1).
    """
    whole = min(cap_s, first_s * 2 ** min(attempt - 1, 30))
    return whole * (0.5 + 0.5 * chance)


def _http_date(text: str) -> float | None:
    if not text.isascii() or not 8 <= len(text) <= 64 or text[:1].isdigit():
        return None
    try:
        parsed: datetime = parsedate_to_datetime(text)
        return float((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
