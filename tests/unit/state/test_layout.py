"""One file or one for each asset: only this module and its disk shell know."""

from pathlib import Path

import pytest

from imagebatch.errors import StateError
from imagebatch.state import layout
from imagebatch.state.layout import decode_files, encode_files, lock_digest
from imagebatch.state.lockfile import LOCK_NAME, Lock, empty_lock, encode_lock
from imagebatch.state.lockfile_io import lock_digest_on_disk, read_lock, write_lock
from tests.unit.state.worlds import LINEAGE, OTHER, drawn


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rules at sizes that a test can afford."""
    monkeypatch.setattr(layout, "SPLIT_ABOVE", 5)
    monkeypatch.setattr(layout, "JOIN_BELOW", 3)


def lock_of(*addresses: str) -> Lock:
    return empty_lock(LINEAGE).with_changes({address: drawn(address) for address in addresses})


SIX = ("a[n=1]", "a[n=2]", "b[n=1]", "c", "d[n=1]", "d[n=2]")


@pytest.mark.usefixtures("small")
def test_above_the_limit_entries_live_in_one_file_for_each_asset() -> None:
    files = encode_files(lock_of(*SIX))
    assert list(files)[-1] == LOCK_NAME, "the header is written last"
    assert set(files) == {LOCK_NAME, *(f"imagebatch.lock.d/{asset}.lock" for asset in "abcd")}
    assert b'"entries_in": "imagebatch.lock.d"' in files[LOCK_NAME]
    again = decode_files(files)
    assert list(again) == list(SIX)
    assert [again.entry(address) for address in SIX] == [drawn(address) for address in SIX]
    assert encode_files(again) == files


@pytest.mark.usefixtures("small")
def test_the_layout_changes_back_only_well_below_the_limit() -> None:
    split = decode_files(encode_files(lock_of(*SIX)))
    still = split.with_changes({}, SIX[:2])
    assert len(encode_files(still)) > 1
    joined = encode_files(still.with_changes({}, SIX[2:3]))
    assert set(joined) == {LOCK_NAME}
    assert joined[LOCK_NAME] == encode_lock(lock_of(*SIX[3:])), "no trace of the other layout is left"


@pytest.mark.usefixtures("small")
def test_assets_that_a_file_system_takes_for_one_share_a_file() -> None:
    files = encode_files(lock_of(*SIX, "A[n=1]", "Ä", "ä"))
    parts = [path.casefold() for path in files]
    assert len(set(parts)) == len(parts)
    assert list(decode_files(files)) == sorted((*SIX, "A[n=1]", "Ä", "ä"))


@pytest.mark.usefixtures("small")
def test_a_long_asset_gets_a_short_file_name_and_a_hostile_one_none() -> None:
    long = "ä" * 150
    files = encode_files(lock_of(*SIX, long))
    assert max(len(Path(path).name.encode()) for path in files) < 255
    assert long in decode_files(files)
    with pytest.raises(StateError):
        encode_files(lock_of(*SIX, "../../evil[n=1]"))


@pytest.mark.usefixtures("small")
def test_one_address_in_two_files_is_refused() -> None:
    files = encode_files(lock_of(*SIX))
    files["imagebatch.lock.d/zzz.lock"] = files["imagebatch.lock.d/a.lock"]
    with pytest.raises(StateError) as caught:
        decode_files(files)
    assert caught.value.code == "lockfile.conflict"


@pytest.mark.usefixtures("small")
def test_a_part_of_another_project_is_refused() -> None:
    files = encode_files(lock_of(*SIX))
    path = "imagebatch.lock.d/a.lock"
    files[path] = files[path].replace(LINEAGE.encode(), OTHER.encode())
    with pytest.raises(StateError) as caught:
        decode_files(files)
    assert caught.value.code == "lockfile.lineage"


def test_the_digest_of_one_file_is_its_sha256_and_that_of_none_says_so() -> None:
    assert lock_digest({}) == "absent"
    assert lock_digest({LOCK_NAME: b"x"}) == "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert lock_digest({LOCK_NAME: b"x", "a": b"1"}) != lock_digest({LOCK_NAME: b"x", "a": b"2"})


@pytest.mark.usefixtures("small")
def test_both_layouts_go_to_disk_and_back_and_leave_nothing_behind(tmp_path: Path) -> None:
    first = write_lock(tmp_path, lock_of(*SIX), None)
    assert read_lock(tmp_path) is not None
    assert lock_digest_on_disk(tmp_path) == first.digest
    found = read_lock(tmp_path)
    assert found is not None
    assert list(found.lock) == list(SIX)
    stamp = (tmp_path / "imagebatch.lock.d" / "b.lock").stat().st_mtime_ns
    second = write_lock(tmp_path, found.lock.with_changes({"a[n=1]": drawn("new")}, ["c"]), found)
    assert (tmp_path / "imagebatch.lock.d" / "b.lock").stat().st_mtime_ns == stamp, "unchanged files stay untouched"
    assert not (tmp_path / "imagebatch.lock.d" / "c.lock").exists()
    third = write_lock(tmp_path, second.lock.with_changes({}, SIX[:3]), second)
    assert sorted(path.name for path in tmp_path.iterdir()) == [LOCK_NAME]
    assert lock_digest_on_disk(tmp_path) == third.digest


@pytest.mark.usefixtures("small")
def test_parts_left_over_from_a_switch_are_not_read_and_parts_without_a_header_are_refused(tmp_path: Path) -> None:
    write_lock(tmp_path, lock_of(*SIX), None)
    split = (tmp_path / LOCK_NAME).read_bytes()
    (tmp_path / LOCK_NAME).write_bytes(encode_lock(lock_of("only")))
    found = read_lock(tmp_path)
    assert found is not None
    assert list(found.lock) == ["only"]
    (tmp_path / LOCK_NAME).unlink()
    with pytest.raises(StateError, match="header"):
        read_lock(tmp_path)
    (tmp_path / LOCK_NAME).write_bytes(split)
    found = read_lock(tmp_path)
    assert found is not None
    assert list(found.lock) == list(SIX)
