"""Events <-> text, and batches of them <-> checked, packed records: what the journal's rows hold.

One record is a byte for its kind, four for the CRC-32 of what follows, then JSON lines, deflated. Kind 1 begins a
stream, against a fixed dictionary of our own words, which is part of kind 1 and never changes; kind 2 goes on with the
stream of the record before it. Events repeat each other's hashes and prompts, so a stream is a third of the size.
"""

import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

from imagebatch.model.canonical import Json
from imagebatch.model.event import (
    Abandoned,
    Accepted,
    BoughtStored,
    Doubted,
    Dropped,
    Event,
    Fetched,
    Intended,
    Kept,
    Observed,
    PaidStep,
    Placing,
    Refused,
)
from imagebatch.model.generation import Failure
from imagebatch.model.money import Basis, Cost, parse_money, read_money
from imagebatch.state.entries import (
    bare,
    bought_json,
    candidate_json,
    decode_bought,
    decode_candidates,
    decode_entry,
    decode_facts,
    decode_failure,
    encode_entry_text,
    facts_json,
    failure_json,
    prefixed,
)
from imagebatch.state.strict import Fields, compact, parse_json

_BEGINS: Final = 1
_GOES_ON: Final = 2
_HEAD_BYTES: Final = 5
_STEPS: Final[frozenset[PaidStep]] = frozenset({"create", "retry", "buy"})
_BASES: Final[frozenset[Basis]] = frozenset({"exact", "estimated", "unknown"})
_ENDS: Final = frozenset({"succeeded", "failed", "blocked"})
_WORDS: Final = (
    b'"width":1024,"height":1024,"media_type":"image/png","bytes":}],"failure":{"kind":"provider","message":"'
    b'{"event":"refused","step":"create","token":"ib-{"event":"doubted","step":"create","token":"ib-,"why":"'
    b'{"event":"bought","token":"ib-","index":1,"bought":{"resolution":"{"event":"fetched","token":"ib-","index":1,'
    b'"facts":{"sha256":"","width":,"height":,"media_type":"image/jpeg","bytes":}}\n{"event":"dropped","address":"'
    b'{"event":"observed","token":"ib-","status":"succeeded","candidates":[{"id":"1"},{"id":"a2"},{"id":"a3"}],'
    b'"cost":["0 EUR"]}\n{"event":"accepted","step":"create","token":"ib-","attempt":1,"generation":"ib-'
    b'"}\n{"event":"kept","address":"","entry":{"provider":"studio","type":"all-images","draw":"sha256:","request":{'
    b'"metaData":"mode":"simple","model":"openai/gpt-image-1","n":1,"params":{"format":"3:2","quality":"high",'
    b'"size":"1024x1024"},"prompt":"A ","labels":"sha256:","attempt":1,"token":"ib-","generation":"","status":'
    b'"succeeded","candidates":[{"id":"","sha256":"","width":1344,"height":896,"media_type":"image/jpeg","bytes":'
    b'},{"id":""}],"picked":[1],"outputs":[{"path":"outputs/","develop":"sha256:","sha256":"","bytes":}],"cost":'
    b'["0.35 EUR"],"on_remove":"trash"}}\n{"event":"intended","step":"create","token":"ib-","attempt":1,"provider":'
    b'"studio","type":"all-images","draw":"sha256:","request":"{\\"mode\\":\\"simple\\",\\"params\\":{\\"format\\":'
    b'\\"},\\"prompt\\":\\"","address":"","cost":{"money":"0.35 EUR","basis":"estimated"}}\n'
)


class Packer:
    """Packs batches of lines, each record going on where the last one ended."""

    def __init__(self) -> None:
        self._stream: Any = None  # the type that zlib.compressobj returns has no public name
        self._kind = _BEGINS

    def pack(self, lines: Iterable[str]) -> bytes:
        """The next record of the stream."""
        if self._stream is None:  # a run with nothing to do packs nothing, and a stream is a quarter of a megabyte
            self._stream = zlib.compressobj(level=6, wbits=-15, zdict=_WORDS)
        body: bytes = self._stream.compress("\n".join(lines).encode()) + self._stream.flush(zlib.Z_SYNC_FLUSH)
        record = bytes([self._kind]) + zlib.crc32(body).to_bytes(4, "big") + body
        self._kind = _GOES_ON
        return record


class Unpacker:
    """Unpacks the records of any number of streams, in the order in which they were packed."""

    def __init__(self) -> None:
        self._stream: Any = None  # the type that zlib.decompressobj returns has no public name

    def unpack(self, record: bytes) -> list[str]:
        """The lines of the next record.

        Raises ValueError with a sentence for one that is damaged, that lacks its beginning, or is of a newer kind.
        """
        if len(record) < _HEAD_BYTES:
            raise ValueError("the record is cut")
        kind, body = record[0], record[_HEAD_BYTES:]
        if kind > _GOES_ON:
            raise ValueError(f"the record is of kind {kind}, this imagebatch reads up to {_GOES_ON}")
        if kind == 0 or zlib.crc32(body) != int.from_bytes(record[1:_HEAD_BYTES], "big"):
            raise ValueError("the record's checksum is wrong")
        if kind == _BEGINS:
            self._stream = zlib.decompressobj(wbits=-15, zdict=_WORDS)
        if self._stream is None:
            raise ValueError("the record goes on with one that is not there")
        try:
            text: str = self._stream.decompress(body).decode()
        except (zlib.error, UnicodeDecodeError) as error:
            raise ValueError(f"the record cannot be unpacked: {error}") from None
        return text.split("\n")


def pack(lines: Iterable[str]) -> bytes:
    """One record that stands alone."""
    return Packer().pack(lines)


def unpack(record: bytes) -> list[str]:
    """The lines of a record that stands alone. Raises ValueError with a sentence."""
    return Unpacker().unpack(record)


def encode_event(event: Event) -> str:
    """One event as compact JSON on one line."""
    value: dict[str, Json]
    match event:
        case Kept():
            return f'{{"event":"kept","address":{compact(event.address)},"entry":{encode_entry_text(event.entry)}}}'
        case Intended():
            value = {"event": "intended", "step": event.step, "token": event.token, "attempt": event.attempt}
            value |= {"part": event.part} if event.part else {}
            value |= {"parts": event.parts} if event.parts != 1 else {}
            value |= {"provider": event.provider, "type": event.type, "draw": event.draw, "request": event.request}
            value |= {"address": event.address, "cost": _cost_json(event.cost)}
            value |= _present(candidate=event.candidate, resolution=event.resolution, generation=event.generation)
            value |= ({} if event.paid else {"paid": False}) | ({"again": True} if event.again else {})
            value |= {"origin": event.origin} if event.origin else {}
        case Accepted():
            value = {"event": "accepted", "step": event.step, "token": event.token, "attempt": event.attempt}
            value |= {"generation": event.generation} | _present(candidate=event.candidate)
        case Refused():
            value = {"event": "refused", "step": event.step, "token": event.token}
            value |= {"failure": failure_json(event.failure)} | _present(candidate=event.candidate)
        case Doubted():
            value = {"event": "doubted", "step": event.step, "token": event.token, "why": event.why}
            value |= _present(candidate=event.candidate) | ({"disputed": True} if event.disputed else {})
            value |= _present(charged=event.charged)
        case Abandoned():
            value = {"event": "abandoned", "token": event.token, "why": event.why}
            value |= {"absent": True} if event.absent else {}
        case Observed():
            value = {"event": "observed", "token": event.token, "status": event.status}
            value |= {"candidates": [candidate_json(one) for one in event.candidates]} if event.candidates else {}
            value |= {"failure": failure_json(event.failure)} if event.failure is not None else {}
            value |= {"cost": list(event.cost)} if event.cost else {}
            value |= _present(billed=event.billed)
        case Fetched():
            value = {"event": "fetched", "token": event.token, "index": event.index, "facts": facts_json(event.facts)}
        case BoughtStored():
            value = {"event": "bought", "token": event.token, "index": event.index, "bought": bought_json(event.bought)}
        case Placing():
            value = {"event": "placing", "path": event.path, "sha256": bare(event.sha256)}
        case Dropped():
            value = {"event": "dropped", "address": event.address} | _present(moved_to=event.moved_to)
    return compact(value)


def decode_event(text: str) -> Event:
    """One event from its line. Raises ValueError with a sentence."""
    fields = Fields(parse_json(text))
    name = fields.text("event")
    reader = _READERS.get(name)
    if reader is None:
        raise ValueError(f"there is no event {name[:40]!r}")
    return reader(fields)


def _intended(fields: Fields) -> Event:
    return Intended(
        step=fields.choice("step", _STEPS),
        token=fields.text("token"),
        attempt=fields.number("attempt", least=1),
        part=fields.number("part", default=0),
        provider=fields.text("provider"),
        type=fields.text("type"),
        draw=fields.text("draw"),
        request=fields.text("request"),
        address=fields.text("address"),
        cost=_cost(fields.inner("cost")),
        candidate=fields.optional_text("candidate"),
        resolution=fields.optional_text("resolution"),
        generation=fields.optional_text("generation"),
        parts=fields.number("parts", least=1, default=1),
        paid=fields.flag("paid") if fields.has("paid") else True,
        again=fields.flag("again"),
        origin=fields.optional_text("origin") or "",
    )


def _accepted(fields: Fields) -> Event:
    return Accepted(
        step=fields.choice("step", _STEPS),
        token=fields.text("token"),
        attempt=fields.number("attempt", least=1),
        generation=fields.text("generation"),
        candidate=fields.optional_text("candidate"),
    )


def _refused(fields: Fields) -> Event:
    return Refused(
        step=fields.choice("step", _STEPS),
        token=fields.text("token"),
        failure=decode_failure(fields.inner("failure")),
        candidate=fields.optional_text("candidate"),
    )


def _doubted(fields: Fields) -> Event:
    return Doubted(
        step=fields.choice("step", _STEPS),
        token=fields.text("token"),
        why=fields.text("why"),
        candidate=fields.optional_text("candidate"),
        disputed=fields.flag("disputed"),
        charged=fields.optional_text("charged"),
    )


def _observed(fields: Fields) -> Event:
    failure: Failure | None = decode_failure(fields.inner("failure")) if fields.has("failure") else None
    return Observed(
        token=fields.text("token"),
        status=fields.choice("status", _ENDS),  # type: ignore[arg-type]  # checked against the three words one line up
        candidates=decode_candidates(fields.items("candidates")),
        failure=failure,
        cost=tuple(text for text in fields.texts("cost") if read_money(text) is not None),
        billed=fields.optional_text("billed"),
    )


def _fetched(fields: Fields) -> Event:
    facts = decode_facts(Fields(fields.inner("facts"), "facts"))
    if facts is None:
        raise ValueError("facts have no sha256")
    return Fetched(token=fields.text("token"), index=fields.number("index", least=1), facts=facts)


_READERS: Final[Mapping[str, Callable[[Fields], Event]]] = {
    "intended": _intended,
    "accepted": _accepted,
    "refused": _refused,
    "doubted": _doubted,
    "abandoned": lambda fields: Abandoned(
        token=fields.text("token"), why=fields.text("why"), absent=fields.flag("absent")
    ),
    "observed": _observed,
    "fetched": _fetched,
    "bought": lambda fields: BoughtStored(
        token=fields.text("token"),
        index=fields.number("index", least=1),
        bought=decode_bought(fields.inner("bought")),
    ),
    "placing": lambda fields: Placing(path=fields.text("path"), sha256=prefixed(fields.text("sha256"))),
    "kept": lambda fields: Kept(address=fields.text("address"), entry=decode_entry(fields.inner("entry"))),
    "dropped": lambda fields: Dropped(address=fields.text("address"), moved_to=fields.optional_text("moved_to")),
}


def _cost_json(cost: Cost) -> dict[str, Json]:
    return _present(money=str(cost.money) if cost.money is not None else None) | {"basis": cost.basis}


def _cost(value: Json) -> Cost:
    fields = Fields(value, "cost")
    money = fields.optional_text("money")
    return Cost(money=parse_money(money) if money is not None else None, basis=fields.choice("basis", _BASES))


def _present(**values: str | None) -> dict[str, Json]:
    return cast("dict[str, Json]", {name: value for name, value in values.items() if value is not None})
