"""Named generators of the bytes that are served as a picture: good ones, and what is none."""

import io
import random
import struct
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from PIL import Image

PNG_MAGIC: Final = b"\x89PNG\r\n\x1a\n"
JPEG_MAGIC: Final = b"\xff\xd8\xff"


@cache
def drawn(kind: str = "PNG", width: int = 64, height: int = 48) -> bytes:
    """A plain picture of that kind."""
    buffer = io.BytesIO()
    picture = Image.effect_mandelbrot((width, height), (-2.0, -1.2, 1.0, 1.2), 60).convert("RGB")
    picture.save(buffer, kind)
    return buffer.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    """One chunk of a PNG, with a right checksum."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def with_chunks(*chunks: bytes) -> bytes:
    """A plain PNG with chunks between its header and its data."""
    whole = drawn()
    return whole[:33] + b"".join(chunks) + whole[33:]


def _cut(kind: str) -> Callable[..., bytes]:
    return lambda *, keep: drawn(kind)[: int(len(drawn(kind)) * keep)]


def _without_tail(kind: str) -> Callable[..., bytes]:
    return lambda *, bytes: drawn(kind)[: -int(bytes)]  # noqa: A006  # the case's own word


def _header(width: int, height: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))


def png_header(*, w: int, h: int) -> bytes:
    """A whole PNG of that size by its header, with hardly any data."""
    return PNG_MAGIC + _header(w, h) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


@cache
def png_bomb(*, w: int, h: int) -> bytes:
    """A whole grey PNG of that size that takes next to no room until it is decoded."""
    packer = zlib.compressobj(1)
    row = bytes(w + 1)
    data = b"".join([*(packer.compress(row) for _ in range(h)), packer.flush()])
    return PNG_MAGIC + _header(w, h) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def png_ok(*, w: int, h: int, fill: int | None = None, asked: str = "") -> bytes:
    """A good picture of that size, perhaps of one colour."""
    del asked
    if fill is None:
        return drawn("PNG", w, h)
    buffer = io.BytesIO()
    Image.new("RGB", (w, h), (fill,) * 3).save(buffer, "PNG")
    return buffer.getvalue()


def jpeg_exif_gps() -> bytes:
    """A photograph that tells where it was taken."""
    exif = Image.Exif()
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 29.0)
    exif[0x8825] = {1: "N", 2: (48.0, 51.0, 29.0), 3: "E", 4: (2.0, 17.0, 40.0)}
    buffer = io.BytesIO()
    Image.open(io.BytesIO(drawn("JPEG"))).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def _packed_zeros(mib: int) -> bytes:
    return zlib.compress(bytes(mib * 1024 * 1024), 9)


def apng(*, frames: int) -> bytes:
    """A PNG that says that it moves."""
    return with_chunks(chunk(b"acTL", struct.pack(">II", frames, 0)))


def random_bytes(*, mib: int) -> bytes:
    """Noise."""
    return random.Random(3).randbytes(mib * 1024 * 1024)  # noqa: S311 - the same bytes at each run


def faulty(fault: str) -> bytes:
    """A good picture at which the decoder of `faulty_decoder` aborts or hangs."""
    return with_chunks(chunk(b"tEXt", b"fault\0" + fault.encode()))


PICTURES: Final[Mapping[str, Callable[..., bytes]]] = {
    "bytes": lambda *, text: str(text).encode(),
    "gif_ok": lambda: drawn("GIF"),
    "tiff_ok": lambda: drawn("TIFF"),
    "eps": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(%pipe%touch /tmp/pwned) (w) file\n%%EOF\n",
    "png_cut": _cut("PNG"),
    "png_cut_tail": _without_tail("PNG"),
    "jpeg_cut": _cut("JPEG"),
    "jpeg_cut_tail": _without_tail("JPEG"),
    "webp_cut": _cut("WEBP"),
    "png_bomb": png_bomb,
    "png_header": png_header,
    "png_ok": png_ok,
    "jpeg_ok": lambda *, output: drawn("JPEG"),  # the case's own word
    "png_ztxt_bomb": lambda: with_chunks(chunk(b"zTXt", b"Comment\0\0" + _packed_zeros(64))),
    "png_iccp_bomb": lambda: with_chunks(chunk(b"iCCP", b"profile\0\0" + _packed_zeros(64))),
    "png_many_chunks": lambda *, n: with_chunks(*[chunk(b"tEXt", b"a\0b")] * int(n)),
    "apng": apng,
    "jpeg_exif_gps": jpeg_exif_gps,
    "random_bytes": random_bytes,
    "decoder_abort": lambda: faulty("abort"),
    "decoder_hang": lambda: faulty("hang"),
}


def picture_of(given: Mapping[str, Any]) -> bytes:
    """The bytes that a case's `gen` and `args` name."""
    return PICTURES[given["gen"]](**(given.get("args") or {}))
