"""Every built-in adapter keeps to the conformance kit, over real HTTP against the simulator."""

import io
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from PIL import Image

from imagebatch.http.client import ProviderWire
from imagebatch.http.limits import Gate
from imagebatch.http.trust import parse_base
from imagebatch.model.canonical import Json
from imagebatch.model.generation import Failure
from imagebatch.model.settings import ProviderSettings
from imagebatch.model.wire import Wire
from imagebatch.providers import registry
from imagebatch.providers.all_images import AllImages
from imagebatch.providers.base import Completed, Observation, Order, ReferenceImage, Refused, Submission, Unclear
from imagebatch.providers.conformance import CHECKS, BrokenPromiseError, Check, Subject, offline, online
from imagebatch.providers.conformance.subject import make_order
from imagebatch.providers.scripted import ScriptedWire
from imagebatch.simulator.process import SimulatorProcess, start

HUB_PARAMS: Mapping[str, Json] = {"model": "openai/gpt-image-2", "size": "1024x1024"}


def _reference() -> ReferenceImage:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(buffer, "PNG")
    return ReferenceImage(sha256="sha256:0", filename="mark.png", media_type="image/png", content=buffer.getvalue())


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One adapter with its settings, and where the simulator serves what it speaks to."""

    type: str
    path: str
    params: Mapping[str, Json]
    options: Mapping[str, Json] = field(default_factory=dict)

    def settings(self, origin: str) -> ProviderSettings:
        return ProviderSettings(alias="sim", type=self.type, base_url=origin + self.path, options=self.options)

    def subject(self, origin: str, wire: Wire, bad_key_wire: Wire) -> Subject:
        settings = self.settings(origin)
        return Subject(
            build=lambda: registry.build(settings),
            wire=wire,
            params=self.params,
            failing_prompt="a red fox [fail]",
            reference=None if self.type == "all-images" else _reference(),
            bad_key_wire=bad_key_wire,
        )


FACES = {
    "all-images": Face(type="all-images", path="/all-images/v1", params={"format": "1:1", "chaos": 10}),
    "aigne-hub": Face(type="aigne-hub", path="/aigne-hub", params=HUB_PARAMS),
    "hub 0.9": Face(
        type="aigne-hub", path="/aigne-hub", params=HUB_PARAMS, options={"dialect": "hub", "mount": "/ai-kit"}
    ),
    "worker": Face(type="aigne-hub", path="/aigne-hub", params=HUB_PARAMS, options={"dialect": "worker", "mount": ""}),
    "openai": Face(
        type="openai", path="/openai/v1", params={"model": "gpt-image-2", "size": "1024x1024", "quality": "low"}
    ),
}
NOWHERE = ScriptedWire()
PAIRS = [
    pytest.param(face, check, id=f"{name}: {check.promise}")
    for name, face in FACES.items()
    for check in CHECKS
    if check.applies(face.subject("http://127.0.0.1:9", NOWHERE, NOWHERE))
]


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    with start(tmp_path_factory.mktemp("simulator") / "data", "fast") as running:
        yield running


@asynccontextmanager
async def wire_to(face: Face, origin: str, key: str = "blocklet-any") -> AsyncIterator[ProviderWire]:
    wire = ProviderWire(
        settings=face.settings(origin),
        capabilities=registry.capabilities(face.type),
        base=parse_base(origin + face.path),
        key=key,
        gate=Gate(),
        memory={},
        read_budget_s=5.0,
    )
    async with wire:
        yield wire


@pytest.mark.parametrize(("face", "check"), PAIRS)
async def test_every_adapter_keeps_its_promises(face: Face, check: Check, simulator: SimulatorProcess) -> None:
    async with wire_to(face, simulator.origin) as good, wire_to(face, simulator.origin, "bad-key") as bad:
        await check.run(face.subject(simulator.origin, good, bad))


@pytest.mark.parametrize(
    ("served", "route", "edit_route"),
    [
        ("seed", "documented /ai-kit", "documented /ai-kit"),
        ("hub", "hub /ai-kit", "native /ai-kit"),
        ("worker", "worker /ai-kit", "native-worker /ai-kit"),
    ],
)
async def test_a_hub_that_serves_one_dialect_only_is_found_and_remembered(
    served: str, route: str, edit_route: str, tmp_path: Path
) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text(f"extends: fast\nrules: {{dialect: {served}}}\n", encoding="utf-8")
    face = FACES["aigne-hub"]
    with start(tmp_path / "data", profile) as running:
        async with wire_to(face, running.origin) as wire:
            subject = face.subject(running.origin, wire, NOWHERE)
            plain = await subject.adapter.submit(make_order(subject), wire)
            edit = await subject.adapter.submit(make_order(subject, reference=_reference()), wire)
            assert isinstance(plain, Completed)
            assert isinstance(edit, Completed)
            assert (wire.recall("route"), wire.recall("edit-route")) == (route, edit_route)


def test_promises_are_sentences_and_each_stands_once() -> None:
    promises = [check.promise for check in CHECKS]
    assert all(promises)
    assert len(set(promises)) == len(promises)
    assert issubclass(BrokenPromiseError, AssertionError)


class SendsAgain(AllImages):
    """The bug of every careless client: what was not answered well is sent once more."""

    async def submit(self, order: Order, wire: Wire) -> Submission:
        first = await super().submit(order, wire)
        return await super().submit(order, wire) if isinstance(first, Unclear) else first


class TakesDoubtForNo(AllImages):
    """Says that nothing was accepted where nobody can know."""

    async def submit(self, order: Order, wire: Wire) -> Submission:
        found = await super().submit(order, wire)
        return Refused(failure=Failure(kind="provider", message="x")) if isinstance(found, Unclear) else found


class ForgetsTheToken(AllImages):
    """Sends no marker of ours."""

    async def submit(self, order: Order, wire: Wire) -> Submission:
        return await super().submit(replace(order, token="ib-aaaaaaaaaaaaaaaa"), wire)


class KnowsEverything(AllImages):
    """Takes an unknown generation for a pending one."""

    async def observe(self, generation: str, wire: Wire) -> Observation | None:
        seen = await super().observe(generation, wire)
        return seen or Observation(generation=generation, state="pending")


@pytest.mark.parametrize(
    ("mutant", "run"),
    [
        (SendsAgain, offline.statuses),
        (TakesDoubtForNo, offline.statuses),
        (TakesDoubtForNo, offline.strange_successes),
        (ForgetsTheToken, online.draws),
        (ForgetsTheToken, online.lists),
        (KnowsEverything, online.unknown_generation),
        (KnowsEverything, online.deletes),
    ],
)
async def test_the_kit_finds_planted_bugs(mutant: type[AllImages], run: object, simulator: SimulatorProcess) -> None:
    face = FACES["all-images"]
    check = next(check for check in CHECKS if check.run is run)
    async with wire_to(face, simulator.origin) as wire:
        broken = replace(
            face.subject(simulator.origin, wire, NOWHERE), build=lambda: mutant(face.settings(simulator.origin))
        )
        with pytest.raises(BrokenPromiseError):
            await check.run(broken)
