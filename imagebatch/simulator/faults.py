"""Which request goes wrong, and how: scripted rules first, then the chances of the profile."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Literal

from imagebatch.simulator.chance import SettingError, unit
from imagebatch.simulator.profile import Profile

Then = Literal["", "close", "rst", "hang", "drip", "half", "endless"]
THEN: tuple[Then, ...] = ("", "close", "rst", "hang", "drip", "half", "endless")
PAID = ("create", "retry", "buy", "paid_download")


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What happens to one request.

    Attributes:
        accept: whether the real work is done (and billed); `None` means it is done unless another answer is given.
        delay_s: extra time before the answer, in seconds.
        status, headers, json, body: the answer instead of the real one; `patch` is merged into the real one.
        view: fields laid over generations that this rule matches, in get and list (`status`, `images`, `url`, `titles`,
            or any other field of the shown generation).
        raw: bytes sent as they are instead of an HTTP answer.
        fill: `{prefix, byte, length, suffix}`, a long body that is made while it is sent.
        then: how the connection ends. `half` sends half of the answer, `drip` one byte each `drip_s` seconds.
        corrupt: a fault of the profile that the sender applies to the real answer.
    """

    accept: bool | None = None
    delay_s: float = 0.0
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    has_json: bool = False
    json: Any = None
    patch: Mapping[str, Any] | None = None
    view: Mapping[str, Any] | None = None
    raw: bytes | None = None
    fill: Mapping[str, Any] | None = None
    then: Then = ""
    drip_s: float = 0.7
    corrupt: str = ""

    @property
    def replaces(self) -> bool:
        """Whether another answer takes the place of the real one."""
        return (
            self.status is not None
            or self.body is not None
            or self.has_json
            or self.raw is not None
            or self.fill is not None
        )

    @property
    def works(self) -> bool:
        """Whether the real work is done."""
        if self.accept is not None:
            return self.accept
        return not self.replaces and self.then not in {"close", "rst", "hang"}


NOTHING = Action()


@dataclass(slots=True, kw_only=True)
class Rule:
    """One scripted rule: what it matches, how often it still holds, and what it does."""

    face: str = "*"
    op: str = "*"
    nth: int = 0
    token: str = ""
    prompt: str = ""
    id: str = ""
    path: str = ""
    skip: int = 0
    times: int | None = None
    action: Action = NOTHING
    calls: int = 0
    hits: int = 0

    def matches(self, seen: "Seen") -> bool:
        """Tell whether the rule speaks of this request at all, whatever the count."""
        return (
            self.face in ("*", seen.face)
            and self.op in ("*", seen.op)
            and (not self.token or self.token == seen.token)
            and (not self.prompt or self.prompt in seen.prompt)
            and (not self.id or self.id == seen.id)
            and (not self.path or self.path in seen.path)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a rule or a chance may look at."""

    face: str
    op: str
    token: str = ""
    prompt: str = ""
    id: str = ""
    path: str = ""


@dataclass(slots=True)
class Script:
    """The scripted rules; the first that matches and still holds decides."""

    rules: list[Rule] = field(default_factory=list)

    def decide(self, seen: Seen) -> Action | None:
        """Find the action for a request and count it."""
        chosen: Action | None = None
        for rule in self.rules:
            if rule.action.view is not None or not rule.matches(seen):
                continue
            rule.calls += 1
            if chosen is None and _holds(rule):
                rule.hits += 1
                chosen = rule.action
        return chosen

    def views(self, seen: Seen) -> dict[str, Any]:
        """Merge what rules lay over a generation that is about to be shown."""
        merged: dict[str, Any] = {}
        for rule in self.rules:
            if rule.action.view is None or not rule.matches(seen):
                continue
            rule.calls += 1
            if _holds(rule):
                rule.hits += 1
                merged.update(rule.action.view)
        return merged


def _holds(rule: Rule) -> bool:
    if rule.nth:
        return rule.calls == rule.nth
    return rule.calls > rule.skip and (rule.times is None or rule.hits < rule.times)


def parse_rules(written: object) -> list[Rule]:
    """Read rules from the JSON of `POST /_simulator/script`.

    Raises:
        SettingError: a rule has an unknown key or a wrong value; the text says which.
    """
    items = written if isinstance(written, list) else [written]
    return [_parse_rule(item, index) for index, item in enumerate(items)]


def _parse_rule(item: object, index: int) -> Rule:
    place = f"rule {index + 1}"
    if not isinstance(item, Mapping):
        raise SettingError(f"{place}: a mapping is wanted")
    unknown = set(item) - {"face", "op", "match", "times", "skip", "action"}
    match = item.get("match") or {}
    unknown |= set(match) - {"nth", "token", "prompt", "id", "path"}
    if unknown:
        raise SettingError(f"{place}: unknown {', '.join(sorted(unknown))}")
    op = str(item.get("op", "*"))
    return Rule(
        face=str(item.get("face", "*")),
        op={"get": "poll", "image": "download"}.get(op, op),
        nth=int(match.get("nth", 0)),
        token=str(match.get("token", "")),
        prompt=str(match.get("prompt", "")),
        id=str(match.get("id", "")),
        path=str(match.get("path", "")),
        skip=int(item.get("skip", 0)),
        times=None if item.get("times") is None else int(item["times"]),
        action=parse_action(item.get("action") or {}, place),
    )


def parse_action(written: Mapping[str, Any], place: str = "action") -> Action:
    """Read one action; `*_b64` keys carry bytes."""
    import base64

    known = {
        "accept",
        "delay_s",
        "status",
        "headers",
        "json",
        "body",
        "body_b64",
        "patch",
        "generation",
        "raw",
        "raw_b64",
        "fill",
    }
    known |= {"then", "drip_s"}
    if unknown := set(written) - known:
        raise SettingError(f"{place}: unknown {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}")
    then = str(written.get("then", ""))
    if then not in THEN:
        raise SettingError(f"{place}: then is one of {', '.join(filter(None, THEN))}")
    headers = written.get("headers") or {}
    pairs: Sequence[Any] = list(headers.items()) if isinstance(headers, Mapping) else headers
    data: dict[str, bytes | None] = {}
    for key in ("body", "raw"):
        data[key] = str(written[key]).encode() if key in written else None
        if f"{key}_b64" in written:
            data[key] = base64.b64decode(written[f"{key}_b64"])
    return Action(
        accept=written.get("accept"),
        delay_s=float(written.get("delay_s", 0)),
        status=None if written.get("status") is None else int(written["status"]),
        headers=tuple((str(name), str(value)) for name, value in pairs),
        body=data["body"],
        has_json="json" in written,
        json=written.get("json"),
        patch=written.get("patch"),
        view=written.get("generation"),
        raw=data["raw"],
        fill=written.get("fill"),
        then=next(word for word in THEN if word == then),
        drip_s=float(written.get("drip_s", 0.7)),
    )


class Chances:
    """The faults of a profile, decided by hash of seed, operation, what is asked for and how often it was asked."""

    def __init__(self, profile: Profile) -> None:
        """Start the clock of bursts and storms now."""
        self.profile = profile
        self._started = time.monotonic()
        self._asked: Counter[tuple[str, str, str]] = Counter()
        self._minute: tuple[int, int] = (0, 0)

    def decide(self, seen: Seen) -> Action:
        """Decide what happens to one request."""
        about = seen.token or seen.id or seen.prompt or seen.path
        self._asked[seen.face, seen.op, about] += 1
        draw = (self.profile.seed, seen.face, seen.op, about, self._asked[seen.face, seen.op, about])
        return self._refused(draw, seen) or self._cut(draw) or self._spoilt(draw, seen) or NOTHING

    def spread(self, name: str, *about: object) -> float:
        """Draw a number in [0, 1) for a named setting."""
        return unit(self.profile.seed, name, *about)

    def happens(self, name: str, share: float, *about: object) -> bool:
        """Tell whether a named setting strikes, which it does in `share` of all cases."""
        return share > 0 and self.spread(name, *about) < share

    def _refused(self, draw: tuple[object, ...], seen: Seen) -> Action | None:
        now = time.monotonic() - self._started
        limit, storm = self.profile.rate_limit, self.profile.storm
        if seen.op != "download" and self._over_limit(now):
            return self._too_many(draw, limit.retry_after, 60 - now % 60)
        if limit.every and (now + 0.5 * limit.every) % limit.every < limit.burst and seen.op != "download":
            return self._too_many(draw, limit.retry_after, limit.burst - (now + 0.5 * limit.every) % limit.every)
        if storm.every and (now + 0.5 * storm.every) % storm.every < storm.burst:
            accepted = seen.op in PAID and unit("storm", *draw) < storm.accepted_share
            status = (500, 502, 503, 504)[int(unit("5xx", *draw) * 4)]
            return Action(status=status, accept=accepted, body=b"<html><body>upstream error</body></html>")
        return None

    def _over_limit(self, now: float) -> bool:
        if not self.profile.rate_limit.per_minute:
            return False
        minute, count = self._minute
        count = count + 1 if minute == int(now // 60) else 1
        self._minute = (int(now // 60), count)
        return count > self.profile.rate_limit.per_minute

    @staticmethod
    def _too_many(draw: tuple[object, ...], forms: Sequence[str], wait_s: float) -> Action:
        form = forms[int(unit("retry-after", *draw) * len(forms))] if forms else "absent"
        seconds = max(1, round(wait_s))
        value = {
            "seconds": str(seconds),
            "date": formatdate(time.time() + seconds, usegmt=True),
            "garbage": "soon",
        }.get(form)
        headers = (("retry-after", value),) if value else ()
        error = {"message": "Too Many Requests", "type": "requests", "param": None, "code": "rate_limit_exceeded"}
        body = {"statusCode": 429, "message": "ThrottlerException: Too Many Requests", "error": error}
        return Action(status=429, headers=headers, has_json=True, json=body, accept=False)

    def _cut(self, draw: tuple[object, ...]) -> Action | None:
        drop, at = self.profile.drop, unit("drop", *draw)
        ends: Then = "rst" if unit("rst", *draw) < 0.5 else "close"
        if at < drop.before_accept:
            return Action(accept=False, then=ends)
        if at < drop.before_accept + drop.after_accept:
            return Action(accept=True, then=ends)
        if at < drop.before_accept + drop.after_accept + drop.half_body:
            return Action(accept=True, then="half")
        if at < drop.before_accept + drop.after_accept + drop.half_body + drop.rst:
            return Action(accept=unit("landed", *draw) < 0.5, then="rst")
        return None

    def _spoilt(self, draw: tuple[object, ...], seen: Seen) -> Action | None:
        at = unit("spoilt", *draw)
        if seen.op == "download":
            images = self.profile.images
            kinds = [("html_200", images.html_200), ("truncated", images.truncated), ("wrong_type", images.wrong_type)]
            kinds += [("bomb", images.bomb), ("expired", images.expired)]
        else:
            kinds = [("duplicate_keys", self.profile.json.duplicate_keys), ("deep", self.profile.json.deep)]
        for kind, share in kinds:
            if at < share:
                return Action(corrupt=kind)
            at -= share
        return None
