"""What the checks of `verify` look at: lock and journal as far as they can be read, and the plan over them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from imagebatch.errors import ImagebatchError, Problem, StateError
from imagebatch.model.recorded import Disk, OutputState
from imagebatch.outputs.disk import StatDisk
from imagebatch.outputs.store import Store
from imagebatch.pipeline.inspecting import NO_LINEAGE
from imagebatch.pipeline.originals import originals_of
from imagebatch.pipeline.planning import Planned, PlanRequest, plan_against
from imagebatch.pipeline.project import Project
from imagebatch.pipeline.verify.faults import fault
from imagebatch.pipeline.world import PlacedDisk, World, known_here, read_world, stat_disk
from imagebatch.state.ledger import Ledger
from imagebatch.state.lockfile import empty_lock
from imagebatch.state.lockfile_io import read_lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One project, read once for all checks.

    `ledger` is None where the lock cannot be read at all, `planned` where no plan can be made; `faults` say why.
    `quick` lets size and time vouch for a file, as `plan` does.
    """

    project: Project
    ledger: Ledger | None
    planned: Planned | None
    selects: Callable[[str], bool]
    everything: bool
    quick: bool
    store: Store
    disk: StatDisk
    faults: tuple[Problem, ...] = ()

    @property
    def store_path(self) -> Path:
        """The folder of the store."""
        return self.store.folder

    @classmethod
    def read(cls, project: Project, request: PlanRequest, *, quick: bool) -> Self:
        """Read lock and journal and make the plan; what of it cannot be done is in `faults`.

        Raises UsageError and PlanError for selectors that name nothing.
        """
        disk, store = stat_disk(project.home), originals_of(project).store
        faults: list[Problem] = []
        world = _world(project, store, disk, faults)
        planned = _planned(project, world, request, faults) if world is not None else None
        return cls(
            project=project,
            ledger=world.recorded if world is not None else None,
            planned=planned,
            selects=planned.options.selects if planned is not None else lambda _: True,
            everything=not (request.select or request.exclude),
            quick=quick,
            store=store,
            disk=disk,
            faults=tuple(faults),
        )


class Believed:
    """Output files as the lock says they are: the plan then tells nothing that the check of files tells better."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def look(self, path: str, sha256: str, size: int) -> OutputState:  # as `Disk` has it
        """Always `same`."""
        return "same"

    def shows(self, path: str, sha256: str, size: int, picture: str) -> bool:
        """As the disk itself."""
        return self._disk.shows(path, sha256, size, picture)

    def exists(self, path: str) -> bool:
        """As the disk itself."""
        return self._disk.exists(path)

    def standing(self, sha256: str, size: int) -> str | None:
        """As the disk itself."""
        return self._disk.standing(sha256, size)


def _world(project: Project, store: Store, disk: StatDisk, faults: list[Problem]) -> World | None:
    """The world, or without the journal where only that cannot be read; None without a lock that can be."""
    lineage = project.settings.lineage
    try:
        world = read_world(project, store, disk)
    except StateError as error:
        faults += map(lock_fault, error.problems)
    else:
        faults += [fault("verify.lock", one.message) for one in world.refusals]
        return world
    try:
        found = read_lock(project.home)
    except StateError:
        return None  # which was told already
    ledger = Ledger(found.lock if found is not None else empty_lock(lineage or NO_LINEAGE))
    digest = found.digest if found is not None else ""
    known = known_here(ledger, store, None)
    placed = PlacedDisk(disk, ledger, known)
    return World(recorded=ledger, known=known, disk=placed, lineage=lineage, lock_digest=digest)


def _planned(project: Project, world: World, request: PlanRequest, faults: list[Problem]) -> Planned | None:
    world = replace(world, disk=Believed(world.disk))
    try:
        try:
            return plan_against(project, world, request)
        except StateError:
            damaged = tuple(_damaged(world.recorded))
            if not damaged:
                raise
            faults += damaged
            world.recorded.set_aside({one.address for one in damaged if one.address is not None})
            found = plan_against(project, world, request)
            plan = replace(
                found.plan, changes=tuple(one for one in found.plan.changes if one.address not in _at(damaged))
            )
            return replace(found, plan=plan)
    except ImagebatchError as error:
        if request.select or request.exclude:
            raise
        faults += [fault("verify.plan", f"no plan can be made: {one.summary}: {one.detail}") for one in error.problems]
    except Exception as error:  # noqa: BLE001  # the files are still to be looked at
        faults.append(fault("verify.broken", f"no plan can be made: {type(error).__name__}: {error}"))
    return None


def _at(problems: tuple[Problem, ...]) -> frozenset[str | None]:
    return frozenset(one.address for one in problems)


def _damaged(ledger: Ledger) -> Iterator[Problem]:
    for address in ledger:
        try:
            ledger.entry(address)
        except StateError as error:
            yield lock_fault(error.problems[0])


def lock_fault(problem: Problem) -> Problem:
    """What is wrong with the lock or the journal, as `verify` tells it."""
    return fault(
        "verify.lock",
        problem.detail,
        address=problem.address,
        path=problem.path,
        line=problem.line,
        hint=problem.hint,
    )
