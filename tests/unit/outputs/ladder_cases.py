"""Every step of the ladder on every kind of picture, and the hash of the pixels that come out.

    .venv/bin/python -m tests.unit.outputs.ladder_cases

writes `ladder.golden.json` anew. Do that on purpose only: other pixels mean that people's files are made anew with
another look though their manifests have not changed. Look at some of the new files beside the old ones first, and say
in docs/changelog.md what changed.
"""

import hashlib
import json
import platform
import struct
import sys
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import PIL
from PIL import Image, ImageCms, features

from imagebatch.outputs.darkroom import Negative
from imagebatch.outputs.paths import FORMATS
from imagebatch.outputs.steps import Steps

GOLDEN = Path(__file__).with_name("ladder.golden.json")
SIZE = (48, 36)
FITS = ("contain", "cover", "fill")
FOCUSES = {"top-left": (0, 0), "bottom-right": (10_000, 10_000), "thirds": (3_333, 6_667)}


def made_with() -> Mapping[str, str]:
    """What decides pixels beside our own code."""
    return {"machine": platform.machine(), "pillow": PIL.__version__} | {
        name: str(features.version(name)) for name in ("jpg", "webp", "avif", "zlib", "littlecms2")
    }


def drawn() -> Image.Image:
    """A picture in which every place is told from every other: slopes, a corner, a disc."""
    across = Image.linear_gradient("L").rotate(90).resize(SIZE)
    down = Image.linear_gradient("L").resize(SIZE)
    middle = Image.radial_gradient("L").resize(SIZE)
    image = Image.merge("RGB", (across, down, middle))
    image.paste((250, 240, 20), (0, 0, 12, 9))
    return image


def swapped_profile() -> bytes:
    """A valid profile whose red is sRGB's blue: colours change places where it is taken into account."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    at = {bytes(data[132 + 12 * one : 136 + 12 * one]): 136 + 12 * one for one in range(data[131])}
    red, blue = at[b"rXYZ"], at[b"bXYZ"]
    data[red : red + 8], data[blue : blue + 8] = data[blue : blue + 8], data[red : red + 8]
    return bytes(data)


def sources() -> Mapping[str, bytes]:
    """Delivered pictures by what is special about them."""
    plain = drawn()
    see_through = plain.copy()
    see_through.putalpha(Image.radial_gradient("L").resize(SIZE))
    grey = plain.convert("L")
    deep = grey.convert("I").point(lambda value: value * 257).convert("I;16")
    found = {
        "rgb": _saved(plain, "PNG"),
        "rgba": _saved(see_through, "PNG"),
        "grey": _saved(grey, "PNG"),
        "grey-alpha": _saved(see_through.convert("LA"), "PNG"),
        "palette": _saved(plain.convert("P", palette=Image.Palette.ADAPTIVE, colors=16), "PNG"),
        "palette-alpha": _saved(see_through.quantize(16), "PNG"),
        "one-bit": _saved(plain.convert("1"), "PNG"),
        "sixteen-bit": _saved(deep, "PNG"),
        "cmyk": _saved(plain.convert("CMYK"), "JPEG", quality=95),
        "profile": _saved(plain, "PNG", icc_profile=swapped_profile()),
        "profile-alpha": _saved(see_through, "PNG", icc_profile=swapped_profile()),
        "broken-profile": _saved(plain, "PNG", icc_profile=b"no profile at all"),
        "webp": _saved(see_through, "WEBP", lossless=True),
        "avif": _saved(plain, "AVIF", quality=90, max_threads=1),
    }
    for number in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = number
        found[f"turned-{number}"] = _saved(plain, "JPEG", quality=95, exif=exif)
    return found


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def cases() -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    """Name, source, ending and steps of each case."""
    for source in sources():
        for ending in ("png", "jpg", "webp", "avif"):
            yield f"{source} to {ending}", source, ending, {}
        yield f"{source} narrower", source, "png", {"width": 20}
        yield f"{source} stripped", source, "png", {"strip": True}
        yield f"{source} on green", source, "png", {"background": "#10a020"}
    for ending in ("png", "jpg", "webp", "avif"):
        for fit in FITS:
            for width, height in ((24, None), (None, 24), (24, 24), (60, 20), (20, 60), (96, 72)):
                name = f"{fit} {width or ''}x{height or ''} {ending}"
                yield name, "rgb", ending, {"width": width, "height": height, "fit": fit}
    for name, focus in FOCUSES.items():
        for box in ((20, 30), (40, 12)):
            steps = {"width": box[0], "height": box[1], "fit": "cover", "focus": focus}
            yield f"cover {box[0]}x{box[1]} from {name}", "rgb", "png", steps
            yield f"cover {box[0]}x{box[1]} from {name}, turned", "turned-6", "png", steps
    for ending in ("jpg", "webp", "avif"):
        for quality in (30, 95):
            yield f"quality {quality} {ending}", "rgba", ending, {"quality": quality}
        yield f"at most 900 bytes {ending}", "rgba", ending, {"max_bytes": 900}
    for source in ("rgba", "palette-alpha", "profile-alpha"):
        for ending in ("jpg", "webp", "avif"):
            steps = {"background": "#10a020", "strip": True, "width": 30, "height": 30, "fit": "cover"}
            yield f"{source} all together {ending}", source, ending, steps


def developed(folder: Path, data: bytes, ending: str, steps: Mapping[str, Any]) -> bytes:
    """The file that comes out."""
    source, target = folder / "source", folder / f"target.{ending}"
    source.write_bytes(data)
    Negative(source).developed(Steps(target=str(target), media_type=FORMATS[ending], **steps))
    return target.read_bytes()


def pixel_hash(data: bytes) -> str:
    """Of kind, size and pixels of a picture, and whether it carries a colour profile."""
    with Image.open(BytesIO(data)) as image:
        head = struct.pack(">4sIIB", image.mode.encode(), *image.size, "icc_profile" in image.info)
        return hashlib.sha256(head + image.tobytes()).hexdigest()[:20]


def main() -> int:
    """Write the golden file."""
    delivered = sources()
    with TemporaryDirectory() as folder:
        hashes = {
            name: pixel_hash(developed(Path(folder), delivered[source], ending, steps))
            for name, source, ending, steps in cases()
        }
    GOLDEN.write_text(json.dumps({"made_with": made_with(), "pixels": hashes}, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
