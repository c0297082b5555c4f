"""The classification table over every combination of its inputs: total, and true to the laws of money."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import Any

import pytest

from imagebatch.model.generation import DELETED, Entry, Failure, FailureKind, disputed
from imagebatch.model.picks import Pick, Picks
from imagebatch.model.recorded import KnownDraw
from imagebatch.model.settings import Redo
from imagebatch.model.variant import CANDIDATE_MARK, Variant
from imagebatch.plan.types import ACTIONS, PAID_ACTIONS, Change, Reason
from tests.unit.plan.worlds import (
    World,
    candidates_of,
    earlier_of,
    entry_of,
    token_of,
    variant,
)

KINDS: tuple[FailureKind, ...] = FailureKind.__args__  # type: ignore[attr-defined]  # typing has no public way
RECORDED = ("nothing", "succeeded", "pending", "in_doubt", "blocked", *(f"failed:{kind}" for kind in KINDS))
KNOWN = ("nothing", "stored", "fetchable", "pending", "open", "failed", "earlier", "gone", "deleted")
GONE = Failure(kind="gone", message="")
DELETED_HERE = Failure(kind="gone", message="", provider_code=DELETED)
REASONS: tuple[Reason, ...] = Reason.__args__  # type: ignore[attr-defined]  # likewise


@dataclass(frozen=True, kw_only=True)
class Point:
    """One combination; `same` tells whether the lock's draw is the wanted one."""

    recorded: str
    wanted: bool
    same: bool
    accepted: bool
    attempt: int
    guard: str
    known: str
    disk: str
    provider: str
    ask: str


def points() -> Iterator[Point]:
    for recorded, wanted, same, guard, known, disk, provider, ask in product(
        RECORDED,
        (True, False),
        (True, False),
        ("", "protect", "held"),
        KNOWN,
        ("same", "missing", "edited", "lost"),
        ("studio", "hub"),
        ("", "redo", "accept"),
    ):
        failed = recorded.startswith(("failed", "blocked"))
        if (recorded == "nothing" and (not same or guard == "held" or disk != "same")) or (
            not wanted and (known != "nothing" or ask or not same)
        ):
            continue
        if recorded not in {"succeeded", "nothing"} and disk != "same":
            continue
        for accepted, attempt in ((True, 1), (True, 3), (False, 1)) if failed else ((True, 1),):
            yield Point(
                recorded=recorded, wanted=wanted, same=same, accepted=accepted, attempt=attempt, guard=guard,
                known=known, disk=disk, provider=provider, ask=ask,
            )  # fmt: skip


def build(point: Point) -> tuple[World, Variant]:
    wanted = variant(provider=point.provider, policy={"protect": point.guard == "protect"})
    old = variant(prompt="a wolf", provider=point.provider, policy={"protect": point.guard == "protect"})
    world = World()
    if point.recorded != "nothing":
        world.have("hero", _entry(point, wanted if point.same else old))
    if point.disk == "lost":
        world.known.stored.clear()
    if point.disk in {"missing", "lost"}:
        world.disk.files.clear()
    if point.disk == "edited":
        world.disk.files = dict.fromkeys(world.disk.files, "sha256:by hand")
    _know(world, point, wanted)
    if point.ask == "redo":
        world.picks = Picks(redo={"hero": Redo(attempt=point.attempt + 1)})
    if point.ask == "accept" and point.recorded == "succeeded":
        present = world.lock.entries["hero"].candidates[0].facts
        assert present is not None
        world.picks = Picks(picks={"hero": Pick(for_draw=wanted.draw, use=(present.sha256,), was="accept")})
    return world, wanted


def _entry(point: Point, drawn: Variant) -> Entry:
    held = point.guard == "held"
    entry = entry_of(drawn, attempt=point.attempt, held=held, protect=bool(point.guard))
    status, _, kind = point.recorded.partition(":")
    if status == "succeeded":
        return entry
    bare = replace(entry, candidates=(), picked=(), outputs=(), generation=entry.generation if point.accepted else None)
    if status == "blocked":
        return replace(bare, status="blocked", failure=Failure(kind="blocked", message="moderation"))
    if status == "failed":
        return replace(bare, status="failed", failure=Failure(kind=kind, message=""))  # type: ignore[arg-type]  # from KINDS
    return replace(bare, status=status, generation=None if status == "in_doubt" else "g-1")  # type: ignore[arg-type]  # two words


def _know(world: World, point: Point, wanted: Variant) -> None:
    if point.known == "nothing":
        return
    attempt = point.attempt + (1 if point.ask == "redo" else 0)
    draw = KnownDraw(
        draw=wanted.draw, type=wanted.type, request=wanted.request, attempt=attempt, token=token_of(wanted, attempt),
        generation="g-known", status="succeeded", candidates=candidates_of(wanted, attempt),
    )  # fmt: skip
    if point.known == "earlier" and point.recorded != "nothing":
        entry = world.lock.entries["hero"]
        known_before = replace(earlier_of(entry_of(wanted, attempt=attempt)), generation="g-earlier")
        world.lock.entries["hero"] = replace(entry, earlier=(known_before,))
        world.store(known_before.candidates)
    elif point.known in {"stored", "earlier"}:
        world.store(draw.candidates)
        world.know(draw)
    elif point.known == "fetchable":
        world.know(draw)
    elif point.known in {"gone", "deleted"}:
        world.know(replace(draw, failure=GONE if point.known == "gone" else DELETED_HERE))
    elif point.known == "pending":
        world.know(replace(draw, status="pending", candidates=()))
    elif point.known == "open":
        world.know(replace(draw, status="in_doubt", generation=None, candidates=(), open_intent=True))
    else:
        failure = Failure(kind="provider", message="")
        world.know(replace(draw, status="failed", candidates=(), failure=failure))


@cache
def change_of(point: Point, **options: Any) -> Change:
    world, wanted = build(point)
    if not point.wanted and point.recorded == "nothing":
        return Change(address="hero", action="noop", reason=None)
    return world.one(wanted if point.wanted else None, **options)


ALL = list(points())


def test_every_combination_has_exactly_one_action_and_a_reason() -> None:
    assert len(ALL) > 3000
    seen = set()
    for point in ALL:
        change = change_of(point)
        assert change.action in ACTIONS, point
        assert (change.reason is None) == (change.action == "noop"), (point, change)
        assert change.reason is None or change.reason in REASONS, point
        assert change.action not in change.also, (point, change)
        assert len(set(change.also)) == len(change.also), (point, change)
        assert not PAID_ACTIONS & set(change.also) - {"buy"}, (point, change)
        assert list(change.also) == [action for action in ACTIONS if action in change.also], (point, change)
        seen.add(change.action)
    expected = {"keep", "wait", "fetch", "adopt", "create", "redraw", "retry", "develop", "forget", "noop"}
    assert seen == expected


def test_what_is_protected_is_never_redrawn_forgotten_or_deleted() -> None:
    for point in ALL:
        if point.guard:
            for forces in (frozenset(), frozenset({"missing", "blocked", "edited", "deletes", "redraws"})):
                change = change_of(point, forces=forces)
                assert change.action not in {"redraw", "forget", "delete"}, (point, change)


def test_a_draw_known_to_have_succeeded_is_never_paid_for_again() -> None:
    for point in ALL:
        if point.wanted and point.known in {"stored", "fetchable", "earlier", "gone", "deleted"}:
            change = change_of(point)
            assert change.action not in PAID_ACTIONS, (point, change)


@pytest.mark.parametrize("status", ["pending", "in_doubt"])
@pytest.mark.parametrize("provider", ["studio", "hub"])
def test_what_has_come_while_the_lock_shows_it_unfinished_is_taken(provider: str, status: Any) -> None:
    wanted = variant(provider=provider)
    drawn = entry_of(wanted)
    unfinished = replace(drawn, status=status, candidates=(), picked=(), outputs=())
    world = World().have("hero", unfinished).know(KnownDraw.of_entry(drawn))
    world.store(drawn.candidates)
    change = world.one(wanted)
    assert (change.action, change.also) == ("adopt", ("develop",))
    assert change.costs == ()


def test_a_draw_that_runs_or_is_in_doubt_is_never_paid_for_again() -> None:
    for point in ALL:
        recorded = point.recorded in {"pending", "in_doubt"}
        elsewhere = point.known in {"pending", "open"} and not point.ask
        if point.wanted and (recorded or elsewhere):
            change = change_of(point)
            assert change.action not in PAID_ACTIONS, (point, change)


def test_what_was_blocked_is_not_sent_again_without_force() -> None:
    for point in ALL:
        if point.recorded == "blocked" and point.wanted and point.same and not point.ask and point.known == "nothing":
            change = change_of(point)
            assert (change.action, change.reason) == ("keep", "blocked"), (point, change)
            forced = change_of(point, forces=frozenset({"blocked"}))
            assert (forced.action, forced.reason) == ("retry", "blocked"), (point, forced)


def test_a_picture_that_may_have_been_paid_is_drawn_again_only_when_asked() -> None:
    for point in ALL:
        kind = point.recorded.partition(":")[2]
        plain = point.wanted and point.same and not point.ask and point.known == "nothing"
        if plain and kind in {"gone", "no_images", "bad_image", "expired"}:
            change = change_of(point)
            assert (change.action, change.reason) == ("keep", "paid_failure"), (point, change)
            assert ("fetch" in change.also) == (point.provider == "studio" and point.accepted), (point, change)
            assert change.costs == (), (point, change)
            asked = change_of(point, retry=frozenset({"hero"}))
            assert (asked.action, asked.reason) == ("retry", "asked"), (point, asked)


def test_free_failures_are_retried_until_three_attempts_were_accepted() -> None:
    for point in ALL:
        kind = point.recorded.partition(":")[2]
        plain = point.wanted and point.same and not point.ask and point.known == "nothing"
        if plain and kind in {"rejected", "no_credit", "provider"}:
            change = change_of(point)
            if point.accepted and point.attempt == 3:
                assert (change.action, change.reason) == ("keep", "failed"), (point, change)
            else:
                assert (change.action, change.reason) == ("retry", "failed"), (point, change)
                # What the provider never took is sent under its old token: nothing of it exists.
                assert change.attempt == point.attempt + (1 if point.accepted else 0), (point, change)


def test_pictures_of_a_generation_that_is_gone_are_promised_nowhere_and_drawn_again_when_asked() -> None:
    for point in ALL:
        if not point.wanted or point.known not in {"gone", "deleted"}:
            continue
        world, wanted = build(point)
        change = change_of(point)
        taken = change.known if change.known is not None else change.entry
        of_it = taken is not None and taken.token == world.known.draws(wanted.draw)[0].token
        if of_it and change.reason in {"unavailable", "paid_failure"}:
            assert change.action == "keep", (point, change)
            # It is asked for again, wherever it is known from: the provider's word may have been a slip.
            assert ("fetch" in change.also) == (point.known == "gone"), (point, change)
            assert change.costs == (), (point, change)
            asked = change_of(point, retry=frozenset({"hero"}))
            guarded = point.guard and point.recorded == "succeeded"
            draws = {"create"} if change.entry is None else {"redraw", "retry"}
            assert asked.action in ({"keep"} if guarded else draws), (point, asked)
        elif of_it:
            assert not {"fetch", "buy"} & {change.action, *change.also}, (point, change)


@pytest.mark.parametrize(
    ("failure", "reason", "also"), [(GONE, "paid_failure", ("fetch",)), (DELETED_HERE, "unavailable", ())]
)
@pytest.mark.parametrize("lacking", ["bytes", "resolution", "candidates"])
def test_a_lost_picture_is_kept_with_a_word_that_works(
    failure: Failure, reason: Reason, also: tuple[str, ...], lacking: str
) -> None:
    policy = {"resolution": {"resolution": "full"}, "candidates": {"pick": "review"}}.get(lacking, {})
    wanted = variant(policy=policy)
    entry = entry_of(variant(), picked=() if lacking == "candidates" else (1,))
    stored = lacking == "resolution"
    world = World().have("hero", entry, placed=stored, stored=stored)
    world.know(replace(KnownDraw.of_entry(entry), failure=failure))
    change = world.one(wanted)
    assert (change.action, change.reason, change.also, change.costs) == ("keep", reason, also, ())
    assert "imagebatch retry" in change.detail
    again = world.one(wanted, retry=frozenset({"hero"}))
    assert (again.action, again.reason, again.attempt) == ("redraw", "unavailable", 2)
    # Out of the lock it is the same picture: nothing is adopted that cannot be had.
    del world.lock.entries["hero"]
    change = world.one(wanted)
    assert (change.action, change.reason, change.also, change.costs) == ("keep", reason, also, ())
    again = world.one(wanted, retry=frozenset({"hero"}))
    assert (again.action, again.reason, again.attempt) == ("create", "unavailable", 2)


def test_of_a_generation_that_is_gone_what_is_in_the_store_is_used() -> None:
    wanted = variant()
    entry = entry_of(wanted)
    world = World().know(replace(KnownDraw.of_entry(entry), failure=DELETED_HERE))
    world.store(entry.candidates[:1])
    change = world.one(wanted)
    assert (change.action, change.also) == ("adopt", ("develop",))
    every = variant(outputs=(f"outputs/{CANDIDATE_MARK}.jpg",), policy={"pick": "all"})
    assert (world.one(every).action, world.one(every).reason) == ("keep", "unavailable")
    review = world.one(variant(policy={"pick": "review"}))
    assert (review.action, review.also) == ("adopt", ())


@pytest.mark.parametrize("status", ["pending", "in_doubt", "succeeded"])
@pytest.mark.parametrize("recorded", [True, False])
def test_a_lost_picture_that_was_asked_for_again_is_not_drawn_a_third_time(status: str, *, recorded: bool) -> None:
    wanted = variant()
    lost = KnownDraw.of_entry(entry_of(wanted))
    doubtful = status == "in_doubt"
    newer = replace(
        lost, attempt=2, token=token_of(wanted, 2), generation=None if doubtful else "g-2", status=status,  # type: ignore[arg-type]  # three words
        candidates=candidates_of(wanted, 2) if status == "succeeded" else (), open_intent=doubtful,
    )  # fmt: skip
    world = World().know(replace(lost, failure=DELETED_HERE), newer)
    if recorded:
        world.have("hero", entry_of(wanted), placed=False, stored=False)
    for options in ({}, {"retry": frozenset({"hero"})}, {"forces": frozenset({"missing"})}):
        change = world.one(wanted, **options)
        assert change.action == ("adopt" if status == "succeeded" else "wait"), (options, change)
        assert change.known == newer


def test_an_older_draw_that_is_here_is_taken_before_a_newer_one_that_is_lost() -> None:
    wanted = variant()
    older = KnownDraw.of_entry(entry_of(wanted))
    newer = replace(
        older, attempt=2, token=token_of(wanted, 2), candidates=candidates_of(wanted, 2), failure=DELETED_HERE
    )
    world = World().know(older, newer)
    world.store(older.candidates)
    for options in ({}, {"retry": frozenset({"hero"})}):
        change = world.one(wanted, **options)
        assert (change.action, change.attempt) == ("adopt", 1)


def test_labels_of_a_generation_that_is_gone_are_recorded_here_only() -> None:
    entry = entry_of(variant())
    world = World().have("hero", entry)
    assert world.one(variant(labels="fancy")).detail == ""
    world.know(replace(KnownDraw.of_entry(entry), failure=GONE))
    change = world.one(variant(labels="fancy"))
    assert (change.action, change.reason) == ("update", "labels")
    assert change.detail.startswith("recorded here only")


def test_something_unwanted_follows_the_policy_in_the_lock() -> None:
    wanted = variant()
    for on_remove, action, reason in (
        ("keep", "keep", "removed"),
        ("trash", "forget", "removed"),
        ("delete", "delete", "removed"),
    ):
        world = World().have("hero", entry_of(wanted, on_remove=on_remove))
        change = world.one(None)
        assert (change.action, change.reason) == (action, reason)


def test_a_missing_picture_is_fetched_or_kept_and_never_redrawn_by_itself() -> None:
    for provider, action, reason in (("studio", "fetch", "output_missing"), ("hub", "keep", "unavailable")):
        wanted = variant(provider=provider)
        world = World().have("hero", entry_of(wanted), placed=False, stored=False)
        change = world.one(wanted)
        assert (change.action, change.reason) == (action, reason)
        assert ("the machine that drew it may have them" in change.detail) is (provider == "hub")
    forced = world.one(wanted, forces=frozenset({"missing"}))
    assert (forced.action, forced.reason, forced.attempt) == ("redraw", "unavailable", 2)


def test_a_second_plan_after_an_undisturbed_apply_is_empty() -> None:
    for point in ALL:
        world, wanted = build(point)
        variants = [wanted] if point.wanted else []
        first = world.plan(variants)
        if any(change.reason == "in_doubt" for change in first.changes):
            continue  # what settling finds is not the plan's to know
        world.perform(first)
        second = world.plan(variants)
        if point.recorded == "pending" and (not point.same or point.ask == "redo"):
            world.perform(second)  # an earlier request ran to its end first
            second = world.plan(variants)
        fetching = {change.address for change in second.changes if change.reason == "paid_failure"}
        left = [change for change in second.changes if change.address not in fetching]
        assert all(change.action == "keep" and not change.also for change in left), (point, first.changes, left)
        assert second.costs == (), (point, second)


def test_an_unselected_address_is_left_as_it_is_and_counted_nowhere() -> None:
    for point in ALL[:: len(ALL) // 300]:
        world, wanted = build(point)
        plan = world.plan([wanted] if point.wanted else [], detail=True, selected=frozenset({"other"}))
        assert plan.changes == (), point
        assert not any(plan.counts.values()), point


@pytest.mark.parametrize("provider", ["studio", "hub"])
def test_doubt_is_settled_by_a_listing_and_waits_for_a_person_elsewhere(provider: str) -> None:
    wanted = variant(provider=provider)
    doubtful = entry_of(wanted, status="in_doubt", generation=None, candidates=(), picked=(), outputs=())
    world = World().have("hero", doubtful)
    change = world.one(wanted)
    assert (change.action, change.reason) == (("wait" if provider == "studio" else "keep"), "in_doubt")
    resent = world.one(wanted, in_doubt="resend")
    if provider == "hub":
        assert (resent.action, resent.attempt, resent.costs) == ("retry", 2, (wanted.price,))


@pytest.mark.parametrize("policy", ["skip", "stop", "resend"])
def test_a_doubt_that_another_witness_disputes_is_not_settled_by_a_listing(policy: Any) -> None:
    wanted = variant(provider="studio")
    doubtful = entry_of(wanted, status="in_doubt", generation=None, candidates=(), picked=(), outputs=())
    world = World().have("hero", replace(doubtful, failure=disputed("the balance fell")))
    change = world.one(wanted, in_doubt=policy)
    assert (change.action, change.reason) == (("retry" if policy == "resend" else "keep"), "in_doubt")
    assert policy == "resend" or "the balance fell" in change.detail


def test_a_deferred_variant_keeps_what_is_protected_and_waits_for_what_runs() -> None:
    wanted = variant(pending_references=("logo",))
    plain = variant()
    assert World().one(wanted).action == "defer"
    assert World().have("hero", entry_of(plain)).one(wanted).action == "defer"
    held = World().have("hero", entry_of(plain, held=True)).one(wanted)
    assert (held.action, held.reason) == ("keep", "protected")
    running = entry_of(plain, status="pending", candidates=(), picked=(), outputs=())
    assert World().have("hero", running).one(wanted).action == "wait"


def test_policy_and_labels_are_noted_while_a_picture_is_drawn_or_failing() -> None:
    wanted = variant(policy={"on_remove": "keep"})
    for status, failure, action in (
        ("pending", None, "wait"),
        ("blocked", Failure(kind="blocked", message=""), "keep"),
    ):
        entry = entry_of(variant(), status=status, failure=failure, candidates=(), picked=(), outputs=())
        change = World().have("hero", entry).one(wanted)
        assert (change.action, change.also) == (action, ("update",))


BESIDE = ("an earlier attempt", "another request", "another request, and the wanted one is due")


@pytest.mark.parametrize("beside", BESIDE)
@pytest.mark.parametrize("provider", ["studio", "hub"])
def test_a_doubt_beside_a_picture_is_told_until_it_is_settled(beside: str, provider: str) -> None:
    wanted = variant(provider=provider)
    other = variant(provider=provider, prompt="a doubt")
    asked = wanted if beside == BESIDE[0] else other
    lost = KnownDraw.of_entry(
        entry_of(asked, attempt=2, status="in_doubt", generation=None, candidates=(), picked=(), outputs=())
    )
    world = World().have("hero", entry_of(wanted)).doubt("hero", replace(lost, open_intent=True))
    now = variant(provider=provider, prompt="a third") if beside == BESIDE[2] else wanted
    change = world.one(now)
    if provider == "studio":  # its listing tells, and nobody has to
        assert change.reason != "in_doubt"
        return
    assert (change.action, change.reason, change.costs) == ("keep", "in_doubt", ())
    assert "stands meanwhile" in change.detail
    assert world.one(now, redraw=frozenset({"hero"})).action == "keep", "what is in doubt is asked for once more"
    assert world.one(None).reason == "in_doubt"
    again = world.one(now, in_doubt="resend")
    if beside == BESIDE[2]:
        assert (again.action, again.known) == ("retry", change.known)
    else:
        assert (again.action, again.costs) == ("keep", ()), "a picture that stands was paid again"
    if beside == BESIDE[0]:
        named = world.one(now, in_doubt="resend", resend=frozenset({"hero"}))
        assert (named.action, named.attempt, named.known) == ("retry", 3, change.known)
    held = World().have("hero", entry_of(wanted, held=True)).doubt("hero", replace(lost, open_intent=True))
    assert held.one(now, in_doubt="resend").action == "keep"


def test_what_nobody_wants_and_nothing_records_is_told_of_while_it_is_in_doubt() -> None:
    wanted = variant(provider="hub")
    lost = replace(
        KnownDraw.of_entry(entry_of(wanted, status="in_doubt", generation=None, candidates=(), picked=(), outputs=())),
        open_intent=True,
    )
    change = World().doubt("hero", lost).one(None)
    assert (change.action, change.reason, change.known) == ("keep", "in_doubt", lost)


def test_another_request_is_not_sent_in_the_place_of_a_doubt_where_it_is_known_elsewhere() -> None:
    before, wanted = variant(provider="hub", prompt="a doubt"), variant(provider="hub")
    doubtful = entry_of(before, status="in_doubt", generation=None, candidates=(), picked=(), outputs=())
    assert World().have("hero", doubtful).one(wanted, in_doubt="resend").action == "retry"
    known = World().have("hero", doubtful).know(KnownDraw.of_entry(entry_of(wanted)))
    assert known.one(wanted, in_doubt="resend").action == "keep"


def test_a_doubt_is_sent_again_with_all_that_is_open_beside_it_and_never_over_a_later_picture() -> None:
    wanted = variant(provider="hub")
    bare = entry_of(wanted, status="in_doubt", generation=None, candidates=(), picked=(), outputs=())
    second = KnownDraw.of_entry(entry_of(wanted, attempt=2, status="in_doubt", generation=None, candidates=()))
    world = World().have("hero", bare).know(KnownDraw.of_entry(bare))
    world = world.doubt("hero", replace(second, open_intent=True))
    again = world.one(wanted, in_doubt="resend")
    assert (again.action, again.attempt, set(again.gives_up)) == ("retry", 3, {bare.token, second.token})
    later = World().have("hero", entry_of(wanted, attempt=3)).doubt("hero", replace(second, open_intent=True))
    kept = later.one(wanted, in_doubt="resend")
    assert (kept.action, kept.reason, kept.gives_up) == ("keep", "in_doubt", ())
    assert "of a later attempt stands" in kept.detail
    assert later.one(wanted, in_doubt="resend", resend=frozenset({"hero"})) == kept, "the later attempt answered it"
    redrawn = World().have("hero", entry_of(wanted)).doubt("hero", replace(second, open_intent=True))
    assert redrawn.one(wanted, in_doubt="resend").action == "keep"
    named = redrawn.one(wanted, in_doubt="resend", resend=frozenset({"hero"}))
    assert (named.action, named.attempt, named.gives_up) == ("retry", 3, (second.token,))
    asked = later.one(wanted, in_doubt="resend", redraw=frozenset({"hero"}))
    assert (asked.action, asked.attempt) == ("retry", 4), "another picture was asked for"
