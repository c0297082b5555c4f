"""Small pictures with Pillow; only the worker processes import this."""

from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image, ImageCms, ImageOps

_FORMATS: Final = ("PNG", "JPEG", "WEBP", "AVIF")
_QUALITIES: Final = (75, 40, 20, 5, 0)
_SIXTEEN_BIT: Final = ("I", "I;16", "I;16B", "I;16L", "F")


def shrunk(source: Path, *, side: int, most: int | None) -> bytes:
    """A WebP of a picture, upright, in sRGB, its longer side at most `side` pixels; never larger than the picture.

    `most` bounds its bytes: the quality falls, and then the side, until it fits.
    """
    with Image.open(source, formats=_FORMATS) as opened:
        opened.draft("RGB", (side * 2, side * 2))  # a JPEG is decoded no larger than it has to be
        image: Image.Image = _plain(ImageOps.exif_transpose(opened))
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    if most is None:
        return _encoded(image, _QUALITIES[0], method=2)
    while True:
        for quality in _QUALITIES:
            data = _encoded(image, quality, method=6)
            if len(data) <= most:
                return data
        if max(image.size) <= 1:
            return data
        image.thumbnail((max(1, image.width // 2), max(1, image.height // 2)), Image.Resampling.LANCZOS)


def _encoded(image: Image.Image, quality: int, *, method: int) -> bytes:
    out = BytesIO()
    image.save(out, "WEBP", quality=quality, alpha_quality=quality, method=method)
    return out.getvalue()


def _plain(image: Image.Image) -> Image.Image:
    """The picture as RGB or RGBA in sRGB, without its metadata."""
    profile = image.info.get("icc_profile")
    if image.mode in _SIXTEEN_BIT:
        image = image.convert("I").point([value // 256 for value in range(65536)], "L")
    if profile and image.mode in {"RGB", "RGBA", "CMYK"}:
        image = _in_srgb(image, profile)
    image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    image.info.clear()
    return image


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        found = ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            outputMode="RGBA" if image.mode == "RGBA" else "RGB",
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return found or image
