"""Defaults, styles, assets and axis values laid over each other: mappings merge by key, lists replace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from imagebatch.manifest.characters import nearest, quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.written import Value
from imagebatch.manifest.yaml import YMap, find_place
from imagebatch.model.variant import Place

MAPPINGS: Final = ("params", "vars", "metadata", "checks")
SINGLES: Final = (
    "provider",
    "references",
    "resolution",
    "pick",
    "until_picked",
    "distinct",
    "name",
    "tags",
    "alt",
    "title",
    "protect",
    "on_remove",
    "on_replace",
    "on_reference_change",
    "retries",
    "embed",
    "styles",
)
PAIRS: Final = (("prompt", "template"), ("output", "outputs"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One mapping that sets something, and the file it stands in; `only` limits which keys count."""

    node: YMap
    path: str
    only: tuple[str, ...] | None = None

    def has(self, key: str) -> bool:
        """Whether this layer sets `key`."""
        return key in self.node and (self.only is None or key in self.only)

    def place(self, *loc: str | int) -> Place:
        """Where the value at `loc` stands."""
        return find_place(self.node, self.path, loc)


@dataclass(frozen=True, slots=True, kw_only=True)
class StylePart:
    """A style's text that goes around the prompt, and where it stands."""

    text: str
    place: Place


@dataclass(slots=True, kw_only=True)
class Settled:
    """What holds for one group of variants: values by key, the layer each came from, and the styles' parts."""

    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[tuple[str, ...], Layer] = field(default_factory=dict)
    prefixes: list[StylePart] = field(default_factory=list)
    suffixes: list[StylePart] = field(default_factory=list)

    def place(self, key: str, *loc: str | int) -> Place | None:
        """Where the value of `key` (or of a part of it) was written."""
        layer = self.sources.get((key, str(loc[0]))) if loc and key in MAPPINGS else self.sources.get((key,))
        return layer.place(key, *loc) if layer is not None else None


def settle(base: Sequence[Layer], styles: Mapping[str, Layer], top: Sequence[Layer], findings: Findings) -> Settled:
    """Lay everything over each other.

    Args:
        base: project defaults, then file defaults, weakest first.
        styles: all known styles by name.
        top: asset, then axis values, weakest first.
        findings: gets unknown styles.
    """
    settled = Settled()
    chosen = next((layer for layer in reversed([*base, *top]) if layer.has("styles")), None)
    worn = [] if chosen is None else _worn(chosen, styles, findings)
    middle = [Layer(node=style.node, path=style.path, only=("params", "vars")) for style in worn]
    for layer in [*base, *middle, *top]:
        _lay(layer, settled)
    for style in worn:
        for key, parts in (("prompt_prefix", settled.prefixes), ("prompt_suffix", settled.suffixes)):
            if style.node.get(key):
                parts.append(StylePart(text=style.node[key], place=style.place(key)))
    return settled


def _worn(layer: Layer, styles: Mapping[str, Layer], findings: Findings) -> list[Layer]:
    found: list[Layer] = []
    for index, name in enumerate(as_list(layer.node["styles"])):
        if name in styles:
            found.append(styles[name])
            continue
        near = nearest(name, styles)
        findings.add(
            "manifest.unknown_style",
            "unknown style",
            f"there is no style {quoted(name)}.",
            place=layer.place("styles", index),
            hint=f"did you mean {near}?" if near else None,
        )
    return found


def _lay(layer: Layer, settled: Settled) -> None:
    for key in SINGLES:
        if layer.has(key):
            settled.values[key] = layer.node[key]
            settled.sources[(key,)] = layer
    for pair in PAIRS:
        for key, other in (pair, pair[::-1]):
            if layer.has(key):
                if not layer.has(other):
                    settled.values.pop(other, None)
                settled.values[key] = layer.node[key]
                settled.sources[(key,)] = layer
    for key in MAPPINGS:
        if layer.has(key):
            settled.values[key] = _merged(settled.values.get(key, {}), layer.node[key])
            settled.sources[(key,)] = layer
            for name in layer.node[key]:
                settled.sources[(key, name)] = layer


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    made = dict(under)
    for key, value in over.items():
        known = made.get(key)
        made[key] = _merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return made


def as_list(value: Value) -> list[Any]:
    """A list as it is, one value as a list of it."""
    return value if isinstance(value, list) else [value]
