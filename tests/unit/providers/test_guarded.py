"""What a plug-in's faults become, method by method; what the wire raises goes through untouched."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from imagebatch.model.capabilities import Encoded
from imagebatch.model.money import Money
from imagebatch.model.settings import ProviderSettings
from imagebatch.model.wire import Answer, BadAnswer, Call, OutcomeLost
from imagebatch.providers.all_images import AllImages
from imagebatch.providers.base import (
    Accepted,
    Adapter,
    BillingRecord,
    CanCheck,
    CanList,
    CanObserve,
    CanRetry,
    Completed,
    GoesAlone,
    Observation,
    Offer,
    Page,
    Unclear,
)
from imagebatch.providers.guarded import PluginFault, guarded
from imagebatch.providers.openai import OpenAI
from imagebatch.providers.scripted import ScriptedWire

SETTINGS = ProviderSettings(alias="px", type="openai")
CALL = Call(kind="read", operation="get", method="GET", path="/x")


class DiskFull(OSError):
    """What only the engine can raise."""


class FailingWire(ScriptedWire):
    """The engine itself fails while it sends."""

    async def send(self, call: Call) -> Answer:
        raise DiskFull(call.operation)


def having(**methods: Callable[..., Any]) -> Any:
    """A guarded adapter with some methods of its own."""
    return guarded(type("Plugin", (AllImages,), methods)(SETTINGS))


@pytest.mark.parametrize("adapter", [AllImages(SETTINGS), OpenAI(SETTINGS)])
def test_a_guarded_adapter_can_do_exactly_what_the_plug_in_can(adapter: Adapter) -> None:
    found = guarded(adapter)
    for ability in (Adapter, CanCheck, CanList, CanObserve, CanRetry):
        assert isinstance(found, ability) == isinstance(adapter, ability)
    assert issubclass(type(found), GoesAlone) == issubclass(type(adapter), GoesAlone)
    assert (found.capabilities, found.settings) == (adapter.capabilities, adapter.settings)


@pytest.mark.parametrize("error", [KeyError("x"), SystemExit(0), RecursionError(), BaseException()])
@pytest.mark.parametrize(
    ("method", "given"), [("submit", (None,)), ("retry", ("g",)), ("observe", ("g",)), ("list_page", (None, 0, 9))]
)
async def test_whatever_a_plug_in_raises_is_an_unreadable_answer(
    error: BaseException, method: str, given: tuple[Any, ...]
) -> None:
    async def fails(*_: object) -> None:
        raise error

    with pytest.raises(PluginFault, match=type(error).__name__):
        await getattr(having(**{method: fails}), method)(*given, ScriptedWire([]))


async def test_what_is_no_answer_is_a_fault_and_an_update_takes_its_wire_by_name() -> None:
    async def junk(*_: object, **__: object) -> object:
        return {"ok": True}

    with pytest.raises(PluginFault, match="dict"):
        await having(submit=junk).submit(None, ScriptedWire([]))
    with pytest.raises(PluginFault, match="dict"):
        await having(update=junk).update("g", None, request=True, wire=ScriptedWire([]))


@pytest.mark.parametrize("error", [OutcomeLost("x"), BadAnswer("x"), asyncio.CancelledError(), KeyboardInterrupt()])
async def test_what_an_adapter_may_raise_and_what_ends_a_run_goes_on_as_it_is(error: BaseException) -> None:
    async def fails(*_: object) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        await having(submit=fails).submit(None, ScriptedWire([]))
    assert caught.value is error


async def test_what_the_wire_raises_is_no_fault_of_the_plug_in() -> None:
    async def sends(_: object, __: object, wire: Any) -> object:
        return await wire.send(CALL)

    with pytest.raises(DiskFull):
        await having(submit=sends).submit(None, FailingWire([]))


def test_params_that_a_plug_in_stumbles_over_are_refused_with_its_words() -> None:
    def fails(*_: object) -> None:
        raise SystemExit("bye")

    found = having(encode=fails, check_prompt=fails)
    problems = (*found.encode({}, 0).problems, *found.check_prompt("x", Encoded(body={})))
    assert [(one.name, one.code, one.severity) for one in problems] == [
        ("params", "provider.plugin", "error"),
        ("prompt", "provider.plugin", "error"),
    ]
    assert all("SystemExit: bye" in one.message for one in problems)


def giving(method: str, answer: object) -> Any:
    """A guarded adapter of which one method gives this."""

    async def gives(*_: object, **__: object) -> object:
        return answer

    return having(**{method: gives})


def amount(text: str, currency: str = "USD") -> Any:
    """What a plug-in may call an amount."""
    return Money(amount=Decimal(text), currency=currency)


NO_AMOUNTS = [
    amount("-5"), amount("-0"), amount("NaN"), amount("Infinity"), amount("1E+999999"), amount("1E-999999"),
    amount("5", "euros"), amount("5", "=1"), amount("5", ""), Money(amount=5.0, currency="USD"),  # type: ignore[arg-type]
    "5 USD",
]  # fmt: skip


@pytest.mark.parametrize("told", NO_AMOUNTS)
async def test_a_cost_that_is_no_amount_is_unknown_and_the_picture_is_kept(told: Any) -> None:
    offers = (Offer(id="1", data=b"x"),)
    found = await giving("submit", Completed(offers=offers, cost=told, unpriced=told)).submit(None, ScriptedWire([]))
    assert (found.offers, found.cost, found.unpriced) == (offers, None, None)
    assert "told a cost that is no amount" in found.warnings[0]
    seen = Observation(generation="g", state="succeeded", cost=told)
    assert (await giving("observe", seen).observe("g", ScriptedWire([]))).cost is None
    page = await giving("list_page", Page(observations=(seen,), total=1)).list_page(None, 0, 9, ScriptedWire([]))
    assert page.observations[0].cost is None
    record = BillingRecord(id="r", state="success", cost=told)
    assert (await giving("billing_record", record).billing_record("t", ScriptedWire([]))).cost is None


async def test_a_sound_cost_goes_through_and_reads_back() -> None:
    done = Completed(offers=(), cost=amount("0.10", "usd"), unpriced=amount("0.01"))
    found = await giving("submit", done).submit(None, ScriptedWire([]))
    assert (found.cost, found.unpriced, found.warnings) == (amount("0.10"), amount("0.01"), ())


@pytest.mark.parametrize("generation", ["", "  ", None, 7, "a\nb", "a\x00", "\ud800", "\x9b31m", "x" * 501])
async def test_a_create_whose_id_is_none_is_in_doubt(generation: Any) -> None:
    for method, given in (("submit", (None,)), ("retry", ("g",))):
        found = await getattr(giving(method, Accepted(generation=generation)), method)(*given, ScriptedWire([]))
        assert isinstance(found, Unclear)
        assert "no usable id" in found.why
        assert found.why.isprintable()
    seen = Observation(generation=generation, state="pending")
    with pytest.raises(PluginFault, match="no usable id"):
        await giving("list_page", Page(observations=(seen,), total=1)).list_page(None, 0, 9, ScriptedWire([]))


async def test_an_answer_of_the_right_kind_with_junk_in_it_is_a_fault() -> None:
    with pytest.raises(PluginFault):
        await giving("list_page", Page(observations=None, total=1)).list_page(  # type: ignore[arg-type]
            None, 0, 9, ScriptedWire([])
        )
