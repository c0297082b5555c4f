"""One entry of `outputs:` into the steps that it asks for; what cannot go together is told where it stands."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from imagebatch.manifest.findings import Findings
from imagebatch.manifest.output_words import FOCUSES
from imagebatch.manifest.written import Value
from imagebatch.model.variant import Place

_EXT = re.compile(r"\{\{\s*ext\s*\}\}\s*$")
_ENDINGS = {"jpeg": "jpg"}
_SUMMARY = "steps of an output do not go together"


def path_as_asked(entry: Mapping[str, Any]) -> str:
    """The path of an output; where it ends in `{{ ext }}` and a format is written, it ends in that."""
    path = str(entry["path"])
    return _EXT.sub(str(entry["format"]), path) if "format" in entry else path


def output_options(entry: Mapping[str, Any], place_of: Callable[[str], Place], findings: Findings) -> dict[str, Any]:
    """The fields of an `OutputSpec` that an entry sets; `place_of` tells where one of its keys stands."""
    made: dict[str, Any] = {key: int(entry[key]) for key in _NUMBERS if key in entry}
    made |= {key: entry[key] for key in ("fit", "strip", "embed") if key in entry}
    if "background" in entry:
        made["background"] = str(entry["background"]).lower()
    if "focus" in entry:
        made["focus"] = _focus(entry["focus"])
    ending = path_as_asked(entry).rpartition(".")[2].lower()
    for key, why in _conflicts(entry, ending):
        findings.add("manifest.conflict", _SUMMARY, why, place=place_of(key))
    return made


_NUMBERS = ("width", "height", "quality", "max_bytes")


def _focus(written: Value) -> tuple[int, int]:
    if isinstance(written, str):
        return FOCUSES[written]
    across, down = (round(float(share) * 10_000) for share in written)
    return across, down


def _conflicts(entry: Mapping[str, Any], ending: str) -> list[tuple[str, str]]:
    """Keys that cannot stand as they do, with what is wrong and what to do."""
    found: list[tuple[str, str]] = []
    wanted = entry.get("format")
    if wanted is not None and ending.isalnum() and _ENDINGS.get(wanted, wanted) != _ENDINGS.get(ending, ending):
        why = f"format is {wanted}, and the path ends in .{ending}: the extension is the format."
        found.append(("format", why))
    if "quality" in entry and "max_bytes" in entry:
        why = "quality and max_bytes both decide how strongly the file is compressed; keep one of them."
        found.append(("max_bytes", why))
    elif "max_bytes" in entry and ending == "png":
        why = "a PNG has no quality that could be lowered until it fits; let the path end in .webp, .avif or .jpg."
        found.append(("max_bytes", why))
    if "focus" in entry and not (entry.get("fit") == "cover" and "width" in entry and "height" in entry):
        why = "focus says what a crop keeps, and nothing is cropped without width, height and fit: cover."
        found.append(("focus", why))
    return found
