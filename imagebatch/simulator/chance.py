"""Chance that can be replayed: a decision is a hash of the seed and of what is decided, never of the order of calls."""

import hashlib
import math
import random
import re
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(us|ms|s|min|m|h|d|)\s*")
_LOGNORMAL = re.compile(r"lognormal\(\s*p50\s*=\s*([^,]+),\s*p99\s*=\s*([^)]+)\)")
_Z99 = NormalDist().inv_cdf(0.99)


class SettingError(ValueError):
    """A profile setting that cannot be read; the text names the setting and the accepted forms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A span of time in seconds: fixed, uniform between two ends, or log-normal by its median and 99th percentile."""

    kind: Literal["fixed", "uniform", "lognormal"] = "fixed"
    low_s: float = 0.0
    high_s: float = 0.0

    def at(self, share: float) -> float:
        """Give the value at `share` (0..1) of the distribution, in seconds."""
        if self.kind == "fixed":
            return self.low_s
        if self.kind == "uniform":
            return self.low_s + (self.high_s - self.low_s) * share
        sigma = math.log(max(self.high_s / self.low_s, 1.0)) / _Z99
        return self.low_s * math.exp(sigma * NormalDist().inv_cdf(min(max(share, 1e-9), 1 - 1e-9)))


def parse_seconds(text: object) -> float:
    """Read `80ms`, `1.2s`, `10min`, `2h` or a bare number of seconds."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text)
    found = _NUMBER.fullmatch(str(text))
    if not found:
        raise SettingError(f"{text!r} is no duration; write for example 80ms, 1.5s, 10min")
    return float(found[1]) * _UNITS[found[2]]


def parse_spread(text: object) -> Spread:
    """Read a duration, a range `0..120s`, or `lognormal(p50=1.2s, p99=20s)`."""
    if isinstance(text, Spread):
        return text
    written = str(text).strip()
    if found := _LOGNORMAL.fullmatch(written):
        low, high = parse_seconds(found[1]), parse_seconds(found[2])
        if low <= 0:
            raise SettingError(f"{text!r}: the median of a log-normal has to be above zero")
        return Spread(kind="lognormal", low_s=low, high_s=high)
    if ".." in written:
        left, right = written.split("..", 1)
        unit = re.sub(r"[\d.\s]", "", right)
        low = parse_seconds(left if re.search(r"[a-z]", left) else left + unit)
        return Spread(kind="uniform", low_s=low, high_s=parse_seconds(right))
    return Spread(low_s=parse_seconds(text))


def parse_share(text: object) -> float:
    """Read `5%`, `0.05` or `true` as a share between 0 and 1."""
    if isinstance(text, bool):
        return float(text)
    written = str(text).strip()
    try:
        share = float(written[:-1]) / 100 if written.endswith("%") else float(written)
    except ValueError as error:
        raise SettingError(f"{text!r} is no share; write for example 2% or 0.02") from error
    if not 0 <= share <= 1:
        raise SettingError(f"{text!r} is no share between 0% and 100%")
    return share


def digest(*parts: object) -> str:
    """Hash the parts to 64 hex characters, with a separator that no part can forge."""
    return hashlib.sha256("\x1f".join(str(part) for part in parts).encode("utf-8", "surrogatepass")).hexdigest()


def unit(*parts: object) -> float:
    """Draw a number in [0, 1) that depends on the parts only."""
    return int(digest(*parts)[:13], 16) / 16**13


def stable_uuid(*parts: object) -> str:
    """Make a version-4 shaped UUID out of the parts, so that a fresh data folder gives the same ids again."""
    text = digest(*parts)
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) % 4]}{text[17:20]}-{text[20:32]}"


def dice(*parts: object) -> random.Random:
    """Give a generator of chance for drawing, seeded by the parts."""
    return random.Random(int(digest(*parts), 16))  # noqa: S311 - pictures and faults, no secrets
