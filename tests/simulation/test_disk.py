"""The disk in memory behaves as a real one does, where the program could tell the difference."""

import os
from pathlib import Path
from random import Random

import pytest

from imagebatch.effects.disk import Disk, PlainDisk
from tests.simulation.disk import PAGE, SimulatedDisk


@pytest.fixture(params=["real", "simulated"])
def disk(request: pytest.FixtureRequest) -> Disk:
    return PlainDisk() if request.param == "real" else SimulatedDisk(lambda *_: None)


@pytest.fixture
def root(disk: Disk, tmp_path: Path) -> Path:
    if isinstance(disk, SimulatedDisk):
        disk.put("/somewhere/else", b"")
        return Path("/somewhere")
    return tmp_path


def test_a_handle_to_read_writes_nothing(disk: Disk, root: Path) -> None:
    made = disk.open(root / "a", os.O_WRONLY | os.O_CREAT)
    assert disk.write(made, b"one") == 3
    disk.close(made)
    handle = disk.open(root / "a", os.O_RDONLY)
    with pytest.raises(OSError, match="Bad file descriptor"):
        disk.write(handle, b"two")
    assert disk.read(handle, 10) == b"one"
    disk.close(handle)


def test_names_are_counted_and_two_of_one_file_outlive_a_rename(disk: Disk, root: Path) -> None:
    disk.close(disk.open(root / "a", os.O_WRONLY | os.O_CREAT))
    assert disk.stat(root / "a").st_nlink == 1
    disk.mkdir(root / "deep")
    disk.link(root / "a", root / "deep" / "b")
    assert disk.stat(root / "a").st_nlink == 2
    disk.replace(root / "a", root / "deep" / "b")
    assert disk.stat(root / "a").st_nlink == 2
    disk.unlink(root / "a")
    assert disk.stat(root / "deep" / "b").st_nlink == 1
    assert disk.lstat(root / "deep").st_nlink == 2


def test_a_torn_file_is_old_new_cut_filled_up_or_mixed() -> None:
    old, new = b"o" * (2 * PAGE), b"n" * (3 * PAGE)
    seen = set()
    for seed in range(200):
        disk = SimulatedDisk(lambda *_: None)
        disk.put("/a", old)
        handle = disk.open("/a", os.O_WRONLY)
        disk.write(handle, new)
        disk.cut("torn and reordered", Random(seed))  # noqa: S311  # it has to be the same again
        left = disk.bytes_of("/a")
        pages = {left[at : at + PAGE] for at in range(0, len(left), PAGE)}
        seen |= {"old"} if left == old else {"new"} if left == new else set()
        seen |= {"cut"} if len(left) < len(new) and new.startswith(left) else set()
        seen |= {"filled up"} if left.rstrip(b"\0") != left and new.startswith(left.rstrip(b"\0")) else set()
        seen |= {"mixed"} if {old[:PAGE], new[:PAGE]} <= pages else set()
    assert seen == {"old", "new", "cut", "filled up", "mixed"}


def test_what_was_added_leaves_what_was_synced_before_it() -> None:
    for seed in range(100):
        disk = SimulatedDisk(lambda *_: None)
        disk.put("/a", b"o" * 700)
        handle = disk.open("/a", os.O_WRONLY | os.O_APPEND)
        disk.write(handle, b"n" * 700)
        disk.cut("torn and reordered", Random(seed))  # noqa: S311  # as above
        assert disk.bytes_of("/a").startswith(b"o" * 700)
