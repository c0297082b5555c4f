"""How providers and network misbehave for a while: each weather is a set of chances, and calm is none of them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What may happen to one request; chances between 0 and 1."""

    busy: float = 0.0
    """It is answered with 429, half of the times with a `Retry-After`, and nothing is done."""
    down: float = 0.0
    """It is answered with 503, and nothing is done."""
    unreachable: float = 0.0
    """No connection is opened for it."""
    odd: float = 0.0
    """A generation that is not done shows a status that no page describes; seldom none at all."""
    strange: float = 0.0
    """A listing shows a generation twice, and generations of other people."""
    garbled: float = 0.0
    """A listing is answered with something else."""
    balance: bool = True
    """Whether the account tells what is left."""
    picky: float = 0.0
    """A prompt is refused with 400, which the next time it is not."""
    settles_s: float = 0.0
    """How long a billing record says `processing`, in seconds."""
    missing: float = 0.0
    """A reading of the billing records lacks some."""
    closed: float = 0.0
    """A reading of the billing records is refused with 403."""
    pictures: float = 0.0
    """A picture does not arrive: there is no connection, the answer is lost or cut off, it is answered with 429 or 503,
    or, for the first time that it is asked for, with 404 or with half of its bytes as if they were all."""


CALM = Weather()

WEATHERS: Mapping[str, Weather] = {
    "calm": CALM,
    "no balance": Weather(balance=False),
    "busy": Weather(busy=0.4),
    "down": Weather(down=0.35),
    "unreachable": Weather(unreachable=0.75),
    "odd": Weather(odd=0.7, strange=0.5),
    "garbled": Weather(garbled=0.5, strange=0.5),
    "picky": Weather(picky=0.6, settles_s=0.5),
    "slow to settle": Weather(down=0.25, settles_s=40.0, closed=0.1),
    "forgetful": Weather(down=0.25, missing=0.4, closed=0.2),
    "torn pictures": Weather(pictures=0.6, busy=0.1),
    "everything": Weather(
        pictures=0.2, busy=0.1, down=0.1, unreachable=0.4, odd=0.3, strange=0.3, garbled=0.2, picky=0.2, settles_s=2.0,
        missing=0.1, closed=0.1,
    ),
}  # fmt: skip
