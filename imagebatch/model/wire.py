"""Calls and answers as plain data, so that adapters are pure and only `http/` touches the network."""

import json
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from imagebatch.model.canonical import Json

CallKind = Literal[
    "create",  # paid, never repeated unless certainly not accepted, on a fresh connection
    "buy",  # paid, documented as billed once an image: repeated after a lost answer
    "change",  # update, delete: the same body twice does the same as once
    "read",  # repeated freely
]

MAX_JSON_DEPTH = 32
_MAX_DIGITS = 400
_CONTAINERS = frozenset({dict, list})


@dataclass(frozen=True, slots=True, kw_only=True)
class FormFile:
    """A file part of a multipart form; the engine reads `path` when it sends."""

    field: str
    filename: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One HTTP call, without key and without host: the engine adds both.

    `path` starts with `/` and is joined to the provider's base address; its parts are percent-encoded already.
    `operation` names it in counts and messages (`create`, `get`, `list`, `buy`, …). `limit_bytes` bounds the answer's
    body, decoded. `timeout_s` bounds the whole exchange.
    """

    kind: CallKind
    operation: str
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Json = None
    form: Mapping[str, str] | None = None
    files: tuple[FormFile, ...] = ()
    limit_bytes: int = 1024 * 1024
    timeout_s: float = 60.0
    at_origin: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, whole: status, headers by lower-case name, the decoded body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def text(self, limit: int = 500) -> str:
        """The body's beginning as text, for messages."""
        return self.body[: limit * 4].decode("utf-8", "replace")[:limit]


class BadAnswer(ValueError):
    """An answer that is not what the API promises; the text says what is wrong, in one sentence."""

    code: str = "provider.bad_response"


def parse_json(body: bytes) -> Json:
    """Strict JSON from a stranger: UTF-8 (a BOM is skipped), no equal keys, no NaN, depth at most 32.

    Raises BadAnswer with a sentence that names the fault.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadAnswer("the answer is not UTF-8") from None
    try:
        value: Json = json.loads(
            text, object_pairs_hook=_no_equal_keys, parse_constant=_no_constants, parse_int=_bounded_int
        )
    except BadAnswer:
        raise
    except RecursionError:
        raise _deep() from None
    except ValueError as error:
        raise BadAnswer(f"the answer is not JSON ({type(error).__name__})") from None
    if _too_deep(value):
        raise _deep()
    return value


def _no_equal_keys(pairs: list[tuple[str, Json]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadAnswer("the answer names one key twice")
    return found


def _bounded_int(digits: str) -> int:
    # A hook, not a search of the text: a picture's base64 has megabytes, and searching 16 of them took 0.4 s.
    if len(digits) > _MAX_DIGITS:
        raise BadAnswer(f"the answer holds a number of over {_MAX_DIGITS} digits")
    return int(digits)


def _no_constants(name: str) -> Json:
    raise BadAnswer(f"the answer holds {name}, which is not JSON")


def _deep() -> BadAnswer:
    return BadAnswer(f"the answer is nested more than {MAX_JSON_DEPTH} deep")


def _too_deep(value: Json) -> bool:
    """Whether there are containers below the allowed depth; looks at one level after the other, strings never."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_JSON_DEPTH):
        if not level:
            return False
        level = [
            item
            for container in level
            for item in (container.values() if type(container) is dict else container)
            if type(item) in _CONTAINERS  # json makes these two and no subclasses; `isinstance` takes twice as long
        ]
    return bool(level)


class Wire(Protocol):
    """The engine's side: sends one call and gives the whole answer.

    For `create` calls it sends once, on a fresh connection; it raises `NotSent` where the request's first byte
    certainly never left, and `OutcomeLost` where nobody can know. `read`, `change` and `buy` calls are repeated by the
    engine as its rules say before an exception reaches the adapter. Answers of every status are returned.
    """

    def send(self, call: Call) -> Awaitable[Answer]: ...

    def recall(self, key: str) -> str | None:
        """What was remembered of this provider's address (mount, dialect), by this run or an earlier one."""
        ...

    def remember(self, key: str, value: str) -> None:
        """Keep a small fact about this provider's address for later runs."""
        ...


class NotSent(Exception):
    """The request certainly did not reach the provider: no connection was opened. The text says why."""

    code: str = "net.unreachable"


class OutcomeLost(Exception):
    """The request may have reached the provider, and its answer did not reach us. The text says why."""


class Unreachable(Exception):
    """A read (or a repeatable change) found no answer within its tries. The text says why."""

    code: str = "provider.unreachable"


class KeyRefused(Unreachable):
    """A read was answered, and the answer is that the key may not ask. The text says so."""

    code = "provider.auth"


class Redirected(Unreachable):
    """A read was answered with another address, and no key follows there. The text says so."""

    code = "provider.redirect"
