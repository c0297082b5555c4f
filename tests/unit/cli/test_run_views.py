"""A run as a bar, as lines, as text, as JSON and as Markdown."""

import io
import json
import re
import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest

from imagebatch.cli.github import write_outputs, write_summary
from imagebatch.cli.progress import Lines
from imagebatch.cli.schemas import schema_of
from imagebatch.cli.screen import Paint, Screen
from imagebatch.cli.views.events_json import outcome_line, summary_line, told_line
from imagebatch.cli.views.markdown import MOST_BYTES, code, plan_markdown, result_markdown
from imagebatch.cli.views.result_text import result_lines, seconds_text
from imagebatch.cli.views.tally import Tally, active_rows, bar_text, counts_text, progress_line
from imagebatch.model.checks import LEVELS, Unmet, UnmetAt
from imagebatch.model.event import Accepted, Intended, Told
from imagebatch.model.money import Money
from imagebatch.plan.types import Change, Plan
from imagebatch.run.result import OnlyHere, Outcome, RunResult
from tests.unit.plan.worlds import CREATE

PLAIN = Paint()
PAID = (Money(amount=Decimal("0.35"), currency="EUR"),)
RESULT = RunResult(
    outcomes=(
        Outcome(
            address="b",
            action="create",
            end="failed",
            code="provider.failed",
            message="no\x1b[2J",
            hint="look",
            refused=True,
        ),
        Outcome(address="a[x=1]", action="create", end="failed", code="provider.failed", message="no", refused=True),
        Outcome(address="c", action="create", end="done", cost=PAID),
        Outcome(address="d", action="redraw", end="done", cost=PAID, adopted=True, warnings=("odd size",)),
        Outcome(address="e", action="create", end="in_doubt", message="the answer was lost"),
        Outcome(address="f", action="wait", end="done", unpicked=True),
    ),
    seconds=1.94,
    requests={"create": 4},
)
INTENDED = Intended(
    step="create", token="ib-aaaaaaaaaaaaaaaa", attempt=1, part=0, provider="studio", type="all-images",
    draw="sha256:0", request="{}", address="hero", cost=CREATE,
)  # fmt: skip


def told(kind: str, address: str | None = None, message: str = "", **data: str | float) -> Told:
    """A piece of news."""
    return Told(kind=kind, address=address, message=message, data=data)


def test_the_report_names_what_failed_why_and_the_next_command_quoted() -> None:
    lines = result_lines(RESULT, paint=PLAIN)
    assert lines[:8] == [
        "Failed (2)",
        "  a[x=1]",
        "    no [provider.failed]",
        "  b",
        "    no\\x1b[2J [provider.failed]",
        "    hint: look",
        "  next: imagebatch retry 'a[x=1]' b",
        "",
    ]
    assert "  next: imagebatch resolve --list" in lines
    assert "  next: imagebatch pick f 1" in lines
    assert "warning: d: odd size" in lines
    assert lines[-1] == ("Ended: 1 created, 1 adopted, 1 collected, 2 failed, 1 in doubt in 1.9 s. Paid: 0.70 EUR.")


@pytest.mark.parametrize(
    ("refused", "code", "commands"),
    [
        (True, "provider.rejected", ["imagebatch retry hero"]),
        (True, "provider.no_credit", ["imagebatch retry hero"]),
        (False, "download.status", ["imagebatch apply"]),
        (False, "net.unreachable", ["imagebatch apply"]),
        (False, "provider.no_credit", ["imagebatch apply"]),
        (False, "buy.in_doubt", ["imagebatch apply"]),
        (
            False,
            "image.truncated",
            [
                "imagebatch apply",
                "imagebatch retry hero, only if that does not help: it draws anew what may have been paid",
            ],
        ),
    ],
)
def test_no_paid_step_is_proposed_for_a_picture_that_was_paid(refused: bool, code: str, commands: list[str]) -> None:
    outcome = Outcome(address="hero", action="create", end="failed", code=code, message="why", refused=refused)
    lines = result_lines(RunResult(outcomes=(outcome,), seconds=0.1), paint=PLAIN)
    assert [line.removeprefix("  next: ") for line in lines if line.startswith("  next: ")] == commands


def test_a_picture_that_is_elsewhere_is_not_proposed_to_be_paid_again() -> None:
    gone = Outcome(address="hero", action="wait", end="failed", code="provider.gone", message="no answer here")
    found = {hint: result_lines(RunResult(outcomes=(replace(gone, hint=hint),), seconds=0.1), paint=PLAIN)
             for hint in (None, "git pull")}  # fmt: skip
    assert any("imagebatch retry hero" in line for line in found[None])
    assert "    hint: git pull" in found["git pull"]
    assert not any("retry" in line for line in found["git pull"])


def test_after_a_row_of_blocked_prompts_the_next_step_is_to_look_at_them() -> None:
    def unsent(code: str) -> Outcome:
        return Outcome(address="hero", action="create", end="unsent", code=code, message="not sent")

    for codes, words in (
        (("provider.blocked_streak",), "imagebatch status -s state:blocked"),
        (("provider.blocked_streak", "provider.paused"), "imagebatch apply"),
    ):
        lines = result_lines(RunResult(outcomes=tuple(map(unsent, codes)), seconds=0.1), paint=PLAIN)
        assert [line for line in lines if "next:" in line] == [f"  next: {words}"]


def test_the_last_line_counts_what_was_kept_and_is_not_called_done_over_a_doubt() -> None:
    done = Outcome(address="hero", action="create", end="done")
    result = RunResult(outcomes=(done,), seconds=0.1, left_kept=("icon",))
    assert result_lines(result, paint=PLAIN)[-1] == "Done: 1 created, 1 kept in 0.1 s."
    doubt = Outcome(address="icon", action="keep", end="in_doubt", message="it may have been paid", left=True)
    result = RunResult(outcomes=(done,), seconds=0.1, left_kept=("icon",), left_bad=(doubt,))
    assert result_lines(result, paint=PLAIN) == [
        "In doubt: nobody knows whether these were paid (1)",
        "  icon",
        "    it may have been paid",
        "  next: imagebatch resolve --list",
        "",
        "Ended: 1 created, 1 in doubt in 0.1 s.",
    ]
    summary = json.loads(summary_line(result, 3))
    assert (summary["created"], summary["in_doubt"], summary["kept"]) == (1, 1, 0)


def test_what_an_earlier_run_left_failed_is_explained_and_not_sent_to_an_apply_that_does_nothing() -> None:
    left = Outcome(address="hero", action="keep", end="failed", message="expired: it may have been paid", left=True)
    lines = result_lines(RunResult(outcomes=(), seconds=0.1, left_bad=(left,)), paint=PLAIN)
    assert [line for line in lines if line.startswith("  next: ")] == ["  next: imagebatch explain hero"]


def test_nothing_is_called_paid_where_only_the_simulator_drew() -> None:
    last = result_lines(RESULT, paint=PLAIN, simulated=("studio",), real=False)[-1]
    assert "Paid" not in last
    assert last.endswith("Simulated: studio; nothing was paid there.")


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (250, "4 min 10 s"), (7380, "2 h 3 min")]
)
def test_durations_are_readable(seconds: float, expected: str) -> None:
    assert seconds_text(seconds) == expected


def test_the_last_json_line_has_the_contracts_fields_and_fits_the_schema() -> None:
    found = json.loads(summary_line(RESULT, 3))
    jsonschema.validate(found, schema_of("events"))
    assert (found["type"], found["exit_code"], found["created"], found["failed"]) == ("summary", 3, 1, 2)
    assert found["cost"] == [{"amount": "0.70", "currency": "EUR"}]
    jsonschema.validate(json.loads(summary_line(None, 0)), schema_of("events"))


def test_every_line_of_the_stream_fits_the_schema_and_keeps_its_type() -> None:
    lines = [
        *(outcome_line(outcome) for outcome in RESULT.outcomes),
        told_line(INTENDED),
        told_line(Accepted(step="create", token=INTENDED.token, attempt=1, generation="g1")),
        told_line(told("progress", "hero", images=2, kind_of="x")),
    ]
    for line in lines:
        found = json.loads(line)
        jsonschema.validate(found, schema_of("events"))
        assert found["type"] in {"outcome", "event", "progress"}
        assert (found["format"], found["format_version"]) == ("imagebatch-events", "1.0")
    assert json.loads(told_line(INTENDED))["provider_type"] == "all-images"


def test_the_tally_follows_addresses_from_sending_to_their_end() -> None:
    tally = Tally(total=3, started_at=0.0)
    tally.take(INTENDED, 1.0)
    tally.take(told("sending", "other"), 2.0)
    tally.take(Accepted(step="create", token=INTENDED.token, attempt=1, generation="g1"), 3.0)
    tally.take(told("progress", "hero", images=2), 4.0)
    assert counts_text(tally) == "0 of 3 done, 2 under way"
    assert [row.split() for row in active_rows(tally, 11.0, 60)] == [
        ["hero", "being", "drawn,", "2", "there", "10.0", "s"],
        ["other", "sending", "9.0", "s"],
    ]
    tally.take(told("ended", "hero", end="done"), 5.0)
    tally.take(told("ended", "other", end="failed"), 5.0)
    assert progress_line(tally, 90.0) == "imagebatch: 2 of 3 done, 1 failed; 1 min 30 s"
    assert tally.take(told("warning", "hero", "slow\n"), 6.0) == "hero: slow\\n"


def test_at_most_eight_rows_are_shown_the_oldest_first() -> None:
    tally = Tally(total=50, started_at=0.0)
    for number in range(20):
        tally.take(told("sending", f"a{number:02}"), float(number))
    rows = active_rows(tally, 30.0, 80)
    assert len(rows) == 8
    assert rows[0].startswith("  a00")
    assert rows[-1] == "  … and 13 more"
    assert all(len(row) <= 80 for row in rows)


def test_the_bar_is_full_exactly_at_the_end() -> None:
    assert bar_text(0, 4, 8) == ("", "────────")
    assert bar_text(3, 4, 8) == ("━━━━━━", "──")
    assert bar_text(4, 4, 8) == ("━━━━━━━━", "")


def test_without_a_terminal_a_line_comes_each_interval_even_when_nothing_happens() -> None:
    err = io.StringIO()
    lines = Lines(Screen(out=io.StringIO(), err=err), every_s=0.02)
    lines.begin(5)
    lines.tell(told("warning", None, "read this"))
    for _ in range(200):
        if err.getvalue().count("0 of 5 done") >= 2:
            break
        time.sleep(0.02)
    lines.end()
    assert err.getvalue().count("0 of 5 done") >= 2
    assert "read this" in err.getvalue()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "`plain`"),
        ("a`b", "``a`b``"),
        ("`", "`` ` ``"),
        ("![x](https://evil.example/t.gif) <img src=x> | a", "`![x](https://evil.example/t.gif) <img src=x> \\| a`"),
        ("two\nlines", "`two\\nlines`"),
    ],
)
def test_foreign_text_in_markdown_stands_in_a_code_span_that_it_cannot_end(text: str, expected: str) -> None:
    assert code(text, table=True) == expected


def test_the_summary_stays_below_one_mebibyte_and_counts_the_rest() -> None:
    changes = tuple(
        Change(address=f"a{number}[x={'y' * 150}]", action="create", reason="new", costs=(CREATE,))
        for number in range(9000)
    )
    found = plan_markdown(Plan(changes=changes, counts={"create": 9000}))
    assert len(found.encode()) < MOST_BYTES
    assert re.search(r"… and [0-9]+ more rows that do not fit here\.\n$", found)


def test_the_results_table_lists_the_checks_that_do_not_hold_those_that_fail_first() -> None:
    found = [Unmet(name="plugin:judge", wanted="{}", found=f"too | {level}", level=level) for level in LEVELS]
    unmet = tuple(UnmetAt(address="hero[season=spring]", unmet=one) for one in found)
    lines = result_markdown(RunResult(outcomes=(), seconds=0.1, unmet=unmet), "Ended: x").splitlines()
    assert lines[-2:] == [
        "| check fails | `hero[season=spring]` | `judge: too \\| fail` |",
        "| check warns | `hero[season=spring]` | `judge: too \\| warn` |",
    ]


def test_the_results_table_lists_only_what_did_not_work() -> None:
    found = result_markdown(RESULT, "Ended: x")
    assert "| failed | `b` | `no\\x1b[2J` |" in found
    assert "`c`" not in found


def test_github_files_are_appended_with_delimiters_that_no_value_can_guess(tmp_path: Path) -> None:
    screen = Screen(out=io.StringIO(), err=io.StringIO())
    environ = {"GITHUB_OUTPUT": str(tmp_path / "out"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    write_outputs(environ, screen, {"a": "EOF\nb=evil", "c": {"d": 1}})
    write_outputs(environ, screen, {"e": 1})
    write_summary(environ, screen, "# one\n")
    blocks = re.findall(r"(\w+)<<(imagebatch_[0-9a-f]{32})\n(.*)\n\2\n", (tmp_path / "out").read_text())
    assert [(name, json.loads(value)) for name, _, value in blocks] == [("a", "EOF\nb=evil"), ("c", {"d": 1}), ("e", 1)]
    assert len({delimiter for _, delimiter, _ in blocks}) == 3
    assert (tmp_path / "summary").read_text() == "# one\n"


def test_a_github_file_that_cannot_be_written_only_warns(tmp_path: Path) -> None:
    screen = Screen(out=io.StringIO(), err=io.StringIO())
    write_summary({"GITHUB_STEP_SUMMARY": str(tmp_path)}, screen, "x")
    assert isinstance(screen.err, io.StringIO)
    assert screen.err.getvalue().startswith("warning: ")


def test_what_ended_alike_is_told_once_and_in_full_with_v() -> None:
    message = "the run was stopped before it was sent"
    outcomes = [Outcome(address=f"a[{n:02}]", action="create", end="unsent", message=message) for n in range(30)]
    outcomes.append(Outcome(address="b", action="create", end="unsent", message="another reason"))
    result = RunResult(outcomes=tuple(outcomes), seconds=1.0)
    short = result_lines(result, paint=Paint())
    assert short[:5] == [
        "Not sent (31)", "  30 × a[00] … a[29]", f"    {message}", "  b", "    another reason",
    ]  # fmt: skip
    full = result_lines(result, paint=Paint(), verbose=True)
    assert [line for line in full if line.startswith("  a[")] == [f"  a[{n:02}]" for n in range(30)]
    assert full.count(f"    {message}") == 1


@pytest.mark.parametrize(
    ("only_here", "text"),
    [
        (OnlyHere(), []),
        (OnlyHere(count=1), ["1 original exists only on this machine"]),
        (
            OnlyHere(count=12, next="git add originals, then commit and push"),
            ["12 originals exist only on this machine", "  next: git add originals, then commit and push"],
        ),
    ],
)
def test_originals_that_no_other_machine_has_are_told_last(only_here: OnlyHere, text: list[str]) -> None:
    result = RunResult(outcomes=(), seconds=0.1, only_here=only_here)
    assert result_lines(result, paint=PLAIN)[1:] == text
    assert json.loads(summary_line(result, 0)).get("originals_only_here", 0) == only_here.count
    assert ("only on this machine" in result_markdown(result, "Done.")) == bool(text)
