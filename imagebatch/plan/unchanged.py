"""The short way for what most variants are: drawn, placed, and just as the manifest wants them.

Nothing is decided here but 'certainly nothing to do'; every other answer is left to `classify`. It reads the lock's
block through `Recorded.glance` without parsing it, so that a plan over 100,000 variants stays cheap.
"""

import json
import re
from typing import Final

from imagebatch.model.recorded import Disk, Glance
from imagebatch.model.variant import CANDIDATE_MARK, EXT_MARK, Variant
from imagebatch.plan.aliases import Aliases
from imagebatch.plan.picking import RESOLUTION_RANK, picks_by_rule, wanted_files

_ONE_OUTPUT: Final = re.compile(
    r'\[\{"path":"([^"\\]*)","develop":"([^"\\]*)","sha256":"([^"\\]*)","bytes":([0-9]{1,15})\}\]'
)


def certainly_unchanged(variant: Variant, glance: Glance, disk: Disk, aliases: Aliases) -> bool:
    """Whether a plain lock block is exactly what `variant` wants, with its files in place.

    False means 'look closer'. The caller has made sure that no pick, redraw or command names the address.
    """
    policy = variant.policy
    if (
        glance.draw != variant.draw
        or not glance.plain
        or glance.labels != variant.labels
        or aliases.renamed(glance.provider, glance.type, variant.provider)
        or glance.type != variant.type
        or glance.on_remove != policy.on_remove
        or glance.checks != policy.checks_of
        or policy.protect
        or policy.distinct
        or policy.until_picked == "first"
        or variant.pending_references
    ):
        return False
    try:
        if policy.pick == "first" and glance.picked == "[1]" and policy.resolution == "preview":
            if len(variant.outputs) == 1:
                return _one_file(variant, glance, disk)
            return _all_files(variant, glance, disk, (1,))
        return _closer(variant, glance, disk)
    except (ValueError, TypeError, LookupError, AttributeError):
        # A field that is not what it should be: `Recorded.entry` says so with its place.
        return False


def _one_file(variant: Variant, glance: Glance, disk: Disk) -> bool:
    match = _ONE_OUTPUT.fullmatch(glance.outputs)
    if match is None:
        return _all_files(variant, glance, disk, (1,))
    path, develop, sha256, size = match.groups()
    output = variant.outputs[0]
    if output.develop != develop:
        return False
    wanted = output.spec.path
    if wanted != path:
        if EXT_MARK in wanted:
            wanted = wanted.replace(EXT_MARK, variant.ext)
        if CANDIDATE_MARK in wanted:
            wanted = wanted.replace(CANDIDATE_MARK, "1")
        if wanted != path:
            return False
    return disk.look(path, sha256, int(size)) == "same"


def _closer(variant: Variant, glance: Glance, disk: Disk) -> bool:
    policy = variant.policy
    candidates, picked = json.loads(glance.candidates), tuple(json.loads(glance.picked))
    expected = picked if policy.pick == "review" else picks_by_rule(policy.pick, len(candidates))
    if not picked or picked != expected or min(picked) < 1:
        return False
    if policy.resolution != "preview":
        rank = RESOLUTION_RANK[policy.resolution]
        for index in picked:
            bought = candidates[index - 1].get("bought") or {}
            if "sha256" not in bought or RESOLUTION_RANK.get(bought.get("resolution", "preview"), 0) < rank:
                return False
    return _all_files(variant, glance, disk, picked)


def _all_files(variant: Variant, glance: Glance, disk: Disk, picked: tuple[int, ...]) -> bool:
    recorded = json.loads(glance.outputs)
    files = wanted_files(variant, picked)
    if len(recorded) != len(files):
        return False
    by_path = {output["path"]: output for output in recorded}
    for file in files:
        output = by_path.get(file.path)
        if output is None or output["develop"] != file.develop:
            return False
        if disk.look(file.path, output["sha256"], output["bytes"]) != "same":
            return False
    return True
