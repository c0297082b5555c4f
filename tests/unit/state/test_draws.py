"""The draw index: appended, never emptied, seen by one lineage."""

import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from imagebatch.errors import StateError
from imagebatch.model.generation import Candidate, Failure
from imagebatch.state.attempts import Attempt
from imagebatch.state.draws import DrawIndex
from tests.unit.state.worlds import DRAW, LINEAGE, OTHER, REQUEST, TOKEN, facts, sha

ATTEMPT = Attempt(
    token=TOKEN,
    phase="pending",
    attempt=2,
    part=1,
    parts=3,
    type="all-images",
    draw=DRAW,
    request=REQUEST,
    salt="hero",
    generation="g1",
    cost=("0.35 EUR",),
    accepted=True,
)
DONE = replace(ATTEMPT, phase="succeeded", candidates=(Candidate(id="a", facts=facts()), Candidate(id="b")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "draws.db"


def test_attempts_are_found_by_draw_and_by_token_in_another_process(path: Path) -> None:
    failed = replace(ATTEMPT, token="ib-other", phase="failed", failure=Failure(kind="gone", message="x"), part=0)
    writer = DrawIndex(path, lineage=LINEAGE)
    writer.put([ATTEMPT, failed])
    writer.close()
    reader = DrawIndex(path, lineage=LINEAGE)
    assert reader.by_draw(DRAW) == (ATTEMPT, failed)
    assert reader.by_token("ib-other") == failed
    assert reader.by_draw(sha("other")) == ()
    assert reader.by_token("ib-nobody") is None
    reader.close()


def test_what_is_learnt_later_takes_the_place_of_what_was_known(path: Path) -> None:
    index = DrawIndex(path, lineage=LINEAGE)
    index.put([ATTEMPT])
    index.put([DONE])
    index.put([DONE])
    assert index.by_draw(DRAW) == (DONE,)
    index.close()


def test_another_lineage_sees_nothing_and_spoils_nothing(path: Path) -> None:
    ours, theirs = DrawIndex(path, lineage=LINEAGE), DrawIndex(path, lineage=OTHER)
    ours.put([DONE])
    assert theirs.by_draw(DRAW) == ()
    assert not theirs.knows_any()
    theirs.put([ATTEMPT])
    assert ours.by_draw(DRAW) == (DONE,)
    assert theirs.by_token(TOKEN) == ATTEMPT
    assert ours.knows_any()
    ours.close()
    theirs.close()


def test_looking_makes_no_file_and_writing_one_for_its_owner(path: Path) -> None:
    index = DrawIndex(path, lineage=LINEAGE)
    assert index.by_draw(DRAW) == ()
    assert not index.knows_any()
    index.put([])
    assert not path.exists()
    index.put([ATTEMPT])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    index.close()


def test_a_commit_that_a_kill_cut_off_is_taken_back_by_whoever_looks_next(path: Path) -> None:
    index = DrawIndex(path, lineage=LINEAGE)
    index.put([ATTEMPT])
    index.close()
    before = path.read_bytes()
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA cache_size=1")  # so that pages reach the file before the commit
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM draw")
    writer.executemany("INSERT INTO draw (draw, token, record) VALUES (?, 1, zeroblob(900))", [(n,) for n in range(50)])
    killed = path.parent / "killed"
    killed.mkdir()
    for name in (path.name, f"{path.name}-journal"):  # what the disk holds at this moment
        (killed / name).write_bytes((path.parent / name).read_bytes())
    writer.execute("ROLLBACK")
    writer.close()
    assert (killed / path.name).read_bytes() != before
    after = DrawIndex(killed / path.name, lineage=LINEAGE)
    assert after.by_draw(DRAW) == (ATTEMPT,)
    after.put([DONE])
    assert after.by_draw(DRAW) == (DONE,)
    after.close()


def test_a_damaged_record_is_passed_over(path: Path) -> None:
    index = DrawIndex(path, lineage=LINEAGE)
    index.put([ATTEMPT])
    index.close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE draw SET record = zeroblob(40)")
    connection.close()
    assert index.by_draw(DRAW) == ()
    assert index.by_token(TOKEN) is None
    index.close()


def test_a_newer_or_broken_index_is_told_by_name(path: Path) -> None:
    index = DrawIndex(path, lineage=LINEAGE)
    index.put([ATTEMPT])
    index.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=9")
    connection.close()
    with pytest.raises(StateError, match="version 9"):
        DrawIndex(path, lineage=LINEAGE).by_draw(DRAW)
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StateError, match=r"draws\.db"):
        DrawIndex(path, lineage=LINEAGE).put([ATTEMPT])
    path.unlink()
    path.symlink_to(path.parent / "elsewhere")
    with pytest.raises(StateError, match="link"):
        DrawIndex(path, lineage=LINEAGE).put([ATTEMPT])


def test_an_index_that_was_never_committed_knows_nothing_and_can_be_written(path: Path) -> None:
    with closing(sqlite3.connect(path)) as begun:
        begun.execute("PRAGMA page_size=2048")
        begun.execute("VACUUM")
    assert path.stat().st_size > 0
    index = DrawIndex(path, lineage=LINEAGE)
    assert index.by_draw(DRAW) == ()
    index.put([ATTEMPT])
    assert index.by_token(TOKEN) == ATTEMPT


def test_an_index_whose_writer_died_in_the_middle_of_a_commit_is_read_as_it_was_before(
    path: Path, tmp_path: Path
) -> None:
    index = DrawIndex(path, lineage=LINEAGE)
    index.put([replace(ATTEMPT, token=f"ib-{number}", part=0) for number in range(300)])
    index.close()
    before = path.read_bytes()
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA cache_size=1")  # what it changes goes to the file before it is committed
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE draw SET record = zeroblob(3000)")
        dead = tmp_path / "dead"
        dead.mkdir()
        for one in tmp_path.glob("draws.db*"):
            (dead / one.name).write_bytes(one.read_bytes())
    assert (dead / "draws.db").read_bytes() != before, "nothing of the open transaction is in the file"
    assert (dead / "draws.db-journal").exists()
    assert len(DrawIndex(dead / "draws.db", lineage=LINEAGE).every()) == 300
    assert not (dead / "draws.db-journal").exists()
