"""Checks of one entry of the lock after another: who drew it, its files, the originals of its picks."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from imagebatch.errors import OutputError, Problem
from imagebatch.model.generation import Entry, Output
from imagebatch.outputs.reading import SignatureReader
from imagebatch.outputs.tree import Tree
from imagebatch.pipeline.verify.faults import fault
from imagebatch.pipeline.verify.subject import Subject
from imagebatch.plan.picking import hashes, is_own, source_of, wanted_files
from imagebatch.plan.reasons import SIMULATED

_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """Pictures that the simulator drew."""

    name: str = "simulated"

    def of(self, address: str, entry: Entry) -> Iterator[Problem]:
        """What is to be said of one entry."""
        if entry.type.startswith(SIMULATED):
            yield fault("verify.simulated", "its picture was drawn by the simulator", address=address)

    def rest(self) -> Iterator[Problem]:
        """Nothing of all entries together."""
        return iter(())


@dataclass(slots=True, kw_only=True)
class Files:
    """Output files: there, readable, of the lock's hash, and marked where they have to be; `count` is how many."""

    subject: Subject
    tree: Tree
    name: str = "files"
    count: int = 0

    def of(self, address: str, entry: Entry) -> Iterator[Problem]:
        """What is wrong with the files of one entry."""
        marked = frozenset() if self.subject.quick else _to_be_marked(self.subject, address, entry)
        for output in entry.outputs:
            self.count += 1
            yield from self._faults(address, output, mark=output.path in marked)

    def rest(self) -> Iterator[Problem]:
        """Nothing of all entries together."""
        return iter(())

    def _faults(self, address: str, output: Output, *, mark: bool) -> Iterator[Problem]:
        path = output.path
        if self.subject.quick and self.subject.disk.look(path, output.sha256, output.bytes) == "same":
            return
        try:
            seen = self.tree.seen(path, output.bytes, mark=mark)
        except OutputError as error:
            yield fault("verify.not_regular", f"{path}: {error.detail}", address=address, path=path)
            return
        except OSError as error:
            detail = f"{path} cannot be read: {error.strerror or error}"
            yield fault("verify.unreadable", detail, address=address, path=path)
            return
        if seen is None:
            yield fault("verify.missing", f"{path} is missing", address=address, path=path)
            return
        if seen.bytes != output.bytes:
            detail = f"{path} has {seen.bytes:,} bytes, and {output.bytes:,} in the lock"
            yield fault("verify.size", detail, address=address, path=path)
        elif seen.sha256 != output.sha256:
            yield fault("verify.differs", f"{path} has other bytes", address=address, path=path)
        if seen.marked is False:
            yield fault("verify.mark", f"{path} does not say that a machine made it", address=address, path=path)


@dataclass(slots=True, kw_only=True)
class Originals:
    """Originals of picks that the store of this machine lacks: told once, for a fresh clone has none at all."""

    subject: Subject
    name: str = "originals"
    count: int = 0
    first: list[str] = field(default_factory=list)

    def of(self, address: str, entry: Entry) -> Iterator[Problem]:
        """Nothing yet: they are counted."""
        for index in entry.picked:
            facts = source_of(entry.candidates[index - 1]) if index <= len(entry.candidates) else None
            if facts is not None and not self.subject.store.has(facts.sha256):
                self.count += 1
                if len(self.first) < _NAMED and address not in self.first:
                    self.first.append(address)
        return iter(())

    def rest(self) -> Iterator[Problem]:
        """How many there are, and whose the first are."""
        if self.count:
            whose = ", ".join(self.first) + (", …" if self.count > len(self.first) else "")
            pictures = "picture" if self.count == 1 else "pictures"
            folder = self.subject.project.settings.store.path
            hint = (
                "apply fetches them when it needs them, free while the provider has them; or copy the store of another "
                f"checkout, or the one before store: {{path}} was changed, to {folder}/"
            )
            yield fault("verify.originals", f"{self.count:,} {pictures} of {whose}", severity="warning", hint=hint)


@dataclass(slots=True, kw_only=True)
class Signatures:
    """Signatures of the files that have to be signed, each read by a child; nothing where the extra is not installed.

    Files that are missing or have other bytes are told by their own check.
    """

    subject: Subject
    reader: SignatureReader
    name: str = "signatures"

    def of(self, address: str, entry: Entry) -> Iterator[Problem]:
        """What is wrong with the signatures of one entry's files."""
        if self.subject.quick or self.subject.project.settings.signing is None:
            return
        signed = _to_be_marked(self.subject, address, entry, signed=True)
        for output in entry.outputs:
            if output.path not in signed:
                continue
            if self.subject.disk.look(output.path, output.sha256, output.bytes) == "missing":
                continue
            why = self.reader.broken(self.subject.project.home / output.path)
            if why:
                yield fault("verify.signature", f"{output.path}: {why}", address=address, path=output.path)

    def rest(self) -> Iterator[Problem]:
        """Nothing of all entries together."""
        return iter(())


def _to_be_marked(subject: Subject, address: str, entry: Entry, *, signed: bool = False) -> frozenset[str]:
    """The files of an entry that have to say that a machine made them.

    Those are all that carry a mark by the manifest's wish, and of the others all that were not left as delivered; a
    person's own file never has to. With `signed`, those of them that have to be signed.
    """
    variant = subject.planned.variants.get(address) if subject.planned is not None else None
    if variant is None:
        return frozenset()
    recorded = {output.path: output for output in entry.outputs}
    delivered = {sha256 for candidate in entry.candidates for sha256 in hashes(candidate)}
    return frozenset(
        file.path
        for file in wanted_files(variant, entry.picked)
        if file.path in recorded
        and file.mark is not None
        and not is_own(entry.candidates[file.candidate - 1])
        and ((file.mark.always and not signed) or recorded[file.path].sha256 not in delivered)
        and (not signed or (file.mark.signed is not None and recorded[file.path].develop == file.develop))
    )
