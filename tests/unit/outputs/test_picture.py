"""What a stranger's bytes are, before anything decodes them."""

import io
import struct
import time
import zlib
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from imagebatch.outputs.bad_picture import BadPicture
from imagebatch.outputs.formats import check_png_pixels
from imagebatch.outputs.picture import check_bytes, sniff

FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "AVIF": "image/avif"}


def code(data: bytes) -> str:
    with pytest.raises(BadPicture) as error:
        check_bytes(data)
    assert str(error.value)
    return error.value.code


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("size", [(64, 48), (1, 1), (333, 17)])
def test_a_good_picture_tells_its_type_and_size(draw: Any, kind: str, size: tuple[int, int]) -> None:
    head = check_bytes(draw(kind, size))
    assert (head.media_type, head.width, head.height) == (FORMATS[kind], *size)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"progressive": True}), ("JPEG", {"mode": "L"}), ("JPEG", {"mode": "CMYK"}),
        ("JPEG", {"optimize": True}),
        ("WEBP", {"lossless": True}), ("WEBP", {"mode": "RGBA"}), ("PNG", {"mode": "RGBA"}), ("PNG", {"mode": "LA"}),
        ("AVIF", {"mode": "RGBA"}), ("PNG", {"dpi": (72, 72)}), ("JPEG", {"icc_profile": b"x" * 200_000}),
    ],
)  # fmt: skip
def test_honest_variants_of_the_formats_pass(draw: Any, kind: str, options: dict[str, Any]) -> None:
    assert check_bytes(draw(kind, (120, 90), **options)).width == 120


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9, 0.99])
def test_a_cut_picture_is_truncated(draw: Any, kind: str, keep: float) -> None:
    data = draw(kind, (200, 200))
    assert code(data[: int(len(data) * keep)]) == "image.truncated"


@pytest.mark.parametrize(("kind", "tail"), [("PNG", 12), ("JPEG", 2), ("WEBP", 2), ("AVIF", 1)])
def test_a_picture_without_its_end_mark_is_truncated(draw: Any, kind: str, tail: int) -> None:
    assert code(draw(kind)[:-tail]) == "image.truncated"


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("extra", [b"<script>alert(1)</script>", b"\0" * 64, b"PK\x03\x04" * 8])
def test_nothing_may_follow_the_end(draw: Any, kind: str, extra: bytes) -> None:
    assert code(draw(kind) + extra) in {"image.trailing", "image.truncated"}


@pytest.mark.parametrize(
    ("data", "wanted", "word"),
    [
        (b"<!doctype html>", "image.not_image", "HTML"),
        (b"\n <HTML><body>expired", "image.not_image", "HTML"),
        (b'{"error":"x"}', "image.not_image", "JSON"),
        (b"no such picture", "image.not_image", "text"),
        (b"\x00\x01\x02\x03\x04", "image.not_image", "00 01 02"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "image.format", "SVG"),
        (b'<?xml version="1.0"?><svg/>', "image.format", "SVG"),
        (b"GIF89a....", "image.format", "GIF"),
        (b"II*\x00....", "image.format", "TIFF"),
        (b"MM\x00*....", "image.format", "TIFF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "image.format", "EPS"),
        (b"\xc5\xd0\xd3\xc6....", "image.format", "EPS"),
        (b"BM......", "image.format", "BMP"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "image.format", "heic"),
        (b"", "image.truncated", "no bytes"),
    ],
)
def test_what_is_no_picture_is_called_by_its_name(data: bytes, wanted: str, word: str) -> None:
    assert sniff(data) is None
    with pytest.raises(BadPicture) as error:
        check_bytes(data)
    assert error.value.code == wanted
    assert word in str(error.value)


def test_foreign_text_in_a_message_is_escaped() -> None:
    with pytest.raises(BadPicture) as error:
        check_bytes(b"text \x1b[31m\n::error::x \xff")
    assert str(error.value).isprintable()


def png(chunk: Any, width: int, height: int, *between: bytes, data: bytes = b"") -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(data or bytes(width // 8 + 2)))
    whole: bytes = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(between) + body + chunk(b"IEND", b"")
    return whole


@pytest.mark.parametrize(
    ("width", "height", "word"),
    [(9500, 9500, "90 MP"), (2147483647, 2147483647, "a side"), (30000, 1000, "a side"), (16385, 1, "a side")],
)
def test_the_size_is_read_from_the_header_before_anything_is_decoded(
    chunk: Any, width: int, height: int, word: str
) -> None:
    with pytest.raises(BadPicture, match=word) as error:
        check_bytes(png(chunk, width, height, data=b"x"))
    assert error.value.code == "image.too_large"


def test_a_picture_of_no_height_is_none(chunk: Any) -> None:
    assert code(png(chunk, 10, 0)) == "image.truncated"


def test_the_largest_allowed_sizes_pass(chunk: Any) -> None:
    assert check_bytes(png(chunk, 16384, 3000)).width == 16384


def test_text_and_profile_bombs_are_refused(chunk: Any) -> None:
    bomb = zlib.compress(bytes(20 * 1024 * 1024))
    assert code(png(chunk, 8, 8, chunk(b"zTXt", b"k\0\0" + bomb))) == "image.metadata"
    assert code(png(chunk, 8, 8, chunk(b"iTXt", b"k\0\1\0\0\0" + bomb))) == "image.metadata"
    assert code(png(chunk, 8, 8, chunk(b"iCCP", b"p\0\0" + bomb))) == "image.metadata"
    assert code(png(chunk, 8, 8, chunk(b"tEXt", b"k\0" + bytes(2 * 1024 * 1024)))) == "image.metadata"
    assert check_bytes(png(chunk, 8, 8, chunk(b"zTXt", b"k\0\0" + zlib.compress(b"a note")))).width == 8


def test_fifty_thousand_chunks_are_refused_quickly(chunk: Any) -> None:
    data = png(chunk, 8, 8, *[chunk(b"tEXt", b"k\0v")] * 50_000)
    start = time.perf_counter()
    assert code(data) == "image.metadata"
    assert time.perf_counter() - start < 1


def test_many_data_chunks_are_honest(chunk: Any) -> None:
    data = png(chunk, 8, 8, *[chunk(b"IDAT", b"")] * 3000)
    assert check_bytes(data).width == 8


def test_a_flipped_bit_in_a_png_is_noticed(draw: Any) -> None:
    data = bytearray(draw("PNG"))
    data[len(data) // 2] ^= 1
    assert code(bytes(data)) == "image.truncated"


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF"])
def test_an_animated_picture_is_refused(draw: Any, kind: str) -> None:
    from io import BytesIO

    from PIL import Image

    out = BytesIO()
    frames = [Image.new("RGB", (32, 32), color) for color in ("red", "blue", "green")]
    frames[0].save(out, kind, save_all=True, append_images=frames[1:])
    assert code(out.getvalue()) == "image.format"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(kind=st.sampled_from(sorted(FORMATS)), where=st.floats(0, 1), value=st.integers(0, 255), keep=st.floats(0, 1))
@example(kind="WEBP", where=0.15625, value=6, keep=0.0)  # a chunk that ends within its picture's sides
def test_no_mutation_crashes_the_check(draw: Any, kind: str, where: float, value: int, keep: float) -> None:
    data = bytearray(draw(kind))
    data[int(where * (len(data) - 1))] = value
    for candidate in (bytes(data), bytes(data[: int(len(data) * keep)])):
        try:
            head = check_bytes(candidate)
        except BadPicture:
            continue
        assert head.width > 0


@given(
    st.binary(max_size=300),
    st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x40\0\0\0WEBP", b"\0\0\0\x18ftypavif"]),
)
def test_noise_behind_a_magic_number_is_never_a_picture(noise: bytes, magic: bytes) -> None:
    with pytest.raises(BadPicture):
        check_bytes(magic + noise)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "I;16"])
def test_a_png_whose_pixels_end_before_the_picture_does_is_truncated(mode: str) -> None:
    out = io.BytesIO()
    Image.new(mode, (61, 37)).save(out, "PNG")
    check_png_pixels(out.getvalue())
    for share in (0.0, 0.5, 0.98):
        fewer = _with_fewer_rows(out.getvalue(), share)
        assert check_bytes(fewer).width == 61
        with pytest.raises(BadPicture) as caught:
            check_png_pixels(fewer)
        assert caught.value.code == "image.truncated"


def _with_fewer_rows(data: bytes, share: float) -> bytes:
    """The same PNG, sound in every chunk, with a part of its pixels only."""
    made, at = data[:8], 8
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if kind == b"IDAT":
            whole = zlib.decompress(body)
            body = zlib.compress(whole[: int(len(whole) * share)])
        made += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        at += 12 + length
    return made
