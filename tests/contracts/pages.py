"""Markdown pages as the tests see them: fenced blocks with their lines, headings, links."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"(?P<indent> {0,3})(?P<marks>`{3,})(?P<info>[^`]*)")
_DIRECTIVE = re.compile(r"<!-- test: (?P<words>[^>]+?) -->")
_HEADING = re.compile(r"#{1,6} (?P<text>.+)")
_LINK = re.compile(r"!?\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
_NOT_IN_SLUG = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block: `language` and `name` are the words of its fence, `line` is that of its first line of text.

    `directive` is the words of a comment `<!-- test: … -->` that stands right above the fence.
    """

    page: str
    line: int
    language: str
    name: str
    text: str
    directive: str = ""

    @property
    def place(self) -> str:
        """`docs/lock.md:12`, for messages."""
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One Markdown file; `path` is relative to the repository's root."""

    path: str
    text: str

    @property
    def blocks(self) -> tuple[Block, ...]:
        """All fenced blocks, in order."""
        return tuple(_blocks(self))

    @property
    def anchors(self) -> frozenset[str]:
        """The names by which its headings can be linked to, as GitHub makes them."""
        found: list[str] = []
        for line in _prose(self.text):
            match = _HEADING.fullmatch(line)
            if match is not None:
                slug = _slug(match["text"])
                found.append(slug if slug not in found else f"{slug}-{found.count(slug)}")
        return frozenset(found)

    @property
    def links(self) -> tuple[str, ...]:
        """The targets of all links outside of code."""
        prose = "\n".join(re.sub(r"`[^`]*`", "", line) for line in _prose(self.text))
        return tuple(match["target"] for match in _LINK.finditer(prose))


def read_page(path: str) -> Page:
    """One page of the repository."""
    return Page(path=path, text=(ROOT / path).read_text(encoding="utf-8"))


def all_pages() -> tuple[str, ...]:
    """README.md and everything below docs/, by path."""
    docs = sorted(found.relative_to(ROOT).as_posix() for found in (ROOT / "docs").rglob("*.md"))
    return ("README.md", *docs)


def _blocks(page: Page) -> Iterator[Block]:
    lines = page.text.split("\n")
    at = 0
    while at < len(lines):
        match = _FENCE.fullmatch(lines[at])
        if match is None:
            at += 1
            continue
        end = next((n for n in range(at + 1, len(lines)) if lines[n].strip() == match["marks"]), None)
        if end is None:
            raise AssertionError(f"{page.path}:{at + 1}: this block is never closed")
        language, _, name = match["info"].strip().partition(" ")
        above = _DIRECTIVE.fullmatch(lines[at - 1].strip()) if at else None
        yield Block(
            page=page.path,
            line=at + 2,
            language=language,
            name=name.strip(),
            text="".join(f"{line}\n" for line in lines[at + 1 : end]),
            directive=above["words"] if above is not None else "",
        )
        at = end + 1


def _prose(text: str) -> Iterator[str]:
    """The lines outside of fenced blocks."""
    marks: str | None = None
    for line in text.split("\n"):
        match = _FENCE.fullmatch(line)
        if marks is None and match is not None:
            marks = match["marks"]
        elif marks is not None and line.strip() == marks:
            marks = None
        elif marks is None:
            yield line


def _slug(heading: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
    return _NOT_IN_SLUG.sub("", plain.strip().lower()).replace(" ", "-")
