"""Who may spend in CI: a stranger's pull request or comment pays nothing, whatever its files say.

A pull request from a fork brings manifests, limits and steps that nobody has read yet. Where a job has keys all the
same (a privileged trigger, a runner of one's own, a comment that starts it), what would be paid is refused.
"""

import json
from collections.abc import Mapping
from typing import Final

from imagebatch.effects.disk import READ
from imagebatch.effects.files import opened, read_rest
from imagebatch.plan.types import Blocker

UNTRUSTED: Final = "policy.untrusted"
_MOST_BYTES: Final = 32 * 1024 * 1024
_INSIDERS: Final = frozenset({"OWNER", "MEMBER", "COLLABORATOR"})
_SPOKEN: Final = {"issue_comment": "comment", "issues": "issue", "discussion": "discussion",
                  "discussion_comment": "comment"}  # fmt: skip

Event = Mapping[str, object]


def untrusted_job(variables: Mapping[str, str]) -> Blocker | None:
    """What stands against paying in this job: None where there is no job, or people of the repository started it."""
    why = _of_gitlab(variables)
    name = variables.get("GITHUB_EVENT_NAME", "")
    if why is None and variables.get("GITHUB_ACTIONS") == "true" and _may_be_strange(name):
        event = _read_event(variables.get("GITHUB_EVENT_PATH", ""))
        why = "the event that started this job cannot be read" if event is None else stranger(name, event)
    if why is None:
        return None
    return Blocker(
        code=UNTRUSTED,
        message=f"nothing is paid for strangers: {why}. Look at what it asks for, and apply from a branch of the "
        "repository itself; `plan` and `--simulate` work here, too.",
    )


def stranger(name: str, event: Event) -> str | None:
    """Why an event of GitHub comes from outside the repository, as the middle of a sentence; None where it does not."""
    spoken = _SPOKEN.get(name)
    if spoken is not None:
        said = _text(event, spoken, "author_association")
        return None if said in _INSIDERS else f"its {spoken} was written by somebody who is no member of the repository"
    if name == "workflow_run":
        head = _home(_part(event, "workflow_run"), "head_repository")
    else:
        head = _home(_part(_part(event, "pull_request"), "head"), "repo")
    if head and head == _home(event, "repository"):
        return None
    return f"the pull request comes from the fork {head}" if head else "nobody can tell where the pull request is from"


def _may_be_strange(name: str) -> bool:
    return name.startswith("pull_request") or name in {*_SPOKEN, "workflow_run"}


def _of_gitlab(variables: Mapping[str, str]) -> str | None:
    source, here = variables.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID"), variables.get("CI_PROJECT_ID")
    if variables.get("CI_PIPELINE_SOURCE") != "merge_request_event" or not source or source == here:
        return None
    return f"the merge request comes from the fork with the project id {source}"


def _read_event(path: str) -> Event | None:
    try:
        with opened(path, READ) as handle:
            data = read_rest(handle, _MOST_BYTES + 1)
        event = json.loads(data) if len(data) <= _MOST_BYTES else None
    except (OSError, ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _part(event: Event, name: str) -> Event:
    found = event.get(name)
    return found if isinstance(found, dict) else {}


def _text(event: Event, *names: str) -> str:
    *outer, last = names
    for name in outer:
        event = _part(event, name)
    found = event.get(last)
    return found if isinstance(found, str) else ""


def _home(event: Event, name: str) -> str:
    return _text(event, name, "full_name").casefold()
