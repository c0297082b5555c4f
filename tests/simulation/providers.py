"""Three providers in memory, with the bill that the checker reads: what they were asked and what they charged.

They are not the simulator that ships with imagebatch: no server, no pictures, no time but the virtual one. A create is
billed when it is accepted, whether anybody hears of it or not.
"""

import base64
import copy
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from tests.simulation.pictures import drawn
from tests.simulation.virtual_time import VirtualClock
from tests.simulation.weather import CALM, Weather

ORIGIN = "http://127.0.0.1:1"
_TOKEN = re.compile(r"ib-[a-z2-7]{16}")
_OFFERS = 4
_QUOTA = 1000
_PICTURES = "images/preview/"
_ODD_STATUSES = (0, 1, 5, "1", "5")
_OTHER_PEOPLES = (
    {"id": "g-1", "status": 3, "images": [{"id": "g-1-1"}], "name": "a hat", "tags": []},
    {"id": "g-2", "status": 2, "images": [], "name": "a cat", "tags": ["ibl-aaaaaaaaaaaaaaaa", "ib-aaaaaaaaaaaaaaaa"]},
)
Step = Literal["create", "retry", "buy"]


@dataclass(slots=True, kw_only=True)
class Generation:
    """What All-Images.ai knows of one generation; `prompt`, what it was first asked for, decides whether it fails."""

    id: str
    prompt: str
    body: dict[str, Any]
    token: str
    created_at: float
    done_at: float
    attempt: int = 1
    deleted: bool = False

    def tags(self) -> list[str]:
        return [str(tag) for tag in self.body.get("tags", ())]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """One thing that was charged: a create or retry by its token, a purchase by its image."""

    step: Step
    token: str
    what: str = ""


@dataclass(slots=True)
class Reply:
    """An answer."""

    status: int = 200
    json: Any = None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    """Whether it ends before its announced length."""

    def content(self) -> bytes:
        return json.dumps(self.json).encode() if self.json is not None else self.body


@dataclass(slots=True, kw_only=True)
class Ways:
    """How the providers behave."""

    list_lag_s: float = 0.0
    job_s: float = 1.0
    records: bool = True
    """Whether the hub's billing record may be read."""
    links_live_s: float = float("inf")
    weather: Weather = CALM


@dataclass(slots=True)
class Providers:
    """All faces, one bill. `requests` counts what came, by operation."""

    clock: VirtualClock
    random: Random
    ways: Ways = field(default_factory=Ways)
    bills: list[Bill] = field(default_factory=list)
    requests: "Counter[str]" = field(default_factory=Counter)
    generations: dict[str, Generation] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    shown_at: dict[str, float] = field(default_factory=dict)
    calls: list[dict[str, Any]] = field(default_factory=list)
    bought: set[str] = field(default_factory=set)
    asked_for: set[str] = field(default_factory=set)
    """Pictures that were not there, or came in half, the first time."""

    def handle(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Reply:
        """Answer one request."""
        parts = urlsplit(url)
        face, _, path = parts.path.strip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        body = json.loads(content) if content[:1] in {b"{", b"["} else {}
        turned_away = None if self.ways.weather is CALM or path.startswith(_PICTURES) else self._turned_away()
        if face == "studio":
            return turned_away or self._studio(method, path, query, body)
        return self._hub(path, headers, body, turned_away) if face == "hub" else turned_away or self._plain(path, body)

    def _turned_away(self) -> Reply | None:
        """The answer to a request that is not even looked at."""
        if self._befalls(self.ways.weather.busy):
            wait = {"retry-after": str(self.random.randrange(1, 5))} if self.random.random() < 0.5 else {}
            return Reply(429, {"message": "too many requests"}, headers=wait)
        return Reply(503, {"message": "try again"}) if self._befalls(self.ways.weather.down) else None

    def _befalls(self, chance: float) -> bool:
        return chance > 0 and self.random.random() < chance

    def take_over(self, other: "Providers") -> None:
        """Begin with what others know and have charged."""
        self.bills = list(other.bills)
        self.requests = Counter(other.requests)
        self.generations = {name: copy.copy(one) for name, one in other.generations.items()}  # bodies are replaced
        self.images, self.calls, self.bought = dict(other.images), list(other.calls), set(other.bought)
        self.shown_at, self.asked_for = dict(other.shown_at), set(other.asked_for)

    def billed(self) -> "Counter[Bill]":
        """How often each thing was charged."""
        return Counter(self.bills)

    def give_away(self, prompt: str) -> None:
        """Somebody else's generation stands under the id of ours from now on."""
        known = next(one for one in self.generations.values() if one.body["prompt"] == prompt)
        known.body = {"prompt": prompt}

    # All-Images.ai ---------------------------------------------------------------------------------------------------

    def _studio(self, method: str, path: str, query: Mapping[str, str], body: dict[str, Any]) -> Reply:
        first, _, rest = path.partition("/")
        if first == "image-generations":
            return self._prints(method, rest, query, body)
        if path == "images/download":
            return self._download(str(body["id"]))
        if path == "images/buy":
            return self._buy(str(body["id"]))
        if first == "images":
            return self._picture(rest.rpartition("/")[2].removesuffix(".jpg"))
        if path == "credit" and self.ways.weather.balance:
            taken = sum(one.attempt for one in self.generations.values())
            return Reply(200, {"credits": [{"type": "f_images_print", "credit": _QUOTA - taken}]})
        return Reply(404, {"statusCode": 404, "message": f"Cannot {method} /{path}"})

    def _prints(self, method: str, rest: str, query: Mapping[str, str], body: dict[str, Any]) -> Reply:
        if method == "POST" and not rest:
            return self._create(body)
        if method == "POST":
            return self._retry(rest.removeprefix("retry/"))
        if method == "DELETE":
            return self._delete(body["printIds"])
        if method == "PUT":
            return self._update(rest, body)
        return self._get(rest) if rest else self._list(query)

    def _create(self, body: dict[str, Any]) -> Reply:
        self.requests["create"] += 1
        token = next((one for tag in body.get("tags", ()) if (one := _token_in(tag))), "")
        twins = sum(1 for one in self.generations.values() if one.token == token)
        made = Generation(
            id=f"g-{token or len(self.generations)}-{twins + 1}",  # the same in every world that asks for the same
            prompt=str(body["prompt"]),
            body=body,
            token=token,
            created_at=self.clock.now,
            done_at=self.clock.now + self.ways.job_s * (0.5 + self.random.random()),
        )
        self.generations[made.id] = made
        self.bills.append(Bill(step="create", token=token))
        return Reply(201, self._shown(made))

    def _retry(self, name: str) -> Reply:
        self.requests["retry"] += 1
        known = self._known(name)
        if known is None:
            return _unknown(name)
        if self._status(known) != 4:
            return Reply(400, {"statusCode": 400, "message": "only a failed print can be retried"})
        known.attempt += 1
        known.done_at = self.clock.now + self.ways.job_s
        self.bills.append(Bill(step="retry", token=known.token, what=str(known.attempt)))
        return Reply(201, {"id": known.id})

    def _update(self, name: str, body: dict[str, Any]) -> Reply:
        self.requests["update"] += 1
        known = self._known(name)
        if known is None:
            return _unknown(name)
        known.body = {**known.body, **body}
        return Reply(200, {"id": known.id})

    def _delete(self, names: list[str]) -> Reply:
        self.requests["delete"] += 1
        for name in names:
            if name in self.generations:
                self.generations[name].deleted = True
        return Reply(200)

    def _get(self, name: str) -> Reply:
        self.requests["get"] += 1
        known = self._known(name)
        return _unknown(name) if known is None else Reply(200, self._shown(known))

    def _list(self, query: Mapping[str, str]) -> Reply:
        self.requests["list"] += 1
        tag, offset, limit = query.get("tag"), int(query.get("offset", "0")), int(query.get("limit", "20"))
        seen = [
            one
            for one in reversed(self.generations.values())
            if not one.deleted
            and one.created_at + self.ways.list_lag_s <= self.clock.now
            and (tag is None or tag in one.tags())
        ]
        page = [self._shown(one) for one in seen[offset : offset + limit]]
        if self._befalls(self.ways.weather.garbled):
            return Reply(200, {"message": "a list of generations"})
        more: list[dict[str, Any]] = []
        if self._befalls(self.ways.weather.strange):
            more = [*page[:1], *_OTHER_PEOPLES]
        return Reply(200, {"prints": [*more, *page], "filteredResults": len(seen) + len(more)})

    def _download(self, image: str) -> Reply:
        self.requests["buy"] += 1
        if image not in self.images:
            return _unknown(image)
        self._charge(image)
        return Reply(200, body=drawn(f"{self.images[image]} full"))

    def _buy(self, image: str) -> Reply:
        self.requests["buy"] += 1
        if image not in self.images:
            return _unknown(image)
        self._charge(image)
        links = {name: f"{ORIGIN}/studio/images/{name}/{image}.jpg" for name in ("urlFull", "urlUpscale")}
        return Reply(200, {"id": image, **links})

    def _charge(self, image: str) -> None:
        if image not in self.bought:  # documented: once an image
            self.bought.add(image)
            self.bills.append(Bill(step="buy", token="", what=self.images[image]))

    def _picture(self, image: str) -> Reply:
        self.requests["picture"] += 1
        if self.clock.now > self.shown_at.get(image, self.clock.now) + self.ways.links_live_s:
            return Reply(403, {"message": "the link has expired"})
        if image not in self.images:
            return _unknown(image)
        whole = drawn(self.images[image])
        return self._hindered(image, whole) or Reply(200, body=whole)

    def _hindered(self, image: str, whole: bytes) -> Reply | None:
        """What comes in place of a picture in bad weather."""
        if not self._befalls(self.ways.weather.pictures):
            return None
        half = whole[: len(whole) // 2]
        often = (Reply(503), Reply(429, headers={"retry-after": "1"}), Reply(200, body=half, cut=True))
        once = (_unknown(image), Reply(200, body=half)) if image not in self.asked_for else ()
        self.asked_for.add(image)
        found: Reply = self.random.choice((*often, *once))
        return found

    def _known(self, name: str) -> Generation | None:
        known = self.generations.get(name)
        return None if known is None or known.deleted else known

    def _status(self, one: Generation) -> int:
        if self.clock.now < one.done_at:
            return 2
        return 4 if "fails" in one.prompt and one.attempt < 2 and self._is_first(one) else 3

    def _is_first(self, one: Generation) -> bool:
        return next(other for other in self.generations.values() if other.prompt == one.prompt) is one

    def _shown(self, one: Generation) -> dict[str, Any]:
        status = self._status(one)
        images = []
        if status == 3:
            for at in range(1, _OFFERS + 1):
                image = f"{one.id}-{one.attempt}-{at}"
                # A picture's bytes follow from what was asked for, not from who asked first.
                self.images[image] = f"{one.token}/{one.attempt}/{at}"
                self.shown_at[image] = self.clock.now  # whoever asks gets a fresh link
                images.append({"id": image, "url": f"{ORIGIN}/studio/images/preview/{image}.jpg"})
        keys = ("prompt", "name", "tags", "metaData")
        shown = {key: one.body[key] for key in keys if key in one.body}
        if status == 2 and self._befalls(self.ways.weather.odd):
            odd = {} if self.random.random() < 0.05 else {"status": self.random.choice(_ODD_STATUSES)}
            return {"id": one.id, "images": images, **shown, **odd}
        return {"id": one.id, "status": status, "images": images, **shown}

    # Those that answer at once ---------------------------------------------------------------------------------------

    def _hub(self, path: str, headers: Mapping[str, str], body: dict[str, Any], turned_away: Reply | None) -> Reply:
        if path == "api/v2/image/generations":
            self.requests["create"] += 1
            token = headers.get("x-request-id", "")
            turned_away = turned_away or self._picky()
            done = {"status": "success", "credits": 1} if turned_away is None else {"status": "failed", "credits": 0}
            call = {"id": str(len(self.calls) + 1), "requestId": token, "at": self.clock.now, **done}
            self.calls.append(call)
            return turned_away or self._answered_at_once(token, body)
        if path == "api/user/model-calls":
            self.requests["records"] += 1
            return turned_away or self._records()
        return turned_away or Reply(404, {"error": "Not Found"})

    def _records(self) -> Reply:
        weather = self.ways.weather
        if not self.ways.records or self._befalls(weather.closed):
            return Reply(403, {"error": "forbidden"})
        settled = self.clock.now - weather.settles_s
        shown = [
            call if call["at"] <= settled else {**call, "status": "processing", "credits": 0}
            for call in self.calls
            if not self._befalls(weather.missing)
        ]
        return Reply(200, {"list": shown})

    def _plain(self, path: str, body: dict[str, Any]) -> Reply:
        if path != "v1/images/generations":
            return Reply(404, {"error": {"message": "Not Found"}})
        self.requests["create"] += 1
        return self._picky() or self._answered_at_once(f"{body['prompt']}", body)

    def _picky(self) -> Reply | None:
        """The answer to a prompt that is not liked today."""
        refused = Reply(400, {"error": {"message": "this prompt is not understood"}})
        return refused if self._befalls(self.ways.weather.picky) else None

    def _answered_at_once(self, token: str, body: dict[str, Any]) -> Reply:
        self.bills.append(Bill(step="create", token=token))
        names = [f"{token}/{at}" for at in range(1, int(body.get("n", 1)) + 1)]
        return Reply(200, {"data": [{"b64_json": base64.b64encode(drawn(name)).decode()} for name in names]})


def _token_in(text: object) -> str:
    found = _TOKEN.fullmatch(str(text))
    return found[0] if found else ""


def _unknown(name: str) -> Reply:
    return Reply(404, {"statusCode": 404, "message": f"{name} is not known"})
