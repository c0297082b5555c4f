"""What the answer to a create means, for every outcome and every class of provider, by the real program.

The table is RELIABILITY's "What a create answer means": certainly not taken, taken, or in doubt. A cell is one outcome
at one provider, with the create really taken there or not; each cell is two applies. The class of a provider is what
can tell of a lost create: a listing (All-Images.ai), a billing record (AIGNE Hub), nothing (an OpenAI-compatible one).
"""

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

import pytest

from imagebatch.http import client
from imagebatch.model.settings import ProviderSettings
from imagebatch.providers.aigne_hub import AigneHub
from imagebatch.providers.all_images import AllImages
from imagebatch.providers.openai import OpenAI
from imagebatch.simulator.process import start
from tests.cases.faraway import Faraway
from tests.cases.provider_scenes import NOTHING_LISTED
from tests.cases.scenes import APPLY, HERO, Rule, rule, wrong
from tests.cases.world import Ran, Simulated, World

pytestmark = pytest.mark.slow

PROFILE: Final = "extends: fast\nimages: {detail: 0.05}\njob_time: {fast: 20ms..50ms}\n"
HURRY_S: Final = 1.0
CLOSED_PORT: Final = "http://127.0.0.1:1"
TRY_AGAIN: Final = re.compile(r"try (?:it )?again|(?:apply|run|send) (?:it )?(?:once more|again)", re.IGNORECASE)

Kind = Literal["not taken", "stops", "waits", "no connection", "taken", "doubt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One thing that can become of a create, and what the table calls it."""

    name: str
    kind: Kind
    action: Mapping[str, Any] = field(default_factory=dict)
    origin: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """One class of provider, with the create taken or not, and what its witness then says.

    `settles` is how a doubt ends: adopted (paid once), sent again (paid once), or in doubt for a person.
    """

    name: str
    face: str
    taken: bool
    settles: Literal["adopted", "sent again", "in doubt"]
    prompt: str = "a fox"
    rules: tuple[Rule, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    reset: Mapping[str, Any] = field(default_factory=dict)
    billed: bool | None = None

    @property
    def paid(self) -> int:
        """What a create of this class that ends in doubt was billed."""
        return int(self.taken if self.billed is None else self.billed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One apply: its exit code, how the address ends, and how many creates are billed by then."""

    exit: int
    end: str | None
    paid: int
    code: str | None = None


def _refused(status: int, kind: Kind = "not taken", **more: Any) -> Outcome:
    body = {"message": f"no ({status})", "error": {"message": f"no ({status})"}}
    return Outcome(name=str(status), kind=kind, action={"accept": False, "status": status, "json": body, **more})


OUTCOMES: Final = (
    Outcome(name="connection refused", kind="no connection", origin=CLOSED_PORT),
    Outcome(name="TLS fails", kind="no connection", origin="https"),
    *(_refused(status) for status in (400, 413, 415, 422)),
    *(_refused(status, "stops") for status in (401, 402, 403)),
    *(Outcome(name=f"{one}", kind="stops", action={"accept": False, "status": one, "body": ""}) for one in (404, 405)),
    *(
        _refused(status, "stops", headers={"location": "https://elsewhere.example/"})
        for status in (300, 301, 302, 303, 307, 308)
    ),
    Outcome(name="304", kind="stops", action={"accept": False, "status": 304, "body": ""}),
    *(_refused(status, "waits", headers={"retry-after": "1"}) for status in (425, 429)),
    Outcome(name="taken", kind="taken"),
    *(
        Outcome(name=name, kind="doubt", action=action)
        for name, action in (
            ("200 without an id", {"status": 200, "json": {}}),
            ("200 that is no JSON", {"status": 200, "body": "<html>please wait</html>"}),
            ("200 that is empty", {"status": 200, "body": ""}),
            ("204", {"status": 204, "body": ""}),
            ("408", {"status": 408, "body": ""}),
            ("409", {"status": 409, "json": {"message": "conflict"}}),
            ("418", {"status": 418, "body": ""}),
            ("451", {"status": 451, "body": ""}),
            ("500", {"status": 500, "json": {"message": "oh"}}),
            ("502", {"status": 502, "body": "<html>bad gateway</html>"}),
            ("503", {"status": 503, "body": "", "headers": {"retry-after": "1"}}),
            ("504", {"status": 504, "body": ""}),
            ("599", {"status": 599, "body": ""}),
            ("time-out", {"then": "hang"}),
            ("closed", {"then": "close"}),
            ("reset", {"then": "rst"}),
            ("cut", {"then": "half"}),
        )
    ),
)

CLASSES: Final = (
    Class(name="listed, taken", face="all-images", taken=True, settles="adopted"),
    Class(name="listed, not taken", face="all-images", taken=False, settles="sent again"),
    Class(
        name="listed nowhere, balance fell",
        face="all-images",
        taken=True,
        settles="in doubt",
        rules=(rule("list", {"status": 200, "json": NOTHING_LISTED}),),
    ),
    Class(name="record closed", face="aigne-hub", taken=True, settles="in doubt"),
    Class(
        name="record open",
        face="aigne-hub",
        taken=True,
        settles="in doubt",
        settings={"ledger": {"processing_minutes": 20}},
        reset={"ledger": {"processing_minutes": 0}},
    ),
    Class(
        name="record missing",
        face="aigne-hub",
        taken=True,
        settles="in doubt",
        settings={"ledger": {"missing": "100%"}},
        reset={"ledger": {"missing": "0%"}},
    ),
    Class(
        name="record failed",
        face="aigne-hub",
        taken=True,
        settles="sent again",
        prompt="a fox [fail once]",
        billed=False,
    ),
    Class(name="no record, not taken", face="aigne-hub", taken=False, settles="in doubt"),
    Class(name="blind, taken", face="openai", taken=True, settles="in doubt"),
    Class(name="blind, not taken", face="openai", taken=False, settles="in doubt"),
)


def expected(outcome: Outcome, at: Class) -> tuple[Expected, Expected]:
    """The two applies of a cell."""
    done = Expected(exit=0, end="done", paid=1)
    still = Expected(exit=0, end=None, paid=1)
    match outcome.kind:
        case "taken" | "waits":
            return done, still
        case "no connection":
            return Expected(exit=3, end="unsent", paid=0), done
        case "stops":
            failed = outcome.name == "402"  # the request's own end: it is drawn once the account can pay
            return Expected(exit=3, end="failed" if failed else "unsent", paid=0), done
        case "not taken":
            return Expected(exit=3, end="failed", paid=0), done
        case "doubt":
            if at.settles != "in doubt":
                return done, still
            doubt = Expected(exit=3, end="in_doubt", paid=at.paid, code="create.in_doubt")
            # Once the listing shows it after all, it is adopted.
            return doubt, done if at.rules else Expected(exit=3, end=None, paid=at.paid)


def cells() -> Iterator[tuple[Outcome, Class]]:
    """What is certain needs no witness, so it runs once for each provider; a doubt runs for every class."""
    for outcome in OUTCOMES:
        faces = set()
        for at in CLASSES:
            if outcome.kind == "doubt":
                # The half of an answer still has its status, and the status of one that failed to draw is a refusal.
                if outcome.name != "cut" or at.name != "record failed":
                    yield outcome, at
            elif at.face not in faces:
                faces.add(at.face)
                yield outcome, at


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    """A simulator that draws in no time."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "profile.yaml").write_text(PROFILE, encoding="utf-8")
    with start(folder / "data", folder / "profile.yaml") as process:
        far = Faraway(tmp_path_factory.mktemp("faraway"), process.origin)
        yield Simulated(process, far)
        far.close()


@contextmanager
def in_a_hurry(outcome: Outcome) -> Iterator[None]:
    """Creates that nobody answers are given up after a second, connections that nobody takes at once."""
    with pytest.MonkeyPatch.context() as patch:
        if outcome.kind == "no connection":
            patch.setattr(client, "CREATE_TRIES", 1)
            patch.setattr(client, "READ_TRIES", 1)
        if outcome.action.get("then") == "hang":
            for adapter in (AllImages, AigneHub, OpenAI):
                patch.setattr(adapter, "__init__", _hurried(adapter))
        yield


def _hurried(adapter: type[AllImages | AigneHub | OpenAI]) -> Any:
    usual: Any = adapter.__init__

    def init(self: Any, settings: ProviderSettings) -> None:
        usual(self, settings)
        self.capabilities = replace(self.capabilities, create_timeout_s=HURRY_S)

    return init


class Cell:
    """One outcome at one class of provider: a fresh project with accounts of its own."""

    def __init__(self, outcome: Outcome, at: Class, base: Path, simulated: Simulated) -> None:
        self.outcome, self.at = outcome, at
        self.world = World(name=f"{outcome.name}/{at.name}", base=base, simulated=simulated)
        hero = {**HERO[at.face], "prompt": at.prompt if outcome.kind == "doubt" else "a fox"}
        self.world.assets({"hero": hero})
        self.settle_for({})
        self.told: list[str] = []

    def settle_for(self, more: Mapping[str, Any]) -> None:
        """Write the project file, with more of the provider."""
        self.world.settings[self.at.face] = {"consistency_window": "0.06s", **more}
        self.world.write("imagebatch.yaml", self.world.project_file(lineage=self.world.lineage))

    def played(self) -> list[str]:
        """Two applies; what is not as the table wants."""
        first, second = expected(self.outcome, self.at)
        return [*self._first(first), *self._look(self.world.run(*self._words), second, "second")]

    @property
    def _words(self) -> tuple[str, ...]:
        return APPLY

    def _first(self, wanted: Expected) -> list[str]:
        origin, at = self.outcome.origin, self.at
        if origin is not None:
            usual = json.loads((self.world.project / "imagebatch.yaml").read_text("utf-8"))["providers"][at.face]
            url = usual["base_url"]
            there = url.replace("http://", "https://") if origin == "https" else f"{origin}/v1"
            self.settle_for({"base_url": there})
        rules = self._rules()
        settings = at.settings if self.outcome.kind == "doubt" else {}
        with in_a_hurry(self.outcome), wrong(self.world, rules, settings, at.reset if settings else {}):
            ran = self.world.run(*self._words)
            if settings or at.rules:  # as long as the witness says so, a second apply changes nothing
                found = self._look(ran, wanted, "first")
                again = self.world.run(*self._words)
                return [*found, *self._look(again, replace(wanted, end=None, code=None), "while it lasts")]
        if origin is not None:
            self.settle_for({})
        return self._look(ran, wanted, "first")

    def _rules(self) -> list[Rule]:
        rules: list[Rule] = []
        if self.outcome.action:
            taken = self.at.taken and self.outcome.kind == "doubt"
            action = {**self.outcome.action, "accept": taken}
            # Of a path that is not there a hub is asked at its other paths too.
            more = {} if self.outcome.name in {"404", "405"} else {"times": 1}
            rules.append(rule("create", action, face=self.at.face, **more))
        return [*rules, *(self.at.rules if self.outcome.kind == "doubt" else ())]

    def _look(self, ran: Ran, wanted: Expected, when: str) -> list[str]:
        self.told.append(ran.out + ran.err)
        found = {
            "exit": (ran.code, wanted.exit),
            "end": (ran.ends.get("hero"), wanted.end),
            "paid": (len(self.world.billed("create")), wanted.paid),
        }
        if wanted.code is not None:
            found["code"] = (wanted.code in ran.codes, True)
        wrong_ones = [f"{name} {is_!r}, not {should!r}" for name, (is_, should) in found.items() if is_ != should]
        if "Traceback" in ran.err or TRY_AGAIN.search(ran.out + ran.err):
            wrong_ones.append(f"said {ran.err[-300:]}")
        return [f"{self.outcome.name} at {self.at.name}, {when}: {'; '.join(wrong_ones)}"] if wrong_ones else []


@pytest.mark.parametrize("at", CLASSES, ids=lambda at: at.name)
def test_every_answer_to_a_create_comes_to_the_end_that_the_table_names(
    at: Class, tmp_path: Path, small: Simulated, record_property: Callable[[str, str], None]
) -> None:
    found: list[str] = []
    outcomes = [outcome for outcome, there in cells() if there is at]
    for number, outcome in enumerate(outcomes):
        cell = Cell(outcome, at, tmp_path / str(number), small)
        found += cell.played()
        tokens = [one["token"] for one in cell.world.billed("create")]
        found += [f"{outcome.name} at {at.name}: paid twice" for token in set(tokens) if tokens.count(token) > 1]
    record_property("figure", f"ambiguous_create_matrix, {at.name}: {len(outcomes)} cells, {len(found)} wrong")
    assert not found, "\n".join(found)


def test_the_table_has_every_outcome_at_every_class(record_property: Callable[[str, str], None]) -> None:
    doubts = [one.name for one in OUTCOMES if one.kind == "doubt"]
    run = {(outcome.name, at.name) for outcome, at in cells() if outcome.kind == "doubt"}
    missing = [(name, at.name) for name, at in itertools.product(doubts, CLASSES) if (name, at.name) not in run]
    assert missing == [("cut", "record failed")]
    certain = {(outcome.name, at.face) for outcome, at in cells() if outcome.kind != "doubt"}
    assert len(certain) == 3 * (len(OUTCOMES) - len(doubts))
    record_property("figure", f"ambiguous_create_matrix: {len(list(cells()))} cells in all")
