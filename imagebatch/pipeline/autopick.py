"""Rules that choose a candidate: `first`, `sharpest`, `closest`, and those of plug-ins (`imagebatch.pickers`)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from imagebatch.effects import seams
from imagebatch.errors import OutputError, PlanError
from imagebatch.outputs.workers import CHECK_S, WorkerGone, Workers

GROUP: Final = "imagebatch.pickers"
BUILT_IN: Final = ("first", "sharpest", "closest")
_LONGEST: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One candidate as a rule sees it: its number (from 1) and its file, which is read-only; sizes are pixels."""

    number: int
    path: Path
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a rule chooses from, in the order of numbers. `reference` is the first reference's file, None for none."""

    address: str
    prompt: str
    proposals: tuple[Proposal, ...]
    reference: Path | None


@runtime_checkable
class Picker(Protocol):
    """What a plug-in offers under its name in the group `imagebatch.pickers`: the class, made without arguments."""

    def pick(self, choice: Choice) -> int:
        """The number of the candidate that is chosen."""
        ...


def picker(rule: str) -> Picker:
    """The rule of this name.

    Raises PlanError for a name that nobody offers, and for a plug-in that cannot be loaded.
    """
    made: dict[str, Callable[[], Picker]] = {"first": First, "sharpest": Sharpest, "closest": Closest}
    if rule in made:
        return made[rule]()
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if rule not in found:
        known = ", ".join([*BUILT_IN, *sorted(found)])
        raise PlanError(
            "no such rule", f"Nobody offers a rule {rule[:60]!r} to pick by; there are: {known}.", code="pick.rule"
        )
    try:
        plugin = found[rule].load()()
    except (Exception, SystemExit) as error:
        raise _broken(rule, f"it cannot be loaded ({type(error).__name__}: {error})") from error
    if not isinstance(plugin, Picker):
        raise _broken(rule, "it has no method `pick`")
    return Guarded(rule, plugin)


class Guarded:
    """A plug-in's rule, whose own faults are one clear message."""

    def __init__(self, rule: str, plugin: Picker) -> None:
        self._rule = rule
        self._plugin = plugin

    def pick(self, choice: Choice) -> int:
        """The plug-in's choice. Raises PlanError for whatever it raises, and for a number that was not offered."""
        try:
            number: Any = self._plugin.pick(choice)
        except (Exception, SystemExit) as error:
            raise _broken(self._rule, f"over {choice.address} it raised {type(error).__name__}: {error}") from error
        if type(number) is not int or number not in {one.number for one in choice.proposals}:
            raise _broken(self._rule, f"for {choice.address} it chose {str(number)[:40]}, which was not offered")
        return number


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
        told = await workers.run({"do": "measure", "path": str(path)}, seconds=CHECK_S)
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
