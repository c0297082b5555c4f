"""What the ledger asks of the draw index; pure."""

from collections.abc import Iterable
from typing import Protocol

from imagebatch.state.attempts import Attempt


class PastDraws(Protocol):
    """The draw index, as far as the ledger asks it."""

    def by_draw(self, draw: str) -> tuple[Attempt, ...]:
        """All attempts that were ever accepted for a fingerprint."""
        ...

    def by_token(self, token: str) -> Attempt | None:
        """The attempt with this token, if it was ever accepted."""
        ...

    def every(self) -> Iterable[Attempt]:
        """All attempts that were ever accepted."""
        ...


class NoPast:
    """No draw index: a machine that never drew."""

    def by_draw(self, draw: str) -> tuple[Attempt, ...]:
        """Nothing, whatever the fingerprint."""
        del draw
        return ()

    def by_token(self, token: str) -> Attempt | None:
        """Nothing, whatever the token."""
        del token
        return None

    def every(self) -> tuple[Attempt, ...]:
        """Nothing."""
        return ()
