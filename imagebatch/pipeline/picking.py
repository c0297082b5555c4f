"""What people decide, as changes of `picks.yaml`: pick, accept, restore, redraw. Pure.

Every choice is bound to the draw it was made for and to bytes, so that it can never land on another picture.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from imagebatch.errors import PlanError
from imagebatch.manifest.characters import BAD_IN_TEXT, describe_char
from imagebatch.model.generation import Candidate, Earlier, Entry
from imagebatch.model.picks import Pick, Picks
from imagebatch.model.settings import Redo
from imagebatch.plan.picking import picked_by_bytes, source_of

NOT_HERE_HINT = "imagebatch apply"
_WITHOUT_CANDIDATES: Final = {"pending": "imagebatch wait", "in_doubt": "imagebatch resolve --list"}
_MOST_NAMED: Final = 5
REVIEW_HINT = "say `pick: review` in its manifest, which fetches all candidates, then: imagebatch apply"


@dataclass(frozen=True, slots=True, kw_only=True)
class PastDraw:
    """One draw of an address as `history` counts them: 0 is the present one, 1 the one before it, and so on."""

    number: int
    attempt: int
    draw: str
    request: str
    token: str
    generation: str | None
    candidates: tuple[Candidate, ...]
    picked: tuple[int, ...]
    cost: tuple[str, ...]


def past_draws(entry: Entry) -> tuple[PastDraw, ...]:
    """The present draw and those that it replaced, the newest first."""
    draws: list[Entry | Earlier] = [entry, *entry.earlier]
    return tuple(
        PastDraw(
            number=number,
            attempt=draw.attempt,
            draw=draw.draw,
            request=draw.request,
            token=draw.token,
            generation=draw.generation,
            candidates=draw.candidates,
            picked=draw.picked,
            cost=draw.cost,
        )
        for number, draw in enumerate(draws)
    )


def picked(picks: Picks, address: str, entry: Entry, numbers: Sequence[int]) -> Picks:
    """Choose candidates (from 1) of the present draw.

    Raises PlanError for a number that was not offered, and for a candidate whose bytes are not here yet.
    """
    if entry.status != "succeeded" or not entry.candidates:
        raise PlanError(
            "nothing to pick from",
            f"{address} has no candidates yet: its status is {entry.status}.",
            hints=(_WITHOUT_CANDIDATES.get(entry.status, NOT_HERE_HINT),),
            code="pick.nothing",
            address=address,
        )
    _refuse_twice(address, numbers)
    use = [_bytes_of(address, entry.candidates, number) for number in numbers]
    before = picks.picks.get(address)
    if before is not None and not before.use:
        picks = _not_rejected(picks, address, entry)
    return _with_pick(picks, address, Pick(for_draw=entry.draw, use=tuple(use), was="pick"))


def _not_rejected(picks: Picks, address: str, entry: Entry) -> Picks:
    """Take back the redraw that a rejection asked for: nobody wants to pay for it any more."""
    if entry.attempt > 1 or not redraw_open(picks, address, entry):
        return taken_back(picks, address, entry)
    return replace(picks, redo={at: redo for at, redo in picks.redo.items() if at != address})


def rejected(picks: Picks, address: str, entry: Entry, *, note: str | None, add: str | None) -> Picks:
    """Choose none of the candidates, and ask for another attempt; `note` says why, `add` enters its prompt."""
    newest = max(draw.attempt for draw in past_draws(entry))
    asked = redone(picks, address, newest, note=note, add=add)
    return _with_pick(asked, address, Pick(for_draw=entry.draw, use=(), was="pick"))


def undecided(picks: Picks, address: str, entry: Entry) -> Picks:
    """Take back what was picked or rejected.

    Raises PlanError where nothing was, or where something else stands there (accept, restore, file).
    """
    before = picks.picks.get(address)
    if before is None or before.was != "pick":
        why = "Nobody has picked or rejected anything there" if before is None else f"What stands there is {before.was}"
        raise PlanError(
            "nothing to take back", f"{address}: {why}; nothing was written.", code="pick.nothing", address=address
        )
    if not before.use:
        picks = _not_rejected(picks, address, entry)
    return replace(picks, picks={at: pick for at, pick in picks.picks.items() if at != address})


def accepted(picks: Picks, address: str, entry: Entry, wanted_draw: str) -> Picks:
    """Let the present picture stand for the request that the manifests make now.

    Raises PlanError where there is no picture that could.
    """
    draw = past_draws(entry)[0]
    numbers = _chosen(picks, address, draw)
    if not numbers:
        raise PlanError(
            "no picture to keep",
            f"No picture of {address} has been picked.",
            hints=(f"imagebatch pick {shlex.quote(address)} 1",),
            code="accept.nothing",
            address=address,
        )
    use = tuple(_bytes_of(address, draw.candidates, number) for number in numbers)
    return _with_pick(taken_back(picks, address, entry), address, Pick(for_draw=wanted_draw, use=use, was="accept"))


def own_file(picks: Picks, address: str, entry: Entry, pick: Pick) -> Picks:
    """Let a file of one's own stand; a redraw that was asked for and not drawn yet is taken back."""
    return _with_pick(taken_back(picks, address, entry), address, pick)


def redraw_open(picks: Picks, address: str, entry: Entry) -> bool:
    """Whether picks.yaml asks for an attempt that nothing drawn here has reached."""
    wish = picks.redo.get(address)
    return wish is not None and wish.attempt > max(draw.attempt for draw in past_draws(entry))


def taken_back(picks: Picks, address: str, entry: Entry) -> Picks:
    """Take back a redraw that was asked for and not drawn yet: what is decided now counts."""
    wish = picks.redo.get(address)
    if wish is None or not redraw_open(picks, address, entry):
        return picks
    others = {at: redo for at, redo in picks.redo.items() if at != address}
    if wish.add is None:
        return replace(picks, redo=others)
    # Its words are in the prompt for which the decision is made, so they stay.
    reached = max(draw.attempt for draw in past_draws(entry))
    return replace(picks, redo={**others, address: replace(wish, attempt=reached)})


def restored(
    picks: Picks, address: str, entry: Entry, number: int, wanted_draw: str, *, candidates: Sequence[int] = ()
) -> Picks:
    """Let an earlier picture stand for the request that the manifests make now; `number` as `history` shows it.

    `candidates` (from 1) choose among those of that draw; else what was picked there counts.

    Raises PlanError for a number that is not there, and where nothing tells which candidate is meant.
    """
    draws = past_draws(entry)
    if not 0 < number < len(draws):
        known = ("none", "1", f"1 to {len(draws) - 1}")[min(len(draws) - 1, 2)]
        raise PlanError(
            "no such earlier picture",
            f"{address} has no number {number} in its history; there are: {known}.",
            hints=(f"imagebatch history {shlex.quote(address)}",),
            code="restore.unknown",
            address=address,
        )
    draw = draws[number]
    numbers = tuple(candidates) or _chosen(picks, address, draw)
    if not numbers:
        raise PlanError(
            "no picture to restore",
            f"No picture of number {number} of {address} was picked; it offers {len(draw.candidates)} candidates.",
            hints=_restorable(address, draw),
            code="restore.nothing",
            address=address,
        )
    _refuse_twice(address, numbers)
    use = [_bytes_of(address, draw.candidates, one, hints=_restorable(address, draw)) for one in numbers]
    return _with_pick(
        taken_back(picks, address, entry), address, Pick(for_draw=wanted_draw, use=tuple(use), was="restore")
    )


def _restorable(address: str, draw: PastDraw) -> tuple[str, ...]:
    """The command that brings back a candidate of this very draw, where the bytes of one are known."""
    here = [number for number, one in enumerate(draw.candidates, start=1) if source_of(one) is not None]
    name = shlex.quote(address)
    lead = f"imagebatch history {name} names the pictures' files"
    return (lead, f"imagebatch restore {name} --to {draw.number} --candidate {here[0]}") if here else ()


def redone(picks: Picks, address: str, newest: int, *, note: str | None, add: str | None) -> Picks:
    """Ask for one more attempt after `newest`, the highest attempt known of the wanted draw.

    `add` enters the prompt; without it what was added before stays, and an empty text takes it out. What stood for the
    request without being drawn for it (accept, restore, file) gives way: it would take the place of the new picture.

    Raises PlanError for words that no picks.yaml may hold.
    """
    check_words(address, note, add)
    before = picks.redo.get(address)
    added = before.add if add is None and before is not None else add or None
    attempt = max(newest, before.attempt if before is not None else 0) + 1
    return replace(
        picks,
        picks={at: pick for at, pick in picks.picks.items() if at != address or pick.was == "pick"},
        redo={**picks.redo, address: Redo(attempt=attempt, note=note, add=added)},
    )


def check_words(address: str, *texts: str | None) -> None:
    """Raise PlanError for a character that picks.yaml must not hold: written, nothing could read it any more."""
    for text in texts:
        found = BAD_IN_TEXT.search(text or "")
        if found is not None:
            raise PlanError(
                "character is not allowed",
                f"{describe_char(found[0])}, in what is said of {address}; nothing was written.",
                hints=("say it in letters that can be seen",),
                code="pick.control_char",
                address=address,
            )


def _chosen(picks: Picks, address: str, draw: PastDraw) -> tuple[int, ...]:
    """The candidates of a draw that a person or a rule chose: those of the lock, else those that picks.yaml names.

    Where there is only one candidate, nobody has to choose.
    """
    pick = picks.picks.get(address)
    written = picked_by_bytes(pick.use, draw.candidates) if pick is not None else None
    return draw.picked or written or ((1,) if len(draw.candidates) == 1 else ())


def _refuse_twice(address: str, numbers: Sequence[int]) -> None:
    if len(set(numbers)) != len(numbers):
        raise PlanError(
            "a candidate is named twice", f"{address} would have it twice.", code="pick.twice", address=address
        )


def _bytes_of(
    address: str, candidates: Sequence[Candidate], number: int, *, hints: tuple[str, ...] = (REVIEW_HINT,)
) -> str:
    if not 1 <= number <= len(candidates):
        raise PlanError(
            "no such candidate",
            f"{address} offers {len(candidates)}; {number} is none of them.",
            code="pick.unknown",
            address=address,
        )
    candidate = candidates[number - 1]
    facts = candidate.facts or source_of(candidate)
    if facts is None:
        raise PlanError(
            "the candidate was not fetched yet",
            f"A pick is bound to bytes, and those of candidate {number} of {address} are not here.",
            hints=hints,
            code="pick.not_here",
            address=address,
        )
    return facts.sha256


def settle_hint(addresses: Sequence[str]) -> str:
    """The command that settles what is in doubt at these addresses."""
    if len(addresses) > _MOST_NAMED:
        return "imagebatch resolve --list"
    return f"imagebatch resolve {' '.join(map(shlex.quote, addresses))}"


def _with_pick(picks: Picks, address: str, pick: Pick) -> Picks:
    return replace(picks, picks={**picks.picks, address: pick})
