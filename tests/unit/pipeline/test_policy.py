"""Who may spend in CI, by the events of GitHub and GitLab."""

import json
from pathlib import Path
from typing import Any

import pytest

from imagebatch.pipeline.policy import untrusted_job

HERE: dict[str, Any] = {"repository": {"full_name": "shop/pictures"}}
OWN = {"pull_request": {"head": {"repo": {"full_name": "Shop/Pictures"}}}}
FORK = {"pull_request": {"head": {"repo": {"full_name": "stranger/pictures"}}}}
GONE = {"pull_request": {"head": {"repo": None}}}


def verdict(tmp_path: Path, name: str, event: object) -> str | None:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(event), encoding="utf-8")
    variables = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": str(path)}
    found = untrusted_job(variables)
    return found.code if found is not None else None


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("push", {}),
        ("schedule", {}),
        ("workflow_dispatch", {}),
        ("pull_request", OWN),
        ("pull_request_target", OWN),
        ("issue_comment", {"comment": {"author_association": "MEMBER"}}),
        ("workflow_run", {"workflow_run": {"head_repository": {"full_name": "shop/pictures"}}}),
    ],
)
def test_what_people_of_the_repository_start_may_pay(tmp_path: Path, name: str, event: dict[str, Any]) -> None:
    assert verdict(tmp_path, name, {**HERE, **event}) is None


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("pull_request", FORK),
        ("pull_request_target", FORK),
        ("pull_request_review", FORK),
        ("pull_request", GONE),
        ("pull_request", {"pull_request": []}),
        ("issue_comment", {"comment": {"author_association": "CONTRIBUTOR"}}),
        ("issue_comment", {"comment": {}}),
        ("issues", {"issue": {"author_association": "NONE"}}),
        ("discussion_comment", {"comment": {"author_association": "FIRST_TIMER"}}),
        ("workflow_run", {"workflow_run": {"head_repository": {"full_name": "stranger/pictures"}}}),
    ],
)
def test_what_a_stranger_starts_pays_nothing(tmp_path: Path, name: str, event: dict[str, Any]) -> None:
    assert verdict(tmp_path, name, {**HERE, **event}) == "policy.untrusted"


@pytest.mark.parametrize("event", [[], "text", {"repository": None, **OWN}])
def test_an_event_that_makes_no_sense_is_a_strangers(tmp_path: Path, event: object) -> None:
    assert verdict(tmp_path, "pull_request", event) == "policy.untrusted"


def test_an_event_that_is_not_there_is_a_strangers() -> None:
    variables = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": "/nowhere"}
    assert untrusted_job(variables) is not None


def test_a_merge_request_of_a_fork_pays_nothing() -> None:
    job = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_PROJECT_ID": "1"}
    assert untrusted_job({**job, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "2"}) is not None
    assert untrusted_job({**job, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "1"}) is None


def test_outside_of_a_job_nobody_is_a_stranger() -> None:
    assert untrusted_job({"GITHUB_EVENT_NAME": "pull_request"}) is None
