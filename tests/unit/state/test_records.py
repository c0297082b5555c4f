"""Events and their packed records."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagebatch.model.event import (
    Abandoned,
    Accepted,
    BoughtStored,
    Doubted,
    Dropped,
    Event,
    Fetched,
    Kept,
    Observed,
    Placing,
    Refused,
)  # fmt: skip
from imagebatch.model.generation import Bought, Candidate, Failure
from imagebatch.model.money import UNKNOWN_COST
from imagebatch.state.records import Packer, Unpacker, decode_event, encode_event, pack, unpack
from tests.unit.state.worlds import TOKEN, entry, facts, full_entry, intended, sha

FAILURE = Failure(kind="blocked", message="nein\u2028 \ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"))
EVENTS: tuple[Event, ...] = (
    intended(),
    intended(again=True),
    intended(step="buy", candidate="a1", resolution="uhd", generation="g", cost=UNKNOWN_COST, part=2, parts=3),
    Accepted(step="create", token=TOKEN, attempt=2, generation="g"),
    Accepted(step="buy", token=TOKEN, attempt=2, generation="g", candidate="a1"),
    Refused(step="retry", token=TOKEN, failure=FAILURE),
    Doubted(step="buy", token=TOKEN, why="reset", candidate="a1"),
    Doubted(step="create", token=TOKEN, why="the record says so", charged="0.042 credit"),
    Abandoned(token=TOKEN, why="window"),
    Observed(token=TOKEN, status="failed", failure=Failure(kind="provider", message="x", provider_code="4")),
    Observed(token=TOKEN, status="succeeded", candidates=(Candidate(id="a", facts=facts()),), cost=("1 EUR",)),
    Fetched(token=TOKEN, index=2, facts=facts()),
    BoughtStored(token=TOKEN, index=1, bought=Bought(resolution="full", facts=facts("big"))),
    BoughtStored(token=TOKEN, index=1, bought=Bought(resolution="full")),
    Placing(path="out/a.jpg", sha256=sha("x")),
    Kept(address="hero[a=b]", entry=entry()),
    Kept(address='p["x\\n"]', entry=full_entry()),
    Dropped(address="a"),
    Dropped(address="a", moved_to="b"),
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_every_event_survives_a_round_trip_on_one_line(event: Event) -> None:
    line = encode_event(event)
    assert "\n" not in line
    assert decode_event(line) == event


def test_records_of_a_stream_read_back_in_order_and_new_streams_may_follow() -> None:
    lines = [encode_event(event) for event in EVENTS]
    first, second = Packer(), Packer()
    records = [first.pack(lines[:3]), first.pack(lines[3:4]), first.pack(lines[4:]), second.pack(lines)]
    unpacker = Unpacker()
    assert [line for record in records for line in unpacker.unpack(record)] == [*lines, *lines]


def test_a_stream_is_much_smaller_than_its_records_alone() -> None:
    packer = Packer()
    lines = [encode_event(event) for event in EVENTS]
    packer.pack(lines)
    assert len(packer.pack(lines)) * 3 < len(pack(lines))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda record: record[:3], "cut"),
        (lambda record: record[:-1], "checksum"),
        (lambda record: bytes(len(record)), "checksum"),
        (lambda record: record[:9] + bytes([record[9] ^ 1]) + record[10:], "checksum"),
        (lambda record: bytes([9]) + record[1:], "kind 9"),
        (lambda record: bytes([2]) + record[1:], "goes on"),
    ],
)
def test_a_damaged_record_is_told_from_a_whole_one(damage: Callable[[bytes], bytes], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        unpack(damage(pack([encode_event(EVENTS[0])])))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"event":"paid"}', '{"event":"dropped"}', '{"event":"dropped","address":1}', "{" * 9999]
)
def test_a_line_that_is_no_event_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_event(text)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_of_a_provider_survives(message: str, code: str) -> None:
    event = Refused(step="create", token=TOKEN, failure=Failure(kind="rejected", message=message, provider_code=code))
    assert decode_event(unpack(pack([encode_event(event)]))[0]) == event
