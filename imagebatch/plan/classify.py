"""One address, exactly one action: the classification table.

`classify` is total: every combination of what is recorded, wanted, known elsewhere and on disk has one answer. Money
hangs on its order: first it is asked where the wanted draw already exists (the lock's entry, its earlier draws,
other entries, the draw index), and only when it is nowhere, and nothing stands against it, a paid action is the answer.

    an unsettled draw beside it   keep (in doubt), whatever else is due: what is said below comes after it
    not wanted                    keep (protected, in doubt, by policy), forget, delete
    reference not drawn yet       defer
    current picture fits          what upkeep finds: keep, fetch, buy, move, update, develop, or noop
    current picture is lost       what came of a newer draw; redraw where it is asked for; else keep
    protected, other picture due  keep
    draw running                  wait
    draw succeeded elsewhere      share, adopt
    draw in doubt                 wait (the provider can list), keep
    draw failed                   retry, redraw, keep: by its kind and the attempts made
    draw nowhere                  create, retry in place, redraw

Addresses that would draw one request twice are joined afterwards, in `sharing`.
"""

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import replace

from imagebatch.model.generation import (
    MAX_ACCEPTED_ATTEMPTS,
    RETRIED_BY_LATER_APPLIES,
    SET_ASIDE,
    Entry,
    Failure,
)
from imagebatch.model.picks import Pick
from imagebatch.model.recorded import PARTS_MISSING, KnownDraw, drawn_since
from imagebatch.model.variant import Variant
from imagebatch.plan.case import Case, DrawHistory, Found, answered, can_fetch, disputed, draw_history
from imagebatch.plan.outcome import drawing, outcome, waiting
from imagebatch.plan.parts import lacks_parts, not_here
from imagebatch.plan.picking import picked_by_bytes, wanted_files
from imagebatch.plan.reasons import why_other_draw
from imagebatch.plan.references import how_to_say_yes, stays_with_references
from imagebatch.plan.removal import SETTLE_FIRST, removal
from imagebatch.plan.types import Action, Change, Reason
from imagebatch.plan.upkeep import Due, policy_differs, upkeep

# Failures after which a provider may hold a generation that its own retry can start again.
_RESTARTABLE = frozenset({"provider", "blocked", "rejected", "no_credit"})


def classify(case: Case) -> Change:
    """The one change for an address: action, reason, price, and what else is due and free."""
    if not case.world.options.selects(case.address):
        return outcome(case, "noop", None)
    change = _by_what_is_wanted(case)
    doubt = case.doubt
    if doubt is None or change.reason == "in_doubt" or change.action == "wait":
        return change  # what runs is collected before anything else
    if case.wanted is None or case.address in case.world.options.destroy:
        return outcome(case, "keep", "in_doubt", SETTLE_FIRST, known=doubt)
    return _unfinished(case, case.wanted, doubt)


def _by_what_is_wanted(case: Case) -> Change:
    variant, entry = case.wanted, case.entry
    if variant is None or case.address in case.world.options.destroy:
        return removal(case, entry) if entry is not None else outcome(case, "noop", None)
    if variant.pending_references:
        return _deferred(case, variant)
    history = draw_history(case, variant)
    if entry is None:
        return _from_history(case, variant, history)
    if entry.status == "succeeded":
        return _with_picture(case, variant, entry, history)
    return _without_picture(case, variant, entry, history)


# --- a reference is not drawn yet ---------------------------------------------------------------------------------


def _deferred(case: Case, variant: Variant) -> Change:
    entry = case.entry
    if entry is not None and entry.status == "succeeded" and (variant.policy.protect or entry.held):
        return outcome(case, "keep", "protected", "its reference changes")
    if entry is not None and entry.status in {"pending", "in_doubt"}:
        return _unfinished(case, variant, _as_known_now(case, entry))
    if entry is not None and _stays(case, variant, entry, draw_history(case, variant)):
        return _kept(case, variant, entry, "references", how_to_say_yes(variant))
    waits_for = ", ".join(dict.fromkeys(variant.pending_references))
    return outcome(case, "defer", "reference_pending", f"waits for {waits_for}")


# --- a picture is there -------------------------------------------------------------------------------------------


def _with_picture(case: Case, variant: Variant, entry: Entry, history: DrawHistory) -> Change:
    pick = _standing_pick(case, variant, history)
    if pick is not None:
        stands = _chosen_by_hand(case, variant, entry, pick, history)
        if stands is not None:
            return stands
    due_again = history.least > entry.attempt
    if entry.draw == variant.draw and not due_again:
        return _maintained(case, variant, entry)
    if _stays(case, variant, entry, history):
        return _kept(case, variant, entry, "references", how_to_say_yes(variant))
    reason, detail = _why(case, variant, entry)
    if variant.policy.protect or entry.held:
        return _kept(case, variant, entry, "protected", f"a redraw is due: {detail}")
    edited = _edited(case, entry, history.best("succeeded"))
    if edited is not None:
        return _kept(case, variant, entry, "edited", f"{edited} was changed by hand, and a redraw is due: {detail}")
    return _from_history(case, variant, history, why=(reason, detail))


def _stays(case: Case, variant: Variant, entry: Entry, history: DrawHistory) -> bool:
    """Whether only its references changed, and nobody asked for another picture for that."""
    asked = history.least > entry.attempt or case.address in case.world.options.redraw
    return not asked and stays_with_references(variant, entry)


def _why(case: Case, variant: Variant, entry: Entry) -> tuple[Reason, str]:
    redo, pick = case.redo, case.pick
    if case.address in case.world.options.redraw:
        return "asked", "asked for by hand"
    if redo is not None and redo.attempt > entry.attempt and not answered(case, variant, redo.attempt):
        if pick is not None and not pick.use:
            return "rejected_pick", redo.note or "none of its candidates was picked"
        return "asked", redo.note or f"picks.yaml asks for attempt {redo.attempt}"
    if entry.draw == variant.draw:
        return "asked", "distinct: true asks for a picture of its own"
    return why_other_draw(
        old_type=entry.type, old_request=entry.request, new_type=variant.type, new_request=variant.request
    )


def _standing_pick(case: Case, variant: Variant, history: DrawHistory) -> Pick | None:
    """What accept, restore or file made stand for the wanted draw, unless a later redraw is still to be drawn."""
    pick, entry = case.pick, case.entry
    if pick is None or pick.was == "pick" or pick.for_draw != variant.draw or not pick.use:
        return None
    own = () if entry is None else (entry.attempt, *(earlier.attempt for earlier in entry.earlier))
    if history.floor <= max((history.newest, *own)):
        return pick
    asked_now = case.apart or case.address in case.world.options.redraw
    if entry is not None or asked_now:
        return None
    # What left the lock had reached the attempt that was asked for, if any was, when its picture was let stand.
    left = (draw.attempt for draw in case.world.known.offering(pick.use[0]))
    return pick if history.floor <= max(left, default=0) else None


def _chosen_by_hand(case: Case, variant: Variant, entry: Entry, pick: Pick, history: DrawHistory) -> Change | None:
    # accept, restore and file bind bytes to the wanted draw, whoever drew them.
    if picked_by_bytes(pick.use, entry.candidates) is not None:
        return _maintained(case, variant, entry)
    replaced = [
        Found(draw=KnownDraw.of_earlier(earlier), holder=entry, picked=earlier.picked) for earlier in entry.earlier
    ]
    found = _with_bytes(pick, (*replaced, *history.every))
    if found is not None:
        edited = _edited(case, entry)
        if edited is not None:
            return _kept(case, variant, entry, "edited", f"{edited} is kept; --force edited replaces it")
        return _taken(case, variant, found, detail=f"attempt {found.draw.attempt} is restored")
    if pick.was == "file":
        if not all(case.world.known.has_bytes(sha256) for sha256 in pick.use):
            command = f"imagebatch use {shlex.quote(case.address)} {shlex.quote(pick.file or 'FILE')}"
            detail = f"{pick.file} stands for the request and was not taken in here; `{command}` does"
            return _kept(case, variant, entry, "unavailable", detail)
        detail = "a file of one's own stands for the request"
        edited = _edited(case, entry)
        if edited is not None:
            return _kept(case, variant, entry, "edited", f"{edited} is kept; --force edited replaces it")
        return outcome(case, "adopt", "adopted", detail, also=("develop",), use=pick.use, own=pick.file)
    return None


def _drawn_for_another(case: Case, pick: Pick) -> Iterator[Found]:
    """Draws of other requests that offered what a person let stand for this one, and that left the lock since."""
    for draw in case.world.known.offering(pick.use[0]):
        if draw.token not in case.barred:
            yield Found(draw=draw)


def _with_bytes(pick: Pick, found: Iterable[Found]) -> Found | None:
    """The first draw among whose candidates are the bytes that a person chose."""
    return next(
        (
            one
            for one in found
            if one.draw.status == "succeeded" and picked_by_bytes(pick.use, one.draw.candidates) is not None
        ),
        None,
    )


def _edited(case: Case, entry: Entry, coming: Found | None = None) -> str | None:
    """A file that is not the lock's and that a new picture would replace, but for what is `coming` already there."""
    if "edited" in case.world.options.forces or case.wanted is None:
        return None
    # Only a file that a new picture would replace matters; others are left alone.
    picks = range(1, max(len(entry.candidates), case.wanted.offers, 1) + 1)
    wanted = {file.path for file in wanted_files(case.wanted, tuple(picks))}
    look = case.world.disk.look
    delivered = [one.facts for one in coming.draw.candidates if one.facts is not None] if coming is not None else []
    edited = [o.path for o in entry.outputs if o.path in wanted and look(o.path, o.sha256, o.bytes) == "edited"]
    # Beside a lock from an older commit may stand what a later run of ours put there.
    there = [path for path in edited if any(look(path, facts.sha256, facts.bytes) == "same" for facts in delivered)]
    return next((path for path in edited if path not in there), None)


def _maintained(case: Case, variant: Variant, entry: Entry) -> Change:
    due = upkeep(case, variant, entry, draw=variant.draw)
    if due.lost and not (variant.policy.protect or entry.held):
        history = draw_history(case, variant)
        newer = _newer_than(history, entry.attempt)
        came = tuple(found for found in newer.found if _came_of(found.draw, variant))
        if came and entry.draw == variant.draw:  # it was asked for again, and this is what came or may come of it
            return _from_history(case, variant, replace(newer, found=came), why=("unavailable", _lost(due)))
        if _asked_anew(case, due):
            return drawing(case, variant, "redraw", "unavailable", _lost(due), attempt=history.newest + 1)
    return _of_due(case, due)


def _asked_anew(case: Case, due: Due) -> bool:
    """Whether a lost picture is to be drawn once more: by force, or by a retry where its generation is gone."""
    retried = due.gone is not None and case.address in case.world.options.retry
    return due.lost and (retried or "missing" in case.world.options.forces)


def _lost(due: Due) -> str:
    return "its bytes are gone" if due.gone is None else "the provider has its generation no more"


def _came_of(draw: KnownDraw, variant: Variant) -> bool:
    # What failed is drawn again only when somebody asks again; what is drawn apart is nobody else's.
    return draw.status not in {"failed", "blocked"} and draw.salt == variant.salt


def _newer_than(history: DrawHistory, attempt: int) -> DrawHistory:
    return replace(history, found=tuple(found for found in history.found if found.draw.attempt > attempt))


def _of_due(case: Case, due: Due, detail: str = "") -> Change:
    ordered = due.ordered()
    if not ordered:
        return outcome(case, "noop", None, picked=due.picked, later=due.later, unpicked=due.unpicked)
    reason, text = due.actions[ordered[0]]
    return outcome(
        case,
        ordered[0],
        reason,
        detail or text,
        also=ordered[1:],
        picked=due.picked,
        unpicked=due.unpicked,
        costs=due.costs,
        later=due.later,
    )


def _kept(
    case: Case, variant: Variant, entry: Entry, reason: Reason, detail: str, *, known: KnownDraw | None = None
) -> Change:
    """Keep the present picture and do what is free on it."""
    due = upkeep(case, variant, entry, draw=entry.draw, buying=False)
    also = tuple(action for action in due.ordered() if action != "keep" and not (due.lost and action == "fetch"))
    picked = entry.picked if due.lost else due.picked
    return outcome(case, "keep", reason, detail, also=also, known=known, picked=picked, unpicked=due.unpicked)


# --- no picture yet -----------------------------------------------------------------------------------------------


def _without_picture(case: Case, variant: Variant, entry: Entry, history: DrawHistory) -> Change:
    over = _given_up(case, entry) or _has_come(case, variant, entry)
    if entry.status in {"pending", "in_doubt"} and not over:
        return _unfinished(case, variant, _as_known_now(case, entry))
    same = entry.draw == variant.draw
    why: tuple[Reason, str] | None = None if same else _why(case, variant, entry)
    change = _from_history(case, variant, history, why=why)
    # Nothing is lost by drawing what never succeeded, so protection does not stop it; the word is not `redraw` then.
    if change.action == "redraw" and (variant.policy.protect or entry.held):
        return replace(change, action="retry")
    return change


def _given_up(case: Case, entry: Entry) -> bool:
    """Whether a doubt that the lock still shows was closed since, and a newer attempt sent in its place."""
    draws = case.world.known.draws(entry.draw)
    doubted = any(draw.token == entry.token and draw.status in {"pending", "in_doubt"} for draw in draws)
    newer = any(draw.attempt > entry.attempt and draw.status in {"pending", "in_doubt", "succeeded"} for draw in draws)
    return entry.status == "in_doubt" and newer and not doubted


def _has_come(case: Case, variant: Variant, entry: Entry) -> bool:
    """Whether a draw that the lock shows unfinished is known to be drawn: a run died before the lock heard of it.

    An earlier request's that runs by the lock is waited for all the same: so it gets its place there, free.
    """
    draws = (draw for draw in case.world.known.draws(entry.draw) if draw.token == entry.token)
    drawn = any(draw.status == "succeeded" and not draw.open_intent for draw in draws)
    return drawn and (entry.status == "in_doubt" or entry.draw == variant.draw)


def _as_known_now(case: Case, entry: Entry) -> KnownDraw:
    """An entry's draw with what was learnt of it since the lock was written."""
    recorded = KnownDraw.of_entry(entry)
    newer = next((draw for draw in case.world.known.draws(entry.draw) if draw.token == entry.token), recorded)
    return newer if newer.status in {"pending", "in_doubt"} else recorded


def _unfinished(case: Case, variant: Variant, draw: KnownDraw) -> Change:
    """A draw that runs, or may run: the wanted one, or one that was wanted before."""
    other = "" if draw.draw == variant.draw else "an earlier request; what changed since is drawn afterwards"
    updates: tuple[Action, ...] = ()
    if case.entry is not None and (case.entry.labels != variant.labels or policy_differs(case, variant, case.entry)):
        updates = ("update",)
    known = draw if case.entry is None or draw != KnownDraw.of_entry(case.entry) else None
    if draw.status == "in_doubt" or draw.open_intent:
        return _in_doubt(case, variant, draw, other, updates, known=known)
    if other:
        return outcome(case, "wait", "pending", other, also=updates, known=known)
    if lacks_parts(draw):
        action: Action = "create" if case.entry is None else "retry"
        reason: Reason = "new" if case.entry is None else "failed"
        apart = _rest_alone(case, variant, draw, action, known=known)
        return apart or drawing(case, variant, action, reason, PARTS_MISSING, attempt=draw.attempt, known=known)
    return waiting(case, variant, "pending", "", also=updates, known=known)


def _rest_alone(
    case: Case, variant: Variant, draw: KnownDraw, action: Action, *, known: KnownDraw | None
) -> Change | None:
    """What becomes of a draw whose missing creates would not complete it; None where they would.

    What the other creates brought is on another machine only: paid here, the rest would be of use to nobody.
    """
    lost = not_here(case, draw)
    if not lost:
        return None
    if "missing" in case.world.options.forces or case.address in case.world.options.retry:
        attempt = draw_history(case, variant).newest + 1
        detail = "what came of it is not to be had, so all of it is drawn anew"
        return drawing(case, variant, action, "unavailable", detail, attempt=attempt)
    detail = (
        f"{lost} of its {len(draw.parts)} pictures came on another machine, and nobody can send them again: the "
        "missing ones are drawn there (or here once its .imagebatch/store/ is here); `--force missing` draws all anew"
    )
    return outcome(case, "keep", "unavailable", detail, known=known)


def _in_doubt(
    case: Case, variant: Variant, draw: KnownDraw, other: str, updates: tuple[Action, ...], *, known: KnownDraw | None
) -> Change:
    if case.world.listing_settles(draw):
        detail = other or "the provider's listing settles it; what it does not show is sent"
        return waiting(case, variant, "in_doubt", detail, also=updates, known=known, costs=(variant.price,))
    again = _sent_again(case, variant, draw, known)
    if again is not None:
        return again
    against = disputed(draw)
    why = f"{against.message}: " if against is not None else ""
    detail = f"{why}it may have been paid: settle it with `imagebatch resolve`"
    detail = f"{detail} ({other})" if other else detail
    if case.entry is not None and case.entry.status == "succeeded":
        later = case.entry.draw == draw.draw and case.entry.attempt > draw.attempt
        detail += f"; the picture {'of a later attempt' if later else 'before it'} stands meanwhile"
        return _kept(case, variant, case.entry, "in_doubt", detail, known=known)
    since = drawn_since(case.world.known.draws(draw.draw), draw)
    if since:
        detail += f"; attempt {since} was drawn since, and is taken once the doubt is closed"
    return outcome(case, "keep", "in_doubt", detail, also=updates, known=known)


def _sent_again(case: Case, variant: Variant, draw: KnownDraw, known: KnownDraw | None) -> Change | None:
    """What takes the place of a doubt because somebody said so; None where that may not be sent.

    Another request than the one in doubt is drawn in its place only where nothing of it is known: what was said of the
    one is not said of the other. Where an earlier attempt brought a picture that satisfies what is asked for, nothing
    is missing, and only a person who names the address has it drawn all the same; where a later one did, the doubt was
    answered, here or on another machine. All its doubts about that request are given up together.
    """
    entry = case.entry
    guarded = entry is not None and entry.status == "succeeded" and (variant.policy.protect or entry.held)
    if case.world.options.in_doubt != "resend" or variant.pending_references or guarded:
        return None
    history = draw_history(case, variant)
    if draw.draw != variant.draw and history.every:
        return None
    drawn = history.best("succeeded")
    if drawn is not None and (drawn.draw.attempt > draw.attempt or case.address not in case.world.options.resend):
        return None
    attempt = max(history.floor, history.newest + 1)
    detail = "sent again although the first may have been paid"
    change = drawing(case, variant, "retry", "in_doubt", detail, attempt=attempt, known=known)
    beside = (one for one in case.doubts if one.draw == draw.draw)
    return replace(change, gives_up=tuple(dict.fromkeys(token for one in (draw, *beside) for token in one.doubted())))


# --- the wanted draw, wherever it is ------------------------------------------------------------------------------


def _from_history(case: Case, variant: Variant, history: DrawHistory, why: tuple[Reason, str] | None = None) -> Change:
    """`why` is the reason of a redraw; None where no picture is replaced."""
    pick = _standing_pick(case, variant, history)
    if pick is not None:
        found = _with_bytes(pick, history.every) or _with_bytes(pick, _drawn_for_another(case, pick))
        if found is not None:
            return _taken(case, variant, found)
    if (found := history.best("succeeded")) is not None:
        taken = (_taken(case, variant, one) for one in history.found if one.draw.status == "succeeded")
        free = next((change for change in taken if change.action in {"adopt", "share"}), None)
        newer = _newer_than(history, found.draw.attempt)
        if free is None and newer.found:  # none can be had, and another was asked for: what came of that counts
            return _from_history(case, variant, newer, why)
        return free or _taken(case, variant, found)
    if (found := history.best("pending")) is not None:
        leader = found.shares_with
        if leader is not None and case.world.options.selects(leader):
            return outcome(case, "share", "shared", f"same request as {leader}", leader=leader)
        return _unfinished(case, variant, found.draw)
    for found in history.found:
        if found.draw.status == "in_doubt" or found.draw.open_intent:
            return _unfinished(case, variant, found.draw)
    failed = next((found for found in history.found if found.draw.failure or found.draw.status != "succeeded"), None)
    if failed is not None:
        return _after_failure(case, variant, failed.draw, why)
    return _nowhere(case, variant, history, why)


def _taken(case: Case, variant: Variant, found: Found, detail: str = "") -> Change:
    """Share or adopt a draw that succeeded."""
    draw, own = found.draw, case.entry
    promoted = Entry(
        provider=draw.provider or variant.provider,
        type=draw.type,
        draw=draw.draw,
        request=draw.request,
        labels=variant.labels,
        attempt=draw.attempt,
        token=draw.token,
        generation=draw.generation,
        status="succeeded",
        candidates=draw.candidates,
        picked=found.picked,
        outputs=own.outputs if own is not None else (),
        on_remove=variant.policy.on_remove,
        protect=variant.policy.protect,
    )
    due = upkeep(replace(case, moved_from=None), variant, promoted, draw=variant.draw, replaced=True)
    if due.lost:
        if _asked_anew(case, due) and not (own is not None and own.held and own.status == "succeeded"):
            action: Action = "redraw" if own is not None else "create"
            attempt = draw_history(case, variant).newest + 1
            return drawing(case, variant, action, "unavailable", _lost(due), attempt=attempt)
        asked_again: tuple[Action, ...] = ("fetch",) if "fetch" in due.actions else ()
        return outcome(case, "keep", *due.actions["keep"], also=asked_again, known=draw)
    also = tuple(action for action in due.ordered() if action not in {"keep", "update"})
    taken: tuple[Action, Reason] = ("adopt", "adopted") if found.shares_with is None else ("share", "shared")
    return outcome(
        case,
        *taken,
        detail or _from_where(found),
        also=also,
        known=draw,
        attempt=draw.attempt,
        picked=due.picked,
        unpicked=due.unpicked,
        costs=due.costs,
        later=due.later,
    )


def _from_where(found: Found) -> str:
    if found.shares_with is not None:
        return f"same request as {found.shares_with}"
    return "drawn before" if found.holder is None else "an earlier draw"


def _after_failure(case: Case, variant: Variant, draw: KnownDraw, why: tuple[Reason, str] | None) -> Change:
    failure = draw.failure or Failure(kind="provider", message="")
    asked = case.address in case.world.options.retry
    accepted = draw.generation is not None and not lacks_parts(draw)
    action: Action = "redraw" if why is not None else "retry"
    updates: tuple[Action, ...] = ()
    if case.entry is not None and policy_differs(case, variant, case.entry):
        updates = ("update",)
    if draw.status == "blocked" or failure.kind == "blocked":
        if "blocked" not in case.world.options.forces:
            return outcome(case, "keep", "blocked", _message(failure), also=updates)
        reason: Reason = "blocked"
    elif failure.kind not in RETRIED_BY_LATER_APPLIES and not asked:
        if case.entry is not None and why is None and can_fetch(draw, case.world):
            updates = ("fetch", *updates)
        detail = f"{_named(failure)}: {_lost_how(case, draw, failure)}"
        return outcome(case, "keep", "paid_failure", detail, also=updates)
    elif not asked and accepted and draw.attempt >= MAX_ACCEPTED_ATTEMPTS:
        detail = f"failed {draw.attempt} times; change the request or use `imagebatch retry`"
        return outcome(case, "keep", "failed", detail, also=updates)
    else:
        reason = "asked" if asked else "failed"
    in_place = (
        accepted
        and not draw.parts
        and (case.entry is None or case.entry.token == draw.token)
        and case.world.aliases.asked_at(draw.provider, draw.type, variant.provider) == variant.provider
        and _restartable(case, variant, failure)
    )
    known = draw if case.entry is None or case.entry.token != draw.token else None
    if lacks_parts(draw):
        if case.entry is None and reason == "failed":
            action, reason = "create", "new"
        apart = _rest_alone(case, variant, draw, action, known=known)
        if apart is not None:
            return apart
    attempt = draw.attempt + 1 if accepted else draw.attempt
    return drawing(case, variant, action, reason, _message(failure), attempt=attempt, in_place=in_place, known=known)


def _lost_how(case: Case, draw: KnownDraw, failure: Failure) -> str:
    if failure.provider_code == SET_ASIDE:
        return f"{failure.message}; the next apply takes it back, free"
    if failure.kind == "gone" and case.world.abilities(draw.type).answers == "now":
        return "it was paid, and its picture is only where its answer came; `imagebatch retry` pays for another"
    return "it may have been paid; `imagebatch retry` draws it again"


def _restartable(case: Case, variant: Variant, failure: Failure) -> bool:
    return case.world.abilities(variant.type).can_retry and failure.kind in _RESTARTABLE


def _named(failure: Failure) -> str:
    """The failure's kind, with the code that the apply gave where it says more."""
    kind, code = failure.kind, failure.code
    return kind if code.rpartition(".")[2] == kind else f"{kind} ({code})"


def _message(failure: Failure) -> str:
    if failure.message == PARTS_MISSING:  # the provider said nothing of the kind
        return failure.message
    return f"{failure.kind}: {failure.message}" if failure.message else failure.kind


def _nowhere(case: Case, variant: Variant, history: DrawHistory, why: tuple[Reason, str] | None) -> Change:
    entry = case.entry
    attempt = max(history.floor, history.newest + 1)
    if entry is None:
        return drawing(case, variant, "create", "new", "not in the lock", attempt=attempt)
    reason, detail = why if why is not None else _why(case, variant, entry)
    if _fixed_in_place(case, variant, entry):
        attempt = max(entry.attempt + 1, attempt)
        return drawing(case, variant, "retry", reason, detail, attempt=attempt, in_place=True)
    return drawing(case, variant, "redraw", reason, detail, attempt=attempt)


def _fixed_in_place(case: Case, variant: Variant, entry: Entry) -> bool:
    """A failed generation whose request changed is updated and started again under its id, where that is possible."""
    abilities = case.world.abilities(entry.type)
    failure = entry.failure or Failure(kind="provider", message="")
    return (
        entry.status in {"failed", "blocked"}
        and entry.generation is not None
        and not entry.parts
        and entry.type == variant.type
        and entry.provider == variant.provider
        and variant.parts == 1
        and abilities.can_update
        and _restartable(case, variant, failure)
    )
