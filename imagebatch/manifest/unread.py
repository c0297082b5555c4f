"""References to the environment where none is read: the text is taken as it stands, and more may have been meant."""

import re
from collections.abc import Iterator
from typing import Final

from imagebatch.manifest.characters import quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.written import Value
from imagebatch.manifest.yaml import Document, YMap

MAX_SAID: Final = 20
_READ_IN: Final = frozenset({"providers", "state", "store"})
_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?\}")


def warn_of_variables(document: Document, findings: Findings) -> None:
    """Warn of every `${NAME}` outside the sections that read the environment."""
    root = document.root
    said = 0
    for top, value in root.items() if isinstance(root, YMap) else ():
        if top in _READ_IN or top == "x" or top.startswith("x-"):
            continue
        for loc, name in _found(value, (top,)):
            findings.add(
                "manifest.variable",
                "variable is not read here",
                f"{quoted(name)} stays as it is written: the environment is read in providers only, so that every "
                "machine asks for the same pictures.",
                place=document.place(loc),
                severity="warning",
            )
            said += 1
            if said == MAX_SAID:
                return


def _found(value: Value, loc: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        found = _REFERENCE.search(value) if "${" in value else None
        if found is not None:
            yield loc, found[0]
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _found(item, (*loc, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _found(item, (*loc, number))
