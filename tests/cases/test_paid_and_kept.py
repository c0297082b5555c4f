"""Answers that hold the pictures themselves, and a disk that takes neither the answer nor the picture."""

import csv
import errno
import json
import resource
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cases.disk_scenes import limited
from tests.cases.disturbed import broken, failing, full
from tests.cases.scenes import APPLY, HERO, fine
from tests.cases.world import Ran, Simulated, World
from tests.seams.watching import watched

MANY = 6
ANSWER, PICTURE, ASIDE = "write TOKEN.answer.part", "write ID.part", "open paid-"


@pytest.fixture(params=["openai", "aigne-hub"])
def face(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(tmp_path: Path, simulated: Simulated, request: pytest.FixtureRequest, face: str) -> World:
    made = World(name=request.node.name, base=tmp_path, simulated=simulated)
    made.settings[face] = {"max_concurrency": 1, "price": {"create": "0.10 USD"}}
    made.write("imagebatch.yaml", made.project_file(lineage=made.lineage))
    return made


def foxes(world: World, face: str, count: int, **more: object) -> None:
    """As many pictures of one provider."""
    world.assets(
        {f"fox-{n}": {**HERO[face], "prompt": f"fox {n}", "output": f"out/{n}.png", **more} for n in range(count)}
    )


def unwritable(world: World, *names: str, number: int = errno.EFBIG) -> Ran:
    """An apply under a disk that refuses all effects of these names."""

    def hook(effect: str) -> None:
        if effect.startswith(names):
            raise failing(number)(effect)

    with watched(hook):
        return world.run(*APPLY)


def paid(world: World) -> int:
    return len(world.billed("create"))


def kept_aside(world: World) -> Sequence[Path]:
    return sorted(world.project.glob("paid-*"))


def test_where_files_may_not_grow_nothing_is_paid(world: World, face: str) -> None:
    foxes(world, face, MANY)
    ran = limited(resource.RLIMIT_FSIZE, 60 * 1024)(world)
    assert (ran.code, paid(world)) == (1, 0), str(ran)
    assert "[system.file_size]" in ran.err, str(ran)
    assert set(fine(world).ends.values()) == {"done"}
    assert paid(world) == MANY


def test_a_paid_answer_that_nothing_can_keep_is_told_and_in_the_lock_and_no_other_create_leaves(
    world: World, face: str
) -> None:
    foxes(world, face, MANY)
    ran = unwritable(world, ANSWER, PICTURE, ASIDE)
    assert ran.code == 1, str(ran)
    assert paid(world) == 1, str(ran)
    (lost,) = (line for line in ran.of_type("outcome") if line["end"] == "failed")
    assert lost["code"] == "disk.limit"
    assert "it was paid and could not be kept" in lost["message"]
    assert "free of charge" not in lost["message"]
    assert sum(end == "unsent" for end in ran.ends.values()) == MANY - 1
    (entry,) = world.entries().values()
    assert (entry["status"], entry["failure"]["kind"]) == ("failed", "gone")
    assert entry["token"] == entry["generation"]
    (said,) = ran.of_type("summary")
    with (world.project / ".imagebatch/ledger.csv").open(encoding="utf-8") as rows:
        booked = {(row["amount"], row["currency"]) for row in csv.DictReader(rows) if row["state"] == "paid"}
    assert {(one["amount"], one["currency"]) for one in said["cost"]} == booked, str(ran)
    again = world.run(*APPLY)  # what was lost is never paid again by itself, and all others come
    assert (again.code, paid(world)) == (3, MANY), str(again)


def test_a_paid_picture_that_the_store_does_not_take_is_set_aside_and_its_place_is_told(
    world: World, face: str
) -> None:
    foxes(world, face, 1)
    ran = unwritable(world, ANSWER, PICTURE)
    (place,) = kept_aside(world)
    assert place.read_bytes().startswith(b"\x89PNG")
    (lost,) = ran.of_type("outcome")
    assert place.name in lost["message"]
    again = fine(world)
    assert (again.ends, paid(world)) == ({"fox-0": "done"}, 1), str(again)
    assert (world.project / "out/0.png").is_file()
    assert kept_aside(world) == []
    assert not fine(world, "plan", "--json").lines[0]["changes"]


def test_an_answer_that_is_on_disk_is_read_again_by_the_next_run(world: World, face: str) -> None:
    foxes(world, face, MANY)
    ran = unwritable(world, PICTURE, number=errno.ENOSPC)
    assert (ran.code, paid(world)) == (1, 1), str(ran)
    (failed,) = (line for line in ran.of_type("outcome") if line["end"] == "failed")
    assert "its answer is on disk" in failed["message"]
    (entry,) = world.entries().values()
    assert (entry["status"], entry["generation"]) == ("pending", entry["token"])
    assert set(fine(world).ends.values()) == {"done"}
    assert paid(world) == MANY


def test_a_clone_pays_nothing_again_for_what_could_not_be_kept(world: World, face: str, simulated: Simulated) -> None:
    foxes(world, face, 1)
    unwritable(world, ANSWER, PICTURE, ASIDE)
    shutil.rmtree(world.project / ".imagebatch")
    ran = world.run(*APPLY)
    assert (ran.code, paid(world)) == (3, 1), str(ran)


def test_of_several_creates_each_that_was_paid_is_in_the_lock(world: World, face: str) -> None:
    foxes(world, face, 1, params={**HERO[face]["params"], "n": 2}, pick="review")
    ran = unwritable(world, PICTURE, number=errno.ENOSPC)
    (entry,) = world.entries().values()
    assert entry["status"] == "pending", json.dumps(entry)
    left = paid(world)
    assert left == sum("generation" in one for one in entry.get("parts", [entry])), str(ran)
    fine(world)
    assert paid(world) == max(left, len(entry.get("parts", [entry])))


def test_what_the_journal_cannot_take_after_a_create_has_left_is_in_the_lock(world: World, face: str) -> None:
    foxes(world, face, 1)
    ran = broken(world, "commit journal.db", full, behind=("replace lineage", "committed journal.db"))
    assert (ran.code, paid(world)) == (1, 1), str(ran)
    (entry,) = world.entries().values()
    assert entry["status"] in {"pending", "in_doubt", "succeeded"}
    (said,) = ran.of_type("summary")
    assert said["in_doubt"] == 1, str(ran)
    world.run(*APPLY)
    assert paid(world) == 1


@pytest.mark.parametrize("committed", range(6))
def test_whichever_commit_the_journal_refuses_no_answer_is_left_in_the_inbox(
    world: World, face: str, committed: int
) -> None:
    foxes(world, face, 2)
    ran = broken(
        world, "commit journal.db", full, once=True, behind=("replace lineage", *["committed journal.db"] * committed)
    )
    assert ran.code == 1, str(ran)
    ends = [world.run(*APPLY) for _ in range(3)]
    assert {one.code for one in ends} <= {0, 3}, "\n".join(map(str, ends))
    assert not ends[-1].ends, str(ends[-1])
    assert paid(world) <= 2
    assert list((world.project / ".imagebatch/inbox").iterdir()) == []


@pytest.mark.parametrize("committed", range(1, 7))
def test_of_several_creates_none_is_written_off_whichever_commit_the_journal_refuses(
    world: World, face: str, committed: int
) -> None:
    foxes(world, face, 1, params={**HERO[face]["params"], "n": 2}, pick="review")
    behind = ("replace lineage", *["committed journal.db"] * committed)
    broken(world, "commit journal.db", full, once=True, behind=behind)
    ends = [world.run(*APPLY) for _ in range(3)]
    (entry,) = world.entries().values()
    assert entry["status"] in {"succeeded", "in_doubt"}, "\n".join(map(str, ends))
    booked = (world.project / ".imagebatch/ledger.csv").read_text("utf-8")
    tokens = {one["token"] for one in entry.get("parts", [entry])}
    assert all(booked.count(f"{token},create,paid") <= 1 for token in tokens), booked
    waits = {f"{one['token']}.answer" for one in entry.get("parts", [entry]) if one["status"] == "pending"}
    assert {path.name for path in (world.project / ".imagebatch/inbox").iterdir()} == waits
    assert paid(world) <= len(tokens)
    if entry["status"] == "in_doubt":
        fine(world, "resolve", "fox-0", "--abandon")
        fine(world)
        assert world.entries()["fox-0"]["status"] == "succeeded"
    assert list((world.project / ".imagebatch/inbox").iterdir()) == []


@pytest.mark.parametrize("way", ["another prompt", "redraw"])
def test_what_a_redraw_set_aside_comes_back_too(world: World, face: str, way: str) -> None:
    foxes(world, face, 1)
    fine(world)
    if way == "redraw":
        fine(world, "redraw", "fox-0", "-y")
    else:
        world.assets({"fox-0": {**HERO[face], "prompt": "a cat", "output": "out/0.png"}})
    before = (world.project / "out/0.png").read_bytes()
    unwritable(world, ANSWER, PICTURE)
    (place,) = kept_aside(world)
    planned = fine(world, "plan", "--json").lines[0]["changes"]
    assert place.name in planned[0]["reason"], planned
    again = fine(world)
    assert (again.ends, paid(world)) == ({"fox-0": "done"}, 2), str(again)
    assert (world.project / "out/0.png").read_bytes() != before
    assert kept_aside(world) == []
    assert not fine(world, "plan", "--json").lines[0]["changes"]


def test_what_is_in_the_store_by_now_is_removed_and_what_is_no_picture_of_ours_stays(
    world: World, face: str, tmp_path: Path
) -> None:
    foxes(world, face, 1)
    unwritable(world, ANSWER, PICTURE)
    (place,) = kept_aside(world)
    picture, token = place.read_bytes(), place.name[len("paid-") : -len("-1.png")]
    fine(world)
    place.write_bytes(picture)  # as a run leaves it that is killed right after it has written down what it took
    other, elsewhere = place.with_name("paid-ib-aaaaaaaaaaaaaaaa-1.png"), tmp_path / "elsewhere.png"
    other.write_bytes(picture)
    elsewhere.write_bytes(picture)
    beyond = place.with_name(f"paid-{token}-2.png")
    beyond.symlink_to(elsewhere)
    fine(world)
    assert kept_aside(world) == sorted([other, beyond])
    place.write_bytes(b"no picture")
    fine(world)
    assert place.read_bytes() == b"no picture"


def test_what_was_done_and_paid_is_told_where_an_error_ends_the_run(world: World, face: str) -> None:
    foxes(world, face, 2)

    def hook(effect: str) -> None:
        if "ledger.csv" in effect:
            raise failing(errno.EACCES)(effect)

    with watched(hook):
        ran = world.run("apply", "-y")
    assert ran.code == 1, str(ran)
    assert "Done: 2 created" in ran.out
    assert "Paid: 0.20 USD." in ran.out
    assert "[disk.denied]" in ran.err
    assert world.run("apply", "-y").code == 0
    assert len(world.billed()) == 2
