"""At which provider a generation is asked about: an alias may be renamed, an address may move to another account."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from imagebatch.plan.reasons import SIMULATED


@dataclass(frozen=True, slots=True, kw_only=True)
class Aliases:
    """The provider aliases that the project declares, with their types."""

    declared: Mapping[str, str] = field(default_factory=dict)

    def asked_at(self, recorded: str, kind: str, wanted: str) -> str:
        """The alias of a generation of type `kind` that was drawn at `recorded`, for an address that wants `wanted`.

        Its own while that is declared: no other account knows it. One that is declared no more has been renamed.
        """
        return recorded if self.declared.get(recorded) == kind.removeprefix(SIMULATED) else wanted
