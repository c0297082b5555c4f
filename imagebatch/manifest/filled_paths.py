"""Output paths once `candidate` and `ext` are known: two files that differ before and are one afterwards."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from imagebatch.errors import Problem
from imagebatch.manifest.characters import quoted
from imagebatch.manifest.paths import collision_key
from imagebatch.model.variant import CANDIDATE_MARK, EXT_MARK, Variant

MAX_SAID: Final = 20
_TAIL: Final = f".{EXT_MARK}"


def filled_collisions(variants: Sequence[Variant]) -> Iterator[Problem]:
    """The output paths that two variants want although they are written differently: `a.jpg` and `a.{{ ext }}`.

    Paths that are equal as they are written were refused before, so nothing is built where all are of one form.
    """
    if _one_form(variants):
        return
    owners: dict[str, str] = {}
    said = 0
    for variant in variants:
        for path in filled(variant):
            count = len(owners)
            other = owners.setdefault(collision_key(path), variant.address)
            if len(owners) > count:
                continue
            said += 1
            if said > MAX_SAID:
                return
            who = f"twice by {other}" if other == variant.address else f"by {other} and by {variant.address}"
            place = variant.policy.place_of("outputs", "output")
            yield place.problem(
                "path.collision",
                "output path cannot be used",
                f"{quoted(path)} is wanted {who}: on some file systems it is one file.",
                address=variant.address,
            )


def _one_form(variants: Iterable[Variant]) -> bool:
    """Whether no path holds a mark, or each ends in `.{{ ext }}` and holds no other."""
    forms: set[bool] = set()
    for variant in variants:
        for output in variant.outputs:
            path = output.spec.path
            ends = path.endswith(_TAIL)
            if CANDIDATE_MARK in path or path.count(EXT_MARK) != ends:
                return False
            forms.add(ends)
    return len(forms) < 2


def filled(variant: Variant) -> Iterator[str]:
    """The files that one variant may write."""
    for output in variant.outputs:
        path = output.spec.path.replace(EXT_MARK, variant.ext)
        if CANDIDATE_MARK in path:
            yield from (path.replace(CANDIDATE_MARK, str(number)) for number in _candidates(variant))
        else:
            yield path


def _candidates(variant: Variant) -> Iterable[int]:
    """The candidates that may be picked: those of the rule, and all that are offered where a person chooses."""
    pick = variant.policy.pick
    if pick == "first":
        return (1,)
    return pick if isinstance(pick, tuple) else range(1, variant.offers + 1)
