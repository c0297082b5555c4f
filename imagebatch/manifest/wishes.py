"""What settled values ask for besides the prompt: policy, outputs, labels."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from imagebatch.manifest.characters import quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.group import MAX_SAID, Group, OutputWish
from imagebatch.manifest.layers import Settled
from imagebatch.manifest.paths import BadPath, check_extension
from imagebatch.manifest.written import show
from imagebatch.model.canonical import MAX_SAFE_INTEGER
from imagebatch.model.variant import Draft, Place, Policy

_TOKEN = re.compile(r"\bib-[a-z2-7]{16}\b|\bibl-[0-9a-f]{16}\b")


def read_policy(asset: str, place: Place, settled: Settled) -> Policy:
    """The policy of a group."""
    values = settled.values
    pick = values.get("pick", "first")
    return Policy(
        asset=asset,
        place=place,
        provider=values.get("provider", ""),
        resolution=values.get("resolution", "preview"),
        pick=tuple(pick) if isinstance(pick, list) else pick,
        distinct=values.get("distinct", False),
        protect=values.get("protect", False),
        on_remove=values.get("on_remove", "trash"),
        on_replace=values.get("on_replace", "keep"),
        retries=int(values.get("retries", 0)),
    )


def output_wishes(settled: Settled, place: Place, findings: Findings) -> tuple[OutputWish, ...]:
    """The outputs of a group; one with an empty path stands for the default path."""
    values = settled.values
    if "output" in values:
        where = settled.place("output") or place
        wishes = [OutputWish(path=values["output"], place=where)]
    elif "outputs" in values:
        wishes = []
        for index, entry in enumerate(values["outputs"]):
            where = settled.place("outputs", index, "path") or place
            options: dict[str, Any] = {key: int(entry[key]) for key in ("width", "height", "quality") if key in entry}
            if "fit" in entry:
                options["fit"] = entry["fit"]
            wishes.append(OutputWish(path=entry["path"], place=where, options=options))
            _check_format(entry, settled.place("outputs", index) or place, findings)
        if not wishes:
            findings.add("manifest.required", "no output", "outputs is an empty list.", place=settled.place("outputs"))
    else:
        return (OutputWish(path="", place=place),)
    for wish in wishes:
        _check_ending(wish, findings)
    return tuple(wishes)


def _check_format(entry: dict[str, Any], place: Place, findings: Findings) -> None:
    wanted = entry.get("format")
    ending = str(entry["path"]).rpartition(".")[2].lower()
    same = {"jpeg": "jpg"}
    if wanted is not None and ending.isalnum() and same.get(wanted, wanted) != same.get(ending, ending):
        findings.add("manifest.conflict", "two formats", f"format is {wanted}, and the path ends in .{ending}: the extension "
                     "is the format.", place=place)  # fmt: skip


def _check_ending(wish: OutputWish, findings: Findings) -> None:
    """What stands after the last expression is known before anything is rendered."""
    if not wish.path.strip():
        findings.add("path.component", "output path cannot be used", "the path is empty.", place=wish.place)
        return
    tail = wish.path.rpartition("}")[2]
    if "{" in wish.path and "." in tail and "/" not in tail:
        try:
            check_extension("x" + tail)
        except BadPath as error:
            findings.add(f"path.{error.code}", "output path cannot be used", f"{error}.", place=wish.place)


def check_labels(group: Group, drafts: Iterable[Draft], findings: Findings) -> Iterator[Draft]:
    """Refuse labels that imagebatch keeps for itself, and numbers that no request can carry; pass the drafts on."""
    strings = group.strings
    varying = any(strings.templated(what) for what in ("tags", "metadata", "name", "params"))
    said = 0
    for index, draft in enumerate(drafts):
        if (index == 0 or varying) and said < MAX_SAID:
            for key, code, detail in _faults(draft):
                said += 1
                place = group.settled.place(key) or group.place
                findings.add(f"manifest.{code}", "value cannot be used", detail, place=place, address=draft.address)
        yield draft


def _faults(draft: Draft) -> Iterator[tuple[str, str, str]]:
    for tag in draft.tags:
        if tag.casefold().startswith(("ib-", "ibl-")):
            yield (
                "tags",
                "reserved",
                f"the tag {quoted(tag)}: tags that start with ib- or ibl- are imagebatch's own marks.",
            )
        elif not tag.strip():
            yield "tags", "required", "a tag is empty."
    for key, value in draft.metadata.items():
        if key.strip().casefold() == "imagebatch":
            yield "metadata", "reserved", f"the metadata key {quoted(key)} is reserved for imagebatch's own marks."
        if isinstance(value, str) and _TOKEN.search(value):
            yield "metadata", "reserved", f"metadata {quoted(key)} holds text of the form of an imagebatch token."
    if draft.name is not None and _TOKEN.search(draft.name):
        yield "name", "reserved", "name holds text of the form of an imagebatch token."
    yield from (("params", "type", f"params.{where} {why}.") for where, why in _numbers(draft.params, ""))
    yield from (("metadata", "type", f"metadata.{where} {why}.") for where, why in _numbers(draft.metadata, ""))


def _numbers(value: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _numbers(item, f"{where}[{index}]")
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) > MAX_SAFE_INTEGER:
        yield where, f"is the integer {show(value)}, beyond 2^53; quote it"
