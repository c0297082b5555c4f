"""The `lineage:` line into a project file's text, without touching anything else in it."""

import re

import yaml

from imagebatch.manifest.findings import Findings
from imagebatch.manifest.yaml import YMap, parse_yaml

_LINEAGE = re.compile(r"[0-9a-f]{32}")


def insert_lineage(text: str, lineage: str) -> str:
    """Give the project file's text with a `lineage:` line in it.

    Args:
        text: the file as it is, comments and all; line ends (LF or CRLF) and a BOM are kept.
        lineage: 32 hex characters.

    The line goes behind `version:` where that comes first, else before the first key. A text that has this lineage
    already comes back unchanged.

    Raises ValueError where the text is no mapping, has another lineage, or `lineage` is none.
    """
    if not _LINEAGE.fullmatch(lineage):
        raise ValueError(f"{lineage!r} is no lineage: 32 hex characters are")
    root = _root(text)
    if "lineage" in root:
        if root["lineage"] != lineage:
            raise ValueError("the project file has another lineage already")
        return text
    spliced = _spliced(text, root, lineage)
    # What comes out has to be what went in and one key more; anything else would be our fault, and is not written.
    if dict(_root(spliced)) != {**root, "lineage": lineage}:
        raise ValueError("the project file's form leaves no place for a line; write `lineage: …` into it by hand")
    return spliced


def _root(text: str) -> YMap:
    findings = Findings()
    document = parse_yaml(text.removeprefix("\ufeff"), "imagebatch.yaml", findings)
    if document is None or findings.failed or not isinstance(document.root, YMap):
        raise ValueError("the project file is not a YAML mapping")
    return document.root


def _spliced(text: str, root: YMap, lineage: str) -> str:
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    first = next(iter(root.marks), None)
    if _flow(text) or first is None:
        brace = text.find("{", _offset(lines, root.line, root.column))
        if brace < 0:
            return text
        rest = text[brace + 1 :]
        return f"{text[: brace + 1]}lineage: {lineage}" + (f", {rest.lstrip(' ')}" if root else rest)
    at = root.marks[first][0][0] - 1
    if first == "version" and root.marks[first][1][0] == at + 1:
        at += 1
        if lines[at - 1] == lines[at - 1].rstrip("\r\n"):
            lines[at - 1] += end
    return "".join([*lines[:at], f"lineage: {lineage}{end}", *lines[at:]])


def _flow(text: str) -> bool:
    """Whether the root is written in braces."""
    for event in yaml.parse(text.removeprefix("\ufeff"), Loader=yaml.SafeLoader):
        if isinstance(event, yaml.MappingStartEvent):
            return bool(event.flow_style)
    return False


def _offset(lines: list[str], line: int, column: int) -> int:
    return sum(len(text) for text in lines[: line - 1]) + column - 1
