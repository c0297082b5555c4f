"""The `moved` entries of a file: what was called otherwise before."""

from collections.abc import Iterator, Mapping
from typing import Any

from imagebatch.manifest.characters import quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.yaml import Document
from imagebatch.model.address import parse_address
from imagebatch.model.settings import Moved


def read_moved(entries: Mapping[int, Any], document: Document, findings: Findings) -> Iterator[Moved]:
    """The `moved` entries of one file by their number in it, checked."""
    for index, entry in entries.items():
        place = document.place(("moved", index))
        sides = {"from": entry.from_, "to": entry.to}
        fine = True
        for name, text in sides.items():
            try:
                parse_address(text)
            except ValueError as error:
                fine = False
                findings.add(
                    "manifest.address",
                    "not an address",
                    f"{name}: {error}.",
                    place=document.place(("moved", index, name)),
                )
        wild = [[char for char in text if char in "*?"] for text in sides.values()]
        if fine and wild[0] != wild[1]:
            findings.add(
                "manifest.moved",
                "move does not fit",
                f"{quoted(entry.from_)} and {quoted(entry.to)} need the same wildcards in the same order.",
                place=place,
            )
        elif fine and entry.from_ == entry.to:
            findings.add("manifest.moved", "move does not fit", "from and to are equal.", place=place)
        elif fine:
            yield Moved(source=entry.from_, target=entry.to, place=place)
