"""What a picture's pixels say, as whole numbers; only the worker processes import this."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageFilter, ImageOps

_SIDE: Final = 512
_LAPLACIAN: Final = ImageFilter.Kernel((3, 3), (0, 1, 0, 1, -4, 1, 0, 1, 0), scale=1, offset=128)


def measured(source: Path) -> dict[str, Any]:
    """Alpha, blank, sharpness and look of a picture that was checked before."""
    with Image.open(source, formats=("PNG", "JPEG", "WEBP", "AVIF")) as opened:
        opened.load()
        ranges = _ranges(opened)
        image = _eight_bit(ImageOps.exif_transpose(opened)).convert("RGBA")
    seen = Image.new("RGBA", image.size, "white")
    seen.alpha_composite(image)
    gray = seen.convert("L")
    return {
        "alpha": _ranges(image)[3][0] < 255,
        "blank": all(low == high for low, high in ranges),
        "sharpness": sharpness(gray),
        "look": difference_hash(gray),
    }


def sharpness(gray: Image.Image) -> int:
    """The variance of the Laplacian of a grey picture scaled to 512x512, rounded down: small where it is blurred."""
    edges = gray.resize((_SIDE, _SIDE), Image.Resampling.BOX).filter(_LAPLACIAN)
    # The filter leaves the outermost pixels as they are.
    counts = edges.crop((1, 1, _SIDE - 1, _SIDE - 1)).histogram()
    number = sum(counts)
    total = sum(value * count for value, count in enumerate(counts))
    squares = sum(value * value * count for value, count in enumerate(counts))
    return (number * squares - total * total) // (number * number)


def difference_hash(gray: Image.Image) -> str:
    """Whether each of 8x8 places is brighter than its right neighbour, as 16 hex digits (dHash, 64 bits)."""
    values = gray.resize((9, 8), Image.Resampling.BOX).tobytes()
    bits = [values[row * 9 + at] > values[row * 9 + at + 1] for row in range(8) for at in range(8)]
    return f"{sum(bit << (63 - at) for at, bit in enumerate(bits)):016x}"


def _ranges(image: Image.Image) -> Sequence[Any]:
    ranges: Any = image.getextrema()
    return ranges if isinstance(ranges[0], tuple) else (ranges,)


def _eight_bit(image: Image.Image) -> Image.Image:
    """A picture of more than eight bits a value would be cut off, not scaled, by converting it."""
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    return image
