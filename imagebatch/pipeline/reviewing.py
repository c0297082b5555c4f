"""`review`: what is served and decided there. Pages are made anew where files have changed; a decision is held against
what stands at its address at that very moment, and goes the way of `pick`, `pick --reject` and `protect`."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

from imagebatch.effects import seams
from imagebatch.effects.disk import READ_REGULAR
from imagebatch.effects.files import opened, read_rest
from imagebatch.errors import ImagebatchError, StateError
from imagebatch.manifest.picks import PICKS_PATH
from imagebatch.model.canonical import Json
from imagebatch.model.generation import Entry
from imagebatch.pipeline.deciding import PICKS_CHANGED, save_picks, with_present_picks
from imagebatch.pipeline.gallery import GalleryWish, Progress, Seen, linked, see_all
from imagebatch.pipeline.inspecting import recorded_now
from imagebatch.pipeline.lockwork import hold_these
from imagebatch.pipeline.originals import originals_of
from imagebatch.pipeline.picking import undecided
from imagebatch.pipeline.project import Project, load
from imagebatch.pipeline.taking import decided, stale
from imagebatch.review.contact import sheets
from imagebatch.review.decisions import Decision
from imagebatch.review.folder import ORIGINALS, THUMBS
from imagebatch.review.model import AssetPage
from imagebatch.review.pages import asset_page, contact_page, index_page
from imagebatch.review.serving.desk import Answer, Kind, Picture
from imagebatch.review.standing import Standing, standing
from imagebatch.review.visible import visible
from imagebatch.review.wishes import Wish
from imagebatch.state.ledger import Ledger

_TRIES: Final = 5
_LEASE_WAIT_S: Final = 3.0
_LOCKS: Final = ("imagebatch.lock", "imagebatch.lock.d")
_MANIFESTS: Final = "manifests"
_MEDIA_TYPES: Final = {
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".avif": "image/avif",
}  # fmt: skip

Signature = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inputs:
    """What pages are made of: what people have `written`, and what is `watched`: picks and lock."""

    written: Signature
    watched: Signature


class ReviewDesk:
    """One project under review. Safe to be called from several threads: one is served after another."""

    def __init__(self, project: Project, wish: GalleryWish, progress: Progress = lambda _, __: None) -> None:
        self._gate = Lock()
        self._wish = wish
        self._files: dict[str, tuple[Path, str | None]] = {}
        self._standings: dict[str, tuple[int, Standing]] = {}
        self._revision = 0
        self._unread = ""
        self._unmade = ""
        self._project = project
        self._seen, self._made_of = self._see(project, progress), self._inputs(project)
        self._looked_at: Signature | None = None
        self._look()

    @property
    def figures(self) -> int:
        """How many addresses there are."""
        return len(self._seen.figures)

    @property
    def waiting(self) -> int:
        """How many of them need a person."""
        return len(self._seen.gallery.waiting)

    def page(self, name: str) -> str | None:
        """A page by its file name, made of what is there now; None for a name that is none."""
        with self._gate:
            self._see_again()
            gallery, links = self._seen.gallery, self._links
            if name == "index.html":
                return index_page(gallery, links, served=True)
            found = self._page(name)
            if found is not None:
                return asset_page(gallery, found, links, served=True)
            for sheet in sheets(gallery.pages, most=self._wish.most):
                if sheet.file == name:
                    return contact_page(gallery, sheet, links, served=True)
            return None

    def picture(self, name: str) -> Picture | None:
        """A picture by the name that a page says; None for any other, and where its bytes are others by now."""
        with self._gate:
            found = self._files.get(name)
        media_type = _MEDIA_TYPES.get(Path(name).suffix)
        if found is None or media_type is None:
            return None
        path, sha256 = found
        data = _bytes_inside(self._project.root, path)
        if data is None or (sha256 is not None and _hash(data) != sha256):
            return None
        return Picture(data=data, media_type=media_type)

    def state(self, page: str, since: int) -> Mapping[str, Json]:
        """What stands at a page's addresses, as far as it is newer than `since`; and what keeps it from being read."""
        with self._gate:
            self._look()
            found = self._page(page)
            standings: dict[str, Json] = {}
            for one in found.figures if found is not None else ():
                known = self._standings.get(one.address)
                if known is not None and known[0] > since:
                    standings[one.address] = known[1].as_json(known[0])
            return {"revision": self._revision, "trouble": self._unread or self._unmade, "standings": standings}

    def decide(self, wish: Wish) -> Answer:
        """Do what a page asks for, where what stands is what it has seen; nobody's decision is written over unseen."""
        with self._gate:
            if wish.address not in self._standings:
                return Answer(kind="refused", text="the review does not show this address")
            try:
                return self._decide(wish)
            except ImagebatchError as error:
                return Answer(kind="refused", text=_told(error), standing=self._now(wish))
            except OSError as error:
                return Answer(kind="refused", text=f"the system refused: {error.strerror or error}; look at picks.yaml")

    def _decide(self, wish: Wish) -> Answer:
        for _ in range(_TRIES - 1):
            try:
                return self._decide_once(wish)
            except StateError as error:
                if error.code != PICKS_CHANGED:
                    raise  # else somebody wrote picks.yaml for another address, or for this one: look again
        return self._decide_once(wish)

    def _decide_once(self, wish: Wish) -> Answer:
        project = with_present_picks(self._project)
        entry = recorded_now(project).current(wish.address)
        now = self._standing(wish.address, entry, project)
        why = self._stale(wish, entry)
        if entry is None or why is not None:
            return self._answer("stale", now, f"{why}; nothing was written. Reload the page and look again")
        if wish.version != now.version:
            return self._answer("same" if _stands(wish, now, project) else "conflict", now)
        picks = project.loaded.picks
        if wish.protect is not None:
            hold_these(project, (wish.address,), held=wish.protect, lock_timeout_s=_LEASE_WAIT_S)
            kept = not wish.protect and wish.address in self._seen.guarded
            self._look(anew=True)
            return self._answer("done", self._now_at(wish), "its manifest protects it still" if kept else "")
        if wish.undo:
            picks = undecided(picks, wish.address, entry)
        elif wish.decision is not None:
            picks = decided(project, picks, wish.decision, entry)
        if picks == project.loaded.picks:
            return self._answer("same", now)
        save_picks(project, picks)
        self._look()
        return self._answer("done", self._now_at(wish), _said(wish, now))

    def _stale(self, wish: Wish, entry: Entry | None) -> str | None:
        """Why a wish is about pictures that are not here any more; the bytes themselves are looked at, too."""
        if wish.decision is None:
            return None if entry is not None else "the lock has no such address"
        why = stale(wish.decision, entry)
        if why is not None:
            return why
        store = originals_of(self._project).store
        for sha256 in wish.decision.pictures:
            data = _bytes_inside(self._project.root, store.path_of(sha256)) if store.holds(sha256) else b""
            if data is None or (data and _hash(data) != sha256):
                return "a picture's file in the store is not what was drawn (imagebatch verify)"
        return None

    def _answer(self, kind: Kind, now: Standing, text: str = "") -> Answer:
        return Answer(kind=kind, text=text, standing=now.as_json(self._revision))

    def _now_at(self, wish: Wish) -> Standing:
        return self._standings[wish.address][1]

    def _now(self, wish: Wish) -> Mapping[str, Json]:
        at, stands = self._standings[wish.address]
        return stands.as_json(at)

    def _standing(self, address: str, entry: Entry | None, project: Project) -> Standing:
        return standing(address, entry, project.loaded.picks, by_manifest=address in self._seen.guarded)

    def _look(self, *, anew: bool = False) -> None:
        """See what stands now, where picks.yaml or the lock has changed since the last look."""
        signature = _signature(self._watched())
        if signature == self._looked_at and not anew:
            self._unread = ""
            return
        try:
            project = with_present_picks(self._project)
            ledger = recorded_now(project)
        except ImagebatchError as error:
            self._unread = _told(error)
            return
        self._unread = ""
        self._looked_at = signature
        self._project = project
        self._note_changes(project, ledger)

    def _note_changes(self, project: Project, ledger: Ledger) -> None:
        self._revision += 1
        known = {one.address for one in self._seen.figures}
        for address in known:
            stands = self._standing(address, ledger.current(address), project)
            before = self._standings.get(address)
            if before is None or before[1] != stands:
                self._standings[address] = (self._revision, stands)
        for address in self._standings.keys() - known:
            del self._standings[address]

    def _see(self, project: Project, progress: Progress = lambda _, __: None) -> Seen:
        seen = see_all(project, self._wish, progress)
        self._links, small, large = linked(seen, None)
        self._pages = {one.file: one for one in seen.gallery.pages}
        # What an open page still names stays, until the review ends.
        self._files |= {f"{THUMBS}/{name}": (path, None) for name, path in small.items()}
        self._files |= {
            f"{ORIGINALS}/{name}": (path, f"sha256:{name.partition('.')[0]}") for name, path in large.items()
        }
        return seen

    def _see_again(self) -> None:
        """Make everything anew where a file has changed; a project that cannot be read is told, and stays as it was.

        A decision, or an apply beside it, changes neither manifests nor tables: those are not read again.
        """
        inputs = self._inputs(self._project)
        self._unmade = ""
        if inputs == self._made_of:
            return
        try:
            same = inputs.written == self._made_of.written
            project = with_present_picks(self._project) if same else load(self._project.setup)
            self._seen, self._made_of = self._see(project), inputs
        except ImagebatchError as error:
            self._unmade = _told(error)
            return
        except OSError as error:
            self._unmade = f"The pages cannot be made anew: {error.strerror or error}"
            return
        self._project = project
        self._look(anew=True)

    def _page(self, name: str) -> AssetPage | None:
        return self._pages.get(name)

    def _watched(self) -> tuple[Path, ...]:
        home, root = self._project.home, self._project.root
        return (root / PICKS_PATH, *(home / name for name in _LOCKS))

    def _inputs(self, project: Project) -> _Inputs:
        names = (_MANIFESTS, *sorted(project.inputs.keys() - {PICKS_PATH}))
        return _Inputs(written=_signature(project.root / name for name in names), watched=_signature(self._watched()))


def _told(error: ImagebatchError) -> str:
    """The first of what is wrong, in one line, with its place and what to do."""
    first = error.problems[0]
    place = f"{first.place}: " if first.place else ""
    return visible(f"{place}{first.summary}. {first.detail}{f' ({first.hint})' if first.hint else ''}")


def _stands(wish: Wish, now: Standing, project: Project) -> bool:
    """Whether what a page wants is what somebody else has written meanwhile."""
    if wish.protect is not None:
        return now.held == wish.protect
    if wish.decision is None:
        return wish.address not in project.loaded.picks.picks
    return wish.address in project.loaded.picks.picks and _same(wish.decision, now)


def _same(one: Decision, now: Standing) -> bool:
    if one.rejected:
        return now.rejected and now.note == one.note
    return not now.rejected and now.use == one.pictures


def _said(wish: Wish, before: Standing) -> str:
    """What a person should know of a decision that was written."""
    if wish.decision is not None and wish.decision.rejected and before.protected:
        return "rejected, and protected: it is not drawn again before that is taken back"
    return ""


def _signature(paths: Iterable[Path]) -> Signature:
    found: list[tuple[int, int, int] | None] = []
    for path in paths:
        try:
            stat = seams.disk.stat(path)
        except OSError:
            found.append(None)
        else:
            found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
    return tuple(found)


def _bytes_inside(root: Path, path: Path) -> bytes | None:
    """A file's bytes; None for a link, and for what lies outside the project or cannot be read."""
    try:
        if not Path(seams.disk.realpath(path)).is_relative_to(seams.disk.realpath(root)):
            return None
        with opened(path, READ_REGULAR) as handle:
            return read_rest(handle)
    except OSError:
        return None


def _hash(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
