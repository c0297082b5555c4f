"""The cost ledger in a simulated world: whatever dies, and whatever the disk loses, it agrees with the bills."""

import pytest

from imagebatch.state.costs import decode_lines
from tests.crash.costs import costs_wrong
from tests.simulation.disturbing import disturbance, disturbed
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.world import World

pytestmark = pytest.mark.slow

# A blind provider's bill carries no token of ours, and a new clone knows nothing of what was charged before.
_NAMED = tuple(one for one in SCENARIOS if one.kind != "blind" and not one.cloned)
_RUNS = 150
_STRIDE = 37  # from one scenario, place and fate of the disk to another


def test_the_cost_ledger_agrees_with_the_bills_after_every_disturbance() -> None:
    wrong: list[str] = []
    for number in range(0, _RUNS * _STRIDE, _STRIDE):
        worlds: list[World] = []
        one = disturbance(number, _NAMED)
        disturbed(one, worlds.append)
        world = worlds[-1]  # the one that went on
        data = world.disk.files("/project").get(".imagebatch/ledger.csv", b"")
        billed = {bill.token for bill in world.providers.billed() if bill.step == "create"}
        others = {(bill.step, bill.token or bill.what.partition("/")[0]) for bill in world.providers.billed()}
        others = {(step, token) for step, token in others if step != "create"}
        wrong += [f"{one}: {what}" for what in costs_wrong(decode_lines(data.decode()), billed, others)]
    assert not wrong, "\n".join(wrong)
