"""Labels and numbers that no draft may carry: marks that imagebatch keeps for itself, integers beyond 2^53."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from imagebatch.manifest.characters import quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.written import Value, show
from imagebatch.model.canonical import MAX_SAFE_INTEGER
from imagebatch.model.variant import Draft, Place

MAX_SAID: Final = 20
_TOKEN = re.compile(r"\bib-[a-z2-7]{16}\b|\bibl-[0-9a-f]{16}\b")


def check_labels(
    drafts: Iterable[Draft],
    findings: Findings,
    *,
    first: bool,
    varying: bool,
    place_of: Callable[[str], Place],
    told: set[tuple[Place, str]],
    wrong: set[str],
) -> Iterator[Draft]:
    """Refuse labels that imagebatch keeps for itself, and numbers that no request can carry; pass the drafts on.

    Args:
        drafts: some variants of one group.
        findings: where problems go.
        first: whether these are the group's first.
        varying: whether some of it differs between the drafts; if nothing does, one of them tells of all.
        place_of: gives the place of one of the asset's keys.
        told: what was said before, and is not said again.
        wrong: gets the keys that were found wrong.
    """
    said = 0
    for index, draft in enumerate(drafts):
        if (varying or (first and index == 0)) and said < MAX_SAID:
            for key, code, detail in _faults(draft):
                wrong.add(key)
                place = place_of(key)
                if (place, detail) not in told:
                    told.add((place, detail))
                    said += 1
                    findings.add(f"manifest.{code}", "value cannot be used", detail, place=place, address=draft.address)
        yield draft


def _faults(draft: Draft) -> Iterator[tuple[str, str, str]]:
    for tag in draft.tags:
        if tag.casefold().startswith(("ib-", "ibl-")):
            yield (
                "tags",
                "reserved",
                f"the tag {quoted(tag)}: tags that start with ib- or ibl- are imagebatch's own marks.",
            )
        elif not tag.strip():
            yield "tags", "required", "a tag is empty."
    for key, value in draft.metadata.items():
        if key.strip().casefold() == "imagebatch":
            yield "metadata", "reserved", f"the metadata key {quoted(key)} is reserved for imagebatch's own marks."
        if isinstance(value, str) and _TOKEN.search(value):
            yield "metadata", "reserved", f"metadata {quoted(key)} holds text of the form of an imagebatch token."
    if draft.name is not None and _TOKEN.search(draft.name):
        yield "name", "reserved", "name holds text of the form of an imagebatch token."
    yield from (("params", "type", f"params.{where} {why}.") for where, why in _numbers(draft.params, ""))
    yield from (("metadata", "type", f"metadata.{where} {why}.") for where, why in _numbers(draft.metadata, ""))


def _numbers(value: Value, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _numbers(item, f"{where}[{index}]")
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_SAFE_INTEGER:
        yield where, f"is the integer {show(value)}, beyond 2^53; quote it"
