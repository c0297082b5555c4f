"""What settled values ask for besides the prompt: policy and outputs."""

from dataclasses import replace
from functools import partial
from typing import Any, Final

from imagebatch.manifest.checks import read_checks
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.group import OutputWish
from imagebatch.manifest.ladder import output_options, path_as_asked
from imagebatch.manifest.layers import Settled, as_list
from imagebatch.manifest.paths import BadPath, check_extension
from imagebatch.model.checks import PLUGIN, checks_fingerprint
from imagebatch.model.variant import Place, Policy


def read_policy(asset: str, place: Place, settled: Settled) -> Policy:
    """The policy of a group."""
    values = settled.values
    pick = values.get("pick", "first")
    checks = read_checks(values.get("checks", {}))
    return Policy(
        asset=asset,
        place=place,
        provider=values.get("provider", ""),
        resolution=values.get("resolution", "preview"),
        pick=tuple(pick) if isinstance(pick, list) else pick,
        until_picked=values.get("until_picked", "none"),
        distinct=values.get("distinct", False),
        protect=values.get("protect", False),
        on_remove=values.get("on_remove", "trash"),
        on_replace=values.get("on_replace", "keep"),
        retries=int(values.get("retries", 0)),
        on_reference_change=values.get("on_reference_change", "redraw"),
        checks=checks,
        checks_of=checks_fingerprint(checks),
        places=_places(settled),
    )


_TOLD_OF: Final = (
    "prompt",
    "template",
    "params",
    "references",
    "pick",
    "resolution",
    "provider",
    "output",
    "outputs",
)


def _places(settled: Settled) -> dict[str, Place]:
    """Where those keys stand that are judged only once a request is put together."""
    wanted: list[tuple[str | int, ...]] = [(key,) for key in _TOLD_OF]
    wanted += [("params", name) for name in settled.values.get("params", {})]
    wanted += [("checks", name) for name in settled.values.get("checks", {}) if name.startswith(PLUGIN)]
    wanted += [("references", number) for number, _ in enumerate(as_list(settled.values.get("references", [])))]
    found = {".".join(map(str, path)): settled.place(str(path[0]), *path[1:]) for path in wanted}
    return {path: place for path, place in found.items() if place is not None}


def output_wishes(settled: Settled, place: Place, findings: Findings) -> tuple[OutputWish, ...]:
    """The outputs of a group; one with an empty path stands for the default path."""
    values = settled.values
    own: dict[str, Any] = {"embed": values["embed"]} if "embed" in values else {}
    if "output" in values:
        where = settled.place("output") or place
        wishes = [OutputWish(path=values["output"], place=where, options=own)]
    elif "outputs" in values:
        wishes = []
        for index, entry in enumerate(values["outputs"]):
            where = settled.place("outputs", index, "path") or place
            before = findings.count
            options = own | output_options(entry, partial(_place, settled, place, index), findings)
            told = findings.count > before
            wishes.append(OutputWish(path=path_as_asked(entry), place=where, options=options, told=told))
        if not wishes:
            findings.add("manifest.required", "no output", "outputs is an empty list.", place=settled.place("outputs"))
    else:
        return (OutputWish(path="", place=place, options=own),)
    return tuple([wish if wish.told else replace(wish, told=not _ends_well(wish, findings)) for wish in wishes])


def _place(settled: Settled, place: Place, index: int, key: str) -> Place:
    return settled.place("outputs", index, key) or place


def _ends_well(wish: OutputWish, findings: Findings) -> bool:
    """What stands after the last expression is known before anything is rendered."""
    if not wish.path.strip():
        findings.add("path.component", "output path cannot be used", "the path is empty.", place=wish.place)
        return False
    tail = wish.path.rpartition("}")[2]
    if "{" in wish.path and "." in tail and "/" not in tail:
        try:
            check_extension("x" + tail)
        except BadPath as error:
            findings.add(f"path.{error.code}", "output path cannot be used", f"{error}.", place=wish.place)
            return False
    return True
