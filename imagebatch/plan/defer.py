"""A picture that another request uses as a reference has to be final before that request is: what waits is deferred."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from imagebatch.model.generation import Entry
from imagebatch.model.variant import Variant
from imagebatch.plan.references import what_is_lacking
from imagebatch.plan.states import is_unpicked
from imagebatch.plan.types import DRAW_ACTIONS, Action, Change

ASSET_REFERENCE = "asset:"
_BRINGS_ANOTHER_PICTURE: frozenset[Action] = DRAW_ACTIONS | {"wait", "adopt", "share", "defer"}
_STAYS: frozenset[Action] = frozenset({"wait", "keep", "forget", "delete"})


def defer_dependents(
    changes: dict[str, Change], dependent: Iterable[Variant], entry_of: Callable[[str], Entry | None]
) -> None:
    """Defer what refers to pictures that this plan changes, and price what is deferred; works in place.

    Their requests will hold other bytes once the references are drawn, so comparing them now would draw twice.
    `dependent` are the variants that may be deferred, `entry_of` tells what the lock has.
    """
    waiting = {variant.address: variant for variant in dependent}
    again = True
    while again:
        again = False
        for address in sorted(waiting):
            variant = waiting[address]
            sources = [source for source in _sources(variant) if _changes_picture(changes.get(source))]
            change = changes.get(address)
            if not sources or (change is not None and change.action in _STAYS):
                continue
            entry = change.entry if change is not None else entry_of(address)
            if entry is not None and entry.status == "succeeded" and (variant.policy.protect or entry.held):
                continue
            drawn = change is not None and change.action in _BRINGS_ANOTHER_PICTURE
            stays = entry is not None and entry.status == "succeeded" and not drawn
            if stays and variant.policy.on_reference_change != "redraw":
                continue
            if change is None or change.action != "defer":
                changes[address] = _deferred(variant, change, sources, entry_of)
                again = True
    for address, change in changes.items():
        variant_of = change.variant
        if change.action != "defer" or variant_of is None:
            continue
        sources = [*_sources(variant_of), *variant_of.pending_references]
        coming = any(_changes_picture(changes.get(source)) for source in sources)
        costs = change.costs or ((variant_of.price,) if coming else ())
        changes[address] = replace(change, detail=_waits_for(variant_of, changes, entry_of), costs=costs)


def _waits_for(variant: Variant, changes: dict[str, Change], entry_of: Callable[[str], Entry | None]) -> str:
    """What is waited for, with the command that helps where the apply alone does not bring it."""
    told = []
    sources = [one for one in _sources(variant) if _changes_picture(changes.get(one))]
    for source in dict.fromkeys([*variant.pending_references, *sources]):
        change = changes.get(source)
        coming = change is not None and change.action in _BRINGS_ANOTHER_PICTURE
        entry = change.entry if change is not None else entry_of(source)
        if not coming and source in sources:
            told.append(f"{source}, whose pick changes")
            continue
        told.append(source if coming else what_is_lacking(source, entry, unpicked=_unpicked(change, entry)))
    return f"waits for {', '.join(told)}"


def _unpicked(change: Change | None, entry: Entry | None) -> bool:
    if change is not None:
        return is_unpicked(change)
    return entry is not None and entry.status == "succeeded" and not entry.picked


def _sources(variant: Variant) -> list[str]:
    return [
        reference.source.removeprefix(ASSET_REFERENCE)
        for reference in variant.references
        if reference.source.startswith(ASSET_REFERENCE)
    ]


def _changes_picture(change: Change | None) -> bool:
    if change is None:
        return False
    if change.action in _BRINGS_ANOTHER_PICTURE:
        return True
    old = change.entry.picked[:1] if change.entry is not None else ()
    return bool(change.picked) and bool(old) and change.picked[:1] != old


def _deferred(
    variant: Variant, change: Change | None, sources: Sequence[str], entry_of: Callable[[str], Entry | None]
) -> Change:
    moved_from = change.moved_from if change is not None else None
    detail = f"waits for {', '.join(dict.fromkeys(sources))}"
    return Change(
        address=variant.address,
        action="defer",
        reason="reference_pending",
        detail=detail,
        provider=variant.provider,
        entry=change.entry if change is not None else entry_of(variant.address),
        variant=variant,
        moved_from=moved_from,
        also=("move",) if moved_from is not None else (),
    )
