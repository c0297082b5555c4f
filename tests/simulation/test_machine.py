"""What people do to a project, in any order, between runs that die anywhere: nothing is paid twice, nothing is lost.

Hypothesis state machines over the simulated world: one whose people change assets, one whose people change the data of
a table. The model is small: what is asked for, how often each prompt may have been paid for, and what a commit of git
holds. `IMAGEBATCH_MACHINE_EXAMPLES` makes them longer.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from imagebatch.errors import ImagebatchError
from imagebatch.pipeline import resolving
from imagebatch.pipeline.applying import apply_project
from imagebatch.pipeline.opened import ApplyOptions
from imagebatch.pipeline.planning import PlanRequest, load_saved, make_plan, save_plan
from imagebatch.state.lockfile import decode_lock, encode_lock
from imagebatch.state.store import StateStore
from tests.simulation.checking import entries
from tests.simulation.disk import POLICIES, Policy
from tests.simulation.network import Losses
from tests.simulation.running import Ran, apply
from tests.simulation.scenarios import LINEAGE, PROJECT, loaded
from tests.simulation.virtual_time import Crash
from tests.simulation.world import HOME, World

NAMES = ("ant", "bee", "cat", "dog")
PROMPTS = ("a red barn", "a blue barn", "it fails once", "a green barn", "a white barn")
COLOURS = ("red", "blue", "green")
TABLE = """\
assets:
  tile:
    prompt: "a {{ row.colour }} tile"
    for_each: data/table.csv
    key: name
    provider: studio
    params: {format: 1:1}
    output: "outputs/tile-{{ row.name }}.jpg"
"""
FOLDERS = ("outputs", "outputs/deep/er")
LOCK = "imagebatch.lock"
PLAN = HOME / "saved.plan"
EXAMPLES = int(os.environ.get("IMAGEBATCH_MACHINE_EXAMPLES", "60"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What the manifest says of one asset."""

    prompt: str
    tag: str = ""
    folder: str = "outputs"
    keep: bool = False


Specs = dict[str, Spec]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What git holds: the manifest and the lock."""

    specs: Specs
    lock: bytes


@dataclass(slots=True, kw_only=True)
class Clone:
    """A checkout on some machine: its world, and what its manifest says."""

    world: World
    specs: Specs = field(default_factory=dict)
    edited: bool = False


class Machine(RuleBasedStateMachine):
    """One project, one provider that lists, one or two checkouts; what people change in it is for others to say."""

    def __init__(self) -> None:
        super().__init__()
        self.clones: list[Clone] = []
        self.here = 0
        self.commits: list[Commit] = []
        self.asked_again: dict[str, int] = {}
        self.saved: tuple[int, Specs] | None = None

    # The project -----------------------------------------------------------------------------------------------------

    @property
    def clone(self) -> Clone:
        return self.clones[self.here]

    @property
    def world(self) -> World:
        return self.clone.world

    # Runs ------------------------------------------------------------------------------------------------------------

    @rule()
    def apply(self) -> None:
        self._runs(lambda: apply(self.world, self._project()))

    @rule(at=st.integers(1, 140), policy=st.sampled_from(POLICIES))
    def apply_and_die(self, at: int, policy: Policy) -> None:
        ran = self._runs(lambda: apply(self.world, self._project(), crash_at=at))
        if ran.code is None:
            self.world.reboot(policy)

    @rule()
    def save_a_plan(self) -> None:
        with self.world.installed():
            try:
                project = self._project()
                save_plan(project, make_plan(project, PlanRequest()), PLAN)
            except ImagebatchError:
                return
        self.saved = (self.here, dict(self.clone.specs))

    @precondition(lambda self: self.saved is not None and self.saved[0] == self.here)
    @rule()
    def apply_the_saved_plan(self) -> None:
        assert self.saved is not None
        with self.world.installed():
            saved = load_saved(PLAN)
        self._runs(lambda: _applied(self.world, self._project(), PlanRequest(), saved=saved), codes=(0, 3, 4, 75))

    @precondition(lambda self: any(one.status == "in_doubt" for one in entries(self.world).values()))
    @rule()
    def resolve(self) -> None:
        with self.world.installed():
            for address, entry in entries(self.world).items():
                if entry.status == "in_doubt":
                    resolving.abandon(self._project(), (address,), lock_timeout_s=0)

    # The world -------------------------------------------------------------------------------------------------------

    @rule(after=st.booleans(), number=st.integers(1, 3))
    def lose_an_answer(self, after: bool, number: int) -> None:
        lost = frozenset({self.world.network.paid_calls + number})
        none: frozenset[int] = frozenset()
        self.world.network.losses = Losses(lost_before=none if after else lost, lost_after=lost if after else none)

    @rule(lag=st.floats(0, 2.8))
    def slow_the_list(self, lag: float) -> None:
        self.world.providers.ways.list_lag_s = lag

    @rule(seconds=st.sampled_from((0.1, 60.0, float("inf"))))
    def expire_links(self, seconds: float) -> None:
        self.world.providers.ways.links_live_s = seconds

    @rule(seconds=st.sampled_from((0.05, 80.0)))
    def slow_the_jobs(self, seconds: float) -> None:
        self.world.providers.ways.job_s = seconds

    @rule(hours=st.sampled_from((-1.0, 24.0, -24.0 * 365 * 50)))
    def the_clock_jumps(self, hours: float) -> None:
        from datetime import timedelta

        self.world.clock.wall_shift = timedelta(hours=hours)

    # Files, by hand --------------------------------------------------------------------------------------------------

    @rule(data=st.data())
    def edit_an_output(self, data: Any) -> None:
        path = self._some_file(data, "outputs/")
        self.world.disk.put(f"{HOME}/{path}", b"painted over by hand")
        self.clone.edited = True

    @rule(data=st.data())
    def remove_an_output(self, data: Any) -> None:
        self.world.disk.drop(f"{HOME}/{self._some_file(data, 'outputs/')}")

    @rule(data=st.data())
    def lose_a_picture_of_the_store(self, data: Any) -> None:
        self.world.disk.drop(f"{HOME}/{self._some_file(data, '.imagebatch/store/')}")

    @rule(name=st.sampled_from((".imagebatch/outputs.json", ".imagebatch/memory.json")), data=st.binary(max_size=20))
    def spoil_a_cache(self, name: str, data: bytes) -> None:
        assume(name in self.world.disk.files(HOME))
        self.world.disk.put(f"{HOME}/{name}", data)

    @precondition(lambda self: LOCK in self.world.disk.files(HOME))
    @rule(cut=st.integers(0, 200))
    def tear_the_lock_and_put_it_back(self, cut: int) -> None:
        whole = self.world.disk.files(HOME)[LOCK]
        self.world.disk.put(f"{HOME}/{LOCK}", whole[:cut])
        bills = len(self.world.providers.bills)
        with self.world.installed():
            ran = apply(self.world, self._project())
        assert ran.code == 1, f"a torn lock was believed: {ran}"
        assert len(self.world.providers.bills) == bills, "something was paid for on a torn lock"
        self.world.disk.put(f"{HOME}/{LOCK}", whole)

    @precondition(lambda self: LOCK in self.world.disk.files(HOME))
    @rule()
    def a_later_release_adds_a_field(self) -> None:
        text = self.world.disk.files(HOME)[LOCK].decode()
        assume('"later"' not in text)
        self.world.disk.put(f"{HOME}/{LOCK}", text.replace('"status": ', '"later": 1,\n "status": ').encode())

    # Git and other machines ------------------------------------------------------------------------------------------

    @precondition(lambda self: LOCK in self.world.disk.files(HOME))  # without one, a clone is refused (exit 4)
    @rule()
    def commit(self) -> None:
        self.commits.append(Commit(specs=dict(self.clone.specs), lock=self.world.disk.files(HOME)[LOCK]))

    @precondition(lambda self: self.commits)
    @rule(data=st.data())
    def check_out(self, data: Any) -> None:
        """Another branch, or a revert: manifest and lock go back, `.imagebatch` and outputs stay."""
        self._take(data.draw(st.sampled_from(self.commits)))

    @precondition(lambda self: self.commits)
    @rule(data=st.data())
    def merge(self, data: Any) -> None:
        """Both sides' assets, and both sides' blocks; where both have one, ours."""
        theirs = data.draw(st.sampled_from(self.commits))
        ours = self.world.disk.files(HOME).get(LOCK)
        self._take(Commit(specs={**theirs.specs, **self.clone.specs}, lock=_merged(ours, theirs.lock)))

    @precondition(lambda self: self.commits and len(self.clones) == 1)
    @rule(data=st.data())
    def clone_to_a_second_machine(self, data: Any) -> None:
        first = self.clones[0].world
        world = _fresh(2)
        world.providers, world.clock.now = first.providers, first.clock.now
        world.clock = first.clock
        self.clones.append(Clone(world=world))
        self.here = 1
        self._take(data.draw(st.sampled_from(self.commits)))

    @precondition(lambda self: len(self.clones) > 1)
    @rule()
    def go_to_the_other_machine(self) -> None:
        self.here = 1 - self.here

    # What always holds -----------------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_paid_twice(self) -> None:
        if not self.clones:
            return
        bills = self.world.providers.billed()
        twice = {bill: count for bill, count in bills.items() if count > 1}
        assert not twice, f"billed twice: {twice}"
        by_prompt: dict[str, int] = {}
        for one in self.world.providers.generations.values():
            prompt = str(one.body["prompt"])
            by_prompt[prompt] = by_prompt.get(prompt, 0) + 1
        for prompt, count in by_prompt.items():
            failed = 1 if "fails" in prompt else 0  # where an older picture stands meanwhile, it is drawn anew
            most = 1 + failed + self.asked_again.get(prompt, 0)
            assert count <= most, f"{prompt!r} was drawn {count} times, and asked for {most} times"

    def teardown(self) -> None:
        """Whatever happened: once it is quiet, a few applies bring everything that is asked for, and then rest."""
        for at, clone in enumerate(self.clones):
            self.here = at
            self._comes_to_rest(clone)
        self.nothing_is_paid_twice()

    def _comes_to_rest(self, clone: Clone) -> None:
        ways = clone.world.providers.ways
        ways.list_lag_s, ways.links_live_s, ways.job_s = 0.0, float("inf"), 0.05
        clone.world.network.losses = Losses()
        planned = -1
        for _ in range(4):
            ran = self._runs(lambda: apply(self.world, self._project()))
            planned = ran.planned
            lock = clone.world.disk.files(HOME).get(LOCK)
            if ran.code in {0, 3} and planned == 0:
                break
        again = self._runs(lambda: apply(self.world, self._project()))
        assert clone.world.disk.files(HOME).get(LOCK) == lock, "an apply with nothing to do changed the lock"
        assert again.code in {0, 3}
        known = entries(clone.world)
        for address, (prompt, path) in self._wanted(clone).items():
            assert address in known, f"{address} is asked for and not in the lock"
            assert known[address].status == "succeeded", f"{address}: {known[address].status} {known[address].failure}"
            if clone.edited:
                continue  # a file that was edited by hand keeps its address as it is
            assert prompt in known[address].request, f"{address} shows another prompt"
            assert path in clone.world.disk.files(HOME), f"{path} is missing"
        self._all_accounted()

    def _all_accounted(self) -> None:
        """Each generation that was paid for is known to some checkout, or can be found by its token at its provider."""
        known: set[str] = set()
        for clone in self.clones:
            with clone.world.installed():
                known |= StateStore(HOME).open_for_plan(lineage=LINEAGE).ledger.tokens()
        tokens = {bill.token for bill in self.world.providers.bills if bill.step == "create"}
        listed = {one.token for one in self.world.providers.generations.values() if not one.deleted}
        assert tokens <= known | listed

    # Small things ----------------------------------------------------------------------------------------------------

    def _runs(self, run: Callable[[], Ran], codes: tuple[int, ...] = (0, 3, 75)) -> Ran:
        with self.world.installed():
            ran = run()
        self.world.begin()  # what follows dies nowhere
        assert ran.code is None or ran.code in codes, f"exit {ran.code}: {ran.error}"
        return ran

    def _project(self) -> Any:
        raise NotImplementedError("what the manifest of this checkout says")

    def _wanted(self, clone: Clone) -> dict[str, tuple[str, str]]:
        """The prompt and the path of each address that a checkout asks for."""
        raise NotImplementedError("what the manifest of this checkout asks for")

    def _take(self, commit: Commit) -> None:
        self.clone.specs = dict(commit.specs)
        self.world.disk.put(f"{HOME}/{LOCK}", commit.lock)

    def _some_file(self, data: Any, start: str) -> str:
        found = sorted(path for path in self.world.disk.files(HOME) if path.startswith(start))
        assume(found)
        return str(data.draw(st.sampled_from(found)))


class Assets(Machine):
    """People add, edit, remove, rename and redraw assets."""

    @initialize()
    def begin(self) -> None:
        self.clones = [Clone(world=_fresh(1), specs={"ant": Spec(prompt=PROMPTS[0])})]

    @rule(name=st.sampled_from(NAMES), prompt=st.sampled_from(PROMPTS))
    def add_or_edit(self, name: str, prompt: str) -> None:
        self.clone.specs[name] = replace(self.clone.specs.get(name, Spec(prompt=prompt)), prompt=prompt)

    @rule(name=st.sampled_from(NAMES))
    def remove(self, name: str) -> None:
        assume(len(self.clone.specs) > 1)
        self.clone.specs.pop(name, None)

    @rule(old=st.sampled_from(NAMES), new=st.sampled_from(NAMES))
    def rename(self, old: str, new: str) -> None:
        assume(old in self.clone.specs and new not in self.clone.specs)
        self.clone.specs[new] = self.clone.specs.pop(old)

    @rule(name=st.sampled_from(NAMES), tag=st.sampled_from(("", "shop", "web")))
    def label(self, name: str, tag: str) -> None:
        assume(name in self.clone.specs)
        self.clone.specs[name] = replace(self.clone.specs[name], tag=tag)

    @rule(name=st.sampled_from(NAMES), folder=st.sampled_from(FOLDERS))
    def move_output(self, name: str, folder: str) -> None:
        assume(name in self.clone.specs)
        self.clone.specs[name] = replace(self.clone.specs[name], folder=folder)

    @rule(name=st.sampled_from(NAMES))
    def keep_when_removed(self, name: str) -> None:
        assume(name in self.clone.specs)
        self.clone.specs[name] = replace(self.clone.specs[name], keep=not self.clone.specs[name].keep)

    @rule(name=st.sampled_from(NAMES))
    def redraw(self, name: str) -> None:
        assume(name in self.clone.specs)
        prompt = self.clone.specs[name].prompt
        self.asked_again[prompt] = self.asked_again.get(prompt, 0) + 1
        self._runs(lambda: _applied(self.world, self._project(), PlanRequest(redraw=(name,))))

    def _project(self) -> Any:
        return loaded(_manifest(self.clone.specs), rendered=False)

    def _wanted(self, clone: Clone) -> dict[str, tuple[str, str]]:
        return {name: (spec.prompt, f"{spec.folder}/{name}.jpg") for name, spec in clone.specs.items()}


class Table(Machine):
    """People add, change and remove rows of a table that an asset ranges over; a row is a name and a colour."""

    @initialize()
    def begin(self) -> None:
        self.clones = [Clone(world=_fresh(1), specs={"ant": Spec(prompt=COLOURS[0])})]

    @rule(name=st.sampled_from(NAMES[:3]), colour=st.sampled_from(COLOURS))
    def add_or_change_a_row(self, name: str, colour: str) -> None:
        self.clone.specs[name] = Spec(prompt=colour)

    @rule(name=st.sampled_from(NAMES[:3]))
    def remove_a_row(self, name: str) -> None:
        assume(len(self.clone.specs) > 1)
        self.clone.specs.pop(name, None)

    @rule(name=st.sampled_from(NAMES[:3]))
    def redraw_a_row(self, name: str) -> None:
        assume(name in self.clone.specs)
        prompt = _tile(self.clone.specs[name].prompt)
        self.asked_again[prompt] = self.asked_again.get(prompt, 0) + 1
        self._runs(lambda: _applied(self.world, self._project(), PlanRequest(redraw=(f"tile[{name}]",))))

    def _project(self) -> Any:
        # In one order, so that few projects have to be loaded: a table's order means nothing.
        rows = [f"{name},{spec.prompt}" for name, spec in sorted(self.clone.specs.items())]
        return loaded(TABLE, table="\n".join(["name,colour", *rows, ""]))

    def _wanted(self, clone: Clone) -> dict[str, tuple[str, str]]:
        return {f"tile[{name}]": (_tile(spec.prompt), f"outputs/tile-{name}.jpg") for name, spec in clone.specs.items()}


def _tile(colour: str) -> str:
    return f"a {colour} tile"


def _fresh(seed: int) -> World:
    world = World(seed)
    world.disk.put(f"{HOME}/imagebatch.yaml", PROJECT.encode())
    world.providers.ways.job_s = 0.05
    return world


def _manifest(specs: Specs) -> str:
    lines = ["assets:"]
    for name, spec in sorted(specs.items()):
        tags = f", tags: [{spec.tag}]" if spec.tag else ""
        kept = ", on_remove: keep" if spec.keep else ""
        lines.append(
            f"  {name}: {{prompt: {spec.prompt}, provider: studio, params: {{format: 1:1}}{tags}{kept}, "
            f'output: "{spec.folder}/{name}.jpg"}}'
        )
    return "\n".join(lines) + "\n"


def _merged(ours: bytes | None, theirs: bytes) -> bytes:
    if ours is None:
        return theirs
    mine, other = decode_lock(ours), decode_lock(theirs)
    lacking = [address for address in other if address not in mine]
    return encode_lock(mine.joined([other.only(lacking)])) if lacking else ours


def _applied(world: World, project: Any, request: PlanRequest, *, saved: Any = None) -> Ran:
    world.begin(None)
    try:
        applied = apply_project(
            project, request, ApplyOptions(), approve=lambda _: True, tell=lambda _: None, saved=saved
        )
    except Crash as crash:
        return Ran(code=None, error=str(crash))
    except ImagebatchError as error:
        return Ran(code=error.exit_code, error=str(error))
    return Ran(code=applied.exit_code)


def _tested(machine: type[Machine], examples: int) -> Any:
    machine.TestCase.settings = settings(
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        derandomize="IMAGEBATCH_MACHINE_EXAMPLES" not in os.environ,
        suppress_health_check=list(HealthCheck),
    )
    return machine.TestCase


TestAssets = _tested(Assets, EXAMPLES)
TestTable = _tested(Table, max(1, EXAMPLES // 3))
