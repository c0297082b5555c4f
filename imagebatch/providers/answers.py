"""What a provider's answer means, for all adapters alike: classification of creates, error texts and ids.

Everything here is pure. The table that decides about money is `classify_create`, and no adapter has another one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from imagebatch.errors import ProviderError
from imagebatch.model.canonical import Json
from imagebatch.model.generation import Failure, FailureKind
from imagebatch.model.wire import Answer, BadAnswer, KeyRefused, Redirected, Unreachable, parse_json
from imagebatch.providers.base import Refused, Unclear

Verdict = Literal["accepted", "refused", "wait", "redirect", "unclear"]
Stops = Literal["auth", "no_credit", "path", "redirect"]

_REFUSED = frozenset({400, 401, 402, 403, 404, 405, 413, 415, 422})
_WAIT = frozenset({425, 429})
_NO_ANSWER_NOW = frozenset({402, 408, 425, 429})

MAX_ID = 200
MAX_MESSAGE = 500

_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~:@-]*", re.ASCII)
_SPEAKS_OF_MODERATION = re.compile(
    r"moderation|content[ _-]?(?:policy|filter|violation)|safety[ _](?:system|violations?|filter)|safety_violations"
    r"|violat\w+ (?:of )?(?:our |the )?(?:content|usage|safety) polic|prohibited[ _]content|responsible ai",
    re.IGNORECASE,
)
_SPEAKS_OF_CREDIT = frozenset({
    "insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached", "NOT_ENOUGH", "CREDIT_NOT_ENOUGH",
})  # fmt: skip
_SPEAKS_OF_MODERATION_CODES = frozenset({"moderation_blocked", "content_policy_violation", "content_filter"})
_SERVER_FAULTS = frozenset(
    {"server_error", "internal_error", "service_unavailable_error", "timeout", "overloaded_error"}
)


def classify_create(status: int) -> Verdict:
    """What the status of a create's answer says of its acceptance; the one table that money hangs on.

    `wait` is a refusal after which the same create may be sent again; `unclear` is everything that is not listed.
    """
    if status in _REFUSED:
        return "refused"
    if status in _WAIT:
        return "wait"
    if 300 <= status <= 399:
        return "redirect"
    if 200 <= status <= 299:
        return "accepted"
    return "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorText:
    """An error answer's words: message in one line, and what else its body names."""

    message: str
    code: str | None = None
    type: str | None = None
    param: str | None = None
    link: str | None = None
    status: int | None = None


def read_error(answer: Answer) -> ErrorText:
    """The words of an error answer in any shape that was seen.

    All-Images.ai: `{statusCode, error, message: text or list}`, any part missing. AIGNE Hub: `{"error": text}`,
    `{"error": {message, type?, link?}}`, `{"code", "error"}`, HTML. OpenAI: `{"error": {message, type, param, code}}`.
    FastAPI servers: `{"detail": text}` and `{"detail": [{loc, msg}]}`, where only `loc` names the field.
    """
    try:
        value = parse_json(answer.body)
    except BadAnswer:
        return ErrorText(message=_plain_text(answer))
    return error_in(value) or ErrorText(message=clean_text(answer.text()) if value else "")


def error_in(value: Json) -> ErrorText | None:
    """The error that a JSON body tells of, None where it tells of none."""
    if isinstance(value, str):
        return ErrorText(message=clean_text(value)) if value.strip() else None
    if not isinstance(value, Mapping):
        return None
    inner = value.get("error")
    where = inner if isinstance(inner, Mapping) else value
    words = [*_words(where.get("message")), *_words(where.get("detail"))] or _words(where.get("errors"))
    if not words:
        words = _words(inner)
    if not words:
        return None
    link = next((found for key in ("link", "paymentLink") if (found := _short(where.get(key)))), None)
    status = value.get("statusCode")
    return ErrorText(
        message=clean_text("; ".join(words)),
        code=_short(where.get("code")),
        type=_short(where.get("type")),
        param=_short(where.get("param")) or _only_field(where.get("detail")),
        link=link,
        status=status if isinstance(status, int) and not isinstance(status, bool) else None,
    )


def refusal(answer: Answer) -> Refused | Unclear:
    """What a create's answer other than a 2xx means (RELIABILITY table: anything not listed is unclear)."""
    verdict = classify_create(answer.status)
    if verdict == "redirect":
        return Refused(
            failure=Failure(
                kind="rejected",
                message=f"answered {answer.status}, a redirect to {_target(answer)}; "
                "a create never follows one: set base_url to the address that answers itself",
                provider_code=str(answer.status),
            ),
            stops="redirect",
        )
    error = read_error(answer)
    if verdict in {"unclear", "accepted"}:
        return Unclear(
            why=f"answered {answer.status}: {error.message}" if error.message else f"answered {answer.status}"
        )
    kind, stops = _kind_of(answer.status, error)
    wait_s = None
    if verdict == "wait" and kind not in {"no_credit", "blocked"}:
        wait_s = _named_wait_s(answer.headers)
    return Refused(
        failure=Failure(
            kind=kind, message=_refusal_text(answer.status, error, stops), provider_code=_code(answer.status, error)
        ),
        stops=stops,
        wait_s=wait_s,
        link=error.link,
    )


def refusal_in_success(value: Json) -> Refused | None:
    """The refusal that a 2xx body spells out: an error object (or a whole error body), and no server fault.

    None where the body does not say so: then nobody knows.
    """
    error = error_in(value)
    if error is None or not isinstance(value, Mapping):
        return None
    named = isinstance(value.get("error"), Mapping) or error.status is not None
    status = error.status if error.status is not None else 400
    if not named or classify_create(status) != "refused" or (error.type or error.code or "") in _SERVER_FAULTS:
        return None
    kind: FailureKind = "blocked" if speaks_of_moderation(error) else "rejected"
    return Refused(
        failure=Failure(kind=kind, message=error.message, provider_code=error.code or error.type), link=error.link
    )


def speaks_of_moderation(error: ErrorText) -> bool:
    """Whether the error says that moderation refused the prompt or the picture."""
    return bool({error.code, error.type} & _SPEAKS_OF_MODERATION_CODES) or bool(
        _SPEAKS_OF_MODERATION.search(error.message)
    )


def _kind_of(status: int, error: ErrorText) -> tuple[FailureKind, Stops | None]:
    if status == 402 or {error.code, error.type} & _SPEAKS_OF_CREDIT:
        return "no_credit", "no_credit"
    if status == 401:
        return "rejected", "auth"
    if status in {400, 403, 422, 429} and speaks_of_moderation(error):
        return "blocked", None
    if status == 403:
        return "rejected", "auth"
    if status in {404, 405}:
        return "rejected", "path"
    return "rejected", None


def _refusal_text(status: int, error: ErrorText, stops: Stops | None) -> str:
    said = f": {error.message}" if error.message else ""
    if stops == "auth":
        return f"{'the key' if status == 401 else 'access'} was refused ({status}){said}"
    if stops == "no_credit":
        return f"the account cannot pay ({status}){said}"
    if stops == "path":
        return f"there is nothing to create at this address ({status}){said}"
    if status == 413:
        return f"the request is too large for this provider ({status}){said}"
    return error.message or f"refused with {status}"


def _named_wait_s(headers: Mapping[str, str]) -> float:
    # Imported here: reading dates pulls in the email package, which `plan` does not need.
    from imagebatch.http.retry import retry_after_of

    return retry_after_of(headers) or 0.0


def _code(status: int, error: ErrorText) -> str:
    return error.code or error.type or str(status)


def read_json(answer: Answer, what: str) -> Json:
    """The JSON of a read's or a change's answer; `what` says in a phrase what was asked for.

    Raises Unreachable where the same question may get another answer later (key, credit, 408, 425, 429, 3xx, 5xx),
    BadAnswer where it will not.
    """
    require_success(answer, what)
    return parse_json(answer.body)


def require_success(answer: Answer, what: str) -> None:
    """Raise as `read_json` does where the status is no 2xx."""
    if 200 <= answer.status <= 299:
        return
    error = read_error(answer)
    said = f"{what}: answered {answer.status}" + (f", {error.message}" if error.message else "")
    if answer.status in {401, 403}:
        refused = _refusal_text(answer.status, error, "auth")
        said = f"{what}: {refused}; check the variable that api_key names, and that the key belongs to this address"
        raise KeyRefused(said)
    if 300 <= answer.status <= 399:
        said = (
            f"{what}: answered {answer.status}, a redirect to {_target(answer)}, which no key follows; correct base_url"
        )
        raise Redirected(said)
    if answer.status in _NO_ANSWER_NOW or answer.status >= 500 or answer.status < 200:
        raise Unreachable(said)
    raise BadAnswer(said)


def require_key(answer: Answer, alias: str) -> None:
    """Raise ProviderError where a key check says that the key is refused."""
    if answer.status in {401, 403}:
        raise ProviderError(
            "the provider refused the key",
            f"{alias} answered {answer.status}: {read_error(answer).message or 'no reason given'}.",
            hints=("check the variable that api_key names, and that the key belongs to this address",),
            code="provider.auth",
        )


def safe_id(value: Json) -> str | None:
    """An id as text: at most 200 characters of a set that is safe in a path; integers become text, all else is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > MAX_ID or _SAFE_ID.fullmatch(value) is None:
        return None
    return value


def path_id(value: str) -> str:
    """An id that goes into a path or a body of ours; raises BadAnswer where it is not a safe one."""
    found = safe_id(value)
    if found is None:
        raise BadAnswer(f"the id {clean_text(value)[:60]!r} is not one that this provider hands out")
    return found


def clean_text(text: str, limit: int = MAX_MESSAGE) -> str:
    """Foreign text in one line that can be encoded, cut at `limit` characters; escaping is the printer's business."""
    if len(text) <= limit and text.isascii() and text.isprintable() and "  " not in text:
        return text.strip(" ")  # as nearly every tag and prompt is
    head = " ".join(text[: limit * 4].encode("utf-8", "replace").decode("utf-8").split())
    return head if len(head) <= limit else head[: limit - 1] + "…"


def _words(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value] if value.strip() else []
    if isinstance(value, Sequence):
        return [word for item in value[:20] for word in _words(item)]
    if isinstance(value, Mapping):
        words, field = _words(value.get("message") or value.get("msg")), _field(value)
        return [f"{field}: {word}" for word in words] if field else words
    return []


def _field(problem: Json) -> str | None:
    """The field that one of FastAPI's problems is about: `{"loc": ["body", "size"]}` names `size`."""
    where = problem.get("loc") if isinstance(problem, Mapping) else None
    if not isinstance(where, Sequence) or isinstance(where, str):
        return None
    return ".".join(part for step in where[:8] if (part := _short(step)) and part != "body") or None


def _only_field(problems: Json) -> str | None:
    """The field that all of FastAPI's problems are about; None where they are about several or none."""
    if not isinstance(problems, Sequence) or isinstance(problems, str):
        return None
    fields = {_field(problem) for problem in problems}
    return fields.pop() if len(fields) == 1 else None


def _short(value: Json) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return clean_text(str(value)) or None


_TAGS = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>", re.DOTALL | re.IGNORECASE)


def _plain_text(answer: Answer) -> str:
    return clean_text(_TAGS.sub(" ", answer.text(2000)))


def _target(answer: Answer) -> str:
    # Only the host: a redirect's path and query may carry what should not be shown.
    match = re.match(r"https?://([^/?#@\s]{1,253})(?:[/?#]|$)", answer.headers.get("location", ""), re.IGNORECASE)
    return clean_text(match[1]) if match else "another address"
