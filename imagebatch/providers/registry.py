"""Which provider types there are: the built-in ones, and those that installed packages offer.

A package offers one by an entry point in the group `imagebatch.providers`: the entry's name is the type, its value a
class with the class attribute `declared` (its `Capabilities`) that is called with `ProviderSettings`.
"""

from functools import cache
from importlib import import_module
from typing import Protocol, cast

from imagebatch.errors import ProviderError
from imagebatch.model.capabilities import Capabilities
from imagebatch.model.settings import ProviderSettings
from imagebatch.providers.base import (
    Adapter,
    CanBuy,
    CanCheck,
    CanDelete,
    CanList,
    CanObserve,
    CanRetry,
    CanTellLeft,
    CanUpdate,
    CanWitness,
)
from imagebatch.providers.params import nearest

GROUP = "imagebatch.providers"
SIMULATED = "simulator:"

_BUILT_IN = {
    "aigne-hub": ("imagebatch.providers.aigne_hub", "AigneHub"),
    "all-images": ("imagebatch.providers.all_images", "AllImages"),
    "openai": ("imagebatch.providers.openai", "OpenAI"),
}


class AdapterClass(Protocol):
    """What an entry point names: something that declares its abilities and makes adapters."""

    declared: Capabilities

    def __call__(self, settings: ProviderSettings) -> Adapter: ...


def types() -> tuple[str, ...]:
    """All known types, sorted; a built-in one cannot be replaced by a plug-in of its name."""
    return tuple(sorted({*_BUILT_IN, *_plugins()}))


def is_built_in(type_: str) -> bool:
    """Whether a type is ours, a simulated one too."""
    return _plain(type_) in _BUILT_IN


def built_in_class(type_: str) -> str:
    """The full name of a built-in type's adapter class; nothing is imported for it."""
    return ".".join(_BUILT_IN[type_])


def capabilities(type_: str) -> Capabilities:
    """What a type can do at its public address; an instance may differ (`build(…).capabilities`)."""
    return _adapter_class(_plain(type_)).declared


def build(settings: ProviderSettings) -> Adapter:
    """The adapter for one provider of a project.

    Raises ProviderError for a type that nobody offers, for options that the type does not know, and for a plug-in
    whose abilities are not those it declares.
    """
    type_ = _plain(settings.type)
    if type_ in _BUILT_IN:
        return _adapter_class(type_)(settings)
    try:
        adapter = _adapter_class(type_)(settings)
        faults = disagreements(adapter)
    except ProviderError:
        raise
    except (Exception, SystemExit) as error:
        raise _broken(type_, _plugins()[type_], f"{type(error).__name__}: {error}") from error
    if faults:
        raise ProviderError(
            "a plug-in does not do what it declares",
            f"The provider type {type_!r} cannot be used: {'; '.join(faults)}.",
            hints=("tell the plug-in's author, or remove the package",),
            code="provider.plugin",
        )
    return adapter


def disagreements(adapter: Adapter) -> tuple[str, ...]:
    """Where an adapter's declared abilities and its methods differ, in plain words; empty where they agree."""
    told = adapter.capabilities
    pairs = (
        ("can_list", told.can_list, isinstance(adapter, CanList), "list_page"),
        ("can_update", told.can_update, isinstance(adapter, CanUpdate), "update"),
        ("can_retry", told.can_retry, isinstance(adapter, CanRetry), "retry"),
        ("can_delete", told.can_delete, isinstance(adapter, CanDelete), "delete"),
        ("can_buy", told.can_buy, isinstance(adapter, CanBuy), "buy"),
        ("can_check", told.can_check, isinstance(adapter, CanCheck), "check"),
        ("answers: later", told.answers == "later", isinstance(adapter, CanObserve), "observe"),
        ("tells_left", told.tells_left, isinstance(adapter, CanTellLeft), "creates_left"),
        ("witness: billing", told.witness == "billing", isinstance(adapter, CanWitness), "billing_record"),
    )
    found = [
        f"it declares {ability} and has no method {method}"
        if declared
        else f"it has the method {method} and does not declare {ability}"
        for ability, declared, there, method in pairs
        if declared != there
    ]
    if told.witness == "list" and not told.can_list:
        found.append("its witness is the list, and it cannot list")
    if told.can_balance and not told.can_check:
        found.append("it tells a balance, and has no check to tell it by")
    if told.balance_unit is not None and not told.can_balance:
        found.append("it names the unit of a balance, and tells none")
    if any(resolution != "preview" for resolution in told.resolutions) and not told.can_buy:
        found.append("it names resolutions that cost extra, and cannot buy")
    return tuple(found)


def _plain(type_: str) -> str:
    return type_.removeprefix(SIMULATED)


@cache
def _adapter_class(type_: str) -> AdapterClass:
    if type_ in _BUILT_IN:
        module, name = _BUILT_IN[type_]
        return cast("AdapterClass", getattr(import_module(module), name))
    plugins = _plugins()
    if type_ not in plugins:
        known = types()
        close = nearest(type_, known)
        raise ProviderError(
            "unknown provider type",
            f"Nothing here serves the provider type {type_!r}; known are {', '.join(known)}.",
            hints=(f"did you mean {close}?" if close else "install the package that offers it",),
            code="provider.unknown_type",
        )
    return _loaded(type_, plugins[type_])


def _loaded(type_: str, value: str) -> AdapterClass:
    module, _, name = value.partition(":")
    try:
        found = getattr(import_module(module.strip()), name.strip())
        declared = found.declared
    except (Exception, SystemExit) as error:  # a stranger's import may raise anything, and no traceback reaches a user
        raise _broken(type_, value, f"{type(error).__name__}: {error}") from error
    if not isinstance(declared, Capabilities) or declared.type != type_:
        raise _broken(type_, value, "its attribute `declared` is not the Capabilities of this type")
    return cast("AdapterClass", found)


def _broken(type_: str, value: str, why: str) -> ProviderError:
    return ProviderError(
        "a plug-in cannot be loaded",
        f"The provider type {type_!r} comes from {value}: {why}.",
        hints=("reinstall or remove the package that offers it",),
        code="provider.plugin",
    )


@cache
def _plugins() -> dict[str, str]:
    # Imported here: reading the metadata of all installed packages costs more than the whole of `plan` for built-ins.
    from importlib.metadata import entry_points

    return {entry.name: entry.value for entry in entry_points(group=GROUP)}
