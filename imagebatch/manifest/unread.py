"""What stands where nobody reads it: references to the environment outside its sections, keys in a manifest."""

import re
from collections.abc import Iterator
from typing import Final

from imagebatch.manifest.characters import quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.written import Value
from imagebatch.manifest.yaml import Document, YMap

MAX_SAID: Final = 20
_READ_IN: Final = frozenset({"providers", "state", "journal", "store", "c2pa"})
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


def check_secrets(document: Document, findings: Findings) -> None:
    """Keys in a manifest: said apart from the unknown key they stand in, because they have to be revoked."""
    root = document.root
    providers = root.get("providers") if isinstance(root, YMap) else None
    for name, provider in providers.items() if isinstance(providers, YMap) else []:
        key = provider.get("api_key") if isinstance(provider, YMap) else None
        if isinstance(key, str) and not key.strip().startswith("${"):
            findings.add(
                "manifest.secret",
                "key stands in a file",
                "keys come from the environment, and providers stand in imagebatch.yaml. If this was a real key, it is "
                "in git now: revoke it.",
                place=document.place(("providers", name, "api_key")),
            )
