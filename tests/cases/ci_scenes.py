"""The cases of the area ci: what a stranger may start in GitHub Actions, and what is written into logs and files."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.cases.concurrency_scenes import AGAIN, LEASE
from tests.cases.generators import generated
from tests.cases.scenes import APPLY, PLAN, Scene
from tests.cases.world import Ran, World
from tests.repositories import publish, server

_REPOSITORY: Final = {"full_name": "shop/pictures"}
_MOST_SUMMARY: Final = 1024 * 1024


def ci_scene(case: Mapping[str, Any], _: Mapping[str, Any] | None) -> Scene:
    """The scene of a case. Raises KeyError for an unknown one."""
    return SCENES[case["id"]](case)


def in_actions(world: World, name: str = "push", event: Mapping[str, Any] | None = None) -> None:
    """A job of GitHub Actions: its variables, its event, and files for its summary and outputs."""
    path = world.base / "event.json"
    path.write_text(json.dumps({"repository": _REPOSITORY, **(event or {})}), encoding="utf-8")
    world.environment |= {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": name,
        "GITHUB_EVENT_PATH": str(path),
        "GITHUB_STEP_SUMMARY": str(world.base / "summary.md"),
        "GITHUB_OUTPUT": str(world.base / "outputs"),
    }


def _fork(change: Callable[[World], object] = lambda _: None, *, name: str = "pull_request_target") -> Scene:
    """A pull request of a fork, in a job that has the keys all the same."""
    head = {"repo": {"full_name": "stranger/pictures", "fork": True}}

    def before(world: World) -> None:
        in_actions(world, name, {"pull_request": {"head": head, "author_association": "NONE"}})
        change(world)

    def after(world: World, _: Ran) -> None:
        assert not world.asked(), "a provider was asked for a stranger"
        assert "policy.untrusted" not in world.run("plan").err, "a plan is not refused"

    return Scene(before=before, after=after)


def _comment(_: Mapping[str, Any]) -> Scene:
    """A stranger's comment that starts a job."""

    def before(world: World) -> None:
        comment = {"body": "/imagebatch apply", "author_association": "NONE"}
        in_actions(world, "issue_comment", {"comment": comment, "issue": {"author_association": "OWNER"}})

    return Scene(before=before)


def _own_runner(_: Mapping[str, Any]) -> Scene:
    return _fork(lambda world: world.environment.update({"RUNNER_ENVIRONMENT": "self-hosted"}), name="pull_request")


def _raised_limits(case: Mapping[str, Any]) -> Scene:
    """A fork that writes itself a policy and takes the brakes off."""

    def change(world: World) -> None:
        path, _, text = case["input"]["changed"][0].partition(": ")
        world.write(path, f"{text}\n")
        brakes = {"max_redraws": "100%", "max_variants": 100_000}
        world.write("imagebatch.yaml", world.project_file(lineage=world.lineage, brakes=brakes))

    return _fork(change)


def _plug_in(case: Mapping[str, Any]) -> Scene:
    """Code in the repository that would have to be imported to know the provider that it declares."""

    def before(world: World) -> None:
        in_actions(world)
        mark = world.base / "ran"
        for path in (*case["input"]["changed"], "x.py", "sitecustomize.py", "imagebatch_x/__init__.py"):
            world.write(path, f"open({str(mark)!r}, 'w')\n")
        providers = {"x": {"type": "x", "api_key": "${X_KEY}"}}
        world.write("imagebatch.yaml", json.dumps({"version": 1, "providers": providers}))
        world.assets({"hero": {"provider": "x", "prompt": "a fox"}})

    def after(world: World, _: Ran) -> None:
        assert not (world.base / "ran").exists(), "code of the repository ran"

    return Scene(before=before, apart=True, after=after)


def _git_config(_: Mapping[str, Any]) -> Scene:
    """A table that would put the checkout's credentials into prompts."""

    def before(world: World) -> None:
        in_actions(world)
        (world.base / ".git").mkdir()
        (world.base / ".git" / "config").write_text("name,extraheader\na,AUTHORIZATION: basic kanari\n", "utf-8")
        asset = {"for_each": "../.git/config", "key": "name", "prompt": "{{ row.extraheader }}"}
        world.assets({"hero": asset})

    def after(world: World, _: Ran) -> None:
        assert all("AUTHORIZATION" not in ran.out + ran.err for ran in world.runs)

    return Scene(before=before, after=after)


def _written(case: Mapping[str, Any], after: Callable[[World, Ran], None], command: tuple[str, ...] = APPLY) -> Scene:
    """The manifest as the case gives it."""
    given = case["input"]

    def before(world: World) -> None:
        in_actions(world)
        world.write("manifests/case.yaml", generated(given) if "gen" in given else given["text"])

    return Scene(before=before, command=command, after=after)


def _no_log_command(case: Mapping[str, Any]) -> Scene:
    def after(world: World, _: Ran) -> None:
        for words in (("apply", "-y"), ("plan", "--detail"), ("render",), ("explain", next(iter(world.entries())))):
            world.run(*words)
        (start,) = case["expected"]["output_has_no_line_start"]
        for ran in world.runs:
            for line in (ran.out + ran.err).replace("\r", "\n").splitlines():
                assert not line.lstrip().startswith(start), f"a command for the log: {line!r}"

    return _written(case, after)


def _delimiters(case: Mapping[str, Any]) -> Scene:
    def after(world: World, _: Ran) -> None:
        world.run("plan")
        lines = (world.base / "outputs").read_text("utf-8").splitlines()
        names, used = [], set()
        while lines:
            name, delimiter = lines.pop(0).split("<<")
            assert re.fullmatch(r"imagebatch_[0-9a-f]{32}", delimiter), "a value could guess it"
            assert delimiter not in used
            used.add(delimiter)
            names.append(name)
            while (line := lines.pop(0)) != delimiter:
                json.loads(line)
        assert set(names) == {"exit_code", "planned"}

    return _written(case, after)


def _markdown(case: Mapping[str, Any]) -> Scene:
    def after(world: World, _: Ran) -> None:
        text = (world.base / "summary.md").read_text("utf-8")
        outside = re.sub(r"(`+).*?\1", "", text)
        assert "![" not in outside, "a remote picture would be loaded"
        assert "<" not in outside, "HTML stands outside of code"

    return _written(case, after)


def _large_summary(case: Mapping[str, Any]) -> Scene:
    def after(world: World, _: Ran) -> None:
        path = world.base / "summary.md"
        path.unlink()  # of several commands; GitHub counts what one step wrote
        world.run("plan")
        assert 0 < path.stat().st_size <= _MOST_SUMMARY

    return _written(case, after, PLAN)


def _read_only(_: Mapping[str, Any]) -> Scene:
    """A token that may read the repository and not write it: what is paid could not be made known to others."""

    def before(world: World) -> None:
        in_actions(world)
        world.write("imagebatch.yaml", world.project_file(lineage=world.lineage, state=LEASE))
        there = server(world.base / "server")
        publish(world.project, there)
        hook = there / "hooks" / "pre-receive"
        hook.write_text("#!/bin/sh\necho 'Permission to shop/pictures.git denied' >&2\nexit 1\n", encoding="utf-8")
        hook.chmod(0o755)

    def after(world: World, ran: Ran) -> None:
        assert "contents: write" in ran.err
        assert not world.asked()

    return Scene(before=before, command=AGAIN, after=after)


SCENES: Final[Mapping[str, Callable[[Mapping[str, Any]], Scene]]] = {
    "ci-fork-pr": lambda _: _fork(),
    "ci-comment-apply": _comment,
    "ci-self-hosted": _own_runner,
    "ci-config-from-pr": _raised_limits,
    "ci-plugin-from-pr": _plug_in,
    "ci-prompt-exfil": _git_config,
    "ci-log-command": _no_log_command,
    "ci-output-delimiter": _delimiters,
    "ci-summary-markdown": _markdown,
    "ci-summary-1MiB": _large_summary,
    "ci-detached-no-push": _read_only,
}
