"""Outputs that go into what they are made from: each apply would change them, and pay again."""

from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final

from imagebatch.errors import Problem
from imagebatch.manifest.characters import quoted
from imagebatch.manifest.filled_paths import filled
from imagebatch.manifest.paths import collision_key
from imagebatch.manifest.references import ASSET_PREFIX, circles
from imagebatch.manifest.tables import TableFacts, glob_matches, glob_parts
from imagebatch.model.variant import Variant

MAX_SAID: Final = 20


def endless(variants: Sequence[Variant], tables: Iterable[TableFacts]) -> Iterator[Problem]:
    """What would be drawn anew by every apply, because the one before wrote what it is drawn from."""
    yield from _own_references(variants)
    yield from _own_rows(variants, {table.asset: table.path for table in tables if table.every_file})


def _own_references(variants: Sequence[Variant]) -> Iterator[Problem]:
    """References that are output files of the variant itself, or of one that starts from it."""
    wanted = {_key(one.source) for variant in variants for one in variant.references if _is_file(one.source)}
    if not wanted:
        return
    owners = {
        key: variant.address
        for variant in variants
        for path in filled(variant)
        if (key := collision_key(path)) in wanted
    }
    if not owners:
        return
    edges: dict[str, tuple[str, ...]] = {}
    for variant in variants:
        sources = [one.source for one in variant.references]
        found = [owners.get(_key(one)) if _is_file(one) else one.removeprefix(ASSET_PREFIX) for one in sources]
        if found:
            edges[variant.address] = tuple(one for one in found if one is not None)
    by_address = {variant.address: variant for variant in variants if variant.address in edges}
    for circle in circles(edges)[:MAX_SAID]:
        variant = by_address[circle[0]]
        place = variant.policy.place_of("references.0", "references")
        yield place.problem(
            "manifest.cycle",
            "references go round in a circle",
            f"{' -> '.join(circle)}: an output file is a reference of what it is drawn from, so every apply "
            "would change it and draw again.",
            address=variant.address,
            hint="write the output to another path",
        )


def _own_rows(variants: Sequence[Variant], globs: dict[str, str]) -> Iterator[Problem]:
    """Output files that the asset's own glob would take for further rows; one is told for each asset."""
    patterns = {asset: glob_parts(pattern) for asset, pattern in globs.items()}
    rows = {collision_key(one.row) for one in variants if one.row and one.policy.asset in patterns} if patterns else ()
    for variant in variants if patterns else ():
        pattern = patterns.get(variant.policy.asset, [])
        path = next((path for path in filled(variant) if pattern and _is_new(path, pattern, rows)), None)
        if path is None:
            continue
        del patterns[variant.policy.asset]
        place = variant.policy.place_of("outputs", "output")
        yield place.problem(
            "manifest.cycle",
            "an asset ranges over its own outputs",
            f"the output {quoted(path)} is matched by the asset's own for_each "
            f"{quoted(globs[variant.policy.asset])}, so every apply would find more files and draw more pictures.",
            address=variant.address,
            hint="write outputs to another folder, or leave them out with where",
        )


def _is_new(path: str, pattern: Sequence[str], rows: Container[str]) -> bool:
    return glob_matches(path.split("/"), pattern) and collision_key(path) not in rows


def _is_file(source: str) -> bool:
    return not source.startswith(ASSET_PREFIX)


def _key(source: str) -> str:
    return collision_key(PurePosixPath(source).as_posix())
