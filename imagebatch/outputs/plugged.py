"""Checks that installed packages offer: which there are, of which version, and what they are shown.

A package offers one by an entry point in the group `imagebatch.checks`: the entry's name is what a manifest calls
`plugin:NAME`, its value a class that is made without arguments and has the method `check`.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from imagebatch.effects.files import is_file, read_bytes

GROUP: Final = "imagebatch.checks"
CHECK_S: Final = 30.0
MOST_SENTENCES: Final = 20
LONGEST_SENTENCE: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picked picture as a plug-in sees it: `path` is to be read only, `params` are what the manifest gives.

    Sizes are pixels; `media_type` is like `image/png`. `prompt` is what it was drawn for.
    """

    path: Path
    width: int
    height: int
    media_type: str
    address: str
    prompt: str
    params: Any


@runtime_checkable
class PictureCheck(Protocol):
    """What a plug-in offers; one object judges many pictures, one after another, in a process of its own."""

    def check(self, picture: Picture) -> Iterable[str]:
        """What does not hold, one sentence each; nothing where all is well."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """One check of an installed package: `value` says where it is (`module:Class`), `version` what code it is."""

    name: str
    value: str
    version: str


@cache
def plugins() -> Mapping[str, Plugin]:
    """All checks that are installed, by name. Nothing of them is imported."""
    # Imported here: reading the metadata of all installed packages costs more than a whole plan without plug-ins.
    from importlib.metadata import entry_points

    return {
        entry.name: Plugin(
            name=entry.name,
            value=entry.value,
            version=f"{entry.dist.name} {entry.dist.version}{_source(entry.module)}" if entry.dist is not None else "",
        )
        for entry in entry_points(group=GROUP)
    }


def _source(module: str) -> str:
    """The hash of a module's text, as far as it can be found without importing anything: editing it changes it."""
    from importlib.util import find_spec

    top, *inner = module.split(".")
    try:
        spec = find_spec(top)
        if spec is None:
            return ""
        if not inner:
            places = [Path(spec.origin)] if spec.origin is not None else []
        else:
            folders = [Path(folder, *inner) for folder in spec.submodule_search_locations or ()]
            places = [place for at in folders for place in (at.with_suffix(".py"), at / "__init__.py")]
        found = next((place for place in places if is_file(place)), None)
        return "" if found is None else f" {hashlib.sha256(read_bytes(found)).hexdigest()[:16]}"
    except (OSError, ValueError, ImportError):
        return ""
