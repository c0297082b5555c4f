"""Profiles: how slow, lossy or hostile the simulated providers are, by name or from a YAML file."""

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagebatch.simulator.chance import SettingError, Spread, parse_seconds, parse_share, parse_spread
from imagebatch.simulator.loose import Loose


class Share(float):
    """A share between 0 and 1, written as `2%` or `0.02`."""


class Seconds(float):
    """A number of seconds, written as `80ms` or `2min`."""


_USUAL_DISTANCE = "10min"
_AT_ONCE, _NEVER, _NO_TIME, _AN_HOUR = Spread(), Share(0), Seconds(0), Seconds(3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Time before an answer starts, by operation."""

    create: Spread = _AT_ONCE
    poll: Spread = _AT_ONCE
    list: Spread = _AT_ONCE
    image: Spread = _AT_ONCE
    other: Spread = _AT_ONCE


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTime:
    """Time a generation takes, the shares that get stuck, fail or show status 5, and how long hub creates are held."""

    fast: Spread = _AT_ONCE
    relax: Spread = _AT_ONCE
    stuck: Share = _NEVER
    fail: Share = _NEVER
    unnamed: Share = _NEVER
    hold: Spread = _AT_ONCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Shares of requests whose connection is cut; `rst` cuts by reset instead of a close."""

    before_accept: Share = _NEVER
    after_accept: Share = _NEVER
    half_body: Share = _NEVER
    rst: Share = _NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """429: bursts by the clock, a real limit per minute, and the form of `Retry-After` (chosen by chance)."""

    burst: Seconds = _NO_TIME
    every: Seconds = _NO_TIME
    per_minute: int = 0
    retry_after: tuple[str, ...] = ("seconds",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """5xx storms by the clock; `accepted_share` of the creates in a storm were accepted and billed all the same."""

    burst: Seconds = _NO_TIME
    every: Seconds = _NO_TIME
    accepted_share: Share = _NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """How truthful `GET /image-generations` is."""

    lag: Spread = _AT_ONCE
    ignores_filter: Share = _NEVER
    duplicates: Share = _NEVER
    page_shift: bool = False
    offset_ignored: bool = False
    endless: bool = False
    default_limit: int = 20
    max_limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Faults of picture addresses and bytes; `count` maps a number of images to its share of generations."""

    expired: Share = _NEVER
    html_200: Share = _NEVER
    truncated: Share = _NEVER
    wrong_type: Share = _NEVER
    bomb: Share = _NEVER
    free: Share = _NEVER
    count: Mapping[str, Share] = field(default_factory=dict)
    lifetime: Seconds = _AN_HOUR
    malformed_url: Share = _NEVER
    http_url: Share = _NEVER
    full_without_buying: bool = False
    identical: bool = False
    detail: float = 1.0
    premade: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLedger:
    """The hub's own record of model calls: how long a row says `processing`, and the share never written."""

    processing: Spread = _AT_ONCE
    missing: Share = _NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Json:
    """Faults of JSON bodies."""

    duplicate_keys: Share = _NEVER
    echo_key_in_error: Share = _NEVER
    deep: Share = _NEVER
    message_as_string: Share = _NEVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Answers the documents leave open, and prices."""

    dialect: str = "any"
    create_status: int = 200
    illegal_status: int = 400
    unknown_status: int = 404
    strict_params: bool = False
    retired_models: str = "openai"
    n_honoured: str = "by-model"
    null_credits: bool = False
    print_quota: int = 100_000
    image_credits: int = 10_000
    hub_credits: int = 100_000
    print_price: int = 1
    buy_price: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """All settings of one simulator; the same seed and the same requests give the same faults."""

    name: str = "custom"
    seed: int = 1
    latency: Latency = Latency()
    job_time: JobTime = JobTime()
    drop: Drop = Drop()
    rate_limit: RateLimit = RateLimit()
    storm: Storm = Storm()
    list: Listing = Listing()
    images: Images = field(default_factory=Images)
    ledger: CallLedger = CallLedger()
    json: Json = Json()
    rules: Rules = Rules()


_QUICK: dict[str, Any] = {"latency": {}, "job_time": {"fast": "50ms", "relax": "100ms"}, "images": {"detail": 0.25}}
_CALM: dict[str, Any] = {
    "latency": {
        "create": "60ms..140ms",
        "poll": "20ms..40ms",
        "list": "30ms..60ms",
        "image": "30ms..80ms",
        "other": "20ms",
    },
    "job_time": {"fast": "0.9s..1.9s", "relax": "2s..4s", "hold": "0.5s..1.3s"},
}
_LOSSY: dict[str, Any] = {"drop": {"before_accept": "3%", "after_accept": "3%", "half_body": "2%", "rst": "1%"}}
_STORM: dict[str, Any] = {"storm": {"burst": "3s", "every": "10s", "accepted_share": "50%"}}
_STALE: dict[str, Any] = {"list": {"lag": "0..10s", "ignores_filter": "5%", "duplicates": "10%", "page_shift": True}}
_EXPIRING: dict[str, Any] = {"images": {"expired": "20%", "html_200": "5%", "lifetime": "5s"}}
_LYING: dict[str, Any] = {
    "images": {"truncated": "5%", "wrong_type": "5%", "html_200": "3%", "count": {"3": "5%", "5": "3%"}},
    "job_time": {"fail": "5%", "unnamed": "2%"},
    "ledger": {"processing": "0..30s", "missing": "5%"},
    "json": {"message_as_string": "50%"},
}
_HOSTILE: dict[str, Any] = {
    "images": {"bomb": "5%", "html_200": "5%", "wrong_type": "5%", "malformed_url": "5%", "http_url": "5%"},
    "json": {"duplicate_keys": "3%", "echo_key_in_error": "100%", "deep": "2%"},
}
_LIMITED: dict[str, Any] = {
    "rate_limit": {
        "burst": "2s",
        "every": "10s",
        "per_minute": 1200,
        "retry_after": ["seconds", "date", "absent", "garbage"],
    }
}
NAMED: dict[str, tuple[dict[str, Any], ...]] = {
    "fast": (_QUICK,),
    "bench": (
        {
            "latency": dict.fromkeys(("create", "poll", "list", "image", "other"), "300ms"),
            "images": {"premade": True},
            "list": {"max_limit": 1000},
            "rules": {"print_quota": 10_000_000, "image_credits": 10_000_000, "hub_credits": 10_000_000},
        },
    ),
    "calm": (_CALM,),
    "slow": (
        {
            "latency": {"create": "lognormal(p50=1.2s, p99=20s)", "poll": "80ms", "list": "150ms", "image": "1.5s"},
            "job_time": {"relax": "lognormal(p50=90s, p99=900s)", "fast": "30s", "hold": "20s..60s", "stuck": "0.5%"},
        },
    ),
    "lossy": (_QUICK, _LOSSY),
    "storm": (_QUICK, _STORM),
    "stale": (_QUICK, _STALE),
    "expiring": (_QUICK, _EXPIRING),
    "lying": (_QUICK, _LYING),
    "hostile": (_QUICK, _HOSTILE),
    "rate-limited": (_QUICK, _LIMITED),
    "mixed": (
        _CALM,
        {
            "drop": {"before_accept": "1%", "after_accept": "1%", "half_body": "0.5%", "rst": "0.5%"},
            "storm": {"burst": "1s", "every": "30s", "accepted_share": "50%"},
            "rate_limit": {"burst": "1s", "every": "20s", "retry_after": ["seconds", "date", "absent", "garbage"]},
            "list": {"lag": "0..2s", "duplicates": "1%", "page_shift": True},
            "images": {
                "expired": "2%",
                "html_200": "1%",
                "truncated": "2%",
                "wrong_type": "1%",
                "count": {"3": "1%", "5": "0.5%"},
            },
        },
    ),
}


def load_profile(profile: str | Path) -> Profile:
    """Give the profile of that name, or read it from a YAML file.

    Args:
        profile: one of the names in `NAMED`, or the path of a YAML file, whose key `extends`
            names a profile to start from.

    Raises:
        SettingError: the name is not known, the file cannot be read, or a setting is wrong.
    """
    name = str(profile)
    if name in NAMED:
        return _build(name, NAMED[name])
    path = Path(profile)
    if not path.is_file():
        raise SettingError(f"no profile is called {name!r} and no such file exists; names: {', '.join(sorted(NAMED))}")
    import yaml

    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise SettingError(f"{path}: not readable as YAML: {error}") from error
    if not isinstance(settings, dict):
        raise SettingError(f"{path}: a profile is a mapping of settings")
    base = str(settings.pop("extends", "fast"))
    if base not in NAMED:
        raise SettingError(f"{path}: extends names no profile; names: {', '.join(sorted(NAMED))}")
    return _build(path.stem, (*NAMED[base], settings))


def merge_settings(profile: Profile, settings: Mapping[str, Any]) -> Profile:
    """Lay `settings` (the form of a profile file) over a profile."""
    built: Profile = _overlay(profile, _by_our_names(settings), "profile")
    return built


def _by_our_names(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take 429s and 5xx below `status`, and the hub's ledger in minutes, as the settings that they stand for."""
    found = {str(key): value for key, value in settings.items()}
    told = found.pop("status", {})
    if not isinstance(told, Mapping):
        raise SettingError('profile.status: a mapping is wanted, with "429" or "5xx" in it')
    by_status = {str(key): value for key, value in told.items()}
    for status, word, name in (("429", "bursts", "rate_limit"), ("5xx", "storms", "storm")):
        if status in by_status:
            place = f"profile.status.{status}"
            found[name] = {**found.get(name, {}), **_by_the_clock(by_status.pop(status), word, place)}
    if by_status:
        raise SettingError(f'profile.status.{next(iter(by_status))}: only "429" and "5xx" are known here')
    ledger = found.get("ledger")
    if isinstance(ledger, Mapping) and "processing_minutes" in ledger:
        rest = {key: value for key, value in ledger.items() if key != "processing_minutes"}
        found["ledger"] = {**rest, "processing": f"{ledger['processing_minutes']}min"}
    return found


def _by_the_clock(value: Loose, word: str, place: str) -> dict[str, Any]:
    """Read `60s every 10min` below `word` as a burst and its distance."""
    if not isinstance(value, Mapping):
        raise SettingError(f"{place}: a mapping of settings is wanted, not {value!r}")
    found = dict(value)
    if word in found:
        burst, _, every = str(found.pop(word)).partition(" every ")
        found |= {"burst": burst, "every": every or _USUAL_DISTANCE}
    return found


def _build(name: str, layers: tuple[Mapping[str, Any], ...]) -> Profile:
    profile = Profile(name=name)
    for layer in layers:
        profile = merge_settings(profile, layer)
    return profile


def _overlay(target: Loose, settings: Mapping[str, Any], place: str) -> Loose:
    hints = typing.get_type_hints(type(target))
    changes: dict[str, Any] = {}
    for key, value in settings.items():
        if key not in hints:
            raise SettingError(f"{place}.{key}: no such setting; known here: {', '.join(sorted(hints))}")
        current = getattr(target, key)
        changes[key] = _read(value, hints[key], current, f"{place}.{key}")
    return dataclasses.replace(target, **changes)


def _read(value: Loose, kind: Loose, current: Loose, place: str) -> Loose:
    if dataclasses.is_dataclass(current) and not isinstance(current, Spread):
        if not isinstance(value, Mapping):
            raise SettingError(f"{place}: a mapping of settings is wanted, not {value!r}")
        return _overlay(current, value, place)
    try:
        return _scalar(value, kind)
    except (SettingError, TypeError, ValueError) as error:
        raise SettingError(f"{place}: {error}") from error


def _scalar(value: Loose, kind: Loose) -> Loose:
    if kind is Spread:
        return parse_spread(value)
    if kind is Share:
        return Share(parse_share(value))
    if kind is Seconds:
        return Seconds(parse_seconds(value))
    if kind is bool:
        if not isinstance(value, bool):
            raise SettingError(f"true or false is wanted, not {value!r}")
        return value
    if kind in (int, float, str):
        return kind(value)
    if isinstance(value, Mapping):
        return {str(key): Share(parse_share(share)) for key, share in value.items()}
    return tuple(str(item) for item in ([value] if isinstance(value, str) else value))
