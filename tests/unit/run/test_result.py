"""Exit codes follow the contract's order."""

import pytest

from imagebatch.plan.types import Change, Reason
from imagebatch.run.result import End, Outcome, RunResult, exit_code, left_bad


def result(*ends: End, code: str | None = None, stopped_by: int | None = None, unpicked: bool = False) -> RunResult:
    outcomes = tuple(
        Outcome(address=f"a{index}", action="create", end=end, code=code, unpicked=unpicked)
        for index, end in enumerate(ends)
    )
    return RunResult(outcomes=outcomes, seconds=1.0, stopped_by=stopped_by)


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ((), 0),
        (("done", "kept"), 0),
        (("done", "failed"), 3),
        (("done", "blocked"), 3),
        (("done", "in_doubt"), 3),
        (("done", "unsent"), 3),
        (("failed", "pending"), 75),
        (("pending",), 75),
    ],
)
def test_the_worst_end_decides(ends: tuple[End, ...], code: int) -> None:
    assert exit_code(result(*ends)) == code


def test_a_signal_wins_over_everything() -> None:
    assert exit_code(result("failed", "pending", stopped_by=130)) == 130


@pytest.mark.parametrize(
    ("ends", "code"),
    [(("unsent", "pending"), 75), (("done", "unsent"), 3), (("unsent", "in_doubt"), 3), (("done",), 0)],
)
def test_a_time_limit_sends_a_person_to_wait_only_where_something_runs(ends: tuple[End, ...], code: int) -> None:
    assert exit_code(result(*ends, stopped_by=75)) == code


def test_a_provider_that_asks_us_to_come_back_is_a_pause() -> None:
    assert exit_code(result("unsent", code="provider.paused")) == 75


def test_waiting_picks_count_only_where_they_are_required() -> None:
    waiting = result("done", unpicked=True)
    assert exit_code(waiting) == 0
    assert exit_code(waiting, require_picks=True) == 5


def kept(address: str, reason: Reason) -> Change:
    return Change(address=address, action="keep", reason=reason, detail="why")


def test_what_an_earlier_run_left_bad_makes_the_exit_code_and_is_counted() -> None:
    changes = [kept("a", "in_doubt"), kept("b", "paid_failure"), kept("c", "unavailable"), kept("d", "protected")]
    left = left_bad(changes)
    assert [(one.address, one.end) for one in left] == [("a", "in_doubt"), ("b", "failed"), ("c", "failed")]
    run = RunResult(outcomes=(), seconds=1.0, left_kept=("a", "b", "c", "d"), left_bad=left)
    assert exit_code(run) == 3
    assert (run.count("in_doubt"), run.count("failed"), run.kept) == (1, 2, 1)


def test_what_the_run_settled_after_all_is_told_once() -> None:
    changes = [kept("a", "paid_failure"), kept("b", "paid_failure"), kept("c", "paid_failure")]
    outcomes = (
        Outcome(address="a", action="fetch", end="done"),
        Outcome(address="b", action="keep", end="failed"),
        Outcome(address="c", action="keep", end="kept"),
    )
    run = RunResult(outcomes=outcomes, seconds=1.0, left_bad=left_bad(changes, outcomes))
    assert [one.address for one in run.left_bad] == ["c"]
    assert (run.count("failed"), run.kept) == (2, 0)


def test_a_disk_without_room_is_this_machines_error() -> None:
    assert exit_code(result("unsent", code="disk.low")) == 1
