"""The proof has to bite: each of eighteen bugs is put into the real program, and each has to be found.

A simulated world finds a bug where a disturbance goes wrong with it and comes right without it.
"""

import inspect
import time
from pathlib import Path
from typing import Any

import pytest

from tests.figures import SEEN
from tests.planted.bugs import BUGS, Bug
from tests.planted.fence import LOOKS
from tests.simulation.disturbing import disturbance, disturbed, reference
from tests.simulation.scenarios import SCENARIOS

MOST = 2000
STRIDE = 7919  # a prime: neighbours in the row are far from each other in kind

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug.level == "S"], ids=lambda bug: bug.name)
def test_the_simulated_world_finds(bug: Bug, record_property: Any) -> None:
    for scenario in SCENARIOS:
        reference(scenario)
    began = time.monotonic()
    found = _found(bug)
    record_property(SEEN, {"what": "bug", "name": bug.name, "found": found, "seconds": time.monotonic() - began})
    assert found, f"{MOST} disturbed runs with this bug, and not one went wrong"


def _found(bug: Bug) -> str:
    for count in range(1, MOST + 1):
        one = disturbance(count * STRIDE)
        with bug.plant():
            wrong = disturbed(one, bug.world).wrong
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
