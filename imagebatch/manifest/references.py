"""Reference images: files inside the project, and pictures of other variants without going round in circles."""

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from imagebatch.manifest.characters import nearest, quoted
from imagebatch.manifest.findings import Findings
from imagebatch.manifest.source import Sources
from imagebatch.model.address import parse_address
from imagebatch.model.variant import LOST, Draft, Place

ASSET_PREFIX: Final = "asset:"


def check_references(
    drafts: Sequence[Draft],
    sources: Sources,
    findings: Findings,
    *,
    whole: bool,
    declared: Collection[str] | None = None,
    unnamed: Collection[str] = (),
) -> None:
    """Check every reference of every draft.

    Args:
        drafts: all variants.
        unnamed: the ids of assets whose drafts have no addresses, so that nobody can refer to them.
        sources: looks at files.
        findings: where problems go.
        whole: False where some assets are missing because of other problems: unknown addresses are no news then.
        declared: the ids of all assets, sound or not; None where not even they are known.
    """
    known = {draft.address for draft in drafts} if whole else set()
    ids = None if declared is None else {unicodedata.normalize("NFC", id_) for id_ in declared}
    judged: dict[str, bool] = {}
    edges: dict[str, tuple[str, ...]] = {}
    for draft in drafts:
        if not draft.references:
            continue
        for number, text in enumerate(draft.references):
            if text not in judged and text != LOST:
                place = _place(draft, number)
                judged[text] = _judge(text, draft, place, sources, findings, known=known if whole else None, ids=ids)
        if draft.address not in unnamed:
            edges[draft.address] = tuple(
                text.removeprefix(ASSET_PREFIX) for text in draft.references if text.startswith(ASSET_PREFIX)
            )
    for circle in circles(edges):
        place = next(draft.policy.place_of("references") for draft in drafts if draft.address == circle[0])
        findings.add(
            "manifest.cycle",
            "references go round in a circle",
            f"{' -> '.join(circle)}: none of them could be drawn first.",
            place=place,
            address=circle[0],
        )


def _place(draft: Draft, number: int) -> Place:
    """Where a reference was written; the list as a whole where one expression has yielded several."""
    written = sum(key.startswith("references.") for key in draft.policy.places)
    item = (f"references.{number}",) if written == len(draft.references) else ()
    return draft.policy.place_of(*item, "references")


def _judge(
    text: str,
    draft: Draft,
    place: Place,
    sources: Sources,
    findings: Findings,
    *,
    known: set[str] | None,
    ids: set[str] | None,
) -> bool:
    if "://" in text or text.startswith("data:"):
        findings.add(
            "manifest.reference",
            "reference cannot be used",
            f"{quoted(text)} is an address on the net: a reference is a file of the project or asset:ADDRESS.",
            place=place,
            address=draft.address,
            hint="copy the file into the project and name it from there",
        )
        return False
    if not text.startswith(ASSET_PREFIX):
        return sources.check_file(text, place=place, what="reference") and _is_picture(
            text, draft, place, sources, findings
        )
    address = text.removeprefix(ASSET_PREFIX)
    try:
        right = str(parse_address(address))
    except ValueError as error:
        findings.add("manifest.address", "not an address", f"{error}.", place=place, address=draft.address)
        return False
    if right != address:
        findings.add(
            "manifest.address", "not an address", f"the address is written {right}.", place=place, address=draft.address
        )
        return False
    asset = address.partition("[")[0]
    unknown = address not in known if known is not None else ids is not None and asset not in ids
    if unknown:
        pool = known or ids or set()
        near = min((one for one in pool if one.startswith(f"{address}[")), default=None)
        if near is None and len(pool) <= 20_000:
            near = nearest(address if known else asset, pool)
        findings.add(
            "manifest.unknown_address",
            "unknown address",
            f"no variant has the address {quoted(address)}.",
            place=place,
            address=draft.address,
            hint=f"did you mean asset:{near}?" if near else None,
        )
        return False
    return True


def _is_picture(path: str, draft: Draft, place: Place, sources: Sources, findings: Findings) -> bool:
    """Whether a file can be a picture: one that is none changes the request, and is paid for all the same."""
    why = sources.why_no_picture(path)
    if why is not None:
        findings.add(
            "manifest.reference",
            "reference cannot be used",
            f"{quoted(path)} {why}.",
            place=place,
            address=draft.address,
            hint="git lfs pull" if "LFS" in why else None,
        )
    return why is None


def circles(edges: Mapping[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Each circle once, by walking with a stack of our own (chains may be long)."""
    found: list[tuple[str, ...]] = []
    done: set[str] = set()
    for start in edges:
        if start in done:
            continue
        trail: list[str] = [start]
        on_trail = {start: 0}
        iterators = [iter(edges[start])]
        while iterators:
            target = next(iterators[-1], None)
            if target is None:
                iterators.pop()
                left = trail.pop()
                del on_trail[left]
                done.add(left)
            elif target in on_trail:
                found.append((*trail[on_trail[target] :], target))
            elif target not in done and target in edges:
                on_trail[target] = len(trail)
                trail.append(target)
                iterators.append(iter(edges[target]))
    return found
