"""At which provider a generation is asked about: an alias may be renamed, an address may move to another account.

One rule. A generation is asked about at the alias that the lock names, for as long as that is declared with its type.
Once it is not, the alias that the manifest wants may be the same account under another name: it is asked, and the lock
names it from the moment on at which it has shown the generation with our token. Until then the lock keeps the old name,
so that declaring that again is all it takes, and what the new one does not know proves nothing. Where nothing can ever
be asked, because the provider answers at once and keeps nothing, the new name is written down at once.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from imagebatch.plan.reasons import SIMULATED


@dataclass(frozen=True, slots=True, kw_only=True)
class Aliases:
    """The provider aliases that the project declares, with their types; `at_once` are the types that keep nothing."""

    declared: Mapping[str, str] = field(default_factory=dict)
    at_once: AbstractSet[str] = frozenset()

    def asked_at(self, recorded: str, kind: str, wanted: str) -> str:
        """The alias to ask about a generation of type `kind` drawn at `recorded`, for an address that wants `wanted`.

        Its own while that is declared: no other account knows it. Else that of today, which may know it.
        """
        return recorded if self.declared.get(recorded) == kind.removeprefix(SIMULATED) else wanted

    def renamed(self, recorded: str, kind: str, wanted: str) -> bool:
        """Whether `wanted` takes the place of `recorded` in the lock without being asked."""
        plain = kind.removeprefix(SIMULATED)
        if recorded == wanted or plain not in self.at_once or self.declared.get(wanted) != plain:
            return False
        return self.asked_at(recorded, kind, wanted) == wanted

    def not_to_be_asked(self, recorded: str, kind: str) -> str:
        """Why `recorded` is not asked about a generation of type `kind`, and what a person can do about it."""
        plain, now = kind.removeprefix(SIMULATED), self.declared.get(recorded)
        if now is None:
            return f"{recorded}, which imagebatch.yaml no longer declares: declare it again"
        return f"{recorded}, which is of type {now} in imagebatch.yaml now: declare it with type {plain} again"
