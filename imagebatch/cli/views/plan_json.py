"""The plan for programs: the planner's document and what only the commands know, as one JSON text."""

from collections.abc import Sequence

from imagebatch.cli.views.foreign import json_text
from imagebatch.plan.document import plan_document
from imagebatch.plan.types import Plan


def plan_json(plan: Plan, *, simulated: Sequence[str] = (), detail: bool = False) -> str:
    """`imagebatch-plan` 1.0 (CONTRACT section 4); `simulated` are the aliases that the simulator stands in for."""
    document: dict[str, object] = dict(plan_document(plan, detail=detail))
    if simulated:
        document["simulated"] = list(simulated)
    return json_text(document)
