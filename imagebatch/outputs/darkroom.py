"""Developing with Pillow; only the worker processes import this.

The same bytes and steps give the same file: no clock, no metadata but profile and mark, one thread, fixed effort. A
picture is decoded once, however many files are made from it.
"""

from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageOps

from imagebatch.model.variant import Fit
from imagebatch.outputs.bad_picture import BadPicture
from imagebatch.outputs.colours import opaque, plain, stripped, with_fitting_profile
from imagebatch.outputs.marking import find_mark, with_packet
from imagebatch.outputs.picture import MAX_SIDE, check_size
from imagebatch.outputs.steps import Steps

_SAVE: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "image/png": ("PNG", {"compress_level": 6}),
    "image/jpeg": ("JPEG", {"quality": 90, "optimize": True}),
    "image/webp": ("WEBP", {"quality": 85, "method": 4}),
    "image/avif": ("AVIF", {"quality": 75, "speed": 8, "max_threads": 1}),
}
QUALITIES: Final = tuple(range(5, 100, 5))
"""The qualities that `max_bytes` chooses among. The develop fingerprint knows nothing of them, nor of `_SAVE`."""


class Negative:
    """One picture from which files are made: its delivered bytes, and its pixels once they are needed."""

    def __init__(self, source: Path, signer: Mapping[str, str] | None = None) -> None:
        self._source = source
        self._signer = signer
        self._pixels: tuple[Image.Image, bytes | None] | None = None

    def developed(self, steps: Steps) -> int | None:
        """Write the file that `steps` ask for and give its bytes; None where the delivered ones are just that.

        Raises BadPicture where a size is impossible or nothing fits into `max_bytes`.
        """
        data = self._delivered(steps) if steps.whole else None
        if data is None:
            data = self._encoded(steps)
        elif not data:
            return None
        return Path(steps.target).write_bytes(data)

    def _delivered(self, steps: Steps) -> bytes | None:
        """The delivered bytes with their mark; nothing at all where they are marked already, None where they cannot be.

        A signature holds for every byte of the file, so a signed picture is left as it is.
        """
        data = self._source.read_bytes()
        found = find_mark(data)
        if steps.xmp is None or found.signed or (found.marked and steps.claim is None):
            return b"" if _fits(data, steps) else None
        if not found.marked:
            if steps.media_type == "image/avif":
                return None
            data = with_packet(data, steps.xmp.encode())
        data = self._signed(data, steps)
        return data if _fits(data, steps) else None

    def _signed(self, data: bytes, steps: Steps) -> bytes:
        """A whole file with its signature, where one is asked for: nothing is written into it afterwards."""
        if steps.claim is None:
            return data
        if self._signer is None:
            raise BadPicture("c2pa.sign", "it has to be signed, and there is no key")
        from imagebatch.outputs.signatures import signed

        return signed(data, steps.claim, self._signer, self._source.read_bytes())

    def _encoded(self, steps: Steps) -> bytes:
        image, profile = self._opened()
        if steps.strip:
            image, profile = stripped(image, profile)
        image = _sized(image, steps)
        if steps.media_type == "image/jpeg" or steps.background is not None:
            image = opaque(image, steps.background or "#ffffff")
        image, profile = with_fitting_profile(image, profile, steps.media_type)
        # Metadata of the source (place, camera, orientation) would be wrong or telling in a derived file.
        image.info.clear()
        if steps.max_bytes is None:
            return self._signed(_file(image, profile, steps, steps.quality), steps)
        return _best_that_fits(lambda quality: self._signed(_file(image, profile, steps, quality), steps), steps)

    def _opened(self) -> tuple[Image.Image, bytes | None]:
        """The pixels, upright, as L, RGB or RGBA, and their colour profile."""
        if self._pixels is None:
            with Image.open(self._source, formats=("PNG", "JPEG", "WEBP", "AVIF")) as opened:
                self._pixels = plain(ImageOps.exif_transpose(opened))
        image, profile = self._pixels
        return image.copy(), profile


def _fits(data: bytes, steps: Steps) -> bool:
    return steps.max_bytes is None or len(data) <= steps.max_bytes


def _file(image: Image.Image, profile: bytes | None, steps: Steps, quality: int | None) -> bytes:
    """A whole file, its mark written last."""
    name, options = _SAVE[steps.media_type]
    if quality is not None and steps.media_type != "image/png":
        options = options | {"quality": quality}
    if profile:
        options = options | {"icc_profile": profile}
    xmp = steps.xmp.encode() if steps.xmp is not None else None
    if xmp is not None and steps.media_type == "image/avif":  # the one container that only its encoder can put it into
        options = options | {"xmp": xmp}
    out = BytesIO()
    image.save(out, format=name, **options)
    data = out.getvalue()
    return with_packet(data, xmp) if xmp is not None and steps.media_type != "image/avif" else data


def _best_that_fits(made: Callable[[int | None], bytes], steps: Steps) -> bytes:
    """The file of the highest quality that is not over `max_bytes`, found by halving the list of qualities."""
    if steps.media_type == "image/png":
        data = made(None)
        if not _fits(data, steps):
            raise _over(data, steps, "a PNG has no quality that could be lowered")
        return data
    best, low, high = None, 0, len(QUALITIES) - 1
    smallest = b""
    while low <= high:
        middle = (low + high) // 2
        data = made(QUALITIES[middle])
        if _fits(data, steps):
            best, low = data, middle + 1
        else:
            smallest, high = data, middle - 1
    if best is None:
        raise _over(smallest, steps, f"at the lowest quality, {QUALITIES[0]}")
    return best


def _over(data: bytes, steps: Steps, why: str) -> BadPicture:
    over = len(data) - (steps.max_bytes or 0)
    text = f"it takes {len(data)} bytes, {over} more than max_bytes allows ({why}): raise max_bytes or make it smaller"
    return BadPicture("image.max_bytes", text)


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


def _sized(image: Image.Image, steps: Steps) -> Image.Image:
    width, height = steps.width, steps.height
    size = target_size(image.size, width, height, steps.fit)
    if steps.fit == "cover" and width is not None and height is not None and max(size) > MAX_SIDE:
        return _cut_then_sized(image, (width, height), steps.focus)  # a thin picture, of which little stays
    check_size(*size)
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    if steps.fit == "cover" and width is not None and height is not None and size != (width, height):
        across, down = steps.focus
        left, top = (size[0] - width) * across // 10_000, (size[1] - height) * down // 10_000
        image = image.crop((left, top, left + width, top + height))
    return image


def _cut_then_sized(image: Image.Image, size: tuple[int, int], focus: tuple[int, int]) -> Image.Image:
    """What stays of a picture that is cut to `size`, without all of it ever being that large."""
    check_size(*size)
    scale = max(size[0] / image.width, size[1] / image.height)
    across, down = size[0] / scale, size[1] / scale
    left, top = (image.width - across) * focus[0] / 10_000, (image.height - down) * focus[1] / 10_000
    return image.resize(size, Image.Resampling.LANCZOS, box=(left, top, left + across, top + down))
