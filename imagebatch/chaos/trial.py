"""What is tried: one provider type, the server that it speaks to, and a small project that draws with it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from imagebatch.chaos.weather import WINDOW_S
from imagebatch.errors import RefusedError, UsageError
from imagebatch.http.trust import parse_base
from imagebatch.model.canonical import Json
from imagebatch.model.capabilities import Capabilities
from imagebatch.model.settings import ProviderSettings
from imagebatch.pipeline.lanes import SIMULATOR_PATHS
from imagebatch.providers import registry
from imagebatch.providers.base import Adapter

ALIAS: Final = "subject"
KEY: Final = "chaos"
IN_FLIGHT: Final = 3
ORIGIN_VARIABLE: Final = "CHAOS_BASE"
_THINGS: Final = ("fox", "owl", "hare", "crane", "lynx", "seal")
# A request that each face of the simulator draws.
_USUAL_PARAMS: Final[Mapping[str, Mapping[str, Json]]] = {
    "all-images": {"format": "1:1"},
    "aigne-hub": {"model": "openai/gpt-image-2", "size": "1024x640", "output_format": "jpeg"},
    "openai": {"model": "gpt-image-2", "size": "1024x640", "quality": "low", "output_format": "jpeg"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a type before it is tried: the simulator's API that it speaks, whether it finds again what it
    drew, a resolution that it sells."""

    speaks: str | None
    can_list: bool
    sells: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One proof: the type, where it is tried, how often, and for how long.

    `face` is the simulator's API that the type speaks, None where `base_url` names a server of the author's own.
    `params` is a request that the server draws. `runs` is how many runs are killed in each of `profiles`; none begins
    once `seconds` have passed, and one under way is given up then. `can_list` says whether the type finds again what it
    drew, `sells` a resolution that it sells.
    """

    type: str
    face: str | None
    base_url: str | None = None
    params: Mapping[str, Json] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()
    seed: int = 1
    runs: int = 3
    seconds: float = 600.0
    can_list: bool = False
    sells: str | None = None

    @property
    def path(self) -> str:
        """Where the simulator serves the type."""
        return SIMULATOR_PATHS[self.face] if self.face is not None else ""

    def settings(self, base: str) -> ProviderSettings:
        """The provider's settings at a base address."""
        return ProviderSettings(alias=ALIAS, type=self.type, base_url=base)


def plan_trial(
    type_: str,
    known: Known,
    *,
    face: str | None = None,
    base_url: str | None = None,
    params: Mapping[str, Json] | None = None,
    profiles: tuple[str, ...],
    seed: int,
    runs: int,
    seconds: float,
) -> Trial:
    """What is to be tried, from what a person said of it.

    Raises RefusedError for a server that is not on this machine, UsageError where it is not known which of the
    simulator's APIs the type speaks.
    """
    if base_url is not None:
        _refuse_elsewhere(base_url)
        return Trial(
            type=type_, face=None, base_url=base_url.rstrip("/"), params=params or {}, profiles=("as served",),
            seed=seed, runs=runs, seconds=seconds, can_list=known.can_list, sells=known.sells,
        )  # fmt: skip
    found = face or known.speaks
    if found is None:
        raise UsageError(
            "it is not known which API the provider speaks",
            f"{type_} is none of the built-in types and extends none of their adapters, so it is not known which of "
            f"the simulator's APIs it can be tried on: {', '.join(SIMULATOR_PATHS)}.",
            hints=(
                f"imagebatch doctor --chaos {type_} --face openai",
                f"or start a server of your own: imagebatch doctor --chaos {type_} --base-url http://127.0.0.1:8000",
            ),
            code="chaos.face",
        )
    return Trial(
        type=type_, face=found, params=params or _USUAL_PARAMS[found], profiles=profiles, seed=seed, runs=runs,
        seconds=seconds, can_list=known.can_list, sells=known.sells,
    )  # fmt: skip


def look_at(type_: str) -> Known:
    """Load a type and look what it says of itself.

    Raises ProviderError for one that nobody offers, or that cannot be loaded.
    """
    ability = registry.capabilities(type_)
    return Known(
        speaks=_spoken(type_, ability),
        can_list=ability.witness == "list",
        sells=next((one for one in ability.resolutions if one != "preview"), None),
    )


def _spoken(type_: str, capabilities: Capabilities) -> str | None:
    """The simulator's API for a type: its own, or that of the built-in adapter that it extends."""
    if type_ in SIMULATOR_PATHS:
        return type_
    adapter: Adapter = registry.build(
        ProviderSettings(alias=ALIAS, type=type_, base_url=capabilities.public_base or "http://127.0.0.1:9")
    )
    extended = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(adapter).__mro__}
    own = {face: registry.built_in_class(face) for face in SIMULATOR_PATHS}
    return next((face for face, name in own.items() if name in extended), None)


def _refuse_elsewhere(base_url: str) -> None:
    try:
        loopback = parse_base(base_url).origin.loopback
    except ValueError as error:
        raise UsageError("base address not usable", f"{error}.", code="provider.bad_base") from None
    if not loopback:
        raise RefusedError(
            "not on this machine",
            f"{base_url} is not a server on this machine. Runs are killed here while they pay, many times over, so "
            "nothing but a test server on loopback is tried.",
            hints=("imagebatch doctor --chaos TYPE --base-url http://127.0.0.1:8000",),
            code="chaos.not_loopback",
        )


def project_files(trial: Trial, *, number: int) -> dict[str, str]:
    """The files of the project that is drawn, by path: a picture each, one bought where the provider sells.

    On a server of the author's own, which lives through all runs, each run is a project of its own by its `number`; the
    simulator begins anew with each, so that the runs can be compared letter by letter.
    """
    params = json.dumps(dict(trial.params))
    assets = {
        "animal": 'prompt: "A {{ thing }} in snow"\n    matrix: {thing: [' + ", ".join(_THINGS) + "]}",
        "print": 'prompt: "A lake at dawn"' + (f"\n    resolution: {trial.sells}" if trial.sells else ""),
    }
    manifest = "".join(f"  {name}:\n    {text}\n    params: {params}\n" for name, text in assets.items())
    settings = (
        f'{{type: {trial.type}, base_url: "${{{ORIGIN_VARIABLE}}}", api_key: "${{CHAOS_KEY:-{KEY}}}", '
        f"consistency_window: {WINDOW_S}s, max_concurrency: {IN_FLIGHT}, deadline: 60s}}"
    )
    return {
        "imagebatch.yaml": f"version: 1\nlineage: {_lineage(trial, number)}\nproviders:\n  {ALIAS}: {settings}\n"
        f"defaults: {{provider: {ALIAS}}}\nbrakes: {{max_redraws: 100%}}\n",
        "manifests/all.yaml": f"assets:\n{manifest}",
    }


def _lineage(trial: Trial, number: int) -> str:
    about = f"chaos {trial.seed} {number if trial.base_url is not None else ''}"
    return hashlib.sha256(about.encode()).hexdigest()[:32]
