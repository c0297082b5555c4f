"""How much room a run needs on the disks that it writes to."""

from collections.abc import Iterable
from pathlib import Path

from imagebatch.outputs.room import Room, on_each_disk
from imagebatch.plan.types import PAID_ACTIONS, Action, Plan
from imagebatch.run.lanes import Lane

_MAY_PAY: frozenset[Action] = PAID_ACTIONS | {"wait", "defer"}  # what is in doubt may be sent again


def room_for(home: Path, plan: Plan, lanes: Iterable[Lane], jobs: int | None) -> Room:
    """The room for as many paid requests as `plan` may have under way at once."""
    wanted = [(change, change.variant) for change in plan.changes if change.variant is not None]
    paying = sum(variant.parts for change, variant in wanted if _MAY_PAY & {change.action, *change.also})
    places = sum(lane.settings.max_concurrency for lane in lanes)
    paths = (output.spec.path for _, variant in wanted for output in variant.outputs)
    return Room(folders=on_each_disk(home, paths), in_flight=min(places, jobs or places, paying))
