"""What the journal's mirror holds: of every token that another machine could not know of otherwise, its events; pure.

A token stands there from its intent on. What certainly was not taken leaves at the next push. What was paid for stays,
also once its block is in a lock that was pushed: a clone that has not pulled yet knows nothing of that. Bytes are not
mirrored: what a provider does not keep is lost with its machine, and is said to be.
"""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from imagebatch.errors import StateError
from imagebatch.model.canonical import Json
from imagebatch.model.event import Abandoned, Accepted, Doubted, Event, Intended, Observed, Refused
from imagebatch.model.token import TOKEN_PATTERN
from imagebatch.state.attempts import Attempt
from imagebatch.state.ledger import Ledger
from imagebatch.state.records import decode_event, encode_event
from imagebatch.state.strict import Fields, compact, parse_json

VERSION: Final = 1
MOST_SETTLED: Final = 2000
_FORMAT: Final = "imagebatch-journal-mirror"
Mirrored = Intended | Accepted | Refused | Doubted | Abandoned | Observed


class Mirror:
    """The events of each token, in the order in which the tokens were first heard of."""

    def __init__(self, lineage: str, events: Iterable[Mirrored] = ()) -> None:
        self._lineage = lineage
        self._events: dict[str, list[Mirrored]] = {}
        self._folds: dict[str, Attempt] = {}
        for event in events:
            self.take(event)

    def take(self, event: Event) -> None:
        """Hear of an event; only what tells whether something was paid is kept, from its intent on."""
        if not isinstance(event, Mirrored) or (not isinstance(event, Intended) and event.token not in self._events):
            return
        before = self._folds.get(event.token) or Attempt(token=event.token)
        self._folds[event.token] = before.after(event, self._lineage)
        self._events.setdefault(event.token, []).append(event)

    def __contains__(self, token: object) -> bool:
        return token in self._events

    def __len__(self) -> int:
        return len(self._events)

    def receipts(self) -> tuple[str, ...]:
        """The tokens that were paid for, as far as is known: they leave for nothing but their age."""
        return tuple(token for token, fold in self._folds.items() if not fold.steps and fold.phase != "closed")

    def __iter__(self) -> Iterator[str]:
        return iter(self._events)

    def events_of(self, token: str) -> tuple[Mirrored, ...]:
        """What was heard of a token."""
        return tuple(self._events.get(token, ()))

    def open_step(self, token: str) -> Intended | None:
        """The newest paid step of a token that was begun and never settled."""
        steps = self._folds[token].steps
        return steps[-1] if steps else None

    def forget(self) -> None:
        """Leave out what was not taken, and of settled tokens all but the newest, so that the mirror has an end."""
        settled = [token for token, fold in self._folds.items() if not fold.steps]
        gone = {token for token in settled if self._folds[token].phase == "closed"}
        left = [token for token in settled if token not in gone]
        for token in (*gone, *left[: max(0, len(left) - MOST_SETTLED)]):
            del self._events[token], self._folds[token]

    def encode(self) -> bytes:
        """The mirror as bytes: a line that says what it is, then an event a line; no bytes for no event."""
        if not self._events:
            return b""
        head: dict[str, Json] = {"format": _FORMAT, "version": VERSION, "lineage": self._lineage}
        lines = [compact(head), *(encode_event(event) for events in self._events.values() for event in events)]
        return "".join(f"{line}\n" for line in lines).encode()


def decode_mirror(data: bytes, lineage: str, remote: str) -> Mirror:
    """The mirror of these bytes, from `remote`.

    Raises StateError (`journal.mirror_corrupt`) where they are none of this project's.
    """
    if not data:
        return Mirror(lineage)
    try:
        head, *lines = data.decode().removesuffix("\n").split("\n")
        _check_head(Fields(parse_json(head)), lineage)
        return Mirror(lineage, map(_event, lines))
    except (ValueError, StateError) as error:
        raise StateError(
            "the journal's mirror cannot be read",
            f"What the remote holds of other runs makes no sense: {error}. It may tell of paid pictures, so nothing is "
            "sent.",
            hints=(f"Look at the refs: git ls-remote {shlex.quote(remote)} 'refs/imagebatch/*'",),
            code="journal.mirror_corrupt",
        ) from None


def begun(events: Iterable[Event]) -> dict[str, list[Mirrored]]:
    """The events of each token that has an intent among them."""
    found: dict[str, list[Mirrored]] = {}
    for event in events:
        if isinstance(event, Mirrored) and (isinstance(event, Intended) or event.token in found):
            found.setdefault(event.token, []).append(event)
    return found


def further(own: Sequence[Mirrored], theirs: Sequence[Mirrored]) -> Sequence[Mirrored]:
    """What another machine's record of a token tells beyond this one's; nothing where this one's tells anything else.

    That somebody doubts tells nothing.
    """
    known = {_told(event) for event in own if not isinstance(event, Doubted)}
    if not known <= {_told(event) for event in theirs}:
        return ()
    return tuple(event for event in theirs if _told(event) not in known and not isinstance(event, Doubted))


def _told(event: Mirrored) -> tuple[object, ...]:
    """What an event says, without how it was addressed, priced or worded on its machine."""
    names = ("step", "attempt", "part", "candidate", "generation", "status")
    return (type(event), *(getattr(event, name, None) for name in names))


def news(mirror: Mirror, ledger: Ledger) -> Sequence[Mirrored]:
    """The events of the mirror that this machine has not heard of and that its lock does not tell, either."""
    strange = [token for token in mirror if ledger.attempt(token) is None]
    known = ledger.tokens() if strange else frozenset()
    found: list[Mirrored] = []
    for token in strange:
        step = mirror.open_step(token)
        if token not in known or (step is not None and step.step != "create"):
            found += mirror.events_of(token)
    return found


def _check_head(fields: Fields, lineage: str) -> None:
    if fields.text("format") != _FORMAT or fields.text("lineage") != lineage:
        raise ValueError("it belongs to something else")
    version = fields.number("version")
    if version != VERSION:
        raise ValueError(f"it has version {version}, and this imagebatch reads version {VERSION}")


def _event(line: str) -> Mirrored:
    event = decode_event(line)
    if not isinstance(event, Mirrored) or not TOKEN_PATTERN.fullmatch(event.token):
        raise ValueError(f"a line of it is no event of a token: {line[:60]!r}")
    return event
