"""How output files compare with the lock."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from imagebatch.outputs.disk import StatDisk


def sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def old(path: Path, data: bytes) -> Path:
    """A file that was written an hour ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (time.time() - 3600, time.time() - 3600))
    return path


def disk(tmp_path: Path) -> StatDisk:
    return StatDisk(tmp_path, tmp_path / ".imagebatch" / "stat-cache.json")


def test_the_three_states(tmp_path: Path) -> None:
    old(tmp_path / "a/b.png", b"bytes")
    it = disk(tmp_path)
    assert it.look("a/b.png", sha(b"bytes"), 5) == "same"
    assert it.look("a/b.png", sha(b"other"), 5) == "edited"
    assert it.look("a/b.png", sha(b"bytes"), 6) == "edited"
    assert it.look("a/c.png", sha(b"bytes"), 5) == "missing"
    assert it.look("a/b.png/c.png", sha(b"bytes"), 5) == "missing"
    assert it.exists("a/b.png")
    assert not it.exists("a/c.png")


def test_what_the_cache_vouches_for_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old(tmp_path / "a.png", b"bytes")
    first = disk(tmp_path)
    first.look("a.png", sha(b"bytes"), 5)
    first.save()
    monkeypatch.setattr("imagebatch.outputs.disk._hash", lambda _: pytest.fail("it was read again"))
    assert disk(tmp_path).look("a.png", sha(b"bytes"), 5) == "same"


def test_an_edit_of_the_same_size_is_seen_even_with_the_old_time(tmp_path: Path) -> None:
    path = old(tmp_path / "a.png", b"bytes")
    times = path.stat()
    first = disk(tmp_path)
    first.look("a.png", sha(b"bytes"), 5)
    first.save()
    time.sleep(0.02)
    path.write_bytes(b"BYTES")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert disk(tmp_path).look("a.png", sha(b"bytes"), 5) == "edited"


def test_a_file_of_just_now_is_hashed_once_more(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"bytes")
    it = disk(tmp_path)
    it.note("a.png", sha(b"bytes"))
    it.save()
    saved = (tmp_path / ".imagebatch/stat-cache.json").read_text()
    assert "a.png" not in saved


def test_a_note_is_believed_until_the_file_changes(tmp_path: Path) -> None:
    path = old(tmp_path / "a.png", b"bytes")
    it = disk(tmp_path)
    it.note("a.png", sha(b"claimed"))
    assert it.look("a.png", sha(b"claimed"), 5) == "same"
    it.forget("a.png")
    assert it.look("a.png", sha(b"claimed"), 5) == "edited"
    path.unlink()
    it.note("a.png", sha(b"claimed"))
    assert it.look("a.png", sha(b"claimed"), 5) == "missing"


def test_links_and_pipes_are_never_the_same_and_nothing_hangs(tmp_path: Path) -> None:
    old(tmp_path / "real.png", b"bytes")
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    os.mkfifo(tmp_path / "pipe.png")
    it = disk(tmp_path)
    assert it.look("link.png", sha(b"bytes"), 5) == "edited"
    assert it.look("pipe.png", sha(b""), 0) == "edited"
    assert it.look("../outside.png", sha(b""), 0) == "missing"
    assert it.look("a\0b.png", sha(b""), 0) == "edited"
    old(tmp_path.parent / "outside.png", b"bytes")
    assert it.look("../outside.png", sha(b"bytes"), 5) == "edited"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format":"other"}', '{"format":"imagebatch-stat-cache-1","seen":{"a":1}}']
)
def test_a_damaged_cache_costs_time_and_nothing_else(tmp_path: Path, text: str) -> None:
    old(tmp_path / "a.png", b"bytes")
    (tmp_path / ".imagebatch").mkdir()
    (tmp_path / ".imagebatch/stat-cache.json").write_text(text)
    it = disk(tmp_path)
    assert it.look("a.png", sha(b"bytes"), 5) == "same"
    it.save()
    assert "a.png" in (tmp_path / ".imagebatch/stat-cache.json").read_text()


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    old(tmp_path / "a.png", b"bytes")
    (tmp_path / ".imagebatch").write_text("a file")
    it = disk(tmp_path)
    it.look("a.png", sha(b"bytes"), 5)
    it.save()
    assert (tmp_path / ".imagebatch").read_text() == "a file"


def test_nothing_is_written_where_nothing_changed(tmp_path: Path) -> None:
    disk(tmp_path).save()
    assert list(tmp_path.iterdir()) == []


def test_the_cache_is_neither_read_from_nor_written_through_anything_but_a_file(tmp_path: Path) -> None:
    old(tmp_path / "a.png", b"bytes")
    precious = tmp_path / "precious"
    precious.write_text("precious", encoding="utf-8")
    folder = tmp_path / ".imagebatch"
    folder.mkdir()
    (folder / "stat-cache.json.part").symlink_to(precious)
    os.mkfifo(folder / "stat-cache.json")
    it = disk(tmp_path)
    assert it.look("a.png", sha(b"bytes"), 5) == "same", "a pipe was waited for"
    it.save()
    assert precious.read_text(encoding="utf-8") == "precious"
    assert (folder / "stat-cache.json").is_file()
