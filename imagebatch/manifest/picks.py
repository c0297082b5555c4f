"""`picks.yaml`: text a person can read and git can merge, into `Picks` and back."""

import json
from pathlib import PurePosixPath
from typing import Any

from imagebatch.manifest.checking import check_shape
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.schema import PickEntry, PicksFile
from imagebatch.manifest.written import Value
from imagebatch.manifest.yaml import Document, parse_yaml
from imagebatch.model.address import parse_address
from imagebatch.model.picks import Pick, Picks
from imagebatch.model.settings import Redo

PICKS_PATH = "picks.yaml"
_HEAD = "# What people decided; written by `imagebatch pick`, `use`, `accept`, `restore` and `redraw`.\n"


def encode_picks(picks: Picks) -> str:
    """The file's text: sorted by address, one decision a line, the same bytes for the same picks."""
    lines = [_HEAD, "version: 1\n"]
    if picks.picks:
        lines.append("picks:\n")
        lines += [f"  {_text(address)}: {_pick(picks.picks[address])}\n" for address in sorted(picks.picks)]
    if picks.redo:
        lines.append("redo:\n")
        lines += [f"  {_text(address)}: {_redo(picks.redo[address])}\n" for address in sorted(picks.redo)]
    return "".join(lines)


def decode_picks(text: str, *, path: str = PICKS_PATH) -> Picks:
    """Read the file's text.

    Raises ManifestError with every problem.
    """
    findings = Findings()
    picks = read_picks(text, path, findings)
    findings.check()
    return picks


def read_picks(text: str, path: str, findings: Findings) -> Picks:
    """Read the file's text; problems go to `findings`, and what is left is given."""
    before = findings.count
    document = parse_yaml(text, path, findings)
    if document is None or findings.count > before:
        return Picks()
    found = check_shape(document, PicksFile, findings)
    if found is None:
        return Picks()
    if found.version != 1:
        findings.add(
            "manifest.version",
            "another format version",
            f"{path} has version {found.version}; this imagebatch reads version 1.",
            place=document.place(("version",)),
        )
        return Picks()
    picks: dict[str, Pick] = {}
    for address, entry in (found.picks or {}).items():
        _check_address(address, ("picks", address), document, findings)
        _check_entry(entry, ("picks", address), document, findings)
        picks[address] = Pick(for_draw=entry.for_, use=tuple(entry.use), was=entry.was, file=entry.file)
    redo: dict[str, Redo] = {}
    for address, wish in (found.redo or {}).items():
        _check_address(address, ("redo", address), document, findings)
        redo[address] = Redo(attempt=wish.attempt, note=wish.note, add=wish.add)
    return Picks(picks=picks, redo=redo)


def _check_address(address: str, loc: tuple[str, ...], document: Document, findings: Findings) -> None:
    try:
        if str(parse_address(address)) == address:
            return
        why = f"the address is written {parse_address(address)}"
    except ValueError as error:
        why = str(error)
    findings.add("manifest.address", "not an address", f"{why}.", place=document.place(loc, key=True))


def _check_entry(entry: PickEntry, loc: tuple[str, ...], document: Document, findings: Findings) -> None:
    use, was, file = entry.use, entry.was, entry.file
    if (not use and was != "pick") or len(set(use)) != len(use):
        findings.add(
            "manifest.range",
            "pick cannot be used",
            "use has to name at least one picture (none only with `was: pick`), none of them twice.",
            place=document.place((*loc, "use")),
        )
    if (was == "file") != (file is not None):
        findings.add(
            "manifest.required", "pick cannot be used", "file and `was: file` go together.", place=document.place(loc)
        )
    if file is not None and (file.startswith("/") or "\\" in file or ".." in PurePosixPath(file).parts):
        findings.add(
            "path.outside_project",
            "path leads outside the project",
            "file has to be a project path.",
            place=document.place((*loc, "file")),
        )


def _pick(pick: Pick) -> str:
    parts: dict[str, Any] = {"for": pick.for_draw}
    if pick.file is not None:
        parts["file"] = pick.file
    parts |= {"use": list(pick.use), "was": pick.was}
    return _flow(parts)


def _redo(redo: Redo) -> str:
    parts: dict[str, Any] = {"attempt": redo.attempt}
    parts |= {key: text for key, text in (("note", redo.note), ("add", redo.add)) if text is not None}
    return _flow(parts)


def _flow(parts: dict[str, Any]) -> str:
    return "{" + ", ".join(f"{key}: {_value(value)}" for key, value in parts.items()) + "}"


def _value(value: Value) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if value in {"pick", "accept", "restore", "file"} or isinstance(value, int):
        return str(value)
    return _text(str(value))


def _text(text: str) -> str:
    # A JSON string is a YAML double-quoted scalar; U+0085, U+2028 and U+2029 are line ends to YAML and stay escaped.
    shown = json.dumps(text, ensure_ascii=False)
    return "".join(char if char not in "\x7f\x85\u2028\u2029\ufeff" else f"\\u{ord(char):04x}" for char in shown)
