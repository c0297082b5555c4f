"""What a plug-in's faults become, method by method; what the wire raises goes through untouched."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from imagebatch.model.capabilities import Encoded
from imagebatch.model.settings import ProviderSettings
from imagebatch.model.wire import Answer, BadAnswer, Call, OutcomeLost
from imagebatch.providers.all_images import AllImages
from imagebatch.providers.base import Adapter, CanCheck, CanList, CanObserve, CanRetry, GoesAlone
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
