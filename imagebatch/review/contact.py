"""The contact sheet: every present picture once, small, with its address, for paper. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from imagebatch.review.layout import MOST_PICTURES
from imagebatch.review.model import AssetPage, Figure, Shot


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One printable page of HTML. `files` are the names of all sheets; `number` counts from 1."""

    file: str
    number: int
    count: int
    files: tuple[str, ...]
    figures: int
    assets: tuple[tuple[str, tuple[tuple[Figure, Shot], ...]], ...]


def sheets(pages: Iterable[AssetPage], *, most: int = MOST_PICTURES) -> tuple[Sheet, ...]:
    """All sheets, of at most `most` pictures each; one, empty, where there is no picture."""
    shown = [(figure, shot) for page in pages for figure in page.figures for shot in _present(figure)]
    parts = [shown[at : at + most] for at in range(0, len(shown), most)] or [[]]
    files = tuple("contact.html" if number == 1 else f"contact.{number}.html" for number in range(1, len(parts) + 1))
    return tuple(
        Sheet(
            file=files[at],
            number=at + 1,
            count=len(parts),
            files=files,
            figures=len(part),
            assets=tuple((asset, tuple(group)) for asset, group in groupby(part, key=lambda one: one[0].asset)),
        )
        for at, part in enumerate(parts)
    )


def _present(figure: Figure) -> list[Shot]:
    """The picked pictures, else all that could be picked."""
    here = [shot for shot in figure.shots if shot.sha256 is not None]
    return [shot for shot in here if shot.picked] or here
