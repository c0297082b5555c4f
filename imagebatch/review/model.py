"""What a page shows of an address: its pictures, what they cost, what was asked for, what is decided. Pure values."""

from dataclasses import dataclass

from imagebatch.model.money import Money
from imagebatch.plan.states import State
from imagebatch.review.wording import Piece


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """One picture; `number` counts candidates from 1. `sha256` is None for one whose bytes were never fetched.

    `width` and `height` are in pixels, 0 where they are not known.
    """

    number: int
    sha256: str | None
    width: int
    height: int
    picked: bool = False
    bought: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckLine:
    """What a check said of a picture: its name, whether it failed or only warns, and the sentence."""

    name: str
    level: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Everything that is shown of one address.

    `prompt` is what the present picture was drawn from, in pieces that tell how it differs from the one before; `next`
    is the prompt that the manifests give now, in pieces that tell how it differs from that, None where it is the same.
    `action` and `reason` are the plan's. `use` are the hashes of the present picks; `several` says that the output's
    path has room for more than one. `before` are the picked pictures of the draw that was replaced.
    """

    address: str
    asset: str
    key: str | None
    axes: tuple[tuple[str, str], ...]
    anchor: str
    status: str
    states: tuple[State, ...]
    provider: str
    model: str
    simulated: bool
    cost: tuple[str, ...]
    params: tuple[tuple[str, str], ...]
    prompt: tuple[Piece, ...]
    next: tuple[Piece, ...] | None
    action: str
    reason: str
    failure: str | None
    shots: tuple[Shot, ...]
    before: tuple[Shot, ...]
    earlier: int
    outputs: tuple[str, ...]
    checks: tuple[CheckLine, ...]
    draw: str
    token: str
    attempt: int
    several: bool
    tags: tuple[str, ...]
    alt: str
    title: str
    place: str
    marks: tuple[str, ...]
    note: str | None

    @property
    def many(self) -> bool:
        """Whether there are several pictures to choose among."""
        return sum(1 for shot in self.shots if shot.sha256 is not None) > 1

    @property
    def pictures(self) -> int:
        """How many pictures a page loads for it, at least one: an empty place takes room, too."""
        return max(1, sum(1 for shot in (*self.shots, *self.before) if shot.sha256 is not None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a grid: what its figures have in common, and one cell for each column."""

    heading: str
    cells: tuple[Figure | None, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The figures of the row, without the gaps."""
        return tuple(cell for cell in self.cells if cell is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Figures under one heading: rows and columns where there are two axes, else one after the other.

    `row_axis` and `column_axis` name what rows and columns stand for; empty where `rows` is.
    """

    heading: str
    row_axis: str = ""
    column_axis: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    flow: tuple[Figure, ...] = ()

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures, in the order in which they are shown."""
        return self.flow or tuple(figure for row in self.rows for figure in row.figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetPage:
    """One page: a part of an asset's sections. `number` counts the asset's pages from 1, `count` is how many it has."""

    asset: str
    file: str
    number: int
    count: int
    sections: tuple[Section, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures of the page."""
        return tuple(figure for section in self.sections for figure in section.figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetCard:
    """An asset on the first page: its figures counted, and a few pictures of it."""

    asset: str
    file: str
    figures: int
    states: tuple[tuple[State, int], ...]
    providers: tuple[str, ...]
    tags: tuple[str, ...]
    cost: tuple[Money, ...]
    shots: tuple[Shot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An address that needs a person, and why."""

    address: str
    href: str
    states: tuple[State, ...]
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """All pages. `summary` is the plan's last line; `simulated` names the providers that the simulator replaces."""

    name: str
    lineage: str
    summary: str
    simulated: tuple[str, ...]
    cards: tuple[AssetCard, ...]
    waiting: tuple[Waiting, ...]
    pages: tuple[AssetPage, ...]
    figures: int
    cost: tuple[Money, ...]
