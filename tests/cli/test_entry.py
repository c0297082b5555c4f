"""How every command starts and ends: usage, environment, streams, imports."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import ENTRY, ROOT, Project

HEAVY = ("httpx", "aiohttp", "PIL", "pydantic", "jinja2", "rich", "yaml", "asyncio")


@pytest.fixture
def project(project: Project) -> Project:
    """Every command with its own interpreter: how one starts is what is looked at here."""
    return replace(project, server=None)


@pytest.fixture
def applied(applied: Project) -> Project:
    return replace(applied, server=None)


def loaded_by(project: Project, arguments: list[str], names: tuple[str, ...]) -> set[str]:
    """Which of `names` a command imports, in a fresh process."""
    code = (
        "import sys\nfrom imagebatch.cli.main import main\n"
        f"code = main({arguments!r})\n"
        f"sys.stderr.write('LOADED ' + ' '.join(n for n in {names!r} if n in sys.modules))\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project.root, env=project.environ, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return set(done.stderr.rpartition("LOADED ")[2].split())


@pytest.mark.parametrize("arguments", [["--help"], ["apply", "--help"], ["providers", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(project: Project, arguments: list[str]) -> None:
    assert loaded_by(project, arguments, HEAVY) == set()


def test_plan_imports_neither_httpx_nor_pillow(project: Project) -> None:
    assert loaded_by(project, ["plan"], ("httpx", "aiohttp", "PIL", "rich")) == set()


def test_completion_of_addresses_imports_nothing_heavy_and_reads_the_lock(applied: Project) -> None:
    words = {"COMP_LINE": "imagebatch explain he", "COMP_BREAKS": "=:"}
    code = (
        "import sys, atexit\n"
        f"atexit.register(lambda: sys.stderr.write('LOADED ' + ' '.join(n for n in {HEAVY!r} if n in sys.modules)))\n"
        + ENTRY
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=applied.root,
        env={**applied.environ, "_IMAGEBATCH_COMPLETE": "bash_complete", **words},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert r"plain,hero\[season=spring\]" in done.stdout
    assert set(done.stderr.rpartition("LOADED ")[2].split()) <= {"asyncio"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["plam"], "Did you mean 'plan'?"),
        (["plan", "--forse"], "No such option"),
        (["plan", "--force"], "requires an argument"),
        (["plan", "--force", "everything"], "is not one of"),
        (["plan", "--max-cost", "3 bananas"], "is no currency"),
        (["apply", "--timeout", "soon"], "is no duration"),
        (["explain"], "Missing argument"),
        (["schema"], "Choose from: project, manifest, plan"),
        (["pick", "badge", "one"], "Behind the address stand the numbers of its candidates"),
        (["run", "apply"], "that is a command, not a prompt"),
        (["destroy"], "nothing is named"),
        (["-C", "nowhere", "plan"], "no such folder"),
        ([], "Usage: imagebatch"),
    ],
)
def test_usage_errors_leave_with_64_and_say_what_to_do(project: Project, arguments: list[str], says: str) -> None:
    done = project.run(*arguments)
    assert done.code == 64
    assert done.out == ""
    assert says in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["plan", "--select"], "imagebatch plan"),
        (["apply", "-j"], "imagebatch apply"),
        (["lock", "mv", "a", "b", "--lock-timeout"], "imagebatch lock mv"),
        (["lock", "--color"], "imagebatch lock"),
        (["--select"], "imagebatch"),
    ],
)
def test_an_option_without_its_value_hints_at_the_help_of_its_own_command(
    project: Project, arguments: list[str], command: str
) -> None:
    done = project.run(*arguments)
    assert done.code == 64
    assert done.err.splitlines()[-1] == f"  hint: {command} --help"


@pytest.mark.parametrize(
    "arguments",
    [
        ["apply", "--api-key", "sk-live-0123456789"],
        ["plan", "--api-key=sk-live-0123456789"],
        ["--token", "sk-live-0123456789", "plan"],
    ],
)
def test_keys_are_not_taken_from_the_command_line_nor_repeated(project: Project, arguments: list[str]) -> None:
    done = project.run(*arguments, "--json")
    assert done.code == 64
    assert json.loads(done.out)["code"] == "secret.argv"
    assert "sk-live" not in done.out + done.err


def test_trust_takes_the_name_of_a_variable_never_a_key(project: Project) -> None:
    done = project.run("providers", "trust", "hub.example.com", "--key", "sk-live-0123456789")
    assert done.code == 64
    assert "sk-live" not in done.out + done.err
    done = project.run("providers", "trust", "hub.example.com", "--key", "MY_HUB_KEY")
    assert done.code == 0
    kept = json.loads((Path(project.environ["HOME"]) / ".config/imagebatch/trusted-hosts.json").read_text())
    assert kept["hosts"] == {"hub.example.com": ["MY_HUB_KEY"]}


def test_flags_are_read_from_the_environment_and_the_command_line_wins(project: Project) -> None:
    assert project.run("plan", IMAGEBATCH_DETAILED_EXITCODE="1").code == 2
    assert project.run("plan", "--json", IMAGEBATCH_SELECT="icon[thing=axe]").out.count('"action":"create"') == 1
    both = project.run("plan", "--json", "-s", "hero", IMAGEBATCH_SELECT="icon")
    assert both.out.count('"action":"create"') == 4
    limited = json.loads(project.run("plan", "--json", IMAGEBATCH_MAX_CREATES="1").out)
    assert limited["blocked_by"]
    lifted = project.run("plan", "--json", IMAGEBATCH_MAX_CREATES="1", IMAGEBATCH_FORCE="cost,deletes redraws")
    assert lifted.code == 0


def test_common_flags_stand_before_or_after_the_command(project: Project) -> None:
    above = Project(root=project.root.parent, environ=project.environ)
    before = above.run("-C", "project", "--color", "always", "plan")
    after = above.run("plan", "-C", "project", "--color", "always")
    assert before.code == after.code == 0
    assert before.out == after.out
    assert "\x1b[" in before.out


def test_colour_follows_flag_and_variables(project: Project) -> None:
    assert "\x1b" not in project.run("plan").out
    assert "\x1b[" in project.run("plan", FORCE_COLOR="1").out
    assert "\x1b" not in project.run("plan", FORCE_COLOR="1", NO_COLOR="1").out
    assert "\x1b[" in project.run("plan", "--color=always", NO_COLOR="1").out
    assert "\x1b" not in project.run("plan", "--color", "never", FORCE_COLOR="1").out


def test_a_closed_pipe_is_quiet_and_no_failure(project: Project) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", ENTRY, "plan"], cwd=project.root, env=project.environ, stdout=writer,
        stderr=subprocess.PIPE, timeout=60, check=False,
    )  # fmt: skip
    os.close(writer)
    assert done.returncode == 0
    assert done.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_stdout_is_an_error(project: Project) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", ENTRY, "plan", "--json"], cwd=project.root, env=project.environ, stdout=full,
            stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert b"could not be written" in done.stderr
    assert b"Traceback" not in done.stderr


def with_closed(project: Project, arguments: list[str], closed: str) -> subprocess.CompletedProcess[str]:
    """Run a command with streams closed as a shell's `>&-` closes them."""
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-c", ENTRY, *arguments], cwd=project.root,
        env=project.environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("arguments", [["plan"], ["plan", "--json"], ["validate"], ["--version"], ["plan", "--help"]])
def test_a_closed_stdout_is_one_plain_line_and_an_error(project: Project, arguments: list[str]) -> None:
    done = with_closed(project, arguments, ">&-")
    (line,) = done.stderr.splitlines()
    assert line == "error: standard output could not be written: it is closed; everything else was done"
    assert done.returncode == 1
    assert with_closed(project, ["plan", "-s", "nobody"], ">&-").returncode == project.run("plan", "-s", "nobody").code


@pytest.mark.parametrize("arguments", [["plan"], ["validate"], ["status", "--json"], ["lock", "show"], ["--version"]])
def test_a_closed_stderr_changes_neither_exit_code_nor_data(project: Project, arguments: list[str]) -> None:
    done = with_closed(project, arguments, "2>&-")
    assert (done.returncode, done.stdout) == (0, project.run(*arguments).out)


@pytest.mark.parametrize(("closed", "code"), [("2>&-", 0), (">&-", 1), (">&- 2>&- <&-", 0)])
def test_an_apply_with_closed_streams_is_done_and_its_exit_code_says_why_it_is_not_0(
    project: Project, closed: str, code: int
) -> None:
    done = with_closed(project, ["apply", "-y", "-s", "icon"], closed)
    assert done.returncode == code
    assert ("everything else was done" in done.stderr) == (code != 0)
    assert "Traceback" not in done.stderr
    again = project.run("apply", "-y", "-s", "icon")
    assert (again.code, "Nothing to do" in again.out) == (0, True), again.out + again.err


def test_an_unexpected_exception_is_one_clear_message_and_a_masked_traceback_with_vv(project: Project) -> None:
    code = (
        "import sys, imagebatch.pipeline.project as p\n"
        "def broken(setup): raise RuntimeError('boom sk-live-0123456789 \\x1b[2J')\n"
        "p.load = broken\nfrom imagebatch.cli.main import run\nrun()"
    )

    def broken(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *arguments], cwd=project.root, capture_output=True, text=True, timeout=60,
            env={**project.environ, "OPENAI_API_KEY": "sk-live-0123456789"}, check=False,
        )  # fmt: skip

    plain = broken("plan")
    assert plain.returncode == 1
    assert plain.stderr.startswith("error: internal error [internal]\n")
    assert "Traceback" not in plain.stderr
    detailed = broken("plan", "-vv")
    assert "Traceback" in detailed.stderr
    for text in (plain.stderr, detailed.stderr, plain.stdout):
        assert "sk-live" not in text
        assert "\x1b" not in text


def test_all_manifest_problems_are_printed_by_place(project: Project) -> None:
    project.write("manifests/b.yaml", "assets:\n  b:\n    promt: x\n")
    project.write("manifests/a.yaml", "assets:\n  a:\n    prompt: x\n    tagz: [y]\n")
    done = project.run("validate")
    assert done.code == 1
    heads = [line for line in done.err.splitlines() if ": error: " in line]
    assert len(heads) >= 2
    assert heads[0].startswith("manifests/a.yaml:4:5: error:")
    assert heads[-1].startswith("manifests/b.yaml:")
    as_json = [json.loads(line) for line in project.run("validate", "--json").out.splitlines()]
    assert [one["type"] for one in as_json] == ["diagnostic"] * len(heads)
    assert as_json[0]["path"] == "manifests/a.yaml"


def test_no_project_is_a_clear_error(tmp_path: Path, project: Project) -> None:
    (tmp_path / "empty").mkdir()
    done = Project(root=tmp_path / "empty", environ=project.environ).run("plan")
    assert done.code == 1
    assert "imagebatch init" in done.err


def test_readme_and_package_agree_on_the_version(project: Project) -> None:
    assert f'version = "{project.run("--version").out.split()[1]}"' in (ROOT / "pyproject.toml").read_text()


def test_a_locale_that_is_not_utf_8_is_told_before_anything_is_sent_and_only_where_a_name_needs_more(
    project: Project,
) -> None:
    plain = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ran = project.run("apply", "-y", "--no-wait", "-vv", **plain)
    assert ran.code in {0, 75}, ran.err  # all its names are ASCII
    project.write("manifests/more.yaml", "assets:\n  日本: {prompt: a fox}\n")
    for command in (("validate",), ("plan",), ("apply", "-y")):
        ran = project.run(*command, **plain)
        assert (ran.code, "system.encoding" in ran.err, "PYTHONUTF8=1" in ran.err) == (1, True, True), ran.err
    found = project.run("doctor", **plain)
    assert "file names: written in ascii" in found.out
    assert project.run("plan").code == 0
