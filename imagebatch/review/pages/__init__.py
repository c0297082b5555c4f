"""From a gallery to HTML: Jinja templates beside this module, everything escaped, one style and one script by hash.

Prompts, titles and file names are strangers' text. So nothing of them ever becomes markup, the script only sets texts,
and the page's policy lets nothing run or load but the one script, the one style and pictures of the same folder.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from imagebatch.review.contact import Sheet
from imagebatch.review.model import AssetPage, Gallery

MOST_WAITING: Final = 200
_TEMPLATES: Final = ("base.html.j2", "parts.html.j2", "index.html.j2", "asset.html.j2", "contact.html.j2")
_TITLES: Final = {
    "new": "not drawn yet",
    "changed": "changed since",
    "failed": "failed",
    "blocked": "blocked by moderation",
    "missing": "file missing",
    "unpicked": "waits for a pick",
    "pending": "being drawn",
    "in-doubt": "in doubt",
    "in_doubt": "in doubt",
    "orphan": "not in the manifests",
    "succeeded": "no picture",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where a page finds a picture, relative to the gallery's folder; `full` is None where only the small one is."""

    thumb: str
    full: str | None = None


def index_page(gallery: Gallery, links: Mapping[str | None, Link], *, served: bool = False) -> str:
    """The first page: all assets, and what needs a person; `links` by the pictures' hashes.

    `served` tells that what is decided there is sent to `imagebatch review`, and not kept in the browser.
    """
    return _render("index.html.j2", served=served, gallery=gallery, links=links, most=MOST_WAITING)


def asset_page(gallery: Gallery, page: AssetPage, links: Mapping[str | None, Link], *, served: bool = False) -> str:
    """One page of an asset."""
    pages = [one for one in gallery.pages if one.asset == page.asset]
    return _render("asset.html.j2", served=served, gallery=gallery, page=page, pages=pages, links=links)


def contact_page(gallery: Gallery, sheet: Sheet, links: Mapping[str | None, Link], *, served: bool = False) -> str:
    """One printable sheet."""
    return _render("contact.html.j2", served=served, gallery=gallery, sheet=sheet, links=links)


def all_pages(gallery: Gallery, sheets: Sequence[Sheet], links: Mapping[str | None, Link]) -> Iterator[tuple[str, str]]:
    """Each page's file name and its text."""
    yield "index.html", index_page(gallery, links)
    for page in gallery.pages:
        yield page.file, asset_page(gallery, page, links)
    for sheet in sheets:
        yield sheet.file, contact_page(gallery, sheet, links)


def _render(name: str, *, served: bool, **values: Any) -> str:  # noqa: ANN401  # what each template asks for
    parts = {"served": served, "style": _style(), "script": _script(served), "policy": _policy(served)}
    return _environment().get_template(name).render(titles=_TITLES, **parts, **values)


@cache
def _environment() -> Environment:
    texts = {name: _part(name) for name in _TEMPLATES}
    return Environment(
        loader=DictLoader(texts), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


@cache
def _style() -> Markup:
    return Markup(_part("style.css"))  # noqa: S704  # our own file


@cache
def _script(served: bool) -> Markup:  # noqa: FBT001  # one of two pages
    return Markup(_part("served.js" if served else "kept.js") + _part("gallery.js"))  # noqa: S704  # our own files


@cache
def _policy(served: bool) -> str:  # noqa: FBT001  # as above
    reach = "img-src 'self' data:; connect-src 'self'" if served else "img-src 'self' data: file:"
    hashes = f"style-src {_hash(_style())}; script-src {_hash(_script(served))}"
    return f"default-src 'none'; {reach}; base-uri 'none'; form-action 'none'; {hashes}"


def served_policy() -> str:
    """What a page that is served may do: nothing but its own script, its own style and what the same server has."""
    return _policy(served=True)


def _part(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
