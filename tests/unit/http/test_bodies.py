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
