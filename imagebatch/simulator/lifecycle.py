"""The life of an All-Images.ai generation: 0 create, 1 pending, 2 processing, 3 done, 4 error, and the unnamed 5."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from imagebatch.simulator.chance import Spread, unit
from imagebatch.simulator.profile import JobTime

CREATE, PENDING, PROCESSING, DONE, ERROR, UNNAMED = range(6)
SLOW_FACTOR = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Where a generation stands: its status and how many images can be seen."""

    status: int
    images: int


def plan_job(times: JobTime, *, seed: str, relaxed: bool, count: int, prompt: str, attempt: int) -> dict[str, Any]:
    """Decide how a job will go, by its seed and by the words in brackets that force an outcome.

    Args:
        times: settings of the profile.
        seed: decides time and outcome.
        relaxed: `processMode` relax.
        count: images to deliver.
        prompt: `[fail]`, `[fail once]`, `[blocked]` and `[slow]` in it force an outcome.
        attempt: 1 for the create, more for retries.
    """
    spread: Spread = times.relax if relaxed else times.fast
    seconds = spread.at(unit(seed, "job")) * (SLOW_FACTOR if "[slow]" in prompt else 1.0)
    outcome, chance = DONE, unit(seed, "outcome")
    if "[fail]" in prompt or "[blocked]" in prompt or ("[fail once]" in prompt and attempt == 1):
        outcome = ERROR
    elif chance < times.stuck:
        outcome = PROCESSING
    elif chance < times.stuck + times.fail:
        outcome = ERROR
    elif chance < times.stuck + times.fail + times.unnamed:
        outcome = UNNAMED
    return {"seconds": seconds, "outcome": outcome, "count": count}


def moment(plan: Mapping[str, Any], elapsed_s: float) -> Moment:
    """Tell where a generation stands `elapsed_s` seconds after its start; images appear one by one in status 2."""
    seconds, outcome, count = float(plan["seconds"]), int(plan["outcome"]), int(plan["count"])
    if elapsed_s < 0.03 * seconds:
        return Moment(status=CREATE, images=0)
    if elapsed_s < 0.2 * seconds:
        return Moment(status=PENDING, images=0)
    # An outcome of "still processing" never ends: the last image stays away.
    share = (elapsed_s / seconds - 0.2) / 0.8 if seconds else 1.0
    if share >= 1.0 and outcome != PROCESSING:
        return Moment(status=outcome, images=count if outcome == DONE else 0)
    return Moment(status=PROCESSING, images=max(0, min(count - 1, int(share * count))))


def event_times(plan: Mapping[str, Any]) -> list[tuple[float, str]]:
    """List when which webhook event happens, in seconds after the start."""
    seconds, outcome, count = float(plan["seconds"]), int(plan["outcome"]), int(plan["count"])
    events = [(0.0, "print.created"), (0.2 * seconds, "print.active")]
    events += [((0.2 + 0.8 * (index + 1) / count) * seconds, "print.progress") for index in range(count - 1)]
    if outcome in (DONE, ERROR):
        events.append((seconds, "print.completed" if outcome == DONE else "print.failed"))
    return events
