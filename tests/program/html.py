"""Pages of HTML as a parser that is no browser sees them."""

import re
from html.parser import HTMLParser
from pathlib import Path


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a tag."""
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        """Keep a text."""
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of all tags of a name."""
        return [attrs for name, attrs in self.tags if name == tag]


def check_harmless(folder: Path) -> str:
    """No page of a gallery has a script, a style, a handler or an address that is not its own; gives all their text."""
    texts = ""
    for path in sorted(folder.glob("*.html")):
        page = Page(path)
        assert len(page.all("script")) == (0 if path.name.startswith("contact") else 1), path
        assert len(page.all("style")) == len(page.all("title")) == 1, path
        assert not [name for name, _ in page.tags if name in {"base", "iframe", "link", "object", "embed", "svg"}], path
        assert not [one for _, attrs in page.tags for one in attrs if one.startswith("on") or one == "style"], path
        outside = [attrs.get(name, "") for _, attrs in page.tags for name in ("src", "href", "action", "srcset")]
        assert not [value for value in outside if re.match(r"\s*\w+:|//", value)], path
        assert page.all("meta")[1]["content"].startswith("default-src 'none'; img-src 'self' data: file:; "), path
        texts += page.text
    assert texts
    return texts
