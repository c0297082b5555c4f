"""Folders of originals beyond the store: what comes from there has the bytes of its name, or does not come."""

import hashlib
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagebatch.outputs.picture import MAX_BYTES
from imagebatch.outputs.shelf import Rotten, Shelf, copy_hashed
from imagebatch.outputs.store import Store

HARMS = ("none", "cut", "longer", "another", "empty", "gone", "a link", "a folder", "a pipe")


def digest(data: bytes) -> str:
    """The hash as a lock writes it."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def put(store: Store, data: bytes) -> str:
    """Adopt bytes as a PNG; gives their hash."""
    path = store.fresh_path()
    path.write_bytes(data)
    store.adopt(path, digest(data), "image/png")
    return digest(data)


def harm(path: Path, how: str) -> None:
    """Do to a file what disks and people do."""
    data = path.read_bytes()
    if how in {"gone", "a link", "a folder", "a pipe"}:
        path.unlink()
    if how == "a link":
        path.with_name("target").write_bytes(data)
        path.symlink_to(path.with_name("target"))
    elif how == "a folder":
        path.mkdir()
    elif how == "a pipe":
        os.mkfifo(path)
    elif how != "gone":
        path.write_bytes(
            {"none": data, "cut": data[:-1], "longer": data + b"x", "another": data[::-1] + b"y", "empty": b""}[how]
        )


@settings(max_examples=60, deadline=None)
@given(pictures=st.dictionaries(st.binary(min_size=1, max_size=40), st.sampled_from(HARMS), max_size=6))
def test_what_is_taken_from_beyond_always_has_the_bytes_of_its_name(pictures: dict[bytes, str]) -> None:
    with TemporaryDirectory() as name:
        root = Path(name)
        (root / "shared").mkdir()
        first, shared = Store(root / "a"), Shelf(root / "shared")
        for data in pictures:
            shared.put(first.path_of(put(first, data)), digest(data))
        for data, how in pictures.items():
            path = shared.find(digest(data))
            assert path is not None
            harm(path, how)
        second = Store(root / "b", beyond=(Shelf(root / "shared", foreign=True),))
        for data, how in pictures.items():
            taken = second.find(digest(data))
            assert (taken is not None) == (how == "none")
            assert taken is None or taken.read_bytes() == data
            assert second.has(digest(data)) == second.holds(digest(data)) == (how == "none")
        assert {one.name for one in (root / "b").rglob("*.part")} == set()
        whole = {digest(data) for data, how in pictures.items() if how == "none"}
        assert Store(root / "b").hashes() == whole
        # What is harmed beyond gives way to the right bytes.
        for data, how in pictures.items():
            if how != "a folder":
                Shelf(root / "shared").put(first.path_of(digest(data)), digest(data))
                assert Store(root / "c", beyond=(Shelf(root / "shared"),)).bring(digest(data))


def test_rotten_bytes_are_not_passed_on(tmp_path: Path) -> None:
    store, shared = Store(tmp_path / "store"), Shelf(tmp_path / "shared")
    (tmp_path / "shared").mkdir()
    sha256 = put(store, b"a picture")
    store.path_of(sha256).write_bytes(b"another")
    with pytest.raises(Rotten):
        shared.put(store.path_of(sha256), sha256)
    assert [one for one in (tmp_path / "shared").rglob("*") if one.is_file()] == []


def test_the_shared_folder_itself_is_never_made(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    sha256 = put(store, b"a picture")
    with pytest.raises(FileNotFoundError):
        Shelf(tmp_path / "not mounted").put(store.path_of(sha256), sha256)
    assert not (tmp_path / "not mounted").exists()


def test_what_is_larger_than_a_picture_is_not_read_to_its_end(tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(MAX_BYTES * 3)
    copy_hashed(large, tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_size <= MAX_BYTES + 1024 * 1024


def test_a_store_that_others_write_into_has_only_what_is_proved(tmp_path: Path) -> None:
    asked: list[str] = []

    def proof(path: Path, sha256: str) -> bool:
        asked.append(path.name)
        return digest(path.read_bytes()) == sha256

    plain = Store(tmp_path / "store")
    right, wrong = put(plain, b"right"), put(plain, b"wrong")
    plain.path_of(wrong).write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    store = Store(tmp_path / "store", proof=proof)
    assert (store.has(right), store.has(wrong), store.find(wrong)) == (True, False, None)
    assert put(store, b"wrong") == wrong
    assert store.has(wrong)
    assert len(asked) >= 3
    store.fresh_path()
    assert (tmp_path / "store/new/.gitignore").read_text("utf-8") == "*\n"
