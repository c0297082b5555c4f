"""The conformance kit: what every provider adapter must keep to, ours and those of plug-ins, as plain checks.

A plug-in's author makes a `Subject` (the adapter, a wire to a test server, params that the server takes) and runs every
check of `CHECKS` that `applies` to it; a broken promise raises BrokenPromiseError with a sentence. No test framework is
needed:

    for check in CHECKS:
        if check.applies(subject):
            await check.run(subject)

The checks of `offline` need no server; those of `online` draw a few pictures on the subject's wire.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from imagebatch.providers.conformance import offline, online
from imagebatch.providers.conformance.subject import BrokenPromiseError, Subject

__all__ = ["CHECKS", "BrokenPromiseError", "Check", "Subject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One promise: its sentence, whether it concerns a subject, and the proof."""

    promise: str
    applies: Callable[[Subject], bool]
    run: Callable[[Subject], Awaitable[None]]


def _check(run: Callable[[Subject], Awaitable[None]], applies: Callable[[Subject], bool] = lambda _: True) -> Check:
    return Check(promise=(run.__doc__ or "").strip().rstrip("."), applies=applies, run=run)


CHECKS: tuple[Check, ...] = (
    _check(offline.abilities),
    _check(offline.encoding),
    _check(offline.unknown_param),
    _check(offline.empty_prompt),
    _check(offline.statuses),
    _check(offline.strange_successes),
    _check(offline.lost),
    _check(offline.hostile_ids),
    _check(offline.delete_nothing, lambda s: s.adapter.capabilities.can_delete),
    _check(online.draws),
    _check(online.unknown_generation, lambda s: s.adapter.capabilities.answers == "later"),
    _check(online.lists, lambda s: s.adapter.capabilities.can_list),
    _check(online.updates, lambda s: s.adapter.capabilities.can_update),
    _check(online.fails_and_retries, lambda s: s.failing_prompt is not None),
    _check(online.retry_of_a_success, lambda s: s.adapter.capabilities.can_retry),
    _check(online.deletes, lambda s: s.adapter.capabilities.can_delete),
    _check(online.buys, lambda s: s.adapter.capabilities.can_buy),
    _check(online.checks, lambda s: s.adapter.capabilities.can_check),
    _check(online.refuses_a_bad_key, lambda s: s.bad_key_wire is not None),
    _check(online.witnesses, lambda s: s.adapter.capabilities.witness == "billing"),
    _check(online.edits, lambda s: s.reference is not None),
)
