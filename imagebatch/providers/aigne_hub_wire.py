"""AIGNE Hub on the wire: its routes, the bodies each of them takes, discovery, balance and billing records; all pure.

The documented path does not exist on the servers whose source is public; those serve others (hub 0.9.13 and its
rewrite as a worker, both of April 2026). So a route is a dialect and a mount, and which one answers has to be found.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from imagebatch.model.canonical import Json
from imagebatch.model.money import CREDIT, Money, sound_money
from imagebatch.model.wire import Answer, BadAnswer, Call, parse_json
from imagebatch.providers import images_params, images_wire
from imagebatch.providers.answers import clean_text, read_error, read_json, safe_id
from imagebatch.providers.base import BillingRecord, Order, ReferenceImage

COMPONENT = "z8ia3xzq2tMq8CRHfaXj1BTYJyYnEcHbqP8cJ"
RECORDS_A_PAGE = 100
_AGENT = "$CHAT_MODEL"
_HEADERS = {"accept": "application/json"}
# Credits a token, as the hubs that were looked at have it (aigne-hub.md 7).
_INPUT_RATE = Decimal("0.000005")
_READ_TIMEOUT_S = 30.0
_LIST_LIMIT = 8 * 1024 * 1024

Dialect: TypeAlias = Literal["documented", "hub", "worker", "native", "native-worker"]
# The worker serves the hub's path too, and passes what only the hub knows (`outputFileType`) on to OpenAI, which
# refuses it; the hub has no page at the worker's path. So the worker's own path is tried first.
GENERATIONS: tuple[Dialect, ...] = ("documented", "worker", "hub")
EDITS: tuple[Dialect, ...] = ("native", "native-worker", "documented")
EDITS_OF: Mapping[str, tuple[Dialect, ...]] = {
    "documented": ("documented",), "hub": ("native",), "worker": ("native-worker",),
}  # fmt: skip
_PATHS: Mapping[Dialect, str] = {
    "documented": "/api/images/generations",
    "hub": "/api/v2/image/generations",
    "worker": "/api/v2/images/generations",
    "native": "/api/v2/image",
    "native-worker": "/api/v2/image",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where creates go: how the server speaks, and where below the base address it is mounted."""

    dialect: Dialect
    mount: str

    @property
    def path(self) -> str:
        """The path of a create."""
        return self.mount + _PATHS[self.dialect]

    def __str__(self) -> str:
        return f"{self.dialect} {self.mount or '/'}"


def parse_route(text: str | None) -> Route | None:
    """A remembered route; None where nothing, or nothing sensible, was remembered."""
    dialect, _, mount = (text or "").partition(" ")
    found = next((known for known in _PATHS if known == dialect), None)
    plain = _safe_mount(mount)
    if found is None or (plain or "/") != mount:
        return None
    return Route(dialect=found, mount=plain)


def routes(dialects: Sequence[Dialect], mounts: Sequence[str]) -> tuple[Route, ...]:
    """All routes to try, the likelier mount first."""
    return tuple(Route(dialect=dialect, mount=mount) for mount in dict.fromkeys(mounts) for dialect in dialects)


def build_create(route: Route, order: Order, *, base64_asked: bool, timeout_s: float) -> Call:
    """A create in the route's own form; `X-Request-ID` carries our token into the hub's billing record."""
    if route.dialect in {"native", "native-worker"}:
        body = _native_body(route, order)
    else:
        body = _compat_body(route, order, base64_asked=base64_asked)
    return Call(
        kind="create", operation="create", method="POST", path=route.path, json=body,
        headers={**_HEADERS, "x-request-id": order.token}, limit_bytes=images_wire.ANSWER_LIMIT, timeout_s=timeout_s,
    )  # fmt: skip


def takes_response_format(route: Route, order: Order) -> bool:
    """Whether `response_format` is worth sending: by the document, and by a worker for models that know it."""
    model = images_params.bare_model(str(order.body.get("model", "")), hub=True)
    return route.dialect == "documented" or (route.dialect == "worker" and not model.startswith("gpt-image"))


def _compat_body(route: Route, order: Order, *, base64_asked: bool) -> dict[str, Json]:
    fields = images_wire.request_fields(order)
    if route.dialect == "hub":
        fields["outputFileType"] = "file"
    elif base64_asked:
        fields["response_format"] = "b64_json"
    if order.references:
        fields["image"] = [data_url(reference) for reference in order.references]
    return fields


def _native_body(route: Route, order: Order) -> dict[str, Json]:
    fields = images_wire.request_fields(order)
    model = fields.pop("model", None)
    images: list[Json] = [
        {
            "type": "file",
            "data": base64.b64encode(reference.content).decode("ascii"),
            "mimeType": reference.media_type,
            "filename": reference.filename,
        }
        for reference in order.references
    ]
    inner: dict[str, Json] = {**fields, "outputFileType": "file", "modelOptions": {"model": model}}
    if images:
        inner["image"] = images
    # The hub wants an agent and takes the model from modelOptions; the worker takes the agent for the model.
    return {"input": inner, "agent": model if route.dialect == "native-worker" else _AGENT}


def data_url(reference: ReferenceImage) -> str:
    """A reference image as the documented `image` field takes it."""
    return f"data:{reference.media_type};base64,{base64.b64encode(reference.content).decode('ascii')}"


def is_elsewhere(answer: Answer, route: Route) -> bool:
    """Whether the answer says that this route is not the server's: its own page for unknown paths, or our agent's name.

    A 404 about a model or a credential is an answer of the right route.
    """
    if images_wire.is_missing_route(answer):
        return True
    return route.dialect == "native" and answer.status == 404 and _AGENT in read_error(answer).message


def proves_route(answer: Answer) -> bool:
    """Whether an answer could only come from the image route itself: pictures, or a JSON error about the request."""
    if answer.status in {200, 201, 400, 402, 404, 413, 422}:
        try:
            return isinstance(parse_json(answer.body), Mapping)
        except BadAnswer:
            return False
    return False


def build_discovery() -> Call:
    """Ask the platform which components are mounted where."""
    return Call(
        kind="read", operation="discover", method="GET", path="/__blocklet__.js", query={"type": "json"},
        headers=_HEADERS, timeout_s=_READ_TIMEOUT_S,
    )  # fmt: skip


def parse_discovery(answer: Answer) -> str:
    """The hub's mount below the base address, empty where the platform does not tell one."""
    if not 200 <= answer.status <= 299:
        return ""
    try:
        value = parse_json(answer.body)
    except BadAnswer:
        return ""
    points = value.get("componentMountPoints") if isinstance(value, Mapping) else None
    for point in points if isinstance(points, Sequence) and not isinstance(points, str) else ():
        if isinstance(point, Mapping) and point.get("did") == COMPONENT:
            mount = point.get("mountPoint")
            return _safe_mount(mount) if isinstance(mount, str) else ""
    return ""


def below(base_url: str | None, mount: str) -> str:
    """A discovered mount below the base address: empty where that ends with it (`https://www.aikit.rocks/ai-kit`)."""
    return "" if mount and urlsplit(base_url or "").path.rstrip("/").endswith(mount) else mount


def _safe_mount(mount: str) -> str:
    parts = [part for part in mount.strip().split("/") if part]
    if len(mount) > 200 or any(safe_id(part) is None for part in parts):
        return ""
    return "".join(f"/{part}" for part in parts)


def credits_of(value: Mapping[str, Json]) -> Money | None:
    """What the hub says it charged: `usage.aigneHubCredits`; null and everything else that is no amount is unknown."""
    usage = value.get("usage")
    told = usage.get("aigneHubCredits") if isinstance(usage, Mapping) else None
    return _credits(told)


def input_credits_of(value: Mapping[str, Json]) -> Money | None:
    """What of the charge stands for the prompt's tokens, which the native route bills beside the picture."""
    usage = value.get("usage")
    told = usage.get("inputTokens") if isinstance(usage, Mapping) else None
    if isinstance(told, bool) or not isinstance(told, int) or not 0 <= told < 10**9:
        return None
    return Money(amount=told * _INPUT_RATE, currency=CREDIT)


def build_quota(mount: str) -> Call:
    """Ask for the balance in plain numbers."""
    return Call(
        kind="read", operation="check", method="GET", path=f"{mount}/api/usage/quota", headers=_HEADERS,
        timeout_s=_READ_TIMEOUT_S,
    )  # fmt: skip


def parse_quota(answer: Answer) -> dict[str, str | None]:
    """What is left, in credits. The hub answers unknown GET paths with its web page, which is no balance.

    Raises BadAnswer or Unreachable.
    """
    value = read_json(answer, "the balance")
    left = _credits(value.get("remaining")) if isinstance(value, Mapping) else None
    if left is None:
        raise BadAnswer("the balance has no readable `remaining`")
    return {"credits": f"{left.amount:f}"}


def credits_left(balances: Mapping[str, str | None]) -> Money:
    """What a create can be paid with."""
    return Money(amount=Decimal(balances["credits"] or 0), currency=CREDIT)


def build_records(mount: str, page: int) -> Call:
    """One page of the account's own model calls, newest first."""
    return Call(
        kind="read", operation="records", method="GET", path=f"{mount}/api/user/model-calls",
        query={"page": str(page), "pageSize": str(RECORDS_A_PAGE)}, headers=_HEADERS,
        limit_bytes=_LIST_LIMIT, timeout_s=_READ_TIMEOUT_S,
    )  # fmt: skip


def parse_records(answer: Answer, token: str) -> tuple[BillingRecord | None, bool]:
    """The record that carries our token, if this page has it, and whether there may be another page.

    Of several rows with one token a charged one counts, then one that still runs.
    """
    value = read_json(answer, "the model calls")
    rows = value.get("list") if isinstance(value, Mapping) else None
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        raise BadAnswer("the model calls have no list")
    found = [record for row in rows if (record := _record(row, token)) is not None]
    order = ("success", "processing", "failed")
    best = min(found, key=lambda record: order.index(record.state), default=None)
    return best, len(rows) >= RECORDS_A_PAGE


def _record(row: Json, token: str) -> BillingRecord | None:
    if not isinstance(row, Mapping) or row.get("requestId") != token:
        return None
    status = row.get("status")
    known: Mapping[str, Literal["processing", "success", "failed"]] = {"success": "success", "failed": "failed"}
    name = row.get("id")
    return BillingRecord(
        id=clean_text(str(name), 200) if isinstance(name, str | int) else "",
        state=known.get(status, "processing") if isinstance(status, str) else "processing",
        cost=_credits(row.get("credits")),
    )


def _credits(value: Json) -> Money | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return sound_money(Money(amount=amount, currency=CREDIT))
