"""The four formats, read just far enough: size, end marks, nothing after the end, no bombs in the metadata. Pure.

Each reader takes the whole file and gives (width, height); it raises `BadPicture`. Sources: PNG third edition 5 and 11,
ITU T.81 B.1 and B.2, RFC 9649 (WebP), ISO 14496-12 and the AVIF specification 1.1.
"""

import struct
import zlib
from collections.abc import Callable, Mapping, Sequence

from imagebatch.outputs.bad_picture import BadPicture
from imagebatch.outputs.containers import (
    MAX_CHUNKS,
    boxes,
    boxes_named,
    jpeg_segments,
    png_chunks,
    trailing,
    webp_chunks,
)

MAX_DATA_CHUNKS = 16_384
MAX_TEXT = 1024 * 1024
MAX_PROFILE = 4 * 1024 * 1024
PIECE = 1024 * 1024
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def png_head(data: bytes) -> tuple[int, int]:
    """Walk all chunks with their checksums, up to an `IEND` that is the file's end."""
    size: tuple[int, int] | None = None
    text = others = parts = 0
    for name, start, stop in png_chunks(data):
        if size is None:
            if name != b"IHDR" or stop - start != 13:
                raise BadPicture("image.truncated", "the PNG does not begin with its header")
            size = struct.unpack_from(">II", data, start)
            continue
        if name == b"IDAT":
            parts += 1
        else:
            others += 1
        if others > MAX_CHUNKS or parts > MAX_DATA_CHUNKS:
            raise BadPicture("image.metadata", f"the PNG has more than {MAX_CHUNKS} chunks")
        if name in {b"acTL", b"fcTL", b"fdAT"}:
            raise BadPicture("image.format", "it is an animated image (APNG)")
        if name in {b"tEXt", b"zTXt", b"iTXt"}:
            text += _png_text(name, data[start:stop])
            if text > MAX_TEXT:
                raise BadPicture("image.metadata", "the PNG's text chunks are too large")
        if name == b"iCCP" and _inflated(data[start:stop].partition(b"\0")[2][1:], MAX_PROFILE) > MAX_PROFILE:
            raise BadPicture("image.metadata", "the PNG's colour profile is too large")
    if size is None or not parts:
        raise BadPicture("image.truncated", "the PNG holds no picture data")
    return size


def check_png_pixels(data: bytes) -> None:
    """Refuse a PNG, sound in every chunk, whose pixels end early: decoders leave the rest black and say nothing.

    Its size was found fit before. Raises BadPicture.
    """
    header = data[16:29]
    wanted = _png_bytes(header)
    parts = [(start, stop) for name, start, stop in png_chunks(data) if name == b"IDAT"]
    if _png_inflated(data, parts, wanted) < wanted:
        raise BadPicture("image.truncated", "the PNG's pixels end before the picture does")


def _png_bytes(header: bytes) -> int:
    """How many bytes the pixels of a PNG with this header have, each row with its filter byte (11.2, 7.2, 8.2)."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    total = 0
    for left, top, across, down in passes:
        columns, rows = -(-max(width - left, 0) // across), -(-max(height - top, 0) // down)
        total += rows * (1 + (columns * bits + 7) // 8) if columns else 0
    return total


def _png_inflated(data: bytes, parts: Sequence[tuple[int, int]], most: int) -> int:
    """How many bytes the picture data unpacks to; no more than `most` are looked for."""
    stream, count = zlib.decompressobj(), 0
    try:
        for start, stop in parts:
            packed = data[start:stop]
            while packed and count < most and not stream.eof:
                count += len(stream.decompress(packed, min(most - count, PIECE)))
                packed = stream.unconsumed_tail
    except zlib.error:
        raise BadPicture("image.truncated", "the PNG's pixels cannot be unpacked") from None
    return count


def _png_text(name: bytes, content: bytes) -> int:
    """How many bytes a text chunk holds once it is unpacked, at most a little over the limit."""
    rest = content.partition(b"\0")[2]
    if name == b"zTXt":
        return _inflated(rest[1:], MAX_TEXT)
    if name == b"iTXt" and rest[:1] == b"\x01":
        return _inflated(rest[2:].partition(b"\0")[2].partition(b"\0")[2], MAX_TEXT)
    return len(content)


def _inflated(packed: bytes, limit: int) -> int:
    try:
        return len(zlib.decompressobj().decompress(packed, limit + 1))
    except zlib.error:
        raise BadPicture("image.metadata", "a compressed part of the PNG's metadata is damaged") from None


_NO_SIZE = frozenset({0xC4, 0xC8, 0xCC})


def jpeg_head(data: bytes) -> tuple[int, int]:
    """Walk all segments and scans up to an end mark that is the file's end."""
    size: tuple[int, int] | None = None
    profile = 0
    for count, (marker, start, stop) in enumerate(jpeg_segments(data)):
        if count > MAX_CHUNKS:
            raise BadPicture("image.metadata", f"the JPEG has more than {MAX_CHUNKS} segments")
        if 0xC0 <= marker <= 0xCF and marker not in _NO_SIZE and stop - start >= 6:
            height, width = struct.unpack_from(">HH", data, start + 1)
            size = (width, height)
        if marker == 0xE2 and data[start : start + 12] == b"ICC_PROFILE\0":
            profile += stop - start
            if profile > MAX_PROFILE:
                raise BadPicture("image.metadata", "the JPEG's colour profile is too large")
    if size is None:
        raise BadPicture("image.truncated", "the JPEG ends before its picture begins")
    return size


def webp_head(data: bytes) -> tuple[int, int]:
    """Compare the container's length with the file's, then read the canvas from the first chunk that tells it."""
    size: tuple[int, int] | None = None
    pictures = 0
    for name, start, stop in webp_chunks(data):
        if name in {b"ANIM", b"ANMF"} or (name == b"VP8X" and stop > start and data[start] & 0x02):
            raise BadPicture("image.format", "it is an animated image (WebP)")
        if name == b"ICCP" and stop - start > MAX_PROFILE:
            raise BadPicture("image.metadata", "the WebP's colour profile is too large")
        pictures += name in {b"VP8 ", b"VP8L"}
        size = size or _webp_size(name, data[start : min(stop, start + 16)])
    if size is None or pictures != 1:
        raise BadPicture("image.truncated", "the WebP holds no picture")
    return size


def _webp_size(name: bytes, start: bytes) -> tuple[int, int] | None:
    if name == b"VP8X" and len(start) >= 10:
        return 1 + int.from_bytes(start[4:7], "little"), 1 + int.from_bytes(start[7:10], "little")
    if name == b"VP8 " and start[3:6] == b"\x9d\x01\x2a" and len(start) >= 10:
        width, height = struct.unpack_from("<HH", start, 6)
        return width & 0x3FFF, height & 0x3FFF
    if name == b"VP8L" and start[:1] == b"\x2f" and len(start) >= 5:
        bits = int.from_bytes(start[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + ((bits >> 14) & 0x3FFF)
    return None


def avif_head(data: bytes) -> tuple[int, int]:
    """Walk the boxes to the file's end; the canvas is the largest `ispe` (a grid's tiles are smaller)."""
    brands = data[8 : int.from_bytes(data[:4], "big")]
    if b"avis" in brands[:4]:
        raise BadPicture("image.format", "it is an animated image (AVIF)")
    top: dict[bytes, tuple[int, int]] = {}
    for name, start, stop in boxes(data, 0, len(data)):
        if name in top and name in {b"ftyp", b"meta"}:  # a second file begins behind the first
            raise trailing("AVIF", len(data) - start + 8)
        top[name] = (start, stop)
    if b"mdat" not in top and b"idat" not in data:
        raise BadPicture("image.truncated", "the AVIF holds no picture data")
    if b"meta" not in top:
        raise BadPicture("image.truncated", "the AVIF holds no description of its picture")
    start, stop = top[b"meta"]
    sizes = [
        struct.unpack_from(">II", data, at + 4)
        for properties in boxes_named(data, start + 4, stop, b"iprp")
        for container in boxes_named(data, *properties, b"ipco")
        for at, end in boxes_named(data, *container, b"ispe")
        if end - at >= 12
    ]
    if not sizes:
        raise BadPicture("image.truncated", "the AVIF does not tell its size")
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return int(width), int(height)


HEADS: Mapping[str, Callable[[bytes], tuple[int, int]]] = {
    "image/png": png_head,
    "image/jpeg": jpeg_head,
    "image/webp": webp_head,
    "image/avif": avif_head,
}
