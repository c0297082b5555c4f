"""Golden files of every format that is written, one for each version. They are never deleted and never rewritten.

A golden file that no longer reads, or comes back as other bytes, is a change of format: it needs a new version
and a new golden file beside the old one.
"""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from imagebatch.model.canonical import Json
from imagebatch.state.draws import DrawIndex
from imagebatch.state.journal import Journal
from imagebatch.state.journal_file import read_journal
from imagebatch.state.layout import decode_files, encode_files, lock_digest
from imagebatch.state.lockfile import LOCK_NAME, decode_lock, encode_lock
from imagebatch.state.records import decode_event, encode_event

HERE = Path(__file__).parent
LINEAGE = "5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c"
LOCKS = sorted((HERE / "lock").glob("*.lock"))


def test_no_golden_file_was_lost() -> None:
    names = {path.relative_to(HERE).as_posix() for path in HERE.rglob("*") if path.is_file()}
    assert names >= {
        "lock/v1-contract.lock",
        "lock/v1-empty.lock",
        "lock/v1-every-field.lock",
        "lock/v1-split/imagebatch.lock",
        "lock/v1-split/imagebatch.lock.d/hero.lock",
        "lock/v1-split/imagebatch.lock.d/product.lock",
        "journal/v1.db",
        "journal/v1.jsonl",
        "draws/v1.db",
        "draws/v1.json",
    }


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_a_golden_lock_comes_back_the_same_bytes(path: Path) -> None:
    data = path.read_bytes()
    lock = decode_lock(data)
    assert encode_lock(lock) == data
    rewritten = lock.with_changes({address: lock.entry(address) for address in lock})
    assert encode_lock(rewritten) == data, "parsed and written anew it is the same too"
    assert list(json.loads(data)["generations"]) == list(lock)


def test_the_golden_lock_says_what_it_always_said() -> None:
    lock = decode_lock((HERE / "lock" / "v1-contract.lock").read_bytes())
    entry = lock.entry("hero[season=spring]")
    assert lock.lineage == LINEAGE
    assert (entry.provider, entry.type, entry.attempt, entry.status) == ("studio", "all-images", 1, "succeeded")
    assert [candidate.id for candidate in entry.candidates] == ["a1", "a2", "a3", "a4"]
    assert entry.candidates[0].facts is not None
    assert entry.candidates[0].facts.sha256.startswith("sha256:")
    assert entry.picked == (1,)
    assert entry.outputs[0].path == "assets/hero/spring.jpg"


def test_a_golden_split_lock_is_one_lock() -> None:
    root = HERE / "lock" / "v1-split"
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.lock")}
    lock = decode_files(files)
    assert list(lock) == ["hero[season=spring]", "product[LMP-001,angle=front]"]
    assert lock.entry("hero[season=spring]").status == "succeeded"
    assert set(encode_files(lock)) == {LOCK_NAME}, "two addresses are one file again at the next write"
    assert lock_digest(files) == "sha256:1d60943ba3f0d8bed749168b1599f5c0cb370f62730eab15a0851e68ecfd332b"


def test_a_golden_journal_holds_the_events_it_always_held(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    shutil.copy(HERE / "journal" / "v1.db", path)
    lines = (HERE / "journal" / "v1.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    text = read_journal(path)
    assert (text.lineage, text.torn) == (LINEAGE, 0)
    assert [encode_event(event) for event in text.events] == lines
    assert [decode_event(line) for line in lines] == list(text.events)
    journal = Journal.open(path, lineage=LINEAGE)
    journal.append(text.events[0]).result(timeout=5)
    journal.close()
    assert read_journal(path).events == (*text.events, text.events[0])


def test_a_golden_draw_index_finds_what_it_always_found(tmp_path: Path) -> None:
    path = tmp_path / "draws.db"
    shutil.copy(HERE / "draws" / "v1.db", path)
    wanted: dict[str, Json] = json.loads((HERE / "draws" / "v1.json").read_text(encoding="utf-8"))
    index = DrawIndex(path, lineage=LINEAGE)
    found = index.by_token(str(wanted["token"]))
    assert found is not None
    assert index.by_draw(str(wanted["draw"])) == (found,)
    assert found.request == wanted["request"]
    assert found.generation == wanted["generation"]
    assert [candidate.id for candidate in found.candidates] == wanted["candidates"]
    index.put([found])
    index.close()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM draw").fetchone() == (1,)
    connection.close()
