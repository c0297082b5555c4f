"""Runs on two machines: a lost lease sends nothing, what was paid twice is told, what a vanished one paid is declared.

Machines are clones of one bare repository, and one provider serves them all.
"""

import hashlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.crash.benches import KITES, ONE, Bench, rule
from tests.crash.checking import entries, troubled
from tests.crash.projects import copy_project, write_manifest
from tests.crash.sweeping import PLACES
from tests.crash.tally import Account, Tally
from tests.program.running import Place, Run, Server
from tests.repositories import clone, git, publish, refs, save, server

MANY = KITES.replace("[1, 2, 3, 4, 5, 6]", json.dumps(list(range(1, 41))))
MUGS = """\
assets:
  mug:
    prompt: "A mug, number {{ number }}"
    provider: PROVIDER
    matrix: {number: [1, 2, 3]}
    params: {model: MODEL, size: 1024x640, quality: low, output_format: jpeg}
    output: "outputs/mug-{{ number }}.jpg"
"""
BLIND_MUGS = MUGS.replace("PROVIDER", "retouch").replace("MODEL", "gpt-image-2")
LEASE = "state: {lease: git, remote: origin}\n"
MIRROR = "journal: {mirror: git, remote: origin}\n"


class Machines:
    """The clones of a project: the bench's own folder is the first of them."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.bench = bench
        self.remote = server(folder / "server")
        self._folder = folder
        self._count = 0

    def publish(self, *settings: str, manifest: str, in_flight: int = 2) -> Path:
        """The first machine, with a project that everybody can clone."""
        folder = self.bench.folder
        path = folder / "imagebatch.yaml"
        text = path.read_text("utf-8").replace("window: 0.3s", f"window: 0.3s\n    max_concurrency: {in_flight}")
        path.write_text(text + "".join(settings), encoding="utf-8")
        write_manifest(folder, manifest)
        return publish(folder, self.remote)

    def another(self) -> Path:
        """A machine that has nothing but what git has."""
        self._count += 1
        return clone(self.remote, self._folder / f"machine-{self._count}")

    def run(self, at: Server, folder: Path, *words: str, kill: Place | None = None, trace: Path | None = None) -> Run:
        """Run a command on a machine."""
        run = at.run(folder, *words, environ=self.bench.environ, kill=kill, trace=trace)
        assert not troubled([run]), run.err
        return run


@pytest.fixture
def machines(bench: Bench, tmp_path: Path) -> Machines:
    return Machines(bench, tmp_path / "machines")


@pytest.fixture
def second(servers: list[Server]) -> Server:
    return servers[1]


def lease_id(machines: Machines, at: Server, folder: Path) -> str:
    """The id that `lock show` names for the remote."""
    shown = machines.run(at, folder, "lock", "show").out
    return shown.partition("on the remote")[2].partition(" lease ")[2].split(",")[0].strip()


def released(machines: Machines, at: Server, folder: Path) -> None:
    """Break the lease of a dead machine with the very command that the refusal names."""
    refused = machines.run(at, folder, "apply", "-y")
    assert refused.code == 4, refused.out + refused.err
    command = refused.err.partition("lock release ")[2].split()[0]
    assert machines.run(at, folder, "lock", "release", command).code == 0


def dies_while_it_sends(bench: Bench) -> None:
    """A run of the first machine that is killed when its create has been taken, and before the answer."""
    bench.script(rule("create", delay_s=20))
    first = bench.start("apply", "-y")
    bench.until("create")
    first.signal(signal.SIGKILL)
    first.wait()
    bench.clear()


def in_doubt_elsewhere(bench: Bench, machines: Machines, second: Server) -> Path:
    """Another machine, which has taken over from one that died while it sent, and shows that to be in doubt."""
    dies_while_it_sends(bench)
    other = machines.another()
    released(machines, second, other)
    assert machines.run(second, other, "apply", "-y").code == 3
    return other


# The lease ------------------------------------------------------------------------------------------------------------


def test_a_second_machine_is_refused_and_pays_nothing(bench: Bench, machines: Machines, second: Server) -> None:
    folder = machines.publish(LEASE, manifest=KITES)
    other = machines.another()
    bench.script(rule("create", times=1, delay_s=1.0))
    first = bench.start("apply", "-y")
    bench.until("create")
    creates = bench.asked("create")
    refused = machines.run(second, other, "apply", "-y")
    assert refused.code == 4, refused.out + refused.err
    assert f"process {first.pid}" in refused.err
    assert "[lock.held]" in refused.err
    assert machines.run(second, other, "plan").code == 0, "a plan needs no lease and no network"
    assert first.wait().code == 0
    assert bench.asked("create") - creates <= 6
    assert bench.billed() == {"create": 6}
    save(folder)
    assert refs(machines.remote) == {}, "the lease was not given back"
    again = machines.run(second, machines.another(), "apply", "-y")
    assert (again.code, bench.billed()) == (0, {"create": 6}), again.out + again.err


def test_a_copy_of_a_running_checkout_is_refused(bench: Bench, machines: Machines, second: Server) -> None:
    folder = machines.publish(LEASE, manifest=KITES)
    bench.script(rule("create", times=1, delay_s=1.5))
    first = bench.start("apply", "-y")
    bench.until("create")
    refused = machines.run(second, copy_project(folder, folder.with_name("copy")), "apply", "-y")
    assert (refused.code, "[lock.held]" in refused.err) == (4, True), refused.out + refused.err
    assert first.wait().code == 0
    assert bench.billed() == {"create": 6}


def test_one_that_waits_for_the_lease_goes_on_when_it_is_free(bench: Bench, machines: Machines, second: Server) -> None:
    machines.publish(LEASE, manifest=ONE)
    other = machines.another()
    bench.script(rule("create", delay_s=0.5))
    first = bench.start("apply", "-y")
    bench.until("create")
    waited = machines.run(second, other, "apply", "-y", "--lock-timeout", "40", "--force", "new-lock")
    assert first.wait().code == 0
    assert waited.code == 0, waited.out + waited.err
    assert bench.billed() == {"create": 1}, "what the first drew is adopted by the second"


def until_stopped(pid: int) -> None:
    """Return once a process stands still."""
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < deadline, "it was not stopped"
        time.sleep(0.01)


@pytest.mark.parametrize("mirror", ["", MIRROR], ids=["lease", "lease and mirror"])
def test_a_holder_that_was_stopped_and_lost_its_lease_sends_nothing_when_it_wakes(
    bench: Bench, machines: Machines, second: Server, mirror: str
) -> None:
    folder = machines.publish(LEASE, mirror, manifest=ONE)
    assert bench.apply().code == 0
    write_manifest(folder, KITES)
    save(folder)
    other = machines.another()
    bench.script(rule("create", times=2, delay_s=1.0))
    # It stops while it reads the first answer: no request stands between its last look at the lease and its first byte,
    # which nobody can prevent (docs/reliability.md).
    place = ("got POST /all-images/v1/image-generations", 1)
    first = bench.server.start(folder, "apply", "-y", environ=bench.environ, kill=place, by=signal.SIGSTOP)
    until_stopped(first.pid)
    time.sleep(2.0)  # what it had sent arrives: on another machine only the listing tells of it
    assert machines.run(second, other, "lock", "release", "ffffffff").code == 4
    assert machines.run(second, other, "lock", "release", lease_id(machines, second, other)).code == 0
    run = machines.run(second, other, "apply", "-y")
    assert run.code == 0, run.out + run.err
    creates = bench.asked("create")
    first.signal(signal.SIGCONT)
    lost = first.wait()
    assert bench.asked("create") == creates, "it sent a create under a lease that it had lost"
    assert lost.code == 4, lost.out + lost.err
    assert "[lock.lost]" in lost.err
    assert not troubled([lost])
    assert bench.billed() == {"create": 7}
    assert set(bench.bills().values()) == {1}


def test_a_killed_run_of_the_same_checkout_needs_no_unlocking_and_another_machine_does(
    bench: Bench, machines: Machines, second: Server
) -> None:
    folder = machines.publish(LEASE, manifest=KITES)
    first = bench.start("apply", "-y")
    bench.until("poll")
    first.signal(signal.SIGKILL)
    first.wait()
    other = machines.another()
    refused = machines.run(second, other, "apply", "-y")
    assert (refused.code, "lock release" in refused.err) == (4, True), refused.err
    run = bench.apply()
    assert run.code == 0, run.out + run.err
    assert bench.billed() == {"create": 6}
    assert refs(machines.remote) == {}
    save(folder)


def test_a_remote_that_is_gone_stops_a_run_before_anything_is_paid(bench: Bench, machines: Machines) -> None:
    machines.publish(LEASE, manifest=KITES)
    machines.remote.rename(machines.remote.with_name("away"))
    run = bench.apply()
    assert (run.code, "[lease.unreachable]" in run.err) == (1, True), run.err
    assert bench.asked("create") == 0


def test_a_remote_that_goes_away_during_a_run_stops_further_creates(bench: Bench, machines: Machines) -> None:
    machines.publish(LEASE, manifest=KITES)
    bench.script(rule("create", times=2, delay_s=1.0))
    started = bench.start("apply", "-y")
    bench.until("create", 2)
    machines.remote.rename(machines.remote.with_name("away"))
    run = started.wait()
    assert run.code == 3, run.out + run.err
    assert "lease.unreachable" in run.out
    assert bench.billed() == {"create": 2}
    machines.remote.with_name("away").rename(machines.remote)
    again = bench.apply()
    assert again.code == 0, again.out + again.err
    assert bench.billed() == {"create": 6}


# Without a lease ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_two_machines_without_a_lease_paid_twice_is_told_by_each_of_them_once(
    bench: Bench, machines: Machines, second: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    machines.publish(manifest=MANY, in_flight=40)
    other = machines.another()
    bench.script(rule("create", times=80, delay_s=1.5))
    first = bench.start("apply", "-y")
    run = second.start(other, "apply", "-y", environ=bench.environ)
    assert (first.wait().code, run.wait().code) == (0, 0)
    twice = {token for (_, token, _), count in bench.bills().items() if count == 2}
    assert len(twice) > 20, "the two runs did not meet"
    bench.clear()
    for at, folder in ((bench.server, bench.folder), (second, other)):
        text = machines.run(at, folder, "apply", "-y")
        assert text.code == 0, text.err
        assert {token for token in twice if f"generations of {token}" in text.err} == twice
        silent = machines.run(at, folder, "apply", "-y", "--json")
        assert "duplicate_paid" not in silent.out, "it is told once"
    assert set(bench.bills().values()) <= {1, 2}, "nothing was drawn or deleted because of it"
    with capsys.disabled():
        print(f"\nwithout a lease: {len(twice)} of {len(twice)} double pays told by the next run of each machine")  # noqa: T201


def test_duplicates_stand_in_the_events_and_in_the_summary(bench: Bench, machines: Machines, second: Server) -> None:
    machines.publish(manifest=ONE)
    other = machines.another()
    bench.script(rule("create", times=2, delay_s=1.5))
    first = bench.start("apply", "-y")
    run = second.start(other, "apply", "-y", environ=bench.environ)
    assert (first.wait().code, run.wait().code) == (0, 0)
    ((_, token, _), count), *_ = bench.bills().items()
    assert count == 2, "the two runs did not meet"
    lines = [json.loads(line) for line in machines.run(second, other, "apply", "-y", "--json").out.splitlines()]
    (told,) = [line for line in lines if line.get("kind") == "duplicate_paid"]
    assert (told["token"], told["address"], told["provider"]) == (token, "fox", "studio")
    assert len(told["generations"].split(",")) == 2
    assert lines[-1]["duplicates"] == 1


# The mirror -----------------------------------------------------------------------------------------------------------


def places(trace: Path) -> list[Place]:
    """Every place of a traced run from the first intent on."""
    counts: dict[str, int] = {}
    found: list[Place] = []
    for name in trace.read_text("utf-8").splitlines():
        counts[name] = counts.get(name, 0) + 1
        found.append((name, counts[name]))
    start = next(at for at, (name, _) in enumerate(found) if name.startswith("send POST"))
    return found[start - 6 :]


def spread(found: list[Place], count: int) -> Iterable[Place]:
    """So many of them, evenly, the last among them."""
    step = (len(found) - 1) / (count - 1)
    return [found[round(number * step)] for number in range(count)]


def mirrored(remote: Path, lineage: str) -> set[str]:
    """The tokens that a project's mirror speaks of."""
    commit = refs(remote)[f"refs/imagebatch/journal/{lineage}"]
    lines = git(remote, "cat-file", "blob", f"{commit}:content").splitlines()[1:]
    return {json.loads(line)["token"] for line in lines}


@pytest.mark.slow
@pytest.mark.parametrize(
    "drawn_by", [("retouch", "gpt-image-2"), ("hub", "openai/gpt-image-2")], ids=["blind", "with records"]
)
def test_a_machine_that_vanishes_anywhere_leaves_nothing_that_is_paid_twice_or_not_declared(
    bench: Bench,
    machines: Machines,
    second: Server,
    drawn_by: tuple[str, str],
    record_property: Callable[[str, object], None],
) -> None:
    alias, model = drawn_by
    kind, tally = "blind" if alias == "retouch" else "ledger", Tally(level="K")
    manifest = MUGS.replace("PROVIDER", alias).replace("MODEL", model)
    folder = machines.publish(LEASE, MIRROR, manifest=manifest)
    trace = bench.folder.parent / "trace"
    assert machines.run(bench.server, machines.another(), "apply", "-y", trace=trace).code == 0
    began, doubts, lost, paid = time.monotonic(), 0, 0, 0
    lineage = (folder / "imagebatch.yaml").read_text("utf-8").partition("lineage: ")[2][:32]
    found = list(spread(places(trace), 6 if PLACES in os.environ else 3))
    for number, place in enumerate(found):
        # Another lineage is another project at the same provider: its tokens are its own.
        mine = hashlib.sha256(f"{lineage} {number}".encode()).hexdigest()[:32]
        path = folder / "imagebatch.yaml"
        path.write_text(path.read_text("utf-8").replace(lineage, mine), encoding="utf-8")
        lineage = mine
        save(folder)
        before = set(bench.bills())
        vanished = machines.another()
        killed = machines.run(bench.server, vanished, "apply", "-y", kill=place)
        assert killed.code in {-signal.SIGKILL, 0}, killed.err
        shutil.rmtree(vanished)
        fresh = machines.another()
        if any("/lease/" in ref for ref in refs(machines.remote)):
            released(machines, second, fresh)
        runs = [machines.run(second, one, "apply", "-y") for one in (fresh, fresh, machines.another())]
        assert all(run.code in {0, 3} for run in runs), "\n".join(run.err for run in runs)
        bills = {bill: count for bill, count in bench.bills().items() if bill not in before}
        known = {entry.token: entry.status for entry in entries(fresh).values()}
        open_ = sum(status == "in_doubt" for status in known.values())
        strange = {token for _, token, _ in bills} - known.keys()  # its bytes went with the machine
        undeclared = strange - mirrored(machines.remote, lineage) if strange else set()
        account = Account(double=sum(bills.values()) - len(bills), strays=frozenset(), doubts={kind: open_})
        tally.add(account, kinds={kind: int(killed.code < 0)}, runs=1 + len(runs), lost=len(undeclared))
        assert set(bills.values()) <= {1}, f"paid twice after a kill at {place}"
        assert not undeclared, f"paid and not declared after a kill at {place}"
        if strange:
            assert all(f"{len(strange)} failed" in run.out and run.code == 3 for run in runs[:2]), runs[1].out
        doubts += open_
        lost += len(strange) + sum(status == "failed" for status in known.values())
        paid += len(bills)
    record_property("seen", tally.seen(time.monotonic() - began))
    record_property(
        "figure",
        f"vanished machines, {kind}: {len(found)} kills, {paid} paid, {doubts} in doubt, {lost} declared lost",
    )


def test_a_clone_that_has_not_pulled_pays_for_nothing_that_was_paid_and_pushed_meanwhile(
    bench: Bench, machines: Machines, second: Server
) -> None:
    folder = machines.publish(LEASE, MIRROR, manifest=BLIND_MUGS)
    behind = machines.another()
    assert bench.apply().code == 0
    assert [ref.split("/")[2] for ref in refs(machines.remote)] == ["journal"]
    save(folder)
    assert bench.apply().code == 0
    billed = bench.bills()
    for words in (("apply", "-y"), ("apply", "-y"), ("apply", "-y", "--in-doubt", "resend")):
        run = machines.run(second, behind, *words)
        assert run.code == 3, run.out + run.err
        assert "git pull" in run.out
    assert bench.bills() == billed
    (behind / "imagebatch.lock").unlink()  # it has nothing that the other's has not
    git(behind, "pull", "--quiet")
    assert machines.run(second, behind, "apply", "-y").code in {0, 3}
    assert bench.bills() == billed


def test_receipts_that_went_from_the_remote_are_put_back_by_whoever_has_seen_them(
    bench: Bench, machines: Machines, second: Server
) -> None:
    folder = machines.publish(LEASE, MIRROR, manifest=BLIND_MUGS)
    behind = machines.another()
    lineage = (folder / "imagebatch.yaml").read_text("utf-8").partition("lineage: ")[2][:32]
    assert bench.apply().code == 0
    billed, receipts = bench.bills(), mirrored(machines.remote, lineage)
    assert len(receipts) == 3
    git(folder, "push", "--quiet", "origin", f":refs/imagebatch/journal/{lineage}")
    again = bench.apply()
    assert again.code == 0
    assert "lacked 3 receipts" in again.out + again.err, again.out + again.err
    assert mirrored(machines.remote, lineage) == receipts
    assert "lacked" not in bench.apply().err
    run = machines.run(second, behind, "apply", "-y")
    assert run.code == 3, run.out + run.err
    assert bench.bills() == billed, "a clone paid again for what another machine had drawn"


def test_a_mirror_that_holds_something_else_is_told_by_doctor(bench: Bench, machines: Machines) -> None:
    folder = machines.publish(LEASE, MIRROR, manifest=BLIND_MUGS)
    lineage = (folder / "imagebatch.yaml").read_text("utf-8").partition("lineage: ")[2][:32]
    assert bench.apply().code == 0
    assert "receipts of 3 paid pictures" in machines.run(bench.server, folder, "doctor", "--online").out
    git(folder, "push", "--quiet", "--force", "origin", f"HEAD:refs/imagebatch/journal/{lineage}")
    refused = bench.apply()
    assert (refused.code, "git ls-remote origin 'refs/imagebatch/*'" in refused.err) == (1, True), refused.err
    told = machines.run(bench.server, folder, "doctor", "--online")
    assert (told.code, "what the remote holds for imagebatch cannot be read" in told.out) == (1, True), told.out


def test_a_machine_that_comes_back_hears_how_its_own_doubt_ended(
    bench: Bench, machines: Machines, second: Server
) -> None:
    folder = machines.publish(LEASE, MIRROR, manifest=BLIND_MUGS.replace("[1, 2, 3]", "[1]"))
    lineage = (folder / "imagebatch.yaml").read_text("utf-8").partition("lineage: ")[2][:32]
    other = in_doubt_elsewhere(bench, machines, second)
    assert machines.run(second, other, "resolve", "mug", "--abandon").code == 0
    assert machines.run(second, other, "apply", "-y").code == 0
    (entry,) = entries(other).values()
    billed = bench.bills()
    for words in (("apply", "-y"), ("apply", "-y", "--in-doubt", "resend")):
        back = machines.run(bench.server, folder, *words)
        assert back.code == 3, back.out + back.err
        assert "in doubt" not in back.out
    third = machines.another()
    told = machines.run(second, third, "apply", "-y")
    assert told.code == 3, told.out + told.err
    assert "in doubt" not in told.out
    assert bench.bills() == billed, "what another machine had drawn was paid again"
    assert mirrored(machines.remote, lineage) == {entry.token}


def test_what_another_machine_sent_again_and_drew_is_not_sent_once_more(
    bench: Bench, machines: Machines, second: Server
) -> None:
    folder = machines.publish(LEASE, MIRROR, manifest=BLIND_MUGS.replace("[1, 2, 3]", "[1]"))
    other = in_doubt_elsewhere(bench, machines, second)
    assert machines.run(second, other, "resolve", "mug", "--resend", "-y").code == 0
    assert [entry.attempt for entry in entries(other).values()] == [2]
    billed = bench.bills()
    back = machines.run(bench.server, folder, "apply", "-y")
    assert "attempt 2 was drawn since" in back.out, back.out + back.err
    assert "--resend" not in machines.run(bench.server, folder, "resolve", "--list").out
    refused = machines.run(bench.server, folder, "resolve", "mug", "--resend", "-y")
    assert (refused.code, "[resolve.drawn_since]" in refused.err + refused.out) == (4, True), refused.out + refused.err
    assert machines.run(bench.server, folder, "apply", "-y", "--in-doubt", "resend").code == 3
    assert bench.bills() == billed, "what another machine had sent again was sent once more"


def test_a_doubt_that_was_resolved_on_another_machine_does_not_come_back(
    bench: Bench, machines: Machines, second: Server
) -> None:
    machines.publish(LEASE, MIRROR, manifest=BLIND_MUGS.replace("[1, 2, 3]", "[1]"))
    dies_while_it_sends(bench)
    shutil.rmtree(bench.folder)
    other = machines.another()
    released(machines, second, other)
    doubted = machines.run(second, other, "apply", "-y")
    assert doubted.code == 3, doubted.out + doubted.err
    assert [entry.status for entry in entries(other).values()] == ["in_doubt"]
    assert machines.run(second, other, "resolve", "mug", "--abandon").code == 0
    assert refs(machines.remote) == {}, "a third machine would hear of the doubt again"
    drawn = machines.run(second, other, "apply", "-y")
    assert drawn.code == 0, drawn.out + drawn.err
    assert [entry.status for entry in entries(other).values()] == ["succeeded"]


def test_an_intent_that_cannot_be_pushed_is_not_sent(bench: Bench, machines: Machines) -> None:
    machines.publish(LEASE, MIRROR, manifest=KITES)
    hook = machines.remote / "hooks" / "update"
    hook.write_text('#!/bin/sh\ncase "$1" in refs/imagebatch/journal/*) exit 1;; esac\n', encoding="utf-8")
    hook.chmod(0o755)
    run = bench.apply()
    assert run.code in {1, 3}, run.out + run.err
    assert bench.asked("create") == 0
    hook.unlink()
    again = bench.apply()
    assert again.code == 0, again.out + again.err
    assert bench.billed() == {"create": 6}
