"""Bodies in bounds, and keys that are masked by value."""

import base64
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagebatch.http.bodies import CutBody, KeyMask, decoded
from imagebatch.http.errors import UnreadableAnswer
from imagebatch.model.secret import MASK


async def pieces(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def read(data: bytes, coding: str = "", limit: int = 10_000_000, size: int = 1000) -> bytes:
    return b"".join([piece async for piece in decoded(pieces(data, size), coding=coding, limit=limit)])


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
async def test_a_plain_body_comes_through(coding: str) -> None:
    assert await read(b"abc" * 1000, coding) == b"abc" * 1000


@pytest.mark.parametrize("size", [1, 7, 1000, 10_000_000])
async def test_one_gzip_layer_is_unpacked_however_it_is_cut_in_pieces(size: int) -> None:
    plain = bytes(range(256)) * 2000
    assert await read(gzip.compress(plain), "gzip", size=size) == plain


@pytest.mark.parametrize("coding", ["br", "zstd", "deflate", "gzip, gzip", "gzip, gzip, gzip, gzip", "compress"])
async def test_any_other_coding_is_refused_unread(coding: str) -> None:
    with pytest.raises(UnreadableAnswer, match="not asked for") as error:
        await read(b"x", coding)
    assert error.value.code == "provider.bad_response"


async def test_a_bomb_is_stopped_at_the_limit_with_little_memory() -> None:
    packer = zlib.compressobj(wbits=31)
    bomb = b"".join(packer.compress(bytes(1024 * 1024)) for _ in range(300)) + packer.flush()
    tracemalloc.start()
    with pytest.raises(UnreadableAnswer) as error:
        await read(bomb, "gzip", limit=1024 * 1024, size=len(bomb))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error.value.code == "provider.too_large"
    assert peak < 8 * 1024 * 1024


async def test_a_cut_gzip_stream_is_noticed() -> None:
    with pytest.raises(CutBody):
        await read(gzip.compress(b"abc" * 1000)[:-6], "gzip")


async def test_a_lie_about_gzip_and_bytes_after_its_end_are_refused() -> None:
    with pytest.raises(UnreadableAnswer, match="is none"):
        await read(b"plain text", "gzip")
    with pytest.raises(UnreadableAnswer, match="after its end"):
        await read(gzip.compress(b"a") + b"more", "gzip")


async def test_a_plain_body_over_the_limit_is_refused() -> None:
    with pytest.raises(UnreadableAnswer, match="over 1 MiB"):
        await read(bytes(1024 * 1024 + 1), limit=1024 * 1024)


def test_every_form_of_the_key_is_masked() -> None:
    key = 'sk-"très/secret+key='
    mask = KeyMask.of(key)
    coded = base64.b64encode(key.encode()).decode()
    for form in (key, quote(key, safe=""), coded, coded.rstrip("="), key.replace('"', '\\"')):
        hidden = mask.in_text(f"bad key {form}!")
        assert form not in hidden, form
        assert "***" in hidden


def test_short_keys_and_no_key_mask_nothing() -> None:
    assert KeyMask.of("any").in_bytes(b"any text") == b"any text"
    assert KeyMask.of(None).in_bytes(b"any text") == b"any text"


@given(st.text(min_size=8, max_size=40, alphabet=st.characters(codec="utf-8")), st.binary(max_size=200))
def test_no_key_survives_in_any_body(key: str, noise: bytes) -> None:
    assert key.encode() not in KeyMask.of(key).in_bytes(noise + key.encode() + noise) or key in "***" * 20


def test_a_key_inside_a_longer_base64_text_is_masked_at_any_offset() -> None:
    key = "sk-très/secret+key"
    mask = KeyMask.of(key)
    for before in (b"", b"u", b"us", b"use", b"user"):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            hidden = mask.in_bytes(b"Basic " + encode(before + b":" + key.encode() + b":x"))
            assert MASK.encode() in hidden
            assert len(hidden) < len("Basic ***") + 20, "much of the key is still there"


KEY = "sk-0123456789/abcdef"


@given(st.lists(st.sampled_from([KEY, base64.b64encode(KEY.encode()).decode(), "sk-0123", "x" * 30, "="])), st.data())
def test_a_key_is_masked_however_the_body_is_cut_into_pieces(words: list[str], data: st.DataObject) -> None:
    body = "".join(words).encode() + b"."
    masking, out, at = KeyMask.of(KEY).masking(), b"", 0
    while at < len(body):
        size = data.draw(st.integers(1, 40))
        out += masking.over(body[at : at + size])
        at += size
    out += masking.rest()
    # Base64's last letter and its padding may come with a later piece; they say nothing.
    for secret in (KEY.encode(), base64.b64encode(KEY.encode())[:-2]):
        assert secret not in out
    assert out.count(b"x") == body.count(b"x")
    assert out.count(b"***") == body.count(KEY.encode()) + body.count(base64.b64encode(KEY.encode()))


def test_a_key_that_is_cut_off_at_the_end_is_masked_as_far_as_it_came() -> None:
    masking = KeyMask.of(KEY).masking()
    out = masking.over(b"bad key " + KEY[:-3].encode()) + masking.rest()
    assert out == b"bad key ***"


def test_without_a_key_pieces_pass_as_they_are() -> None:
    masking = KeyMask.of(None).masking()
    assert masking.over(b"abc") == b"abc"
    assert masking.rest() == b""
