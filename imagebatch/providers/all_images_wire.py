"""All-Images.ai on the wire: calls built and answers read, by the documented API of 2025; all pure.

The provider calls a generation a *print*. Quirks that are handled here: `filteredResults` documented as an object and
sent as an integer, statuses as text, `.aiv1/` glued into addresses, `http` links to its own host, error messages as
text or list, deletes that answer 200 whatever the ids, and generations that carry no reason for their failure.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias, TypeGuard

from imagebatch.model.canonical import Json
from imagebatch.model.generation import Failure, Resolution
from imagebatch.model.token import TOKEN_PATTERN
from imagebatch.model.wire import Answer, BadAnswer, Call, parse_json
from imagebatch.providers.answers import (
    ErrorText,
    classify_create,
    clean_text,
    error_in,
    path_id,
    read_error,
    read_json,
    refusal,
    refusal_in_success,
    require_success,
    safe_id,
    speaks_of_moderation,
)
from imagebatch.providers.base import Accepted, Observation, Offer, Order, Page, Refused, Submission, Unclear

_PRINTS = "/image-generations"
READ_TIMEOUT_S = 30.0
_PICTURE_LIMIT = 64 * 1024 * 1024
_LIST_LIMIT = 16 * 1024 * 1024

_OWN_HOST = r"(https?)://((?:[a-z0-9-]+\.)*all-images\.ai)"
_GLUED = re.compile(rf"{_OWN_HOST}v1/", re.IGNORECASE)
_INSECURE = re.compile(rf"{_OWN_HOST}(?::80)?/", re.IGNORECASE)

_DONE, _ERROR = 3, 4
_State: TypeAlias = Literal["pending", "succeeded", "failed", "blocked"]
_LINKS: Mapping[Resolution, str] = {
    "preview": "url", "full": "urlFull", "upscale": "urlUpscale", "uhd": "urlUpscaleUHD",
}  # fmt: skip


def build_create(order: Order, *, timeout_s: float) -> Call:
    """The create of one generation, with our token in `tags`, `name` and `metaData`."""
    body = {**_request(order), **_labels(order)}
    return Call(kind="create", operation="create", method="POST", path=_PRINTS, json=body, timeout_s=timeout_s)


def parse_create(answer: Answer) -> Submission:
    """What a create's answer means; only an id in a 2xx proves that the provider took the request."""
    if classify_create(answer.status) != "accepted":
        return refusal(answer)
    try:
        value = parse_json(answer.body)
    except BadAnswer as fault:
        return Unclear(why=f"answered {answer.status}, but {fault}")
    generation = safe_id(value.get("id")) if isinstance(value, Mapping) else None
    if generation is None:
        absent = not isinstance(value, Mapping) or value.get("id") is None
        refused = refusal_in_success(value) if absent else None
        return refused or Unclear(why=f"answered {answer.status} without a usable id")
    try:
        return Accepted(generation=generation, observation=parse_generation(value, base=None))
    except BadAnswer:
        return Accepted(generation=generation)


def build_get(generation: str) -> Call:
    """Ask about one generation."""
    return read_call("get", f"{_PRINTS}/{path_id(generation)}")


def parse_get(answer: Answer, generation: str, *, base: str | None) -> Observation | None:
    """The generation that was asked for; None where the provider does not know it.

    Raises BadAnswer for another one, Unreachable where asking later may help.
    """
    if answer.status in {404, 410}:
        return None
    seen = parse_generation(read_json(answer, f"generation {generation}"), base=base)
    if seen.generation != generation:
        raise BadAnswer(f"asked for {generation}, got {seen.generation}")
    return seen


def build_list(tag: str | None, offset: int, limit: int) -> Call:
    """One page of generations, by tag. Sort order is undocumented, so none is asked for."""
    query = {"limit": str(limit), "offset": str(offset)} | ({"tag": tag} if tag else {})
    return Call(
        kind="read", operation="list", method="GET", path=_PRINTS, query=query,
        limit_bytes=_LIST_LIMIT, timeout_s=READ_TIMEOUT_S,
    )  # fmt: skip


Seen: TypeAlias = Mapping[str, tuple[Json, Observation]]
"""Generations of a page by their id: as they stood there, and what that said."""


def parse_list(answer: Answer, *, base: str | None, seen: Seen | None = None) -> tuple[Page, Seen]:
    """One page; `filteredResults` is the number of all matches, whatever the page holds.

    `seen` is what the call before gave: a run asks for the same end of a listing again and again, and what stands there
    as it did is not read anew.
    """
    value = read_json(answer, "the list of generations")
    prints = value.get("prints") if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or not is_list(prints):
        raise BadAnswer("the list of generations has no prints")
    read = [(item, _seen_before(item, seen or {}) or parse_generation(item, base=base)) for item in prints]
    page = Page(observations=tuple(one for _, one in read), total=_number(value.get("filteredResults")))
    return page, {one.generation: (item, one) for item, one in read}


def _seen_before(item: Json, seen: Seen) -> Observation | None:
    name = item.get("id") if isinstance(item, dict) else None
    before = seen.get(name) if isinstance(name, str) else None
    return before[1] if before is not None and before[0] == item else None


def build_update(generation: str, order: Order, *, request: bool) -> Call:
    """Change labels and, with `request`, what is drawn; parts that the request no longer has are emptied by name."""
    body = _labels(order)
    if request:
        empty: dict[str, Json] = {"additionalPrompt": "", "optimizePrompt": False, "params": []}
        body = {**empty, **_request(order), **body}
    path = f"{_PRINTS}/{path_id(generation)}"
    return Call(kind="change", operation="update", method="PUT", path=path, json=body, timeout_s=READ_TIMEOUT_S)


def parse_change(answer: Answer, what: str) -> Refused | None:
    """The refusal of an update, None where it was done; raises Unreachable where nobody can tell."""
    if answer.status == 404:
        return Refused(failure=_gone(answer, what))
    found = refusal(answer) if classify_create(answer.status) in {"refused", "wait", "redirect"} else None
    if isinstance(found, Refused):
        return found
    require_success(answer, what)
    return None


def build_retry(generation: str, *, timeout_s: float) -> Call:
    """Start a failed generation again; a paid step, so it is sent as a create is."""
    path = f"{_PRINTS}/retry/{path_id(generation)}"
    return Call(kind="create", operation="retry", method="POST", path=path, timeout_s=timeout_s)


def parse_retry(answer: Answer, generation: str) -> Accepted | Refused | Unclear:
    """What a retry's answer means; its body is undocumented, so a 2xx is enough unless it names another generation."""
    if answer.status == 404:
        return Refused(failure=_gone(answer, f"generation {generation}"))
    if classify_create(answer.status) != "accepted":
        return refusal(answer)
    try:
        value = parse_json(answer.body)
    except BadAnswer:
        return Accepted(generation=generation)
    refused = refusal_in_success(value)
    if refused is not None:
        return refused
    named = safe_id(value.get("id")) if isinstance(value, Mapping) else None
    if named is not None and named != generation:
        return Unclear(why=f"asked to restart {generation}, answered with {named}")
    return Accepted(generation=generation)


def build_delete(generations: Sequence[str]) -> Call:
    """Delete by a list of ids in a JSON body; an empty list must never leave the machine.

    Raises ValueError for an empty list.
    """
    if not generations:
        raise ValueError("a delete needs at least one id")
    body: dict[str, Json] = {"printIds": [path_id(generation) for generation in generations]}
    return Call(kind="change", operation="delete", method="DELETE", path=_PRINTS, json=body, timeout_s=READ_TIMEOUT_S)


def build_buy(candidate: str) -> Call:
    """Buy one image; the answer holds public links. Billed once an image, so a lost answer may be repeated."""
    body: dict[str, Json] = {"id": path_id(candidate)}
    return Call(kind="buy", operation="buy", method="POST", path="/images/buy", json=body, timeout_s=READ_TIMEOUT_S)


def parse_buy(answer: Answer, candidate: str, resolution: Resolution) -> Offer | Refused:
    """The link to the bought image, or an offer without one where it was bought; Refused where it was not sold."""
    refused = _not_sold(answer, candidate)
    if refused is not None:
        return refused
    value = read_json(answer, f"buying image {candidate}")
    if not isinstance(value, Mapping):
        raise BadAnswer(f"buying image {candidate}: the answer is no object")
    named = safe_id(value.get("id"))
    if named is not None and named != candidate:
        raise BadAnswer(f"asked for image {candidate}, got {named}")
    not_sold = refusal_in_success(value)
    if not_sold is not None:
        return not_sold
    url = repair_url(value.get(_LINKS[resolution]))
    if url is None and named is None:
        raise BadAnswer(f"buying image {candidate}: the answer names neither the image nor its {_LINKS[resolution]}")
    # One link is documented as optional. An answer that names the image sold it, and asking for it again is free.
    return Offer(id=candidate, url=url)


def build_download(candidate: str) -> Call:
    """Buy one image in full size and get its bytes in the answer; billed once an image, like `build_buy`."""
    body: dict[str, Json] = {"id": path_id(candidate)}
    return Call(
        kind="buy", operation="download", method="POST", path="/images/download", json=body,
        limit_bytes=_PICTURE_LIMIT, timeout_s=120.0,
    )  # fmt: skip


def parse_download(answer: Answer, candidate: str) -> Offer | Refused:
    """The bought bytes; text instead of a picture is a bad answer."""
    refused = _not_sold(answer, candidate)
    if refused is not None:
        return refused
    require_success(answer, f"buying image {candidate}")
    if answer.body.lstrip()[:1] in {b"", b"{", b"[", b"<"}:
        raise BadAnswer(
            f"image {candidate} was bought, and the answer holds no picture: {clean_text(answer.text(120))}"
        )
    return Offer(id=candidate, data=answer.body)


def parse_generation(value: Json, *, base: str | None) -> Observation:
    """A generation as it is now. `base` gives images without an address the documented preview one.

    Raises BadAnswer where there is no usable id or no readable status, or where an image has no usable id.
    """
    if not isinstance(value, Mapping):
        raise BadAnswer("a generation is no object")
    generation = safe_id(value.get("id"))
    if generation is None:
        raise BadAnswer("a generation has no usable id")
    status = _number(value.get("status"))
    if status is None:
        raise BadAnswer(f"generation {generation} has no readable status")
    tags = tuple(clean_text(tag, 200) for tag in _items(value.get("tags")) if isinstance(tag, str))
    prompt = value.get("prompt")
    offers = _offers(value.get("images"), generation, base)
    state, failure = _state(status, value, offers)
    return Observation(
        generation=generation,
        state=state,
        offers=offers,
        failure=failure,
        tags=tags,
        token=_token(tags, value),
        prompt=clean_text(prompt, 4 * 4096) if isinstance(prompt, str) else None,
    )


def repair_url(value: Json) -> str | None:
    """An address as the provider meant it: `.aiv1/` parted, https to its own host; others stay as they are."""
    if not isinstance(value, str) or not value.strip() or len(value) > 4096:
        return None
    url = value.strip()
    if "all-images.ai" not in url.lower():
        return url
    url = _GLUED.sub(r"\1://\2/v1/", url, count=1) if _GLUED.match(url) else url
    match = _INSECURE.match(url)
    if match and match[1].lower() == "http":
        url = f"https://{match[2]}/{url[match.end() :]}"
    return url


def _state(status: int, value: Mapping[str, Json], offers: Sequence[Offer]) -> tuple[_State, Failure | None]:
    if status == _ERROR:
        error = error_in({key: value[key] for key in ("error", "message") if key in value}) or ErrorText(message="")
        if speaks_of_moderation(error):
            return "blocked", Failure(kind="blocked", message=error.message, provider_code="4")
        message = error.message or "the generation failed; the provider gives no reason"
        return "failed", Failure(kind="provider", message=message, provider_code="4")
    if status != _DONE:
        return "pending", None
    if offers:
        return "succeeded", None
    if not is_list(value.get("images")) and _number(value.get("nbImages")) != 0:
        # Done, but the answer does not list images at all: it is not whole, and asking again is free.
        return "pending", None
    return "failed", Failure(kind="no_images", message="the generation is done and offers no images", provider_code="3")


def _offers(images: Json, generation: str, base: str | None) -> tuple[Offer, ...]:
    found: dict[str, Offer] = {}
    for at, image in enumerate(_items(images), 1):
        name = safe_id(image.get("id")) if isinstance(image, Mapping) else None
        if name is None or not isinstance(image, Mapping):
            raise BadAnswer(f"image {at} of generation {generation} has no usable id")
        url = repair_url(image.get("url")) or preview_url(base, name)
        found.setdefault(name, Offer(id=name, url=url))
    return tuple(found.values())


def preview_url(base: str | None, image: str) -> str | None:
    """The documented preview address of an image."""
    return f"{base.rstrip('/')}/images/preview/{image}.jpg" if base and base.startswith("http") else None


def _token(tags: Sequence[str], value: Mapping[str, Json]) -> str | None:
    for tag in tags:
        if tag.startswith("ib-"):
            return tag
    meta = value.get("metaData")
    ours = meta.get("imagebatch") if isinstance(meta, Mapping) else None
    token = ours.get("token") if isinstance(ours, Mapping) else None
    if isinstance(token, str) and TOKEN_PATTERN.fullmatch(token):
        return token
    name = value.get("name")
    words = name.split() if isinstance(name, str) else []
    return next((word for word in reversed(words) if TOKEN_PATTERN.fullmatch(word)), None)


def _request(order: Order) -> dict[str, Json]:
    body: dict[str, Json] = {key: order.body[key] for key in _REQUEST_KEYS if key in order.body}
    params = order.body.get("params")
    if isinstance(params, Mapping) and params:
        body["params"] = [{"name": name, "value": params[name]} for name in sorted(params)]
    return {**body, **order.extras}


_REQUEST_KEYS = ("mode", "prompt", "additionalPrompt", "optimizePrompt")


def _labels(order: Order) -> dict[str, Json]:
    name = order.name.strip()
    if order.token not in name.split():
        name = f"{name} {order.token}".strip()
    ours: dict[str, Json] = {"token": order.token, "lineage": order.lineage_tag}
    return {
        "name": name,
        "tags": list(dict.fromkeys([*order.tags, order.token, order.lineage_tag])),
        "metaData": {**order.metadata, "imagebatch": ours},
    }


def _not_sold(answer: Answer, candidate: str) -> Refused | None:
    if answer.status == 404:
        return Refused(failure=_gone(answer, f"image {candidate}"))
    if classify_create(answer.status) not in {"refused", "wait", "redirect"}:
        return None
    found = refusal(answer)
    if not isinstance(found, Refused):
        return None
    # A 403 may be about this one image; creates need not stop for it.
    return replace(found, stops=None) if answer.status == 403 else found


def _gone(answer: Answer, what: str) -> Failure:
    error = read_error(answer).message
    return Failure(
        kind="gone", message=f"{what} is not known (404){': ' + error if error else ''}", provider_code="404"
    )


def read_call(operation: str, path: str) -> Call:
    """A plain GET."""
    return Call(kind="read", operation=operation, method="GET", path=path, timeout_s=READ_TIMEOUT_S)


def _number(value: Json) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value, re.ASCII):
        return int(value)
    return None


def is_list(value: Json) -> TypeGuard[Sequence[Json]]:
    """Whether a JSON value is an array."""
    return isinstance(value, list)


def _items(value: Json) -> Sequence[Json]:
    return value if is_list(value) else ()
