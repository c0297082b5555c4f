"""The providers of a project with their adapters, each made when it is first asked for.

Every built-in type is also a provider of its name, and a project uses one or two of them: importing the other adapters
would be a tenth of a plan's start.
"""

from collections.abc import Callable, Iterator, Mapping

from imagebatch.model.capabilities import Capabilities
from imagebatch.model.settings import ProviderSettings
from imagebatch.providers.registry import SIMULATED
from imagebatch.providers.target import Target


class Targets(Mapping[str, Target]):
    """Targets by alias. What the project file declares is made at once, so that its faults are told."""

    def __init__(self, providers: Mapping[str, ProviderSettings], make: Callable[[ProviderSettings], Target]) -> None:
        self.providers = providers
        self._make = make
        self._made = {alias: make(settings) for alias, settings in providers.items() if settings.place is not None}

    def __getitem__(self, alias: str) -> Target:
        found = self._made.get(alias)
        if found is None:
            found = self._made[alias] = self._make(self.providers[alias])
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.providers)

    def __len__(self) -> int:
        return len(self.providers)

    def __contains__(self, alias: object) -> bool:
        return alias in self.providers


class Abilities(Mapping[str, Capabilities]):
    """What each provider type can do, as this project's own provider of that type does it.

    A type is known with and without the simulator in its name: the lock may speak of one that is simulated today and
    was not yesterday.
    """

    def __init__(self, targets: Targets) -> None:
        self._targets = targets

    def __getitem__(self, type_: str) -> Capabilities:
        plain = type_.removeprefix(SIMULATED)
        known = self._targets.providers
        aliases = [alias for alias, settings in known.items() if settings.type.removeprefix(SIMULATED) == plain]
        if not aliases:
            raise KeyError(type_)
        exact = [alias for alias in aliases if self._targets[alias].type == type_]
        return self._targets[exact[-1] if exact else aliases[0]].adapter.capabilities

    def __iter__(self) -> Iterator[str]:
        plain = dict.fromkeys(one.type.removeprefix(SIMULATED) for one in self._targets.providers.values())
        return iter([*plain, *(SIMULATED + type_ for type_ in plain)])

    def __len__(self) -> int:
        return sum(1 for _ in self)
