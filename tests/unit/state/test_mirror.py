"""What the journal's mirror holds, and what another machine learns from it."""

from typing import Any

import pytest

from imagebatch.errors import StateError
from imagebatch.model.event import Abandoned, Accepted, Doubted, Event, Kept, Observed, Refused
from imagebatch.model.generation import Failure
from imagebatch.model.token import make_token
from imagebatch.state import mirror as module
from imagebatch.state.ledger import Ledger
from imagebatch.state.lockfile import empty_lock
from imagebatch.state.mirror import Mirror, Mirrored, decode_mirror, further, news
from tests.unit.state.worlds import DRAW, LINEAGE, OTHER, TOKEN, entry, intended

TAKEN = Accepted(step="create", token=TOKEN, attempt=1, generation="6f0c-77")
DONE = Observed(token=TOKEN, status="succeeded")
UNTAKEN = Refused(step="create", token=TOKEN, failure=Failure(kind="rejected", message="no"))
LOST = Doubted(step="create", token=TOKEN, why="the answer was lost")


def mirror(*events: Event) -> Mirror:
    made = Mirror(LINEAGE)
    for event in events:
        made.take(event)
    return made


def ledger(*events: Event, **entries: Any) -> Ledger:
    lock = empty_lock(LINEAGE).with_changes(entries, set()) if entries else empty_lock(LINEAGE)
    return Ledger(lock, events)


def test_it_is_read_as_it_was_written() -> None:
    written = mirror(intended(), LOST)
    found = decode_mirror(written.encode(), LINEAGE, "origin")
    assert found.events_of(TOKEN) == (intended(), LOST)
    assert found.encode() == written.encode()
    assert list(decode_mirror(b"", LINEAGE, "origin")) == []


def test_only_what_tells_of_money_is_in_it_from_its_intent_on() -> None:
    assert mirror(TAKEN, Kept(address="hero", entry=entry()), Abandoned(token=TOKEN, why="so")).encode() == b""


@pytest.mark.parametrize("end", [UNTAKEN, Abandoned(token=TOKEN, why="so")], ids=["refused", "abandoned"])
def test_what_was_not_taken_leaves_it_at_once(end: Event) -> None:
    made = mirror(intended(), end)
    made.forget()
    assert made.encode() == b""


def test_what_was_paid_or_is_open_stays() -> None:
    for events in ((intended(), TAKEN, DONE), (intended(), LOST)):
        made = mirror(*events)
        made.forget()
        assert list(made) == [TOKEN]


@pytest.mark.parametrize(
    ("own", "theirs", "beyond"),
    [
        ((intended(),), (intended(), TAKEN, DONE), (TAKEN, DONE)),
        ((intended(), LOST), (intended(again=True), TAKEN), (TAKEN,)),
        ((intended(), TAKEN), (intended(), TAKEN, DONE), (DONE,)),
        ((intended(), TAKEN), (intended(), LOST), ()),
        ((intended(), TAKEN, DONE), (intended(), TAKEN), ()),
        ((intended(), UNTAKEN), (intended(), TAKEN), ()),
        ((intended(),), (intended(), LOST), ()),
        ((), (intended(), TAKEN), (intended(), TAKEN)),
    ],
    ids=[
        "done elsewhere",
        "a doubt settled",
        "its end",
        "own is further",
        "own is whole",
        "they differ",
        "a doubt",
        "new",
    ],
)
def test_what_another_machine_tells_beyond_ones_own(
    own: tuple[Mirrored, ...], theirs: tuple[Mirrored, ...], beyond: tuple[Mirrored, ...]
) -> None:
    assert tuple(further(own, theirs)) == beyond


def test_it_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SETTLED", 2)
    tokens = [make_token(lineage=LINEAGE, draw=DRAW, attempt=number) for number in range(1, 6)]
    steps = [(intended(token=one, attempt=at), Accepted(step="create", token=one, attempt=at, generation="g"))
             for at, one in enumerate(tokens, start=1)]  # fmt: skip
    made = mirror(intended(), *(event for pair in steps for event in pair))
    made.forget()
    assert list(made) == [*([TOKEN] if TOKEN not in tokens else []), *tokens[3:]]


@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"{}\n",
        b"not json\n",
        mirror(intended()).encode().replace(b'"version":1', b'"version":2'),
        mirror(intended()).encode() + b'{"event":"kept"}\n',
        mirror(intended()).encode() + b'{"event":"dropped","address":"hero"}\n',
        mirror(intended()).encode().replace(TOKEN.encode(), b"ib-../../etc"),
        mirror(intended(), UNTAKEN).encode()
        + b'{"event":"observed","token":"%s","status":"failed"}\n' % TOKEN.encode(),
    ],
)
def test_a_mirror_that_makes_no_sense_stops_a_run(data: bytes) -> None:
    with pytest.raises(StateError) as caught:
        decode_mirror(data, LINEAGE, "origin")
    assert caught.value.code == "journal.mirror_corrupt"


def test_a_mirror_of_another_project_stops_a_run() -> None:
    with pytest.raises(StateError):
        decode_mirror(mirror(intended()).encode(), OTHER, "origin")


def test_a_fresh_clone_hears_of_an_open_intent_as_if_it_were_its_own() -> None:
    here = ledger()
    for event in news(mirror(intended(), LOST), here):
        here.record(event)
    assert list(here.open_steps()) == [TOKEN]
    (known,) = here.known(DRAW)
    assert known.status == "in_doubt"


def test_what_this_machine_knows_itself_is_no_news() -> None:
    assert news(mirror(intended()), ledger(intended(), TAKEN)) == []
    assert news(mirror(intended(), TAKEN, DONE), ledger(hero=entry())) == []


def test_a_retry_or_purchase_of_a_draw_that_the_lock_has_is_news() -> None:
    step = intended(step="retry", attempt=2, generation="6f0c-77")
    assert news(mirror(step), ledger(hero=entry())) == [step]
