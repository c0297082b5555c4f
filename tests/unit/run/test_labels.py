"""Labels at the provider: what a refusal of them means."""

from types import SimpleNamespace
from typing import Any

import pytest

from imagebatch.model.event import Observed
from imagebatch.model.generation import Failure, FailureKind
from imagebatch.providers.base import Refused
from imagebatch.run.labels import update_labels
from imagebatch.run.trouble import Trouble
from tests.unit.plan.worlds import entry_of, variant
from tests.unit.run.recorders import Recorder


def refusing(kind: FailureKind | None) -> tuple[Any, Any]:
    """A lane whose provider refuses updates, and paid steps that write down what is learnt."""

    class Provider:
        async def update(self, generation: str, order: object, *, request: bool, wire: object) -> Refused | None:
            del generation, order, request, wire
            return Refused(failure=Failure(kind=kind, message="no")) if kind is not None else None

    steps = SimpleNamespace(order=lambda this: this, recorder=Recorder())
    return SimpleNamespace(alias="studio", adapter=Provider(), wire=None), steps


async def test_a_generation_that_is_no_more_has_no_labels_and_that_is_no_failure() -> None:
    entry = entry_of(variant())
    lane, steps = refusing("gone")
    said = await update_labels(variant(labels="fancy"), lane, entry, steps)
    assert said is not None
    assert f"no longer knows generation {entry.generation}" in said
    (learnt,) = steps.recorder.events
    assert isinstance(learnt, Observed)
    assert (learnt.token, learnt.status, learnt.candidates) == (entry.token, "succeeded", entry.candidates)


async def test_labels_that_are_refused_are_trouble_and_those_that_are_taken_are_not() -> None:
    lane, steps = refusing("rejected")
    with pytest.raises(Trouble, match="the labels were refused: no"):
        await update_labels(variant(labels="fancy"), lane, entry_of(variant()), steps)
    lane, steps = refusing(None)
    assert await update_labels(variant(labels="fancy"), lane, entry_of(variant()), steps) is None
    assert steps.recorder.events == []
