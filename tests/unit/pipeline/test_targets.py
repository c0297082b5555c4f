"""Providers of a project, made when they are asked for."""

from dataclasses import replace

import pytest

from imagebatch.model.capabilities import Capabilities
from imagebatch.model.settings import ProviderSettings
from imagebatch.model.variant import Place
from imagebatch.pipeline.targets import Abilities, Targets
from imagebatch.providers import registry
from imagebatch.providers.target import Target

HERE = Place(path="imagebatch.yaml", line=4, column=3)
BUILT_IN = {name: ProviderSettings(alias=name, type=name) for name in ("aigne-hub", "all-images", "openai")}


class Workshop:
    """Makes targets, and remembers for whom."""

    def __init__(self, *, simulated: tuple[str, ...] = ()) -> None:
        self.simulated = simulated
        self.made: list[str] = []

    def make(self, settings: ProviderSettings) -> Target:
        self.made.append(settings.alias)
        return Target(adapter=registry.build(settings), simulated=settings.alias in self.simulated)


def test_what_nobody_declared_or_uses_is_not_made() -> None:
    shop = Workshop()
    studio = ProviderSettings(alias="studio", type="all-images", place=HERE)
    targets = Targets({**BUILT_IN, "studio": studio}, shop.make)
    assert shop.made == ["studio"]
    assert set(targets) == {*BUILT_IN, "studio"}
    assert len(targets) == 4
    assert "openai" in targets
    assert "nobody" not in targets
    assert shop.made == ["studio"]
    assert targets["openai"] is targets["openai"]
    assert shop.made == ["studio", "openai"]
    assert targets.get("nobody") is None


def test_a_declared_provider_with_a_fault_is_told_at_once() -> None:
    odd = ProviderSettings(alias="odd", type="no-such-type", place=HERE)
    with pytest.raises(Exception, match="provider type"):
        Targets({"odd": odd}, Workshop().make)


def test_a_type_is_known_with_and_without_the_simulator() -> None:
    abilities = Abilities(Targets(BUILT_IN, Workshop(simulated=("all-images",)).make))
    found = abilities["all-images"]
    assert isinstance(found, Capabilities)
    assert abilities["simulator:all-images"] == found
    assert found.type == "all-images"
    assert set(abilities) == {*BUILT_IN, *(f"simulator:{name}" for name in BUILT_IN)}
    assert len(abilities) == 6
    assert abilities.get("nobody") is None


def test_of_two_providers_of_a_type_the_one_that_draws_as_the_lock_says_counts() -> None:
    real = ProviderSettings(alias="real", type="openai", place=HERE, options={"capabilities": {"max_prompt": 77}})
    other = replace(real, alias="other", options={"capabilities": {"max_prompt": 99}})
    abilities = Abilities(Targets({"real": real, "other": other}, Workshop(simulated=("other",)).make))
    assert abilities["openai"].max_prompt == 77
    assert abilities["simulator:openai"].max_prompt == 99
