"""The parts of the four formats, one after the other: chunks, segments, boxes. Pure.

Each walker takes the whole file and raises `BadPicture` where it is damaged, cut off or goes on after its end. Sources:
PNG third edition 5, ITU T.81 B.1, RFC 9649 (WebP), ISO 14496-12.
"""

import re
import struct
import zlib
from collections.abc import Iterator

from imagebatch.outputs.bad_picture import BadPicture

MAX_CHUNKS = 1000
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte of the content and its end, of all chunks up to an `IEND` that is the file's end."""
    at = 8
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        start, stop = at + 8, at + 8 + length
        if stop + 4 > len(data):
            break
        if zlib.crc32(memoryview(data)[at + 4 : stop]) != struct.unpack_from(">I", data, stop)[0]:
            raise BadPicture("image.truncated", f"the PNG is damaged: the checksum of {ascii(name)[2:-1]} is wrong")
        at = stop + 4
        yield name, start, stop
        if name == b"IEND":
            if at != len(data):
                raise trailing("PNG", len(data) - at)
            return
    raise BadPicture("image.truncated", "the PNG is cut off: it has no IEND")


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, first byte and end of each segment's content; the scans between them are skipped."""
    at = 2
    while at + 2 <= len(data):
        if data[at] != 0xFF:
            raise BadPicture("image.truncated", "the JPEG is damaged between two segments")
        marker = data[at + 1]
        if marker == 0xFF:  # a filling byte
            at += 1
            continue
        if marker == 0xD9:
            if at + 2 != len(data):
                raise trailing("JPEG", len(data) - at - 2)
            return
        stop = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if stop < at + 4 or stop > len(data):
            break
        yield marker, at + 4, stop
        at = stop
        if marker == 0xDA:
            found = _AFTER_SCAN.search(data, at)
            if found is None:
                break
            at = found.start()
    raise BadPicture("image.truncated", "the JPEG is cut off: it has no end mark")


def webp_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte of the content and its end; the container's length is compared with the file's."""
    whole = 8 + int.from_bytes(data[4:8], "little")
    if len(data) < whole or len(data) < 20:
        raise BadPicture("image.truncated", "the WebP is cut off: its RIFF size is larger than the file")
    if len(data) > whole + (whole & 1):
        raise trailing("WebP", len(data) - whole)
    chunks, at = 0, 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        start = at + 8
        chunks += 1
        if start + length > len(data) or chunks > MAX_CHUNKS:
            raise BadPicture("image.truncated", "the WebP is damaged: a chunk is larger than the file")
        yield name, start, start + length
        at = start + length + (length & 1)


def boxes(data: bytes, at: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Boxes between two places: name, first byte of the content, end."""
    count = 0
    while at < stop:
        count += 1
        if at + 8 > stop or count > MAX_CHUNKS:
            raise BadPicture("image.truncated", "the AVIF is cut off, or has bytes after its end")
        length, name = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if length == 1 and start + 8 <= stop:
            length, start = int.from_bytes(data[start : start + 8], "big"), start + 8
        end = stop if length == 0 else at + length
        if end > stop or end < start:
            raise BadPicture("image.truncated", "the AVIF is cut off, or has bytes after its end")
        if not re.fullmatch(rb"[ -~]{4}", name):
            raise trailing("AVIF", stop - at)
        yield name, start, end
        at = end


def boxes_named(data: bytes, start: int, stop: int, wanted: bytes) -> Iterator[tuple[int, int]]:
    """First byte of the content and end of the boxes with one name, between two places."""
    return ((at, end) for name, at, end in boxes(data, start, stop) if name == wanted)


def trailing(name: str, count: int) -> BadPicture:
    """What is said of a file that goes on after its end."""
    return BadPicture("image.trailing", f"{count} bytes follow the end of the {name}")
