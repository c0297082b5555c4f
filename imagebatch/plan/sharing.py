"""One request, one draw: addresses that would pay for the same picture are joined behind a leader.

Also here: a purchase that several addresses share is made once, and attempts of one fingerprint that several provider
aliases draw get numbers of their own, because the token knows no alias.
"""

from dataclasses import replace

from imagebatch.plan.types import DRAW_ACTIONS, Action, Change

_DRAWS: frozenset[Action] = DRAW_ACTIONS | {"wait"}


def share_draws(changes: dict[str, Change]) -> None:
    """Turn all but one of the changes that draw one request of one alias into `share`; works in place."""
    groups: dict[tuple[str, str], list[Change]] = {}
    for change in changes.values():
        variant = change.variant
        if change.action in _DRAWS and variant is not None and not variant.policy.distinct and _draws_wanted(change):
            groups.setdefault((variant.draw, variant.provider), []).append(change)
    attempts: dict[str, int] = {}
    for (draw, _), members in sorted(groups.items(), key=lambda item: item[0]):
        leader = min(members, key=_leadership)
        for change in members:
            if change.address != leader.address and not _runs_apart(change, leader):
                changes[change.address] = _following(change, leader.address)
        if leader.action in DRAW_ACTIONS and not leader.in_place:
            attempt = max(leader.attempt, attempts.get(draw, 0) + 1)
            attempts[draw] = attempt
            if attempt != leader.attempt:
                changes[leader.address] = replace(leader, attempt=attempt)
    _buy_once(changes)


def _runs_apart(change: Change, leader: Change) -> bool:
    """Two generations of one request that both run were both paid for; each is waited for."""
    return change.action == "wait" and _token(change) != _token(leader)


def _token(change: Change) -> str:
    if change.known is not None:
        return change.known.token
    return change.entry.token if change.entry is not None else ""


def _draws_wanted(change: Change) -> bool:
    # A wait for an earlier request of this address does not bring the wanted picture.
    if change.action != "wait" or change.variant is None:
        return True
    running = change.known.draw if change.known is not None else change.entry.draw if change.entry is not None else ""
    return running == change.variant.draw


def _leadership(change: Change) -> tuple[int, str]:
    """What runs already leads, then what the lock has with this draw, then the first address."""
    has_it = change.entry is not None and change.variant is not None and change.entry.draw == change.variant.draw
    return (0 if change.action == "wait" else 1 if has_it else 2), change.address


def _following(change: Change, leader: str) -> Change:
    return replace(
        change,
        action="share",
        reason="shared",
        detail=f"same request as {leader}",
        leader=leader,
        known=None,
        costs=(),
        later=None,
        in_place=False,
        also=tuple(action for action in change.also if action != "buy"),
    )


def _buy_once(changes: dict[str, Change]) -> None:
    buyers: dict[tuple[str, int, str], str] = {}
    for address in sorted(changes):
        change = changes[address]
        if change.variant is None or not ("buy" in change.also or change.action == "buy") or not change.picked:
            continue
        keys = [(_token(change), index, change.variant.policy.resolution) for index in change.picked]
        first = buyers.get(keys[0])
        if first is not None and all(key in buyers for key in keys):
            if change.action == "buy":
                changes[address] = _following(change, first)
            else:
                also = tuple(action for action in change.also if action != "buy")
                changes[address] = replace(change, leader=first, costs=(), also=also)
            continue
        for key in keys:
            buyers.setdefault(key, address)
