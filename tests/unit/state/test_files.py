"""The seam to the disk: whole or old, no links, errors in our words."""

import errno
import os
import stat
from pathlib import Path

import pytest

from imagebatch.effects import seams
from imagebatch.errors import StateError
from imagebatch.state.files import (
    make_folder,
    read_regular,
    refuse_link,
    refuse_no_folder,
    remove_leftovers,
    write_atomic,
)
from tests.seams.watching import watched


def test_a_write_names_each_of_its_effects_and_leaves_one_file(tmp_path: Path) -> None:
    path, names = tmp_path / "x", list[str]()
    with watched(names.append):
        write_atomic(path, b"one", mode=0o644)
    folder = tmp_path.name
    assert names == ["unlink x", "open x", "chmod x", "write x", "fsync x", "replace x", f"fsync {folder}"]
    assert [one.name for one in tmp_path.iterdir()] == ["x"]
    assert path.read_bytes() == b"one"


@pytest.mark.parametrize("at", ["open x", "chmod x", "write x", "fsync x", "replace x"])
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk.full"),
        (errno.EDQUOT, "disk.full"),
        (errno.EROFS, "disk.readonly"),
        (errno.EACCES, "disk.denied"),
        (errno.EFBIG, "disk.limit"),
        (errno.EIO, "disk.io"),
    ],
)
def test_a_failing_disk_leaves_the_old_bytes_and_no_temporary_file(
    tmp_path: Path, at: str, number: int, code: str
) -> None:
    def fail(name: str) -> None:
        if name == at:
            raise OSError(number, os.strerror(number))

    path = tmp_path / "x"
    path.write_bytes(b"old")
    with watched(fail), pytest.raises(StateError) as caught:
        write_atomic(path, b"new")
    assert caught.value.code == code
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["x"]


def test_rights_are_ours_whatever_the_umask_and_those_of_an_existing_file_stay(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_atomic(tmp_path / "private", b"")
        write_atomic(tmp_path / "shared", b"", mode=0o644)
        make_folder(tmp_path / "folder")
    finally:
        os.umask(before)
    (tmp_path / "shared").chmod(0o664)
    write_atomic(tmp_path / "shared", b"again", mode=0o644)
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()}
    assert modes == {"private": 0o600, "shared": 0o664, "folder": 0o700}


def test_links_and_special_files_are_neither_read_nor_written(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"theirs")
    link.symlink_to(target)
    os.mkfifo(tmp_path / "pipe")
    for path in (link, tmp_path / "pipe", tmp_path):
        with pytest.raises(StateError) as caught:
            read_regular(path)
        assert caught.value.code == "path.symlink"
        with pytest.raises(StateError):
            write_atomic(path, b"ours")
    with pytest.raises(StateError):
        make_folder(link)
    assert target.read_bytes() == b"theirs"


def test_nothing_is_none_and_a_folder_made_twice_is_fine(tmp_path: Path) -> None:
    assert read_regular(tmp_path / "nothing") is None
    make_folder(tmp_path / "folder")
    make_folder(tmp_path / "folder")
    with pytest.raises(StateError):
        make_folder(tmp_path / "missing" / "folder")


def test_only_leftovers_of_that_file_are_removed(tmp_path: Path) -> None:
    for name in (".x.ib-tmp-77", ".y.ib-tmp-77", "x", ".x.mine"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path / "x")
    assert sorted(one.name for one in tmp_path.iterdir()) == [".x.mine", ".y.ib-tmp-77", "x"]


def test_bytes_are_synced_before_they_take_the_name_and_the_name_is_synced_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    real_sync, real_replace = seams.disk.fsync, seams.disk.replace

    def sync(handle: int) -> None:
        order.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "bytes")
        real_sync(handle)

    def replace(source: Path, target: Path) -> None:
        order.append("rename")
        real_replace(source, target)

    monkeypatch.setattr(seams.disk, "fsync", sync)
    monkeypatch.setattr(seams.disk, "replace", replace)
    write_atomic(tmp_path / "x", b"one")
    assert order == ["bytes", "rename", "folder"]
    make_folder(tmp_path / "folder")
    assert order[3:] == ["folder"]


def test_where_a_folder_is_wanted_a_link_or_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    (tmp_path / "file").touch()
    refuse_no_folder(tmp_path / "there")
    refuse_no_folder(tmp_path / "missing")
    for wrong in ("link", "file", "file/below"):
        with pytest.raises(StateError) as caught:
            refuse_no_folder(tmp_path / wrong)
        assert caught.value.code == "path.symlink"
    with pytest.raises(StateError) as caught:
        refuse_link(tmp_path / "file/below")
    assert caught.value.path == "file"
