"""The commands on real projects, against the built-in simulator: what they print, write and leave with."""

import json
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from imagebatch.cli.schemas import schema_of
from tests.cli.conftest import ENTRY, Project

SPRING = "hero[season=spring]"


def plan_of(project: Project, *arguments: str) -> dict[str, dict[str, object]]:
    """The planned changes by address."""
    document = json.loads(project.run("plan", "--json", *arguments).out)
    jsonschema.validate(document, schema_of("plan"))
    return {change["address"]: change for change in document["changes"]}


def test_a_new_plan_in_full(project: Project) -> None:
    done = project.run("plan")
    assert done.code == 0
    assert done.err == ""
    assert done.out.splitlines() == [
        "  +   create  4 × hero[season=autumn] … hero[season=winter]",
        "              new: not in the lock · studio (simulated) · 0 credit (exact)",
        "  +   create  icon[thing=axe]",
        "              new: not in the lock · studio (simulated) · 0 credit (exact)",
        "  +   create  icon[thing=crown]",
        "              new: not in the lock · studio (simulated) · 0 credit (exact)",
        "",
        "Simulated: studio draws with the built-in simulator; nothing is paid.",
        "",
        "Plan: 6 to create. Cost: 0 credit (6 exact, 0 estimated, 0 unknown).",
    ]


def test_detailed_exit_codes_tell_changes_from_none(project: Project, applied: Project) -> None:
    assert project.run("plan", "--detailed-exitcode").code == 2
    assert project.run("status", "--exit-code").code == 2
    assert applied.run("plan", "--detailed-exitcode").code == 0
    assert applied.run("status", "--exit-code").code == 0


def test_a_second_apply_has_nothing_to_do_and_says_simulated(applied: Project) -> None:
    before = (applied.root / "imagebatch.lock").read_bytes()
    done = applied.run("apply", "-y")
    assert done.code == 0
    assert done.out.startswith("Nothing to do: 20 variants are as the manifests want. Simulated: ")
    assert (applied.root / "imagebatch.lock").read_bytes() == before


def test_without_a_terminal_and_without_yes_nothing_is_applied(project: Project) -> None:
    done = project.run("apply", text="yes\n")
    assert done.code == 4
    assert "imagebatch apply -y" in done.err
    assert not (project.root / "outputs").exists()


@pytest.mark.parametrize(("typed", "code"), [(b"\x03", 130), (b"\x04", 4), (b"no\n", 4)])
def test_ctrl_c_at_the_question_is_an_interrupt_and_an_unanswered_one_a_no(
    project: Project, typed: bytes, code: int
) -> None:
    near, far = pty.openpty()
    at_a_terminal = f"import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); {ENTRY}"
    with subprocess.Popen(
        [sys.executable, "-c", at_a_terminal, "apply"],
        cwd=project.root,
        env=project.environ,
        stdin=far,
        stdout=subprocess.DEVNULL,
        stderr=far,
        start_new_session=True,
    ) as process:
        os.close(far)
        asked = b""
        while b"[y/N]" not in asked:
            asked += os.read(near, 4096)
        for _ in range(15):  # what is typed before the line editor has set up the terminal is thrown away
            os.write(near, typed)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=2)  # long enough for a busy machine: a second ctrl-C would leave at once
                break
        ended = process.poll()
        process.kill()
        os.close(near)
    assert ended == code
    assert not (project.root / "outputs").exists()


def test_apply_json_is_one_object_a_line_from_version_to_summary(project: Project, tmp_path: Path) -> None:
    variables = {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"), "GITHUB_OUTPUT": str(tmp_path / "output")}
    done = project.run("apply", "-y", "--json", "--require-picks", **variables)
    assert done.code == 5, done.err
    lines = [json.loads(line) for line in done.out.splitlines()]
    for line in lines:
        jsonschema.validate(line, schema_of("events"))
    assert (lines[0]["type"], lines[-1]["type"]) == ("version", "summary")
    last = lines[-1]
    assert (last["exit_code"], last["created"], last["unpicked"], last["failed"]) == (5, 6, 2, 0)
    assert "### imagebatch apply" in (tmp_path / "summary.md").read_text()
    assert re.search(r"exit_code<<(imagebatch_[0-9a-f]+)\n5\n\1\n", (tmp_path / "output").read_text())
    assert json.loads((project.root / "imagebatch.lock").read_text())["format"] == "imagebatch-lock"
    jsonschema.validate(json.loads((project.root / "imagebatch.lock").read_text()), schema_of("lock"))


def outputs_of(text: str) -> dict[str, object]:
    """What a step's outputs say; each may stand there once."""
    found = re.findall(r"(\w+)<<(imagebatch_[0-9a-f]+)\n(.*)\n\2\n", text)
    assert len({name for name, _, _ in found}) == len(found)
    return {name: json.loads(value) for name, _, value in found}


@pytest.mark.parametrize("shape", [(), ("--json",)])
def test_a_ci_is_told_how_a_plan_and_a_refused_apply_ended(
    project: Project, tmp_path: Path, shape: tuple[str, ...]
) -> None:
    def told(*arguments: str) -> tuple[dict[str, object], str]:
        output, summary = tmp_path / "output", tmp_path / "summary.md"
        variables = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)}
        for path in (output, summary):
            path.write_text("")
        code = project.run(*arguments, *shape, **variables).code
        outputs = outputs_of(output.read_text())
        assert outputs["exit_code"] == code
        return outputs, summary.read_text()

    outputs, summary = told("plan", "--detailed-exitcode", "--out", "next.plan")
    assert (outputs["exit_code"], outputs["planned"]["create"]) == (2, 6)  # type: ignore[index]  # counts
    assert summary.count("### imagebatch plan") == 1
    outputs, summary = told("apply", "-y", "--max-creates", "1")
    assert (outputs["exit_code"], outputs["planned"]["create"]) == (4, 6)  # type: ignore[index]  # as above
    assert summary.count("### imagebatch plan") == 1
    assert "budget.exceeded" in summary
    assert told("apply")[0]["exit_code"] == 4, "nobody said yes"
    project.write("manifests/more.yaml", "assets:\n  fox:\n    prompt: A fox\n")
    outputs, summary = told("apply", "next.plan")
    assert outputs == {"exit_code": 4}, "stale: it never came to a plan"
    assert "plan.stale" in summary
    assert not (project.root / "outputs").exists()


def test_a_brake_refuses_names_itself_and_its_flag(project: Project) -> None:
    done = project.run("apply", "-y", "--max-creates", "1")
    assert done.code == 4
    assert done.err.startswith("error: the plan is not applied [")
    assert "--max-creates" in done.err or "--force" in done.err
    assert not (project.root / "outputs").exists()
    assert project.run("plan", "--max-creates", "1").code == 0


def test_a_plan_is_never_saved_over_a_file_that_is_no_plan(applied: Project) -> None:
    for name in ("imagebatch.lock", "manifests/catalog.yaml"):
        before = (applied.root / name).read_bytes()
        refused = applied.run("plan", "--out", name)
        assert (refused.code, refused.out, "is no saved plan" in refused.err) == (64, "", True)
        assert (applied.root / name).read_bytes() == before
    applied.write("next.plan", "")
    assert applied.run("plan", "--out", "next.plan").code == 0
    assert applied.run("plan", "--out", "next.plan").code == 0


def test_force_stale_applies_a_saved_plan_whose_steps_are_still_the_same(project: Project) -> None:
    assert project.run("plan", "--out", "next.plan", "-s", "icon").code == 0
    manifest = project.root / "manifests" / "catalog.yaml"
    manifest.write_text(manifest.read_text() + "# a comment\n")
    refused = project.run("apply", "next.plan")
    assert (refused.code, "--force stale" in refused.err) == (4, True)
    assert project.run("apply", "next.plan", "--force", "stale", "--force", "redraws").code == 64
    assert project.run("apply", "next.plan", "--force", "stale").code == 0
    again = project.run("apply", "next.plan", "--force", "stale")
    assert (again.code, "[plan.stale]" in again.err) == (4, True), "its steps are done"


def test_a_saved_plan_is_applied_exactly_once(project: Project) -> None:
    assert project.run("plan", "-s", SPRING, "--out", "spring plan").code == 0
    mixed = project.run("apply", "spring plan", "-s", "hero")
    assert mixed.code == 64
    done = project.run("apply", "spring plan", "-y")
    assert done.code == 0, done.err
    assert sorted(path.name for path in (project.root / "outputs").rglob("*.jpg")) != []
    assert "Done: 1 created in N s." in done.filtered
    again = project.run("apply", "spring plan", "-y")
    assert again.code == 4
    assert "tale" in again.err


def test_picks_are_bound_to_bytes_and_applied(project: Project) -> None:
    assert project.run("apply", "-y", "-s", "icon").code == 0
    done = project.run("pick", "icon[thing=axe]", "3")
    assert done.code == 0, done.err
    assert 'use: ["sha256:' in (project.root / "picks.yaml").read_text()
    assert plan_of(project, "-s", "icon")["icon[thing=axe]"]["action"] == "develop"
    assert project.run("apply", "-y", "-s", "icon").code == 0
    entry = json.loads((project.root / "imagebatch.lock").read_text())["generations"]["icon[thing=axe]"]
    assert entry["picked"] == [3]
    wrong = project.run("pick", "icon[thing=axe]", "9")
    assert (wrong.code, "offers 4" in wrong.err) == (1, True)


def test_redraw_asks_in_picks_and_restore_goes_back_without_drawing(applied: Project) -> None:
    assert applied.run("redraw", "badge", "--note", "more gold", "--add", "gold thread").code == 0
    change = plan_of(applied)["badge"]
    assert (change["action"], change["reason_code"], change["attempt"]) == ("redraw", "asked", 2)
    assert applied.run("apply", "-y").code == 0
    history = applied.run("history", "badge")
    assert re.findall(r"^ +([0-9]+)(?: \(present\))?  attempt ([0-9])", history.out, re.MULTILINE) == [
        ("0", "2"),
        ("1", "1"),
    ]
    assert "gold thread" in history.out
    assert applied.run("restore", "badge", "--to", "1").code == 0
    assert plan_of(applied)["badge"]["action"] == "adopt"
    assert applied.run("apply", "-y").code == 0
    assert plan_of(applied) == {}
    assert applied.run("restore", "badge", "--to", "7").code == 1
    assert applied.run("redraw", "badge", "--note", "once more").code == 0
    assert "was: restore" not in (applied.root / "picks.yaml").read_text()
    assert plan_of(applied)["badge"]["action"] == "redraw"
    assert applied.run("accept", "badge").code == 0
    assert plan_of(applied) == {}, "the redraw is taken back"


def test_a_candidate_of_an_earlier_draw_from_which_nothing_was_picked_can_be_restored(project: Project) -> None:
    axe = "icon[thing=axe]"
    assert project.run("apply", "-y", "-s", axe).code == 0
    assert project.run("redraw", axe, "--now", "-y").code == 0
    (old,) = json.loads((project.root / "imagebatch.lock").read_text())["generations"][axe]["earlier"]
    history = project.run("history", axe).out
    assert all(f"candidate {number}  .imagebatch/store/" in history for number in range(1, 5))
    refused = project.run("restore", axe, "--to", "1")
    assert (refused.code, f"imagebatch restore '{axe}' --to 1 --candidate 1" in refused.err) == (1, True)
    assert not (project.root / "picks.yaml").read_text().count("restore}")
    several = project.run("restore", axe, "--to", "1", "--candidate", "1", "--candidate", "2")
    assert (several.code, "[pick.one_place]" in several.err) == (1, True)
    done = project.run("restore", axe, "--to", "1", "--candidate", "3")
    assert (done.code, "Restored candidate 3 of number 1" in done.out) == (0, True)
    assert plan_of(project, "-s", axe)[axe]["action"] == "adopt"
    assert project.run("apply", "-y", "-s", axe).code == 0
    entry = json.loads((project.root / "imagebatch.lock").read_text())["generations"][axe]
    assert (entry["token"], entry["picked"]) == (old["token"], [3])
    assert plan_of(project, "-s", axe) == {}


def test_accept_lets_a_picture_stand_for_a_changed_request(applied: Project) -> None:
    manifest = applied.root / "manifests" / "catalog.yaml"
    manifest.write_text(manifest.read_text().replace("embroidered badge", "stitched badge"))
    assert plan_of(applied)["badge"]["action"] == "redraw"
    done = applied.run("accept", "badge")
    assert (done.code, done.out) == (0, "Accepted 1 picture:\n  badge\n")
    assert plan_of(applied) == {}
    assert applied.run("accept", "badge", "hero").code in {0, 1}
    assert applied.run("destroy", "badge", "-y").code == 0
    assert plan_of(applied)["badge"]["action"] == "adopt"


def test_explain_shows_what_differs(applied: Project) -> None:
    manifest = applied.root / "manifests" / "catalog.yaml"
    manifest.write_text(manifest.read_text().replace("embroidered badge", "stitched badge"))
    done = applied.run("explain", "badge")
    assert done.code == 0
    for words in (
        "-/+ redraw  badge",
        "prompt changed",
        "declared   manifests/catalog.yaml:",
        "differs    prompt",
        "image    data/mark.png",
    ):
        assert words in done.out
    found = json.loads(applied.run("explain", "badge", "--json").out)
    assert [one["name"] for one in found["differences"]] == ["prompt"]
    assert applied.run("explain", "nobody").code == 1
    applied.write("manifests/more.yaml", "assets: {many: {prompt: x, matrix: {on: [a, b]}}}\n")
    assert "hint: name one: 'many[on=a]', 'many[on=b]'" in applied.run("explain", "many").err


def test_verify_hashes_everything_and_fails_on_simulated_pictures(applied: Project) -> None:
    done = applied.run("verify")
    assert done.code == 2
    assert "Disagreements: 20 found; " in done.out
    assert done.out.count("[verify.simulated]") == 20
    (applied.root / "outputs" / "badge.png").write_bytes(b"edited")
    (applied.root / "outputs" / "hero" / "spring.jpg").unlink()
    codes = re.findall(r"\[(verify\.\w+)\]", applied.run("verify").out)
    assert {"verify.size", "verify.missing", "verify.simulated"} == set(codes)


def test_a_redraw_that_is_refused_at_once_leaves_no_wish_behind(applied: Project) -> None:
    picks = applied.root / "picks.yaml"
    before = picks.read_bytes()
    assert applied.run("redraw", "badge", "--now").code == 4
    assert picks.read_bytes() == before
    assert applied.run("redraw", "hero[season=spring]", "--note", "later").code == 0
    before = picks.read_bytes()
    blocked = applied.run("redraw", "badge", "--now", "-y", "--max-creates", "0")
    assert (blocked.code, "took the redraw back" in blocked.err) == (4, True)
    assert picks.read_bytes() == before


def test_redraws_that_a_command_names_do_not_count_against_the_brake(applied: Project) -> None:
    assert applied.run("redraw", "*", "--now", "-y", "--no-wait", "--json").code in {0, 75}


def test_protection_stops_a_redraw_until_it_is_taken_back(applied: Project) -> None:
    assert applied.run("protect", "badge").out == "Protected 1 picture:\n  badge\n"
    manifest = applied.root / "manifests" / "catalog.yaml"
    manifest.write_text(manifest.read_text().replace("embroidered badge", "stitched badge"))
    assert plan_of(applied)["badge"]["reason_code"] == "protected"
    assert applied.run("protect", "badge").out.startswith("Nothing to do")
    asked = applied.run("redraw", "badge")
    assert (asked.code, "warning: badge is protected: no redraw before" in asked.err) == (0, True)
    assert applied.run("unprotect", "badge").code == 0
    assert plan_of(applied)["badge"]["action"] == "redraw"


def test_other_picks_of_a_protected_picture_are_written_once_and_then_it_rests(project: Project) -> None:
    def manifest(prompt: str, **asset: object) -> None:
        project.write("manifests/catalog.yaml", json.dumps({"assets": {"cave": {"prompt": prompt, **asset}}}))

    manifest("a cave", pick="all", output="outputs/{{ candidate }}.jpg")
    assert project.run("apply", "-y").code == 0
    for pick, output, picked, files in (
        ("first", "outputs/cave.jpg", [1], ["cave.jpg"]),
        ([2, 3], "outputs/{{ candidate }}.jpg", [2, 3], ["2.jpg", "3.jpg"]),
        ("first", "outputs/cave.jpg", [1], ["cave.jpg"]),
    ):
        manifest("a grotto", protect=True, pick=pick, output=output)
        assert project.run("apply", "-y").code == 0
        assert "also" not in plan_of(project)["cave"]
        assert project.run("plan", "--detailed-exitcode").code == 0
        shown = json.loads(project.run("lock", "show", "--json", "cave").out)["entries"]["cave"]
        assert (shown["picked"], sorted(path.name for path in (project.root / "outputs").iterdir())) == (picked, files)
        shutil.rmtree(project.root / ".imagebatch" / "store")


def test_params_are_shown_of_a_provider_by_its_alias(project: Project) -> None:
    of_alias = project.run("providers", "params", "studio")
    assert (of_alias.code, of_alias.out) == (0, project.run("providers", "params", "provider:studio").out)
    assert "format               sent" in of_alias.out
    assert "used by 6 variants\n" in project.run("providers", "list").out


def test_the_lock_is_shown_renamed_and_forgotten(applied: Project) -> None:
    shown = json.loads(applied.run("lock", "show", "--json", "badge").out)
    assert list(shown["entries"]) == ["badge"]
    assert applied.run("lock", "mv", "badge", "hero[season=spring]").code == 1
    assert applied.run("lock", "mv", "badge", "patch").code == 0
    assert plan_of(applied)["badge"]["action"] == "move"
    assert applied.run("lock", "rm", "patch").code == 0
    assert plan_of(applied)["badge"]["action"] == "adopt"
    assert applied.run("lock", "release").out == "Nothing to do: nobody holds this project.\n"


def test_destroy_needs_a_name_and_puts_files_into_the_trash(applied: Project) -> None:
    done = applied.run("destroy", "badge", "-y")
    assert done.code == 0, done.err
    assert not (applied.root / "outputs" / "badge.png").exists()
    assert [path.name for path in (applied.root / ".imagebatch" / "trash").rglob("*.png")] == ["badge.png"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("apply",), 4),
        (("apply", "-y", "--max-creates", "0"), 4),
        (("apply", "nowhere.plan"), 1),
        (("wait", "-s", "nobody"), 1),
        (("retry", "nobody", "-y"), 1),
        (("redraw", "nobody", "--now", "-y"), 1),
        (("resolve", "nobody", "--resend", "-y"), 1),
        (("run", "a red hat", "--provider", "nope", "-y"), 1),
        (("run", " ", "-y"), 64),
    ],
)
def test_a_stream_of_json_ends_with_a_summary_however_the_command_ends(
    project: Project, arguments: tuple[str, ...], code: int
) -> None:
    done = project.run(*arguments, "--json")
    lines = [json.loads(line) for line in done.out.splitlines()]
    for line in lines:
        jsonschema.validate(line, schema_of("events"))
    assert (lines[0]["type"], lines[-2]["type"], lines[-1]["type"]) == ("version", "diagnostic", "summary")
    assert (done.code, lines[-1]["exit_code"]) == (code, code)


def test_what_lock_show_and_redraw_say_to_programs_is_one_object(applied: Project) -> None:
    shown = json.loads(applied.run("lock", "show", "badge", "--json").out)
    assert shown["entries"]["badge"]["status"] == "succeeded"
    asked = json.loads(applied.run("redraw", "badge", "--json").out)
    assert (asked["command"], asked["exit_code"]) == ("redraw", 0)


def test_nothing_pending_and_nothing_in_doubt_is_said_plainly(applied: Project) -> None:
    assert applied.run("wait").out == "Nothing to do: nothing is being drawn.\n"
    assert applied.run("resolve", "--list").out == "Nothing is in doubt.\n"
    lines = [json.loads(line)["type"] for line in applied.run("wait", "--json").out.splitlines()]
    assert lines == ["version", "summary"]


def test_no_wait_leaves_with_75_and_wait_collects(project: Project) -> None:
    sent = project.run("apply", "-y", "--no-wait", "-s", SPRING)
    assert sent.code == 75, sent.err
    assert "next: imagebatch wait" in sent.out
    assert plan_of(project, "-s", SPRING)[SPRING]["action"] == "wait"
    collected = project.run("wait")
    assert collected.code == 0, collected.err
    assert "1 collected" in collected.out
    assert plan_of(project, "-s", SPRING) == {}


def test_a_retry_of_what_has_not_failed_is_refused_and_says_what_would_do(applied: Project) -> None:
    refused = applied.run("retry", "hero", "-y")
    assert refused.code == 4
    assert "[retry.not_failed]" in refused.err
    assert "imagebatch redraw SEL" in refused.err


def test_what_was_deleted_at_the_provider_is_used_as_far_as_it_is_here_and_drawn_again_when_asked(
    project: Project,
) -> None:
    def manifest(**assets: object) -> None:
        named = {name: {"prompt": "a mesa", **settings} for name, settings in assets.items()}  # type: ignore[dict-item]  # mappings
        project.write("manifests/catalog.yaml", json.dumps({"assets": {"other": {"prompt": "a dune"}, **named}}))

    every = {"pick": "all", "output": "outputs/{{ candidate }}.jpg"}
    manifest(mesa={"on_remove": "delete"})
    assert project.run("apply", "-y").code == 0
    manifest()
    assert "1 deleted" in project.run("apply", "-y", "--force", "deletes").out
    manifest(mesa={"tags": ["t"]})
    assert plan_of(project)["mesa"]["action"] == "adopt"
    assert project.run("apply", "-y").code == 0
    manifest(butte={"tags": ["u"]})
    renamed = project.run("apply", "-y")
    assert (renamed.code, "recorded here only" in renamed.out) == (0, True), renamed.out
    assert plan_of(project) == {}
    manifest(butte=every)
    for _ in range(2):
        kept = plan_of(project)["butte"]
        assert (kept["action"], kept["reason_code"], "cost" in kept) == ("keep", "unavailable", False)
        assert project.run("apply", "-y").code == 3
    again = project.run("retry", "butte", "-y")
    assert (again.code, "1 redrawn" in again.out) == (0, True), again.out + again.err
    assert plan_of(project) == {}


def test_plan_refresh_asks_first_and_still_prints_one_document(project: Project) -> None:
    assert project.run("apply", "-y", "--no-wait", "-s", SPRING).code == 75
    done = project.run("plan", "--refresh", "--json", "-s", SPRING)
    assert done.code == 0, done.err
    assert json.loads(done.out)["changes"] == []
    assert "1 collected" in done.err


def test_status_names_what_needs_a_person(project: Project) -> None:
    assert project.run("apply", "-y", "-s", "icon").code == 0
    done = project.run("status")
    assert done.code == 0
    assert "Waiting for a pick (2)" in done.out
    assert "New: not drawn yet (4)" in done.out
    found = json.loads(project.run("status", "--json").out)
    assert found["states"]["unpicked"] == ["icon[thing=axe]", "icon[thing=crown]"]
    assert found["recorded"] == 2


def test_render_shows_prompt_request_and_the_fate_of_params(project: Project) -> None:
    done = project.run("render", SPRING, "--json")
    found = json.loads(done.out)
    assert found["prompt"] == "A spring morning in a park"
    assert found["request"]["params"] == {"format": "3:2"}
    assert project.run("render").out.count("prompt   ") == 6


def test_a_lost_lock_is_told_by_status_too_and_made_anew_by_what_the_messages_say(applied: Project) -> None:
    (applied.root / "imagebatch.lock").unlink()
    (applied.root / "outputs" / "icons" / "crown.png").write_bytes(b"mine")
    status = " ".join(applied.run("status").out.split())
    assert "the lock is missing though pictures are known" in status
    assert "Lift it with --force new-lock." in status
    planned = " ".join(applied.run("plan", "--force", "new-lock").out.split())
    assert "the lock is missing" not in planned  # it was lifted; what is left is said
    assert "Files of which the lock knows nothing stand in the way" in planned
    done = applied.run("apply", "-y", "--force", "new-lock", "--force", "overwrite")
    assert done.code == 0, done.err
    assert "20 adopted" in done.out
    assert "created" not in done.out
    trash = applied.root / ".imagebatch" / "trash" / "overwritten"
    assert [path.read_bytes() for path in trash.rglob("*.png")] == [b"mine"]


def test_explain_names_the_files_that_a_person_picks_from(project: Project) -> None:
    done = project.run("apply", "-y", "-s", "icon")
    assert "next: imagebatch gallery shows them, and imagebatch review takes picks, too\n" in done.out
    assert "next: imagebatch explain 'icon[thing=axe]' names their files\n" in done.out
    lines = [line.split() for line in project.run("explain", "icon[thing=axe]").out.splitlines()]
    files = {line[1]: project.root / line[2] for line in lines if line[:1] == ["picture"]}
    assert list(files) == ["1", "2", "3", "4"]
    assert all(path.stat().st_size for path in files.values())
    told = json.loads(project.run("explain", "icon[thing=axe]", "--json").out)
    assert {number: project.root / path for number, path in told["pictures"].items()} == files


def test_a_missing_key_is_answered_with_lines_that_work_when_pasted(tmp_path: Path, project: Project) -> None:
    bare = replace(project, root=tmp_path / "bare")
    bare.write("imagebatch.yaml", "version: 1\n")
    bare.write("manifests/a.yaml", "assets: {logo: {prompt: a pot, provider: openai, params: {model: gpt-image-2}}}\n")
    refused = bare.run("apply", "-y")
    assert refused.code == 1
    assert "  hint: export OPENAI_API_KEY=…\n" in refused.err
    assert refused.err.rstrip().endswith("imagebatch --simulate apply")
    rehearsed = bare.run("--simulate", "apply", "-y")
    assert rehearsed.code == 0, rehearsed.err
    assert "its outputs lie in .imagebatch/simulated/" in rehearsed.err
    assert (bare.root / ".imagebatch" / "simulated" / "outputs" / "logo").is_dir()
    line = next(line for line in refused.err.splitlines() if "for openai: " in line).partition("for openai: ")[2]
    bare.write("imagebatch.yaml", f"version: 1\n{line}\n")
    assert bare.run("apply", "-y").code == 0


def test_init_writes_a_project_that_validates_and_plans_and_overwrites_nothing(
    tmp_path: Path, project: Project
) -> None:
    (tmp_path / "new").mkdir()
    fresh = replace(project, root=tmp_path / "new")
    done = fresh.run("init")
    assert done.code == 0, done.err
    settings = (fresh.root / "imagebatch.yaml").read_text()
    assert settings.startswith("# yaml-language-server: $schema=.imagebatch/project.schema.json\n")
    lineage = re.search(r'lineage: "([0-9a-f]{32})"', settings)
    assert lineage is not None
    assert lineage[1] in (fresh.root / "imagebatch.lock").read_text()
    for name in ("project", "manifest"):
        schema = json.loads((fresh.root / ".imagebatch" / f"{name}.schema.json").read_text())
        assert schema == schema_of(name)
    assert ".imagebatch/" in (fresh.root / ".gitignore").read_text()
    assert fresh.run("validate").out == "Valid: 1 asset, 2 variants.\n"
    assert fresh.run("plan", "--detailed-exitcode").code == 2
    again = fresh.run("init")
    assert again.code == 4
    assert "imagebatch.yaml" in again.err
    assert (fresh.root / "imagebatch.yaml").read_text() == settings


def test_init_prints_a_next_command_that_can_be_pasted_and_works_with_any_folder_name(
    tmp_path: Path, project: Project
) -> None:
    fresh = replace(project, root=tmp_path)
    done = fresh.run("init", "Bilder für Oma")
    assert done.out.endswith("Next: imagebatch -C 'Bilder für Oma' plan\n"), done.out
    words = shlex.split(done.out.splitlines()[-1].removeprefix("Next: imagebatch "))
    assert fresh.run(*words, "--detailed-exitcode").code == 2


def test_init_says_when_it_is_inside_a_project_and_keeps_out_of_its_manifests(project: Project) -> None:
    inner = project.run("init", "shop")
    assert inner.code == 0
    assert "a project of its own inside the project in" in inner.err
    refused = project.run("-C", "manifests", "init")
    assert (refused.code, refused.out) == (4, "")
    assert "Nothing was written" in refused.err
    assert not (project.root / "manifests" / "imagebatch.yaml").exists()
    assert project.run("validate").code == 0


def test_init_ends_with_paragraphs_that_the_screen_may_break_anywhere(tmp_path: Path, project: Project) -> None:
    out = replace(project, root=tmp_path).run("init", "new").out
    assert next(line for line in out.splitlines() if line.startswith("Commit these")).endswith("keeps them.")


def test_providers_are_listed_and_checked_without_showing_a_key(project: Project) -> None:
    done = project.run("providers", "list", "--json", OPENAI_API_KEY="sk-live-0123456789")
    found = {one["alias"]: one for one in map(json.loads, done.out.splitlines())}
    assert (found["studio"]["simulated"], found["openai"]["has_key"]) == (True, True)
    assert "sk-live" not in done.out + done.err
    assert project.run("providers", "check", "studio").code == 0
    assert project.run("providers", "check", "nobody").code == 64
    missing = project.run("providers", "check", "all-images")
    assert missing.code == 1
    assert "ALL_IMAGES_API_KEY" in missing.out


def test_one_picture_without_a_manifest_is_drawn_once(project: Project, tmp_path: Path) -> None:
    arguments = ("run", "a {{ red }} fox", "--param", "format=16:9", "-y")
    first = project.run(*arguments, "-o", "fox.png")
    assert first.code == 0, first.err
    assert (project.root / "fox.png").read_bytes().startswith(b"\x89PNG")
    second = project.run(*arguments, "-o", "fox2.png")
    assert second.code == 0
    assert "Nothing to do" in second.out
    assert (project.root / "fox2.png").read_bytes() == (project.root / "fox.png").read_bytes()
    assert project.run(*arguments, "-o", "fox.png").code == 4
    assert project.run("run", "a fox", "-o", "fox.txt").code == 64
    assert project.run("run", "a fox", "--param", "format", "-y").code == 64


def test_what_is_to_be_done_next_about_one_picture_names_its_own_project(project: Project) -> None:
    left = project.run("run", "a red fox", "--no-wait", "-y")
    assert (left.code, "next: imagebatch -C .imagebatch/run wait" in left.out) == (75, True), left.out
    waited = project.run("-C", ".imagebatch/run", "wait")
    assert (waited.code, "1 collected" in waited.out) == (0, True), waited.out
    again = project.run("run", "a red fox", "-y", "-o", "fox.jpg")
    assert (again.code, "create" in again.out, (project.root / "fox.jpg").exists()) == (0, False, True)


def test_outside_a_project_one_picture_has_a_home_of_its_own(tmp_path: Path, project: Project) -> None:
    (tmp_path / "nowhere").mkdir()
    alone = replace(project, root=tmp_path / "nowhere")
    done = alone.run("run", "a fox", "--simulate", "-y", "-o", "fox.webp")
    assert done.code == 0, done.err
    assert (alone.root / "fox.webp").read_bytes()[8:12] == b"WEBP"
    assert [path.name for path in alone.root.iterdir()] == ["fox.webp"]
    without_key = alone.run("run", "a fox", "-y")
    assert without_key.code == 1
    assert "ALL_IMAGES_API_KEY" in without_key.err


def test_an_asset_that_could_not_be_drawn_yet_is_not_left_in_the_manifests(project: Project) -> None:
    refused = project.run("run", "a tree", "--save", "tree")
    assert (refused.code, "took manifests/tree.yaml away again" in refused.err) == (4, True)
    assert project.run("run", "a tree", "--save", "tree", "--param", "format=99:1", "-y").code == 1
    assert not (project.root / "manifests" / "tree.yaml").exists()
    assert project.run("validate").code == 0


def test_one_picture_can_be_kept_as_an_asset(project: Project) -> None:
    done = project.run("run", "a tree: {% old %}", "--save", "tree", "-y")
    assert done.code == 0, done.err
    rendered = json.loads(project.run("render", "tree", "--json").out)
    assert rendered["prompt"] == "a tree: {% old %}"
    assert project.run("run", "another", "--save", "Tree", "-y").code == 4
    assert "tree" not in plan_of(project)


def test_a_picture_drawn_without_a_manifest_is_adopted_when_it_is_saved_and_the_other_way_round(
    project: Project,
) -> None:
    assert project.run("run", "a fox", "-y", "-o", "fox.jpg").code == 0
    saved = project.run("run", "a fox", "--save", "fox", "-y", "--json")
    assert saved.code == 0, saved.err
    assert "create" not in json.loads(saved.out.splitlines()[-1])["requests"]
    assert (project.root / "outputs" / "fox.jpg").read_bytes() == (project.root / "fox.jpg").read_bytes()
    assert "fox" not in plan_of(project)
    assert project.run("run", "a dog", "--save", "dog", "-y").code == 0
    again = project.run("run", "a dog", "-y", "--json", "-o", "dog.jpg")
    assert "create" not in json.loads(again.out.splitlines()[-1])["requests"], again.err


def test_files_of_several_picks_are_renamed_where_neither_store_nor_provider_has_their_pictures(
    project: Project,
) -> None:
    def manifest(folder: str) -> None:
        small = {"outputs": [{"path": f"{folder}/2-{{{{ candidate }}}}-2.jpg", "width": 200}]}
        plain = {"output": f"{folder}/plain-{{{{ candidate }}}}.jpg"}
        one = {"outputs": [{"path": f"{folder}/one.jpg", "width": 200}]}
        assets: dict[str, dict[str, object]] = {
            "small": {"pick": [2, 3], **small},
            "plain": {"pick": [1, 3], **plain},
            "one": {"pick": "first", **one},
        }
        named = {name: {"prompt": f"a {name}", **asset} for name, asset in assets.items()}
        project.write("manifests/catalog.yaml", json.dumps({"assets": named}))

    def files(folder: str) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (project.root / folder).iterdir()}

    manifest("old")
    assert project.run("apply", "-y").code == 0
    before = files("old")
    shutil.rmtree(project.root / ".imagebatch")
    manifest("new")
    done = project.run("apply", "-y", "--json")
    assert done.code == 0, done.err + done.out
    assert json.loads(done.out.splitlines()[-1])["requests"] == {}
    assert files("new") == before
    assert not (project.root / "old").exists()
    assert plan_of(project) == {}


def test_a_rename_overwrites_a_foreign_file_only_when_told_to_and_never_another_picture_of_ours(
    project: Project,
) -> None:
    def manifest(**paths: str) -> None:
        assets = {name: {"prompt": f"a {name}", "output": f"o/{path}.jpg"} for name, path in paths.items()}
        project.write("manifests/catalog.yaml", json.dumps({"assets": assets}))

    manifest(fox="1", dog="2", cat="3")
    assert project.run("apply", "-y").code == 0
    pictures = {name: (project.root / f"o/{at}.jpg").read_bytes() for name, at in (("fox", 1), ("dog", 2), ("cat", 3))}
    manifest(fox="2", dog="3", cat="4")
    project.write("o/4.jpg", "by hand")
    assert project.run("apply", "-y").code == 4
    shutil.rmtree(project.root / ".imagebatch" / "store")
    done = project.run("apply", "-y", "--force", "overwrite")
    assert done.code == 0, done.err
    assert {name: (project.root / f"o/{at}.jpg").read_bytes() for name, at in (("fox", 2), ("dog", 3), ("cat", 4))} == (
        pictures
    )
    trash = project.root / ".imagebatch" / "trash"
    assert [path.name for path in trash.rglob("*") if path.is_file()] == ["4.jpg"]
    assert plan_of(project) == {}


def test_a_picture_of_ours_that_stands_beside_another_branchs_lock_gives_way_and_what_a_person_made_does_not(
    project: Project,
) -> None:
    lock, picture = project.root / "imagebatch.lock", project.root / "o" / "hero.jpg"

    def manifest(prompt: str | None) -> None:
        hero = {"hero": {"prompt": prompt, "output": "o/hero.jpg"}} if prompt else {}
        base = {"base": {"prompt": "a cat", "output": "o/base.jpg"}}
        project.write("manifests/catalog.yaml", json.dumps({"assets": {**base, **hero}}))

    def branch(prompt: str | None, locked: bytes) -> None:
        manifest(prompt)
        lock.write_bytes(locked)

    manifest(None)
    assert project.run("apply", "-y").code == 0
    bare = lock.read_bytes()
    manifest("a fox")
    assert project.run("apply", "-y").code == 0
    with_fox, fox = lock.read_bytes(), picture.read_bytes()
    branch("a wolf", bare)
    done = project.run("apply", "-y")
    assert done.code == 0, done.err
    wolf = picture.read_bytes()
    branch("a fox", with_fox)
    assert {address: change["action"] for address, change in plan_of(project).items()} == {"hero": "develop"}
    assert project.run("apply", "-y").code == 0
    assert picture.read_bytes() == fox
    trash = project.root / ".imagebatch" / "trash" / "overwritten" / "o"
    assert {path.read_bytes() for path in trash.iterdir()} == {fox, wolf}
    for by_hand in (b"by hand", (project.root / "o" / "base.jpg").read_bytes()):
        picture.write_bytes(by_hand)
        assert plan_of(project)["hero"]["reason_code"] == "edited"
    branch("a bear", bare)
    picture.write_bytes(b"by hand")
    assert project.run("apply", "-y").code == 4
    assert picture.read_bytes() == b"by hand"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(project: Project, shell: str) -> None:
    done = project.run("completion", shell)
    assert done.code == 0
    assert "_IMAGEBATCH_COMPLETE" in done.out


def test_commands_in_messages_are_quoted_so_that_they_can_be_pasted(project: Project) -> None:
    sent = project.run("apply", "-y", "--require-picks", "-s", "icon")
    assert sent.code == 5
    command = next(line.partition("next: ")[2] for line in sent.out.splitlines() if "imagebatch pick" in line)
    assert shlex.split(command) == ["imagebatch", "pick", "icon[thing=axe]", "1"]
    assert project.run(*shlex.split(command)[1:]).code == 0


def test_foreign_text_in_prompts_starts_no_line_and_stays_escaped(project: Project) -> None:
    project.write(
        "manifests/bad.yaml",
        'assets:\n  odd:\n    prompt: "x\\n::add-mask::a\\n  ::stop-commands::t"\n    params: {mode: simple}\n',
    )
    for arguments in (
        ("plan",),
        ("render", "odd"),
        ("explain", "odd"),
        ("apply", "-y", "-s", "odd"),
        ("history", "odd"),
    ):
        done = project.run(*arguments)
        lines = (done.out + done.err).splitlines()
        assert lines, arguments
        assert not any(line.lstrip().startswith("::") for line in lines), arguments


def test_commands_that_are_printed_work_from_where_the_user_is(project: Project) -> None:
    outside = replace(project, root=project.root.parent)
    project.write("manifests/pun.yaml", "assets:\n  pun:\n    prompt: Type imagebatch plan on a screen\n")
    refused = outside.run("-C", "project", "apply")
    assert "hint: say yes beforehand: imagebatch -C project apply -y" in refused.err
    unknown = outside.run("explain", "nope", "-C", "project", "--json")
    assert json.loads(unknown.out.splitlines()[0])["hint"] == "imagebatch -C project status"
    saved = outside.run("-C", "project", "plan", "--out", "my changes.plan")
    command = saved.err.partition("apply exactly this with  imagebatch ")[2]
    applied = outside.run(*shlex.split(command))
    assert applied.code == 0, applied.err
    assert "next: imagebatch -C project pick 'icon[thing=axe]' 1" in applied.out
    assert "Type imagebatch plan on a screen" in outside.run("-C", "project", "render", "pun").out


@pytest.mark.parametrize("saved", [(), ("--save", "tree")])
def test_what_is_wrong_with_one_picture_is_told_of_the_option_and_not_of_a_file_that_nobody_wrote(
    project: Project, saved: tuple[str, ...]
) -> None:
    unknown = project.run("run", "a tree", "--provider", "nope", "-y", *saved)
    assert unknown.code == 1
    assert ".yaml:" not in unknown.err
    assert '--provider nope: "nope" is no provider of imagebatch.yaml; known: ' in unknown.err
    assert "studio" in unknown.err.partition("known: ")[2]
    param = project.run(
        "run", "a tree", "--provider", "studio", "--param", "mode=simple", "--param", "format=99:1", "-y", *saved
    )
    assert param.code == 1
    assert ".yaml:" not in param.err
    assert "--param format=99:1: format" in param.err


def test_a_plan_for_a_folder_that_is_missing_says_so_and_what_to_do(project: Project) -> None:
    done = project.run("plan", "--out", "my plans/next.plan")
    assert (done.code, done.out) == (64, "")
    assert "there is no folder my plans" in done.err
    assert "hint: mkdir -p 'my plans'" in done.err
    assert "make room" not in done.err.lower()
