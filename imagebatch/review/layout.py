"""Where figures stand: an asset's axes as rows and columns, its pages, and the first page. Pure."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final

from imagebatch.model.money import Cost, Money, parse_money, totals
from imagebatch.plan.states import STATES, State
from imagebatch.review.model import AssetCard, AssetPage, Figure, Row, Section, Shot, Waiting

MOST_PICTURES: Final = 5_000
"""On one page."""
MOST_COLUMNS: Final = 12
"""Of a grid; an axis with more values flows."""
KEY: Final = "row"
"""What the data key is called beside the names of axes."""
_PREVIEWS: Final = 4
NEEDS_A_PERSON: Final[tuple[State, ...]] = ("in-doubt", "blocked", "failed", "missing", "unpicked")
_NUMBER: Final = re.compile(r"([0-9]{1,18})")
_PLAIN_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,80}")

Coordinates = tuple[tuple[str, str], ...]


def asset_pages(figures: Iterable[Figure], *, most: int = MOST_PICTURES) -> tuple[AssetPage, ...]:
    """All pages, an asset's after another's; none has more than `most` pictures, but for a single row that has."""
    by_asset: dict[str, list[Figure]] = {}
    for one in figures:
        by_asset.setdefault(one.asset, []).append(one)
    pages: list[AssetPage] = []
    for asset in sorted(by_asset, key=_natural):
        parts = list(_parts(_sections(by_asset[asset]), most))
        pages += [
            AssetPage(asset=asset, file=_file(asset, number), number=number, count=len(parts), sections=part)
            for number, part in enumerate(parts, start=1)
        ]
    return tuple(pages)


def asset_cards(pages: Iterable[AssetPage]) -> tuple[AssetCard, ...]:
    """The assets as the first page shows them."""
    by_asset: dict[str, list[AssetPage]] = {}
    for page in pages:
        by_asset.setdefault(page.asset, []).append(page)
    return tuple(_card(asset, parts) for asset, parts in by_asset.items())


def waiting(pages: Iterable[AssetPage]) -> tuple[Waiting, ...]:
    """What needs a person, the most urgent first."""
    found: list[Waiting] = []
    for page in pages:
        for one in page.figures:
            states = tuple(state for state in NEEDS_A_PERSON if state in one.states)
            if states:
                detail = one.failure or (one.reason if states != ("unpicked",) else "")
                href = f"{page.file}#{one.anchor}"
                found.append(Waiting(address=one.address, href=href, states=states, detail=detail))
    return tuple(sorted(found, key=lambda one: (NEEDS_A_PERSON.index(one.states[0]), _natural(one.address))))


def sum_of(figures: Iterable[Figure]) -> tuple[Money, ...]:
    """What the present draws cost, by currency; one that several addresses share was paid once."""
    paid: list[Cost] = []
    for costs in {one.token: one.cost for one in figures}.values():
        for text in costs:
            with suppress(ValueError):
                paid.append(Cost(money=parse_money(text), basis="exact"))
    return totals(paid)


def _sections(figures: Sequence[Figure]) -> tuple[Section, ...]:
    """Figures with the same axes stand together; all but two of their axes make headings."""
    groups: dict[tuple[tuple[str, ...], Coordinates], list[Figure]] = {}
    names_of: dict[tuple[str, ...], tuple[str, ...]] = {}
    by_names: dict[tuple[str, ...], list[Figure]] = {}
    for one in figures:
        by_names.setdefault(tuple(name for name, _ in _coordinates(one)), []).append(one)
    for names, alike in by_names.items():
        names_of[names] = _grid_axes(names, alike)
        for one in alike:
            rest = tuple(pair for pair in _coordinates(one) if pair[0] not in names_of[names])
            groups.setdefault((names, rest), []).append(one)
    ordered = sorted(groups, key=lambda group: (len(group[0]), group[0], [_natural(value) for _, value in group[1]]))
    return tuple(_section(groups[group], names_of[group[0]], group[1]) for group in ordered)


def _grid_axes(names: Sequence[str], figures: Sequence[Figure]) -> tuple[str, ...]:
    """The two axes that are rows and columns; none where one would be too wide, or there are not two."""
    if len(names) < 2:
        return tuple(names)
    values = {name: {dict(_coordinates(one))[name] for one in figures} for name in names[-2:]}
    first, second = names[-2:]
    rows, columns = (second, first) if len(values[first]) < len(values[second]) and first != KEY else (first, second)
    return (rows, columns) if len(values[columns]) <= MOST_COLUMNS else (rows,)


def _section(figures: Sequence[Figure], axes: tuple[str, ...], rest: Coordinates) -> Section:
    heading = " · ".join(f"{name}: {value}" for name, value in rest)
    ordered = sorted(figures, key=lambda one: [_natural(value) for _, value in _coordinates(one)])
    if len(axes) < 2:
        return Section(heading=heading, flow=tuple(ordered))
    placed = {(dict(_coordinates(one))[axes[0]], dict(_coordinates(one))[axes[1]]): one for one in ordered}
    rows, columns = (sorted({at[index] for at in placed}, key=_natural) for index in (0, 1))
    return Section(
        heading=heading,
        row_axis=axes[0],
        column_axis=axes[1],
        columns=tuple(columns),
        rows=tuple(Row(heading=row, cells=tuple(placed.get((row, column)) for column in columns)) for row in rows),
    )


def _coordinates(one: Figure) -> Coordinates:
    return (*(((KEY, one.key),) if one.key is not None else ()), *one.axes)


def _parts(sections: Iterable[Section], most: int) -> Iterator[tuple[Section, ...]]:
    """Sections dealt out to pages, broken between rows or figures where they do not fit."""
    page: list[Section] = []
    room = most
    for section in sections:
        lines: list[Row | Figure] = [*section.rows, *section.flow]
        taken: list[Row | Figure] = []
        for line in lines:
            size = line.pictures if isinstance(line, Figure) else sum(one.pictures for one in line.figures)
            if size > room and (page or taken):
                yield (*page, *_piece(section, taken))
                page, taken, room = [], [], most
            taken.append(line)
            room -= size
        page += _piece(section, taken)
    if page:
        yield tuple(page)


def _piece(section: Section, lines: Sequence[Row | Figure]) -> list[Section]:
    if not lines:
        return []
    return [
        Section(
            heading=section.heading,
            row_axis=section.row_axis,
            column_axis=section.column_axis,
            columns=section.columns,
            rows=tuple(line for line in lines if isinstance(line, Row)),
            flow=tuple(line for line in lines if isinstance(line, Figure)),
        )
    ]


def _file(asset: str, number: int) -> str:
    """The name of a page's file: letters that every system and every address bar takes, and no two alike."""
    plain = asset.lower()
    if plain != asset or not _PLAIN_NAME.fullmatch(plain):
        mark = hashlib.sha256(asset.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        plain = f"{re.sub('[^a-z0-9_-]+', '-', plain)[:60].strip('-')}-{mark}".lstrip("-")
    return f"asset-{plain}.html" if number == 1 else f"asset-{plain}.{number}.html"


def _card(asset: str, pages: Sequence[AssetPage]) -> AssetCard:
    figures = [one for page in pages for one in page.figures]
    counts = Counter(state for one in figures for state in one.states)
    return AssetCard(
        asset=asset,
        file=pages[0].file,
        figures=len(figures),
        states=tuple((state, counts[state]) for state in STATES if counts[state]),
        providers=tuple(sorted({one.provider for one in figures if one.provider})),
        tags=tuple(sorted({tag for one in figures for tag in one.tags})),
        cost=sum_of(figures),
        shots=_previews(figures),
    )


def _previews(figures: Sequence[Figure]) -> tuple[Shot, ...]:
    """A few pictures, spread over the asset: picked ones, else the first of each."""
    best = [next(iter(sorted((s for s in one.shots if s.sha256), key=lambda s: not s.picked)), None) for one in figures]
    shots = [shot for shot in best if shot is not None]
    step = max(1, len(shots) // _PREVIEWS)
    return tuple(shots[::step][:_PREVIEWS])


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Numbers in a text sort by their size: 2 before 10."""
    parts = _NUMBER.split(text)
    return [(0, int(part), part) if _NUMBER.fullmatch(part) else (1, 0, part) for part in parts if part]
