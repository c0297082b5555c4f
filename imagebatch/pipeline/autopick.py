"""Rules that choose a candidate: `first`, `sharpest`, `closest`, and those of plug-ins (`imagebatch.pickers`)."""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

from imagebatch.effects import seams
from imagebatch.errors import OutputError, PlanError
from imagebatch.outputs.choices import Choice, Picker
from imagebatch.outputs.plugged import CHECK_S
from imagebatch.outputs.workers import CHECK_S as MEASURE_S
from imagebatch.outputs.workers import WorkerGone, Workers
from imagebatch.run.judging import COMMAND as JUDGES

GROUP: Final = "imagebatch.pickers"
BUILT_IN: Final = ("first", "sharpest", "closest")
_LONGEST: Final = 300


def picker(rule: str) -> Picker:
    """The rule of this name; nothing of a plug-in is imported here. Raises PlanError for a name that nobody offers."""
    made: dict[str, Callable[[], Picker]] = {"first": First, "sharpest": Sharpest, "closest": Closest}
    if rule in made:
        return made[rule]()
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if rule not in found:
        known = ", ".join([*BUILT_IN, *sorted(found)])
        raise PlanError(
            "no such rule", f"Nobody offers a rule {rule[:60]!r} to pick by; there are: {known}.", code="pick.rule"
        )
    return Plugged(rule, found[rule].value)


class Plugged:
    """A plug-in's rule, asked in a process of its own; whatever it does wrong is one clear message."""

    def __init__(self, rule: str, value: str, seconds: float = CHECK_S) -> None:
        self._rule = rule
        self._value = value
        self._seconds = seconds

    def pick(self, choice: Choice) -> int:
        """The plug-in's choice.

        Raises PlanError for whatever it raises, where it hangs or dies, and for a number that was not offered.
        """
        job = {"do": "pick", "value": self._value, **choice.written()}

        async def asked() -> Mapping[str, Any]:
            async with Workers(1, command=JUDGES) as workers:
                return await workers.run(job, seconds=self._seconds)

        try:
            answer = seams.clock.run(asked())
        except WorkerGone as error:
            answer = {"fault": str(error).replace("the decoder process", "its process").replace("the decoder", "it")}
        if type(answer.get("number")) is not int:
            why = answer.get("fault") or answer.get("text")
            raise _broken(self._rule, f"over {choice.address}: {why}")
        return int(answer["number"])


class First:
    """The candidate that the provider names first."""

    def pick(self, choice: Choice) -> int:
        """Its number."""
        return choice.proposals[0].number


class Sharpest:
    """The candidate with the most detail: the highest variance of the Laplacian over a fixed size."""

    def pick(self, choice: Choice) -> int:
        """Its number; of equals the first."""
        told = _measured([one.path for one in choice.proposals])
        best = max(range(len(told)), key=lambda at: (told[at]["sharpness"], -at))
        return choice.proposals[best].number


class Closest:
    """The candidate that looks most like the first reference: the smallest distance of difference hashes."""

    def pick(self, choice: Choice) -> int:
        """Its number; of equals the first. Raises PlanError where there is no reference."""
        if choice.reference is None:
            raise PlanError(
                "nothing to be close to",
                f"{choice.address} has no reference, and `closest` compares with the first one.",
                hints=("imagebatch pick --auto sharpest SEL",),
                code="pick.no_reference",
                address=choice.address,
            )
        told = [int(one["look"], 16) for one in _measured([choice.reference, *(one.path for one in choice.proposals)])]
        distances = [(one ^ told[0]).bit_count() for one in told[1:]]
        return choice.proposals[distances.index(min(distances))].number


def _measured(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Sharpness and difference hash of pictures, from decoder children. Raises OutputError for one that is none."""

    async def all_of_them() -> list[dict[str, Any]]:
        async with Workers(1) as workers:
            return [await _one(workers, path) for path in paths]

    return seams.clock.run(all_of_them())


async def _one(workers: Workers, path: Path) -> dict[str, Any]:
    try:
        told = await workers.run({"do": "measure", "path": str(path)}, seconds=MEASURE_S)
    except WorkerGone as error:
        told = {"text": str(error)}
    if "sharpness" not in told:
        raise OutputError("a picture cannot be judged", f"{path.name}: {told.get('text')}.", code="image.decoder")
    return dict(told)


def _broken(rule: str, why: str) -> PlanError:
    return PlanError(
        "a plug-in does not do what it should",
        f"The rule {rule!r} cannot be used: {why[:_LONGEST]}.",
        hints=("tell the plug-in's author, or remove the package",),
        code="pick.plugin",
    )
