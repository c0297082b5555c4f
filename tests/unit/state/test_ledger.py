"""The fold: what exists, what is open, and every draw that is known."""

from dataclasses import replace

import pytest

from imagebatch.errors import StateError
from imagebatch.model.event import (
    Abandoned,
    Accepted,
    BoughtStored,
    Doubted,
    Dropped,
    Event,
    Fetched,
    Intended,
    Kept,
    Observed,
    Placing,
    Refused,
)  # fmt: skip
from imagebatch.model.generation import DELETED, Bought, Candidate, Earlier, Entry, Failure, Output, Part, Status
from imagebatch.model.recorded import Known, Recorded
from imagebatch.model.token import make_token
from imagebatch.state.attempts import Attempt
from imagebatch.state.known_here import KnownHere
from imagebatch.state.ledger import Ledger
from imagebatch.state.lockfile import Lock, empty_lock, glance_of
from imagebatch.state.records import decode_event, encode_event
from tests.unit.state.worlds import DRAW, LINEAGE, REQUEST, TOKEN, drawn, entry, facts, intended, sha

ACCEPTED = Accepted(step="create", token=TOKEN, attempt=1, generation="g1")
OFFERED = Observed(token=TOKEN, status="succeeded", candidates=(Candidate(id="a"), Candidate(id="b")), cost=("1 EUR",))


def ledger(*events: Event, lock: Lock | None = None) -> Ledger:
    return Ledger(lock or empty_lock(LINEAGE), events)


def locked(**entries: object) -> Lock:
    return empty_lock(LINEAGE).with_changes(entries)  # type: ignore[arg-type]  # entries by address


# Recorded ------------------------------------------------------------


def test_the_journal_lies_over_the_lock() -> None:
    fold: Recorded = ledger(
        Kept(address="b", entry=drawn("new b")),
        Dropped(address="a", moved_to="z"),
        Kept(address="z", entry=drawn("a")),
        lock=locked(a=drawn("a"), b=drawn("b"), c=drawn("c")),
    )
    assert list(fold) == ["b", "c", "z"]
    assert len(fold) == 3
    assert ("a" in fold, "b" in fold, "c" in fold, "z" in fold) == (False, True, True, True)
    assert fold.entry("b") == drawn("new b")
    assert fold.glance("z") == glance_of(drawn("a"))
    assert fold.glance("c") == glance_of(drawn("c"))
    for look in (fold.entry, fold.glance):
        with pytest.raises(KeyError):
            look("a")


def test_an_address_that_was_dropped_and_kept_again_exists() -> None:
    fold = ledger(Dropped(address="a"), Kept(address="a", entry=drawn("again")), lock=locked(a=drawn("a")))
    assert fold.folded().entry("a") == drawn("again")
    assert len(fold) == 1
    assert fold.current("a") == drawn("again")
    assert fold.current("nobody") is None


def test_folding_twice_changes_nothing() -> None:
    events: list[Event] = [Kept(address="b", entry=drawn("b")), Dropped(address="a")]
    once = ledger(*events, lock=locked(a=drawn("a"))).folded()
    again = ledger(*events, lock=once).folded()
    assert {address: again.entry(address) for address in again} == {address: once.entry(address) for address in once}


def test_a_lock_without_events_is_not_changed() -> None:
    lock = locked(a=drawn("a"))
    assert not ledger(lock=lock).changed
    assert ledger(lock=lock).folded() is lock


# Open steps ------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "is_open"),
    [
        ([intended()], True),
        ([intended(), Doubted(step="create", token=TOKEN, why="reset")], True),
        ([intended(), ACCEPTED], False),
        ([intended(), Refused(step="create", token=TOKEN, failure=Failure(kind="rejected", message="no"))], False),
        ([intended(), Doubted(step="create", token=TOKEN, why="reset"), Abandoned(token=TOKEN, why="window")], False),
        ([intended(), Doubted(step="create", token=TOKEN, why="reset"), ACCEPTED], False),
        ([intended(), Doubted(step="create", token=TOKEN, why="reset"), OFFERED], False),
        ([intended(), Abandoned(token=TOKEN, why="window"), intended()], True),
    ],
)
def test_a_step_is_open_until_its_outcome_is_known(events: list[Event], is_open: bool) -> None:
    fold = ledger(*events)
    assert (TOKEN in fold.open_steps()) is is_open
    assert fold.unsettled_events() == (tuple(events) if is_open else ())


def test_a_doubt_that_only_the_lock_knows_is_open_too() -> None:
    doubtful = entry(status="in_doubt", generation=None, candidates=(), picked=(), outputs=(), cost=("0.35 EUR",))
    fold = ledger(lock=locked(hero=doubtful, other=drawn("other")))
    step = fold.open_steps()[TOKEN]
    assert (step.step, step.draw, step.address, str(step.cost.money)) == ("create", DRAW, "hero", "0.35 EUR")
    settled = ledger(Abandoned(token=TOKEN, why="a person said so"), lock=locked(hero=doubtful))
    assert settled.open_steps() == {}
    assert settled.known(DRAW) == ()


def test_a_removed_doubt_is_still_open_in_the_journal() -> None:
    events: list[Event] = [intended(), Doubted(step="create", token=TOKEN, why="reset")]
    assert TOKEN in ledger(*events, lock=locked(other=drawn("other"))).open_steps()


@pytest.mark.parametrize("disputed", [True, False])
def test_the_journal_tells_whether_another_witness_disputes_a_listing(disputed: bool) -> None:
    events: list[Event] = [intended(), Doubted(step="create", token=TOKEN, why="the balance fell", disputed=disputed)]
    (known,) = ledger(*(decode_event(encode_event(event)) for event in events)).known(DRAW)
    assert known.status == "in_doubt"
    assert (known.failure is not None and known.failure.message == "the balance fell") is disputed


def test_only_the_doubtful_part_of_an_entry_is_open() -> None:
    second = make_token(lineage=LINEAGE, draw=DRAW, attempt=1, part=1)
    parts = (
        Part(token=TOKEN, generation="g", status="succeeded", candidates=1),
        Part(token=second, generation=None, status="in_doubt"),
    )
    fold = ledger(lock=locked(hero=entry(status="in_doubt", generation=None, parts=parts, picked=(), outputs=())))
    assert [(token, step.part, step.parts) for token, step in fold.open_steps().items()] == [(second, 1, 2)]


def test_purchases_are_open_each_for_itself() -> None:
    fold = ledger(
        intended(), ACCEPTED, OFFERED,
        intended(step="buy", candidate="a", resolution="full", generation="g1"),
        intended(step="buy", candidate="b", resolution="full", generation="g1"),
        Accepted(step="buy", token=TOKEN, attempt=1, generation="g1", candidate="b"),
    )  # fmt: skip
    assert [step.candidate for step in fold.open_buys()] == ["a"]
    assert TOKEN not in fold.open_steps()
    assert [c.bought for c in fold.known(DRAW)[0].candidates] == [None, Bought(resolution="full")]
    fold.record(BoughtStored(token=TOKEN, index=1, bought=Bought(resolution="full", facts=facts("big"))))
    assert fold.open_buys() == ()
    assert fold.known(DRAW)[0].candidates[0].bought == Bought(resolution="full", facts=facts("big"))
    assert fold.known(DRAW)[0].generation == "g1"


def test_an_illegal_event_changes_nothing() -> None:
    fold = ledger(intended(), ACCEPTED)
    with pytest.raises(StateError):
        fold.record(intended())
    assert fold.open_steps() == {}
    assert fold.known(DRAW)[0].status == "pending"


def test_files_that_were_about_to_appear_are_known_by_path() -> None:
    fold = ledger(Placing(path="out/a.jpg", sha256=sha("1")), Placing(path="out/a.jpg", sha256=sha("2")))
    assert fold.placed("out/a.jpg") == {sha("1"), sha("2")}
    assert fold.placed("out/b.jpg") == frozenset()


def test_a_file_that_no_block_speaks_of_yet_outlives_a_checkpoint() -> None:
    placing = Placing(path="out/a.jpg", sha256=sha("1"))
    fold = ledger(placing)
    assert fold.unsettled_events() == (placing,)
    fold.rebase(fold.folded())
    assert fold.placed("out/a.jpg") == {sha("1")}
    before = Output(path="out/a.jpg", develop="d", sha256=sha("0"), bytes=1)
    fold.record(Kept(address="x", entry=entry(outputs=(before,))))
    assert fold.placed("out/a.jpg") == {sha("1")}, "a block of another file says nothing of this one"
    fold.record(Kept(address="x", entry=entry(outputs=(replace(before, sha256=sha("1")),))))
    assert fold.placed("out/a.jpg") == frozenset()
    assert fold.unsettled_events() == ()


def test_a_file_that_a_block_of_the_lock_speaks_of_needs_no_other_witness() -> None:
    output = Output(path="out/a.jpg", develop="d", sha256=sha("1"), bytes=1)
    fold = ledger(Placing(path="out/a.jpg", sha256=sha("1")), lock=locked(x=entry(outputs=(output,))))
    assert fold.unsettled_events() == ()
    newer = Placing(path="out/a.jpg", sha256=sha("2"))
    fold.record(newer)
    assert fold.unsettled_events() == (newer,)


# Known draws ------------------------------------------------------------


def test_a_crash_after_each_event_leaves_the_draw_known() -> None:
    fold = ledger(intended())
    known = fold.known(DRAW)[0]
    assert (known.status, known.open_intent, known.generation, known.cost) == ("in_doubt", True, None, ("0.35 EUR",))
    fold.record(ACCEPTED)
    known = fold.known(DRAW)[0]
    assert (known.status, known.open_intent, known.generation) == ("pending", False, "g1")
    fold.record(OFFERED)
    fold.record(Fetched(token=TOKEN, index=2, facts=facts()))
    known = fold.known(DRAW)[0]
    assert (known.status, known.request, known.attempt, known.cost) == ("succeeded", REQUEST, 1, ("1 EUR",))
    assert known.candidates == (Candidate(id="a"), Candidate(id="b", facts=facts()))
    assert fold.draws(DRAW) == (known,)


def test_a_refused_or_abandoned_attempt_is_no_known_draw() -> None:
    refusal = Refused(step="create", token=TOKEN, failure=Failure(kind="rejected", message="no"))
    assert ledger(intended(), refusal).known(DRAW) == ()
    assert ledger(intended(), Abandoned(token=TOKEN, why="window")).known(DRAW) == ()


def test_entries_and_their_earlier_draws_are_known_by_fingerprint() -> None:
    old = drawn("old")
    earlier = Earlier(
        provider="studio", type="all-images", attempt=3, draw=DRAW, request=REQUEST, token="ib-old", generation="g0",
        candidates=(), picked=(), cost=(),
    )  # fmt: skip
    fold = ledger(Kept(address="y", entry=old), lock=locked(x=entry(), w=drawn("w", earlier=(earlier,))))
    assert [(known.token, known.attempt) for known in fold.known(DRAW)] == [("ib-old", 3), (TOKEN, 1)]
    assert [known.token for known in fold.known(old.draw)] == [old.token]
    assert fold.known("sha256:nobody") == ()


def test_each_token_is_known_once_with_all_that_is_known_of_it() -> None:
    bare = entry(candidates=(Candidate(id="a", facts=facts("locked")), Candidate(id="b")), generation="g1")
    fold = ledger(intended(), ACCEPTED, OFFERED, Fetched(token=TOKEN, index=2, facts=facts()), lock=locked(x=bare))
    (known,) = fold.known(DRAW)
    assert [candidate.facts for candidate in known.candidates] == [facts("locked"), facts()]


def test_a_retry_in_doubt_keeps_its_generation() -> None:
    failed = entry(status="failed", failure=Failure(kind="provider", message="x"), candidates=(), picked=(), outputs=())
    fold = ledger(
        intended(step="retry", attempt=2, generation="6f0c-77"),
        Doubted(step="retry", token=TOKEN, why="reset"),
        lock=locked(x=failed),
    )
    (known,) = fold.known(DRAW)
    assert (known.status, known.generation, known.open_intent) == ("failed", "6f0c-77", True)
    assert fold.open_steps()[TOKEN].step == "retry"


@pytest.mark.parametrize(
    "end",
    [
        Abandoned(token=TOKEN, why="still in error"),
        Refused(step="retry", token=TOKEN, failure=Failure(kind="no_credit", message="no")),
    ],
)
def test_a_retry_that_was_not_taken_never_happened(end: Abandoned | Refused) -> None:
    failed = Failure(kind="provider", message="x")
    fold = ledger(intended(), ACCEPTED, Observed(token=TOKEN, status="failed", failure=failed))
    before = fold.known(DRAW)
    fold.record(intended(step="retry", attempt=2, generation="g1"))
    assert fold.known(DRAW)[0].attempt == 2
    fold.record(end)
    assert fold.known(DRAW) == before
    assert not fold.open_steps()


def test_a_retry_that_was_taken_counts() -> None:
    fold = ledger(intended(step="retry", attempt=2, generation="g1"))
    fold.record(Accepted(step="retry", token=TOKEN, attempt=2, generation="g1"))
    (known,) = fold.known(DRAW)
    assert (known.status, known.attempt, known.open_intent) == ("pending", 2, False)


def test_a_variant_drawn_apart_is_known_with_its_salt() -> None:
    token = make_token(lineage=LINEAGE, draw=DRAW, attempt=1, salt="hero")
    fold = ledger(intended(token=token, address="hero"), intended(), lock=locked())
    assert {known.token: known.salt for known in fold.known(DRAW)} == {token: "hero", TOKEN: ""}
    in_lock = ledger(lock=locked(hero=entry(token=token)))
    assert [known.salt for known in in_lock.known(DRAW)] == ["hero"]


TWO = tuple(make_token(lineage=LINEAGE, draw=DRAW, attempt=1, part=part) for part in range(2))


def drawn_part(part: int) -> list[Event]:
    return [
        intended(token=TWO[part], part=part, parts=2),
        Accepted(step="create", token=TWO[part], attempt=1, generation=f"g{part}"),
        Observed(token=TWO[part], status="succeeded", candidates=(Candidate(id="1"),)),
    ]


class Past:
    """A draw index with these attempts."""

    def __init__(self, *attempts: Attempt) -> None:
        self.attempts = attempts

    def by_draw(self, draw: str) -> tuple[Attempt, ...]:
        return tuple(one for one in self.attempts if one.draw == draw)

    def by_token(self, token: str) -> Attempt | None:
        return next((one for one in self.attempts if one.token == token), None)

    def every(self) -> tuple[Attempt, ...]:
        return self.attempts


def test_a_part_in_doubt_stays_in_doubt_beside_one_that_only_the_draw_index_knows() -> None:
    past = Past(*ledger(*drawn_part(0)).accepted())
    fold = Ledger(empty_lock(LINEAGE), [intended(token=TWO[1], part=1, parts=2)], past=past)
    (known,) = fold.known(DRAW)
    assert [part.status for part in known.parts] == ["succeeded", "in_doubt"]
    assert (known.status, known.open_intent, len(known.candidates)) == ("in_doubt", True, 1)
    fold.record(Abandoned(token=TWO[1], why="a person said so"))
    (known,) = fold.known(DRAW)
    assert [part.status for part in known.parts] == ["succeeded", "failed"]
    assert known.status == "failed"


def test_a_doubt_about_a_part_that_only_the_lock_knows_is_closed_by_what_a_person_says() -> None:
    parts = (
        Part(token=TWO[0], generation="g0", status="succeeded", candidates=1),
        Part(token=TWO[1], generation=None, status="in_doubt"),
    )
    doubtful = entry(token=TWO[0], generation=None, status="in_doubt", parts=parts, candidates=(Candidate(id="1"),))
    fold = ledger(lock=locked(x=doubtful))
    assert [part.status for part in fold.known(DRAW)[0].parts] == ["succeeded", "in_doubt"]
    fold.record(next(iter(fold.open_steps().values())))
    fold.record(Abandoned(token=TWO[1], why="a person said so"))
    (known,) = fold.known(DRAW)
    assert [part.status for part in known.parts] == ["succeeded", "failed"]
    assert len(known.candidates) == 1


def test_what_an_earlier_attempt_delivered_completes_a_newer_one() -> None:
    again = make_token(lineage=LINEAGE, draw=DRAW, attempt=2, part=1)
    fold = ledger(
        *drawn_part(0),
        intended(token=again, part=1, parts=2, attempt=2),
        Accepted(step="create", token=again, attempt=2, generation="h1"),
        Observed(token=again, status="succeeded", candidates=(Candidate(id="1"),)),
    )
    newest = fold.known(DRAW)[0]
    assert (newest.attempt, newest.status) == (2, "succeeded")
    assert [part.token for part in newest.parts] == [TWO[0], again]
    assert [candidate.id for candidate in newest.candidates] == ["1", "2"]


def test_a_redraw_that_was_cut_short_takes_nothing_from_the_whole_draw_before_it() -> None:
    again = make_token(lineage=LINEAGE, draw=DRAW, attempt=2, part=0)
    fold = ledger(
        *drawn_part(0),
        *drawn_part(1),
        intended(token=again, part=0, parts=2, attempt=2),
        Accepted(step="create", token=again, attempt=2, generation="h0"),
        Observed(token=again, status="succeeded", candidates=(Candidate(id="1"),)),
    )
    newest, before = fold.known(DRAW)
    assert [(newest.attempt, newest.status), (before.attempt, before.status)] == [(2, "failed"), (1, "succeeded")]


def test_several_creates_make_one_draw_and_a_part_that_was_never_sent_shows() -> None:
    tokens = [make_token(lineage=LINEAGE, draw=DRAW, attempt=1, part=part) for part in range(3)]
    fold = ledger()
    for part in (0, 1):
        fold.record(intended(token=tokens[part], part=part, parts=3))
        fold.record(Accepted(step="create", token=tokens[part], attempt=1, generation=f"g{part}"))
        fold.record(Observed(token=tokens[part], status="succeeded", candidates=(Candidate(id="1"),), cost=("1 EUR",)))
    (known,) = fold.known(DRAW)
    assert known.status == "failed", "two of three pictures are not the draw that was asked for"
    assert [(part.token, part.status, part.candidates) for part in known.parts] == [
        (tokens[0], "succeeded", 1), (tokens[1], "succeeded", 1), (tokens[2], "failed", 0),
    ]  # fmt: skip
    assert [candidate.id for candidate in known.candidates] == ["1", "2"]
    assert known.cost == ("2 EUR",)
    fold.record(intended(token=tokens[2], part=2, parts=3))
    (known,) = fold.known(DRAW)
    assert (known.status, known.open_intent, known.generation) == ("in_doubt", True, None)


class OnePast:
    def by_draw(self, draw: str) -> tuple[Attempt, ...]:
        past = Attempt(
            token=TOKEN, phase="succeeded", draw=DRAW, request=REQUEST, type="all-images", generation="g0",
            candidates=(Candidate(id="a", facts=facts("past")),), accepted=True,
        )  # fmt: skip
        return (past,) if draw == DRAW else ()

    def by_token(self, token: str) -> Attempt | None:
        return next((one for one in self.by_draw(DRAW) if one.token == token), None)

    def every(self) -> tuple[Attempt, ...]:
        return self.by_draw(DRAW)


def test_an_attempt_has_ended_where_its_end_is_recorded_here_or_in_the_draw_index() -> None:
    assert Ledger(empty_lock(LINEAGE), past=OnePast()).has_ended(TOKEN)
    fold = ledger(intended())
    assert not fold.has_ended(TOKEN)
    fold.record(ACCEPTED)
    assert not fold.has_ended(TOKEN)
    fold.record(OFFERED)
    assert fold.has_ended(TOKEN)
    fold.record(intended(step="buy", candidate="a"))
    assert not fold.has_ended(TOKEN)


def test_what_left_the_lock_is_found_in_the_draw_index() -> None:
    fold = Ledger(empty_lock(LINEAGE), past=OnePast())
    assert [known.generation for known in fold.known(DRAW)] == ["g0"]
    newer = Ledger(empty_lock(LINEAGE), [intended(), ACCEPTED], past=OnePast())
    assert [known.generation for known in newer.known(DRAW)] == ["g1"]


@pytest.mark.parametrize(
    ("indexed", "recorded", "known"),
    [
        ("pending", "failed", "failed"),  # the run that saw it fail was another checkout's
        ("pending", "succeeded", "succeeded"),
        ("succeeded", "pending", "succeeded"),  # the lock was taken back to an older commit
        ("succeeded", "failed", "failed"),  # drawn, and what came was no picture
    ],
)
def test_of_lock_and_draw_index_the_later_status_counts(indexed: Status, recorded: Status, known: Status) -> None:
    events: list[Event] = [intended(), ACCEPTED, Observed(token=TOKEN, status="succeeded")]
    past = Past(*ledger(*events[: 2 if indexed == "pending" else 3]).accepted())
    failure = Failure(kind="provider", message="no") if recorded == "failed" else None
    lock = locked(x=entry(token=TOKEN, generation="g1", status=recorded, failure=failure))
    (found,) = Ledger(lock, past=past).known(DRAW)
    assert (found.status, found.failure) == (known, failure)


def test_what_a_later_run_hears_of_a_draw_reaches_the_draw_index() -> None:
    past = Past(*ledger(intended(), ACCEPTED).accepted())
    fold = Ledger(empty_lock(LINEAGE), [OFFERED, Fetched(token=TOKEN, index=1, facts=facts())], past=past)
    (attempt,) = fold.accepted()
    assert (attempt.draw, attempt.phase, attempt.generation) == (DRAW, "succeeded", "g1")
    assert attempt.candidates[0].facts == facts()
    assert [known.status for known in fold.known(DRAW)] == ["succeeded"]


GONE = Observed(token=TOKEN, status="succeeded", failure=Failure(kind="gone", message="deleted"))


@pytest.mark.parametrize("indexed", [True, False])
@pytest.mark.parametrize("after", ["staying", "leaving"])
def test_that_a_generation_is_gone_is_remembered_until_it_is_seen_again(after: str, *, indexed: bool) -> None:
    past = Past(*ledger(intended(), ACCEPTED, OFFERED).accepted()) if indexed else Past()
    held = entry(token=TOKEN, generation="g1", candidates=(Candidate(id="a", facts=facts()), Candidate(id="b")))
    gone = replace(GONE, candidates=held.candidates)
    fold = Ledger(locked(x=held), [gone, *([Dropped(address="x")] if after == "leaving" else [])], past=past)
    assert [known.failure for known in fold.known(DRAW)] == [GONE.failure]
    index = {one.token: one for one in (*fold.accepted(), *fold.leaving())}  # the later takes the place of the earlier
    again = Ledger(fold.folded(), past=Past(*index.values()))
    (known,) = again.known(DRAW)
    assert (known.status, known.generation, known.failure) == ("succeeded", "g1", GONE.failure)
    assert known.candidates[0].facts == facts()
    again.record(Fetched(token=TOKEN, index=2, facts=facts("two")))
    assert [known.failure for known in again.known(DRAW)] == [GONE.failure]
    again.record(Observed(token=TOKEN, status="succeeded"))
    assert [known.failure for known in again.known(DRAW)] == [None]
    assert [attempt.failure for attempt in again.accepted()] == [None]


def test_that_we_deleted_a_generation_is_not_forgotten_over_a_providers_word_that_it_is_gone() -> None:
    ours = Failure(kind="gone", message="deleted", provider_code=DELETED)
    past = Past(*ledger(intended(), ACCEPTED, OFFERED, replace(GONE, failure=ours)).accepted())
    (known,) = Ledger(empty_lock(LINEAGE), [GONE], past=past).known(DRAW)
    assert known.failure == ours


def test_a_step_that_is_given_up_does_not_hide_that_the_draw_was_accepted_once() -> None:
    past = Past(*ledger(intended(), ACCEPTED, OFFERED).accepted())
    fold = Ledger(empty_lock(LINEAGE), [Abandoned(token=TOKEN, why="a person said so")], past=past)
    assert [(known.status, len(known.candidates)) for known in fold.known(DRAW)] == [("succeeded", 2)]
    assert [attempt.phase for attempt in fold.accepted()] == ["succeeded"]


def test_what_leaves_the_lock_of_a_fresh_clone_is_for_the_draw_index() -> None:
    old = entry(token=TOKEN, generation="g1", candidates=(Candidate(id="a", facts=facts()),))
    fold = Ledger(locked(x=old), [Dropped(address="x")])
    (leaving,) = fold.leaving()
    again = Ledger(empty_lock(LINEAGE), past=Past(leaving))
    (known,) = again.known(DRAW)
    assert (known.token, known.generation, known.status) == (TOKEN, "g1", "succeeded")
    assert known.candidates == old.candidates
    assert Ledger(locked(x=old), [Dropped(address="x")], past=Past(leaving)).leaving() == ()


def test_a_move_and_a_redraw_that_remembers_lose_nothing() -> None:
    old = entry(token=TOKEN, generation="g1")
    moved: list[Event] = [Dropped(address="x", moved_to="y"), Kept(address="y", entry=old)]
    assert Ledger(locked(x=old), moved).leaving() == ()
    newer = drawn("other")
    past = Earlier(
        provider="studio", type="all-images", attempt=1, draw=DRAW, request=REQUEST, token=TOKEN, generation="g1",
        candidates=(), picked=(), cost=(),
    )  # fmt: skip
    assert Ledger(locked(x=old), [Kept(address="x", entry=replace(newer, earlier=(past,)))]).leaving() == ()
    assert [one.token for one in Ledger(locked(x=old), [Kept(address="x", entry=newer)]).leaving()] == [TOKEN]


def test_each_part_that_leaves_the_lock_is_kept_with_what_it_delivered() -> None:
    parts = (
        Part(token=TWO[0], generation="g0", status="succeeded", candidates=1),
        Part(token=TWO[1], generation=None, status="in_doubt"),
    )
    doubtful = entry(token=TWO[0], generation=None, status="in_doubt", parts=parts, candidates=(Candidate(id="1"),))
    (leaving,) = Ledger(locked(x=doubtful), [Dropped(address="x")]).leaving()
    assert (leaving.token, leaving.part, leaving.parts, len(leaving.candidates)) == (TWO[0], 0, 2, 1)


def test_the_planner_sees_draws_and_the_store_through_one_protocol() -> None:
    known: Known = KnownHere(ledger(intended(), ACCEPTED), lambda sha256: sha256 == sha("here"))
    assert known.draws(DRAW)[0].generation == "g1"
    assert known.has_bytes(sha("here"))
    assert not known.has_bytes(sha("gone"))


def test_draws_are_found_by_the_bytes_that_they_offered_wherever_they_are_known_from() -> None:
    journal = ledger(intended(), ACCEPTED, OFFERED, Fetched(token=TOKEN, index=1, facts=facts("new")))
    nothing = ledger()
    past = Ledger(empty_lock(LINEAGE), past=OnePast())
    for one, beside, seed in ((journal, None, "new"), (past, None, "past"), (nothing, past, "past")):
        known: Known = KnownHere(one, lambda _: False, beside)
        assert [draw.token for draw in known.offering(sha(seed))] == [TOKEN]
        assert known.offering(sha("other")) == ()


def test_after_a_checkpoint_only_open_attempts_are_left() -> None:
    fold = ledger(intended(), ACCEPTED, Kept(address="x", entry=entry()))
    other = drawn("other")
    fold.record(intended(token=other.token, draw=other.draw, request=other.request))
    assert [attempt.token for attempt in fold.accepted()] == [TOKEN]
    fold.rebase(fold.folded())
    assert list(fold.open_steps()) == [other.token]
    assert fold.accepted() == ()
    assert fold.entry("x") == entry()
    assert [known.status for known in fold.known(DRAW)] == ["succeeded"]
    assert not fold.changed


# What another checkout settled ------------------------------------------------------------


def _heard(step: Intended, **blocks: Entry) -> Ledger:
    fold = ledger(step, lock=locked(**blocks))
    for event in tuple(fold.told_by_lock()):
        fold.record(event)
    return fold


BARE = {"candidates": (), "picked": (), "outputs": ()}
UNHAD = Failure(kind="gone", message="its answer is lost")


@pytest.mark.parametrize(
    ("step", "block", "is_open"),
    [
        (intended(), entry(generation=TOKEN), False),
        (intended(), entry(status="pending", **BARE), False),
        (intended(), entry(status="failed", failure=UNHAD, **BARE), False),
        (intended(), entry(status="blocked", failure=UNHAD, **BARE), False),
        (intended(), entry(status="in_doubt", generation=None, **BARE), True),
        # What was refused is sent again under its token: that block may be from before.
        (intended(), entry(status="failed", generation=None, failure=UNHAD, **BARE), True),
        (intended(), entry(status="blocked", generation=None, failure=UNHAD, **BARE), True),
        # A retry is a later attempt of a generation that failed.
        (intended(step="retry", attempt=2, generation="g"), entry(status="failed", failure=UNHAD, **BARE), True),
        (intended(step="retry", attempt=2, generation="g"), entry(attempt=2, status="failed", **BARE), True),
        (intended(step="retry", attempt=2, generation="g"), entry(attempt=1), True),
        (intended(step="retry", attempt=2, generation="g"), entry(attempt=2), False),
        (intended(step="buy", candidate="a1", resolution="full"), entry(), True),
    ],
)
def test_a_step_is_closed_by_a_later_block_and_never_by_one_from_before(
    step: Intended, block: Entry, is_open: bool
) -> None:
    fold = _heard(step, hero=block)
    assert bool(fold.open_steps() or fold.open_buys()) is is_open
    if not is_open:
        assert fold.doubts() == {}
        assert fold.unsettled_events() == ()
        (known,) = fold.known(block.draw)
        assert (known.status, known.generation, known.open_intent) == (block.status, block.generation, False)
        assert [one.token for one in fold.accepted()] == [TOKEN], "a lock taken back would have it drawn once more"


def test_what_a_lock_remembers_or_has_as_a_part_closes_a_step_too() -> None:
    old = Earlier(
        attempt=1, draw=DRAW, request=REQUEST, token=TOKEN, generation="g", candidates=(Candidate(id="a"),),
        picked=(1,), cost=(), provider="studio", type="all-images",
    )  # fmt: skip
    assert not _heard(intended(), hero=drawn("a later request", earlier=(old,))).open_steps()
    second = make_token(lineage=LINEAGE, draw=DRAW, attempt=1, part=1)
    parts = (
        Part(token=TOKEN, generation="g", status="succeeded", candidates=1),
        Part(token=second, generation=None, status="in_doubt"),
    )
    halfway = entry(status="in_doubt", generation=None, candidates=(Candidate(id="1"),), picked=(), parts=parts)
    assert set(_heard(intended(parts=2), hero=halfway).open_steps()) == {second}
