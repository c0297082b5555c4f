"""What checkouts of one project were billed for, beside what their people asked for."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from random import Random
from urllib.parse import urlsplit

from imagebatch.state.ledger import Ledger
from tests.simulation.providers import Providers, Reply
from tests.simulation.virtual_time import VirtualClock

Asked = tuple[str, str]
"""A provider's alias, and a prompt."""
LISTS = "studio"
"""The alias of the provider that lists: there, checkouts find each other's draws."""

BLIND = "plain"
"""The alias of the provider whose bills carry nothing of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One billed create: which checkout sent it, what it asked for, and the token on the bill."""

    checkout: int
    asked: Asked
    token: str


class WatchedProviders(Providers):
    """The providers, with a note of who sent each create that they billed."""

    def __init__(self, clock: VirtualClock, random: Random) -> None:
        super().__init__(clock, random)
        self.checkout = 0
        self.drawn: list[Drawn] = []

    def handle(self, method: str, url: str, headers: Mapping[str, str], content: bytes) -> Reply:
        """Answer one request."""
        before = len(self.bills)
        reply = super().handle(method, url, headers, content)
        for bill in self.bills[before:]:
            if bill.step == "create":
                alias = urlsplit(url).path.strip("/").partition("/")[0]
                asked = (alias, str(json.loads(content)["prompt"]))
                self.drawn.append(Drawn(checkout=self.checkout, asked=asked, token=bill.token))
        return reply


@dataclass(slots=True, kw_only=True)
class Account:
    """What may be billed, and whether it is.

    `again` is how often a checkout's people asked for one more than the first; `in_vain` are pictures that were bought
    while nobody wanted them in full size; `closed` are tokens and things asked for of which a person said that they
    were not drawn, or are not wanted.
    """

    providers: WatchedProviders
    again: "Counter[tuple[int, Asked]]" = field(default_factory=Counter)
    in_vain: list[str] = field(default_factory=list)
    closed: set[str | tuple[int, Asked]] = field(default_factory=set)

    def ask_again(self, checkout: int, asked: Asked) -> None:
        """Somebody asked for one more draw."""
        self.again[checkout, asked] += 1

    def close(self, checkout: int, asked: Asked, token: str) -> None:
        """Somebody said of a draw in doubt that it was not made, or is not wanted: it may be made once more."""
        self.ask_again(checkout, asked)
        self.closed |= {(checkout, asked), token}

    def note_purchases(self, since: int, in_full: Collection[Asked]) -> None:
        """A run has ended: of the bills `since` its begin, purchases of what nobody wants `in_full` are noted."""
        for bill in self.providers.bills[since:]:
            token = bill.what.partition("/")[0]
            prompts = {str(one.body["prompt"]) for one in self.providers.generations.values() if one.token == token}
            if bill.step == "buy" and not prompts & {prompt for _, prompt in in_full}:
                self.in_vain.append(f"nobody wants it in full: {bill.what}")

    def too_often(self) -> list[str]:
        """In words, what was billed more often than it was asked for."""
        counts = self.providers.billed().items()
        found = [f"billed {count} times: {bill}" for bill, count in counts if count > self._most_of_token(bill.token)]
        drawn = Counter((one.checkout if one.asked[0] != LISTS else None, one.asked) for one in self.providers.drawn)
        for (checkout, asked), count in drawn.items():
            most = self._most(checkout, asked)
            if count > most:
                found.append(f"{asked} was drawn {count} times by {checkout}, and asked for {most} times")
        return found + self._bought_too_often()

    def _most_of_token(self, token: str) -> float:
        """How often one bill with a token is right; where the provider lists, two checkouts have one between them."""
        if any(one.asked[0] != LISTS for one in self.providers.drawn if one.token == token):
            return float("inf")  # by checkout and prompt, then
        return 1 + sum(one.deleted for one in self.providers.generations.values() if one.token == token)

    def _most(self, checkout: int | None, asked: Asked) -> int:
        again = sum(n for (who, what), n in self.again.items() if what == asked and checkout in {None, who})
        if asked[0] != LISTS:
            return 1 + again
        # What was deleted is drawn anew, and so is what failed where an older picture stands beside it.
        made = self.providers.generations.values()
        deleted = sum(one.deleted for one in made if one.body["prompt"] == asked[1])
        return 1 + again + deleted + ("fails" in asked[1])

    def _bought_too_often(self) -> list[str]:
        bought = [bill.what for bill in self.providers.bills if bill.step == "buy"]
        twice = Counter(what.rpartition("/")[0] for what in bought)
        return self.in_vain + [
            f"{count} pictures of one draw were bought: {draw}" for draw, count in twice.items() if count > 1
        ]

    def unaccounted(self, checkout: int, ledger: Ledger, fingerprint: Callable[[Asked], str]) -> list[str]:
        """In words, the billed creates of a checkout of which its lock, journal and draw index know nothing."""
        mine = [one for one in self.providers.drawn if one.checkout == checkout and not self._is_closed(one)]
        known = ledger.tokens()
        found = [
            f"billed, and nobody knows of it: {one}" for one in mine if one.asked[0] != BLIND and one.token not in known
        ]
        blind = Counter(one.asked for one in mine if one.asked[0] == BLIND)
        for asked, count in blind.items():  # these bills carry no token of ours
            here = len(ledger.draws(fingerprint(asked)))
            if count > here:
                found.append(f"{asked} was billed {count} times, and {here} of these are known")
        return found

    def _is_closed(self, one: Drawn) -> bool:
        return one.token in self.closed or (one.asked[0] == BLIND and (one.checkout, one.asked) in self.closed)
