"""A project opened for an apply: its session, its files, what its run counts, and the ways to its providers."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path

from imagebatch.effects import seams
from imagebatch.http.clock import SystemClock
from imagebatch.http.spool import Inbox
from imagebatch.http.trustfile import read_trust
from imagebatch.model.event import Event, Told
from imagebatch.model.token import lineage_tag
from imagebatch.outputs.store import Store
from imagebatch.pipeline.costs import read_funds
from imagebatch.pipeline.lanes import open_lane
from imagebatch.pipeline.originals import originals_of
from imagebatch.pipeline.planning import PlanRequest
from imagebatch.pipeline.project import Project
from imagebatch.pipeline.recording import Recording
from imagebatch.pipeline.unlooked import Unlooked
from imagebatch.pipeline.world import Memory, World, read_beside, session_world, stat_disk
from imagebatch.plan.budget import Funds
from imagebatch.plan.options import InDoubt
from imagebatch.run.duplicates import Duplicates
from imagebatch.run.lanes import Lane
from imagebatch.run.settle import Listings
from imagebatch.run.spending import Spending
from imagebatch.simulator.process import SimulatorProcess, start
from imagebatch.state.cost_file import utc_now
from imagebatch.state.store import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOptions:
    """How to apply: `jobs` bounds what is in flight over all providers, `timeout_s` the whole run."""

    jobs: int | None = None
    in_doubt: InDoubt = "skip"
    wait: bool = True
    timeout_s: float | None = None
    lock_timeout_s: float = 0.0
    require_picks: bool = False


class Opened:
    """What all stations of one apply work on."""

    def __init__(
        self,
        project: Project,
        *,
        request: PlanRequest,
        options: ApplyOptions,
        session: Session,
        tell: Callable[[Told | Event], None],
        stack: ExitStack,
    ) -> None:
        self.project = project
        self.request = request
        self.options = options
        self.session = session
        self.tell = tell
        self.home = project.home
        self.disk = stat_disk(self.home)
        stack.callback(self.disk.save)
        self.originals = originals_of(project)
        stack.callback(self.originals.save)
        self.store: Store = self.originals.store
        self.beside = read_beside(self.home, project.settings.lineage, project.settings.store)
        self.unlooked = Unlooked(self.home, project.targets)
        self.started = seams.clock.monotonic()
        self.spending = Spending()
        self.recording = Recording(session, self._told)
        self.duplicates = Duplicates(tell=tell, address_of=session.ledger.address_of)
        self.inbox = Inbox(self._work / "inbox")
        self._stack = stack
        self._memory = Memory(self.home)
        self._trust = read_trust(project.setup.variables)
        self._simulator: SimulatorProcess | None = None

    @property
    def rows(self) -> Mapping[str, int]:
        """How many rows each asset's table has."""
        return {table.asset: table.rows for table in self.project.loaded.tables}

    @property
    def tag(self) -> str:
        """What every generation of this project carries at its provider."""
        return lineage_tag(self.session.lineage)

    @property
    def _work(self) -> Path:
        return self.home / ".imagebatch"

    def warn(self, text: str) -> None:
        """Say that something is not as it should be and stops nothing."""
        self.tell(Told(kind="warning", message=text))

    def world(self) -> World:
        """What a plan is compared with, as it is now."""
        return session_world(self.session, self.home, self.store, self.disk, self.beside)

    def funds(self) -> Funds:
        """The budget, and what of it is gone by now. Raises StateError where that cannot be read."""
        if self.project.settings.budget.month:
            self.session.flush()  # the cost ledger follows the journal
        return read_funds(self.project, utc_now, run=self.spending.spent)

    def listings(self) -> Listings:
        """The providers' listings of this project's generations, each read when it is needed."""
        return Listings(self.tag, SystemClock(), self.duplicates.look)

    async def lanes(
        self, stack: AsyncExitStack, aliases: Iterable[str], shared: asyncio.Semaphore | None = None
    ) -> Mapping[str, Lane]:
        """The lanes of the providers that are still declared; `shared` are the places of all of them together.

        Raises ProviderError where a key or a base address is missing, RefusedError where a key may not go there.
        """
        known = [alias for alias in aliases if alias in self.project.targets]
        simulator = self._simulator_origin() if any(self.project.targets[one].simulated for one in known) else None
        return {
            alias: await open_lane(
                stack,
                self.project,
                alias,
                simulator=simulator,
                memory=self._memory,
                trust=self._trust,
                shared=shared,
            )
            for alias in known
        }

    def _simulator_origin(self) -> str:
        if self._simulator is None:
            profile = self.project.setup.variables.get("IMAGEBATCH_SIMULATOR_PROFILE", "calm")
            self._simulator = self._stack.enter_context(start(self._work / "simulator", profile))
        return self._simulator.origin

    def _told(self, event: Told | Event) -> None:
        self.spending.note(event)
        self.tell(event)
