"""Looking without touching: validate, render, explain, status, verify. Nothing here sends or writes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from imagebatch.errors import Problem
from imagebatch.model.capabilities import ParamNote
from imagebatch.model.generation import Entry
from imagebatch.model.picks import Pick
from imagebatch.model.settings import Redo
from imagebatch.model.variant import Draft, Variant
from imagebatch.pipeline.originals import originals_of
from imagebatch.pipeline.planning import Planned, PlanRequest, make_plan, selected
from imagebatch.pipeline.project import Project, wanted
from imagebatch.pipeline.world import stored_files
from imagebatch.plan.states import STATES, State, states_of
from imagebatch.plan.types import Change
from imagebatch.plan.unknown import unknown_address
from imagebatch.providers.wanted import Wanted, request_prompt
from imagebatch.state.ledger import Ledger
from imagebatch.state.lockfile import empty_lock
from imagebatch.state.store import StateStore

NO_LINEAGE = "0" * 32


def want_alone(project: Project) -> Wanted:
    """What the files ask for, whatever exists: references to other variants are still open."""
    return wanted(project, empty_lock(project.settings.lineage or NO_LINEAGE))


def recorded_now(project: Project) -> Ledger:
    """The lock with the journal over it, read without a lease."""
    return StateStore(project.home).open_for_plan(lineage=project.settings.lineage).ledger


def check_project(
    project: Project, selectors: Sequence[str] = (), *, exclude: Sequence[str] = ()
) -> tuple[tuple[Variant, ...], tuple[Problem, ...]]:
    """All variants and all warnings, or those of what is selected.

    Raises ManifestError with every problem, of whatever is selected or not.
    """
    found = want_alone(project)
    doubtful = tuple(problem for problem in found.problems if problem.severity == "warning")
    warnings = (*project.warnings, *doubtful)
    chosen = selected(project, selectors, exclude=exclude)
    if chosen is None:
        return found.variants, warnings
    return (
        tuple(variant for variant in found.variants if variant.address in chosen),
        tuple(problem for problem in warnings if problem.address is None or problem.address in chosen),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """One variant as it would be sent: request in wire form, and what becomes of each param."""

    variant: Variant
    prompt: str
    request: Mapping[str, object]
    params: tuple[ParamNote, ...]


def render_variants(project: Project, selectors: Sequence[str], *, exclude: Sequence[str] = ()) -> tuple[Rendered, ...]:
    """The selected variants, rendered; all of them without selectors."""
    found = want_alone(project)
    chosen = selected(project, selectors, exclude=exclude)
    drafts = {draft.address: draft for draft in project.loaded.drafts}
    return tuple(
        _rendered(project, variant, drafts[variant.address])
        for variant in found.variants
        if chosen is None or variant.address in chosen
    )


def _rendered(project: Project, variant: Variant, draft: Draft) -> Rendered:
    adapter = project.targets[variant.provider].adapter
    return Rendered(
        variant=variant,
        prompt=request_prompt(variant.request),
        request=json.loads(variant.request),
        params=adapter.encode(draft.params, len(draft.references)).notes,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One part of a request that is not as it was; None where it is absent on that side."""

    name: str
    before: object
    after: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Everything that decides what happens to one address, and where its candidates' pictures lie, by number."""

    change: Change
    rendered: Rendered | None
    entry: Entry | None
    differences: tuple[Difference, ...]
    pick: Pick | None = None
    redo: Redo | None = None
    pictures: Mapping[int, str] = field(default_factory=dict)


def explain(project: Project, planned: Planned, address: str) -> Explained:
    """Why an address gets what it gets; `planned` has to have been made with `detail`.

    Raises PlanError for an address that is neither wanted nor recorded.
    """
    change = next((one for one in planned.plan.changes if one.address == address), None)
    goes_on = next((one.address for one in planned.plan.changes if one.moved_from == address), None)
    if change is None and goes_on is not None:
        return explain(project, planned, goes_on)  # which says what it was called before
    if change is None:
        detail = f"{address} is neither in the manifests nor in the lock."
        known = [one.address for one in planned.plan.changes]
        raise unknown_address(address, known, summary="no such address", detail=detail)
    rendered = None
    if change.variant is not None:
        draft = next(one for one in project.loaded.drafts if one.address == address)
        rendered = _rendered(project, change.variant, draft)
    # What is unchanged carries no entry in a plan: it was never looked at whole.
    entry = change.entry if change.entry is not None else recorded_now(project).current(address)
    found: tuple[Difference, ...] = ()
    if entry is not None and change.variant is not None:
        found = differences(entry.request, change.variant.request)
    here = stored_files(originals_of(project).store, entry.candidates) if entry is not None else {}
    return Explained(
        change=change,
        rendered=rendered,
        entry=entry,
        differences=found,
        pick=project.loaded.picks.picks.get(address),
        redo=project.loaded.picks.redo.get(address),
        pictures={number: path.relative_to(project.root).as_posix() for number, path in here.items()},
    )


def differences(before: str, after: str) -> tuple[Difference, ...]:
    """What differs between two requests in canonical JSON, by name, params one by one."""
    old, new = _flat(json.loads(before)), _flat(json.loads(after))
    return tuple(
        Difference(name=name, before=old.get(name), after=new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )


def _flat(value: object, prefix: str = "") -> dict[str, object]:
    if not isinstance(value, Mapping):
        return {prefix: value}
    found: dict[str, object] = {}
    for name, item in value.items():
        found |= _flat(item, f"{prefix}.{name}" if prefix else str(name))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The project at a glance: addresses by state, and the totals."""

    wanted: int
    recorded: int
    unchanged: int
    by_state: Mapping[State, tuple[str, ...]]
    changes: int

    @property
    def clean(self) -> bool:
        """Whether an apply would change nothing."""
        return not self.changes


def status_of(planned: Planned, recorded: Iterable[str]) -> Status:
    """The states of everything that is selected; `planned` has to have been made with `detail`.

    `recorded` are the addresses of the lock.
    """
    selects = planned.options.selects
    by_state: dict[State, list[str]] = {state: [] for state in STATES}
    for address, states in states_of(planned.plan).items():
        for state in states:
            by_state[state].append(address)
    changes = planned.plan.changes
    return Status(
        wanted=sum(map(selects, planned.variants)),
        recorded=sum(map(selects, recorded)),
        unchanged=sum(1 for change in changes if change.action == "noop" and not change.also),
        by_state={state: tuple(addresses) for state, addresses in by_state.items() if addresses},
        changes=sum(1 for change in changes if change.action not in {"noop", "keep"} or change.also),
    )


def addresses_in(
    project: Project, states: Sequence[State], *, select: tuple[str, ...] = (), exclude: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The selected addresses that are in one of `states`."""
    everything = make_plan(project, PlanRequest(detail=True))
    found = states_of(everything.plan)
    chosen: frozenset[str] | None = None
    if select or exclude:
        chosen = make_plan(project, PlanRequest(select=select, exclude=exclude)).options.selected
    wanted_states = frozenset(states)
    return tuple(
        address for address, held in found.items() if held & wanted_states and (chosen is None or address in chosen)
    )
