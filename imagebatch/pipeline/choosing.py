"""Choices that a rule makes, with the world around them: which pictures it sees, and what it may not overrule."""

from collections.abc import Sequence
from pathlib import Path

from imagebatch.errors import PlanError
from imagebatch.model.generation import Entry
from imagebatch.model.picks import Picks
from imagebatch.model.variant import Variant
from imagebatch.outputs.choices import Choice, Picker, Proposal
from imagebatch.pipeline.autopick import picker
from imagebatch.pipeline.deciding import selected_entries
from imagebatch.pipeline.originals import originals_of
from imagebatch.pipeline.picking import picked
from imagebatch.pipeline.project import Project
from imagebatch.pipeline.world import stored_files
from imagebatch.plan.picking import is_own, source_of
from imagebatch.providers.wanted import request_prompt


def choose_by_rule(
    project: Project, selectors: Sequence[str], rule: str, *, again: bool
) -> tuple[Picks, dict[str, int], tuple[str, ...]]:
    """picks.yaml with the rule's choices, the choices by address, and addresses whose candidates are not all here.

    What somebody has decided already stays, unless `again`; where all is decided, nothing is chosen. Raises PlanError
    for an unknown rule, a rule that cannot judge these pictures, and where none of the selected has candidates.
    """
    judge = picker(rule)
    picks = project.loaded.picks
    chosen: dict[str, int] = {}
    lacking: list[str] = []
    decided = 0
    for one in selected_entries(project, selectors):
        address, variant, entry = one.address, one.variant, one.entry
        if entry.status != "succeeded" or entry.draw != variant.draw:
            continue
        if not again and picks.choice(address, entry.attempt) is not None:
            decided += 1
            continue
        number = _chosen(project, address, variant, entry, judge)
        if number is None:
            lacking.append(address)
            continue
        picks = picked(picks, address, entry, (number,))
        chosen[address] = number
    if not chosen and not lacking and not decided:
        raise PlanError(
            "nothing to choose",
            "None of the selected variants has candidates that wait for a choice.",
            hints=("imagebatch status",),
            code="pick.nothing",
        )
    return picks, chosen, tuple(lacking)


def _chosen(project: Project, address: str, variant: Variant, entry: Entry, judge: Picker) -> int | None:
    """What the rule chooses; None where the bytes of a candidate are not here, which it could not compare."""
    offered = [one for one in entry.candidates if not is_own(one)]
    here = stored_files(originals_of(project).store, offered)
    if len(here) < len(offered) or not offered:
        return None
    facts = {number: source_of(offered[number - 1]) for number in here}
    proposals = tuple(
        Proposal(number=number, path=here[number], width=one.width, height=one.height)
        for number, one in sorted(facts.items())
        if one is not None
    )
    reference = _reference(project, variant)
    return judge.pick(
        Choice(address=address, prompt=request_prompt(entry.request), proposals=proposals, reference=reference)
    )


def _reference(project: Project, variant: Variant) -> Path | None:
    """The file of the first reference: a project file, or another variant's picture in the store."""
    first = next(iter(variant.references), None)
    if first is None:
        return None
    if first.path is not None:
        return project.root / first.path
    return originals_of(project).store.find(first.sha256) if first.sha256 is not None else None
