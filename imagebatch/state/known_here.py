"""What the planner may know on this machine: a ledger's draws, and a look into the store; pure."""

from collections.abc import Callable, Mapping, Sequence

from imagebatch.model.recorded import KnownDraw
from imagebatch.state.ledger import Ledger


class KnownHere:
    """The planner's `Known`: a ledger's draws, and a look into the store of pictures.

    `beside` is the ledger of a project that belongs to this one: what it drew is known here too.
    """

    def __init__(self, ledger: Ledger, has_bytes: Callable[[str], bool], beside: Ledger | None = None) -> None:
        self._ledger = ledger
        self._has_bytes = has_bytes
        self._beside = beside
        self._by_bytes: dict[str, set[str]] | None = None

    def draws(self, draw: str) -> tuple[KnownDraw, ...]:
        """All draws known for a fingerprint, the newest attempt first."""
        own = self._ledger.known(draw)
        if self._beside is None:
            return own
        tokens = {known.token for known in own}
        others = [known for known in self._beside.known(draw) if known.token not in tokens]
        return tuple(sorted((*own, *others), key=lambda known: -known.attempt)) if others else own

    def offering(self, sha256: str) -> tuple[KnownDraw, ...]:
        """All draws, of whatever fingerprint, among whose candidates are these bytes."""
        if self._by_bytes is None:  # seldom asked for, and then for several
            self._by_bytes = self._ledger.by_bytes()
            for other, draws in self._beside.by_bytes().items() if self._beside is not None else ():
                self._by_bytes.setdefault(other, set()).update(draws)
        found = sorted(self._by_bytes.get(sha256, ()))
        return tuple(known for draw in found for known in self.draws(draw) if sha256 in known.hashes())

    def has_bytes(self, sha256: str) -> bool:
        """Whether the store holds these bytes."""
        return self._has_bytes(sha256)

    def doubts(self) -> Mapping[str, Sequence[KnownDraw]]:
        """What was begun here and never settled, and what no lock entry speaks of."""
        return self._ledger.doubts()
