"""kill -9 anywhere, then `apply`: the same lock and files as if nothing had happened, and nothing billed twice.

The places are effects of an undisturbed run: bytes sent and received, files synced, renamed and linked, and the named
points of the state. `IMAGEBATCH_CRASH_PLACES=all` takes each of them.
"""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from imagebatch.state.lockfile import decode_lock
from tests.crash.benches import PROJECT
from tests.crash.checking import (
    Snapshot,
    bills,
    costs_of,
    differences,
    doubts,
    entries,
    others_differ,
    snapshot,
    unaccounted,
)
from tests.crash.projects import (
    AFTER,
    BEFORE,
    BILLED,
    BLIND,
    LINEAGE,
    LISTED,
    LISTING,
    LISTING_ELSEWHERE,
    SERIAL,
    SIX,
    THREE,
    TWELVE,
    copy_project,
    write_manifest,
    write_project,
)
from tests.crash.sweeping import (
    NOTHING,
    PLACES,
    Case,
    MakeCase,
    Recovery,
    Sweep,
    as_undisturbed,
    chosen,
    decided,
    served,
)
from tests.crash.tally import Tally
from tests.program.providing import Providers
from tests.program.running import Place, Run, Server, environment

pytestmark = pytest.mark.slow

CREATE = "POST /all-images/v1/image-generations"
RETRY = "POST /all-images/v1/image-generations/retry/ID"
PURCHASE = "POST /all-images/v1/images/download"
HUB_CREATE = "POST /aigne-hub/ai-kit/api/images/generations"
SPREAD = 20
# What each sweep has to come to in `make test`.
KILLS = {"twelve variants": 50, "verbs": 17, "listable": 52, "ledger": 46, "blind": 17, "one after the other": 18}
Record = Callable[[str, object], None]
MOST_DOUBTFUL = 0.15
MOST_IN_FLIGHT = 5  # creates of the blind project that may be under way at once


def report(name: str, recoveries: list[Recovery], began: float, record_property: Record, *kinds: str) -> None:
    """Tell what a sweep at providers of these classes came to, and have it hold what was promised."""
    tally = Tally(level="K")
    for one in recoveries:
        runs = len(one.killed) + len(one.applies)
        tally.add(one.account, kinds=dict.fromkeys(kinds, one.kills), runs=runs, lost=one.lost)
    record_property("seen", tally.seen(time.monotonic() - began))
    bad = [one for one in recoveries if one.wrong]
    assert not bad, "\n\n".join(map(str, bad))
    assert tally.counts["double pays"] == tally.counts["undeclared losses"] == 0
    kills = tally.counts["points"]
    assert kills >= KILLS[name] or PLACES in os.environ, f"{kills} kills, not {KILLS[name]}"


def test_a_sweep_for_each_kind_of_project_comes_to_two_hundred_kills() -> None:
    assert sum(KILLS.values()) >= 200


def simulated(folder: Path, home: Path) -> Case:
    environ = environment(home, IMAGEBATCH_SIMULATOR_PROFILE=str(folder / "profile.yaml"))
    return Case(folder=folder, environ=environ, simulator=folder / ".imagebatch" / "simulator")


Make = Callable[[str, str], MakeCase]


@pytest.fixture
def fresh(providers: Providers, tmp_path: Path, home: Path) -> Make:
    """Makes cases of a project with these settings and this manifest, each with a provider that outlives its runs."""

    def of(settings: str, manifest: str) -> MakeCase:
        def make(name: str) -> AbstractContextManager[Case]:
            return served(providers, tmp_path, home, name, project=settings, manifest=manifest)

        return make

    return of


def test_twelve_variants_survive_fifty_kills(
    servers: list[Server], tmp_path: Path, fresh: Make, record_property: Record
) -> None:
    began = time.monotonic()
    sweep = Sweep(servers=servers, make=fresh(LISTING_ELSEWHERE, TWELVE), check=as_undisturbed, deaths=2)
    reference, _, runs = sweep.undisturbed(tmp_path / "first.trace")
    twin, places, again = sweep.undisturbed(tmp_path / "second.trace")
    assert [run.code for run in (*runs, *again)] == [0, 0, 0, 0], runs[0].err
    assert NOTHING in runs[1].out
    assert differences(reference, twin) == [], "two undisturbed runs differ"
    assert set(reference.bills.values()) == {1}
    assert len(entries(tmp_path / "first")) == 12
    assert reference.shared
    assert set(reference.shared.values()) == set(reference.store.values())
    recoveries = sweep.run(reference, chosen(places, 34, around=(CREATE,)))
    report("twelve variants", recoveries, began, record_property, "listable")


def test_retries_updates_purchases_moves_and_removals_survive_kills(
    servers: list[Server], tmp_path: Path, home: Path, record_property: Record
) -> None:
    began = time.monotonic()
    base = write_project(tmp_path / "base", LISTING, BEFORE)
    drawn = servers[0].run(base, "apply", "-y", environ=simulated(base, home).environ)
    assert drawn.code == 3, drawn.out + drawn.err
    write_manifest(base, AFTER)

    @contextmanager
    def make(name: str) -> Iterator[Case]:
        yield simulated(copy_project(base, tmp_path / name), home)

    sweep = Sweep(servers=servers, make=make, check=as_undisturbed)
    reference, places, runs = sweep.undisturbed(tmp_path / "first.trace")
    assert [run.code for run in runs] == [0, 0], runs[0].out + runs[0].err
    assert NOTHING in runs[1].out
    kept = entries(tmp_path / "first")
    assert {address: entry.attempt for address, entry in kept.items()} == {
        "again": 2, "fixed": 2, "jar": 1, "lake": 1, "ship": 1, "wall": 1,
    }  # fmt: skip
    recoveries = sweep.run(reference, chosen(places, 9, around=(RETRY, PURCHASE)))
    report("verbs", recoveries, began, record_property, "listable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outliving:
    """A project at a provider of this class; its sweep kills at so many places, and around its creates."""

    kind: str
    manifest: str
    create: str
    places: int


@pytest.mark.parametrize(
    "at",
    [
        Outliving(kind="listable", manifest=LISTED, create=CREATE, places=32),
        Outliving(kind="ledger", manifest=BILLED, create=HUB_CREATE, places=24),
    ],
    ids=lambda at: at.kind,
)
def test_a_provider_that_outlives_its_killed_runs_is_never_paid_twice(
    servers: list[Server], tmp_path: Path, fresh: Make, record_property: Record, at: Outliving
) -> None:
    """Each place twice: the run that recovers dies there too."""
    began = time.monotonic()
    make = fresh(PROJECT.replace("LINEAGE", LINEAGE), at.manifest)
    check = as_undisturbed if at.kind == "listable" else settled
    sweep = Sweep(servers=servers, make=make, check=check, deaths=2)
    reference, found, runs = sweep.undisturbed(tmp_path / "first.trace")
    assert [run.code for run in runs] == [0, 0], runs[0].out + runs[0].err
    assert set(reference.bills.values()) == {1}
    recoveries = sweep.run(reference, chosen(found, at.places, around=(at.create,)))
    report(at.kind, recoveries, began, record_property, at.kind)


def test_providers_that_cannot_list_leave_declared_doubts_at_most(
    servers: list[Server], tmp_path: Path, fresh: Make, record_property: Record
) -> None:
    began = time.monotonic()
    sweep = Sweep(servers=servers, make=fresh(BLIND, SIX), check=settled)
    reference, places, runs = sweep.undisturbed(tmp_path / "first.trace")
    assert [run.code for run in runs] == [0, 0], runs[0].out + runs[0].err
    assert set(reference.bills.values()) == {1}
    recoveries = sweep.run(reference, chosen(places, 11, around=(HUB_CREATE,)))
    report("blind", recoveries, began, record_property, "ledger", "blind")


def test_a_blind_provider_leaves_doubts_at_few_places(
    servers: list[Server], tmp_path: Path, fresh: Make, record_property: Record
) -> None:
    """Of the places of a run that draws one picture after the other, spread evenly, at most 15 % leave one in doubt."""
    began = time.monotonic()
    sweep = Sweep(servers=servers, make=fresh(SERIAL, THREE), check=settled)
    reference, places, runs = sweep.undisturbed(tmp_path / "first.trace")
    assert [run.code for run in runs] == [0, 0], runs[0].out + runs[0].err
    changing = [place for place in places if not place[0].startswith(("recv", "got", "committed"))]
    recoveries = sweep.run(reference, chosen(changing, SPREAD))
    report("one after the other", recoveries, began, record_property, "blind")
    doubtful = sum(1 for one in recoveries if one.doubts)
    share = sum(open_at(changing)) / len(changing)
    record_property(
        "figure",
        f"in doubt, blind provider: {doubtful} of {len(recoveries)} kills; a create is open at {share:.1%} of the "
        f"{len(changing)} places",
    )
    assert share <= MOST_DOUBTFUL
    assert doubtful <= MOST_DOUBTFUL * len(recoveries) + 1, "one more than its share, because places are whole"


def open_at(places: Sequence[Place]) -> Iterator[bool]:
    """Of each place whether a process that dies before it leaves a create whose answer is not on disk."""
    sent = kept = 0
    for name, _ in places:
        sent += name.startswith("send POST")  # its intent is on disk by then
        yield sent > kept
        kept += name == "replace TOKEN.answer"


def settled(server: Server, case: Case, reference: Snapshot, applies: list[Run]) -> tuple[list[str], int]:
    """What is in doubt is declared, nothing else is missing; and once a person has looked at the bill, all is there."""
    found = doubts(case.folder)
    if not found:
        wrong, left_open = as_undisturbed(server, case, reference, applies)
        return wrong + costs_of(case.folder, case.simulator), left_open
    wrong = [f"exit {run.code}: {run.out + run.err}"[-600:] for run in applies if run.code != 3]
    waiting = _waiting(applies[-1])
    wrong += _undeclared(case, reference, found) + others_differ(reference, case.folder, {*found, *waiting})
    paid, unsettled = decided(server, case, found)
    wrong += unsettled + costs_of(case.folder, case.simulator)
    now = snapshot(case.folder, case.simulator)
    twice = {bill: count for bill, count in now.bills.items() if count > 1}
    if twice:
        wrong.append(f"billed twice for one token: {twice}")
    if not paid:
        wrong += differences(reference, now)
        return wrong, len(found)
    # What was given up unpaid is drawn as if it were the first; what is made of another picture differs.
    wrong += others_differ(reference, case.folder, {*paid, *waiting})
    if set(entries(case.folder)) != set(decode_lock(reference.lock)):
        wrong.append(f"the lock has {sorted(entries(case.folder))}")
    return wrong, len(found)


def _waiting(run: Run) -> frozenset[str]:
    """The addresses that wait for the picture of one in doubt."""
    return frozenset(re.findall(r"^ +(\S+)\n +waits for .* \[reference\.pending\]", run.out, re.MULTILINE))


def _undeclared(case: Case, reference: Snapshot, found: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Bills that neither the lock's pictures nor its doubts account for, and doubts beyond what was under way."""
    declared = {token for tokens in found.values() for token in tokens}
    wrong = unaccounted(case.folder, case.simulator)
    wrong += [f"billed {count} times: {bill}" for bill, count in bills(case.simulator).items() if count > 1]
    wrong += [f"nobody ever asked for {token}" for token in declared if ("create", token, "") not in reference.bills]
    if len(declared) > MOST_IN_FLIGHT:
        wrong.append(f"{len(declared)} creates are in doubt, and at most {MOST_IN_FLIGHT} were under way")
    return wrong
