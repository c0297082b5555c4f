"""Chance: the jitter of waits, and names that nobody has yet."""

import random
import secrets
from typing import Protocol


class Chance(Protocol):
    """Where random numbers come from."""

    def fraction(self) -> float:
        """A number in [0, 1), for spreading requests; not for secrets."""
        ...

    def hex(self, count: int) -> str:
        """`count` random bytes as hex digits, which nobody can guess."""
        ...


class PlainChance:
    """The operating system's."""

    fraction = staticmethod(random.random)
    hex = staticmethod(secrets.token_hex)
