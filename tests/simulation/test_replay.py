"""What a replay of lock and journal comes to is what the live run knew: at every effect, and never an older state."""

from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

import pytest

from imagebatch.model.event import Event
from imagebatch.model.generation import Entry
from imagebatch.state.ledger import Ledger
from imagebatch.state.store import Session, StateStore
from tests.simulation.disturbing import reference, started
from tests.simulation.running import apply
from tests.simulation.scenarios import LINEAGE, SCENARIOS, Scenario, loaded
from tests.simulation.world import HOME, World

State = tuple[Mapping[str, Entry], Mapping[str, Any]]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_replay_is_a_state_of_the_live_run_and_never_goes_back(scenario: Scenario) -> None:
    world = started(scenario, seed=5)
    world.watched = frozenset(range(1, 2 * reference(scenario).effects))
    live: list[State] = []
    with patch.object(Session, "record", _told(live)), world.installed():
        assert apply(world, loaded(scenario.now)).code == scenario.code
    replayed = [_replayed(world.copies[number]) for number in sorted(world.copies)]
    assert len(replayed) > 40
    states = [replayed[0], *live]
    at = 0
    for number, state in enumerate(replayed, start=1):
        assert state in states[at:], f"before effect {number}, {world.copies[number].died_at}: {state}"
        at += states[at:].index(state)
    assert replayed[-1] == live[-1]


def _told(live: list[State]) -> Any:
    record = Session.record

    def recording(self: Session, event: Event, **named: Any) -> Any:
        done = record(self, event, **named)
        live.append(_state(self.ledger))
        return done

    return recording


def _replayed(world: World) -> State:
    """What the next command would see here."""
    with world.installed():
        world.dead = False
        return _state(StateStore(HOME).open_for_plan(lineage=LINEAGE).ledger)


def _state(ledger: Ledger) -> State:
    return {address: ledger.entry(address) for address in ledger}, dict(ledger.open_steps())
