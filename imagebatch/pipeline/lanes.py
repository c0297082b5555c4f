"""Lanes for a run: each provider's wire, built only for those that are used, with its key checked first."""

import asyncio
from collections.abc import Mapping, MutableMapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from imagebatch.errors import ProviderError
from imagebatch.http.client import READ_BUDGET_S, ProviderWire
from imagebatch.http.downloader import Downloader
from imagebatch.http.limits import Gate
from imagebatch.http.trust import (
    Base,
    PictureRules,
    Trust,
    base_of,
    check_filled_target,
    check_key_target,
    parse_base,
    picture_rules,
)
from imagebatch.model.capabilities import Capabilities
from imagebatch.model.settings import ProviderSettings
from imagebatch.pipeline.keys import check_length
from imagebatch.pipeline.project import Project
from imagebatch.providers.base import Adapter
from imagebatch.run.lanes import Lane, Places

SIMULATOR_KEY = "simulator"
SIMULATOR_PATHS = {"all-images": "/all-images/v1", "aigne-hub": "/aigne-hub", "openai": "/openai/v1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a provider's calls go: the address, the key (None for none; a default in the project file is no secret),
    and where pictures may come from."""

    base: Base
    key: str | None
    secret: bool
    rules: PictureRules


def destination_of(project: Project, alias: str, trust: Trust) -> Destination:
    """Where the calls of a provider that is not simulated go, its key checked.

    Raises ProviderError where the key or the base address is missing, RefusedError where the key may not go there.
    """
    adapter = project.targets[alias].adapter
    settings, capabilities, variables = adapter.settings, adapter.capabilities, project.setup.variables
    base, source = base_of(
        capabilities=capabilities,
        base_url=_given_base(settings, capabilities, variables),
        environ=variables,
        alias=alias,
    )
    check_filled_target(capabilities=capabilities, base=base, trust=trust, variables=settings.filled, source=source)
    key, secret = _key(settings, adapter, variables, loopback=base.origin.loopback)
    if key is not None:
        check_key_target(
            capabilities=capabilities,
            base=base,
            trust=trust,
            variable=settings.key_variable,
            literal=not secret,
            source=source,
        )
        if secret and not base.origin.loopback:
            check_length(alias, settings.key_variable or capabilities.key_variable, key)
    rules = picture_rules(capabilities, base, trust, source=source)
    return Destination(base=base, key=key, secret=secret, rules=rules)


async def open_lane(
    stack: AsyncExitStack,
    project: Project,
    alias: str,
    *,
    simulator: str | None,
    memory: MutableMapping[str, str],
    trust: Trust,
    shared: asyncio.Semaphore | None = None,
    read_budget_s: float = READ_BUDGET_S,
) -> Lane:
    """One provider's lane; `simulator` is the simulator's origin where it runs, `shared` the places of all providers
    together, `read_budget_s` for how many seconds a reading is tried again.

    Raises ProviderError where the key or the base address is missing, RefusedError where the key may not go there.
    """
    target = project.targets[alias]
    settings = target.adapter.settings
    gate = Gate(settings.rate_limits)
    if target.simulated:
        if simulator is None:
            raise ValueError(f"the simulator does not run, and {alias} needs it")
        base = parse_base(simulator + SIMULATOR_PATHS[target.adapter.capabilities.type])
        to = Destination(base=base, key=SIMULATOR_KEY, secret=False, rules=PictureRules(origin=base.origin))
    else:
        to = destination_of(project, alias, trust)
    wire = ProviderWire(
        settings=settings,
        capabilities=target.adapter.capabilities,
        base=to.base,
        key=to.key,
        gate=gate,
        memory=memory,
        secret=to.secret,
        read_budget_s=read_budget_s,
    )
    await stack.enter_async_context(wire)
    downloader = await stack.enter_async_context(Downloader(to.rules, gate=gate))
    return Lane(
        alias=alias,
        type=target.type,
        settings=settings,
        adapter=target.adapter,
        wire=wire,
        downloader=downloader,
        gate=gate,
        places=Places(settings.max_concurrency, shared),
        origin="simulator" if target.simulated else str(to.base.origin),
        max_blocked=project.settings.brakes.max_blocked,
    )


def _given_base(settings: ProviderSettings, capabilities: Capabilities, variables: Mapping[str, str]) -> str | None:
    """The project's base address; None where it only repeats what the user's own variable says, who then decides."""
    own = variables.get(capabilities.base_variable, "") if capabilities.base_variable else ""
    return None if own and settings.base_url == own.rstrip("/") else settings.base_url


def _key(
    settings: ProviderSettings, adapter: Adapter, variables: Mapping[str, str], *, loopback: bool
) -> tuple[str | None, bool]:
    """The key, and whether it is a secret (a default in the project file is none)."""
    variable = settings.key_variable or adapter.capabilities.key_variable
    value = variables.get(variable, "").strip() if variable is not None else ""
    if value:
        return value, True
    if settings.key_default:
        return settings.key_default, False
    if loopback or variable is None or adapter.capabilities.key_optional:
        return None, True
    written = "without_key: simulate"
    if settings.place is None:  # a built-in provider that the project file does not mention yet
        written = f"providers: {{{settings.alias}: {{{written}}}}}"
    hints: tuple[str, ...] = (
        f"export {variable}=…",
        f"or draw with the simulator until it is set; in imagebatch.yaml, for {settings.alias}: {written}",
        "or rehearse, with lock and outputs apart: imagebatch --simulate apply",
    )
    if settings.without_key == "simulate":  # it would have been simulated, had CI not been set
        hints = (
            f"set {variable} in CI's secrets",
            "where CI is set nothing is simulated by accident: ask for it by --simulate or base_url: simulator",
        )
    raise ProviderError(
        "no key",
        f"The provider {settings.alias} needs a key, and the environment variable {variable} is not set. "
        "Nothing was sent.",
        hints=hints,
        code="provider.no_key",
    )
