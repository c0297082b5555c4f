"""The whole check of a project and of the machine that it is on; every fault is a finding, none an exception."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from imagebatch.doctor import (
    children,
    disk,
    interpreter,
    originals,
    providers,
    repository,
    sharing,
    signing,
    surroundings,
)
from imagebatch.doctor.probes import scratch
from imagebatch.effects.files import foreign_encoding
from imagebatch.errors import ImagebatchError
from imagebatch.pipeline.doctor import Finding, examine, fault_finding
from imagebatch.pipeline.keys import secrets_in
from imagebatch.pipeline.project import Project, Setup, load
from imagebatch.providers.registry import SIMULATED
from imagebatch.state.store import StateStore

_MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """What to look at: `online` asks providers what costs nothing. Of the streams the command line knows the encoding,
    TERM and columns (None for no terminal). `variables` are the names of ours that mean something.
    """

    setup: Setup
    online: bool
    encoding: str
    term: str
    columns: int | None
    variables: frozenset[str]


def check_up(wanted: Checkup) -> Iterator[Finding]:
    """Look at everything; findings come in order, as they are made.

    Writes nothing but files in `.imagebatch/` that are gone afterwards; sends nothing unless `online`.
    """
    setup = wanted.setup
    yield from interpreter.versions()
    project, told = _loaded(setup)
    yield from told
    yield from _state(setup)
    yield from sharing.findings(setup, online=wanted.online)
    yield from _machine(setup, project)
    if project is not None:
        yield from originals.findings(project)
        yield from signing.findings(project)
        yield from providers.findings(project)
        if wanted.online:
            yield from providers.online(project)
    yield from repository.findings(setup.root, _keys(project, setup.variables), simulated=_is_simulated(setup))
    yield from surroundings.clock()
    yield from surroundings.environment(setup.variables, wanted.variables)
    yield surroundings.names(foreign_encoding())
    yield from surroundings.terminal(encoding=wanted.encoding, term=wanted.term, columns=wanted.columns)


def _loaded(setup: Setup) -> tuple[Project | None, tuple[Finding, ...]]:
    try:
        project = load(setup)
    except ImagebatchError as error:
        shown = [fault_finding("project", problem) for problem in error.problems[:_MOST_PROBLEMS]]
        more = len(error.problems) - len(shown)
        if more > 0:
            text = f"and {more} more problems in the project's files"
            shown.append(Finding(check="project", state="bad", text=text, hint="imagebatch validate"))
        return None, tuple(shown)
    count = len(project.loaded.drafts)
    text = f"the project loads: {count} {'variant' if count == 1 else 'variants'}"
    if project.warnings:
        hint = "imagebatch validate"
        text = f"{text}, {len(project.warnings)} warnings"
        return project, (Finding(check="project", state="look", text=text, hint=hint),)
    return project, (Finding(check="project", state="ok", text=text),)


def _state(setup: Setup) -> Iterator[Finding]:
    """Lock, journal, draw index, cost ledger, lease."""
    yield from examine(setup)
    try:
        yield disk.lease(setup.home)
    except ImagebatchError as error:
        yield fault_finding("lease", error)


def _is_simulated(setup: Setup) -> bool:
    """Whether the lock names pictures, and none that was drawn for money."""
    try:
        ledger = StateStore(setup.home).open_for_plan(lineage=None).ledger
        types = {ledger.glance(address).type for address in ledger}
    except ImagebatchError:
        return False  # it is told where the state is looked at
    return bool(types) and all(name.startswith(SIMULATED) for name in types)


def _machine(setup: Setup, project: Project | None) -> Iterator[Finding]:
    """The disk, and the children that need a file on it."""
    try:
        with scratch(setup.home) as folder:
            yield from disk.findings(setup.home, project, folder)
            yield from children.findings(folder)
    except OSError as error:
        text = f"disk: nothing can be written to .imagebatch/ ({error.strerror or error}), so nothing can be paid for"
        yield Finding(check="disk", state="bad", text=text, hint="ls -ld . .imagebatch; df -h .")
        yield from children.findings(None)


def _keys(project: Project | None, variables: Mapping[str, str]) -> Mapping[str, str]:
    """The keys that the environment holds and that could be told from ordinary words, by their variables' names."""
    declared = project.settings.providers.values() if project is not None else ()
    return secrets_in((one.key_variable for one in declared), variables)
