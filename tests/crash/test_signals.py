"""Ctrl-C, SIGTERM, a closed terminal, a closed pipe: what was paid is kept, and nothing is paid for twice."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from imagebatch.model.event import Accepted
from imagebatch.run.stop import LAST_WORD
from imagebatch.state.journal import read_journal
from tests.crash.benches import Bench, rule
from tests.crash.checking import doubts, entries, troubled
from tests.crash.projects import write_manifest
from tests.program.running import Run, Started

MOST_S = 6.0
"""Five seconds to collect, and what a busy machine takes to save and to leave."""
AT_ONCE_S = 1.5
SIX = """\
assets:
  fox:
    prompt: "A fox, number {{ number }}"
    matrix: {number: [1, 2, 3, 4, 5, 6]}
    PARAMS
    output: "outputs/fox-{{ number }}.jpg"
"""
PARAMS = {
    "studio": "params: {format: 1:1}",
    "hub": "params: {model: openai/gpt-image-2, size: 1024x640, output_format: jpeg}",
}
FEW = """\
assets:
  jar:
    prompt: "A jar"
    params: {format: 1:1}
    output: "outputs/jar.jpg"
  kite:
    prompt: "A kite"
    params: {format: 1:1}
    outputs:
      - path: "outputs/kite.jpg"
      - {path: "outputs/kite-100.webp", width: 100}
  wall:
    prompt: "A print"
    params: {format: 1:1}
    resolution: full
    output: "outputs/wall.jpg"
"""


def six(bench: Bench, alias: str = "studio") -> None:
    """Six variants, two in flight at once."""
    settings = bench.folder / "imagebatch.yaml"
    text = settings.read_text(encoding="utf-8").replace(
        "defaults: {provider: studio}", f"defaults: {{provider: {alias}}}"
    )
    text = text.replace("    type: all-images\n", "    type: all-images\n    max_concurrency: 2\n")
    text = text.replace("hub: {type: aigne-hub,", "hub: {type: aigne-hub, max_concurrency: 2,")
    settings.write_text(text, encoding="utf-8")
    write_manifest(bench.folder, SIX.replace("PARAMS", PARAMS[alias]))


def stopped(started: Started, number: int = signal.SIGINT, *, within_s: float = MOST_S) -> Run:
    """Send a signal and wait for the end."""
    began = time.monotonic()
    started.signal(number)
    run = started.wait()
    assert time.monotonic() - began < within_s, run.out + run.err
    assert not troubled([run]), run.err
    return run


def finished(bench: Bench, creates: int = 6) -> None:
    """The next apply does what is left, and each picture is billed once."""
    run = bench.apply()
    assert run.code == 0, run.out + run.err
    assert bench.billed() == {"create": creates}
    assert set(bench.bills().values()) == {1}
    assert len(list((bench.folder / "outputs").iterdir())) == creates
    bench.settled()


@pytest.mark.parametrize("alias", ["studio", "hub"])
def test_ctrl_c_stops_sending_collects_the_answers_on_their_way_and_leaves_nothing_in_doubt(
    bench: Bench, alias: str
) -> None:
    six(bench, alias)
    bench.script(rule("create", times=2, delay_s=0.4))
    started = bench.start("apply", "-y")
    bench.until("create", 2)
    run = stopped(started)
    assert run.code == 130, run.out + run.err
    assert "stopping" in run.err
    assert bench.asked("create") == bench.billed()["create"] == 2, "what ran is collected, and nothing more was sent"
    found = entries(bench.folder)
    assert [entry.status for entry in found.values()] == ["succeeded"] * 2
    assert all(entry.generation for entry in found.values())
    assert "the run was stopped before it was sent" in run.out
    assert "4 not sent" in run.out
    finished(bench)


def test_ctrl_c_while_pictures_are_drawn_keeps_their_ids_and_a_wait_collects_them(bench: Bench) -> None:
    six(bench)
    bench.settings({"job_time": {"fast": "6s"}})  # longer than a stopped run goes on asking
    started = bench.start("apply", "-y")
    bench.until("poll", 1)
    run = stopped(started)
    bench.settings({"job_time": {"fast": "50ms..150ms"}})
    assert run.code == 130, run.out + run.err
    assert [entry.status for entry in entries(bench.folder).values()] == ["pending"] * 2
    assert "imagebatch wait" in run.out
    waited = bench.command("wait")
    assert waited.code == 0, waited.out + waited.err
    assert [entry.status for entry in entries(bench.folder).values()] == ["succeeded"] * 2
    assert bench.billed() == {"create": 2}
    finished(bench)


@pytest.mark.parametrize("alias", ["studio", "hub"])
def test_answers_that_do_not_come_within_five_seconds_of_ctrl_c_are_left_and_told_of(bench: Bench, alias: str) -> None:
    six(bench, alias)
    lost = 2 if alias == "studio" else 1  # the first create to a hub goes alone: it finds out where the API is
    bench.script(rule("create", times=lost, accept=True, then="hang"))
    started = bench.start("apply", "-y")
    bench.until("create", lost)
    run = stopped(started)
    assert run.code == 130, run.out + run.err
    assert f"Stopped: {lost} in doubt, {6 - lost} not sent" in run.out
    assert bench.billed() == {"create": lost}
    if alias == "studio":
        return finished(bench)
    again = bench.apply()
    assert again.code == 3, again.out + again.err
    assert list(doubts(bench.folder)) == ["fox[number=1]"]
    assert bench.billed() == {"create": 6}
    assert set(bench.bills().values()) == {1}
    return None


def test_ctrl_c_ends_a_pause_that_the_provider_asked_for(bench: Bench) -> None:
    six(bench)
    bench.script(rule("create", times=99, status=429, headers={"retry-after": "60"}))
    started = bench.start("apply", "-y")
    bench.until("create", 1)
    time.sleep(0.2)
    run = stopped(started, within_s=AT_ONCE_S)
    assert run.code == 130, run.out + run.err
    bench.clear()
    assert not bench.billed()
    finished(bench)


def test_ctrl_c_in_the_middle_of_a_doubt_leaves_it_to_the_next_run(bench: Bench) -> None:
    settings = bench.folder / "imagebatch.yaml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("consistency_window: 0.3s", "consistency_window: 40s"), encoding="utf-8")
    bench.script(rule("create", accept=True, then="close"))
    started = bench.start("apply", "-y")
    bench.until("create", 1)
    time.sleep(0.3)
    run = stopped(started)
    assert run.code == 130, run.out + run.err
    assert "fox" in run.out
    finished(bench, creates=1)


def test_ctrl_c_twice_leaves_at_once_and_keeps_every_id(bench: Bench) -> None:
    six(bench)
    bench.script({**rule("create", times=99, accept=True, then="hang"), "skip": 1})
    bench.settings({"job_time": {"fast": "2s"}})
    started = bench.start("apply", "-y")
    bench.until("poll", 1)
    bench.until("create", 2)
    started.signal(signal.SIGINT)
    time.sleep(0.3)
    run = stopped(started, within_s=AT_ONCE_S)
    bench.settings({"job_time": {"fast": "50ms..150ms"}})
    assert run.code == 130, run.out + run.err
    assert run.err.splitlines()[-1] == LAST_WORD
    kept = [
        one for one in read_journal(bench.folder / ".imagebatch" / "journal.db").events if isinstance(one, Accepted)
    ]
    assert len(kept) == 1, "the one that was answered"
    bench.clear()
    finished(bench)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 130)])
def test_a_terminated_run_saves_what_it_knows(bench: Bench, number: signal.Signals, code: int) -> None:
    six(bench)
    bench.script(rule("create", times=2, delay_s=0.4))
    started = bench.start("apply", "-y", "--json")
    bench.until("create", 2)
    run = stopped(started, number)
    assert run.code == code, run.out + run.err
    assert f'"exit_code":{code}' in run.out.splitlines()[-1]
    assert len(entries(bench.folder)) == bench.asked("create") == 2
    finished(bench)


def test_a_run_under_nohup_outlives_its_terminal(bench: Bench) -> None:
    six(bench)
    bench.script(rule("create", times=2, delay_s=0.4))
    started = bench.start("apply", "-y", ignore=("SIGHUP",))
    bench.until("create", 2)
    started.signal(signal.SIGHUP)
    run = started.wait()
    assert run.code == 0, run.out + run.err
    finished(bench)


@contextmanager
def piped(bench: Bench, *words: str, errors: int) -> Iterator["subprocess.Popen[str]"]:
    """The program as a shell starts it, with its output in a pipe."""
    command = [sys.executable, "-P", "-m", "imagebatch", *words]
    with subprocess.Popen(
        command, cwd=bench.folder, env=bench.environ, stdout=subprocess.PIPE, stderr=errors, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("errors", [subprocess.DEVNULL, subprocess.STDOUT], ids=["stdout", "stdout and stderr"])
@pytest.mark.parametrize("words", [("apply", "-y", "--json"), ("apply", "-y")], ids=["json", "text"])
def test_a_reader_that_leaves_after_the_first_line_loses_nothing_that_was_paid(
    bench: Bench, words: tuple[str, ...], errors: int
) -> None:
    six(bench)
    with piped(bench, *words, errors=errors) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 0
    assert bench.billed() == {"create": 6}
    assert [entry.status for entry in entries(bench.folder).values()] == ["succeeded"] * 6
    finished(bench)
