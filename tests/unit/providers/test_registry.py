"""Which types there are, what a plug-in must keep to, and what `plan` may import."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from typing import ClassVar

import pytest

from imagebatch.errors import ProviderError
from imagebatch.model.capabilities import Capabilities
from imagebatch.model.settings import ProviderSettings
from imagebatch.providers import registry
from imagebatch.providers.prices import table


class Plugin:
    """An adapter from another package."""

    declared: ClassVar[Capabilities] = Capabilities(type="other", answers="now", witness="none")

    def __init__(self, settings: ProviderSettings) -> None:
        self.settings = settings
        self.capabilities = self.declared


class Boaster(Plugin):
    """An adapter that declares what it cannot do."""

    declared: ClassVar[Capabilities] = Capabilities(type="boaster", answers="later", witness="list", can_buy=True)


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    found = EntryPoints(
        EntryPoint(name=name, value=value, group=registry.GROUP)
        for name, value in {
            "other": f"{__name__}:Plugin",
            "boaster": f"{__name__}:Boaster",
            "broken": "no_such_module:X",
            "misnamed": f"{__name__}:Plugin",
            "openai": f"{__name__}:Plugin",
        }.items()
    )
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: found)
    monkeypatch.setitem(sys.modules, __name__, sys.modules[Plugin.__module__])
    registry._plugins.cache_clear()
    registry._adapter_class.cache_clear()
    yield
    registry._plugins.cache_clear()
    registry._adapter_class.cache_clear()


@pytest.mark.parametrize("type_", ["all-images", "aigne-hub", "openai"])
def test_declared_abilities_are_those_that_the_adapter_has(type_: str) -> None:
    adapter = registry.build(ProviderSettings(alias="x", type=type_))
    assert registry.disagreements(adapter) == ()
    assert registry.capabilities(type_).type == type_
    assert adapter.capabilities.type == type_


def test_a_simulated_type_has_the_adapter_of_the_real_one() -> None:
    adapter = registry.build(ProviderSettings(alias="x", type="simulator:all-images"))
    assert adapter.capabilities.type == "all-images"


def test_an_unknown_type_names_the_nearest() -> None:
    with pytest.raises(ProviderError) as caught:
        registry.build(ProviderSettings(alias="x", type="all-image"))
    assert caught.value.hints == ("did you mean all-images?",)


@pytest.mark.usefixtures("plugins")
def test_a_plug_in_is_a_type_like_any_other_and_never_replaces_a_built_in_one() -> None:
    assert registry.types() == ("aigne-hub", "all-images", "boaster", "broken", "misnamed", "openai", "other")
    assert isinstance(registry.build(ProviderSettings(alias="x", type="other")), Plugin)
    assert not isinstance(registry.build(ProviderSettings(alias="x", type="openai")), Plugin)


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize(
    ("type_", "said"),
    [
        ("broken", "no_such_module"),
        ("misnamed", "Capabilities of this type"),
        ("boaster", "has no method list_page|can_buy|observe"),
    ],
)
def test_a_plug_in_that_cannot_be_used_is_an_error_with_its_name(type_: str, said: str) -> None:
    with pytest.raises(ProviderError, match=said) as caught:
        registry.build(ProviderSettings(alias="x", type=type_))
    assert type_ in caught.value.detail


def test_encoding_imports_neither_the_network_nor_an_event_loop() -> None:
    program = (
        "import sys\n"
        "from imagebatch.model.settings import ProviderSettings\n"
        "from imagebatch.providers import registry\n"
        "for type_ in ('all-images', 'aigne-hub', 'openai'):\n"
        "    adapter = registry.build(ProviderSettings(alias='x', type=type_))\n"
        "    adapter.encode({'model': 'gpt-image-2', 'size': '1024x1024', 'quality': 'low'}, 0)\n"
        "heavy = ('httpx', 'aiohttp', 'asyncio', 'PIL', 'email', 'importlib.metadata')\n"
        "print([name for name in heavy if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["openai", "aigne_hub", "all_images"])
def test_every_price_says_who_says_so_and_when(name: str) -> None:
    for rows in table(name).values():
        for row in rows:
            assert row["source"]
            assert row["read_on"].isoformat() >= "2026-01-01"


@pytest.mark.parametrize("key", ["mount", "dialect", "extra_body", "capabilities"])
def test_all_images_refuses_keys_that_only_other_types_know(key: str) -> None:
    settings = ProviderSettings(alias="studio", type="all-images", options={key: {}})
    with pytest.raises(ProviderError) as caught:
        registry.build(settings)
    assert caught.value.detail == f"providers.studio.{key} is no key of the type all-images."
