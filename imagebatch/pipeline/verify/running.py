"""The checks of `verify`, one after another, each fenced: what fails in one is told and stops no other."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Protocol

from imagebatch.errors import Problem, StateError
from imagebatch.model.generation import Entry
from imagebatch.outputs.reading import SignatureReader
from imagebatch.outputs.tree import Tree
from imagebatch.pipeline.planning import PlanRequest
from imagebatch.pipeline.project import Project
from imagebatch.pipeline.signing import is_installed
from imagebatch.pipeline.verify.entries import Files, Originals, Signatures, Simulated
from imagebatch.pipeline.verify.faults import fault
from imagebatch.pipeline.verify.subject import Subject, lock_fault
from imagebatch.pipeline.verify.whole import Checks, Manifests, Picks, Stored


class EntryCheck(Protocol):
    """Looks at one entry of the lock after another, all of which are read once for all such checks."""

    @property
    def name(self) -> str: ...

    def of(self, address: str, entry: Entry) -> Iterator[Problem]:
        """What is wrong with one entry."""
        ...

    def rest(self) -> Iterator[Problem]:
        """What is to be said after the last one."""
        ...


class WholeCheck(Protocol):
    """Looks at the project as a whole."""

    @property
    def name(self) -> str: ...

    def faults(self) -> Iterator[Problem]:
        """What is wrong."""
        ...


class Verification:
    """One `verify`: `faults` looks and tells, `files` and `stored` are how many outputs and store files were there.

    Takes no lease and writes nothing. Raises UsageError and PlanError for selectors that name nothing.
    """

    def __init__(
        self, project: Project, select: tuple[str, ...] = (), exclude: tuple[str, ...] = (), *, quick: bool = False
    ) -> None:
        request = PlanRequest(select=select, exclude=exclude, detail=True)
        self._subject = Subject.read(project, request, quick=quick)
        self.files = 0
        self.stored = 0

    def faults(self) -> Iterator[Problem]:
        """Everything that is not as it should be; memory does not grow with the project, but for the plan."""
        subject = self._subject
        yield from subject.faults
        for check in (Manifests(subject=subject), Picks(subject=subject), Checks(subject=subject)):
            yield from fenced(check.name, check.faults)
        with ExitStack() as stack:
            checks: list[EntryCheck] = [Simulated(), Originals(subject=subject)]
            files = None
            try:
                files = Files(subject=subject, tree=stack.enter_context(closing(Tree(subject.project.home))))
                checks.append(files)
            except OSError as error:
                if subject.ledger:
                    yield fault("verify.unreadable", f"the outputs' folder cannot be read: {error.strerror}")
            if is_installed():
                reader = stack.enter_context(closing(SignatureReader()))
                checks.append(Signatures(subject=subject, reader=reader))
            yield from over_entries(subject, checks)
            self.files = files.count if files is not None else 0
        stored = Stored(subject=subject)
        yield from fenced(stored.name, stored.faults)
        self.stored = stored.count


def over_entries(subject: Subject, checks: Sequence[EntryCheck]) -> Iterator[Problem]:
    """What `checks` find in the selected entries; a damaged block is told, and the next one looked at."""
    for address in subject.ledger or ():
        if subject.ledger is None or not subject.selects(address):
            continue
        try:
            entry = subject.ledger.entry(address)
        except StateError as error:
            yield lock_fault(error.problems[0])
            continue
        for check in checks:
            yield from fenced(check.name, lambda: check.of(address, entry), address)  # noqa: B023  # used up at once
    for check in checks:
        yield from fenced(check.name, check.rest)


def fenced(name: str, look: Callable[[], Iterable[Problem]], address: str | None = None) -> Iterator[Problem]:
    """What a check finds, and one fault more where it fails itself."""
    try:
        yield from look()
    except Exception as error:  # noqa: BLE001  # whatever fails in one check, the others are made
        detail = f"the check {name} failed: {type(error).__name__}: {error}"
        yield fault("verify.broken", detail[:500], address=address)
