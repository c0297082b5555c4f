"""`doctor --chaos`: a provider that keeps its promises passes, and one that breaks any of them is found."""

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from imagebatch.chaos.suite import Disturbed, Proof, Weather
from imagebatch.chaos.trial import Trial
from imagebatch.simulator.process import start
from tests.cli.conftest import ENTRY, bare_environment

pytestmark = pytest.mark.slow

TIMEOUT_S = 600
# `make chaos` proves all of them; `make test` one of each kind.
AT_LENGTH = pytest.mark.skipif("IMAGEBATCH_CHAOS_RUNS" not in os.environ, reason="make chaos does it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How `doctor` ended: exit code, its JSON where there is one, all of stdout, what it said."""

    code: int
    proof: Mapping[str, Any]
    out: str
    err: str

    @property
    def broken(self) -> set[str]:
        """The sentences of the kit that were broken."""
        return {one["promise"] for one in self.proof["promises"] if "fault" in one}

    @property
    def found_in_runs(self) -> set[str]:
        """The promises that killed runs were seen to break."""
        runs = [run for weather in self.proof["weathers"] for run in weather["runs"]]
        return {fault["promise"] for run in runs for fault in run["faults"]}


def asked(tmp_path: Path, site: Path, *words: str) -> Asked:
    environ = bare_environment(tmp_path)
    environ["PYTHONPATH"] = os.pathsep.join([environ["PYTHONPATH"], str(site)])
    del environ["PYTHONWARNINGS"]  # which is for our own code, and not for that of plug-ins
    done = subprocess.run(
        [sys.executable, "-c", ENTRY, "doctor", "--json", *words],
        cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    proof = json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else {}
    return Asked(code=done.returncode, proof=proof, out=done.stdout, err=done.stderr)


def proved(tmp_path: Path, site: Path, type_: str, *profiles: str, runs: int = 1, seed: int = 1) -> Asked:
    weather = [word for name in profiles for word in ("--profile", name)]
    return asked(tmp_path, site, "--chaos", type_, *weather, "--runs", str(runs), "--seed", str(seed))


@contextmanager
def silent_about_bills(origin: str) -> Iterator[str]:
    """A server that passes everything on to another one but the question for its ledger."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._pass_on()

        def do_POST(self) -> None:
            self._pass_on()

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {
                name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection"}
            }
            path = "/nothing" if self.path.startswith("/_simulator") else self.path
            answer = httpx.request(self.command, origin + path, headers=headers, content=body, timeout=60)
            self.send_response_only(answer.status_code)
            self.send_header("content-type", answer.headers.get("content-type", "application/json"))
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_plug_in_that_keeps_its_promises_passes(tmp_path: Path, site: Path) -> None:
    found = proved(tmp_path, site, "faithful", "lossy", "storm")
    assert found.code == 0, found.err + json.dumps(found.proof)
    assert found.proof["verdict"] == "kept"
    runs = [run for weather in found.proof["weathers"] for run in weather["runs"]]
    assert sum(run["kills"] for run in runs) >= 1, "nothing was killed, so nothing was proved"
    assert all(run["paid"] == 8 for run in runs)  # seven creates and a purchase
    assert len(found.proof["promises"]) > 15


@pytest.mark.parametrize(
    ("type_", "sentence", "promises"),
    [
        ("insists", "Statuses of creates mean what the table says", {"paid once"}),
        pytest.param("says-no", "Statuses of creates mean what the table says", {"paid once"}, marks=AT_LENGTH),
        pytest.param(
            "mixes-up",
            "Generations are found by tag, page by page",
            {"accounted for", "as undisturbed"},
            marks=AT_LENGTH,
        ),
        ("unmarked", "Generations are found by tag, page by page", {"paid once", "as undisturbed"}),
    ],
)
def test_a_planted_fault_is_found_by_the_kit_and_by_killed_runs(
    tmp_path: Path, site: Path, type_: str, sentence: str, promises: set[str]
) -> None:
    found = proved(tmp_path, site, type_, "lossy")
    print(f"\n{type_}: broken {sorted(found.broken)}; in runs {sorted(found.found_in_runs)}")  # noqa: T201  # which check found which fault is the result; pytest -s shows it
    assert found.code == 1
    assert found.proof["verdict"] == "broken"
    assert sentence in found.broken
    assert promises & found.found_in_runs  # which of them breaks first, the moment of the kill decides


@AT_LENGTH
def test_a_server_of_the_authors_own_is_tried_and_has_to_tell_its_bills(tmp_path: Path, site: Path) -> None:
    words = ("--chaos", "openai", "--param", "model=gpt-image-2", "--param", "quality=low", "--runs", "1")
    with start(tmp_path / "own", "fast") as running:
        told = asked(tmp_path, site, *words, "--base-url", running.openai_url)
        with silent_about_bills(running.origin) as origin:
            untold = asked(tmp_path, site, *words, "--base-url", f"{origin}/openai/v1")
    assert (told.code, told.proof["verdict"]) == (0, "kept"), told.err + json.dumps(told.proof)
    assert (untold.code, untold.found_in_runs) == (1, {"paid once"}), untold.err + json.dumps(untold.proof)


def test_a_proof_without_time_for_all_its_runs_is_unfinished_and_no_success(tmp_path: Path, site: Path) -> None:
    found = asked(tmp_path, site, "--chaos", "openai", "--seconds", "0", "--profile", "calm")
    assert (found.code, found.proof["verdict"]) == (1, "unfinished")


@pytest.mark.parametrize("type_", ["exits", pytest.param("vanishes", marks=AT_LENGTH)])
def test_a_plug_in_that_ends_its_process_is_broken_whatever_it_ends_with(
    tmp_path: Path, site: Path, type_: str
) -> None:
    found = proved(tmp_path, site, type_, "calm")
    assert (found.code, found.proof["verdict"]) == (1, "broken"), found.err
    assert "One order is one accepted create with pictures" in found.broken
    assert "A working key is proved" not in found.broken, "the kit goes on after a check that ended it"
    assert found.proof["undrawn"].startswith("exit code "), "what it drew says why the runs are missing"


def test_a_plug_in_that_blocks_is_given_up_when_the_time_is_up(tmp_path: Path, site: Path) -> None:
    found = asked(tmp_path, site, "--chaos", "blocks", "--profile", "calm", "--seconds", "10")
    assert (found.code, found.proof["verdict"]) == (1, "unfinished")
    assert found.proof["late"] == "Statuses of creates mean what the table says"
    assert f"conformance: {found.proof['late']}" in found.err, "how far it is has to be seen"


def test_an_encoding_that_raises_is_a_broken_promise_and_what_a_plug_in_prints_goes_nowhere(
    tmp_path: Path, site: Path
) -> None:
    found = proved(tmp_path, site, "encodes-nothing", "calm")
    assert (found.code, found.proof["verdict"]) == (1, "broken"), found.err
    assert "Encoding is a function of the params alone" in found.broken
    assert len(found.out.splitlines()) == 1
    assert "\x1b" not in found.out + found.err


@pytest.mark.parametrize(("kills", "verdict"), [(0, "unproved"), (1, "kept")])
def test_a_proof_without_a_kill_is_none(kills: int, verdict: str) -> None:
    run = Disturbed(seed=1, kills=kills, applies=1, paid=7, doubts=0, faults=())
    weather = Weather(profile="calm", runs=(run,), wanted=1)
    proof = Proof(trial=Trial(type="openai", face="openai"), promises=(), weathers=(weather,))
    assert proof.verdict == verdict
