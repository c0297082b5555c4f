"""What a stranger's bytes are, without decoding them: type, size, end marks, bombs. Pure.

Pillow knows over 40 formats by their first bytes, one of which would start a Postscript interpreter; it passes a JPEG
that is cut in half and a PNG without its end. So nothing is decoded that has not passed here. Parsers of the single
formats stand in `formats`.
"""

from dataclasses import dataclass

from imagebatch.outputs.bad_picture import BadPicture
from imagebatch.outputs.formats import HEADS

MAX_BYTES = 64 * 1024 * 1024
MAX_PIXELS = 50_000_000
MAX_SIDE = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the bytes say of themselves: media type and size in pixels."""

    media_type: str
    width: int
    height: int


def sniff(data: bytes) -> str | None:
    """The media type of one of the four accepted formats, by the first bytes; None for everything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp" and b"avif" in data[8 : min(64, int.from_bytes(data[:4], "big"))]:
        return "image/avif"
    return None


def check_bytes(data: bytes) -> Head:
    """Everything that can be said without decoding: allowed type, size within limits, whole, nothing after the end.

    Raises BadPicture.
    """
    media_type = sniff(data)
    if media_type is None:
        raise _no_picture(data)
    if len(data) > MAX_BYTES:
        raise BadPicture("image.too_large", f"the picture is over {MAX_BYTES // (1024 * 1024)} MiB")
    width, height = HEADS[media_type](data)
    check_size(width, height)
    return Head(media_type=media_type, width=width, height=height)


def check_size(width: int, height: int) -> None:
    """Refuse what would not fit into memory once decoded.

    Raises BadPicture with `image.too_large`, or `image.truncated` for a side of 0.
    """
    if width <= 0 or height <= 0:
        raise BadPicture("image.truncated", f"the header says {width}x{height} pixels")
    if max(width, height) > MAX_SIDE:
        raise BadPicture("image.too_large", f"{width}x{height} pixels: a side is over {MAX_SIDE}")
    if width * height > MAX_PIXELS:
        megapixels = width * height / 1_000_000
        raise BadPicture("image.too_large", f"{width}x{height} is {megapixels:.0f} MP; the limit is 50 MP")


_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"GIF8", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"%!PS", "EPS"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"%PDF", "PDF"),
    (b"BM", "BMP"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"8BPS", "PSD"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
)


def _no_picture(data: bytes) -> BadPicture:
    if not data:
        return BadPicture("image.truncated", "there are no bytes at all")
    for magic, name in _OTHERS:
        if data.startswith(magic):
            return BadPicture("image.format", f"it is {name}, which is not one of PNG, JPEG, WebP, AVIF")
    if data[4:8] == b"ftyp":
        brand = data[8:12].decode("ascii", "replace").strip()
        return BadPicture("image.format", f"it is an ISO media file ({brand!a}), not one of PNG, JPEG, WebP, AVIF")
    return _no_picture_text(data)


def _no_picture_text(data: bytes) -> BadPicture:
    start = data[:2048].lstrip(b"\xef\xbb\xbf \t\r\n")
    lower = start[:1024].lower()
    if b"<svg" in lower:
        return BadPicture("image.format", "it is SVG, which can hold scripts and is never accepted")
    shown = ascii(start[:200].decode("utf-8", "replace"))
    if lower.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--")):
        return BadPicture("image.not_image", f"it looks like HTML or XML: {shown}")
    if start[:1] in {b"{", b"["}:
        return BadPicture("image.not_image", f"it looks like JSON: {shown}")
    if all(byte >= 9 for byte in start[:64]):
        return BadPicture("image.not_image", f"it looks like text: {shown}")
    return BadPicture("image.not_image", f"it begins with {start[:8].hex(' ')}, which is no picture")
