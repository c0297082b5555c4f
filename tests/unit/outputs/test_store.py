"""The store: bytes by their hash."""

import hashlib
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from imagebatch.effects.files import names_in
from imagebatch.errors import OutputError
from imagebatch.outputs import store as module
from imagebatch.outputs.store import Store


def put(store: Store, data: bytes, media_type: str = "image/png") -> str:
    path = store.fresh_path()
    path.write_bytes(data)
    sha256 = "sha256:" + hashlib.sha256(data).hexdigest()
    store.adopt(path, sha256, media_type)
    return sha256


def test_what_is_adopted_is_found_by_its_hash(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    assert store.hashes() == frozenset()
    sha256 = put(store, b"a picture")
    for one in (store, Store(tmp_path / "store")):
        assert one.has(sha256)
        assert one.path_of(sha256).read_bytes() == b"a picture"
        assert one.hashes() == {sha256}
    digest = sha256.removeprefix("sha256:")
    assert store.path_of(sha256) == tmp_path / "store" / digest[:2] / f"{digest}.png"
    assert stat.S_IMODE(store.path_of(sha256).stat().st_mode) == 0o644


def test_pictures_that_threads_bring_into_one_folder_are_all_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "store")
    both = threading.Barrier(2)
    scan = names_in

    def late(folder: Path) -> list[str]:
        found = scan(folder)
        with suppress(threading.BrokenBarrierError):  # whoever may read alone waits for nobody
            both.wait(0.3)
        return found

    monkeypatch.setattr(module, "names_in", late)
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(lambda data: put(store, data), (b"1", b"12"))  # their hashes begin alike
    assert one[7:9] == other[7:9]
    assert (store.has(one), store.has(other)) == (True, True)


def test_the_same_bytes_twice_are_one_file(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert put(store, b"x") == put(store, b"x")
    assert len(store.hashes()) == 1


@pytest.mark.parametrize(
    "sha256", ["", "sha256:", "sha256:../../../etc/passwd", "md5:" + "a" * 32, "sha256:" + "A" * 64]
)
def test_a_hash_that_is_none_never_becomes_a_path(tmp_path: Path, sha256: str) -> None:
    store = Store(tmp_path)
    with pytest.raises(KeyError):
        store.path_of(sha256)
    assert not store.has(sha256)


def test_a_picture_that_somebody_removed_is_not_here(tmp_path: Path) -> None:
    store = Store(tmp_path)
    sha256 = put(store, b"x")
    store.path_of(sha256).unlink()
    with pytest.raises(KeyError):
        store.path_of(sha256)
    assert not store.has(sha256)


def test_half_written_files_of_dead_runs_are_swept_and_never_seen(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.fresh_path().write_bytes(b"half")
    assert store.hashes() == frozenset()
    assert store.sweep() == 1
    assert store.sweep() == 0


def test_two_fresh_names_differ(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.fresh_path() != store.fresh_path()


@pytest.mark.parametrize("name", ["new", "ab"])
def test_a_folder_that_leads_elsewhere_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.part").touch()
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / name).symlink_to(elsewhere)
    with pytest.raises(OutputError) as caught:
        Store(tmp_path / "store").sweep()
    assert caught.value.code == "path.symlink"
    assert (elsewhere / "mine.part").exists()
