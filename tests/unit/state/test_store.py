"""The whole state of a project: opened, recorded into, killed anywhere, checkpointed, and read again."""

import stat
import subprocess
import sys
from pathlib import Path
from typing import Never

import pytest

from imagebatch.errors import RefusedError, StateError
from imagebatch.model.event import Accepted, Doubted, Dropped, Event, Fetched, Kept, Observed, Placing
from imagebatch.model.generation import Candidate
from imagebatch.state.journal import Journal
from imagebatch.state.lockfile import LOCK_NAME, decode_lock, empty_lock, encode_lock
from imagebatch.state.store import Session, StateStore
from tests.seams.watching import watched
from tests.unit.state.worlds import DRAW, LINEAGE, OTHER, TOKEN, drawn, entry, facts, intended, sha

ADDRESS = "hero[season=spring]"
LIFE: tuple[Event, ...] = (
    intended(),
    Accepted(step="create", token=TOKEN, attempt=1, generation="g1"),
    Observed(token=TOKEN, status="succeeded", candidates=(Candidate(id="a"),), cost=("0.35 EUR",)),
    Fetched(token=TOKEN, index=1, facts=facts()),
    Placing(path="assets/hero/spring.jpg", sha256=sha("out")),
    Kept(address=ADDRESS, entry=entry(generation="g1", candidates=(Candidate(id="a", facts=facts()),))),
)


def opened(root: Path, *, lineage: str | None = LINEAGE, force_new_lock: bool = False) -> Session:
    return StateStore(root).open(lineage=lineage, command="apply", force_new_lock=force_new_lock)


def lived(root: Path, *events: Event, checkpoint: bool = True) -> None:
    with opened(root) as session:
        for event in events:
            session.record(event).result(timeout=5)
        if checkpoint:
            session.checkpoint()


def test_a_run_ends_in_a_lock_and_the_next_one_writes_nothing(tmp_path: Path) -> None:
    lived(tmp_path, *LIFE)
    lock = decode_lock((tmp_path / LOCK_NAME).read_bytes())
    assert list(lock) == [ADDRESS]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    lived(tmp_path)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    changed = {path.name for path in after if before.get(path) != after[path]}
    assert changed <= {"lease.lock"}


def test_everything_below_the_folder_is_for_its_owner_and_not_for_git(tmp_path: Path) -> None:
    lived(tmp_path, *LIFE)
    folder = tmp_path / ".imagebatch"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert (folder / ".gitignore").read_text().splitlines()[-1] == "*"
    for name in ("journal.db", "draws.db", "lineage", "lease.lock"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE((tmp_path / LOCK_NAME).stat().st_mode) == 0o644
    assert not (folder / "lease.json").exists()


def test_what_was_not_checkpointed_is_there_again(tmp_path: Path) -> None:
    lived(tmp_path, *LIFE[:2], checkpoint=False)
    with opened(tmp_path) as session:
        assert session.ledger.known(DRAW)[0].generation == "g1"
        for event in LIFE[2:]:
            session.record(event).result(timeout=5)
        session.checkpoint()
        assert session.ledger.entry(ADDRESS) == LIFE[-1].entry  # type: ignore[union-attr]  # the last one is a Kept
    assert opened_digest(tmp_path) == undisturbed(tmp_path / "other")


def opened_digest(root: Path) -> str:
    return StateStore(root).open_for_plan(lineage=LINEAGE).digest


def undisturbed(root: Path) -> str:
    root.mkdir()
    lived(root, *LIFE)
    return opened_digest(root)


def test_open_attempts_outlive_a_checkpoint_and_drawn_ones_go_to_the_index(tmp_path: Path) -> None:
    lived(tmp_path, intended(), Doubted(step="create", token=TOKEN, why="reset"))
    other = drawn("other")
    lived(
        tmp_path,
        intended(token=other.token, draw=other.draw, request=other.request),
        Accepted(step="create", token=other.token, attempt=1, generation="g9"),
    )
    with opened(tmp_path) as session:
        assert list(session.ledger.open_steps()) == [TOKEN]
        assert [known.generation for known in session.ledger.known(other.draw)] == ["g9"]
        assert session.ledger.known(DRAW)[0].open_intent


def test_a_draw_that_left_the_lock_is_still_known(tmp_path: Path) -> None:
    lived(tmp_path, *LIFE)
    lived(tmp_path, Dropped(address=ADDRESS))
    view = StateStore(tmp_path).open_for_plan(lineage=LINEAGE)
    assert ADDRESS not in view.ledger
    assert view.ledger.known(DRAW)[0].candidates == (Candidate(id="a", facts=facts()),)


def test_an_older_lock_is_taken_as_it_is_and_what_it_lacks_is_known(tmp_path: Path) -> None:
    lived(tmp_path, Kept(address="x", entry=drawn("x")))
    older = (tmp_path / LOCK_NAME).read_bytes()
    lived(tmp_path, *LIFE)
    (tmp_path / LOCK_NAME).write_bytes(older)
    with opened(tmp_path) as session:
        assert list(session.ledger) == ["x"]
        assert session.ledger.known(DRAW)[0].generation == "g1"


def test_a_journal_that_refuses_what_the_lock_tells_is_closed_and_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    lived(tmp_path / "elsewhere", *LIFE)
    lived(tmp_path, intended(), checkpoint=False)
    (tmp_path / LOCK_NAME).write_bytes((tmp_path / "elsewhere" / LOCK_NAME).read_bytes())
    refused: list[tuple[Event, bool]] = []
    closed: list[None] = []

    def refuse(_: Journal, event: Event, *, durable: bool = True) -> Never:
        refused.append((event, durable))
        raise StateError("the journal cannot be written")

    with monkeypatch.context() as patched:
        inner = Journal.close
        patched.setattr(Journal, "append", refuse)
        patched.setattr(Journal, "close", lambda journal: closed.append(inner(journal)))
        with pytest.raises(StateError, match="cannot be written"):
            opened(tmp_path)
    assert refused
    assert closed == [None]
    with opened(tmp_path) as session:
        assert not list(session.ledger.open_steps())


# Lineage and missing locks -----------------------------------------------------------------------------------------


def test_the_lineage_comes_from_project_lock_folder_or_chance_in_that_order(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    assert store.open_for_plan(lineage=None).lineage is None
    new = store.ensure_lineage(None)
    assert len(new) == 32
    assert store.ensure_lineage(None) == new
    assert store.open_for_plan(lineage=None).lineage == new
    assert store.open_for_plan(lineage=OTHER).lineage == OTHER
    (tmp_path / LOCK_NAME).write_bytes(encode_lock(empty_lock(LINEAGE)))
    assert store.ensure_lineage(None) == LINEAGE
    with opened(tmp_path, lineage=None) as session:
        assert session.lineage == LINEAGE
    assert (tmp_path / ".imagebatch" / "lineage").read_text() == f"{LINEAGE}\n"


def test_a_first_apply_without_any_lineage_draws_one_and_keeps_it(tmp_path: Path) -> None:
    with opened(tmp_path, lineage=None) as session:
        session.record(Kept(address="x", entry=drawn("x")))
        session.checkpoint()
        lineage = session.lineage
    assert decode_lock((tmp_path / LOCK_NAME).read_bytes()).lineage == lineage


def test_a_lock_of_another_project_is_refused_and_a_plan_says_so(tmp_path: Path) -> None:
    lived(tmp_path, *LIFE)
    with pytest.raises(RefusedError) as caught:
        opened(tmp_path, lineage=OTHER)
    assert (caught.value.code, caught.value.exit_code) == ("lockfile.lineage", 4)
    view = StateStore(tmp_path).open_for_plan(lineage=OTHER)
    assert [refusal.code for refusal in view.refusals] == ["lockfile.lineage"]


def test_a_folder_of_another_project_is_refused_and_a_plan_says_so(tmp_path: Path) -> None:
    lived(tmp_path, intended(), checkpoint=False)
    (tmp_path / LOCK_NAME).write_bytes(encode_lock(empty_lock(OTHER)))
    with pytest.raises(RefusedError) as caught:
        opened(tmp_path, lineage=OTHER)
    assert caught.value.code == "journal.lineage"
    view = StateStore(tmp_path).open_for_plan(lineage=OTHER)
    assert [refusal.code for refusal in view.refusals] == ["journal.lineage"]
    assert not view.ledger.open_steps()
    StateStore(tmp_path).open_for_plan(lineage=OTHER)


def test_a_session_tells_whether_anything_was_ever_begun_here(tmp_path: Path) -> None:
    with opened(tmp_path) as session:
        assert session.first
    lived(tmp_path, intended(), checkpoint=False)
    with opened(tmp_path) as session:
        assert not session.first, "a run was killed before its first lock"
        session.checkpoint()
    with opened(tmp_path) as session:
        assert not session.first, "there is a lock"


def test_a_lock_that_is_gone_though_pictures_are_known_is_refused(tmp_path: Path) -> None:
    lived(tmp_path, *LIFE)
    (tmp_path / LOCK_NAME).unlink()
    with pytest.raises(RefusedError) as caught:
        opened(tmp_path)
    assert (caught.value.code, caught.value.exit_code) == ("lock.missing", 4)
    hints = " ".join(caught.value.hints)
    assert "git checkout imagebatch.lock" in hints
    assert "imagebatch lock doctor" in hints
    view = StateStore(tmp_path).open_for_plan(lineage=LINEAGE)
    assert [refusal.code for refusal in view.refusals] == ["lock.missing"]
    assert view.digest == "absent"
    with opened(tmp_path, force_new_lock=True) as session:
        assert session.ledger.known(DRAW)[0].generation == "g1", "nothing that was paid is paid again"
        session.checkpoint()
    assert (tmp_path / LOCK_NAME).exists()


def test_a_lock_that_is_gone_is_noticed_by_the_draw_index_alone(tmp_path: Path) -> None:
    lived(tmp_path, *LIFE)
    (tmp_path / LOCK_NAME).unlink()
    (tmp_path / ".imagebatch" / "journal.db").unlink()
    with pytest.raises(RefusedError, match="missing"):
        opened(tmp_path)


def test_a_first_run_that_was_killed_goes_on_without_being_forced(tmp_path: Path) -> None:
    lived(tmp_path, *LIFE[:3], checkpoint=False)
    assert not (tmp_path / LOCK_NAME).exists()
    assert StateStore(tmp_path).open_for_plan(lineage=LINEAGE).refusals == ()
    lived(tmp_path, *LIFE[3:])
    assert opened_digest(tmp_path) == undisturbed(tmp_path / "other")


# Planning beside a run ------------------------------------------------------------------------------------------------


def test_a_plan_needs_no_lease_writes_nothing_and_tells_who_runs(tmp_path: Path) -> None:
    with opened(tmp_path) as session:
        session.record(LIFE[0]).result(timeout=5)
        names = sorted(path.name for path in tmp_path.rglob("*"))
        view = StateStore(tmp_path).open_for_plan(lineage=LINEAGE)
        assert view.running == session.lease.owner
        assert TOKEN in view.ledger.open_steps()
        assert sorted(path.name for path in tmp_path.rglob("*")) == names
        with pytest.raises(RefusedError, match="holds"):
            opened(tmp_path)
    assert StateStore(tmp_path).owner() is None


def test_a_plan_of_a_fresh_project_makes_nothing(tmp_path: Path) -> None:
    view = StateStore(tmp_path).open_for_plan(lineage=None)
    assert (len(view.ledger), view.digest, view.running, view.refusals) == (0, "absent", None, ())
    assert list(tmp_path.iterdir()) == []


def test_no_plan_imports_a_network_an_event_loop_or_a_picture_library() -> None:
    script = (
        "import sys, imagebatch.state.store as s; from pathlib import Path;"
        "s.StateStore(Path('.')).open_for_plan(lineage=None);"
        "print([n for n in ('asyncio', 'httpx', 'PIL', 'click', 'pydantic', 'filelock') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"


# Trouble --------------------------------------------------------------------------------------------------------------


def test_a_lock_that_somebody_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    lived(tmp_path, Kept(address="x", entry=drawn("x")))
    with opened(tmp_path) as session:
        session.record(LIFE[-1])
        theirs = encode_lock(empty_lock(LINEAGE).with_changes({"y": drawn("y")}))
        (tmp_path / LOCK_NAME).write_bytes(theirs)
        with pytest.raises(RefusedError) as caught:
            session.checkpoint()
        assert (caught.value.code, caught.value.exit_code) == ("lock.changed", 4)
    assert (tmp_path / LOCK_NAME).read_bytes() == theirs
    lived(tmp_path)
    assert list(decode_lock((tmp_path / LOCK_NAME).read_bytes())) == [ADDRESS, "y"]


@pytest.mark.parametrize("at", ["write imagebatch.lock", "fsync imagebatch.lock", "replace imagebatch.lock"])
def test_a_disk_that_is_full_for_the_lock_leaves_the_old_one_and_the_journal(tmp_path: Path, at: str) -> None:
    def full(name: str) -> None:
        if name == at:
            raise OSError(28, "No space left on device")

    lived(tmp_path, Kept(address="x", entry=drawn("x")))
    before = (tmp_path / LOCK_NAME).read_bytes()
    with opened(tmp_path) as session:
        for event in LIFE:
            session.record(event).result(timeout=5)
        with watched(full), pytest.raises(StateError) as caught:
            session.checkpoint()
        assert caught.value.code == "disk.full"
    assert (tmp_path / LOCK_NAME).read_bytes() == before
    lived(tmp_path)
    assert list(decode_lock((tmp_path / LOCK_NAME).read_bytes())) == [ADDRESS, "x"]


def test_a_broken_draw_index_does_not_keep_the_lock_from_being_written(tmp_path: Path) -> None:
    with opened(tmp_path) as session:
        for event in LIFE:
            session.record(event).result(timeout=5)
        (tmp_path / ".imagebatch" / "draws.db").write_bytes(b"no database" * 200)
        with pytest.raises(StateError):
            session.checkpoint()
    assert ADDRESS in decode_lock((tmp_path / LOCK_NAME).read_bytes())
    (tmp_path / ".imagebatch" / "draws.db").unlink()
    lived(tmp_path)
    assert StateStore(tmp_path).open_for_plan(lineage=LINEAGE).ledger.known(DRAW)[0].generation == "g1"


def test_a_failed_journal_is_told_and_what_it_lacks_can_be_shown(tmp_path: Path) -> None:
    def fail(name: str) -> None:
        if broken and name == "commit journal.db":
            raise OSError(5, "I/O error")

    broken: list[str] = []
    with watched(fail), opened(tmp_path) as session:
        broken.append("now")
        error = session.record(LIFE[0]).exception(timeout=5)
        assert isinstance(error, StateError)
        assert session.unsaved == (LIFE[0],)
        with pytest.raises(StateError):
            session.flush()


def test_an_event_that_cannot_follow_is_not_written(tmp_path: Path) -> None:
    with opened(tmp_path) as session:
        session.record(intended()).result(timeout=5)
        with pytest.raises(StateError) as caught:
            session.record(Observed(token=TOKEN, status="succeeded"))
        assert caught.value.code == "state.illegal_move"
    with opened(tmp_path) as session:
        assert list(session.ledger.open_steps()) == [TOKEN]


def test_what_an_answer_alone_tells_waits_for_the_disk_and_what_can_be_asked_again_does_not(tmp_path: Path) -> None:
    commits: list[str] = []
    with watched(commits.append), opened(tmp_path) as session:
        session.record(intended()).result(timeout=5)
        session.record(Accepted(step="create", token=TOKEN, attempt=1, generation=TOKEN)).result(timeout=5)
        commits.clear()
        session.record(Observed(token=TOKEN, status="succeeded")).result(timeout=5)
        assert "committed journal.db" in commits
        assert session.record(LIFE[-1]).done()


def test_facts_about_a_provider_are_remembered_and_a_spoilt_memory_is_an_empty_one(tmp_path: Path) -> None:
    store = StateStore(tmp_path)
    assert store.recall("https://hub.example.com") == {}
    store.remember("https://hub.example.com", {"dialect": "v2", "mount": "/ai"})
    store.remember("https://other.example.com", {"mount": ""})
    assert StateStore(tmp_path).recall("https://hub.example.com") == {"dialect": "v2", "mount": "/ai"}
    (tmp_path / ".imagebatch" / "memory.json").write_text("[")
    assert store.recall("https://hub.example.com") == {}
    store.remember("https://hub.example.com", {"dialect": "v1"})
    assert store.recall("https://hub.example.com") == {"dialect": "v1"}


# Killed anywhere ------------------------------------------------------------

_KILLED = """
import os, sys, threading
from pathlib import Path
from tests.seams.watching import watched
from tests.unit.state.test_store import LIFE, opened

def run(root, last):
    seen = 0
    guard = threading.Lock()
    promised = open(root / "promised", "ab", buffering=0)
    def kill(name):
        nonlocal seen
        with guard:
            seen += 1
            if seen == last:
                os._exit(9)
    with watched(kill), opened(root) as session:
        for event in LIFE:
            session.record(event).result(timeout=10)
            promised.write(b".")
        session.checkpoint()

for last in range(1, 200):
    root = Path(sys.argv[1]) / str(last)
    root.mkdir()
    child = os.fork()
    if child == 0:
        run(root, last)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
"""


@pytest.mark.slow
def test_killed_at_every_effect_the_next_run_ends_in_the_same_lock(tmp_path: Path) -> None:
    wanted = undisturbed(tmp_path / "calm")
    subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], timeout=120, check=True)
    killed = sorted(int(path.name) for path in tmp_path.iterdir() if path.name.isdigit())
    assert 20 < len(killed) < 199, "the sweep reached the undisturbed run"
    for last in killed:
        root = tmp_path / str(last)
        promised = (root / "promised").stat().st_size
        (root / "promised").unlink()
        with opened(root) as session:
            known = session.ledger.known(DRAW)
            assert known or promised < 1, f"killed at effect {last}: an intent that was promised is gone"
            have = known[0].generation if known else None
            assert have == "g1" or promised < 2, f"killed at effect {last}: an id that was promised is gone"
            for event in LIFE[2:] if have else LIFE[1:] if known else LIFE:
                session.record(event).result(timeout=5)
            session.checkpoint()
        assert opened_digest(root) == wanted, f"killed at effect {last}"
