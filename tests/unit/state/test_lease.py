"""One writer at a time, among real processes."""

import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebatch.effects import seams
from imagebatch.errors import RefusedError, StateError
from imagebatch.state import lease as lease_module
from imagebatch.state.lease import (
    Owner,
    acquire_lease,
    read_owner,
    release_lease,
    running_owner,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def holder(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds the lease until it is ended."""
    script = (
        "import sys, time; from pathlib import Path; from imagebatch.state.lease import acquire_lease;"
        f"lease = acquire_lease(Path({str(folder)!r}), command='apply'); print(lease.owner.id, flush=True);"
        "sys.stdin.readline(); lease.release()"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline().strip()
    yield process
    process.stdin.close()
    process.kill()
    process.wait(timeout=10)
    process.stdout.close()


def test_a_living_owner_is_named_and_nothing_is_taken(folder: Path, holder: "subprocess.Popen[str]") -> None:
    with pytest.raises(RefusedError) as caught:
        acquire_lease(folder, command="apply")
    assert (caught.value.code, caught.value.exit_code) == ("lock.held", 4)
    assert str(holder.pid) in caught.value.detail
    assert "--lock-timeout" in caught.value.hints[0]
    owner = running_owner(folder)
    assert owner is not None
    assert (owner.pid, owner.command) == (holder.pid, "apply")


def test_a_killed_owner_needs_no_unlocking(folder: Path, holder: "subprocess.Popen[str]") -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait(timeout=10)
    assert running_owner(folder) is None
    lease = acquire_lease(folder, command="apply")
    assert lease.owner.pid == os.getpid()
    lease.check()
    lease.release()
    assert read_owner(folder) is None


def test_waiting_gets_the_lease_when_the_owner_ends(folder: Path, holder: "subprocess.Popen[str]") -> None:
    assert holder.stdin is not None
    holder.stdin.write("\n")
    holder.stdin.flush()
    lease = acquire_lease(folder, command="apply", timeout_s=10)
    lease.release()


def test_a_child_does_not_keep_the_lease(folder: Path) -> None:
    lease = acquire_lease(folder, command="apply")
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"], close_fds=False)
    try:
        lease.release()
        acquire_lease(folder, command="again").release()
    finally:
        child.kill()
        child.wait(timeout=10)


def test_a_living_owner_is_released_only_with_the_right_id(folder: Path, holder: "subprocess.Popen[str]") -> None:
    with pytest.raises(RefusedError) as caught:
        release_lease(folder)
    assert caught.value.code == "lock.held"
    with pytest.raises(RefusedError) as caught:
        release_lease(folder, lease_id="wrong")
    assert caught.value.code == "lock.wrong_id"
    owner = read_owner(folder)
    assert owner is not None
    assert owner.pid == holder.pid
    assert release_lease(folder, lease_id=owner.id) == owner
    acquire_lease(folder, command="second").release()


def test_a_run_whose_lease_was_broken_notices(folder: Path) -> None:
    first = acquire_lease(folder, command="first")
    release_lease(folder, lease_id=first.owner.id)
    second = acquire_lease(folder, command="second")
    with pytest.raises(RefusedError) as caught:
        first.check()
    assert (caught.value.code, caught.value.exit_code) == ("lock.lost", 4)
    assert second.owner.id in caught.value.detail
    first.release()
    second.check()
    second.release()
    second.release()


def test_the_counter_of_a_living_run_moves(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "BEAT_S", 0.02)
    lease = acquire_lease(folder, command="apply")
    deadline = time.monotonic() + 5
    while (read_owner(folder) or lease.owner).beat < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    owner = read_owner(folder)
    lease.release()
    assert owner is not None
    assert owner.beat >= 2


def _left(folder: Path, **changes: object) -> None:
    owner = {"id": "abcd", "host": "elsewhere", "pid": 7, "started": "", "command": "apply", "beat": 5}
    (folder / "lease.json").write_text(json.dumps({**owner, **changes}))


def test_an_owner_on_another_host_is_taken_over_when_its_counter_stands_still(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "WATCH_S", 0.6)
    _left(folder)
    lease = acquire_lease(folder, command="apply")
    assert read_owner(folder) == lease.owner
    lease.release()


def test_an_owner_on_another_host_whose_counter_moves_is_alive(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beats = iter(range(1000))
    monkeypatch.setattr(seams.clock, "pause", lambda _: _left(folder, beat=next(beats)))
    _left(folder, beat=-0)
    with pytest.raises(RefusedError) as caught:
        acquire_lease(folder, command="apply")
    assert caught.value.code == "lock.held"
    assert "elsewhere" in caught.value.detail
    owner = running_owner(folder)
    assert owner is not None


def test_a_process_number_that_was_given_out_again_is_not_the_owner(folder: Path) -> None:
    _left(folder, host=platform.node(), pid=os.getpid(), started="1")
    assert running_owner(folder) is None
    assert release_lease(folder) is not None
    assert release_lease(folder) is None


def test_an_owner_file_that_cannot_be_read_says_nothing(folder: Path) -> None:
    (folder / "lease.json").write_text("{]")
    assert running_owner(folder) is None
    acquire_lease(folder, command="apply").release()


def test_a_lock_file_that_is_a_link_is_refused(folder: Path) -> None:
    (folder / "lease.lock").symlink_to("/etc/passwd")
    with pytest.raises(StateError) as caught:
        acquire_lease(folder, command="apply")
    assert (caught.value.code, caught.value.exit_code) == ("path.symlink", 1)


@pytest.mark.parametrize("number", [38, 37, 95])
def test_a_file_system_without_locks_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    import fcntl

    def no_locks(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(StateError) as caught:
        acquire_lease(folder, command="apply")
    assert (caught.value.code, caught.value.exit_code) == ("lock.unsupported", 1)


def test_an_owner_reads_as_a_sentence() -> None:
    owner = Owner(id="abcd", host="ci-7", pid=12, started=None, command="apply")
    assert str(owner) == "process 12 on ci-7 (apply), lease abcd"
