"""Which candidates are kept, and which files they become: shared by planner and executor, so that both agree."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from imagebatch.model.generation import Candidate, Entry, Output, PictureFacts, Resolution
from imagebatch.model.mark import Mark
from imagebatch.model.picks import Pick
from imagebatch.model.variant import CANDIDATE_MARK, EXT_MARK, OutputSpec, PickRule, Policy, Variant

_MOST_TEMPLATES = 256
OWN = "file:"
RESOLUTION_RANK: dict[Resolution, int] = {"preview": 0, "full": 1, "upscale": 2, "uhd": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedFile:
    """One file that is to be there: its final path, the develop fingerprint, the candidate (from 1) behind it.

    `own_candidate` tells that the path names the candidate, so that a file there can be of no other one.
    """

    path: str
    develop: str
    candidate: int
    spec: OutputSpec
    mark: Mark | None = None
    own_candidate: bool = False


def wanted_files(variant: Variant, picked: Sequence[int]) -> tuple[WantedFile, ...]:
    """All files of a variant in the order in which the lock lists them: the outputs, and within one the picks.

    A path that does not name the candidate has room for one picture only: the first pick's.
    """
    files: list[WantedFile] = []
    for output in variant.outputs:
        path = output.spec.path.replace(EXT_MARK, variant.ext)
        files += [
            WantedFile(
                path=path.replace(CANDIDATE_MARK, str(index)),
                develop=output.develop,
                candidate=index,
                spec=output.spec,
                mark=output.mark,
                own_candidate=CANDIDATE_MARK in path,
            )
            for index in (picked if CANDIDATE_MARK in path else picked[:1])
        ]
    return tuple(files)


def made_as(output: Output, file: WantedFile, entry: Entry) -> bool:
    """Whether a file that `entry` lists is just what is wanted, but for its name."""
    return (
        output.develop == file.develop
        and output.path.rpartition(".")[2] == file.path.rpartition(".")[2]
        and _candidate_behind(output, entry) == file.candidate
    )


def _candidate_behind(output: Output, entry: Entry) -> int | None:
    """The pick (from 1) that a file was made from; None where nothing tells it.

    Its bytes do where they are the picture's own, else its place: the lock lists the files of one output side by side,
    in the order of the picks, under paths that differ by the candidate's number only.
    """
    picked = [index for index in entry.picked if index <= len(entry.candidates)]
    for index in picked:
        facts = source_of(entry.candidates[index - 1])
        if facts is not None and facts.sha256 == output.sha256:
            return index
    if len(picked) == 1:
        return picked[0]
    at = entry.outputs.index(output)
    for start in range(max(0, at - len(picked) + 1), at + 1):
        if _is_of_all_picks(entry.outputs[start : start + len(picked)], picked):
            return picked[at - start]
    return None


def _is_of_all_picks(files: Sequence[Output], picked: Sequence[int]) -> bool:
    if len(files) != len(picked) or len({file.develop for file in files}) != 1:
        return False
    if len({file.sha256 for file in files}) != len(files):
        return False  # one picture under several names, not several pictures
    common = [_templates(file.path, index) for file, index in zip(files, picked, strict=True)]
    return bool(set.intersection(*common)) if common else False


def _templates(path: str, number: int) -> set[str]:
    """All that a path may have been before a candidate's number was put into it."""
    pieces = path.split(str(number))
    found = {pieces[0]}
    for piece in pieces[1:]:
        found = {start + middle + piece for start in found for middle in (str(number), CANDIDATE_MARK)}
        if len(found) > _MOST_TEMPLATES:
            return set()
    return found - {path}


def one_place_only(outputs: Iterable[OutputSpec]) -> str | None:
    """The first path that has no place for several picks, None where all have."""
    return next((spec.path for spec in outputs if CANDIDATE_MARK not in spec.path), None)


def wanted_picks(
    rule: PickRule, pick: Pick | None, draw: str, candidates: Sequence[Candidate]
) -> tuple[int, ...] | None:
    """The candidates (from 1) to be kept; None while a person has yet to choose.

    `pick` counts only where it was made for `draw` and its bytes are among the candidates'; else the rule holds.
    An empty tuple says that a person took none of them.
    """
    if pick is not None and pick.for_draw == draw:
        found = picked_by_bytes(pick.use, candidates)
        if found is not None:
            return found
    return picks_by_rule(rule, sum(not is_own(one) for one in candidates))


def stand_in(policy: Policy, picked: Sequence[int], candidates: Sequence[Candidate]) -> tuple[int, ...]:
    """The candidates (from 1) that are kept while a person has yet to choose; `picked` is what is kept now."""
    there = tuple(index for index in picked if 1 <= index <= len(candidates))
    return there or ((1,) if policy.until_picked == "first" and candidates else ())


def is_own(candidate: Candidate) -> bool:
    """Whether it is a file of one's own (`imagebatch use`) and no provider's picture: nobody can send or sell it."""
    return candidate.id.startswith(OWN)


def own_path(candidate: Candidate) -> str | None:
    """The project path of a file of one's own; None for a provider's picture."""
    return candidate.id[len(OWN) :] if is_own(candidate) else None


def picks_by_rule(rule: PickRule, offered: int) -> tuple[int, ...] | None:
    """What the manifest's rule says of so many candidates; None for `review`."""
    if rule == "first":
        return (1,) if offered else ()
    if rule == "all":
        return tuple(range(1, offered + 1))
    if rule == "review":
        return None
    return tuple(index for index in rule if 1 <= index <= offered)


def picked_by_bytes(use: Sequence[str], candidates: Sequence[Candidate]) -> tuple[int, ...] | None:
    """Candidates by the hashes of their bytes, as delivered or as bought; None where one of them is not there."""
    found: list[int] = []
    for sha256 in use:
        index = next((at for at, candidate in enumerate(candidates, 1) if sha256 in hashes(candidate)), None)
        if index is None:
            return None
        found.append(index)
    return tuple(found)


def hashes(candidate: Candidate) -> tuple[str, ...]:
    """All bytes known of a candidate."""
    bought = candidate.bought.facts if candidate.bought is not None else None
    return tuple(facts.sha256 for facts in (candidate.facts, bought) if facts is not None)


def source_of(candidate: Candidate) -> PictureFacts | None:
    """The bytes that outputs are made from: what was bought, else what was delivered; None before they are known."""
    return candidate.bought.facts if candidate.bought is not None else candidate.facts


def has_resolution(candidate: Candidate, resolution: Resolution) -> bool:
    """Whether a candidate was paid for in this resolution or a higher one; a file of one's own is what it is."""
    if is_own(candidate):
        return True
    have = candidate.bought.resolution if candidate.bought is not None else "preview"
    return RESOLUTION_RANK[have] >= RESOLUTION_RANK[resolution]
