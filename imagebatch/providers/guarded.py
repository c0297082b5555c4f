"""A plug-in's adapter, whose own faults are unreadable answers: they mean what such an answer means where it was asked.

A create, a retry or a purchase is then in doubt, a reading is tried later, and params are refused before anything is
sent. So a fault of a stranger's code blocks the address that it happened at, and neither the run nor the project.

An amount that is none is no such fault: the request was answered, and its picture counts more than its price, which is
then unknown. An id that cannot be one leaves its create in doubt, for nobody could ask for it again.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from types import NoneType
from typing import Any, Final, TypeVar, cast

from imagebatch.model.canonical import Json
from imagebatch.model.capabilities import Encoded, ParamProblem
from imagebatch.model.money import sound_money
from imagebatch.model.wire import Answer, BadAnswer, Call, NotSent, OutcomeLost, Unreachable, Wire
from imagebatch.providers.base import (
    Accepted,
    AccountFacts,
    Adapter,
    BillingRecord,
    Completed,
    Observation,
    Offer,
    Order,
    Page,
    Refused,
    Unclear,
)

_SAID: Final = (BadAnswer, NotSent, OutcomeLost, Unreachable)  # what an adapter may raise
_GOES_ON: Final = (KeyboardInterrupt, asyncio.CancelledError, GeneratorExit)
_GIVES: Final[Mapping[str, tuple[type, ...]]] = {
    "submit": (Accepted, Completed, Refused, Unclear),
    "retry": (Accepted, Refused, Unclear),
    "buy": (Offer, Refused),
    "observe": (Observation, NoneType),
    "list_page": (Page,),
    "update": (Refused, NoneType),
    "delete": (NoneType,),
    "check": (AccountFacts,),
    "billing_record": (BillingRecord, NoneType),
    "creates_left": (Decimal, NoneType),
}
_LONGEST: Final = 300
_LONGEST_ID: Final = 500
_NO_ID: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
T = TypeVar("T")
_Method = Callable[..., Coroutine[Any, Any, object]]


class PluginFault(BadAnswer):
    """A plug-in raised what it may not raise, or gave what is no answer; the text says what."""

    code = "provider.plugin"


def guarded(adapter: Adapter) -> Adapter:
    """An adapter with exactly the methods of a plug-in's; whatever these raise is a PluginFault.

    What the wire raises inside a method goes on as it is, and so does what ends a run (an interrupt, a cancellation).
    """
    type_ = adapter.capabilities.type
    methods: dict[str, Any] = {
        name: staticmethod(_asked(type_, name, getattr(adapter, name), gives))
        for name, gives in _GIVES.items()
        if hasattr(adapter, name)
    }
    methods["encode"] = staticmethod(_encoding(type_, adapter))
    methods["check_prompt"] = staticmethod(_checking(type_, adapter))
    if hasattr(adapter, "goes_alone"):
        methods["goes_alone"] = staticmethod(_alone(adapter.goes_alone))
    # A class of its own for each: what an adapter can do is told by the methods that its class has.
    made = type("Guarded", (), methods)()
    made.capabilities, made.settings = adapter.capabilities, adapter.settings
    return cast("Adapter", made)


class _Watched:
    """A wire that remembers what it raised: that is no fault of who was asked."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.raised: BaseException | None = None

    async def send(self, call: Call) -> Answer:
        try:
            return await self._wire.send(call)
        except BaseException as error:
            self.raised = error
            raise

    def recall(self, key: str) -> str | None:
        return self._wire.recall(key)

    def remember(self, key: str, value: str) -> None:
        self._wire.remember(key, value)


def _asked(type_: str, name: str, method: _Method, gives: tuple[type, ...]) -> _Method:
    async def ask(*given: object, **named: object) -> object:
        wire = named.pop("wire", None)
        *others, last = given if wire is None else (*given, wire)  # it is named in one method, and the last in others
        watched = _Watched(cast("Wire", last))
        try:
            answer = await (method(*others, watched) if wire is None else method(*others, wire=watched, **named))
        except (*_SAID, *_GOES_ON):
            raise
        except BaseException as error:
            if error is watched.raised:
                raise
            raise PluginFault(_told(type_, error)) from error
        if not isinstance(answer, gives):
            raise PluginFault(f"the plug-in {type_} gave a {type(answer).__name__} from {name}, which is no answer")
        try:
            return _sound(type_, name, answer)
        except PluginFault:
            raise
        except Exception as error:
            raise PluginFault(_told(type_, error)) from error

    return ask


def _sound(type_: str, name: str, answer: object) -> object:
    """An answer without amounts that are none; a create whose id is none becomes unclear. Raises PluginFault."""
    match answer:
        case Completed(cost=cost, unpriced=unpriced):
            return _priced(type_, answer) if cost is not None or unpriced is not None else answer
        case Accepted():
            return _begun(type_, name, answer)
        case Observation():
            return _seen(type_, name, answer)
        case Page(observations=observations):
            return replace(answer, observations=tuple(_seen(type_, name, one) for one in observations))
        case BillingRecord(cost=cost):
            return replace(answer, cost=sound_money(cost))
        case AccountFacts(left=left) if left is not None:
            sound = {step: money for step, told in left.items() if (money := sound_money(told)) is not None}
            return replace(answer, left=sound)
        case Decimal() if not answer.is_finite():
            return None
    return answer


def _begun(type_: str, name: str, answer: Accepted) -> Accepted | Unclear:
    if not _usable_id(answer.generation):
        return Unclear(why=f"the plug-in {type_} gave {answer.generation!r:.60} from {name}, which is no usable id")
    seen = _seen(type_, name, answer.observation) if answer.observation is not None else None
    return replace(answer, observation=seen)


def _priced(type_: str, answer: Completed) -> Completed:
    """The same pictures, whose cost is unknown where what was told is no amount."""
    cost = sound_money(answer.cost)
    if answer.cost is None or cost is not None:
        return replace(answer, cost=cost, unpriced=sound_money(answer.unpriced))
    text = f"the plug-in {type_} told a cost that is no amount ({answer.cost!r:.80}), so what was charged is unknown"
    return replace(answer, cost=None, unpriced=None, warnings=(*answer.warnings, text))


def _seen(type_: str, name: str, found: object) -> Observation:
    seen = _checked(type_, found, Observation)
    if not _usable_id(seen.generation):
        raise PluginFault(f"the plug-in {type_} gave {seen.generation!r:.60} from {name}, which is no usable id")
    return replace(seen, cost=sound_money(seen.cost)) if seen.cost is not None else seen


def _usable_id(found: object) -> bool:
    return isinstance(found, str) and 0 < len(found.strip()) <= len(found) <= _LONGEST_ID and not _NO_ID.search(found)


def _encoding(type_: str, adapter: Adapter) -> Callable[[Mapping[str, Json], int], Encoded]:
    def encode(params: Mapping[str, Json], references: int) -> Encoded:
        try:
            return _checked(type_, adapter.encode(params, references), Encoded)
        except _GOES_ON:
            raise
        except BaseException as error:  # noqa: BLE001  # a stranger's code may raise anything
            return Encoded(body={}, problems=(_problem("params", type_, error),))

    return encode


def _checking(type_: str, adapter: Adapter) -> Callable[[str, Encoded], Sequence[ParamProblem]]:
    def check_prompt(prompt: str, encoded: Encoded) -> Sequence[ParamProblem]:
        try:
            return tuple(_checked(type_, one, ParamProblem) for one in adapter.check_prompt(prompt, encoded))
        except _GOES_ON:
            raise
        except BaseException as error:  # noqa: BLE001  # as above
            return (_problem("prompt", type_, error),)

    return check_prompt


def _alone(method: Callable[[Order, Wire], bool]) -> Callable[[Order, Wire], bool]:
    def goes_alone(order: Order, wire: Wire) -> bool:
        try:
            return bool(method(order, wire))
        except _GOES_ON:
            raise
        except BaseException:  # noqa: BLE001  # as above; alone is slower, and never wrong
            return True

    return goes_alone


def _checked(type_: str, found: object, kind: type[T]) -> T:
    if not isinstance(found, kind):
        raise PluginFault(f"the plug-in {type_} gave a {type(found).__name__}, which is no answer")
    return found


def _problem(name: str, type_: str, error: BaseException) -> ParamProblem:
    return ParamProblem(name=name, message=_told(type_, error), code=PluginFault.code, hint="tell the plug-in's author")


def _told(type_: str, error: BaseException) -> str:
    if isinstance(error, PluginFault):
        return str(error)
    try:
        text = str(error)[:_LONGEST].encode("utf-8", "backslashreplace").decode()
    except Exception:  # noqa: BLE001  # even that is a stranger's code
        text = "…"
    return f"the plug-in {type_} raised {type(error).__name__}: {text}"
