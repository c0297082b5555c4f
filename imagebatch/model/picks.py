"""What people decided: `picks.yaml` in the form that the stages use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from imagebatch.model.settings import Redo

PickOrigin = Literal["pick", "accept", "restore", "file"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """A choice, bound to bytes: `for_draw` is the draw fingerprint it was made for, `use` pictures' hashes in order;
    none of them where a person rejected all candidates.

    `accept` and `restore` say that these bytes stand for `for_draw` although another request drew them. `file` is the
    project path of a file of one's own.
    """

    for_draw: str
    use: tuple[str, ...]
    was: PickOrigin = "pick"
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picks:
    """The whole file, by address."""

    picks: Mapping[str, Pick] = field(default_factory=dict)
    redo: Mapping[str, Redo] = field(default_factory=dict)

    def choice(self, address: str, attempt: int) -> Pick | None:
        """What was decided for an address, as far as it is about its attempt of this number.

        A rejection names no bytes, so it would land on the very picture that was drawn in its place.
        """
        pick, redo = self.picks.get(address), self.redo.get(address)
        if pick is not None and not pick.use and redo is not None and attempt >= redo.attempt:
            return None
        return pick
