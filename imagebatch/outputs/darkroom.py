"""Developing with Pillow; only the worker processes import this.

The same bytes and steps give the same file: no clock, no metadata but the colour profile, one thread, fixed effort.
"""

from io import BytesIO
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageCms, ImageOps

from imagebatch.model.variant import Fit
from imagebatch.outputs.picture import check_size

_SAVE: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "image/png": ("PNG", {"compress_level": 6}),
    "image/jpeg": ("JPEG", {"quality": 90, "optimize": True}),
    "image/webp": ("WEBP", {"quality": 85, "method": 4}),
    "image/avif": ("AVIF", {"quality": 75, "speed": 8, "max_threads": 1}),
}
_SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "F")


def developed(
    source: Path,
    target: Path,
    *,
    media_type: str,
    width: int | None,
    height: int | None,
    fit: Fit,
    quality: int | None,
) -> tuple[tuple[int, int], int]:
    """Write `target` from `source`: turned upright, sized, converted. Gives (width, height) and the file's bytes."""
    with Image.open(source, formats=("PNG", "JPEG", "WEBP", "AVIF")) as opened:
        image: Image.Image = ImageOps.exif_transpose(opened)
        image, profile = _plain(image)
    image = _sized(image, width, height, fit)
    if media_type == "image/jpeg":
        image = _opaque(image)
    elif media_type == "image/webp" and image.mode == "L":
        image = image.convert("RGB")
    name, options = _SAVE[media_type]
    if quality is not None and media_type != "image/png":
        options = options | {"quality": quality}
    if profile and image.mode in {"RGB", "RGBA"}:
        options = options | {"icc_profile": profile}
    # Metadata of the source (place, camera, orientation) would be wrong or telling in a derived file.
    image.info.clear()
    with target.open("wb") as file:
        image.save(file, format=name, **options)
    return image.size, target.stat().st_size


def target_size(size: tuple[int, int], width: int | None, height: int | None, fit: Fit) -> tuple[int, int]:
    """The size that a picture is scaled to before any cropping; one side given keeps the proportions."""
    own_width, own_height = size
    if width is None and height is None:
        return size
    if height is None:
        return _by_width(size, width or own_width)
    if width is None:
        return _by_width(size[::-1], height)[::-1]
    if fit == "fill":
        return width, height
    wider = width * own_height > height * own_width  # the box is wider than the picture
    if wider == (fit == "cover"):
        scaled = _by_width(size, width)[1]
        return width, max(height, scaled) if fit == "cover" else min(height, scaled)
    scaled = _by_width(size[::-1], height)[1]
    return max(width, scaled) if fit == "cover" else min(width, scaled), height


def _by_width(size: tuple[int, int], width: int) -> tuple[int, int]:
    return width, max(1, round(size[1] * width / size[0]))


def _sized(image: Image.Image, width: int | None, height: int | None, fit: Fit) -> Image.Image:
    size = target_size(image.size, width, height, fit)
    check_size(*size)
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    if fit == "cover" and width is not None and height is not None and size != (width, height):
        left, top = (size[0] - width) // 2, (size[1] - height) // 2
        image = image.crop((left, top, left + width, top + height))
    return image


def _plain(image: Image.Image) -> tuple[Image.Image, bytes | None]:
    """The picture as L, RGB or RGBA with eight bits, and the colour profile that still fits it."""
    profile: bytes | None = image.info.get("icc_profile")
    if image.mode == "CMYK":
        return _from_cmyk(image, profile), None
    if image.mode in _SIXTEEN_BIT:
        # convert("L") would cut off everything above 255.
        return image.convert("I").point([value // 256 for value in range(65536)], "L"), None
    if image.mode == "P" or "transparency" in image.info:
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    elif image.mode in {"LA", "La", "PA"}:
        image = image.convert("RGBA")
    elif image.mode not in {"L", "RGB", "RGBA"}:
        image = image.convert("L" if image.mode == "1" else "RGB")
    return image, profile


def _from_cmyk(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        try:
            converted = ImageCms.profileToProfile(
                image, ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode="RGB"
            )
        except (ImageCms.PyCMSError, OSError, ValueError):
            converted = None
        if converted is not None:
            return converted
    return image.convert("RGB")


def _opaque(image: Image.Image) -> Image.Image:
    if image.mode != "RGBA":
        return image
    ground = Image.new("RGB", image.size, (255, 255, 255))
    ground.paste(image, mask=image.getchannel("A"))
    return ground
