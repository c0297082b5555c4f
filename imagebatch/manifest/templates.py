"""The files of `templates/`: read once when one is needed, hashed when one is used."""

from typing import Final

from imagebatch.manifest.characters import BAD_IN_TEXT, char_kind, describe_char, nearest, quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.source import Sources
from imagebatch.model.variant import Place

FOLDER: Final = "templates"
MAX_TOTAL: Final = 16 * 1024 * 1024


class Templates:
    """Texts of `templates/**/*.j2` by their names below the folder."""

    def __init__(self, sources: Sources, findings: Findings) -> None:
        self._sources = sources
        self._findings = findings
        self._names: list[str] | None = None
        self._texts: dict[str, str] | None = None
        self._whole = True
        self._hashes: dict[str, str] = {}

    def names(self) -> list[str]:
        """All names, sorted."""
        if self._names is None:
            before = self._findings.count
            found, _ = self._sources.find(FOLDER, ".j2", area="template")
            self._whole = self._findings.count == before
            self._names = [path.removeprefix(f"{FOLDER}/") for path in found]
        return self._names

    def check_name(self, name: str, place: Place) -> None:
        """Note a problem where `name` is none of them."""
        if name in self.names() or not self._whole:  # what stands in a folder that cannot be read is nobody's to say
            return
        near = f"{name}.j2" if f"{name}.j2" in self.names() else nearest(name, self.names())
        inside = not (name.startswith(("/", "~")) or ".." in name or "\\" in name)
        hint = f"did you mean {near}?" if near else None
        if name.startswith(f"{FOLDER}/") and name.removeprefix(f"{FOLDER}/") in self.names():
            hint = f"leave out {FOLDER}/: write {name.removeprefix(f'{FOLDER}/')}"
        self._findings.add(
            "template.missing" if inside else "path.outside_project",
            "template is missing" if inside else "path leads outside the project",
            f"there is no {FOLDER}/{quoted(name)[1:-1]}; template: takes a name below {FOLDER}/ that ends in .j2.",
            place=place,
            hint=hint,
        )

    @property
    def unread(self) -> list[str] | None:
        """The names of those that are there and cannot be read, which was told; None where not even those are known."""
        texts = self.texts()
        return [name for name in self.names() if name not in texts] if self._whole else None

    def texts(self) -> dict[str, str]:
        """All texts; what cannot be read is a problem, because anything may include it."""
        if self._texts is None:
            self._texts = {}
            total = 0
            for name in self.names():
                path = f"{FOLDER}/{name}"
                source = self._sources.read_text(path, area="template", note=False)
                if source is None or self._holds_bad_char(source.text, path):
                    continue
                total += len(source.text)
                if total > MAX_TOTAL:
                    self._findings.add(
                        "template.too_large",
                        "templates are too large",
                        f"{FOLDER}/ holds more than 16 MiB.",
                        path=FOLDER,
                    )
                    break
                self._texts[name] = source.text
                self._hashes[name] = source.sha256
        return self._texts

    def mention(self, word: str) -> bool:
        """Whether a text that was read may use a name."""
        return self._texts is not None and any(word in text for text in self._texts.values())

    def note_used(self, name: str) -> None:
        """Remember that a template was loaded, so that a saved plan knows it."""
        if name in self._hashes:
            self._sources.hashes[f"{FOLDER}/{name}"] = self._hashes[name]

    def _holds_bad_char(self, text: str, path: str) -> bool:
        bad = BAD_IN_TEXT.search(text)
        if bad is None:
            return False
        before = text[: bad.start()]
        place = Place(path=path, line=before.count("\n") + 1, column=len(before) - before.rfind("\n"))
        self._findings.add(
            f"template.{char_kind(bad[0])}", "character is not allowed", f"{describe_char(bad[0])}.", place=place
        )
        return True
