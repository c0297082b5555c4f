"""What the conformance kit works on: one adapter, a wire to a server, and small requests."""

import asyncio
from base64 import b32encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from imagebatch.effects import seams
from imagebatch.model.canonical import Json
from imagebatch.model.wire import Answer, Call, Wire
from imagebatch.providers.base import (
    Accepted,
    Adapter,
    CanObserve,
    Completed,
    Observation,
    Offer,
    Order,
    ReferenceImage,
)

LINEAGE_TAG = "ibl-c0f0c0f0c0f0c0f0"
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
HOSTILE_IDS = ("../../x", "a/b", "a?b", "a#b", "a b", "", ".", "..", "x" * 300)


class BrokenPromiseError(AssertionError):
    """An adapter does not keep to what the kit demands; the text says which promise, and how it was broken."""


def holds(condition: object, otherwise: str) -> None:
    """Raise BrokenPromiseError with a sentence where the condition is false."""
    if not condition:
        raise BrokenPromiseError(otherwise)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One adapter and a server to try it on.

    `build` makes the adapter; `params` is a small request that the server draws, `prompt` its prompt. `failing_prompt`
    is one that the server accepts and fails to draw, `reference` an image for an edit with `edit_params`,
    `bad_key_wire` a wire whose key the server refuses. A None leaves the checks out that need it. `patience_s` is how
    long one generation may take.
    """

    build: Callable[[], Adapter]
    wire: Wire
    params: Mapping[str, Json]
    prompt: str = "a red fox in snow"
    failing_prompt: str | None = None
    reference: ReferenceImage | None = None
    edit_params: Mapping[str, Json] | None = None
    bad_key_wire: Wire | None = None
    patience_s: float = 30.0

    @property
    def adapter(self) -> Adapter:
        """A new adapter each time: what one check taught it must not help the next."""
        return self.build()


@dataclass(slots=True)
class CountingWire:
    """Passes calls on and keeps them with their answers' statuses."""

    wire: Wire
    calls: list[tuple[Call, int]] = field(default_factory=list)

    async def send(self, call: Call) -> Answer:
        """Pass a call on."""
        answer = await self.wire.send(call)
        self.calls.append((call, answer.status))
        return answer

    def recall(self, key: str) -> str | None:
        """What the wire below remembers."""
        return self.wire.recall(key)

    def remember(self, key: str, value: str) -> None:
        """Kept by the wire below."""
        self.wire.remember(key, value)


def new_token() -> str:
    """A token that no run has used: real ones come from the request, here nothing may be found by chance."""
    return "ib-" + b32encode(bytes.fromhex(seams.chance.hex(10))).decode().lower()


def make_order(
    subject: Subject, *, prompt: str | None = None, token: str | None = None, reference: ReferenceImage | None = None
) -> Order:
    """A create as the engine would order it."""
    params = subject.edit_params if reference is not None and subject.edit_params is not None else subject.params
    encoded = subject.adapter.encode(params, 1 if reference else 0)
    name = token or new_token()
    body: dict[str, Json] = {**encoded.body, "prompt": prompt or subject.prompt}
    if reference is not None:
        body["references"] = [reference.sha256]
    return Order(
        token=name, lineage_tag=LINEAGE_TAG, body=body, extras=encoded.extras, name=f"conformance {name}",
        tags=("conformance",), metadata={"purpose": "conformance"},
        references=(reference,) if reference else (), count=1,
    )  # fmt: skip


async def drawn(
    subject: Subject, order: Order, wire: Wire | None = None
) -> tuple[str, Sequence[Offer], Observation | None]:
    """Create and wait to the end: the generation's id (the token for providers that answer at once) and its offers."""
    submission = await subject.adapter.submit(order, wire or subject.wire)
    if isinstance(submission, Completed):
        return order.token, submission.offers, None
    if not isinstance(submission, Accepted):
        raise BrokenPromiseError(f"a create that should be drawn was answered with {submission}")
    seen = await ended(subject, submission.generation)
    return submission.generation, seen.offers, seen


async def ended(subject: Subject, generation: str) -> Observation:
    """Ask about a generation until it has come to an end."""
    adapter = subject.adapter
    if not isinstance(adapter, CanObserve):
        raise BrokenPromiseError("an adapter that answers later has to observe")
    loop = asyncio.get_running_loop()
    until = loop.time() + subject.patience_s
    while loop.time() < until:
        seen = await adapter.observe(generation, subject.wire)
        if seen is None:
            raise BrokenPromiseError(f"the generation {generation} that was just accepted is not known")
        if seen.state != "pending":
            return seen
        await seams.clock.sleep(0.05)
    raise BrokenPromiseError(f"generation {generation} did not end within {subject.patience_s:g} s")
