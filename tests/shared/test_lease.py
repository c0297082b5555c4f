"""The lease on a git remote: one winner, given back or broken by its id only, noticed when it is lost."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from imagebatch.effects.git import Move, PlainGit
from imagebatch.errors import ImagebatchError, RefusedError
from imagebatch.state import shared
from imagebatch.state.lease import Owner
from imagebatch.state.shared import (
    Remote,
    SharedLease,
    journal_ref,
    lease_ref,
    owner_message,
    release_shared,
    shared_owner,
    take_shared,
)
from tests.repositories import ENVIRON, clone, publish, refs, server

LINEAGE = "a" * 32
CONTENDERS = 6
ROUNDS = 40


class Machine:
    """A clone with a folder of its own."""

    def __init__(self, work: Path, *, mirrored: bool = False) -> None:
        self.work = work
        self.folder = work / ".imagebatch"
        self.folder.mkdir()
        self.remote = Remote(git=PlainGit(work, "origin", ENVIRON), name="origin", mirrored=mirrored)
        self.held: list[SharedLease] = []

    def take(self, timeout_s: float = 0.0) -> SharedLease:
        self.held.append(take_shared(self.remote, LINEAGE, self.folder, command="apply", timeout_s=timeout_s))
        return self.held[-1]


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    made = server(tmp_path / "server")
    (tmp_path / "first").mkdir()
    publish(tmp_path / "first", made)
    return made


@pytest.fixture
def machines(tmp_path: Path, remote: Path) -> Iterator[tuple[Machine, Machine]]:
    both = Machine(clone(remote, tmp_path / "a"), mirrored=True), Machine(clone(remote, tmp_path / "b"), mirrored=True)
    yield both
    for machine in both:
        for one in machine.held:
            one.release()


def refused(machine: Machine) -> ImagebatchError:
    with pytest.raises(ImagebatchError) as caught:
        machine.take()
    return caught.value


@pytest.mark.slow
def test_of_six_machines_at_once_exactly_one_gets_the_lease(
    tmp_path: Path, remote: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    began, wins = time.monotonic(), 0
    with ExitStack() as stack:
        contenders = []
        for number in range(CONTENDERS):
            command = [sys.executable, "-m", "tests.shared.contender", str(clone(remote, tmp_path / str(number)))]
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
                env={**ENVIRON, "PYTHONPATH": os.pathsep.join(sys.path)},
            )  # fmt: skip
            contenders.append(stack.enter_context(process))
        for number in range(ROUNDS):
            answers = say(contenders, f"take {number:032x}")
            winners = [answer for answer in answers if answer.startswith("won ")]
            assert len(winners) == 1, answers
            assert set(answers) == {winners[0], "lock.held"}, answers
            assert list(refs(remote)) == [lease_ref(f"{number:032x}")]
            assert say(contenders, "drop") == ["dropped"] * CONTENDERS
            assert refs(remote) == {}
            wins += 1
    with capsys.disabled():
        seconds = time.monotonic() - began
        print(f"\nshared lease: {wins} of {ROUNDS} races of {CONTENDERS} had exactly one winner, {seconds:.0f} s")  # noqa: T201


def say(contenders: "list[subprocess.Popen[str]]", line: str) -> list[str]:
    """Say the same to all of them at once; gives their answers."""
    for one in contenders:
        assert one.stdin is not None
        one.stdin.write(f"{line}\n")
        one.stdin.flush()
    return [one.stdout.readline().strip() for one in contenders if one.stdout is not None]


def test_the_one_that_comes_later_is_told_who_holds_it_and_how_to_break_it(machines: tuple[Machine, Machine]) -> None:
    first, second = machines
    lease = first.take()
    error = refused(second)
    assert (error.code, error.exit_code) == ("lock.held", 4)
    assert f"process {os.getpid()} on {platform.node()} (apply)" in error.detail
    assert f"imagebatch lock release {lease.owner.id}" in error.hints[1]
    lease.release()
    second.take()


def test_who_waits_gets_it_when_it_is_given_back(machines: tuple[Machine, Machine]) -> None:
    first, second = machines
    lease = first.take()
    pauses: list[float] = []

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        lease.release()

    got = take_shared(second.remote, LINEAGE, second.folder, command="apply", timeout_s=600, wait=wait)
    second.held.append(got)
    assert len(pauses) == 1
    assert shared_owner(first.remote, LINEAGE) == got.owner


def test_who_waited_in_vain_is_told_whether_the_owner_gave_a_sign(
    machines: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = machines
    monkeypatch.setattr(shared, "POLL_S", 0.05)
    lease = first.take()
    with pytest.raises(RefusedError, match="did not move"):
        second.take(timeout_s=0.3)

    def wait(_: float) -> None:
        lease.mirror(str(time.monotonic()).encode())

    with pytest.raises(RefusedError, match="it lives"):
        take_shared(second.remote, LINEAGE, second.folder, command="apply", timeout_s=0.5, wait=wait)


def test_the_counter_moves_while_the_owner_lives(
    machines: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "BEAT_S", 0.05)
    first, second = machines
    lease = first.take()
    deadline = time.monotonic() + 30
    while (seen := shared_owner(second.remote, LINEAGE)) is None or seen.beat < 2:
        assert time.monotonic() < deadline, "no beat came"
        time.sleep(0.05)
    assert seen.id == lease.owner.id
    lease.look()
    lease.release()
    assert shared_owner(second.remote, LINEAGE) is None


def test_it_is_removed_by_its_id_only(machines: tuple[Machine, Machine]) -> None:
    first, second = machines
    lease = first.take()
    for wrong, code in ((None, "lock.held"), ("ffffffff", "lock.wrong_id")):
        with pytest.raises(RefusedError) as caught:
            release_shared(second.remote, LINEAGE, wrong)
        assert caught.value.code == code
    lease.look()
    removed = release_shared(second.remote, LINEAGE, lease.owner.id)
    assert removed is not None
    assert removed.id == lease.owner.id
    assert release_shared(second.remote, LINEAGE, lease.owner.id) is None


@pytest.mark.parametrize("taken", [True, False], ids=["by another", "by nobody"])
def test_a_lease_that_was_broken_is_noticed_and_not_taken_back(machines: tuple[Machine, Machine], taken: bool) -> None:
    first, second = machines
    lease = first.take()
    release_shared(second.remote, LINEAGE, lease.owner.id)
    other = second.take() if taken else None
    for act in (lease.look, lambda: lease.mirror(b"an intent")):
        with pytest.raises(RefusedError) as caught:
            act()
        assert caught.value.code == "lock.lost"
    assert lease.lost is not None
    lease.release()
    assert shared_owner(first.remote, LINEAGE) == (other.owner if other is not None else None)
    assert first.remote.git.read_ref(journal_ref(LINEAGE)) is None, "an intent was pushed under a lost lease"


def test_a_dead_run_of_the_same_checkout_is_taken_over(machines: tuple[Machine, Machine]) -> None:
    first, second = machines
    dead = first.take()
    dead._beats.end()  # it beats no more, and gave nothing back
    later = first.take()
    assert later.owner.id != dead.owner.id
    assert refused(second).code == "lock.held"


def test_a_dead_run_of_another_host_with_the_same_folder_is_named_only(machines: tuple[Machine, Machine]) -> None:
    first, _ = machines
    away = Owner(id="0badcafe", host="elsewhere", pid=1, started=None, command="apply", beat=7)
    commit = first.remote.git.commit(owner_message(away))
    assert first.remote.git.push([Move(ref=lease_ref(LINEAGE), expect=None, to=commit)])
    (first.folder / shared.IDS_NAME).write_text('{"ids": ["0badcafe"]}', encoding="utf-8")
    error = refused(first)
    assert (error.code, "imagebatch lock release 0badcafe" in error.hints[1]) == ("lock.held", True)


def test_a_ref_that_somebody_else_made_is_held_by_a_stranger_and_can_be_removed(
    machines: tuple[Machine, Machine],
) -> None:
    first, _ = machines
    commit = first.remote.git.commit("hello\n")
    assert first.remote.git.push([Move(ref=lease_ref(LINEAGE), expect=None, to=commit)])
    assert refused(first).code == "lock.held"
    assert release_shared(first.remote, LINEAGE, commit[:12]) is not None
    first.take()


def test_without_the_remote_nothing_is_taken_and_nothing_goes_on(
    machines: tuple[Machine, Machine], remote: Path
) -> None:
    first, second = machines
    lease = first.take()
    remote.rename(remote.with_name("away"))
    assert (refused(second).code, refused(second).exit_code) == ("lease.unreachable", 1)
    with pytest.raises(ImagebatchError) as caught:
        lease.look()
    assert caught.value.code == "lease.unreachable"
    left = lease.release()
    assert left is not None
    assert f"imagebatch lock release {lease.owner.id}" in left
    remote.with_name("away").rename(remote)
    assert shared_owner(second.remote, LINEAGE) is not None


def test_the_mirror_is_what_was_put_there_last_and_goes_when_it_is_empty(machines: tuple[Machine, Machine]) -> None:
    first, second = machines
    lease = first.take()
    assert lease.read_mirror() == b""
    lease.mirror(b"one")
    lease.mirror(b"two")
    lease.release()
    again = second.take()
    assert again.read_mirror() == b"two"
    again.mirror(b"")
    assert second.remote.git.read_ref(journal_ref(LINEAGE)) is None


def test_a_mirror_that_another_hand_changed_is_not_written_over(machines: tuple[Machine, Machine]) -> None:
    first, second = machines
    lease = first.take()
    lease.read_mirror()
    lease.mirror(b"one")
    git = second.remote.git
    assert git.push([Move(ref=journal_ref(LINEAGE), expect=git.read_ref(journal_ref(LINEAGE)), to=git.commit("x"))])
    with pytest.raises(RefusedError) as caught:
        lease.mirror(b"two")
    assert caught.value.code == "journal.mirror"


def test_a_push_whose_answer_was_lost_is_found_to_be_our_own(machines: tuple[Machine, Machine], remote: Path) -> None:
    first, _ = machines
    lease = first.take()
    lease.read_mirror()
    lease.mirror(b"one")
    hook = remote / "hooks" / "post-receive"
    hook.write_text(f'#!/bin/sh\nmv "{remote}" "{remote}.away"; kill -9 $PPID\n', encoding="utf-8")
    hook.chmod(0o755)
    with pytest.raises(ImagebatchError):
        lease.mirror(b"two")
    remote.with_name(f"{remote.name}.away").rename(remote)
    hook.unlink()
    lease.mirror(b"three")
    assert lease.read_mirror() == b"three"
