"""What can be told of a decoded picture by numbers; runs in the decoder child only."""

from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from PIL import Image

SIDE: Final = 512
HASH_SIDE: Final = 8


def sharpness(image: "Image.Image") -> float:
    """Variance of the Laplacian of the picture in grey, brought to a fixed size so that sizes do not decide."""
    from PIL import Image, ImageFilter, ImageStat

    grey = _grey(image).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    # Scaled and lifted to the middle of a byte: both signs of the Laplacian are kept.
    edges = grey.filter(ImageFilter.Kernel((3, 3), (0, 1, 0, 1, -4, 1, 0, 1, 0), scale=8, offset=128))
    return float(ImageStat.Stat(edges.crop((1, 1, SIDE - 1, SIDE - 1))).var[0])


def difference_hash(image: "Image.Image") -> str:
    """64 bits as 16 hex digits: in each row of a tiny grey picture, whether a pixel is brighter than the one before."""
    from PIL import Image

    tiny = _grey(image).resize((HASH_SIDE + 1, HASH_SIDE), Image.Resampling.LANCZOS)
    values = tiny.tobytes()
    bits = 0
    for row in range(HASH_SIDE):
        line = values[row * (HASH_SIDE + 1) : (row + 1) * (HASH_SIDE + 1)]
        for left, right in pairwise(line):
            bits = bits << 1 | (right > left)
    return f"{bits:016x}"


def _grey(image: "Image.Image") -> "Image.Image":
    """In grey; what is see-through counts as white, as on a page."""
    from PIL import Image

    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, rgba)
    return image.convert("L")
