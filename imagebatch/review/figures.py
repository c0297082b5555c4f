"""From what is recorded, wanted and planned to figures, one for each address. Pure."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from imagebatch.model.address import Address, parse_address
from imagebatch.model.generation import Candidate, Earlier, Entry
from imagebatch.model.picks import Picks
from imagebatch.model.variant import Variant
from imagebatch.plan.picking import one_place_only, source_of, wanted_files
from imagebatch.plan.reasons import SIMULATED
from imagebatch.plan.states import State
from imagebatch.plan.types import Change
from imagebatch.providers.wanted import request_prompt
from imagebatch.review.model import CheckLine, Figure, Shot
from imagebatch.review.standing import shown_picks
from imagebatch.review.visible import visible
from imagebatch.review.wording import Piece, reworded

_NO_SIZE: Final = (0, 0)


def figure(
    address: str,
    *,
    entry: Entry | None,
    variant: Variant | None,
    change: Change | None,
    states: Iterable[State],
    tags: Sequence[str] = (),
    picks: Picks,
) -> Figure:
    """What is shown of one address; `entry` is what the lock has, `variant` what is wanted, one of them may be None."""
    at = _parsed(address)
    kind = entry.type if entry is not None else variant.type if variant is not None else ""
    request = _request(entry.request if entry is not None else variant.request if variant is not None else "{}")
    redo = picks.redo.get(address)
    place = variant.policy.place if variant is not None else None
    return Figure(
        address=address,
        asset=at.asset,
        key=at.key,
        axes=at.axes,
        anchor=f"a-{hashlib.sha256(address.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}",
        status=entry.status if entry is not None else "new",
        states=tuple(sorted(states)),
        provider=entry.provider if entry is not None else variant.provider if variant is not None else "",
        model=visible(str(request.get("model", ""))),
        simulated=kind.startswith(SIMULATED),
        cost=entry.cost if entry is not None else (),
        params=_params(request),
        prompt=_prompt(entry, variant),
        next=_next(entry, variant),
        action=change.action if change is not None else "noop",
        reason=visible(change.detail or (change.reason or "").replace("_", " ")) if change is not None else "",
        failure=visible(entry.failure.message) if entry is not None and entry.failure is not None else None,
        shots=_shots(entry, shown_picks(address, entry, picks)) if entry is not None else (),
        before=_before(entry.earlier[0]) if entry is not None and entry.earlier else (),
        earlier=len(entry.earlier) if entry is not None else 0,
        outputs=_outputs(entry, variant),
        checks=_checks(entry),
        draw=entry.draw if entry is not None else "",
        token=entry.token if entry is not None else "",
        attempt=entry.attempt if entry is not None else 0,
        several=variant is not None and one_place_only(output.spec for output in variant.outputs) is None,
        tags=tuple(tags),
        alt=visible((variant.alt if variant is not None else None) or address),
        title=visible((variant.title if variant is not None else None) or ""),
        place=f"{place.path}:{place.line}" if place is not None else "",
        marks=_marks(entry, variant),
        note=visible(redo.note) if redo is not None and redo.note else None,
    )


def _parsed(address: str) -> Address:
    try:
        return parse_address(address)
    except ValueError:  # a lock that somebody edited
        return Address(asset=address)


def _request(text: str) -> Mapping[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}


def _params(request: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """What decides the picture beside the prompt and the model, each as a person would write it."""
    flat: dict[str, object] = {}
    for name, value in request.items():
        if name == "params" and isinstance(value, Mapping):
            flat |= {str(inner): item for inner, item in value.items()}
        elif name not in {"prompt", "model"}:
            flat[name] = value
    return tuple((visible(name), visible(_plain(flat[name]))) for name in sorted(flat))


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _prompt_of(request: str) -> str:
    try:
        return visible(request_prompt(request))
    except (ValueError, AttributeError):
        return ""


def _prompt(entry: Entry | None, variant: Variant | None) -> tuple[Piece, ...]:
    if entry is None:
        now = _prompt_of(variant.request) if variant is not None else ""
        return reworded(now, now)
    now = _prompt_of(entry.request)
    return reworded(_prompt_of(entry.earlier[0].request) if entry.earlier else now, now)


def _next(entry: Entry | None, variant: Variant | None) -> tuple[Piece, ...] | None:
    if entry is None or variant is None or entry.draw == variant.draw:
        return None
    before, after = _prompt_of(entry.request), _prompt_of(variant.request)
    return reworded(before, after) if before != after else None


def _shots(draw: Entry | Earlier, picked: Sequence[int]) -> tuple[Shot, ...]:
    return tuple(_shot(number, one, number in picked) for number, one in enumerate(draw.candidates, start=1))


def _shot(number: int, candidate: Candidate, picked: bool) -> Shot:  # noqa: FBT001  # one of three values of a shot
    facts = source_of(candidate) or candidate.facts
    width, height = (facts.width, facts.height) if facts is not None else _NO_SIZE
    return Shot(
        number=number,
        sha256=facts.sha256 if facts is not None else None,
        width=width,
        height=height,
        picked=picked,
        bought=candidate.bought.resolution if candidate.bought is not None else None,
    )


def _before(earlier: Earlier) -> tuple[Shot, ...]:
    """The pictures that a draw replaced; where none was picked, the first that it had."""
    shots = [shot for shot in _shots(earlier, earlier.picked) if shot.sha256 is not None]
    return tuple([shot for shot in shots if shot.picked] or shots[:1])


def _outputs(entry: Entry | None, variant: Variant | None) -> tuple[str, ...]:
    if entry is not None and entry.outputs:
        return tuple(visible(output.path) for output in entry.outputs)
    return tuple(visible(file.path) for file in wanted_files(variant, (1,))) if variant is not None else ()


def _checks(entry: Entry | None) -> tuple[CheckLine, ...]:
    """What the lock says did not hold."""
    checked = entry.checked if entry is not None else None
    found = checked.unmet if checked is not None else ()
    return tuple(CheckLine(name=one.name, level=one.level, text=visible(one.text)) for one in found)


def _marks(entry: Entry | None, variant: Variant | None) -> tuple[str, ...]:
    found: list[str] = []
    if (entry is not None and entry.protect) or (variant is not None and variant.policy.protect):
        found.append("protected")
    if entry is not None and entry.held:
        found.append("held")
    return tuple(found)
