"""The real planner, executor and state in a simulated world, ended anywhere: nothing is paid twice, nothing is lost.

`make test` disturbs 20,000 runs; `IMAGEBATCH_CHAOS_RUNS=N` (or `make chaos RUNS=N`) as many as are wanted, and
`IMAGEBATCH_CHAOS_SEED=N` begins at another number: what went wrong at disturbance N goes wrong again with
`IMAGEBATCH_CHAOS_RUNS=1 IMAGEBATCH_CHAOS_SEED=N`.
"""

import gc
import os
import re
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from tests.figures import SEEN
from tests.simulation.disturbing import (
    ENDS_OF_A_LIFE,
    WAYS_ON,
    Verdict,
    all_disturbed,
    asked_too_often,
    born,
    disturbance,
    disturbed,
    ended,
    reference,
)
from tests.simulation.running import apply
from tests.simulation.scenarios import ROTATION, SCENARIOS, Scenario, loaded

RUNS = int(os.environ.get("IMAGEBATCH_CHAOS_RUNS", "20000"))
SEED = int(os.environ.get("IMAGEBATCH_CHAOS_SEED", "0"))
AT_ONCE = 1000
MOST_SHOWN = 5

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("first", range(SEED, SEED + RUNS, AT_ONCE))
def test_a_run_that_is_disturbed_anywhere_pays_once_and_loses_nothing(first: int, record_property: Any) -> None:
    for scenario in SCENARIOS:
        reference(scenario)
    began = time.process_time()
    verdicts = _all(range(first, min(first + AT_ONCE, SEED + RUNS)))
    record_property(SEEN, _seen(verdicts, time.process_time() - began))
    bad = [one for one in verdicts if one.wrong]
    assert not bad, "\n\n".join(str(one) for one in bad[:MOST_SHOWN])
    assert all(one.double_pays == 0 for one in verdicts)


def _all(numbers: range) -> list[Verdict]:
    # What a dead run leaves are cycles, a thousand of them a second: they are collected when there are many.
    gc.collect()
    gc.freeze()
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 100)
    try:
        return list(all_disturbed([disturbance(number) for number in numbers]))
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _seen(verdicts: list[Verdict], seconds: float) -> dict[str, Any]:
    kinds: dict[str, Counter[str]] = {}
    counts: Counter[str] = Counter()
    for one in verdicts:
        alone, doubted = int(one.disturbance.alone), int(one.doubts > 0)
        told = Counter({"disturbed": 1, "doubts": doubted, "alone": alone, "alone doubts": alone * doubted})
        kinds.setdefault(one.disturbance.life.scenario.kind, Counter()).update(told)
        counts.update(
            {
                "disturbed": 1,
                "runs": sum(not ran.shared for ran in one.applies),
                "double pays": one.double_pays,
                "wrong": int(bool(one.wrong)),
            }
        )
    told_kinds = {kind: dict(counted) for kind, counted in kinds.items()}
    return {"what": "simulation", "counts": dict(counts), "kinds": told_kinds, "seconds": seconds}


def test_the_same_number_is_the_same_disturbance() -> None:
    one, other = (disturbed(disturbance(number)) for number in (4321, 4321))
    assert (one.died_at, one.applies, one.wrong, one.doubts) == (
        other.died_at,
        other.applies,
        other.wrong,
        other.doubts,
    )
    assert one.died_at


def test_a_disturbance_comes_to_the_same_alone_and_in_a_row() -> None:
    row = [disturbance(number) for number in range(3000, 3000 + 3 * ENDS_OF_A_LIFE)]
    assert [str(one) for one in all_disturbed(row)] == [str(disturbed(one)) for one in row]


def test_a_kept_copy_is_what_a_killed_process_leaves() -> None:
    for number in range(0, 8000, 194):  # even: dies once
        one = disturbance(number)
        copy = ended(one.life, frozenset({one.crash_at}), None).get(one.crash_at)
        world = born(one.life, None)
        with world.installed():
            ran = apply(world, loaded(one.life.scenario.now), crash_at=one.crash_at)
        if copy is None:
            assert ran.code is not None
            continue
        assert world.died_at == copy.died_at
        for left in (world, copy):
            left.reseed(number)
            left.reboot(one.policy)
        assert _named_alike(world.disk.files()) == _named_alike(copy.disk.files())
        assert world.providers.bills == copy.providers.bills
        assert world.clock.now == copy.clock.now
        assert world.databases.contents() == copy.databases.contents()


def _named_alike(files: Mapping[str, bytes]) -> list[tuple[str, bytes]]:
    """Without the number of a file under way: it goes on from run to run of a process."""
    return sorted((re.sub(r"-\d+\.part$", ".part", path), data) for path, data in files.items())


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_run_that_nobody_disturbs_asks_for_each_paid_thing_once(scenario: Scenario) -> None:
    """A provider may bill the second asking for one purchase as nothing: here it counts."""
    assert asked_too_often(scenario) == []


def test_every_scenario_is_ended_at_every_effect_by_every_policy() -> None:
    places = {scenario.name: reference(scenario).effects for scenario in SCENARIOS}
    assert all(count >= 40 for count in places.values()), places
    wanted = sum(count * 4 for count in places.values())
    chosen = {
        (one.life.scenario.name, one.crash_at, one.policy)
        for one in map(disturbance, range(4 * len(ROTATION) * 150 * WAYS_ON))
    }
    assert len(chosen) == wanted
