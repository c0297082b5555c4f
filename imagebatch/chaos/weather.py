"""The simulator's named profiles with their clocks quickened: a batch of seconds meets what an hour's would. Pure."""

from collections.abc import Mapping
from typing import Final

# What is drawn is small, and no picture takes longer than a run has. One that never ends (stuck, or in a state that no
# document names) is waited for in each run up to the deadline: it would take hours, and prove nothing about money.
_QUICK: Final = "job_time: {fast: 0.1s..0.4s, relax: 0.1s..0.4s, hold: 0.1s..0.4s, stuck: 0, unnamed: 0"
_WEATHER: Final[Mapping[str, tuple[str, str]]] = {
    "calm": ("", ""),
    "slow": ("", "latency: {create: 0.1s..1s, poll: 80ms, list: 150ms, image: 0.3s}\n"),
    "lossy": ("", "drop: {before_accept: 12%, after_accept: 15%, half_body: 8%, rst: 5%}\n"),
    "storm": ("", "storm: {burst: 0.4s, every: 1s, accepted_share: 50%}\n"),
    "stale": ("", "list: {lag: 0..0.7s, ignores_filter: 5%, duplicates: 10%, page_shift: true}\n"),
    "expiring": ("", ""),
    "lying": (", fail: 10%", "ledger: {processing: 0..0.3s, missing: 5%}\n"),
    "hostile": ("", ""),
    "rate-limited": ("", "rate_limit: {burst: 0.5s, every: 1.5s}\n"),
    "mixed": (
        "",
        (
            "drop: {before_accept: 4%, after_accept: 4%, half_body: 2%, rst: 2%}\n"
            "storm: {burst: 0.2s, every: 2s, accepted_share: 50%}\n"
            "rate_limit: {burst: 0.2s, every: 2s}\n"
            "list: {lag: 0..0.3s, duplicates: 1%, page_shift: true}\n"
        ),
    ),
}
PROFILES: Final = tuple(_WEATHER)
AFTERWARDS: Final = "fast"
# Longer than any listing above lags: absence proves nothing before.
WINDOW_S: Final = 1.0
_OTHER_PICTURES: Final = frozenset({"lying", "mixed"})


def profile_text(name: str, *, seed: int) -> str:
    """A profile's file for the simulator; `name` is one of `PROFILES` or `fast`, the good weather after each run."""
    times, more = _WEATHER.get(name, ("", ""))
    return f"extends: {name}\nseed: {seed}\nimages: {{detail: 0.05}}\n{_QUICK}{times}}}\n{more}"


def yardstick(name: str) -> str:
    """The profile of the undisturbed run that a disturbed one is compared with: what lies about its pictures is
    compared with its own lies, everything else with good weather."""
    return name if name in _OTHER_PICTURES else AFTERWARDS
