"""Originals beyond one machine: a shared folder, git, and runners that vanish."""

import errno
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from imagebatch.outputs import shelf
from tests.cases.scenes import APPLY
from tests.cases.world import Ran, Simulated, World

ONCE = {"params": {"model": "gpt-image-2", "size": "1024x1024"}, "provider": "openai"}


def _checkout(tmp_path: Path, simulated: Simulated, where: str, **store: Any) -> World:
    """A checkout; those of one test have one account and one lineage."""
    base = tmp_path / where
    world = World(name=tmp_path.name, base=base, simulated=simulated)
    more = {"store": store} if store else {}
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage, **more))
    world.assets(
        {
            "fox": {"prompt": "a fox", "output": "out/fox.jpg"},
            "owl": {"prompt": "an owl", "output": "out/owl.png", **ONCE},
        }
    )
    return world


def _drawn_and_shared(tmp_path: Path, simulated: Simulated) -> tuple[Path, World]:
    """A shared folder, and the checkout that has drawn what lies there."""
    shared = tmp_path / "shared"
    shared.mkdir()
    first = _checkout(tmp_path, simulated, "a", share=f"dir:{shared}")
    assert first.run(*APPLY).code == 0
    return shared, first


def _clone(tmp_path: Path, of: World, where: str) -> World:
    """What git brings to another machine: everything but outputs and `.imagebatch/`."""
    world = World(name=tmp_path.name, base=tmp_path / where, simulated=of.simulated)
    world.copy_from(of)
    shutil.rmtree(world.project / ".imagebatch")
    shutil.rmtree(world.project / "out")
    return world


def _originals(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if len(path.stem) == 64)


def _only_here(ran: Ran) -> int:
    (summary,) = ran.of_type("summary")
    count: int = summary.get("originals_only_here", 0)
    return count


def _outputs(world: World) -> list[bytes]:
    return [(world.project / path).read_bytes() for path in ("out/fox.jpg", "out/owl.png")]


def test_a_second_checkout_pays_and_fetches_nothing(tmp_path: Path, simulated: Simulated) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    first = _checkout(tmp_path, simulated, "a", share=f"dir:{shared}")
    ran = first.run(*APPLY)
    assert (ran.code, _only_here(ran), len(_originals(shared))) == (0, 0, 2), str(ran)
    second = _clone(tmp_path, first, "b")
    ran = second.run(*APPLY)
    assert (ran.code, len(second.billed()), second.asked()) == (0, 0, 0), str(ran)
    assert _outputs(second) == _outputs(first)
    assert second.run("plan", "--json").lines[0]["changes"] == []
    assert len(_originals(second.project / ".imagebatch/store")) == 2


def test_a_corrupted_original_is_refused_and_fetched_again(tmp_path: Path, simulated: Simulated) -> None:
    shared, first = _drawn_and_shared(tmp_path, simulated)
    (fox,) = (path for path in _originals(shared) if path.suffix == ".jpg")
    good = fox.read_bytes()
    fox.write_bytes(good[:-1] + b"?")
    second = _clone(tmp_path, first, "b")
    ran = second.run(*APPLY)
    assert (ran.code, len(second.billed()), second.asked(op="download")) == (0, 0, 1), str(ran)
    assert "other bytes than its name says" in ran.out
    assert _outputs(second) == _outputs(first)
    assert (fox.read_bytes(), _only_here(ran)) == (good, 0), "the right bytes take its place in the shared folder"


def test_a_corrupted_original_that_nobody_can_send_again_is_not_paid_again(
    tmp_path: Path, simulated: Simulated
) -> None:
    shared, first = _drawn_and_shared(tmp_path, simulated)
    (owl,) = (path for path in _originals(shared) if path.suffix == ".png")
    owl.write_bytes(b"no picture at all")
    second = _clone(tmp_path, first, "b")
    ran = second.run(*APPLY)
    assert (ran.code, len(second.billed())) == (3, 0), str(ran)
    assert (second.project / "out/fox.jpg").exists()
    assert not (second.project / "out/owl.png").exists()
    assert "and was put aside" in ran.out + ran.err
    assert len(_originals(shared)) == 1
    ran = first.run(*APPLY)
    assert (ran.code, _only_here(ran), len(_originals(shared))) == (0, 0, 2), "who has it shares it again"
    ran = second.run(*APPLY)
    assert (ran.code, len(second.billed())) == (0, 0), str(ran)
    assert _outputs(second) == _outputs(first)


def test_the_last_copy_is_kept_where_the_shared_one_is_rotten(tmp_path: Path, simulated: Simulated) -> None:
    shared, first = _drawn_and_shared(tmp_path, simulated)
    (owl,) = (path for path in _originals(shared) if path.suffix == ".png")
    good = owl.read_bytes()
    owl.write_bytes(b"rotten")
    second = World(name=tmp_path.name, base=tmp_path / "b", simulated=simulated)
    second.copy_from(first)
    shutil.rmtree(second.project / ".imagebatch")
    assert (second.project / "out/owl.png").read_bytes() == good
    second.assets({"owl": {"prompt": "an owl at night", "output": "out/owl.png", **ONCE}})
    ran = second.run(*APPLY, "--force", "deletes")
    assert (ran.code, len(second.billed())) == (0, 1), str(ran)
    assert (second.project / ".imagebatch/store" / owl.parent.name / owl.name).read_bytes() == good


@pytest.mark.parametrize("trouble", ["missing", "in the way", "a link in it"])
def test_a_folder_that_takes_nothing_is_a_warning_with_the_number(
    trouble: str, tmp_path: Path, simulated: Simulated
) -> None:
    shared = tmp_path / "shared"
    if trouble == "in the way":
        shared.write_text("a file")
    world = _checkout(tmp_path, simulated, "a", share=f"dir:{shared}")
    if trouble == "a link in it":
        shared.mkdir()
        for number in range(256):
            (shared / f"{number:02x}").symlink_to("/dev/null")
    ran = world.run(*APPLY)
    assert (ran.code, _only_here(ran), len(_originals(world.project / ".imagebatch/store"))) == (0, 2, 2), str(ran)
    assert "2 originals are not shared" in ran.out
    told = world.run("apply", "-y")
    assert told.out.rstrip().endswith("2 originals exist only on this machine")
    if trouble == "missing":
        shared.mkdir()
        ran = world.run(*APPLY)
        assert (ran.code, _only_here(ran), len(_originals(shared)), len(world.billed())) == (0, 0, 2, 2), str(ran)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_folder_that_is_full_or_read_only_gives_what_it_has(
    number: int, tmp_path: Path, simulated: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, first = _drawn_and_shared(tmp_path, simulated)
    second = _clone(tmp_path, first, "b")
    elk = {"elk": {"prompt": "an elk", "output": "out/elk.jpg"}, "emu": {"prompt": "an emu", "output": "out/emu.jpg"}}
    manifest = json.loads((second.project / "manifests/case.yaml").read_text("utf-8"))["assets"]
    second.assets({**manifest, **elk})

    def refusing(source: Path, target: Path) -> str:
        raise OSError(number, os.strerror(number), str(target))

    with monkeypatch.context() as patch:
        patch.setattr(shelf, "copy_hashed", refusing)  # the store's own copies go another way
        ran = second.run(*APPLY)
    assert (ran.code, _only_here(ran), len(second.billed("create"))) == (0, 2, 2), str(ran)
    assert "2 originals are not shared" in ran.out
    assert (_outputs(second), len(_originals(shared))) == (_outputs(first), 2)
    assert not list(shared.rglob("*.part"))
    ran = second.run(*APPLY)
    assert (ran.code, _only_here(ran), len(_originals(shared)), len(second.billed("create"))) == (0, 0, 4, 2), str(ran)


def test_without_a_share_each_apply_ends_with_the_number(tmp_path: Path, simulated: Simulated) -> None:
    world = _checkout(tmp_path, simulated, "a")
    for _ in range(2):
        ran = world.run("apply", "-y")
        assert (ran.code, ran.out.rstrip().splitlines()[-1]) == (0, "2 originals exist only on this machine"), str(ran)


def test_the_store_moves_with_its_path(tmp_path: Path, simulated: Simulated) -> None:
    world = _checkout(tmp_path, simulated, "a")
    assert world.run(*APPLY).code == 0
    shutil.rmtree(world.project / "out")
    store = {"path": "art/originals"}
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage, store=store))
    planned = world.run("plan", "--json").lines[0]["changes"]
    assert {one["action"] for one in planned} == {"develop"}
    ran = world.run(*APPLY)
    assert (ran.code, len(world.billed()), world.asked(op="download")) == (0, 2, 1), str(ran)
    assert len(_originals(world.project / "art/originals")) == 2
    assert not _originals(world.project / ".imagebatch/store")


def test_git_shares_what_is_committed_and_pushed(tmp_path: Path, simulated: Simulated) -> None:
    world = _checkout(tmp_path, simulated, "a", path="originals", share="git")
    _git(tmp_path, "init", "-q", "--bare", "origin.git")
    _git(world.project, "init", "-q")
    _git(world.project, "remote", "add", "origin", str(tmp_path / "origin.git"))
    ran = world.run("apply", "-y")
    assert (ran.code, ran.out.rstrip().splitlines()[-2:]) == (
        0, ["2 originals exist only on this machine", "  next: git add originals, then commit and push"],
    ), str(ran)  # fmt: skip
    _git(world.project, "add", "-A", "--", "originals", "imagebatch.lock", "imagebatch.yaml", "manifests")
    _git(world.project, "commit", "-qm", "drawn")
    assert _only_here(world.run(*APPLY)) == 2
    _git(world.project, "push", "-q", "origin", "HEAD:main")
    assert _only_here(world.run(*APPLY)) == 0
    _git(tmp_path, "clone", "-q", "-b", "main", str(tmp_path / "origin.git"), str(tmp_path / "b" / "project"))
    second = World(name=tmp_path.name, base=tmp_path / "b", simulated=simulated)
    ran = second.run(*APPLY)
    assert (ran.code, len(second.billed()), second.asked(), _only_here(ran)) == (0, 0, 0, 0), str(ran)
    assert _outputs(second) == _outputs(world)
    assert _git(second.project, "status", "--porcelain", "--", "originals") == ""


def test_git_without_a_repository_is_a_warning(tmp_path: Path, simulated: Simulated) -> None:
    world = _checkout(tmp_path, simulated, "a", path="originals", share="git")
    world.environment["GIT_CEILING_DIRECTORIES"] = str(tmp_path)
    ran = world.run(*APPLY)
    assert (ran.code, _only_here(ran), "originals are not shared by git" in ran.out) == (0, 2, True), str(ran)


def test_a_pointer_of_lfs_is_no_original(tmp_path: Path, simulated: Simulated) -> None:
    world = _checkout(tmp_path, simulated, "a", path="originals", share="lfs")
    _git(world.project, "init", "-q")
    _git(world.project, "config", "filter.lfs.clean", "")  # whatever is set up on this machine
    ran = world.run(*APPLY)
    line = "/originals/** filter=lfs diff=lfs merge=lfs -text"
    assert (ran.code, line in ran.out) == (0, True), str(ran)
    assert "Git LFS is not set up here, so git would commit originals whole" in ran.out
    _git(world.project, "config", "filter.lfs.clean", "git-lfs clean -- %f")
    assert "Git LFS is not set up" not in world.run(*APPLY).out
    world.write(".gitattributes", line + "\n")
    world.write(".gitignore", "originals/\n")
    ran = world.run(*APPLY)
    assert (line in ran.out, "originals is ignored by git" in ran.out) == (False, True), str(ran)
    clone = _clone(tmp_path, world, "b")
    for path in _originals(clone.project / "originals"):
        path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n")
    ran = clone.run(*APPLY)
    assert (ran.code, len(clone.billed()), clone.asked(op="download")) == (3, 0, 1), str(ran)
    assert "2 originals in originals cannot be used" in ran.out
    assert "git lfs pull brings the right ones" in ran.out
    assert clone.entries()["owl"]["status"] == "succeeded"
    # What is only not filled yet is not paid again.
    plan = clone.run("plan", "--json", "--force", "missing").lines[0]
    assert [one["code"] for one in plan["blocked_by"]] == ["store.unfilled"]
    assert any("git lfs pull brings" in note for note in plan["notes"])
    refused = clone.run(*APPLY, "--force", "missing")
    assert (refused.code, len(clone.billed())) == (4, 0), str(refused)
    shutil.copytree(world.project / "originals", clone.project / "originals", dirs_exist_ok=True)  # git lfs pull
    assert (clone.run(*APPLY, "--force", "missing").code, len(clone.billed())) == (0, 0)


def test_ci_pays_nothing_that_would_go_with_the_runner(tmp_path: Path, simulated: Simulated) -> None:
    world = _checkout(tmp_path, simulated, "a")
    world.environment["CI"] = "true"
    ran = world.run(*APPLY)
    assert (ran.code, ran.codes, len(world.billed()), world.asked(op="create")) == (
        4, frozenset({"store.ephemeral"}), 0, 0,
    ), str(ran)  # fmt: skip
    assert "store: {share: dir:" in ran.out
    plan = world.run("plan", "--json")
    assert (plan.code, plan.codes) == (0, frozenset({"store.ephemeral"}))
    fine = world.run(*APPLY, "-s", "fox")  # its provider can send it again
    assert (fine.code, len(world.billed("create"))) == (0, 1), str(fine)


@pytest.mark.parametrize(
    "store", [{"share": "none"}, {"share": "dir:${SHARED}"}, {"share": "git", "path": "originals"}]
)
def test_ci_pays_where_originals_are_said_to_live_on(
    store: dict[str, str], tmp_path: Path, simulated: Simulated
) -> None:
    world = _checkout(tmp_path, simulated, "a", **store)
    (tmp_path / "shared").mkdir()
    world.environment.update(CI="true", SHARED=str(tmp_path / "shared"))
    ran = world.run(*APPLY)
    assert (ran.code, len(world.billed("create", "generate"))) == (0, 2), str(ran)


def test_ci_pays_nothing_while_the_shared_folder_is_not_there(tmp_path: Path, simulated: Simulated) -> None:
    world = _checkout(tmp_path, simulated, "a", share="dir:../../shared")
    world.environment["CI"] = "true"
    ran = world.run(*APPLY)
    assert (ran.code, ran.codes, len(world.billed())) == (4, frozenset({"store.ephemeral"}), 0), str(ran)
    assert "../../shared is not there" in ran.out
    (tmp_path / "shared").mkdir()
    ran = world.run(*APPLY)
    assert (ran.code, len(_originals(tmp_path / "shared"))) == (0, 2), str(ran)


def test_nothing_missing_is_paid_again_while_the_shared_folder_is_not_there(
    tmp_path: Path, simulated: Simulated
) -> None:
    shared, first = _drawn_and_shared(tmp_path, simulated)
    second = _clone(tmp_path, first, "b")
    shared.rename(tmp_path / "unmounted")
    assert "is not there; what lies only there counts as missing here" in second.run("plan").out
    ran = second.run(*APPLY, "--force", "missing")
    assert (ran.code, ran.codes, len(second.billed())) == (4, frozenset({"store.unmounted"}), 0), str(ran)
    (tmp_path / "unmounted").rename(shared)
    ran = second.run(*APPLY, "--force", "missing")
    assert (ran.code, len(second.billed())) == (0, 0), str(ran)
    assert _outputs(second) == _outputs(first)


def test_one_rotten_original_holds_up_no_other(tmp_path: Path, simulated: Simulated) -> None:
    world = _checkout(tmp_path, simulated, "a")
    assert world.run(*APPLY).code == 0
    rotten = _originals(world.project / ".imagebatch/store")[0]
    rotten.write_bytes(b"rotten")
    (tmp_path / "shared").mkdir()
    store = {"share": f"dir:{tmp_path / 'shared'}"}
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage, store=store))
    ran = world.run(*APPLY)
    assert (ran.code, _only_here(ran), len(_originals(tmp_path / "shared"))) == (0, 1, 1), str(ran)
    assert f"1 original is not shared: {tmp_path / 'shared'}: sha256:{rotten.stem} has other bytes" in ran.out


def test_a_rehearsal_and_the_simulator_share_and_count_nothing(tmp_path: Path, simulated: Simulated) -> None:
    world = _checkout(tmp_path, simulated, "a", share=f"dir:{tmp_path}/shared")
    (tmp_path / "shared").mkdir()
    world.environment["IMAGEBATCH_SIMULATOR_PROFILE"] = "fast"
    ran = world.run("--simulate", *APPLY)
    assert (ran.code, _only_here(ran), _originals(tmp_path / "shared")) == (0, 0, []), str(ran)
    world.settings = {face: {"base_url": "simulator"} for face in ("openai", "all-images")}
    world.write("imagebatch.yaml", world.project_file(lineage=world.lineage, store={"share": "none"}))
    ran = world.run(*APPLY)
    assert (ran.code, _only_here(ran), len(world.entries())) == (0, 0, 2), str(ran)


def test_gc_leaves_a_shared_folder_alone_unless_told(tmp_path: Path, simulated: Simulated) -> None:
    shared, _ = _drawn_and_shared(tmp_path, simulated)
    second = World(name=f"{tmp_path.name}-other", base=tmp_path / "b", simulated=simulated)
    second.write("imagebatch.yaml", second.project_file(lineage=second.lineage, store={"share": f"dir:{shared}"}))
    second.assets({"elk": {"prompt": "an elk", "output": "out/elk.jpg"}})
    assert second.run(*APPLY).code == 0
    before = _originals(shared)
    for path in before:
        os.utime(path, (1, 1))
    ran = second.run("gc", "-y")
    assert (ran.code, _originals(shared)) == (0, before), str(ran)
    assert "other checkouts" in ran.out
    told = second.run("gc", "--shared")
    assert (told.code, "2 pictures" in told.out, _originals(shared)) == (0, True, before), str(told)
    done = second.run("gc", "--shared", "-y")
    assert (done.code, len([path for path in _originals(shared) if "trash" not in path.parts])) == (0, 1), str(done)
    back = second.run("gc", "--shared", "--restore")
    assert (back.code, _originals(shared)) == (0, before), str(back)


def test_what_is_wrong_with_store_is_told_at_its_place(tmp_path: Path, simulated: Simulated) -> None:
    cases = {
        "manifest.range": [{"share": "s3"}, {"share": "dir:"}, {"share": "git"}, {"share": "dir:~/x"},
                           {"share": "dir:./art/", "path": "art"}],
        "manifest.variable": [{"share": "dir:${NOT_SET_HERE}"}, {"path": "${NOT_SET_HERE}"}],
        "path.outside_project": [{"path": "../elsewhere"}, {"path": "/tmp"}],
        "path.reserved": [{"path": "manifests"}, {"path": ".git/x"}, {"path": ".imagebatch/other"}],
    }  # fmt: skip
    for code, stores in cases.items():
        for store in stores:
            world = _checkout(tmp_path, simulated, "a", **store)
            ran = world.run("validate", "--json")
            told = [one for one in ran.of_type("diagnostic") if one["severity"] == "error"]
            assert (ran.code, [one["code"] for one in told]) == (1, [code]), f"{json.dumps(store)}: {ran}"
            assert (told[0]["path"], told[0]["line"] > 1) == ("imagebatch.yaml", True), store


def test_a_store_behind_a_link_is_refused(tmp_path: Path, simulated: Simulated) -> None:
    world = _checkout(tmp_path, simulated, "a", path="art/originals")
    (tmp_path / "elsewhere").mkdir()
    (world.project / "art").symlink_to(tmp_path / "elsewhere")
    ran = world.run(*APPLY)
    assert (ran.code, ran.codes, len(world.billed())) == (1, frozenset({"path.symlink"}), 0), str(ran)


def _git(folder: Path, *words: str) -> str:
    names = ("-c", "user.name=T", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main")
    return subprocess.run(["git", *names, *words], cwd=folder, check=True, capture_output=True, text=True).stdout
