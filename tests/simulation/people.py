"""A state machine of what people do to a project between runs that die anywhere; what its manifest says is for others.

The model is small: what is asked for, how often each prompt may have been paid for, and what a commit of git holds. No
step is thrown away: a rule says when it makes sense, and draws from what is there.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import wraps
from itertools import count
from random import Random
from typing import Any, ClassVar, Literal, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from imagebatch.errors import ImagebatchError
from imagebatch.model.generation import Entry
from imagebatch.outputs import store
from imagebatch.pipeline.applying import apply_project
from imagebatch.pipeline.opened import ApplyOptions
from imagebatch.pipeline.planning import PlanRequest, load_saved, make_plan, save_plan
from imagebatch.pipeline.project import Project
from imagebatch.pipeline.targets import Targets
from imagebatch.plan.saved import SavedPlan
from imagebatch.state.lockfile import decode_lock, encode_lock
from imagebatch.state.store import StateStore
from tests.simulation.accounts import Account, Asked, WatchedProviders
from tests.simulation.checking import entries
from tests.simulation.disk import POLICIES, Policy
from tests.simulation.network import Losses
from tests.simulation.running import Ran
from tests.simulation.scenarios import LINEAGE, PROJECT
from tests.simulation.virtual_time import Crash
from tests.simulation.world import HOME, World

LOCK = "imagebatch.lock"
PLAN = HOME / "saved.plan"
CACHES = (".imagebatch/outputs.json", ".imagebatch/memory.json")
PAINTED = b"painted over by hand"
A_WALK_S = 10.0
"""How long it takes to go to the other machine: longer than a listing lags."""
Removal = Literal["trash", "keep", "delete"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What the manifest says of one asset."""

    prompt: str
    alias: str = "studio"
    tag: str = ""
    folder: str = "outputs"
    on_remove: Removal = "trash"
    full: bool = False


Specs = dict[str, Spec]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What git holds: the manifest and the lock."""

    specs: Specs
    lock: bytes


@dataclass(slots=True, kw_only=True)
class Checkout:
    """A checkout on some machine: its world, and what its manifest says."""

    world: World
    specs: Specs = field(default_factory=dict)
    may_doubt: bool = False
    """Whether the last run may have left something in doubt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """Before which effect a run dies, and what the disk keeps then."""

    at: int
    policy: Policy


deaths = st.builds(Death, at=st.integers(1, 100), policy=st.sampled_from(POLICIES))


def step(**drawn: Any) -> Callable[[Callable[..., None]], Any]:
    """A rule that is counted whenever it was carried out."""

    def counted(function: Callable[..., None]) -> Any:
        @wraps(function)
        def carried_out(self: "Machine", **values: Any) -> None:
            function(self, **values)
            self.reached[function.__name__] += 1

        return rule(**drawn)(carried_out)  # type: ignore[no-untyped-call]  # hypothesis does not say

    return counted


class Machine(RuleBasedStateMachine):
    """One project, its providers, one or two checkouts."""

    reached: ClassVar["Counter[str]"]
    """How often each rule was carried out, and each thing came to pass, over all examples."""
    has_to_happen: ClassVar[tuple[str, ...]]
    """What has to come to pass, beside the rules."""

    def __init_subclass__(cls) -> None:
        cls.reached = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.checkouts: list[Checkout] = []
        self.here = 0
        self.commits: list[Commit] = []
        self.saved: int | None = None
        self.account: Account

    def start(self, specs: Specs, *, cloned: bool) -> None:
        """One checkout, in which nothing was drawn yet; or two, of which the first has drawn what is asked for."""
        store._COUNTER = count()  # the names of files that are being written are the same again
        world = _fresh(1)
        providers = WatchedProviders(world.clock, Random(2))  # noqa: S311  # it has to be the same again
        providers.ways.job_s = 0.05
        world.providers = providers
        self.account = Account(providers=providers)
        self.checkouts = [Checkout(world=world, specs=specs)]
        if cloned:
            self.run(PlanRequest())
            self._commit()
            self._clone(self.commits[0])

    # The project -----------------------------------------------------------------------------------------------------

    @classmethod
    def hardly_reached(cls, least: int) -> dict[str, int]:
        """What was carried out, or came to pass, less than `least` times."""
        wanted = {*cls.has_to_happen, *(one.function.__name__ for one in cls.setup_state().rules)}
        return {name: cls.reached[name] for name in sorted(wanted) if cls.reached[name] < least}

    @property
    def checkout(self) -> Checkout:
        return self.checkouts[self.here]

    @property
    def world(self) -> World:
        return self.checkout.world

    @property
    def specs(self) -> Specs:
        return self.checkout.specs

    def files(self, *starts: str) -> list[str]:
        """The project's files whose paths begin so."""
        return sorted(path for path in self.world.disk.files(HOME) if path.startswith(starts))

    def lock(self) -> bytes:
        return self.world.disk.bytes_of(HOME / LOCK)

    def project(self) -> Project:
        """The project as this checkout's manifest has it."""
        raise NotImplementedError

    def opened(self) -> Project:
        """The project with adapters that have learnt nothing yet, as a process that begins has them."""
        project = self.project()
        targets = cast("Targets", project.targets)
        return replace(project, targets=Targets(targets.providers, targets._make))

    def wanted(self) -> Mapping[str, tuple[Asked, str]]:
        """What is asked for at each address, and the path of its output."""
        raise NotImplementedError

    def fingerprint(self, asked: Asked) -> str:
        """The draw fingerprint of what is asked for."""
        raise NotImplementedError

    # Runs ------------------------------------------------------------------------------------------------------------

    @step()
    def apply(self) -> None:
        self.run(PlanRequest())

    @step(death=deaths)
    def apply_and_die(self, death: Death) -> None:
        self.run(PlanRequest(), death=death)

    @step(data=st.data(), death=st.none() | deaths)
    def redraw(self, data: Any, death: Death | None) -> None:
        address, (asked, _) = data.draw(st.sampled_from(sorted(self.wanted().items())))
        self.account.ask_again(self.here, asked)
        ran = self.run(PlanRequest(redraw=(address,)), death=death)
        self.reached["died in a redraw"] += ran.code is None

    @step(death=st.none() | deaths)
    def draw_what_is_lost(self, death: Death | None) -> None:
        self._draws_what_is_lost(death)

    @step()
    def save_a_plan(self) -> None:
        self._save_a_plan()

    @precondition(lambda self: self.saved == self.here)
    @step(death=st.none() | deaths)
    def apply_the_saved_plan(self, death: Death | None) -> None:
        self._apply_the_saved_plan(death)

    @step(death=deaths)
    def save_a_plan_and_die_in_it(self, death: Death) -> None:
        self._save_a_plan()
        self._apply_the_saved_plan(death)

    # The world -------------------------------------------------------------------------------------------------------

    @step(after=st.booleans(), number=st.integers(1, 2))
    def lose_an_answer(self, after: bool, number: int) -> None:
        self._lose(number, after=after)

    @step(lag=st.floats(0, 2.8))
    def slow_the_list(self, lag: float) -> None:
        self.world.providers.ways.list_lag_s = lag

    @step(seconds=st.sampled_from((0.1, 60.0, float("inf"))))
    def expire_links(self, seconds: float) -> None:
        self.world.providers.ways.links_live_s = seconds

    @step(seconds=st.sampled_from((0.05, 80.0)))
    def slow_the_jobs(self, seconds: float) -> None:
        self.world.providers.ways.job_s = seconds

    @step(hours=st.sampled_from((-1.0, 24.0, -24.0 * 365 * 50)))
    def the_clock_jumps(self, hours: float) -> None:
        self.world.clock.wall_shift = timedelta(hours=hours)

    # Files, by hand --------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.files("outputs/"))
    @step(data=st.data())
    def edit_an_output(self, data: Any) -> None:
        self.world.disk.put(f"{HOME}/{self._some_file(data, 'outputs/')}", PAINTED)

    @precondition(lambda self: self.files("outputs/"))
    @step(data=st.data())
    def remove_an_output(self, data: Any) -> None:
        self.world.disk.drop(f"{HOME}/{self._some_file(data, 'outputs/')}")

    @precondition(lambda self: self.files(".imagebatch/store/"))
    @step(data=st.data(), outputs=st.booleans())
    def lose_a_picture(self, data: Any, outputs: bool) -> None:
        """It goes from the store, and perhaps from wherever it was put."""
        lost = self.world.disk.bytes_of(HOME / self._some_file(data, ".imagebatch/store/"))
        for path in self.files(".imagebatch/store/", *(("outputs/",) if outputs else ())):
            if self.world.disk.bytes_of(HOME / path) == lost:
                self.world.disk.drop(f"{HOME}/{path}")

    @precondition(lambda self: self.files(*CACHES))
    @step(data=st.data(), spoilt=st.binary(max_size=20))
    def spoil_a_cache(self, data: Any, spoilt: bytes) -> None:
        self.world.disk.put(f"{HOME}/{self._some_file(data, *CACHES)}", spoilt)

    @precondition(lambda self: self.lock())
    @step(percent=st.integers(0, 95))
    def tear_the_lock_and_put_it_back(self, percent: int) -> None:
        whole, bills = self.lock(), len(self.world.providers.bills)
        self.world.disk.put(f"{HOME}/{LOCK}", whole[: len(whole) * percent // 100])
        self.run(PlanRequest(), codes=(1,))
        assert len(self.world.providers.bills) == bills, "something was paid for on a torn lock"
        self.world.disk.put(f"{HOME}/{LOCK}", whole)

    @precondition(lambda self: b'"status": ' in self.lock() and b'"later"' not in self.lock())
    @step()
    def a_later_release_adds_a_field(self) -> None:
        self.world.disk.put(f"{HOME}/{LOCK}", self.lock().replace(b'"status": ', b'"later": 1,\n "status": '))

    # Git and other machines ------------------------------------------------------------------------------------------

    @precondition(lambda self: self.lock())  # without one, a clone is refused (exit 4)
    @step()
    def commit(self) -> None:
        self._commit()

    @precondition(lambda self: self.commits)
    @step(data=st.data())
    def check_out(self, data: Any) -> None:
        """Another branch, or a revert: manifest and lock go back, `.imagebatch` and outputs stay."""
        self._take(self._some_commit(data))

    @precondition(lambda self: self.commits)
    @step(data=st.data())
    def merge(self, data: Any) -> None:
        """Both sides' assets, and both sides' blocks; where both have one, ours."""
        theirs = self._some_commit(data)
        self._take(Commit(specs={**theirs.specs, **self.specs}, lock=_merged(self.lock(), theirs.lock)))

    @precondition(lambda self: self.lock() and len(self.checkouts) == 1)
    @step(data=st.data())
    def clone_to_a_second_machine(self, data: Any) -> None:
        self._commit()
        self._clone(self._some_commit(data))

    @precondition(lambda self: len(self.checkouts) > 1)
    @step(applied=st.booleans())
    def go_to_the_other_machine(self, applied: bool) -> None:
        self._go()
        if applied:
            self.run(PlanRequest())

    # What always holds -----------------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_paid_twice(self) -> None:
        if self.checkouts:
            found = self.account.too_often()
            assert not found, found

    def teardown(self) -> None:
        """Whatever happened: once it is quiet, a few applies bring everything that is asked for, and then rest."""
        for _ in self.checkouts:
            self._comes_to_rest()
            with self.world.installed():
                ledger = StateStore(HOME).open_for_plan(lineage=LINEAGE).ledger
                found = self.account.unaccounted(self.here, ledger, self.fingerprint)
            assert not found, found
            self._go()
        self.nothing_is_paid_twice()
        self._note_what_came_to_pass()

    def settle(self) -> None:
        """A person settles what is in doubt; where the provider lists, nothing has to be settled."""

    def _comes_to_rest(self) -> None:
        ways = self.world.providers.ways
        ways.list_lag_s, ways.links_live_s, ways.job_s = 0.0, float("inf"), 0.05
        self.world.network.losses = Losses()
        self.run(PlanRequest())
        for path, data in self.world.disk.files(HOME).items():
            if data == PAINTED and path.startswith("outputs/"):  # while it stands there, nothing takes its place
                self.world.disk.drop(f"{HOME}/{path}")
        for _ in range(3):  # behind a doubt that is settled stands the one before it
            self.run(PlanRequest())
            if not self.checkout.may_doubt:
                break
            self.settle()
        self._draws_what_is_lost(None)
        for _ in range(4):
            if self.run(PlanRequest()).planned == 0:
                break
        lock = self.lock()
        self.run(PlanRequest())
        assert self.lock() == lock, "an apply with nothing to do changed the lock"
        self._has_what_is_wanted()

    def _has_what_is_wanted(self) -> None:
        known = entries(self.world)
        for address, (asked, path) in self.wanted().items():
            assert address in known, f"{address} is asked for and not in the lock"
            entry = known[address]
            assert entry.status == "succeeded", f"{address}: {entry.status} {entry.failure}"
            assert asked_by(entry) == asked, f"{address} shows another request"
            assert path in self.world.disk.files(HOME), f"{path} is missing"

    def _note_what_came_to_pass(self) -> None:
        for what in ("create", "retry", "buy", "update", "delete"):
            self.reached[f"asked for a {what}"] += self.account.providers.requests[what]
        self.reached["two checkouts"] += len(self.checkouts) > 1

    # Small things ----------------------------------------------------------------------------------------------------

    def run(
        self,
        request: PlanRequest,
        *,
        saved: SavedPlan | None = None,
        death: Death | None = None,
        codes: tuple[int, ...] = (0, 3, 75),
    ) -> Ran:
        """One run of the program, which may die."""
        project, options = self.opened(), ApplyOptions(in_doubt=request.in_doubt)

        def applied() -> Ran:
            done = apply_project(project, request, options, approve=lambda _: True, tell=lambda _: None, saved=saved)
            changes = done.planned.plan.changes
            ends = done.result.outcomes if done.result is not None else ()
            self.checkout.may_doubt = "in_doubt" in {*(one.reason for one in changes), *(one.end for one in ends)}
            planned = sum(1 for one in changes if one.action != "noop")
            return Ran(code=done.exit_code, planned=planned)

        ran = self.carried_out(applied, death)
        assert ran.code is None or ran.code in codes, f"exit {ran.code}: {ran.error}"
        return ran

    def carried_out(self, work: Callable[[], Ran], death: Death | None = None) -> Ran:
        """Some command of the program; where it dies, the machine starts again."""
        bills = len(self.account.providers.bills)
        self.world.begin(death.at if death is not None else None)
        try:
            with self.world.installed():
                return work()
        except Crash as crash:
            assert death is not None
            self.world.reboot(death.policy)
            self.checkout.may_doubt = True
            return Ran(code=None, error=str(crash))
        except ImagebatchError as error:
            return Ran(code=error.exit_code, error=str(error))
        finally:
            self.world.begin()  # what follows dies nowhere
            in_full = [(one.alias, one.prompt) for one in self.specs.values() if one.full]
            self.account.note_purchases(bills, in_full)

    def _lose(self, number: int, *, after: bool) -> None:
        lost = frozenset({self.world.network.paid_calls + number})
        self.world.network.losses = Losses(lost_after=lost) if after else Losses(lost_before=lost)

    def _save_a_plan(self) -> None:
        with self.world.installed():
            project = self.opened()
            save_plan(project, make_plan(project, PlanRequest()), PLAN)
        self.saved = self.here

    def _apply_the_saved_plan(self, death: Death | None) -> None:
        with self.world.installed():
            saved = load_saved(PLAN)
        ran = self.run(PlanRequest(), saved=saved, death=death, codes=(0, 3, 4, 75))
        self.reached["died in a saved plan"] += ran.code is None

    def _draws_what_is_lost(self, death: Death | None) -> None:
        """What was paid for and cannot be had any more is drawn anew only because somebody says so."""
        with self.world.installed():
            planned = make_plan(self.opened(), PlanRequest(detail=True))
        lost = [one.address for one in planned.plan.changes if one.reason == "unavailable"]
        ended = ("paid_failure", "failed")
        failed = [one.address for one in planned.plan.changes if one.action == "keep" and one.reason in ended]
        for address in (*lost, *failed):
            self.account.ask_again(self.here, self.wanted()[address][0])
        if failed:  # a retry is of what it names, and of nothing else
            self.run(PlanRequest(retry=tuple(failed)))
        self.run(PlanRequest(force=frozenset({"missing"})), death=death)
        self.reached["lost"] += len(lost) + len(failed)

    def _commit(self) -> None:
        self.commits.append(Commit(specs=dict(self.specs), lock=self.lock()))

    def _clone(self, commit: Commit) -> None:
        first, world = self.world, _fresh(2)
        world.providers, world.clock = first.providers, first.clock
        self.checkouts.append(Checkout(world=world))
        self._go()
        self._take(commit)

    def _go(self) -> None:
        self.world.clock.now += A_WALK_S
        self.here = (self.here + 1) % len(self.checkouts)
        self.account.providers.checkout = self.here

    def _take(self, commit: Commit) -> None:
        self.checkout.specs = dict(commit.specs)
        self.world.disk.put(f"{HOME}/{LOCK}", commit.lock)

    def _some_commit(self, data: Any) -> Commit:
        at: int = data.draw(st.integers(0, len(self.commits) - 1))
        return self.commits[at]

    def _some_file(self, data: Any, *starts: str) -> str:
        return str(data.draw(st.sampled_from(self.files(*starts))))


def asked_by(entry: Entry) -> Asked:
    """What a block's request asked for."""
    return entry.provider, str(json.loads(entry.request)["prompt"])


def _fresh(seed: int) -> World:
    world = World(seed)
    world.disk.put(f"{HOME}/imagebatch.yaml", PROJECT.encode())
    return world


def _merged(ours: bytes, theirs: bytes) -> bytes:
    if not ours:
        return theirs
    mine, other = decode_lock(ours), decode_lock(theirs)
    lacking = [address for address in other if address not in mine]
    return encode_lock(mine.joined([other.only(lacking)])) if lacking else ours
