"""One asset as it was written: its mapping, what lies under it, and what of both had to be taken out."""

from collections.abc import Mapping
from dataclasses import dataclass

from imagebatch.manifest.layers import Layer, Settled, as_list
from imagebatch.manifest.pruning import STYLE_PARTS
from imagebatch.manifest.yaml import Document, YMap
from imagebatch.model.variant import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetText:
    """One asset as it was written: id and spelling, its mapping, the file, and what lies under it (weakest first).

    `missing` names what was written for it and taken out, because it is wrong and was told.
    """

    id: str
    written: str
    node: YMap
    document: Document
    base: tuple[Layer, ...]
    styles: Mapping[str, Layer]
    missing: frozenset[str] = frozenset()

    @property
    def place(self) -> Place:
        """Where the asset's id stands."""
        return self.document.place(("assets", self.written), key=True)

    @property
    def ranges(self) -> bool:
        """Whether there is to be a table."""
        return "for_each" in self.node or "for_each" in self.missing

    @property
    def chooses(self) -> bool:
        """Whether not every row is taken."""
        return "where" in self.node or "where" in self.missing

    def at(self, *loc: str | int) -> Place:
        """Where a part of the asset stands."""
        return self.document.place(("assets", self.written, *loc))

    def lost(self, settled: Settled) -> set[str]:
        """What of the settings may be other than it was written, because a part of it is wrong and was taken out.

        What the asset sets itself counts, whatever stands below it.
        """
        missing = set(self.missing)
        if "defaults" in missing:
            own = {"output" if key == "outputs" else "prompt" if key == "template" else key for key in self.node}
            missing |= {"params", "vars"} | ({"provider", "references", "styles", "output", "prompt"} - own)
        worn = as_list(settled.values.get("styles", []))
        if not self.styles.keys() >= set(worn) or (worn and missing & {"styles", STYLE_PARTS}):
            missing |= {"params", "vars"}
        return missing | {one for one, other in (("prompt", "template"), ("output", "outputs")) if other in missing}
