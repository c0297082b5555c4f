"""Exit codes follow the contract's order."""

import pytest

from imagebatch.run.result import End, Outcome, RunResult, exit_code


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


def test_a_provider_that_asks_us_to_come_back_is_a_pause() -> None:
    assert exit_code(result("unsent", code="provider.paused")) == 75


def test_waiting_picks_count_only_where_they_are_required() -> None:
    waiting = result("done", unpicked=True)
    assert exit_code(waiting) == 0
    assert exit_code(waiting, require_picks=True) == 5


def test_what_an_earlier_run_left_failed_counts() -> None:
    assert exit_code(result("done"), already_failed=True) == 3
