"""Room on the disk before anything is paid."""

from pathlib import Path

import pytest

from imagebatch.outputs.room import EACH, FLOOR, MIB, MOST_AT_ONCE, Room, on_each_disk


class Disk:
    """Says what is free, and counts how often it was asked."""

    def __init__(self, free: int) -> None:
        self.left = free
        self.asked = 0
        self.seconds = 0.0

    def free(self, _folder: Path) -> int:
        self.asked += 1
        return self.left

    def room(self, tmp_path: Path, in_flight: int) -> Room:
        return Room(folders={".imagebatch": tmp_path}, in_flight=in_flight, free=self.free, now=lambda: self.seconds)


def test_a_floor_and_a_share_for_each_request_have_to_be_free(tmp_path: Path) -> None:
    assert Disk(FLOOR + 3 * EACH).room(tmp_path, 3).lacking() is None
    lacking = Disk(FLOOR + 3 * EACH - 1).room(tmp_path, 3).lacking()
    assert lacking is not None
    assert lacking.startswith("87 MiB are free on the disk of .imagebatch, and 88 MiB have to be ")


def test_a_thousand_requests_under_way_ask_for_no_more_than_can_come_between_two_looks(tmp_path: Path) -> None:
    assert Disk(0).room(tmp_path, 1000).wanted == FLOOR + MOST_AT_ONCE * EACH == 1088 * MIB


def test_a_disk_is_looked_at_once_a_second_and_room_that_was_made_counts(tmp_path: Path) -> None:
    disk = Disk(3 * MIB)
    room = disk.room(tmp_path, 1)
    assert all(room.lacking() is not None for _ in range(5))
    assert disk.asked == 1
    disk.seconds, disk.left = 1.0, FLOOR + EACH
    assert (room.lacking(), disk.asked) == (None, 2)


def test_a_disk_that_tells_nothing_stops_nothing(tmp_path: Path) -> None:
    def silent(_folder: Path) -> int:
        raise OSError(38, "Function not implemented")

    assert Room(folders={".imagebatch": tmp_path}, in_flight=1, free=silent).lacking() is None


def test_folders_of_one_disk_are_looked_at_once(tmp_path: Path) -> None:
    (tmp_path / ".imagebatch").mkdir()
    (tmp_path / "outputs").mkdir()
    paths = ["outputs/a/b.jpg", "outputs/c.jpg", "d.jpg"]
    assert on_each_disk(tmp_path, paths) == {".imagebatch": tmp_path / ".imagebatch"}


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")
def test_outputs_on_a_disk_of_their_own_are_looked_at_too(tmp_path: Path) -> None:
    shm = Path("/dev/shm")
    if shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("one file system only")
    (tmp_path / ".imagebatch").mkdir()
    (tmp_path / "outputs").symlink_to(shm)
    found = on_each_disk(tmp_path, ["outputs/nowhere/b.jpg"])
    assert found == {".imagebatch": tmp_path / ".imagebatch", "outputs": tmp_path / "outputs"}
