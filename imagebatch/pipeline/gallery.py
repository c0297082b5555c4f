"""From a project to a folder with all its pictures: looks at lock, plan and picks, and writes nothing of theirs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from imagebatch.effects import seams
from imagebatch.effects.disk import READ
from imagebatch.effects.files import hash_rest, is_file, opened
from imagebatch.errors import OutputError
from imagebatch.model.generation import Entry
from imagebatch.outputs.thumbs import THUMB, Thumbs
from imagebatch.pipeline.inspecting import recorded_now
from imagebatch.pipeline.originals import originals_of
from imagebatch.pipeline.planning import Planned, PlanRequest, make_plan, selected
from imagebatch.pipeline.project import Project
from imagebatch.plan.costs import summary_line
from imagebatch.plan.picking import hashes
from imagebatch.plan.states import states_of
from imagebatch.review.contact import sheets
from imagebatch.review.figures import figure
from imagebatch.review.folder import ORIGINALS, THUMBS, check_folder, fill_folder
from imagebatch.review.layout import MOST_PICTURES, asset_cards, asset_pages, sum_of, waiting
from imagebatch.review.model import Figure, Gallery
from imagebatch.review.pages import Link, all_pages

GALLERY = Path(".imagebatch") / "gallery"
SMALL = Path(".imagebatch") / "thumbs"
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryWish:
    """What a command asks for: selectors, the folder (None: the project's own), and whether originals come along."""

    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    out: Path | None = None
    originals: bool = False
    most: int = MOST_PICTURES


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryMade:
    """What came of it: the first page's path, how many addresses, pictures and pages, and what cannot be shown."""

    index: Path
    figures: int
    pictures: int
    pages: int
    waiting: int
    broken: Mapping[str, str]
    absent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that is shown, before any page is written.

    `sources` says for each picture, by its hash, which bytes show it and where they lie; `broken` why bytes cannot be
    shown, by theirs; `guarded` are the addresses that a manifest protects.
    """

    gallery: Gallery
    figures: tuple[Figure, ...]
    sources: Mapping[str, tuple[str, Path]]
    broken: Mapping[str, str]
    thumbs: Thumbs
    guarded: frozenset[str]


def see_all(project: Project, wish: GalleryWish, progress: Progress = lambda _, __: None) -> Seen:
    """Look at lock, plan and picks, and make the small pictures that are not there yet.

    Raises OSError where those cannot be written, and what selectors raise.
    """
    planned = make_plan(project, PlanRequest(detail=True))
    entries = _entries(project, planned)
    figures = _figures(project, planned, entries, selected(project, wish.select, exclude=wish.exclude))
    sources = _sources(project, figures, entries)
    thumbs = Thumbs(project.home / SMALL, THUMB)
    return Seen(
        gallery=_gallery(project, planned, figures, wish.most),
        figures=figures,
        sources=sources,
        broken=seams.clock.run(thumbs.make(dict(sources.values()), done=progress)),
        thumbs=thumbs,
        guarded=frozenset(address for address, one in planned.variants.items() if one.policy.protect),
    )


def make_gallery(project: Project, wish: GalleryWish, progress: Progress = lambda _, __: None) -> GalleryMade:
    """Write the gallery.

    Raises RefusedError for a folder that holds something else, OutputError where it cannot be written, and what
    selectors raise.
    """
    folder = Path(seams.disk.realpath(wish.out if wish.out is not None else project.home / GALLERY))
    check_folder(folder)
    try:
        seen = see_all(project, wish, progress)
        beside = None if wish.originals else lambda path: _address(project.root, folder, path)
        links, small, large = linked(seen, beside)
        printed = sheets(seen.gallery.pages, most=wish.most)
        fill_folder(folder, all_pages(seen.gallery, printed, links), small, large)
    except OSError as error:
        raise OutputError(
            "the gallery cannot be written",
            f"{error.strerror or error} ({error.filename or folder}). No picture was touched.",
            hints=("make room, or name another folder with --out",),
            code="gallery.write",
        ) from None
    shown = {shot.sha256 for one in seen.figures for shot in (*one.shots, *one.before) if shot.sha256 is not None}
    return GalleryMade(
        index=folder / "index.html",
        figures=len(seen.figures),
        pictures=len(shown & links.keys()),
        pages=len(seen.gallery.pages),
        waiting=len(seen.gallery.waiting),
        broken=dict(_blame(seen.figures, seen.sources, seen.broken)),
        absent=len(shown - seen.sources.keys()),
    )


def _entries(project: Project, planned: Planned) -> Mapping[str, Entry]:
    """What the lock has of each address; what is moved stands at its new one."""
    ledger = recorded_now(project)
    moved = {one.moved_from: one for one in planned.plan.changes if one.moved_from is not None}
    found = {address: ledger.entry(address) for address in ledger if address not in moved}
    return found | {one.address: one.entry for one in moved.values() if one.entry is not None}


def _figures(
    project: Project, planned: Planned, entries: Mapping[str, Entry], chosen: frozenset[str] | None
) -> tuple[Figure, ...]:
    changes = {one.address: one for one in planned.plan.changes}
    states = states_of(planned.plan)
    tags = {draft.address: draft.tags for draft in project.loaded.drafts}
    return tuple(
        figure(
            address,
            entry=entries.get(address),
            variant=planned.variants.get(address),
            change=changes.get(address),
            states=states.get(address, frozenset()),
            tags=tags.get(address, ()),
            picks=project.loaded.picks,
        )
        for address in sorted({*planned.variants, *entries})
        if chosen is None or address in chosen
    )


def _gallery(project: Project, planned: Planned, figures: Sequence[Figure], most: int) -> Gallery:
    pages = asset_pages(figures, most=most)
    return Gallery(
        name=project.root.name or "imagebatch",
        lineage=project.settings.lineage or recorded_now(project).lock.lineage,
        summary=summary_line(planned.plan),
        simulated=planned.simulated,
        cards=asset_cards(pages),
        waiting=waiting(pages),
        pages=pages,
        figures=len(figures),
        cost=sum_of(figures),
    )


def _sources(
    project: Project, figures: Iterable[Figure], entries: Mapping[str, Entry]
) -> Mapping[str, tuple[str, Path]]:
    """For each picture the bytes that show it: its own from the store, else an output that was made from it.

    A clone has no store, and shows its outputs.
    """
    store = originals_of(project).store
    found: dict[str, tuple[str, Path]] = {}
    for one in figures:
        for shot in (*one.shots, *one.before):
            path = store.find(shot.sha256) if shot.sha256 is not None else None
            if path is not None and shot.sha256 is not None:
                found[shot.sha256] = (shot.sha256, path)
        entry = entries.get(one.address)
        picked = [shot.sha256 for shot in one.shots if shot.picked and shot.sha256 is not None]
        if entry is not None and len(picked) == 1 and picked[0] not in found:
            shown = _shown_by_output(project, entry, picked[0])
            if shown is not None:
                found[picked[0]] = shown
    return found


def _shown_by_output(project: Project, entry: Entry, sha256: str) -> tuple[str, Path] | None:
    same = [output for output in entry.outputs if output.sha256 == sha256]
    known = {one for candidate in entry.candidates for one in hashes(candidate)}
    for output in (*same, *(output for output in entry.outputs if output.sha256 not in known)):
        path = project.home / output.path
        if is_file(path):
            try:
                with opened(path, READ) as handle:
                    return hash_rest(handle), path
            except OSError:
                continue
    return None


def linked(
    seen: Seen, beside: Callable[[Path], str | None] | None
) -> tuple[dict[str | None, Link], dict[str, Path], dict[str, Path]]:
    """Where pages find the pictures; the small ones and the originals that belong to the pages, by their names there.

    `beside` says how a page names a file that lies elsewhere; None where the originals come along.
    """
    links: dict[str | None, Link] = {}
    small: dict[str, Path] = {}
    large: dict[str, Path] = {}
    for sha256, (own, path) in seen.sources.items():
        if own in seen.broken:
            continue
        thumb = seen.thumbs.path_of(own)
        small[thumb.name] = thumb
        name = f"{own.removeprefix('sha256:')}{path.suffix.lower()}"
        if beside is None:
            large[name] = path
        full = f"{ORIGINALS}/{name}" if beside is None else beside(path)
        links[sha256] = Link(thumb=f"{THUMBS}/{thumb.name}", full=full)
    return links, small, large


def _address(root: Path, folder: Path, path: Path) -> str | None:
    """How a page in `folder` says a file of the project; None where the folder is not in the project."""
    real = Path(seams.disk.realpath(root))
    if not folder.is_relative_to(real) or not path.is_relative_to(root):
        return None
    return "../" * len(folder.relative_to(real).parts) + quote(path.relative_to(root).as_posix())


def _blame(
    figures: Iterable[Figure], sources: Mapping[str, tuple[str, Path]], broken: Mapping[str, str]
) -> Iterable[tuple[str, str]]:
    for one in figures if broken else ():
        for shot in one.shots:
            own = sources.get(shot.sha256 or "", ("", Path()))[0]
            if own in broken:
                yield one.address, broken[own]
