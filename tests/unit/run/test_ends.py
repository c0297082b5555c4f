"""Ends of creates and how parts make one draw."""

from dataclasses import replace

import pytest

from imagebatch.model.generation import Candidate, Failure, Part, PictureFacts, Status
from imagebatch.model.recorded import KnownDraw
from imagebatch.run.ends import End, kept_part, part_cost, together

FACTS = PictureFacts(sha256="sha256:" + "a" * 64, width=1, height=1, media_type="image/png", bytes=10)


def done(token: str, *ids: str) -> End:
    candidates = tuple(Candidate(id=one, facts=FACTS) for one in ids)
    return End(token=token, status="succeeded", generation=f"g-{token}", candidates=candidates, cost=("0.10 USD",))


def test_a_single_part_is_the_draw_itself() -> None:
    drawn = together([done("t1", "a", "b")], attempt=2)
    assert (drawn.token, drawn.attempt, drawn.status, drawn.generation) == ("t1", 2, "succeeded", "g-t1")
    assert [one.id for one in drawn.candidates] == ["a", "b"]
    assert drawn.parts == ()


def test_candidates_of_several_parts_are_numbered_through_and_their_costs_added() -> None:
    drawn = together([done("t1", "1"), done("t2", "1")], attempt=1)
    assert [one.id for one in drawn.candidates] == ["1", "2"]
    assert [part.candidates for part in drawn.parts] == [1, 1]
    assert drawn.cost == ("0.20 USD",)


@pytest.mark.parametrize("worst", ["in_doubt", "pending", "blocked", "failed"])
def test_the_worst_part_names_the_draw(worst: Status) -> None:
    failure = Failure(kind="provider", message="no")
    bad = End(token="t2", status=worst, failure=failure, code="x.y", message="why")
    drawn = together([done("t1", "1"), bad], attempt=1)
    assert (drawn.status, drawn.code, drawn.message) == (worst, "x.y", "why")


def test_a_draw_of_which_nothing_was_sent_has_no_status() -> None:
    unsent = End(token="t1", status=None, code="run.stopped", message="stopped")
    assert together([unsent, replace(unsent, token="t2")], attempt=1).status is None


def test_a_part_that_was_never_sent_makes_the_whole_draw_fail_and_keeps_what_was_delivered() -> None:
    unsent = End(token="t2", status=None, code="provider.stopped", message="no credit")
    drawn = together([done("t1", "1"), unsent], attempt=1)
    assert drawn.status == "failed"
    assert drawn.failure is not None
    assert len(drawn.candidates) == 1
    assert [part.status for part in drawn.parts] == ["succeeded", "failed"]


def test_delivered_parts_of_an_earlier_attempt_are_kept_with_their_own_candidates() -> None:
    parts = (
        Part(token="t1", generation="g1", status="succeeded", candidates=1),
        Part(token="t2", generation=None, status="failed"),
        Part(token="t3", generation="g3", status="succeeded", candidates=2),
    )
    known = KnownDraw(
        draw="d", type="x", request="{}", attempt=1, token="t1", generation="g1", status="failed", parts=parts,
        candidates=tuple(Candidate(id=str(index), facts=FACTS) for index in (1, 2, 3)),
    )  # fmt: skip
    assert kept_part(known, 1) is None
    assert kept_part(known, 9) is None
    third = kept_part(known, 2)
    assert third is not None
    assert [one.id for one in third.candidates] == ["2", "3"]
    assert third.cost == ()


def test_a_draw_costs_what_all_its_parts_cost_and_this_run_paid_for_the_new_ones_only() -> None:
    known = KnownDraw(
        draw="d", type="x", request="{}", attempt=1, token="t1", generation="g1", status="failed", cost=("0.20 USD",),
        parts=(
            Part(token="t1", generation="g1", status="succeeded", candidates=1),
            Part(token="t2", generation=None, status="failed"),
            Part(token="t3", generation="g3", status="succeeded", candidates=1),
        ),
        candidates=tuple(Candidate(id=str(index), facts=FACTS) for index in (1, 2)),
    )  # fmt: skip
    first, third = kept_part(known, 0), kept_part(known, 2)
    assert first is not None
    assert third is not None
    drawn = together([first, done("t2b", "1"), third], attempt=2)
    assert (drawn.cost, drawn.paid) == (("0.30 USD",), ("0.10 USD",))


def test_what_some_parts_cost_is_told_though_the_draw_as_a_whole_failed() -> None:
    refused = End(token="t2", status="failed", failure=Failure(kind="rejected", message="no"))
    drawn = together([done("t1", "1"), refused], attempt=1)
    assert (drawn.status, drawn.cost, drawn.paid) == ("failed", ("0.10 USD",), ("0.10 USD",))


def test_what_was_found_already_drawn_is_not_paid_by_this_run() -> None:
    assert together([replace(done("t1", "1"), adopted=True)], attempt=1).paid == ()
    assert together([replace(done("t1", "1"), earlier=True)], attempt=1).paid == ()


def test_an_uneven_share_is_rounded() -> None:
    parts = tuple(Part(token=f"t{n}", generation=f"g{n}", status="succeeded", candidates=1) for n in range(3))
    known = KnownDraw(
        draw="d", type="x", request="{}", attempt=1, token="t0", generation="g0", status="failed", cost=("0.10 USD",),
        parts=parts,
    )  # fmt: skip
    assert part_cost(known) == ("0.0333333333 USD",)
