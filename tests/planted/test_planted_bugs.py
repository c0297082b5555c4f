"""The proof has to bite: each of eighteen bugs is put into the real program, and each has to be found.

A simulated world finds a bug where a disturbance goes wrong with it and comes right without it.
"""

import inspect
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.figures import SEEN
from tests.planted.bugs import BUGS, Bug, Plant
from tests.planted.extra import EXTRAS, Extra
from tests.planted.fence import LOOKS
from tests.simulation.disturbing import Disturbance, asked_too_often, disturbance, disturbed, reference
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.world import World

MOST = 2000
RARE = 100  # of so many disturbances one may show the rarest bug
STRIDE = 7919  # a prime: neighbours in the row are far from each other in kind

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug.level == "S"], ids=lambda bug: bug.name)
def test_the_simulated_world_finds(bug: Bug, record_property: Any) -> None:
    for scenario in SCENARIOS:
        reference(scenario)
    began = time.monotonic()
    found = _found(bug.plant, bug.world)
    record_property(SEEN, {"what": "bug", "name": bug.name, "found": found, "seconds": time.monotonic() - began})
    assert found, f"{MOST} disturbed runs with this bug, and not one went wrong"


@pytest.mark.parametrize("extra", EXTRAS, ids=lambda extra: extra.name)
def test_the_simulated_world_finds_the_extra(extra: Extra) -> None:
    for scenario in SCENARIOS:
        reference(scenario)
    if extra.shown_by is None:
        with extra.plant():
            found = [scenario.name for scenario in SCENARIOS if asked_too_often(scenario)]
        assert found
        assert not any(map(asked_too_often, SCENARIOS))
        return
    assert _found(extra.plant, shown_by=extra.shown_by), "not one disturbed run with this bug went wrong"


def _found(
    plant: Plant, world: Callable[[World], None] | None = None, shown_by: Callable[[Disturbance], bool] = lambda _: True
) -> str:
    """By which disturbed run a bug is found, of those that may show it; it has to come right without the bug."""
    row = filter(shown_by, (disturbance(count * STRIDE) for count in range(1, MOST * RARE)))
    for count, one in enumerate(islice(row, MOST), start=1):
        with plant():
            wrong = disturbed(one, world).wrong
        if wrong:
            assert not disturbed(one).wrong, f"{one} goes wrong without the bug too"
            return f"level S, by disturbed run {count}: {wrong[0].partition(':')[0]}"
    return ""


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug.level == "W"], ids=lambda bug: bug.name)
async def test_the_real_wire_and_real_pictures_find(bug: Bug, tmp_path: Path, record_property: Any) -> None:
    began = time.monotonic()
    assert await _look(bug, tmp_path) is None, "it bites without the bug"
    with bug.plant():
        found = await _look(bug, tmp_path)
    told = f"level W: {found.partition(':')[0]}" if found else ""
    record_property(SEEN, {"what": "bug", "name": bug.name, "found": told, "seconds": time.monotonic() - began})
    assert found


async def _look(bug: Bug, folder: Path) -> str | None:
    found = LOOKS[bug.name](folder)
    return await found if inspect.isawaitable(found) else found


def test_there_are_eighteen() -> None:
    assert len({bug.name for bug in BUGS}) == 18
    assert {bug.name for bug in BUGS if bug.level == "W"} == LOOKS.keys()
