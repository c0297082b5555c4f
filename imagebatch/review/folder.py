"""A gallery's folder: its pages, its thumbnails, and nothing of what was there before."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from imagebatch.effects import seams
from imagebatch.effects.files import copy, exists, is_file, make_folders, names_in, remove, write_bytes
from imagebatch.errors import RefusedError

MARKER: Final = ".imagebatch-gallery"
THUMBS: Final = "thumbs"
ORIGINALS: Final = "pictures"
_PAGE: Final = re.compile(r"(index|contact(\.[0-9]+)?|asset-[a-z0-9_-]+(\.[0-9]+)?)\.html")
_PICTURE: Final = re.compile(r"[0-9a-f]{64}[-.0-9a-z]{4,12}")
_ABOUT: Final = b"Written by `imagebatch gallery`, which removes from this folder what it no longer needs.\n"


def check_folder(folder: Path) -> None:
    """Raise RefusedError where the folder holds something, and no gallery of ours: nothing of it is written over."""
    if is_file(folder):
        raise _refused(folder, "is a file")
    if names_in(folder) and not exists(folder / MARKER):
        raise _refused(folder, "holds files that no gallery wrote")


def fill_folder(
    folder: Path, pages: Iterable[tuple[str, str]], thumbs: Mapping[str, Path], originals: Mapping[str, Path]
) -> None:
    """Write all pages, put the pictures there (file name -> where its bytes are), and remove what is left over.

    Raises OSError.
    """
    make_folders(folder)
    write_bytes(folder / MARKER, _ABOUT)
    _put(folder / THUMBS, thumbs, link=True)
    _put(folder / ORIGINALS, originals, link=False)  # the store's files must have no second name that one may write to
    written: set[str] = set()
    for name, text in pages:
        write_bytes(folder / name, text.encode("utf-8"))
        written.add(name)
    for name in names_in(folder):
        if _PAGE.fullmatch(name) and name not in written:
            remove(folder / name)


def _put(folder: Path, files: Mapping[str, Path], *, link: bool) -> None:
    present = set(names_in(folder))
    if files:
        make_folders(folder)
    for name, source in files.items():
        if name in present:
            continue
        try:
            if not link:
                copy(source, folder / name)
            else:
                seams.disk.link(source, folder / name)
        except OSError:
            if not link:
                raise
            copy(source, folder / name)  # another disk, or one that has no second names
    for name in present - files.keys():
        if _PICTURE.fullmatch(name):
            remove(folder / name)


def _refused(folder: Path, why: str) -> RefusedError:
    return RefusedError(
        "the folder is not a gallery's",
        f"{folder} {why}. A gallery removes what it no longer needs, so it takes only a folder of its own. Nothing was "
        "written.",
        hints=("name a folder that is new or empty: imagebatch gallery --out gallery",),
        code="gallery.not_ours",
    )
