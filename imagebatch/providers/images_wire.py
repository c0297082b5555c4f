"""Reading the answers of OpenAI-like image APIs, and the fields of their requests; all pure but `send_asking_base64`.

AIGNE Hub 0.9 repeats one base64 text under three names in two arrays, may answer addresses, `{}` or a path on its own
disk; OpenAI answers `b64_json`; compatible servers answer either. A path in an answer is never opened.
"""

import binascii
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Protocol, TypeGuard

from imagebatch.effects import seams
from imagebatch.effects.threads import Pool
from imagebatch.model.canonical import Json
from imagebatch.model.money import Money
from imagebatch.model.wire import Answer, BadAnswer, Call, Wire, parse_json
from imagebatch.providers.answers import (
    ErrorText,
    classify_create,
    read_error,
    refusal,
    refusal_in_success,
)
from imagebatch.providers.base import Completed, Offer, Order, Refused, Submission, Unclear

ANSWER_LIMIT = 96 * 1024 * 1024
READ_AT_ONCE = 256 * 1024
_BASE64_NAMES = ("b64_json", "b64Json", "base64", "data")
_DATA_URL = re.compile(r"data:[a-z0-9.+/-]{0,80}(?:;[a-z0-9=._-]{1,80}){0,4};base64,", re.IGNORECASE)
_PIECE = 128 * 1024  # characters; a multiple of four
_BLANKS = re.compile(r"[ \t\r\n]+")
_NO_SUCH_ROUTE = re.compile(
    r"^(?:404:? )?(?:cannot (?:post|get) /|not found\b\.?$|page not found|invalid url|the requested url "
    r"|(?:no such|unknown) (?:route|path|endpoint|url)|(?:route|path|endpoint|url) .{0,200}not found)",
    re.IGNORECASE,
)
_NO_BASE64 = "no-response-format"


def request_fields(order: Order) -> dict[str, Json]:
    """The fields of a request as JSON: the extra ones first, so that none of them replaces prompt or model."""
    extra = order.body.get("extra_body")
    fields: dict[str, Json] = json.loads(extra) if isinstance(extra, str) else {}
    own = {name: value for name, value in order.body.items() if name not in {"n", "extra_body", "references"}}
    count: dict[str, Json] = {"n": order.count} if order.count > 1 else {}
    return {**fields, **own, **count, **order.extras}


class BuildsCall(Protocol):
    """Builds a create that asks for base64 by `response_format`, or does not."""

    def __call__(self, *, base64: bool) -> Call: ...


async def send_asking_base64(wire: Wire, build: BuildsCall) -> Answer:
    """Send a create that asks for base64, and once more without asking where the server refuses just that field.

    Such a refusal is certain (400 or 422), so nothing is paid twice; it is remembered for the address.
    """
    if wire.recall(_NO_BASE64):
        return await wire.send(build(base64=False))
    answer = await wire.send(build(base64=True))
    if not refuses_response_format(answer):
        return answer
    wire.remember(_NO_BASE64, "1")
    return await wire.send(build(base64=False))


def refuses_response_format(answer: Answer) -> bool:
    """Whether a refusal is about the field `response_format` and nothing else."""
    if answer.status not in {400, 422}:
        return False
    error = read_error(answer)
    return error.param == "response_format" or (
        "response_format" in error.message
        and re.search(
            r"unknown|unsupported|not supported|unrecogni[sz]ed|unexpected|extra", error.message, re.IGNORECASE
        )
        is not None
    )


CostOf = Callable[[Mapping[str, Json]], Money | None]


def _nothing(_: Mapping[str, Json]) -> None:
    """The plan's price counts all that is charged."""


async def read_pictures(answer: Answer, cost_of: CostOf, unpriced_of: CostOf = _nothing) -> Submission:
    """`parse_pictures`, beside the event loop where the answer is large: megabytes of base64 would hold it up."""
    if len(answer.body) <= READ_AT_ONCE:
        return parse_pictures(answer, cost_of, unpriced_of)
    return await _reader().submit(lambda: parse_pictures(answer, cost_of, unpriced_of))


@cache
def _reader() -> Pool:
    """One thread, so that large answers which arrive together are read one after the other."""
    return seams.threads.pool(1, name="imagebatch-reader")


def parse_pictures(answer: Answer, cost_of: CostOf, unpriced_of: CostOf = _nothing) -> Submission:
    """What a create's answer means: pictures, a refusal, or nothing that can be known.

    `cost_of` reads what was charged, `unpriced_of` what of it a plan's price does not count.

    A 2xx with a list of pictures is `Completed` even where not one of them is usable: it may have been paid.
    """
    if classify_create(answer.status) != "accepted":
        return image_refusal(answer)
    try:
        value = parse_json(answer.body)
    except BadAnswer as fault:
        return Unclear(why=f"answered {answer.status}, but {fault}")
    entries = _entries(value)
    if not entries:
        refused = refusal_in_success(value)
        if refused is not None:
            return refused
    if entries is None or not isinstance(value, Mapping):
        return Unclear(why=f"answered {answer.status} without a list of pictures")
    read = [read_entry(entry) for entry in entries]
    usable = [offer for offer in read if isinstance(offer, Offer)]
    return Completed(
        offers=tuple(replace(offer, id=str(at)) for at, offer in enumerate(usable, 1)),
        cost=cost_of(value),
        unpriced=unpriced_of(value),
        warnings=tuple(
            f"picture {at} of the answer: {fault}" for at, fault in enumerate(read, 1) if isinstance(fault, str)
        ),
    )


def image_refusal(answer: Answer) -> Refused | Unclear:
    """As `refusal`, but a 404 stops the provider only where the path is missing, not where a model is."""
    found = refusal(answer)
    if isinstance(found, Refused) and found.stops == "path" and not is_missing_route(answer):
        error = read_error(answer)
        return replace(
            found, stops=None, failure=replace(found.failure, message=error.message or found.failure.message)
        )
    return found


def is_missing_route(answer: Answer) -> bool:
    """Whether a 404 or 405 is the server's own page for an unknown path, not an error about a model or a credential."""
    if answer.status == 405:
        return True
    if answer.status != 404:
        return False
    error = _error_of(answer)
    return error is None or not error.message or _NO_SUCH_ROUTE.match(error.message) is not None


def _error_of(answer: Answer) -> ErrorText | None:
    try:
        parse_json(answer.body)
    except BadAnswer:
        return None
    return read_error(answer)


def read_entry(entry: Json) -> Offer | str:
    """One picture of an answer: its bytes or its address, else a phrase that says why there is none."""
    if not isinstance(entry, Mapping):
        return "is no object"
    fault: str | None = None
    for name in _BASE64_NAMES:
        text = entry.get(name)
        if isinstance(text, str) and text.strip():
            data = decode_base64(text)
            if data:
                return Offer(id="", data=data)
            fault = fault or f"its {name} is no base64"
    url = entry.get("url")
    if isinstance(url, str) and url.strip():
        found = _from_url(url.strip())
        return found if isinstance(found, Offer) or fault is None else fault
    if fault is not None:
        return fault
    if entry.get("type") == "local":
        return "is a path on the server's own disk, which is never opened"
    return "holds neither bytes nor an address"


def decode_base64(text: str) -> bytes | None:
    """The bytes of a base64 text, with or without a `data:` head and line breaks; None where it is anything else."""
    head = _DATA_URL.match(text[:512])
    body = text[head.end() :] if head else text
    try:
        return _in_pieces(body) or None
    except (binascii.Error, ValueError):
        pass
    try:  # the common case above is spared the copy: a picture's text may have tens of megabytes
        return _in_pieces(_BLANKS.sub("", body)) or None
    except (binascii.Error, ValueError):
        return None


def _in_pieces(text: str) -> bytes:
    """Decode base64 piece by piece, so that other threads have their turn; raises ValueError for anything else."""
    if "=" in text[:-2]:
        raise ValueError("padding before the end")
    return b"".join(binascii.a2b_base64(text[at : at + _PIECE], strict_mode=True) for at in range(0, len(text), _PIECE))


def _from_url(url: str) -> Offer | str:
    if url[:5].lower() == "data:":
        data = decode_base64(url) if _DATA_URL.match(url[:512]) else None
        return Offer(id="", data=data) if data else "its data address is no base64"
    # Whether it may be asked for is judged in one place, where each hop is; nothing of it is told here: it is a secret.
    return Offer(id="", url=url)


def _entries(value: Json) -> Sequence[Json] | None:
    """The list of pictures; where an answer has it twice, the documented name wins unless it is empty."""
    if not isinstance(value, Mapping):
        return None
    data, images = value.get("data"), value.get("images")
    if _is_list(data) and (data or not _is_list(images)):
        return data
    return images if _is_list(images) else None


def _is_list(value: Json) -> TypeGuard[Sequence[Json]]:
    return isinstance(value, Sequence) and not isinstance(value, str)
