"""The journal on a real disk: what is promised is kept, what is torn is left out, what is foreign is refused."""

import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from imagebatch.errors import RefusedError, StateError
from imagebatch.model.event import Abandoned, Event
from imagebatch.state import journal_file
from imagebatch.state.journal import Journal
from imagebatch.state.journal_file import JournalText, read_journal
from tests.seams.watching import watched
from tests.unit.state.test_records import EVENTS
from tests.unit.state.worlds import LINEAGE, OTHER, TOKEN, intended


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def told(number: int) -> Abandoned:
    return Abandoned(token=TOKEN, why=f"number {number}")


def reread(path: Path) -> list[Event]:
    journal = Journal.open(path, lineage=LINEAGE)
    try:
        return list(journal.replay())
    finally:
        journal.close()


def test_events_come_back_in_order(path: Path) -> None:
    journal = Journal.open(path, lineage=LINEAGE)
    futures = [journal.append(event, durable=index % 2 == 0) for index, event in enumerate(EVENTS)]
    for future in futures:
        future.result(timeout=5)
    journal.close()
    assert reread(path) == list(EVENTS)
    text = read_journal(path)
    assert (text.lineage, text.events, text.torn) == (LINEAGE, EVENTS, 0)


def test_a_durable_event_is_on_disk_when_its_future_is_done(path: Path) -> None:
    journal = Journal.open(path, lineage=LINEAGE)
    journal.append(told(1), durable=False)
    journal.append(intended()).result(timeout=5)
    copy = path.with_name("copy.db")
    for ending in ("", "-wal"):
        shutil.copy(path.with_name(path.name + ending), copy.with_name(copy.name + ending))
    assert reread(copy) == [told(1), intended()]
    journal.close()


def test_an_event_that_is_not_durable_is_written_within_a_second(path: Path) -> None:
    journal = Journal.open(path, lineage=LINEAGE)
    journal.append(told(1), durable=False).result(timeout=0)
    deadline = time.monotonic() + 5
    while not read_journal(path).events and time.monotonic() < deadline:
        time.sleep(0.05)
    assert read_journal(path).events == (told(1),)
    journal.close()


def test_many_appends_share_commits(path: Path) -> None:
    commits: list[str] = []
    with watched(commits.append):
        journal = Journal.open(path, lineage=LINEAGE)
        futures = [journal.append(told(number)) for number in range(200)]
        for future in futures:
            future.result(timeout=10)
    assert commits.count("commit journal.db") < 100
    journal.close()
    assert len(reread(path)) == 200


def test_clearing_keeps_what_is_carried_and_shrinks_the_file(path: Path) -> None:
    journal = Journal.open(path, lineage=LINEAGE)
    for number in range(300):
        journal.append(told(number))
    journal.clear([intended()], {"lock": "sha256:1"})
    journal.append(told(1)).result(timeout=5)
    journal.close()
    assert path.stat().st_size <= 8 * journal_file.PAGE_BYTES
    assert reread(path) == [intended(), told(1)]
    assert read_journal(path).notes["lock"] == "sha256:1"


def test_the_files_are_for_their_owner_only(path: Path) -> None:
    journal = Journal.open(path, lineage=LINEAGE)
    journal.append(intended()).result(timeout=5)
    modes = {stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    journal.close()
    assert modes == {0o600}


def test_nothing_is_read_where_no_journal_is(path: Path) -> None:
    assert read_journal(path) == JournalText(notes={})
    assert not path.exists(), "a plan writes nothing"


def test_a_journal_of_another_project_is_refused_with_exit_4(path: Path) -> None:
    journal = Journal.open(path, lineage=OTHER)
    journal.append(intended()).result(timeout=5)
    journal.close()
    with pytest.raises(RefusedError) as caught:
        Journal.open(path, lineage=LINEAGE)
    assert (caught.value.code, caught.value.exit_code) == ("journal.lineage", 4)
    assert OTHER in caught.value.detail
    assert LINEAGE in caught.value.detail


def test_an_empty_journal_of_another_lineage_holds_nothing_and_is_taken_over(path: Path) -> None:
    Journal.open(path, lineage=OTHER).close()
    assert reread(path) == []
    assert read_journal(path).lineage == LINEAGE


def test_a_newer_journal_is_refused_with_both_numbers(path: Path) -> None:
    Journal.open(path, lineage=LINEAGE).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=7")
    connection.close()
    for read in (read_journal, lambda path: Journal.open(path, lineage=LINEAGE)):
        with pytest.raises(StateError, match="version 7") as caught:
            read(path)
        assert caught.value.code == "journal.version"


def test_a_link_is_refused(path: Path) -> None:
    path.symlink_to(path.parent / "elsewhere")
    with pytest.raises(StateError) as caught:
        Journal.open(path, lineage=LINEAGE)
    assert caught.value.code == "path.symlink"


# Torn and damaged ------------------------------------------------------------


@pytest.fixture
def killed(path: Path) -> Path:
    """The files of a journal whose process died with ten durable events in it."""
    script = (
        "import os, sys; from pathlib import Path; from imagebatch.state.journal import Journal;"
        "from tests.unit.state.test_journal import told;"
        f"journal = Journal.open(Path({str(path)!r}), lineage={LINEAGE!r});"
        "[journal.append(told(number)).result() for number in range(10)]; os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=30).returncode == 9
    return path


def test_a_killed_process_loses_nothing_that_was_promised(killed: Path) -> None:
    assert reread(killed) == [told(number) for number in range(10)]


@pytest.mark.parametrize("tail", [bytes(4096), b"\xff" * 700], ids=["nul", "noise"])
def test_a_tail_that_was_never_written_is_ignored(killed: Path, tail: bytes) -> None:
    with killed.with_name("journal.db-wal").open("ab") as file:
        file.write(tail)
    assert reread(killed) == [told(number) for number in range(10)]


def test_a_cut_record_is_ignored_and_all_before_it_kept(killed: Path) -> None:
    wal = killed.with_name("journal.db-wal")
    wal.write_bytes(wal.read_bytes()[:-20])
    assert reread(killed) == [told(number) for number in range(9)]


def filled(path: Path, count: int) -> None:
    journal = Journal.open(path, lineage=LINEAGE)
    for number in range(count):
        journal.append(intended(address=f"number {number} {'x' * (number % 7)}")).result(timeout=5)
    journal.close()


def test_a_main_file_whose_last_pages_are_gone_keeps_what_stands_before_them(path: Path) -> None:
    filled(path, 40)
    whole = reread(path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size - 2 * journal_file.PAGE_BYTES)
    kept = reread(path)
    assert whole[: len(kept)] == kept
    assert len(kept) < len(whole)
    assert path.with_name("journal.db.torn").exists(), "nothing is deleted"
    journal = Journal.open(path, lineage=LINEAGE)
    journal.append(told(1)).result(timeout=5)
    journal.close()
    assert reread(path) == [*kept, told(1)]


def test_nul_bytes_after_the_main_file_are_ignored(path: Path) -> None:
    filled(path, 5)
    with path.open("ab") as file:
        file.write(bytes(4096))
    assert len(reread(path)) == 5


def _spoil(path: Path, seq: int) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE batch SET record = zeroblob(length(record)) WHERE seq = ?", (seq,))
    connection.close()


def test_a_last_record_of_nul_bytes_was_never_written(path: Path) -> None:
    filled(path, 5)
    _spoil(path, 5)
    assert len(reread(path)) == 4
    assert len(reread(path)) == 4, "the repaired journal is whole"


def test_damage_before_a_readable_record_stops_everything(path: Path) -> None:
    filled(path, 3)
    filled(path, 1)
    _spoil(path, 2)
    with pytest.raises(StateError) as caught:
        reread(path)
    assert caught.value.code == "journal.corrupt"


def test_what_is_no_database_is_damage(path: Path) -> None:
    path.write_bytes(b"not a database, and long enough to be looked at" * 20)
    for read in (read_journal, reread):
        with pytest.raises(StateError) as caught:
            read(path)
        assert caught.value.code == "journal.corrupt"


def test_an_empty_file_is_a_new_journal(path: Path) -> None:
    path.touch()
    assert reread(path) == []


def test_a_repair_that_was_interrupted_is_finished(path: Path) -> None:
    filled(path, 4)
    path.rename(path.with_name("journal.db.new"))
    assert len(reread(path)) == 4


# Failing disks ------------------------------------------------------------


def test_a_full_disk_fails_the_future_and_everything_after_it(path: Path) -> None:
    journal = Journal.open(path, lineage=LINEAGE)
    journal._connection.execute("PRAGMA max_page_count=6").fetchall()
    outcomes = [journal.append(intended(address=str(number) * 90)).exception(timeout=5) for number in range(60)]
    failed = [error for error in outcomes if error is not None]
    assert failed, "the disk was full"
    assert all(isinstance(error, StateError) and error.code == "disk.full" for error in failed)
    first = next(index for index, error in enumerate(outcomes) if error is not None)
    assert all(error is not None for error in outcomes[first:]), "a failed commit is final"
    assert len(journal.unsaved) == len(failed)
    with pytest.raises(StateError):
        journal.flush()
    with pytest.raises(StateError):
        journal.clear()
    journal.close()
    assert len(reread(path)) == first


def test_a_foreign_error_in_a_commit_reaches_the_future(path: Path) -> None:
    def explode(name: str) -> None:
        if broken and name == "commit journal.db":
            raise OSError(5, "I/O error")

    broken: list[str] = []
    with watched(explode):
        journal = Journal.open(path, lineage=LINEAGE)
        broken.append("now")
        error = journal.append(intended()).exception(timeout=5)
    assert isinstance(error, StateError)
    assert error.code == "disk.io"
    journal.close()


def test_after_closing_nothing_is_taken(path: Path) -> None:
    journal = Journal.open(path, lineage=LINEAGE)
    journal.close()
    journal.close()
    error = journal.append(intended()).exception(timeout=1)
    assert isinstance(error, StateError)
    assert error.code == "journal.closed"


def test_where_wal_cannot_work_the_old_mode_does(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, seen = journal_file._prepare, []

    def stubborn(connection: sqlite3.Connection) -> None:
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        seen.append(mode)
        if len(seen) == 1:
            error = sqlite3.OperationalError("locking protocol")
            error.sqlite_errorname = "SQLITE_PROTOCOL"
            raise error
        real(connection)

    monkeypatch.setattr(journal_file, "_prepare", stubborn)
    journal = Journal.open(path, lineage=LINEAGE)
    journal.append(intended()).result(timeout=5)
    journal.close()
    assert seen == ["delete", "delete"]
    assert read_journal(path).events == (intended(),)


def test_commits_are_synced_in_full_and_a_promise_is_never_given_before(path: Path) -> None:
    names: list[str] = []
    with watched(names.append):
        journal = Journal.open(path, lineage=LINEAGE)
        assert journal._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert journal._connection.execute("PRAGMA synchronous").fetchone() == (2,)
        names.clear()
        future = journal.append(intended())
        future.add_done_callback(lambda _: names.append("promised"))
        future.result(timeout=5)
    journal.close()
    assert names == ["commit journal.db", "committed journal.db", "promised"]


def test_whoever_was_stopped_while_another_run_wrote_writes_nothing_any_more(path: Path) -> None:
    stopped = Journal.open(path, lineage=LINEAGE)
    stopped.append(told(1)).result(timeout=5)
    other = Journal.open(path, lineage=LINEAGE)
    other.append(told(2)).result(timeout=5)
    for _ in range(2):
        error = stopped.append(told(3)).exception(timeout=5)
        assert isinstance(error, RefusedError)
        assert error.code == "lock.lost"
    other.append(told(4)).result(timeout=5)
    stopped.close()
    other.close()
    assert list(reread(path)) == [told(1), told(2), told(4)]


def test_a_run_that_read_the_journal_before_a_stopped_one_wrote_writes_nothing_on_it(path: Path) -> None:
    stopped = Journal.open(path, lineage=LINEAGE)
    stopped.append(told(1)).result(timeout=5)
    other = Journal.open(path, lineage=LINEAGE)
    stopped.append(told(2)).result(timeout=5)
    error = other.append(told(3)).exception(timeout=5)
    assert isinstance(error, RefusedError)
    assert error.code == "lock.lost"
    stopped.close()
    other.close()
