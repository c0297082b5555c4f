"""The life of a generation as a pure function of time."""

import pytest

from imagebatch.simulator.chance import SettingError, parse_share, parse_spread, stable_uuid
from imagebatch.simulator.lifecycle import DONE, ERROR, PROCESSING, UNNAMED, Moment, event_times, moment, plan_job
from imagebatch.simulator.profile import JobTime, Share, load_profile


def test_images_appear_one_by_one_while_the_status_is_2() -> None:
    plan = {"seconds": 10.0, "outcome": DONE, "count": 4}
    seen = [moment(plan, at / 10) for at in range(121)]
    assert [m.status for m in seen] == sorted(m.status for m in seen)
    assert {m.status for m in seen} == {0, 1, 2, 3}
    assert {m.images for m in seen if m.status == PROCESSING} == {0, 1, 2, 3}
    assert seen[-1] == Moment(status=DONE, images=4)


@pytest.mark.parametrize("outcome", [ERROR, UNNAMED])
def test_a_failed_generation_ends_without_images(outcome: int) -> None:
    assert moment({"seconds": 1.0, "outcome": outcome, "count": 4}, 2.0) == Moment(status=outcome, images=0)


def test_a_stuck_generation_stays_in_status_2_for_ever() -> None:
    assert moment({"seconds": 1.0, "outcome": PROCESSING, "count": 4}, 1e9) == Moment(status=PROCESSING, images=3)


def test_a_job_without_duration_is_done_at_once() -> None:
    assert moment({"seconds": 0.0, "outcome": DONE, "count": 4}, 0.0) == Moment(status=DONE, images=4)


@pytest.mark.parametrize(
    ("prompt", "attempt", "outcome"),
    [
        ("x", 1, DONE),
        ("x [fail]", 3, ERROR),
        ("x [fail once]", 1, ERROR),
        ("x [fail once]", 2, DONE),
        ("x [blocked]", 1, ERROR),
    ],
)
def test_words_in_brackets_force_the_outcome(prompt: str, attempt: int, outcome: int) -> None:
    plan = plan_job(JobTime(), seed="s", relaxed=False, count=4, prompt=prompt, attempt=attempt)
    assert plan["outcome"] == outcome


def test_the_same_seed_plans_the_same_job_and_shares_are_kept_roughly() -> None:
    times = JobTime(fast=parse_spread("0..10s"), fail=Share(0.3))
    plans = [plan_job(times, seed=str(i), relaxed=False, count=4, prompt="x", attempt=1) for i in range(400)]
    again = [plan_job(times, seed=str(i), relaxed=False, count=4, prompt="x", attempt=1) for i in range(400)]
    assert plans == again
    assert 80 < sum(plan["outcome"] == ERROR for plan in plans) < 160


def test_events_run_from_created_to_completed() -> None:
    kinds = [kind for _, kind in event_times({"seconds": 1.0, "outcome": DONE, "count": 4})]
    assert kinds == ["print.created", "print.active", *["print.progress"] * 3, "print.completed"]


def test_durations_and_shares_are_read_as_they_are_written_in_profiles() -> None:
    assert parse_spread("80ms").at(0.5) == 0.08
    assert parse_spread("0..120s").at(0.5) == 60
    assert parse_spread("lognormal(p50=90s, p99=900s)").at(0.5) == pytest.approx(90)
    assert parse_spread("lognormal(p50=90s, p99=900s)").at(0.99) == pytest.approx(900)
    assert parse_share("0.5%") == 0.005
    with pytest.raises(SettingError, match="no duration"):
        parse_spread("soon")


def test_a_profile_file_is_laid_over_a_named_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("profiles") / "own.yaml"
    path.write_text(
        "seed: 7\nextends: calm\nstatus: {}\n".replace("status: {}\n", "") + "drop: {rst: 2%}\n", encoding="utf-8"
    )
    profile = load_profile(path)
    assert (profile.name, profile.seed, profile.drop.rst) == ("own", 7, 0.02)
    assert profile.latency == load_profile("calm").latency


def test_an_unknown_setting_is_refused_with_its_place(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("profiles") / "own.yaml"
    path.write_text("images: {expird: 2%}\n", encoding="utf-8")
    with pytest.raises(SettingError, match=r"profile\.images\.expird: no such setting"):
        load_profile(path)


def test_ids_have_the_shape_of_a_uuid_and_depend_on_their_parts_only() -> None:
    assert stable_uuid("a", 1) == stable_uuid("a", 1) != stable_uuid("a", 2)
    assert [len(part) for part in stable_uuid("a").split("-")] == [8, 4, 4, 4, 12]
