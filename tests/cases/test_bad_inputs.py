"""Every bad input through the real command line: one clear end, nothing paid twice, nothing leaked.

What is looked at for every case: exit code, outcome, dotted code, paid creates in the simulator's ledger, no traceback,
no unprintable character, no key in any form in any output or file, no host but this machine, no port opened, nothing
written outside the project, bounded seconds and memory, a lock that parses, and a plan that stays the same.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cases import (
    archive_scenes,
    benign_scenes,
    budget_scenes,
    ci_scenes,
    concurrency_scenes,
    crash_scenes,
    disk_scenes,
    gallery_scenes,
    http_scenes,
    image_scenes,
    lock_scenes,
    log_scenes,
    manifest_scenes,
    provider_scenes,
    signal_scenes,
    time_scenes,
    url_scenes,
)
from tests.cases.adapted import SLOW_MACHINE, START_S, Expected, expected_of
from tests.cases.project_of import FILE, MANIFEST_AREAS, all_cases
from tests.cases.scenes import APPLY, PLAN, Scene, play
from tests.cases.world import Ran, Simulated, World, harm_in

Case = Mapping[str, Any]
Sceneries = Mapping[str, Callable[[Case, Case | None], Scene]]
SCENERIES: Sceneries = {
    "budget": lambda case, _: budget_scenes.budget_scene(case),
    "concurrency": concurrency_scenes.concurrency_scene,
    "ci": ci_scenes.ci_scene,
    "url": url_scenes.url_scene,
    "image": image_scenes.image_scene,
    "http": http_scenes.http_scene,
    "retry-time": time_scenes.time_scene,
    "logs": log_scenes.log_scene,
    "archive": archive_scenes.archive_scene,
    "gallery": gallery_scenes.gallery_scene,
    "benign": benign_scenes.benign_scene,
    "crash": lambda case, _: crash_scenes.SCENES[case["id"]](),
    "disk": lambda case, _: disk_scenes.SCENES[case["id"]](),
    "signals": lambda case, _: signal_scenes.SCENES[case["id"]](),
}
AREAS = (*MANIFEST_AREAS, "lockfile", "provider-response", *SCENERIES)
_PROJECTS = frozenset({"manifest", "template", "csv", "output_path", "fs"})
_KEYS_ONLY = frozenset({"secret.too_short"})  # a plan needs no key, and judges none
_ENDS: Mapping[str, frozenset[str]] = {
    "ok": frozenset({"done"}),
    "adopt": frozenset({"done"}),
    "wait": frozenset({"pending", "unsent"}),
    "in_doubt": frozenset({"in_doubt", "done"}),
    "fail_asset": frozenset({"failed", "blocked", "unsent", "done"}),
    "refuse": frozenset({"failed", "done"}),
    "reject": frozenset(),
    "env_error": frozenset({"failed", "done", "unsent", "pending", "in_doubt"}),
    "stopped": frozenset({"failed", "done", "unsent", "pending", "in_doubt"}),
}


def _matrix() -> list[Case]:
    """The rows of the matrix for ambiguous creates."""
    loaded = yaml.load(FILE.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    rows: list[Case] = loaded["ambiguous_create_matrix"]["rows"]
    return rows


def _params() -> Iterator[Any]:
    rows = _matrix()
    for case in all_cases():
        if case["area"] not in AREAS:
            continue
        if case["expected"]["outcome"] != "ambiguous_create":
            yield pytest.param(case, None, id=case["id"])
            continue
        only = case["input"].get("reply", {}).get("provider")
        for row in rows:
            if only in (None, row["provider"]):
                taken = (
                    "accepted" if row["accepted"] else f"record-{row['record']}" if "record" in row else "not-accepted"
                )
                unlisted = "-unlisted" if "list" in row else ""
                yield pytest.param(case, row, id=f"{case['id']}/{row['provider']}-{taken}{unlisted}")


def _is_project(case: Case) -> bool:
    """Whether a case is the files of one project, applied as they are."""
    if case["area"] in {"benign", "logs"} and case["id"] in {**benign_scenes.SCENES, **log_scenes.SCENES}:
        return False
    return case["area"] in {*MANIFEST_AREAS, "benign", "logs"} and case["input"]["kind"] in _PROJECTS


def _scene(case: Case, row: Case | None) -> Scene:
    if case["area"] in SCENERIES:
        return SCENERIES[case["area"]](case, row)
    if case["area"] == "lockfile":
        return lock_scenes.lock_scene(case)
    if case["input"]["kind"] == "sequence":
        return manifest_scenes.SCENES[case["id"]]()
    if row is not None:
        return provider_scenes.ambiguous_scene(case, row)
    return provider_scenes.http_scene(case) if case["input"]["kind"] == "http" else provider_scenes.sim_scene(case)


@pytest.mark.parametrize(("case", "row"), tuple(_params()))
def test_every_bad_input_comes_to_its_end(
    case: Case, row: Case | None, tmp_path: Path, simulated: Simulated, request: pytest.FixtureRequest
) -> None:
    world = World(name=request.node.callspec.id, base=tmp_path, simulated=simulated)
    expected = expected_of(case, row)
    is_project = _is_project(case)
    if is_project:
        ran = manifest_scenes.play_manifest(case, world)
        manifest_scenes.look_outside(world)
    else:
        scene = _scene(case, row)
        ran = play(scene, world)
    _came_to(expected, ran, world)
    _stays_the_same(case, expected, ran, world)
    if not is_project:
        scene.after(world, ran)
        if scene.net is not None and case["area"] == "url":
            request.node.user_properties.append(("connected", scene.net.connected))
    _did_no_harm(expected, world)
    request.node.user_properties.append(("said", sum(len(ran.out) + len(ran.err) for ran in world.runs)))


def test_no_case_is_left_open() -> None:
    """Every case of the file is played: one of an area that nobody plays would be passed over in silence."""
    assert {case["area"] for case in all_cases()} == set(AREAS)


def _came_to(expected: Expected, ran: Ran, world: World) -> None:
    """Exit code, code, outcome, what was paid, what was sent, seconds and memory."""
    assert ran.code == expected.exit, str(ran)
    if expected.code is not None:
        assert expected.code in ran.codes, str(ran)
    outcomes = {line.get("code") for line in ran.of_type("outcome")}
    if expected.code is not None and ran.code in {1, 4} and expected.code not in outcomes:
        assert f"[{expected.code}]" in ran.err, "the code is not told on stderr"
    ends = frozenset(ran.ends.values())
    assert ends <= _ENDS[expected.outcome], str(ran)
    paid = world.billed("create", "retry")
    wanted = world.asked(op="create") if expected.paid is None else expected.paid
    assert len(paid) == wanted, f"{len(paid)} paid steps, expected {wanted}: {paid}"
    if expected.outcome == "reject":
        assert not world.asked(), "something was sent although the input was refused"
    if expected.outcome == "refuse" and ran.code == 4:
        assert not world.asked(op="create")
    raw = expected.raw
    most_s = raw.get("max_seconds", 10)
    most_s = 10 if isinstance(most_s, str) else most_s  # a deadline and a little: the scene has seconds of deadline
    assert ran.seconds <= (most_s + START_S) * SLOW_MACHINE, f"{ran.seconds:.1f} s"
    assert ran.rss_mib <= raw.get("max_rss_mib", 512), f"{ran.rss_mib:.0f} MiB"
    for name, value in raw.get("request_has", {}).items():
        assert name == "params.format"
        (entry,) = world.entries().values()
        assert entry["request"]["params"]["format"] == value


def _stays_the_same(case: Case, expected: Expected, ran: Ran, world: World) -> None:
    """A plan afterwards sends nothing and says the same as often as it is asked; the lock parses."""
    before = world.simulated.counts()
    first = world.run(*PLAN)
    if ran.arguments == PLAN and case["area"] != "concurrency":  # it was a plan that counted: once more is enough
        assert (first.code, first.out) == (ran.code, ran.out), "the plan is not stable"
    elif expected.outcome == "reject":
        assert first.of_type("diagnostic") == ran.of_type("diagnostic"), "the plan refuses otherwise than the apply"
        assert first.code == 1
    else:
        second = world.run(*PLAN)
        for words in ("plan", "status"):  # what people read; looked at with all other output at the end
            told = world.run(words)
            assert told.code == first.code, str(told)
        assert (first.code, first.out) == (second.code, second.out), "the plan is not stable"
        # What stops a writer (a lock, a lease, a right to push, a disk) stops no plan, which takes and writes nothing.
        stops = expected.exit == 1 and (
            expected.outcome == "reject" or case["area"] not in {"concurrency", "ci", "crash", "disk"}
        )
        assert first.code == (1 if stops and expected.code not in _KEYS_ONLY else 0), str(first)
    assert world.simulated.counts() == before, "a plan asked a provider"
    if expected.outcome in {"ok", "adopt"} and ran.arguments == APPLY and case["input"]["kind"] != "sequence":
        assert not first.lines[0]["changes"], str(first)
    if expected.outcome in {"wait", "in_doubt"}:
        unsent = {"create"} if expected.paid == 0 else set()
        assert {one["action"] for one in first.lines[0]["changes"]} <= {"wait", "keep", *unsent}, str(first)
        assert expected.outcome == "wait" or first.lines[0]["changes"], "nothing is in doubt"
    if expected.exit == 4 and expected.outcome == "refuse" and ran.arguments == APPLY:
        assert {one["code"] for one in first.lines[0]["blocked_by"]} == {expected.code}, (
            "a plan does not say what stops"
        )
    if world.lock.exists() and not (case["area"] == "lockfile" and expected.outcome in {"reject", "refuse"}):
        value = json.loads(world.lock.read_text("utf-8"))
        assert value["format"] == "imagebatch-lock"


def _did_no_harm(expected: Expected, world: World) -> None:
    """What holds for every command of every case."""
    raw = expected.raw
    forbidden = [*raw.get("output_has_no_text", ()), *([raw["must_not_leak"]] if "must_not_leak" in raw else [])]
    for ran in world.runs:
        text = ran.out + ran.err
        assert "Traceback" not in text, str(ran)
        assert "internal" not in ran.codes, str(ran)
        assert not harm_in(ran.out) | harm_in(ran.err), str(ran)
        for leaked in forbidden:
            assert leaked not in text, f"{leaked!r} was printed"
        if ran.watch is not None:
            assert not ran.watch.foreign_hosts(), "a host other than this machine was asked"
            assert not ran.watch.listened, "a port was opened"
            assert not ran.watch.written_outside(world.base), "a file outside the project was opened for writing"
    assert not world.key_sightings()
    if "must_not_exist" in raw:
        assert not Path(raw["must_not_exist"]).exists()
