"""`Retry-After`, read strictly: what is not legal says nothing, and the caller backs off on its own."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

MIN_WAIT_S = 1.0

_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)
_MONTHS = {
    "Jan": 1, "Feb": 2, "Mar": 3, "Apr": 4, "May": 5, "Jun": 6,
    "Jul": 7, "Aug": 8, "Sep": 9, "Oct": 10, "Nov": 11, "Dec": 12,
}  # fmt: skip
_CLOCK = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_DAY, _MONTH = "(?P<day>[0-9]{2})", "(?P<month>[A-Z][a-z]{2})"
_DATES = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"[A-Z][a-z]{{2}}, {_DAY} {_MONTH} (?P<year>[0-9]{{4}}) {_CLOCK} (?:GMT|UTC|[+-]0000)",
        rf"[A-Z][a-z]{{5,8}}, {_DAY}-{_MONTH}-(?P<year>[0-9]{{2}}) {_CLOCK} GMT",
        rf"[A-Z][a-z]{{2}} {_MONTH} (?P<day>[ 0-9][0-9]) {_CLOCK} (?P<year>[0-9]{{4}})",
    )
)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The seconds that `Retry-After` asks for, at least 1, not capped; None for everything that is not legal.

    Legal are 1 to 9 ASCII digits, or an HTTP date in any of its three forms (a zone of `-0000` is UTC), which is
    compared with the server's own `Date`; without a readable `Date` a date says nothing.
    """
    text = headers.get("retry-after", "").strip(" \t")
    if _SECONDS.fullmatch(text):
        return max(MIN_WAIT_S, float(int(text)))
    until, now = http_date(text), http_date(headers.get("date", "").strip(" \t"))
    if until is None or now is None:
        return None
    return max(MIN_WAIT_S, (until - now).total_seconds())


def http_date(text: str) -> datetime | None:
    """An HTTP date (IMF-fixdate, RFC 850, asctime) as UTC, None where it is none; locale and clock play no part."""
    match = next((found for pattern in _DATES if (found := pattern.fullmatch(text))), None)
    if match is None or match["month"] not in _MONTHS:
        return None
    year = int(match["year"])
    if year < 100:
        # RFC 9110 5.6.7: two digits that seem over 50 years ahead mean the past; we need no clock to say 1970 to 2069.
        year += 1900 if year >= 70 else 2000
    try:
        return datetime(
            year, _MONTHS[match["month"]], int(match["day"]),
            int(match["hour"]), int(match["minute"]), min(int(match["second"]), 59), tzinfo=UTC,
        )  # fmt: skip
    except ValueError:
        return None
