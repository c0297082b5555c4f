"""Outputs in the project's folder: never through a link, never over a file that is not ours."""

import contextlib
import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagebatch.effects import seams
from imagebatch.errors import OutputError, RefusedError
from imagebatch.outputs.tree import Tree


def sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


@pytest.fixture
def tree(root: Path) -> Iterator[Tree]:
    it = Tree(root)
    yield it
    it.close()


def source(root: Path, data: bytes) -> Path:
    path = root.parent / f"{sha(data)[7:20]}.part"
    path.write_bytes(data)
    return path


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


def test_an_output_is_placed_with_its_folders(tree: Tree, root: Path) -> None:
    assert tree.place(source(root, b"one"), "a/b/c.png", sha256=sha(b"one")) == "written"
    assert (root / "a/b/c.png").read_bytes() == b"one"
    assert stat.S_IMODE((root / "a/b/c.png").stat().st_mode) == 0o644
    assert tree.place(source(root, b"one"), "a/b/c.png", sha256=sha(b"one")) == "same"
    assert files(root) == ["a/b/c.png"]
    assert tree.hash_of("a/b/c.png") == sha(b"one")
    assert tree.hash_of("a/x/c.png") is None


def test_only_the_locked_file_gives_way(tree: Tree, root: Path) -> None:
    tree.place(source(root, b"one"), "c.png", sha256=sha(b"one"))
    tree.place(source(root, b"two"), "c.png", sha256=sha(b"two"), replaces=sha(b"one"))
    assert (root / "c.png").read_bytes() == b"two"
    with pytest.raises(RefusedError) as refused:
        tree.place(source(root, b"three"), "c.png", sha256=sha(b"three"), replaces=sha(b"one"))
    assert refused.value.code == "path.not_ours"
    assert refused.value.exit_code == 4
    assert (root / "c.png").read_bytes() == b"two"
    assert files(root) == ["c.png"]


def test_a_foreign_file_that_is_forced_away_goes_to_the_trash(tree: Tree, root: Path) -> None:
    (root / "c.png").write_bytes(b"by hand")
    with pytest.raises(RefusedError):
        tree.place(source(root, b"ours"), "c.png", sha256=sha(b"ours"))
    tree.place(source(root, b"ours"), "c.png", sha256=sha(b"ours"), force=True)
    assert (root / "c.png").read_bytes() == b"ours"
    assert (root / ".imagebatch/trash/overwritten/c.png").read_bytes() == b"by hand"


def test_no_link_on_the_way_is_followed(tree: Tree, root: Path) -> None:
    outside = root.parent / "elsewhere"
    outside.mkdir()
    (outside / "x.png").write_bytes(b"theirs")
    (root / "out").mkdir()
    (root / "out/a").symlink_to(outside)
    (root / "out/x.png").symlink_to(outside / "x.png")
    for path in ("out/a/x.png", "out/a/new/y.png", "out/x.png"):
        for act in (
            lambda path: tree.place(source(root, b"ours"), path, sha256=sha(b"ours"), force=True),
            tree.hash_of,
            lambda path: tree.trash(path, sha(b"theirs"), "2026-11-21"),
        ):
            with pytest.raises(OutputError) as error:
                act(path)
            assert error.value.code == "path.symlink"
    assert (outside / "x.png").read_bytes() == b"theirs"
    assert sorted(path.name for path in outside.iterdir()) == ["x.png"]


def test_what_is_no_regular_file_is_left_alone_and_nothing_hangs(tree: Tree, root: Path) -> None:
    os.mkfifo(root / "pipe.png")
    (root / "folder.png").mkdir()
    (root / "file").write_bytes(b"x")
    for path in ("pipe.png", "folder.png", "file/x.png"):
        with pytest.raises(OutputError) as error:
            tree.place(source(root, b"ours"), path, sha256=sha(b"ours"), force=True)
        assert error.value.code == "path.not_regular", path


@pytest.mark.parametrize("path", ["../x.png", "/tmp/x.png", "a/../../x.png", ".git/x.png", ".imagebatch/x.png"])
def test_a_path_out_of_an_edited_lock_leads_nowhere(tree: Tree, root: Path, path: str) -> None:
    with pytest.raises(OutputError):
        tree.place(source(root, b"ours"), path, sha256=sha(b"ours"))
    with pytest.raises(OutputError):
        tree.trash(path, sha(b"ours"), "day")
    with pytest.raises(OutputError):
        tree.move("a.png", path, sha(b"ours"))


def test_trash_takes_our_file_and_the_folders_it_leaves_empty(tree: Tree, root: Path) -> None:
    tree.place(source(root, b"one"), "a/b/c.png", sha256=sha(b"one"))
    tree.place(source(root, b"two"), "a/d.png", sha256=sha(b"two"))
    assert tree.trash("a/b/c.png", sha(b"one"), "2026-11-21")
    assert files(root) == [".imagebatch/trash/2026-11-21/a/b/c.png", "a/d.png"]
    assert not (root / "a/b").exists()
    assert not tree.trash("a/b/c.png", sha(b"one"), "2026-11-21")


def test_what_a_killed_run_had_linked_into_the_trash_is_there_once(tree: Tree, root: Path) -> None:
    (root / "c.png").write_bytes(b"one")
    folder = root / ".imagebatch/trash/day"
    folder.mkdir(parents=True)
    (folder / "c.png").hardlink_to(root / "c.png")
    assert tree.trash("c.png", sha(b"one"), "day")
    assert files(root) == [".imagebatch/trash/day/c.png"]


def test_trash_keeps_what_is_there_already(tree: Tree, root: Path) -> None:
    for data in (b"one", b"two", b"three"):
        tree.place(source(root, data), "c.png", sha256=sha(data))
        assert tree.trash("c.png", sha(data), "day")
    assert sorted(path.read_bytes() for path in (root / ".imagebatch/trash/day").iterdir()) == [
        b"one",
        b"three",
        b"two",
    ]


def test_an_edited_output_is_neither_trashed_nor_removed_nor_moved(tree: Tree, root: Path) -> None:
    (root / "c.png").write_bytes(b"edited")
    assert not tree.trash("c.png", sha(b"ours"), "day")
    assert not tree.remove("c.png", sha(b"ours"))
    assert tree.move("c.png", "d.png", sha(b"ours")) == "not_ours"
    assert files(root) == ["c.png"]


def test_a_move_renames_and_never_overwrites(tree: Tree, root: Path) -> None:
    tree.place(source(root, b"one"), "a/c.png", sha256=sha(b"one"))
    assert tree.move("a/c.png", "b/e/d.png", sha(b"one")) == "moved"
    assert files(root) == ["b/e/d.png"]
    assert not (root / "a").exists()
    assert tree.move("a/c.png", "b/e/d.png", sha(b"one")) == "same"
    assert tree.move("a/c.png", "b/f.png", sha(b"one")) == "gone"
    (root / "g.png").write_bytes(b"by hand")
    with pytest.raises(RefusedError):
        tree.move("b/e/d.png", "g.png", sha(b"one"))
    assert (root / "g.png").read_bytes() == b"by hand"
    assert (root / "b/e/d.png").read_bytes() == b"one"
    assert tree.move("b/e/d.png", "g.png", sha(b"one"), force=True) == "moved"
    assert (root / "g.png").read_bytes() == b"one"
    assert (root / ".imagebatch/trash/overwritten/g.png").read_bytes() == b"by hand"


def test_a_file_that_may_be_spared_goes_to_the_trash_and_no_other_does(tree: Tree, root: Path) -> None:
    (root / "c.png").write_bytes(b"other branch")
    with pytest.raises(RefusedError):
        tree.place(source(root, b"one"), "c.png", sha256=sha(b"one"), spare=sha(b"another"))
    tree.place(source(root, b"one"), "c.png", sha256=sha(b"one"), spare=sha(b"other branch"))
    (root / "d.png").write_bytes(b"other branch")
    with pytest.raises(RefusedError):
        tree.move("c.png", "d.png", sha(b"one"), spare=sha(b"another"))
    assert tree.move("c.png", "d.png", sha(b"one"), spare=sha(b"other branch")) == "moved"
    trash = root / ".imagebatch/trash/overwritten"
    assert [(trash / name).read_bytes() for name in ("c.png", "d.png")] == [b"other branch"] * 2


def test_a_move_that_was_cut_in_half_is_finished(tree: Tree, root: Path) -> None:
    tree.place(source(root, b"one"), "a.png", sha256=sha(b"one"))
    tree.place(source(root, b"one"), "b.png", sha256=sha(b"one"))
    assert tree.move("a.png", "b.png", sha(b"one")) == "same"
    assert files(root) == ["b.png"]


def test_what_a_dead_run_left_beside_the_target_gives_way(tree: Tree, root: Path) -> None:
    (root / ".c.png.ib-tmp").write_bytes(b"half")
    tree.place(source(root, b"one"), "c.png", sha256=sha(b"one"))
    assert files(root) == ["c.png"]


def test_a_full_disk_is_said_with_what_is_safe(tree: Tree, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(seams.disk, "fsync", full)
    with pytest.raises(OutputError) as error:
        tree.place(source(root, b"one"), "c.png", sha256=sha(b"one"))
    assert error.value.code == "disk.full"
    assert "safe in the store" in error.value.detail
    assert files(root) == []


@pytest.mark.slow
def test_a_folder_that_turns_into_a_link_and_back_lets_nothing_escape(tree: Tree, root: Path) -> None:
    """An adversary swaps a folder for a link while outputs are placed in it: nothing may be written outside."""
    outside = root.parent / "elsewhere"
    outside.mkdir()
    done = threading.Event()
    swaps = 0

    def swap() -> None:
        nonlocal swaps
        out = root / "out"
        while not done.is_set():
            with contextlib.suppress(OSError):
                out.symlink_to(outside)
            with contextlib.suppress(OSError):
                out.unlink()
            with contextlib.suppress(OSError):
                out.mkdir()
            with contextlib.suppress(OSError):
                out.rename(root / f"was-{swaps}")
            swaps += 1

    adversary = threading.Thread(target=swap)
    adversary.start()
    written = 0
    try:
        for number in range(1000):
            data = b"%d" % number
            try:
                written += tree.place(source(root, data), f"out/{number}.png", sha256=sha(data)) == "written"
            except OutputError:
                continue
            finally:
                source(root, data).unlink()
    finally:
        done.set()
        adversary.join()
    assert list(outside.iterdir()) == []
    assert written > 0
    assert swaps > 100
