"""Provider plug-ins with planted faults: each breaks one promise, the way that careless clients do."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar

from imagebatch.model.canonical import Json
from imagebatch.model.capabilities import Capabilities, Encoded, ParamProblem
from imagebatch.model.generation import Failure
from imagebatch.model.money import Money
from imagebatch.model.settings import ProviderSettings
from imagebatch.model.wire import Answer, Call, OutcomeLost, Wire
from imagebatch.providers.all_images import AllImages
from imagebatch.providers.base import (
    Accepted,
    AccountFacts,
    Completed,
    Observation,
    Order,
    Page,
    Refused,
    Submission,
    Unclear,
)
from imagebatch.providers.openai import OpenAI


class Faithful(AllImages):
    """No fault: what a plug-in may do is to extend a built-in adapter."""

    declared: ClassVar[Capabilities] = replace(AllImages.declared, type="faithful")


class Insists(AllImages):
    """What was not answered well is sent once more."""

    declared: ClassVar[Capabilities] = replace(AllImages.declared, type="insists")

    async def submit(self, order: Order, wire: Wire) -> Submission:
        """Send, and send again."""
        try:
            first = await super().submit(order, wire)
        except OutcomeLost:
            return await super().submit(order, wire)
        return await super().submit(order, wire) if isinstance(first, Unclear) else first


class MixesUp(AllImages):
    """Tells of each generation the token of another one, where there is one."""

    declared: ClassVar[Capabilities] = replace(AllImages.declared, type="mixes-up")

    async def list_page(self, tag: str | None, offset: int, limit: int, wire: Wire) -> Page:
        """The listing, with its tokens passed on by one."""
        page = await super().list_page(tag, offset, limit, wire)
        return replace(page, observations=tuple(_passed_on(page.observations)))


class SaysNo(OpenAI):
    """Says that nothing was taken where nobody can know. It cannot list, so nothing makes up for that."""

    declared: ClassVar[Capabilities] = replace(OpenAI.declared, type="says-no")

    async def submit(self, order: Order, wire: Wire) -> Submission:
        """Send, and take every doubt for a no."""
        try:
            found = await super().submit(order, wire)
        except OutcomeLost as lost:
            found = Unclear(why=str(lost))
        return Refused(failure=Failure(kind="provider", message="no")) if isinstance(found, Unclear) else found


class Unmarked(AllImages):
    """Sends no token of ours, so that nothing is found again."""

    declared: ClassVar[Capabilities] = replace(AllImages.declared, type="unmarked")

    async def submit(self, order: Order, wire: Wire) -> Submission:
        """Send without the marks."""
        return await super().submit(replace(order, name="a picture"), _Unmarking(wire))


class Exits(OpenAI):
    """Ends the program once it has paid, as a script does."""

    declared: ClassVar[Capabilities] = replace(OpenAI.declared, type="exits")

    async def submit(self, order: Order, wire: Wire) -> Submission:
        """Send, and leave."""
        await super().submit(order, wire)
        raise SystemExit(0)


class Raises(OpenAI):
    """Stumbles over the answer once it has paid."""

    declared: ClassVar[Capabilities] = replace(OpenAI.declared, type="raises")

    async def submit(self, order: Order, wire: Wire) -> Submission:
        """Send, and raise."""
        await super().submit(order, wire)
        raise KeyError("data")


class GivesJunk(OpenAI):
    """Gives what is no answer once it has paid."""

    declared: ClassVar[Capabilities] = replace(OpenAI.declared, type="gives-junk")

    async def submit(self, order: Order, wire: Wire) -> Submission:
        """Send, and give nonsense."""
        await super().submit(order, wire)
        return {"ok": True}  # type: ignore[return-value]


class TellsNegative(OpenAI):
    """Says of every picture that it cost less than nothing."""

    declared: ClassVar[Capabilities] = replace(OpenAI.declared, type="tells-negative")

    async def submit(self, order: Order, wire: Wire) -> Submission:
        """Send, and tell a cost that is none."""
        found = await super().submit(order, wire)
        cost = Money(amount=Decimal(-5), currency="USD")
        return replace(found, cost=cost) if isinstance(found, Completed) else found


class Nameless(OpenAI):
    """Says that it was taken, and not as what."""

    declared: ClassVar[Capabilities] = replace(OpenAI.declared, type="nameless")

    async def submit(self, order: Order, wire: Wire) -> Submission:
        """Send, and give an id that is none."""
        await super().submit(order, wire)
        return Accepted(generation="")


class Vanishes(OpenAI):
    """Ends the process at once, so that nobody can hear of it."""

    declared: ClassVar[Capabilities] = replace(OpenAI.declared, type="vanishes")

    async def submit(self, order: Order, wire: Wire) -> Submission:
        """Send, and vanish."""
        await super().submit(order, wire)
        os._exit(0)


class Blocks(OpenAI):
    """Never comes back."""

    declared: ClassVar[Capabilities] = replace(OpenAI.declared, type="blocks")

    async def submit(self, order: Order, wire: Wire) -> Submission:
        """Block the whole process."""
        time.sleep(10_000)  # noqa: ASYNC251  # what is planted
        return await super().submit(order, wire)


class EncodesNothing(OpenAI):
    """Its encoding raises, and it prints what a CI or a terminal would obey."""

    declared: ClassVar[Capabilities] = replace(OpenAI.declared, type="encodes-nothing")

    def encode(self, params: Mapping[str, Json], references: int) -> Encoded:
        """Print, and raise."""
        print("\n::set-output name=x::y\x1b[2J", flush=True)  # noqa: T201  # what is planted
        raise ZeroDivisionError(f"{len(params)} params, {references} references")


class _Unmarking:
    """Takes the marks out of a create's body."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def send(self, call: Call) -> Answer:
        body = {**call.json, "tags": [], "metaData": {}} if isinstance(call.json, dict) else call.json
        return await self._wire.send(replace(call, json=body))

    def recall(self, key: str) -> str | None:
        return self._wire.recall(key)

    def remember(self, key: str, value: str) -> None:
        self._wire.remember(key, value)


def _passed_on(seen: Sequence[Observation]) -> list[Observation]:
    tokens = [one.token for one in seen]
    return [replace(one, token=token) for one, token in zip(seen, tokens[1:] + tokens[:1], strict=True)]


class Lone:
    """Extends no adapter of ours, so nobody knows what it speaks."""

    declared: ClassVar[Capabilities] = replace(OpenAI.declared, type="lone")

    def __init__(self, settings: ProviderSettings) -> None:
        self.settings = settings
        self.capabilities = self.declared
        self._inner = OpenAI(settings)

    def encode(self, params: Mapping[str, Json], references: int) -> Encoded:
        return self._inner.encode(params, references)

    def check_prompt(self, prompt: str, encoded: Encoded) -> Sequence[ParamProblem]:
        return self._inner.check_prompt(prompt, encoded)

    async def submit(self, order: Order, wire: Wire) -> Submission:
        return await self._inner.submit(order, wire)

    async def check(self, wire: Wire) -> AccountFacts:
        return await self._inner.check(wire)
