"""What people do to a project, in any order, between runs that die anywhere: nothing is paid twice, nothing is lost.

Two hypothesis state machines over the simulated world: one whose people change assets at three providers, one whose
people change the data of a table. `IMAGEBATCH_MACHINE_EXAMPLES` makes them longer.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition

from imagebatch.errors import PlanError
from imagebatch.pipeline import resolving
from imagebatch.pipeline.planning import PlanRequest
from imagebatch.pipeline.project import Project, wanted
from imagebatch.pipeline.resolving import Doubt
from imagebatch.state.ledger import Ledger
from imagebatch.state.lockfile import empty_lock
from imagebatch.state.store import StateStore
from tests.simulation.accounts import LISTS, Asked
from tests.simulation.people import Death, Machine, Spec, Specs, deaths, step
from tests.simulation.pictures import drawn
from tests.simulation.running import Ran
from tests.simulation.scenarios import LINEAGE, loaded
from tests.simulation.world import HOME

ALIASES: Mapping[str, str] = {
    "ant": "studio", "bee": "studio", "cat": "studio", "eel": "hub", "elk": "hub", "pig": "plain", "pug": "plain",
}  # fmt: skip
"""At which provider each name is drawn first."""
KEEP_NOTHING = tuple(name for name, alias in ALIASES.items() if alias != LISTS)
"""What is drawn first at providers that answer at once and cannot be asked again."""
Way = Literal["abandon", "resend", "file", "adopt"]
WAYS: tuple[Way, ...] = ("abandon", "resend", "file", "adopt")
ways = st.none() | st.sampled_from(WAYS)
seldom = st.sampled_from((False, False, False, True))
ROWS = ("ant", "bee", "cat")
PROMPTS = ("a red barn", "a blue barn", "it fails once", "a green barn", "a white barn")
COLOURS = ("red", "blue")
PARAMS: Mapping[str, str] = {
    "studio": "{format: 1:1}",
    "hub": "{model: openai/gpt-image-2, output_format: jpeg}",
    "plain": "{model: gpt-image-2, size: 1024x1024, output_format: jpeg}",
}
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
BY_HAND = HOME / "by-hand.jpg"
LEAST = 2
"""How often everything has to happen at least, where the examples are the same every time."""
EXAMPLES = int(os.environ.get("IMAGEBATCH_MACHINE_EXAMPLES", "120"))
STEADY = "IMAGEBATCH_MACHINE_EXAMPLES" not in os.environ


class Assets(Machine):
    """People add, edit, remove, rename and move assets, and settle what is in doubt."""

    has_to_happen = (
        "two checkouts", "died in a redraw", "died in a saved plan", "lost", "settled by abandon", "settled by resend",
        "settled by file", "settled by adopt", "asked for a retry", "asked for a buy", "asked for a update",
        "asked for a delete",
    )  # fmt: skip

    @initialize(names=st.lists(st.sampled_from(sorted(ALIASES)), min_size=1, max_size=3, unique=True), cloned=seldom)
    def begin(self, names: list[str], cloned: bool) -> None:
        prompts = zip(names, PROMPTS, strict=False)
        self.start({name: Spec(prompt=prompt, alias=ALIASES[name]) for name, prompt in prompts}, cloned=cloned)

    @step(name=st.sampled_from(sorted(ALIASES)), prompt=st.sampled_from(PROMPTS))
    def add_or_edit(self, name: str, prompt: str) -> None:
        before = self.specs.get(name, Spec(prompt=prompt, alias=ALIASES[name]))
        self._say(name, replace(before, prompt=prompt))

    @step(data=st.data(), alias=st.sampled_from(sorted(PARAMS)), applied=st.booleans())
    def draw_it_elsewhere(self, data: Any, alias: str, applied: bool) -> None:
        name = self._some_name(data)
        self._say(name, replace(self.specs[name], alias=alias, full=self.specs[name].full and alias == LISTS))
        if applied:
            self.run(PlanRequest())

    @precondition(lambda self: len(self.specs) > 1)
    @step(data=st.data())
    def remove(self, data: Any) -> None:
        self.specs.pop(self._some_name(data))

    @precondition(lambda self: self.new_names())
    @step(data=st.data())
    def rename(self, data: Any) -> None:
        old, new = data.draw(st.sampled_from(self.new_names()))
        self.specs[new] = self.specs.pop(old)

    @step(data=st.data(), tag=st.sampled_from(("", "shop", "web")), applied=st.booleans())
    def label(self, data: Any, tag: str, applied: bool) -> None:
        self._change(data, tag=tag)
        if applied:
            self.run(PlanRequest())

    @step(data=st.data(), folder=st.sampled_from(FOLDERS))
    def move_output(self, data: Any, folder: str) -> None:
        self._change(data, folder=folder)

    @step(data=st.data(), on_remove=st.sampled_from(("trash", "keep", "delete")))
    def say_what_becomes_of_it(self, data: Any, on_remove: str) -> None:
        self._change(data, on_remove=on_remove)

    @precondition(lambda self: any(spec.alias == LISTS for spec in self.specs.values()))
    @step(data=st.data())
    def want_it_in_full(self, data: Any) -> None:
        name = data.draw(st.sampled_from(sorted(name for name, spec in self.specs.items() if spec.alias == LISTS)))
        self._say(name, replace(self.specs[name], full=True))

    @precondition(lambda self: len(self.specs) > 1)
    @step(data=st.data(), death=st.none() | deaths)
    def remove_for_good(self, data: Any, death: Death | None) -> None:
        name = self._some_name(data)
        self._say(name, replace(self.specs[name], on_remove="delete"))
        self.run(PlanRequest())  # the policy that counts is the lock's
        self.specs.pop(name)
        self.run(PlanRequest(), death=death)

    # What is in doubt ------------------------------------------------------------------------------------------------

    @step(name=st.sampled_from(KEEP_NOTHING), prompt=st.sampled_from(PROMPTS), after=st.booleans(), way=ways)
    def draw_and_hear_nothing(self, name: str, prompt: str, after: bool, way: Way | None) -> None:
        before = self.specs.get(name, Spec(prompt=prompt))
        alias = ALIASES[name] if before.alias == LISTS else before.alias
        self._say(name, replace(before, prompt=prompt, alias=alias, full=False))
        self._lose(1, after=after)
        self.run(PlanRequest(select=(name,)))
        doubt = self._doubts().get(name)
        if way is not None and doubt is not None:
            self._settled(way, doubt, None)

    @precondition(lambda self: self.checkout.may_doubt)
    @step(data=st.data(), way=st.sampled_from(WAYS), death=st.none() | deaths)
    def settle_a_doubt(self, data: Any, way: Way, death: Death | None) -> None:
        doubts = self._doubts()
        if doubts:
            address = data.draw(st.sampled_from(sorted(doubts)))
            self._settled(way, doubts[address], death)

    def settle(self) -> None:
        for address in self._doubts():
            doubt = self._doubts().get(address)  # one may be that of several addresses
            if doubt is not None:
                self._settled("abandon", doubt, None)

    def _settled(self, way: Way, doubt: Doubt, death: Death | None) -> None:
        project, address = self.opened(), doubt.address
        self.reached[f"settled by {way}"] += 1
        if way == "abandon":
            for one in self._at(address):
                self._close(one)
            self._commanded(lambda: resolving.abandon(project, (address,), lock_timeout_s=0), death)
        elif way == "resend":
            for one in self._at(address):
                if one.draw == doubt.draw:  # they are given up together
                    self._close(one)
            self.run(PlanRequest(select=(address,), in_doubt="resend"), death=death)
        elif way == "file" and not doubt.answers_later:
            self.world.disk.put(str(BY_HAND), drawn("by hand"))
            self._commanded(lambda: resolving.supply(project, (address,), BY_HAND, lock_timeout_s=0), death)
        elif way == "adopt":
            self._adopted(project, doubt, death)

    def _adopted(self, project: Project, doubt: Doubt, death: Death | None) -> None:
        """Its generation, where its provider lists and has one; elsewhere there is nothing to adopt."""
        kept = self.world.providers.generations.values()
        ids = [one.id for one in kept if one.token == doubt.token and not one.deleted]
        if ids or not doubt.answers_later:
            generation = ids[0] if ids else "g-1"
            codes = (0,) if ids else (PlanError.exit_code,)
            adopt = partial(resolving.adopt, project, (doubt.address,), generation, lock_timeout_s=0)
            self._commanded(adopt, death, codes=codes)

    def _commanded(self, work: Callable[[], object], death: Death | None, codes: tuple[int, ...] = (0,)) -> None:
        def done() -> Ran:
            work()
            return Ran(code=0)

        ran = self.carried_out(done, death)
        assert ran.code is None or ran.code in codes, f"exit {ran.code}: {ran.error}"

    def _close(self, doubt: Doubt) -> None:
        with self.world.installed():
            steps = StateStore(HOME).open_for_plan(lineage=LINEAGE).ledger.open_steps()
        sent = steps[doubt.token]  # another request than the wanted one, where that was edited since
        asked = (sent.provider, str(json.loads(sent.request)["prompt"]))
        self.account.close(self.here, asked, doubt.token)

    def _at(self, address: str) -> tuple[Doubt, ...]:
        """All that is in doubt at an address: what it was sent to an alias before, too."""
        project = self.opened()
        with self.world.installed():
            return resolving.list_doubts(project, (address,)).doubts

    def _doubts(self) -> dict[str, Doubt]:
        """What is in doubt, by address the first; each can be named, and no open step is left out of it."""
        project = self.opened()
        with self.world.installed():
            found = resolving.list_doubts(project).doubts
            steps = StateStore(HOME).open_for_plan(lineage=LINEAGE).ledger.open_steps()
            for token, sent in steps.items():
                told = any(token in one.tokens or sent.address in one.names for one in found)
                assert told or sent.provider == LISTS, f"{sent} is open, and nothing is said to be in doubt"
        for one in found:
            named = self._at(one.address)
            assert one in named, f"{one} cannot be named"
            assert {each.address for each in named} == {one.address}, f"{one} cannot be named alone"
        return {one.address: one for one in reversed(found)}

    # The project -----------------------------------------------------------------------------------------------------

    def project(self) -> Project:
        return loaded(_manifest(self.specs), rendered=False)

    def wanted(self) -> Mapping[str, tuple[Asked, str]]:
        return {name: ((spec.alias, spec.prompt), f"{spec.folder}/{name}.jpg") for name, spec in self.specs.items()}

    def new_names(self) -> list[tuple[str, str]]:
        """Each name with one that it may be changed into."""
        free = [name for name in ALIASES if name not in self.specs]
        return [(old, new) for old in sorted(self.specs) for new in free]

    def fingerprint(self, asked: Asked) -> str:
        alias, prompt = asked
        return _fingerprint(loaded(_manifest({"one": Spec(prompt=prompt, alias=alias)}), rendered=False), "one")

    def _say(self, name: str, spec: Spec) -> None:
        self.specs[name] = spec

    def _change(self, data: Any, **changed: Any) -> None:
        name = self._some_name(data)
        self._say(name, replace(self.specs[name], **changed))

    def _some_name(self, data: Any) -> str:
        return str(data.draw(st.sampled_from(sorted(self.specs))))


class Table(Machine):
    """People add, change and remove rows of a table that an asset ranges over; a row is a name and a colour."""

    has_to_happen = ("two checkouts", "died in a redraw", "died in a saved plan")

    @initialize(cloned=seldom)
    def begin(self, cloned: bool) -> None:
        self.start({"ant": Spec(prompt=COLOURS[0])}, cloned=cloned)

    @step(name=st.sampled_from(ROWS), colour=st.sampled_from(COLOURS))
    def add_or_change_a_row(self, name: str, colour: str) -> None:
        self.specs[name] = Spec(prompt=colour)

    @precondition(lambda self: len(self.specs) > 1)
    @step(data=st.data())
    def remove_a_row(self, data: Any) -> None:
        self.specs.pop(data.draw(st.sampled_from(sorted(self.specs))))

    def project(self) -> Project:
        # In one order, so that few projects have to be loaded: a table's order means nothing.
        return _table(tuple((name, spec.prompt) for name, spec in sorted(self.specs.items())))

    def wanted(self) -> Mapping[str, tuple[Asked, str]]:
        return {
            f"tile[{name}]": ((spec.alias, f"a {spec.prompt} tile"), f"outputs/tile-{name}.jpg")
            for name, spec in self.specs.items()
        }

    def fingerprint(self, asked: Asked) -> str:
        colour = asked[1].split()[1]
        return _fingerprint(_table((("ant", colour),)), "tile[ant]")


def _table(rows: tuple[tuple[str, str], ...]) -> Project:
    return loaded(TABLE, table="\n".join(["name,colour", *(f"{name},{colour}" for name, colour in rows), ""]))


def _fingerprint(project: Project, address: str) -> str:
    variants = wanted(project, Ledger(empty_lock(LINEAGE))).variants
    return next(one.draw for one in variants if one.address == address)


def _manifest(specs: Specs) -> str:
    lines = ["assets:"]
    for name, spec in sorted(specs.items()):
        tags = f", tags: [{spec.tag}]" if spec.tag else ""
        size = ", resolution: full" if spec.full else ""
        lines.append(
            f"  {name}: {{prompt: {spec.prompt}, provider: {spec.alias}, params: {PARAMS[spec.alias]}{tags}{size}, "
            f'on_remove: {spec.on_remove}, output: "{spec.folder}/{name}.jpg"}}'
        )
    return "\n".join(lines) + "\n"


def _tested(machine: type[Machine], examples: int) -> Any:
    case: Any = machine.TestCase
    case.settings = settings(
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        derandomize=STEADY,
        suppress_health_check=list(HealthCheck),
    )

    plain = case.runTest

    def all_reached(self: Any) -> None:
        plain(self)
        hardly = machine.hardly_reached(LEAST) if STEADY else {}
        assert not hardly, f"what hardly ever happens is not tested: {hardly}"

    case.runTest = all_reached
    return case


TestAssets = _tested(Assets, EXAMPLES)
TestTable = _tested(Table, max(1, EXAMPLES // 2))
