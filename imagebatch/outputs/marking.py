"""Marks inside files: found in all four formats, put into three of them without touching a pixel. Pure.

Sources: XMP part 3 (JPEG, PNG), RFC 9649 (WebP), ISO 23008-12 (AVIF), C2PA 2.2 annex A (where signatures stand).
"""

import hashlib
import struct
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from imagebatch.outputs.bad_picture import BadPicture
from imagebatch.outputs.containers import boxes, boxes_named, jpeg_segments, png_chunks, webp_chunks
from imagebatch.outputs.picture import sniff
from imagebatch.outputs.xmp import says_machine_made

_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_JPEG_MORE_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_PNG_XMP = b"XML:com.adobe.xmp\0"
_C2PA_BOX = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a file says of its origin: its XMP packet (empty where it has none), and whether it is signed by C2PA."""

    xmp: bytes = b""
    signed: bool = False

    @property
    def marked(self) -> bool:
        """Whether anybody can read in the file that a machine made the picture."""
        return self.signed or says_machine_made(self.xmp)


def find_mark(data: bytes) -> Found:
    """What a file says of its origin; nothing where it is damaged or no picture that we know."""
    kind = sniff(data)
    if kind is None:
        return Found()
    try:
        return _FINDERS[kind](data)
    except (BadPicture, struct.error, IndexError):
        return Found()


def with_packet(data: bytes, xmp: bytes) -> bytes:
    """A JPEG, PNG or WebP with this XMP packet in the place of what it had; every pixel stays.

    Raises BadPicture where the file is damaged, KeyError for an AVIF, into which nothing can be put.
    """
    return _WRITERS[sniff(data) or ""](data, xmp)


def delivered_in(data: bytes, pictures: Collection[str]) -> tuple[bytes, ...]:
    """Of delivered pictures (by `sha256:…`) those that a file is, or was before it was marked."""
    forms = (data, *without_packet(data))
    return tuple(form for form in forms if f"sha256:{hashlib.sha256(form).hexdigest()}" in pictures)


def without_packet(data: bytes) -> Iterator[bytes]:
    """What a marked JPEG, PNG or WebP may have been before it was marked; whoever asks knows the hash of the right one.

    A signature goes, too: delivered bytes that had one were never marked. Nothing for other files, and for one that is
    damaged.
    """
    kind = sniff(data)
    try:
        if kind == "image/jpeg":
            yield _out_of_jpeg(data)
        elif kind == "image/png":
            yield _out_of_png(data)
        elif kind == "image/webp":
            yield from _out_of_webp(data)
    except (BadPicture, struct.error, IndexError):
        return


def _in_jpeg(data: bytes) -> Found:
    xmp, signed = b"", False
    for marker, start, stop in jpeg_segments(data):
        if marker == 0xE1 and data.startswith(_JPEG_XMP, start):
            xmp = data[start + len(_JPEG_XMP) : stop]
        signed = signed or (_signs_jpeg(data, marker, start) and b"c2pa" in data[start:stop])
        if marker == 0xDA:
            break
    return Found(xmp=xmp, signed=signed)


def _signs_jpeg(data: bytes, marker: int, start: int) -> bool:
    """Whether a segment is a piece of a signature, whose later pieces do not say what they belong to."""
    return marker == 0xEB and data.startswith(b"JP", start)


def _into_jpeg(data: bytes, xmp: bytes) -> bytes:
    """Behind the segments that have to come first (JFIF, Exif); what older packets there were is left out."""
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(_JPEG_XMP) + len(xmp)) + _JPEG_XMP + xmp
    made, put, kept = [data[:2]], False, 2
    for marker, start, stop in jpeg_segments(data):
        old = marker == 0xE1 and data.startswith((_JPEG_XMP, _JPEG_MORE_XMP), start)
        first = marker == 0xE0 or (marker == 0xE1 and data.startswith(b"Exif\0", start))
        if not put and not first:
            made.append(segment)
            put = True
        if not old:
            made.append(data[kept:stop])
        kept = stop
        if marker == 0xDA:
            break
    return b"".join([*made, data[kept:]])


def _out_of_jpeg(data: bytes) -> bytes:
    made, kept = [data[:2]], 2
    for marker, start, stop in jpeg_segments(data):
        ours = (marker == 0xE1 and data.startswith(_JPEG_XMP, start)) or _signs_jpeg(data, marker, start)
        if not ours:
            made.append(data[kept:stop])
        kept = stop
    return b"".join([*made, data[kept:]])


def _in_png(data: bytes) -> Found:
    xmp, signed = b"", False
    for name, start, stop in png_chunks(data):
        if name == b"iTXt" and data.startswith(_PNG_XMP, start):
            xmp = _png_text(data[start + len(_PNG_XMP) : stop])
        signed = signed or name == b"caBX"
    return Found(xmp=xmp, signed=signed)


def _png_text(content: bytes) -> bytes:
    """The text of an `iTXt` chunk behind its keyword: two flags, two names that end in zero, then the text."""
    text = content[2:].split(b"\0", 2)[2]
    try:
        return zlib.decompressobj().decompress(text, 1024 * 1024) if content[:1] == b"\x01" else text
    except zlib.error:
        return b""


def _into_png(data: bytes, xmp: bytes) -> bytes:
    content = _PNG_XMP + b"\0\0\0\0" + xmp
    made, kept, put = [data[:8]], 8, False
    for name, start, stop in png_chunks(data):
        if name == b"IDAT" and not put:
            made.append(_png_chunk(b"iTXt", content))
            put = True
        if not (name == b"iTXt" and data.startswith(_PNG_XMP, start)):
            made.append(data[kept : stop + 4])
        kept = stop + 4
    return b"".join(made)


def _out_of_png(data: bytes) -> bytes:
    made, kept = [data[:8]], 8
    for name, start, stop in png_chunks(data):
        if not (name == b"caBX" or (name == b"iTXt" and data.startswith(_PNG_XMP, start))):
            made.append(data[kept : stop + 4])
        kept = stop + 4
    return b"".join(made)


def _png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


_ICC, _ALPHA, _EXIF, _XMP = 0x20, 0x10, 0x08, 0x04


def _in_webp(data: bytes) -> Found:
    parts = {name: data[start:stop] for name, start, stop in webp_chunks(data)}
    return Found(xmp=parts.get(b"XMP ", b""), signed=b"C2PA" in parts)


def _into_webp(data: bytes, xmp: bytes) -> bytes:
    """Extended where it is not yet (canvas and flags come from the picture itself); the packet is the last chunk."""
    parts = [(name, data[start:stop]) for name, start, stop in webp_chunks(data) if name != b"XMP "]
    name, first = parts[0]
    if name == b"VP8X":
        parts[0] = (name, bytes([first[0] | _XMP]) + first[1:])
    else:
        flags = _XMP | (_ALPHA if name == b"VP8L" and first[4] & 0x10 else 0)
        parts.insert(0, (b"VP8X", bytes([flags, 0, 0, 0]) + _canvas(name, first)))
    return _webp([*parts, (b"XMP ", xmp)])


def _out_of_webp(data: bytes) -> Iterator[bytes]:
    """As it was where it was extended before, and as the bare picture where it was not."""
    parts = [(name, data[start:stop]) for name, start, stop in webp_chunks(data) if name not in {b"XMP ", b"C2PA"}]
    name, first = parts[0]
    if name == b"VP8X":
        parts[0] = (name, bytes([first[0] & ~_XMP]) + first[1:])
        if len(parts) == 2:
            yield _webp(parts[1:])
    yield _webp(parts)


def _webp(parts: Sequence[tuple[bytes, bytes]]) -> bytes:
    body = b"WEBP" + b"".join(
        name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) & 1) for name, content in parts
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _canvas(name: bytes, content: bytes) -> bytes:
    if name == b"VP8L":
        bits = int.from_bytes(content[1:5], "little")
        sides = bits & 0x3FFF, (bits >> 14) & 0x3FFF
    else:
        width, height = struct.unpack_from("<HH", content, 6)
        sides = (width & 0x3FFF) - 1, (height & 0x3FFF) - 1
    return b"".join(side.to_bytes(3, "little") for side in sides)


def _in_avif(data: bytes) -> Found:
    xmp, signed = b"", False
    for name, start, stop in boxes(data, 0, len(data)):
        signed = signed or (name == b"uuid" and data.startswith(_C2PA_BOX, start))
        if name == b"meta":
            item = next(_xmp_items(data, start + 4, stop), None)
            for at, end in boxes_named(data, start + 4, stop, b"iloc"):
                places = _places(data[at:end]) if item is not None else {}
                xmp = b"".join(data[begin : begin + length] for begin, length in places.get(item or 0, ()))
    return Found(xmp=xmp, signed=signed)


def _xmp_items(data: bytes, start: int, stop: int) -> Iterator[int]:
    """The numbers of the items that hold XMP."""
    for at, end in boxes_named(data, start, stop, b"iinf"):
        for entry, entry_end in boxes_named(data, at + (6 if data[at] == 0 else 8), end, b"infe"):
            wide = data[entry] == 3  # the version; 2 has numbers of two bytes
            kind = entry + (10 if wide else 8)
            _, _, content = data[kind + 4 : entry_end].partition(b"\0")
            if data[kind : kind + 4] == b"mime" and content.startswith(b"application/rdf+xml\0"):
                yield int.from_bytes(data[entry + 4 : kind - 2], "big")


def _places(box: bytes) -> dict[int, list[tuple[int, int]]]:
    """Where in the file each item's bytes are: (first byte, count), of items that lie there directly."""
    version, sizes = box[0], (box[4] >> 4, box[4] & 15, box[5] >> 4, box[5] & 15 if box[0] else 0)
    offset_size, length_size, base_size, index_size = sizes
    at = 6

    def number(size: int) -> int:
        nonlocal at
        at += size
        if at > len(box):
            raise IndexError
        return int.from_bytes(box[at - size : at], "big")

    found: dict[int, list[tuple[int, int]]] = {}
    for _ in range(number(4 if version == 2 else 2)):
        item = number(4 if version == 2 else 2)
        direct = not version or number(2) & 15 == 0
        number(2)
        base = number(base_size)
        extents = []
        for _ in range(number(2)):
            number(index_size)
            extents.append((base + number(offset_size), number(length_size)))
        if direct:
            found[item] = extents
    return found


_FINDERS: Mapping[str, Callable[[bytes], Found]] = {
    "image/jpeg": _in_jpeg,
    "image/png": _in_png,
    "image/webp": _in_webp,
    "image/avif": _in_avif,
}
_WRITERS: Mapping[str, Callable[[bytes, bytes], bytes]] = {
    "image/jpeg": _into_jpeg,
    "image/png": _into_png,
    "image/webp": _into_webp,
}
