"""Plan -> ordered work: files are moved first, pictures that others wait for are drawn first, removals come last."""

from dataclasses import dataclass
from typing import Literal

from imagebatch.plan.defer import ASSET_REFERENCE
from imagebatch.plan.types import Action, Change, Plan

WaveName = Literal["move", "draw", "remove"]
_REMOVALS: frozenset[Action] = frozenset({"forget", "delete"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change to be carried out, and the addresses whose steps have to end before it starts."""

    change: Change
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """Steps that may run at the same time, apart from what their `after` says; waves run one after the other."""

    name: WaveName
    steps: tuple[Step, ...]


def schedule(plan: Plan) -> tuple[Wave, ...]:
    """Waves of work; empty ones are left out, and so are changes that ask for nothing.

    Deferred changes are not in it: their requests are known only when their references are drawn, so the caller plans
    again after these waves. Within the draw wave, what others share or refer to stands first.
    """
    work = [change for change in plan.changes if _does_something(change)]
    needed = _needed_first(plan)
    draws = [change for change in work if change.action not in _REMOVALS and not _only_moves(change)]
    draws.sort(key=lambda change: (change.address not in needed, change.leader is not None, change.address))
    planned = {change.address for change in draws}
    waves = (
        Wave(name="move", steps=tuple(Step(change=change) for change in work if _only_moves(change))),
        Wave(name="draw", steps=tuple(Step(change=change, after=_after(change, planned)) for change in draws)),
        Wave(name="remove", steps=tuple(Step(change=change) for change in work if change.action in _REMOVALS)),
    )
    return tuple(wave for wave in waves if wave.steps)


def _does_something(change: Change) -> bool:
    return change.action != "defer" and (change.action not in {"noop", "keep"} or bool(change.also))


def _only_moves(change: Change) -> bool:
    # A move that also updates or develops is moved with its other steps, where it frees no path for another one.
    return change.action == "move" and not change.also


def _needed_first(plan: Plan) -> set[str]:
    needed = {change.leader for change in plan.changes if change.leader is not None}
    for change in plan.changes:
        if change.action == "defer" and change.variant is not None:
            needed.update(change.variant.pending_references)
            needed.update(reference.source.removeprefix(ASSET_REFERENCE) for reference in change.variant.references)
    return needed


def _after(change: Change, planned: set[str]) -> tuple[str, ...]:
    return (change.leader,) if change.leader is not None and change.leader in planned else ()
