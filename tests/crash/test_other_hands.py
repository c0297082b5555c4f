"""Others at work: a second run, a lost lock, an old lock, a fresh clone. What was paid is found."""

import shutil
import signal
from pathlib import Path

import pytest

from tests.crash.benches import KITES, ONE, Bench, rule
from tests.crash.checking import entries, leftovers, troubled
from tests.crash.projects import write_manifest
from tests.crash.sweeping import NOTHING
from tests.program.running import Run, Server

TWO = (
    ONE
    + """\
  owl:
    prompt: "An owl"
    provider: hub
    params: {model: openai/gpt-image-2, size: 1024x640, output_format: jpeg}
    output: "outputs/owl.jpg"
"""
)


@pytest.fixture
def second(servers: list[Server]) -> Server:
    """Another person's terminal."""
    return servers[1]


def applied(bench: Bench, manifest: str, creates: int) -> bytes:
    """Apply a manifest; gives the lock's bytes."""
    write_manifest(bench.folder, manifest)
    run = bench.apply()
    assert run.code == 0, run.out + run.err
    assert bench.billed().get("create") == creates
    return lock(bench).read_bytes()


def lock(bench: Bench) -> Path:
    return bench.folder / "imagebatch.lock"


def free_of_charge(bench: Bench, *more: str, creates: int) -> Run:
    """The next apply pays nothing; it leaves every picture in its place and nothing to do."""
    run = bench.apply(*more)
    assert run.code == 0, run.out + run.err
    assert bench.billed() == {"create": creates}
    assert set(bench.bills().values()) == {1}
    assert all(
        (bench.folder / output.path).exists() for one in entries(bench.folder).values() for output in one.outputs
    )
    bench.settled()
    return run


def slow_window(bench: Bench, seconds: str, in_flight: int = 2) -> None:
    """Let absence from the listing prove nothing for longer, and few be in flight."""
    settings = bench.folder / "imagebatch.yaml"
    text = settings.read_text(encoding="utf-8")
    text = text.replace("window: 0.3s", f"window: {seconds}\n    max_concurrency: {in_flight}")
    settings.write_text(text, encoding="utf-8")


def clone(bench: Bench, *without: str) -> None:
    """Go on in a fresh clone: what git does not keep is missing there, and so is what is named."""
    target = bench.folder.with_name("clone")
    shutil.copytree(bench.folder, target, ignore=shutil.ignore_patterns(".imagebatch", *without))
    bench.folder = target


# Two runs at once -----------------------------------------------------------------------------------------------------


def test_of_two_applies_at_once_the_second_is_refused_and_told_who_runs(bench: Bench, second: Server) -> None:
    bench.script(rule("create", delay_s=1.0))
    first = bench.start("apply", "-y")
    bench.until("create")
    refused = second.run(bench.folder, "apply", "-y", environ=bench.environ)
    planned = second.run(bench.folder, "plan", environ=bench.environ)
    assert refused.code == 4, refused.out + refused.err
    assert f"process {first.pid}" in refused.err
    assert "--lock-timeout" in refused.err
    assert planned.code == 0, "a plan needs no lease"
    assert first.wait().code == 0
    assert not troubled([refused, planned])
    free_of_charge(bench, creates=1)


def test_an_apply_that_waits_for_the_other_finds_nothing_left_to_do(bench: Bench, second: Server) -> None:
    bench.script(rule("create", delay_s=0.5))
    first = bench.start("apply", "-y")
    bench.until("create")
    waited = second.run(bench.folder, "apply", "-y", "--lock-timeout", "30", environ=bench.environ)
    assert first.wait().code == 0
    assert waited.code == 0, waited.out + waited.err
    assert NOTHING in waited.out
    free_of_charge(bench, creates=1)


def test_a_dead_owner_needs_no_unlocking(bench: Bench) -> None:
    write_manifest(bench.folder, KITES)
    slow_window(bench, "0.3s")
    first = bench.start("apply", "-y")
    bench.until("poll")
    first.signal(signal.SIGKILL)
    assert first.wait().code == -signal.SIGKILL
    assert (bench.folder / ".imagebatch" / "lease.json").exists()
    assert "held by  nobody" in bench.command("lock", "show").out
    free_of_charge(bench, creates=6)
    assert not leftovers(bench.folder)


def test_a_run_whose_lease_was_broken_sends_nothing_more_and_the_next_one_pays_nothing_twice(
    bench: Bench, second: Server
) -> None:
    write_manifest(bench.folder, KITES)
    slow_window(bench, "3s")
    bench.script(rule("create", times=2, delay_s=1.0))
    first = bench.start("apply", "-y")
    bench.until("create", 2)
    shown = second.run(bench.folder, "lock", "show", environ=bench.environ).out
    lease = shown.partition(" lease ")[2].split()[0]
    assert second.run(bench.folder, "lock", "release", environ=bench.environ).code == 4
    assert second.run(bench.folder, "lock", "release", lease, environ=bench.environ).code == 0
    run = second.run(bench.folder, "apply", "-y", environ=bench.environ)
    lost = first.wait()
    assert lost.code == 4, lost.out + lost.err
    assert "taken away" in lost.err
    assert run.code == 0, run.out + run.err
    assert not troubled([lost, run])
    free_of_charge(bench, creates=6)


# The lock -------------------------------------------------------------------------------------------------------------


def test_a_lock_that_is_gone_though_pictures_are_known_is_refused_with_the_way_back(bench: Bench) -> None:
    before = applied(bench, TWO, 2)
    lock(bench).unlink()
    refused = bench.apply()
    assert refused.code == 4, refused.out + refused.err
    assert "git checkout imagebatch.lock" in refused.err
    assert "imagebatch lock doctor" in refused.err
    assert not lock(bench).exists()
    planned = bench.command("plan")
    assert planned.code == 0, "a plan never exits with 4"
    assert "lock is missing" in planned.out + planned.err
    doctor = bench.command("lock", "doctor")
    assert doctor.code == 1
    assert "git checkout imagebatch.lock" in doctor.out
    assert bench.billed() == {"create": 2}
    lock(bench).write_bytes(before)
    free_of_charge(bench, creates=2)
    assert lock(bench).read_bytes() == before


def test_a_new_lock_adopts_what_is_known_and_is_the_same_as_the_lost_one(bench: Bench) -> None:
    before = applied(bench, TWO, 2)
    lock(bench).unlink()
    run = free_of_charge(bench, "--force", "new-lock", creates=2)
    assert "2 to adopt" in run.out
    assert lock(bench).read_bytes() == before


@pytest.mark.parametrize("address", ["fox", "owl"])
def test_an_entry_that_was_cut_out_of_the_lock_is_adopted(bench: Bench, address: str) -> None:
    before = applied(bench, TWO, 2)
    head, *blocks, tail = before.decode().split("\n\n")
    kept = [block.rstrip(",") for block in blocks if not block.startswith(f'"{address}"')]
    lock(bench).write_text("\n\n".join([head, ",\n\n".join(kept), tail]), encoding="utf-8")
    assert list(entries(bench.folder)) == [one for one in ("fox", "owl") if one != address]
    free_of_charge(bench, creates=2)
    assert lock(bench).read_bytes() == before


def test_a_lock_from_an_older_commit_is_brought_up_to_what_is_known(bench: Bench) -> None:
    old = applied(bench, ONE, 1)
    newer = TWO.replace("A fox", "A fox in snow").replace("An owl", "An owl at night")
    new = applied(bench, newer, 3)
    lock(bench).write_bytes(old)
    free_of_charge(bench, creates=3)
    assert lock(bench).read_bytes() == new
    lock(bench).write_bytes(old)  # and the whole commit is taken back
    write_manifest(bench.folder, ONE)
    free_of_charge(bench, creates=3)


def test_a_draw_that_is_wanted_again_after_a_revert_is_not_paid_again(bench: Bench) -> None:
    applied(bench, TWO, 2)
    applied(bench, TWO.replace("A fox", "A fox in snow").replace("An owl", "An owl at night"), 4)
    write_manifest(bench.folder, TWO)
    free_of_charge(bench, creates=4)


# Another machine ------------------------------------------------------------------------------------------------------


def test_a_fresh_clone_has_nothing_to_do_and_asks_nobody(bench: Bench) -> None:
    applied(bench, TWO, 2)
    clone(bench)
    asked = bench.asked("create"), bench.asked("list"), bench.asked("poll")
    run = bench.apply()
    assert run.code == 0, run.out + run.err
    assert NOTHING in run.out
    assert (bench.asked("create"), bench.asked("list"), bench.asked("poll")) == asked


def test_a_clone_without_outputs_fetches_what_the_provider_still_has_and_draws_nothing_anew(bench: Bench) -> None:
    applied(bench, TWO, 2)
    picture = (bench.folder / "outputs" / "fox.jpg").read_bytes()
    clone(bench, "outputs")
    run = bench.apply()
    assert run.code == 3, run.out + run.err
    assert "not to be had" in run.out
    assert bench.billed() == {"create": 2}
    assert (bench.folder / "outputs" / "fox.jpg").read_bytes() == picture
    again = bench.apply()
    assert again.code == 3, again.out + again.err
    assert bench.billed() == {"create": 2}


@pytest.mark.parametrize("above", ["", "defaults: {embed: minimal}\n"], ids=["as delivered", "marked"])
def test_a_picture_that_stands_only_as_a_file_of_a_fresh_clone_is_developed_from_it(bench: Bench, above: str) -> None:
    applied(bench, above + TWO, 2)
    clone(bench)
    output = '    output: "outputs/owl.jpg"\n'
    both = '    outputs: [{path: "outputs/owl.jpg"}, {path: "outputs/owl-100.webp", width: 100}]\n'
    write_manifest(bench.folder, above + TWO.replace(output, both))
    free_of_charge(bench, creates=2)
    assert (bench.folder / "outputs" / "owl-100.webp").is_file()


@pytest.mark.parametrize("above", ["", "defaults: {embed: minimal}\n"], ids=["as delivered", "marked"])
def test_a_request_that_is_changed_and_changed_back_in_a_fresh_clone_is_paid_twice_and_not_three_times(
    bench: Bench, above: str
) -> None:
    applied(bench, above + TWO, 2)
    picture = (bench.folder / "outputs" / "owl.jpg").read_bytes()
    clone(bench)
    applied(bench, above + TWO.replace("An owl", "An owl at night"), 3)
    write_manifest(bench.folder, above + TWO)
    free_of_charge(bench, creates=3)
    assert (bench.folder / "outputs" / "owl.jpg").read_bytes() == picture


@pytest.mark.parametrize("address", ["fox", "owl"])
def test_an_asset_that_leaves_a_fresh_clone_and_comes_back_is_not_paid_again(bench: Bench, address: str) -> None:
    before = applied(bench, TWO, 2)
    clone(bench)
    other = ONE if address == "owl" else "assets:\n" + TWO[TWO.index("  owl:") :]
    write_manifest(bench.folder, other)
    free_of_charge(bench, creates=2)
    assert address not in entries(bench.folder)
    write_manifest(bench.folder, TWO)
    free_of_charge(bench, creates=2)
    assert lock(bench).read_bytes() == before


@pytest.mark.parametrize("lost", [("imagebatch.lock",), ("imagebatch.lock", "outputs")], ids=["lock", "lock and files"])
def test_a_clone_without_its_lock_is_refused_where_the_listing_knows_the_project(
    bench: Bench, lost: tuple[str, ...]
) -> None:
    before = applied(bench, ONE, 1)
    clone(bench, *lost)
    for _ in range(2):
        refused = bench.apply()
        assert refused.code == 4, refused.out + refused.err
        assert "the listing of studio shows" in refused.err
        assert "git checkout imagebatch.lock" in refused.err
        assert "imagebatch lock doctor" in refused.err
        assert not lock(bench).exists()
    overwrite = () if "outputs" in lost else ("--force", "overwrite")
    free_of_charge(bench, "--force", "new-lock", *overwrite, creates=1)
    assert lock(bench).read_bytes() == before


@pytest.mark.parametrize("known", [True, False], ids=["with a lock", "before the first lock"])
def test_a_folder_that_is_deleted_after_an_interrupted_run_costs_nothing(bench: Bench, known: bool) -> None:
    creates = 6
    if known:
        applied(bench, ONE, 1)
        creates = 7
    write_manifest(bench.folder, (ONE if known else "assets:\n") + KITES.removeprefix("assets:\n"))
    slow_window(bench, "0.3s")
    polled = bench.asked("poll")
    first = bench.start("apply", "-y")
    bench.until("poll", polled + 1)
    first.signal(signal.SIGKILL)
    first.wait()
    assert bench.billed()["create"] < creates
    shutil.rmtree(bench.folder / ".imagebatch")
    if not known:
        refused = bench.apply()
        assert refused.code == 4, refused.out + refused.err
    run = free_of_charge(bench, *([] if known else ["--force", "new-lock"]), creates=creates)
    assert "adopted" in run.out


def one_shot(bench: Bench, prompt: str = "A hen") -> Run:
    """`run`, with where its pictures go kept out of the project's folder."""
    target = bench.folder.parent / f"{prompt.replace(' ', '-')}.jpg"
    return bench.command("run", prompt, "-y", "-o", str(target), "--force", "overwrite", "--param", "format=1:1")


def test_run_draws_after_an_apply_and_apply_after_a_run(bench: Bench) -> None:
    before = one_shot(bench)
    assert before.code == 0, before.out + before.err
    write_manifest(bench.folder, ONE)
    first = bench.apply()
    assert first.code == 0, first.out + first.err
    shutil.rmtree(bench.folder / ".imagebatch" / "run")
    after = one_shot(bench, "A goose")
    assert after.code == 0, after.out + after.err
    assert bench.billed() == {"create": 3}


@pytest.mark.parametrize("lost", ["lock", "folder"])
def test_a_run_whose_lock_was_lost_pays_nothing_again(bench: Bench, lost: str) -> None:
    applied(bench, ONE, 1)
    assert one_shot(bench).code == 0
    home = bench.folder / ".imagebatch" / "run"
    if lost == "lock":
        (home / "imagebatch.lock").unlink()
        refused = one_shot(bench, "A goose")
        assert (refused.code, "lock is missing" in refused.err) == (4, True), refused.err
    else:
        shutil.rmtree(home)
        again = one_shot(bench)
        assert again.code == 0, again.out + again.err
    assert bench.billed() == {"create": 2}


def test_a_run_that_was_redrawn_and_whose_lock_was_lost_is_not_drawn_again(bench: Bench) -> None:
    applied(bench, ONE, 1)
    assert one_shot(bench).code == 0
    home = bench.folder / ".imagebatch" / "run"
    settings = home / "imagebatch.yaml"
    settings.write_text(
        settings.read_text("utf-8").replace("provider: studio}", "provider: studio, on_replace: delete}")
    )
    redrawn = bench.command("-C", str(home), "redraw", "run-*", "--now", "-y")
    assert redrawn.code == 0, redrawn.out + redrawn.err
    assert bench.billed() == {"create": 3}
    shutil.rmtree(home)
    refused = one_shot(bench)
    assert (refused.code, "the listing of studio shows" in refused.err) == (4, True), refused.err
    other = one_shot(bench, "A goose")
    assert other.code == 0, other.out + other.err
    assert bench.billed() == {"create": 4}


def test_a_deleted_file_of_a_bought_picture_is_made_from_the_store_and_nobody_is_asked(bench: Bench) -> None:
    applied(bench, ONE.replace("    output", "    resolution: full\n    output"), 1)
    output = bench.folder / "outputs" / "fox.jpg"
    picture = output.read_bytes()
    output.unlink()
    asked = bench.asked("paid_download"), bench.asked("poll")
    run = bench.apply()
    assert run.code == 0, run.out + run.err
    assert output.read_bytes() == picture
    assert (bench.asked("paid_download"), bench.asked("poll")) == asked
    bench.settled()
