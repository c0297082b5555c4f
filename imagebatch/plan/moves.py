"""Renames that cost nothing: what nobody wants any more goes on under the address that wants the same draw."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from imagebatch.model.settings import Moved
from imagebatch.plan.glob import fill_glob, glob_pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """New address to old one, and sentences about `moved` lines that could not be followed."""

    sources: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def find_moves(
    *,
    gone: Sequence[str],
    new: Mapping[str, str],
    moved: Sequence[Moved],
    draw_of: Callable[[str], str],
    recorded: Callable[[str], bool] = lambda _: False,
) -> Moves:
    """Pair recorded addresses that nobody wants with wanted ones that the lock does not know.

    `gone` are the first, `new` maps the second to their draw fingerprints; `draw_of` tells a recorded address's draw,
    `recorded` whether the lock has an address: no chain of renames goes on through one that stands there itself.
    The manifest's own `moved` lines come first, whatever was drawn. Then a draw fingerprint pairs its addresses where
    it occurs equally often on both sides: in any other case pairing would be a guess, and adoption costs nothing
    either.
    """
    sources, notes = _told(gone, new, moved, recorded)
    taken = set(sources.values())
    left = [address for address in gone if address not in taken]
    wanting = _by_draw((address, draw) for address, draw in new.items() if address not in sources)
    if wanting and left:
        having = _by_draw((address, draw_of(address)) for address in left)
        for draw, targets in wanting.items():
            holders = having.get(draw, [])
            if len(holders) == len(targets):
                sources.update(zip(sorted(targets), sorted(holders), strict=True))
    return Moves(sources=sources, notes=tuple(notes))


def _by_draw(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for address, draw in pairs:
        grouped.setdefault(draw, []).append(address)
    return grouped


def _told(
    gone: Sequence[str], new: Mapping[str, str], moved: Sequence[Moved], recorded: Callable[[str], bool]
) -> tuple[dict[str, str], list[str]]:
    sources: dict[str, str] = {}
    notes: list[str] = []
    if not moved:
        return sources, notes
    patterns = [(glob_pattern(line.source), line) for line in moved]
    for address in sorted(gone):
        target, line = address, None
        # A chain of renames is followed to its end; each line is used once, so a circle ends too.
        for pattern, candidate in patterns:
            match = pattern.fullmatch(target)
            if match is not None:
                target, line = fill_glob(candidate.target, match.groups()), candidate
                if target in new or recorded(target):
                    break
        if line is None:
            continue
        if target not in new and recorded(target):
            where = f"{line.place.path}:{line.place.line}"
            notes.append(f"{where}: {address} cannot move to {target}, which is in the lock itself; it is not followed")
            continue
        if target in sources:
            notes.append(f"{line.place.path}:{line.place.line}: {address} and {sources[target]} both move to {target}")
        elif target in new:
            sources[target] = address
    return sources, notes
