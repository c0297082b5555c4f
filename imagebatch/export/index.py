"""What code has to know of a project's pictures, sorted by address. Pure values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

FORMAT: Final = "imagebatch-index"
FORMAT_VERSION: Final = "1.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One output as it lies on the disk: project path, size in pixels, media type, bytes, `sha256:…`."""

    path: str
    width: int
    height: int
    media_type: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One picture in all its files, the manifest's first one first.

    `name` is the address; where an address has several pictures, the others have `#` and their candidate's number
    behind it. `placeholder` is a tiny WebP as a data URL.
    """

    name: str
    address: str
    candidate: int
    alt: str
    title: str
    files: tuple[File, ...]
    placeholder: str

    @property
    def main(self) -> File:
        """The file that stands for the picture where one is asked for."""
        return self.files[0]


def srcsets(image: Image, prefix: str = "") -> dict[str, str]:
    """What belongs into `srcset` for each media type with several widths; `prefix` leads to the project.

    Only files of the main one's shape do: a browser shows any of them in one and the same box.
    """
    by_type: dict[str, dict[int, str]] = {}
    for file in image.files:
        if _same_shape(file, image.main):
            by_type.setdefault(file.media_type, {}).setdefault(file.width, file.path)
    return {
        kind: ", ".join(f"{url(prefix + widths[width])} {width}w" for width in sorted(widths))
        for kind, widths in sorted(by_type.items())
        if len(widths) > 1
    }


def _same_shape(one: File, other: File) -> bool:
    """Whether two files are one picture at two sizes, as far as their sides tell: each is rounded to whole pixels."""
    longest = max(one.width, one.height, other.width, other.height)
    return abs(one.width * other.height - one.height * other.width) <= longest


def url(path: str) -> str:
    """A path as an address: nothing in it ends a string, an attribute, a `srcset` or a link."""
    return quote(path, safe="/-._~")


def name_of(address: str, candidate: int, candidates: Sequence[int]) -> str:
    """What a picture is called; no asset id holds a `#`, so that no two are called alike."""
    return address if candidate == candidates[0] else f"{address}#{candidate}"


def sorted_images(images: Iterable[Image]) -> tuple[Image, ...]:
    """The index in its order: by address, then by the place of the pick."""
    return tuple(sorted(images, key=lambda one: one.address))
