"""The lock's bytes: the contract's layout, every tolerated form, and every kind of damage."""

import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagebatch.errors import StateError
from imagebatch.model.generation import Entry
from imagebatch.state.lockfile import Lock, decode_lock, empty_lock, encode_block, encode_lock, glance_of
from tests.unit.state.worlds import LINEAGE, drawn, entry, full_entry

Disturb = Callable[[bytes], bytes]

AUTUMN, SPRING, QUOTED = "hero[season=autumn]", "hero[season=spring]", 'product["a, \\"b\\"",angle=front]'


def sample() -> Lock:
    return empty_lock(LINEAGE).with_changes({SPRING: entry(), AUTUMN: drawn("autumn"), QUOTED: full_entry()})


def refused(data: bytes) -> StateError:
    with pytest.raises(StateError) as caught:
        decode_lock(data)
    return caught.value


def test_a_block_has_the_fields_of_the_contract_one_a_line_in_order() -> None:
    text = encode_lock(empty_lock(LINEAGE).with_changes({SPRING: entry()})).decode()
    lines = text.split("\n")
    assert lines[:6] == [
        "{", '"format": "imagebatch-lock",', '"version": 1,', f'"lineage": "{LINEAGE}",', '"generations": {', "",
    ]  # fmt: skip
    assert lines[6] == '"hero[season=spring]": {'
    names = [re.match(r' "(\w+)": ', line) for line in lines[7:21]]
    assert [match[1] for match in names if match] == [
        "provider", "type", "draw", "request", "labels", "attempt", "token", "generation", "status", "candidates",
        "picked", "outputs", "cost", "on_remove",
    ]  # fmt: skip
    assert lines[21:] == ["}", "", "}", "}", ""]
    assert ' "candidates": [{"id":"a1","sha256":"' in text
    assert '"width":1344,"height":896,"media_type":"image/jpeg","bytes":201344},{"id":"a2"}],' in text
    assert json.loads(text)["generations"][SPRING]["outputs"][0]["bytes"] == 190211


def test_blocks_are_sorted_by_code_point_with_a_blank_line_between() -> None:
    text = encode_lock(sample()).decode()
    assert text.index(AUTUMN) < text.index(SPRING) < text.index("product[")
    assert text.count("\n},\n\n") == 2
    assert text.endswith("\n}\n\n}\n}\n")


def test_what_was_written_reads_back_the_same_and_writes_the_same_bytes() -> None:
    lock = sample()
    again = decode_lock(encode_lock(lock))
    assert list(again) == list(lock) == [AUTUMN, SPRING, QUOTED]
    assert [again.entry(address) for address in again] == list(map(lock.entry, lock))
    assert encode_lock(again) == encode_lock(lock)
    assert again.entry(QUOTED) == full_entry()


def test_an_earlier_draw_says_who_drew_it_only_where_that_is_not_the_blocks_own() -> None:
    (old,) = full_entry().earlier
    own = replace(old, provider=entry().provider, type=entry().type)
    text = encode_block(SPRING, entry(earlier=(own, old))).decode()
    assert '"earlier": [{"attempt":2,' in text
    assert ',{"provider":"hub","type":"aigne-hub","attempt":2,' in text
    lock = empty_lock(LINEAGE).with_changes({SPRING: entry(earlier=(own, old))})
    assert decode_lock(encode_lock(lock)).entry(SPRING).earlier == (own, old)


def test_an_empty_lock_is_a_header_and_reads_back() -> None:
    data = encode_lock(empty_lock(LINEAGE))
    assert data.decode().endswith('"generations": {\n\n}\n}\n')
    assert len(decode_lock(data)) == 0
    assert decode_lock(data).lineage == LINEAGE


def test_unknown_header_fields_and_block_fields_of_our_version_are_kept() -> None:
    data = encode_lock(sample()).replace(b'"generations"', b'"later": {"x": [1]},\n"generations"', 1)
    lock = decode_lock(data)
    assert lock.header == {"later": {"x": [1]}}
    assert encode_lock(lock).count(b'"later": {"x":[1]},\n') == 1
    assert lock.entry(QUOTED).extra == {"later_field": {"a": [1, "two", None, True]}}


def test_unchanged_blocks_are_written_as_they_stand() -> None:
    data = encode_lock(sample()).replace(b'"prompt":"A spring', b'"prompt": "A spring')
    lock = decode_lock(data).with_changes({AUTUMN: drawn("late autumn")}, [QUOTED])
    assert list(lock) == [AUTUMN, SPRING]
    assert b'"prompt": "A spring' in encode_lock(lock)
    assert lock.entry(SPRING) == entry()
    assert lock.entry(AUTUMN) == drawn("late autumn")


def test_a_change_leaves_the_old_lock_alone() -> None:
    before = sample()
    after = before.with_changes({SPRING: drawn("other"), "new": entry()}, [AUTUMN])
    assert before.entry(SPRING) == entry()
    assert AUTUMN in before
    assert "new" not in before
    assert list(after) == [SPRING, "new", QUOTED]


# Forms that mean the same ------------------------------------------------------------


def _pretty(data: bytes) -> bytes:
    return json.dumps(json.loads(data), indent=2, ensure_ascii=False).encode()


def _minified(data: bytes) -> bytes:
    return json.dumps(json.loads(data), separators=(",", ":")).encode()


def _reversed_fields(data: bytes) -> bytes:
    value = json.loads(data)
    value["generations"] = {
        address: dict(reversed(block.items())) for address, block in reversed(value["generations"].items())
    }
    return json.dumps(dict(reversed(value.items()))).encode()


def _unsorted(data: bytes) -> bytes:
    head, rest = data.split(b"{\n\n", 1)
    blocks = rest.removesuffix(b"\n\n}\n}\n").split(b",\n\n")
    return head + b"{\n\n" + b",\n\n".join(reversed(blocks)) + b"\n\n}\n}\n"


@pytest.mark.parametrize(
    "disturb",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.rstrip(b"\n"),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data + b"\n\n",
        lambda data: data.replace(b"\n},\n\n", b"\n}\n\n", 1),
        lambda data: data.replace(b"\n}\n\n}\n}", b"\n},\n\n}\n}"),
        lambda data: data.replace(b"\n},\n\n", b"\n},\n\n\n", 1),
        _unsorted,
        _pretty,
        _minified,
        _reversed_fields,
    ],
    ids=["crlf", "no-final-newline", "bom", "blank-end", "comma-missing", "comma-too-many", "blank-line", "unsorted",
         "pretty", "minified", "reversed"],
)  # fmt: skip
def test_another_form_of_the_same_meaning_reads_the_same_and_is_written_in_ours(disturb: Disturb) -> None:
    data = encode_lock(sample())
    lock = decode_lock(disturb(data))
    assert list(lock) == list(sample())
    assert [lock.entry(address) for address in lock] == [sample().entry(address) for address in lock]
    assert [lock.glance(address) for address in lock] == [glance_of(lock.entry(address)) for address in lock]
    assert encode_lock(lock) == data


def test_fields_of_a_block_may_stand_in_another_order() -> None:
    lines = encode_lock(empty_lock(LINEAGE).with_changes({SPRING: entry()})).decode().split("\n")
    lines[7], lines[12] = lines[12], lines[7]
    lock = decode_lock("\n".join(lines).encode())
    assert lock.entry(SPRING) == entry()
    assert lock.glance(SPRING) == glance_of(entry())
    assert encode_lock(lock) == encode_lock(empty_lock(LINEAGE).with_changes({SPRING: entry()}))


def test_a_hash_may_carry_its_prefix() -> None:
    data = encode_lock(empty_lock(LINEAGE).with_changes({SPRING: entry()}))
    lock = decode_lock(data.replace(b'"sha256":"', b'"sha256":"sha256:'))
    assert lock.entry(SPRING) == entry()
    assert lock.glance(SPRING).outputs == glance_of(entry()).outputs


def test_version_0_is_read_and_written_as_ours() -> None:
    data = encode_lock(sample())
    lock = decode_lock(data.replace(b'"version": 1', b'"version": 0'))
    assert lock.entry(SPRING) == entry()
    assert encode_lock(lock) == data


# Glances ------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "plain"),
    [
        ({}, True),
        ({"extra": {"note": "x"}}, True),
        ({"protect": True}, False),
        ({"held": True}, False),
        ({"status": "failed"}, False),
        ({"status": "in_doubt", "generation": None, "candidates": (), "picked": (), "outputs": ()}, False),
        ({"candidates": (), "picked": (), "outputs": (), "cost": ()}, True),
    ],
)
def test_a_glance_tells_what_the_entry_tells(changes: dict[str, object], plain: bool) -> None:
    one = entry(**changes)
    lock = decode_lock(encode_lock(empty_lock(LINEAGE).with_changes({SPRING: one})))
    assert lock.glance(SPRING) == glance_of(one)
    assert lock.glance(SPRING).plain is plain
    assert lock.glance(SPRING).draw == one.draw


def test_a_glance_at_a_field_named_in_a_prompt_is_not_misled() -> None:
    one = drawn('x",\n "failure": {"kind"')
    lock = decode_lock(encode_lock(empty_lock(LINEAGE).with_changes({SPRING: one})))
    assert lock.glance(SPRING).plain is True
    assert lock.entry(SPRING) == one


def test_an_unknown_address_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        sample().glance("nobody")
    with pytest.raises(KeyError):
        sample().entry("nobody")


# Damage ------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "code", "says"),
    [
        (b"", "lockfile.corrupt", "empty"),
        (b" \n\n", "lockfile.corrupt", "empty"),
        (b"\0" * 300, "lockfile.corrupt", "NUL"),
        (b'{"version":1,"lineage":"', "lockfile.corrupt", "no JSON: Unterminated string starting at column"),
        (b"[]", "lockfile.corrupt", "not an object"),
        (b"\xff\xfe{}", "lockfile.corrupt", "UTF-8"),
        (b"<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> b\n", "lockfile.conflict", "conflict markers"),
        (b'{"format": "npm-lock", "version": 1}', "lockfile.format", "npm-lock"),
        (b'{"format": "imagebatch-lock", "version": 7, "cells": 1}', "lockfile.version", "version 7"),
        (b'{"format": "imagebatch-lock", "version": 2,\n!not json', "lockfile.version", "version 2"),
        (b'{"format": "imagebatch-lock", "version": true}', "lockfile.corrupt", "version"),
        (b'{"format": "imagebatch-lock", "version": -1}', "lockfile.corrupt", "version"),
        (b'{"format": "imagebatch-lock", "version": 1, "lineage": "5f0c"}', "lockfile.corrupt", "lineage"),
        (b"[" * 100_000, "lockfile.corrupt", "nested"),
    ],
    ids=lambda value: value[:12].decode("latin-1") if isinstance(value, bytes) else None,
)
def test_damage_is_refused_with_its_kind_and_a_way_back(data: bytes, code: str, says: str) -> None:
    error = refused(data)
    assert error.code == code
    assert says in error.detail
    assert error.path == "imagebatch.lock"
    assert error.hints


@pytest.mark.parametrize(
    ("was", "damaged", "says"),
    [
        (' "attempt": 1,', f' "attempt": {10**24},', "attempt has to be an integer from 1 to 10000"),
        (' "attempt": 1,', ' "attempt": 10001,', "attempt has to be an integer from 1 to 10000"),
        (' "attempt": 1,', ' "attempt": 0,', "attempt has to be"),
        (' "cost": ["0 EUR"],', ' "cost": ["-1000 USD"],', "'-1000 USD' is no amount of money"),
        (' "cost": ["0 EUR"],', ' "cost": ["0 EUR","much"],', "'much' is no amount of money"),
    ],
)
def test_numbers_that_nobody_drew_or_paid_are_damage_at_the_first_glance(was: str, damaged: str, says: str) -> None:
    text = encode_lock(empty_lock(LINEAGE).with_changes({SPRING: entry()})).decode()
    assert was in text
    lock = decode_lock(text.replace(was, damaged).encode())
    for read in (lock.glance, lock.entry):
        with pytest.raises(StateError) as refused:
            read(SPRING)
        assert refused.value.code == "lockfile.corrupt"
        assert says in refused.value.detail


def test_the_largest_attempt_and_several_amounts_are_read() -> None:
    one = entry(attempt=10_000, cost=("1.50 EUR", "2 credit"))
    lock = decode_lock(encode_lock(empty_lock(LINEAGE).with_changes({SPRING: one})))
    assert (lock.glance(SPRING), lock.entry(SPRING)) == (glance_of(one), one)


def test_a_newer_version_names_both_numbers() -> None:
    error = refused(encode_lock(sample()).replace(b'"version": 1', b'"version": 2'))
    assert error.code == "lockfile.version"
    assert "version 2" in error.detail
    assert "version 1" in error.detail


@pytest.mark.parametrize("form", [lambda data: data, _minified], ids=["ours", "minified"])
def test_two_blocks_of_one_address_are_refused_by_name(form: Disturb) -> None:
    once = encode_lock(empty_lock(LINEAGE).with_changes({SPRING: entry()}))
    block = encode_block(SPRING, drawn("other"))
    twice = once.replace(b"\n\n}\n}\n", b",\n\n" + block + b"\n\n}\n}\n")
    if form is _minified:
        twice = twice.replace(b"\n", b"")
    error = refused(twice)
    assert error.code == "lockfile.conflict"
    assert error.address == SPRING


@pytest.mark.parametrize("cut", [1, 4, 60, 400])
def test_a_cut_lock_is_refused_and_never_read_as_less(cut: int) -> None:
    data = encode_lock(sample()).rstrip()
    assert refused(data[:-cut]).code == "lockfile.corrupt"


def test_every_cut_of_a_lock_is_refused() -> None:
    data = encode_lock(empty_lock(LINEAGE).with_changes({SPRING: entry(), AUTUMN: drawn("autumn")})).rstrip()
    for length in range(len(data)):
        with pytest.raises(StateError):
            decode_lock(data[:length])


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b'"attempt": 1', b'"attempt": "one"', "attempt"),
        (b'"attempt": 1', b'"attempt": 0', "attempt"),
        (b'"attempt": 1', b'"attempt": NaN', "NaN"),
        (b'"attempt": 1', b'"attempt": true', "attempt"),
        (b'"status": "succeeded"', b'"status": "done"', "status"),
        (b'"picked": [1]', b'"picked": [3]', "picked"),
        (b'"picked": [1]', b'"picked": 1', "picked"),
        (b'"path":"assets/', b'"path":"../', "output path"),
        (b'"path":"assets/', b'"path":"/etc/', "output path"),
        (b'"path":"assets/', b'"path":"C:/', "output path"),
        (b'"path":"assets/', b'"path":"a\\\\..\\\\', "output path"),
        (b'"path":"assets/', b'"path":"a\\u0000', "control"),
        (b'"id":"a1","sha256":"', b'"id":"a1","sha256":"../', "sha256"),
        (b'"id":"a1"', b'"id":"a1","id":"a9"', "twice"),
        (b' "token"', b' "tokem"', "token"),
        (b'"cost": ["0 EUR"]', b'"cost": [0]', "cost"),
    ],
)
def test_a_block_that_cannot_be_believed_names_itself_its_line_and_its_field(old: bytes, new: bytes, says: str) -> None:
    data = encode_lock(sample())
    at = data.index(b'"hero[season=spring]"')
    lock = decode_lock(data[:at] + data[at:].replace(old, new, 1))
    assert lock.entry(AUTUMN) == drawn("autumn")
    with pytest.raises(StateError) as caught:
        lock.entry(SPRING)
    assert caught.value.code == "lockfile.corrupt"
    assert caught.value.address == SPRING
    assert caught.value.line == data.count(b"\n", 0, at) + 1
    assert says in caught.value.detail
    assert encode_lock(lock).count(new) >= 1, "damage is not made worse by writing"


def test_bad_utf_8_inside_a_block_is_told_at_that_block() -> None:
    data = encode_lock(sample()).replace(b"A spring", b"A \xff spring")
    lock = decode_lock(data)
    assert lock.entry(AUTUMN) == drawn("autumn")
    for look in (lock.glance, lock.entry):
        with pytest.raises(StateError) as caught:
            look(SPRING)
        assert caught.value.address == SPRING


_WORDS = st.text(max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(_WORDS.filter(bool), _WORDS, max_size=6), st.randoms())
def test_any_texts_survive_a_round_trip_and_any_order_gives_the_same_bytes(
    prompts: dict[str, str], chance: object
) -> None:
    entries: dict[str, Entry] = {}
    for address, prompt in prompts.items():
        if _encodable(address + prompt):
            entries[address] = drawn(prompt, generation=prompt, provider=address)
    lock = empty_lock(LINEAGE).with_changes(entries)
    data = encode_lock(lock)
    shuffled = list(entries)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    other = empty_lock(LINEAGE)
    for address in shuffled:
        other = other.with_changes({address: entries[address]})
    assert encode_lock(other) == data
    again = decode_lock(data)
    assert {address: again.entry(address) for address in again} == entries
    assert json.loads(data)["generations"].keys() == entries.keys()


def _encodable(text: str) -> bool:
    return not any(0xD800 <= ord(char) <= 0xDFFF for char in text)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 2000))
def test_mutated_bytes_end_in_a_lock_or_a_state_error(noise: bytes, at: int) -> None:
    data = encode_lock(sample())
    at %= len(data)
    hints: tuple[str, ...] = ("none needed",)
    try:
        lock = decode_lock(data[:at] + noise + data[at + len(noise) :])
        for address in lock:
            lock.entry(address)
    except StateError as error:
        hints = error.hints
    assert hints
