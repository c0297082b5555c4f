"""Faulty parts are taken out of parsed files, so that the rest is judged in the same go.

What was taken out is remembered by name: whoever would miss it later knows that it was written down, and says nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from imagebatch.manifest.characters import nearest
from imagebatch.manifest.checking import Loc
from imagebatch.manifest.schema import Asset, Manifest, Project, Provider
from imagebatch.manifest.written import Value
from imagebatch.manifest.yaml import Document, YMap, is_stand_in

# What decides which combinations there are.
COMBINING: Final = frozenset({"matrix", "include", "exclude"})
# Axis values that carried settings, which nobody knows now.
SETTINGS: Final = "axis settings"
# A style that is there, and says less than was written.
STYLE_PARTS: Final = "style parts"
_BELOW_PARAMS = frozenset({"model", "size", "n"})
_ASSET_KEYS = frozenset(Asset.model_fields)
_PROVIDER_KEYS = frozenset(Provider.model_fields)
_TOP_KEYS = frozenset({*Manifest.model_fields, *Project.model_fields})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was taken out of one file: of all its assets alike, and of single ones (None: of the whole asset)."""

    everywhere: frozenset[str] = frozenset()
    assets: dict[str, frozenset[str] | None] = field(default_factory=dict)

    def __or__(self, other: "Pruned") -> "Pruned":
        assets = dict(self.assets)
        for name, keys in other.assets.items():
            known = assets.setdefault(name, frozenset())
            assets[name] = None if known is None or keys is None else known | keys
        return Pruned(everywhere=self.everywhere | other.everywhere, assets=assets)


def refused_parts(document: Document) -> list[Loc]:
    """Where a value stands that could not even be read; `x` and `x-…` are nobody's business."""
    if not document.refused or not isinstance(document.root, YMap):
        return []
    return [loc for key, value in without_extras(document.root).items() for loc in _refused(value, (key,))]


def _refused(value: Value, loc: Loc) -> Iterator[Loc]:
    if isinstance(value, (dict, list)):
        for step, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _refused(item, (*loc, step))
    elif is_stand_in(value):
        yield loc


def prune(root: YMap, faults: Iterable[Loc], *, keep: frozenset[str] = frozenset()) -> Pruned:
    """Take the faulty parts out of a file's mapping.

    Args:
        root: the file's top; changed in place.
        faults: where the faults are, as `check_shape` gives them.
        keep: what is left in the assets, because the rest of it can be judged; it counts as taken out all the same.
    """
    everywhere: set[str] = set()
    assets: dict[str, set[str] | None] = {}
    for loc in faults:
        top = str(loc[0])
        if top == "assets" and len(loc) == 2:
            assets[str(loc[1])] = None
        elif top == "assets" and len(loc) > 2:
            names = assets.setdefault(str(loc[1]), set())
            if names is not None:
                meant = keys_meant(str(loc[2]))
                names |= meant
                if meant & COMBINING and carries_settings(_at(root, loc[:3])):
                    names.add(SETTINGS)
            if loc[2] not in keep:
                take_out(root, loc[:3])
        elif top == "defaults" and len(loc) > 1:
            everywhere |= keys_meant(str(loc[1]))
            take_out(root, loc[:2])
        elif top == "styles" and len(loc) > 2:
            everywhere.add(STYLE_PARTS)  # the style is known by its name still
            take_out(root, loc[:3])
        elif top == "providers" and len(loc) > 1:
            # Of a provider without a type nothing can be said; its name is known all the same.
            untyped = len(loc) > 2 and "type" in _meant(str(loc[2]), _PROVIDER_KEYS)
            take_out(root, loc[:2] if untyped else loc[:3])
        else:
            everywhere |= _meant(top, _TOP_KEYS)
            take_out(root, loc[:1])
    return Pruned(
        everywhere=frozenset(everywhere),
        assets={name: None if names is None else frozenset(names) for name, names in assets.items()},
    )


def keys_meant(key: str) -> set[str]:
    """The key of an asset as it was written, what was probably meant by it, and what that sets."""
    meant = _meant(key, _ASSET_KEYS)
    return {*meant, "vars", "params"} if "styles" in meant else meant


def _meant(key: str, known: frozenset[str]) -> set[str]:
    """A key as it was written, and what was probably meant by it."""
    if key in _BELOW_PARAMS:
        return {key, "params"}
    return {key, nearest(key, known) or key}


def carries_settings(value: Value, depth: int = 0) -> bool:
    """Whether what stands at `matrix` or `include` has a value that is a mapping: it sets more than an axis."""
    if isinstance(value, YMap):
        return (
            depth >= 2
            or (depth == 1 and "id" in value)
            or any(carries_settings(item, depth + 1) for item in value.values())
        )
    return isinstance(value, list) and any(carries_settings(item, depth + 1) for item in value)


def _at(root: YMap, loc: Sequence[str | int]) -> Value:
    node: Value = root
    for step in loc:
        if not isinstance(node, YMap) or step not in node:
            return None
        node = node[str(step)]
    return node


def take_out(root: YMap, loc: Sequence[str | int]) -> None:
    """Take one key out of a mapping, or of one below it."""
    node = _at(root, loc[:-1])
    if isinstance(node, YMap):
        node.pop(str(loc[-1]), None)
        node.marks.pop(str(loc[-1]), None)


def without_extras(root: YMap) -> dict[str, Any]:
    """A file's keys but for `x` and `x-…`, which are nobody's business."""
    return {key: value for key, value in root.items() if key != "x" and not key.startswith("x-")}
