"""One run of the real program in a simulated world: from the manifest's project to an exit code, or to its death."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

from imagebatch.errors import ImagebatchError
from imagebatch.pipeline.applying import Applied, apply_project
from imagebatch.pipeline.opened import ApplyOptions
from imagebatch.pipeline.planning import PlanRequest
from imagebatch.pipeline.project import Project
from imagebatch.pipeline.targets import Abilities, Targets
from tests.simulation.virtual_time import Crash, Hung
from tests.simulation.world import World


@dataclass(slots=True, kw_only=True)
class Ran:
    """How a run ended: its exit code, None where it died; `planned` is what its plan had to do."""

    code: int | None
    planned: int = 0
    error: str = ""
    effects: int = 0
    shared: bool = False
    """Whether it stands for a run that was made once for several that end it."""
    ends: Mapping[str, str] = field(default_factory=dict)


def apply(world: World, project: Project, *, crash_at: int | None = None, options: ApplyOptions | None = None) -> Ran:
    """Apply a project in `world`, which has to be installed."""
    world.begin(crash_at)
    planned = 0
    try:
        applied = apply_project(
            of_a_new_process(project),
            PlanRequest(),
            options or ApplyOptions(),
            approve=lambda _: True,
            tell=lambda _: None,
        )
    except Crash as crash:
        return Ran(code=None, error=str(crash), effects=world.effects)
    except Hung as hung:
        return Ran(code=-1, error=f"it hangs: {hung}", effects=world.effects)
    except ImagebatchError as error:
        return Ran(code=error.exit_code, error=str(error), effects=world.effects)
    planned = _changes(applied)
    ends = {one.address: one.end for one in applied.result.outcomes} if applied.result is not None else {}
    return Ran(code=applied.exit_code, planned=planned, effects=world.effects, ends=ends)


def of_a_new_process(project: Project) -> Project:
    """The project with adapters that have learnt nothing yet: what they learn, no process leaves to the next."""
    targets = cast("Targets", project.targets)
    fresh = Targets(targets.providers, targets._make)
    return replace(project, targets=fresh, capabilities=Abilities(fresh))


def _changes(applied: Applied) -> int:
    return sum(1 for one in applied.planned.plan.changes if one.action != "noop")
