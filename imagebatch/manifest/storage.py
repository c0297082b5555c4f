"""What the project file says of originals: `store: {path, share}`."""

from typing import Final

from imagebatch.manifest.characters import BAD_IN_NAME, quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.paths import BadPath, normal_folder
from imagebatch.manifest.schema import Project
from imagebatch.manifest.shared import Fill
from imagebatch.manifest.yaml import Document
from imagebatch.model.settings import USUAL_STORE, Share, StoreSettings

_PLAIN: Final[dict[str, Share]] = {"none": "none", "git": "git", "lfs": "lfs"}
_DIR: Final = "dir:"


def read_store(project: Project, document: Document, findings: Findings, fill: Fill) -> StoreSettings:
    """Where originals are kept and shared; faults are noted and replaced by defaults.

    `fill` puts variables into a text and gives None where one is not set.
    """
    given = project.store
    if given is None:
        return StoreSettings()
    reader = _Reader(document, findings, fill)
    path = reader.path(given.path) if given.path is not None else USUAL_STORE
    share, folder = reader.share(given.share) if given.share is not None else ("none", None)
    if share in {"git", "lfs"} and path == USUAL_STORE:
        reader.note(
            "range",
            "share",
            f"share: {share} needs a path that git can see; what is below .imagebatch/ is never committed",
            hint=f"store: {{path: originals, share: {share}}}",
        )
    if folder is not None and folder.rstrip("/").removeprefix("./") == path:
        reader.note("range", "share", f"the folder {quoted(folder)} is the store itself, so nothing would be shared")
    return StoreSettings(path=path, share=share, folder=folder, said=given.share is not None)


class _Reader:
    def __init__(self, document: Document, findings: Findings, fill: Fill) -> None:
        self._document = document
        self._findings = findings
        self._fill = fill

    def path(self, written: str) -> str:
        """The store's folder in its normal form."""
        text = self._filled("path", written)
        if text is None or text.rstrip("/").removeprefix("./") == USUAL_STORE:
            return USUAL_STORE
        try:
            return normal_folder(text)
        except BadPath as bad:
            self._findings.add(
                f"path.{bad.code}",
                "the store cannot be there",
                f"store.path: {bad}.",
                place=self._document.place(("store", "path")),
                hint="store: {path: originals}",
            )
            return USUAL_STORE

    def share(self, written: str) -> tuple[Share, str | None]:
        """How originals are shared, and the folder where that is `dir`."""
        text = self._filled("share", written)
        if text is None:
            return "none", None
        if text in _PLAIN:
            return _PLAIN[text], None
        folder = text.removeprefix(_DIR).strip()
        if not text.startswith(_DIR) or not folder:
            self.note("range", "share", f"{quoted(written)} is none of none, git, lfs, dir:PATH")
        elif folder.startswith("~"):
            self.note("range", "share", f"{quoted(folder)} starts with ~, which only shells read", hint=_HOME)
        elif BAD_IN_NAME.search(folder):
            self.note("range", "share", f"{quoted(folder)} holds a character that no folder should have")
        else:
            return "dir", folder
        return "none", None

    def note(self, code: str, key: str, detail: str, *, hint: str | None = None) -> None:
        """Note what is wrong with a key of `store:`."""
        self._findings.add(
            f"manifest.{code}",
            "originals cannot be kept like that",
            f"store.{key}: {detail}.",
            place=self._document.place(("store", key)),
            hint=hint,
        )

    def _filled(self, key: str, written: str) -> str | None:
        found = self._fill(written)
        if found is None:
            self.note("variable", key, f"{written} names a variable that is not set")
        return found


_HOME: Final = "share: dir:${HOME}/originals"
