"""What is shared through git, with real repositories: refs that move or do not, and nothing that runs."""

import os
import stat
import sys
from pathlib import Path

import pytest

from imagebatch.effects.git import GitFailed, Move, PlainGit
from tests.repositories import ENVIRON, clone, git, publish, server

LEASE = f"refs/imagebatch/lease/{'a' * 32}"
JOURNAL = f"refs/imagebatch/journal/{'a' * 32}"


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return server(tmp_path / "server")


@pytest.fixture
def work(tmp_path: Path, remote: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "file").write_text("text", encoding="utf-8")
    return publish(folder, remote)


@pytest.fixture
def plain(work: Path) -> PlainGit:
    return PlainGit(work, "origin", ENVIRON)


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def fault(plain: PlainGit, *moves: Move) -> GitFailed:
    with pytest.raises(GitFailed) as caught:
        plain.push(moves)
    return caught.value


def test_a_ref_moves_from_what_is_expected_only(plain: PlainGit) -> None:
    one, two = plain.commit("one"), plain.commit("two")
    assert plain.read_ref(LEASE) is None
    assert plain.push([Move(ref=LEASE, expect=None, to=one)])
    assert not plain.push([Move(ref=LEASE, expect=None, to=two)]), "it was there already"
    assert not plain.push([Move(ref=LEASE, expect=two, to=None)])
    assert plain.read_ref(LEASE) == one
    assert plain.push([Move(ref=LEASE, expect=one, to=two)])
    assert plain.push([Move(ref=LEASE, expect=two, to=None)])
    assert plain.read_ref(LEASE) is None


def test_of_two_refs_both_move_or_none(plain: PlainGit) -> None:
    one, two = plain.commit("one"), plain.commit("two")
    assert plain.push([Move(ref=LEASE, expect=None, to=one)])
    assert not plain.push([Move(ref=LEASE, expect=two, to=None), Move(ref=JOURNAL, expect=None, to=two)])
    assert plain.read_ref(JOURNAL) is None
    assert plain.push([Move(ref=LEASE, expect=one, to=two), Move(ref=JOURNAL, expect=None, to=one)])
    assert (plain.read_ref(LEASE), plain.read_ref(JOURNAL)) == (two, one)


def test_another_clone_reads_the_bytes_that_were_put_there(plain: PlainGit, remote: Path, tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    commit = plain.commit("what it is\n\nand more\n", content)
    assert plain.push([Move(ref=JOURNAL, expect=None, to=commit)])
    other = PlainGit(clone(remote, tmp_path / "other"), "origin", ENVIRON)
    assert other.read(JOURNAL, commit) == ("what it is\n\nand more\n", content)
    assert not (tmp_path / "other" / ".git" / "FETCH_HEAD").exists()


def test_tree_index_branches_and_configuration_stay_as_they_are(plain: PlainGit, work: Path) -> None:
    (work / "file").write_text("edited", encoding="utf-8")
    before = git(work, "status", "--porcelain"), git(work, "for-each-ref"), (work / ".git" / "config").read_bytes()
    commit = plain.commit("one", b"bytes")
    assert plain.push([Move(ref=LEASE, expect=None, to=commit)])
    plain.read(LEASE, commit)
    after = git(work, "status", "--porcelain"), git(work, "for-each-ref"), (work / ".git" / "config").read_bytes()
    assert before == after


def test_a_remote_that_takes_no_pushes_is_told_from_one_that_cannot_be_reached(plain: PlainGit, remote: Path) -> None:
    commit = plain.commit("one")
    script(remote / "hooks" / "pre-receive", "echo read only >&2; exit 1")
    failed = fault(plain, Move(ref=LEASE, expect=None, to=commit))
    assert (failed.fault, "read only" in str(failed)) == ("denied", True)
    remote.rename(remote.with_name("elsewhere"))
    assert fault(plain, Move(ref=LEASE, expect=None, to=commit)).fault == "unreachable"
    with pytest.raises(GitFailed) as caught:
        plain.read_ref(LEASE)
    assert caught.value.fault == "unreachable"


def test_a_push_that_arrived_although_its_answer_was_lost_counts(plain: PlainGit, remote: Path) -> None:
    commit = plain.commit("one")
    script(remote / "hooks" / "post-receive", "kill -9 $PPID")  # the server dies once the ref has moved
    assert plain.push([Move(ref=LEASE, expect=None, to=commit)])
    assert plain.read_ref(LEASE) == commit


def test_a_remote_that_never_answers_is_given_up(plain: PlainGit, remote: Path) -> None:
    commit = plain.commit("one")
    script(remote / "hooks" / "pre-receive", "sleep 600")
    failed = fault_within(plain, Move(ref=LEASE, expect=None, to=commit))
    assert "gave no end" in str(failed)
    assert plain.read_ref(LEASE) is None


def fault_within(plain: PlainGit, move: Move) -> GitFailed:
    with pytest.raises(GitFailed) as caught:
        plain.push([move], limit_s=0.5)
    return caught.value


@pytest.mark.parametrize("name", ["nowhere", "-x", "--upload-pack=touch", "../server", "https://example.org/x", ""])
def test_only_a_remote_of_the_repository_is_spoken_to(work: Path, name: str) -> None:
    with pytest.raises(GitFailed) as caught:
        PlainGit(work, name, ENVIRON)
    assert caught.value.fault == "remote"


@pytest.mark.parametrize("address", ["ext::sh -c touch% {mark}", "-u{mark}", "fd::17"])
def test_an_address_that_runs_a_program_is_refused(work: Path, tmp_path: Path, address: str) -> None:
    mark = tmp_path / "mark"
    git(work, "config", "remote.bad.url", address.replace("{mark}", str(mark)))
    with pytest.raises(GitFailed):
        PlainGit(work, "bad", ENVIRON)
    assert not mark.exists()


def test_no_git_and_no_repository_are_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(GitFailed, match="no git program"):
        PlainGit(tmp_path, "origin", {"PATH": str(tmp_path)})
    with pytest.raises(GitFailed, match="not a git repository"):
        PlainGit(tmp_path, "origin", {**ENVIRON, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)})


def test_nothing_of_the_repository_runs(work: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    evil = script(tmp_path / "evil", f'touch "{mark}"')
    for hook in ("pre-push", "reference-transaction", "post-index-change", "pre-auto-gc"):
        script(work / ".git" / "hooks" / hook, f'touch "{mark}"')
    for key in ("core.fsmonitor", "core.pager", "core.askPass", "remote.origin.receivepack", "gpg.program"):
        git(work, "config", key, str(evil))
    # A remote that is named like the address is asked for what programs to run, whatever remote was meant.
    address = f"file://{git(work, 'remote', 'get-url', 'origin')}"
    git(work, "remote", "set-url", "origin", address)
    for key in ("receivepack", "uploadpack"):
        git(work, "config", f"remote.{address}.{key}", f"{evil}; git-{key.replace('pack', '-pack')}")
    git(work, "config", "core.hooksPath", str(work / ".git" / "hooks"))
    git(work, "config", "push.gpgSign", "if-asked")
    git(work, "config", "uploadpack.packObjectsHook", str(evil))
    mark.unlink(missing_ok=True)
    plain = PlainGit(work, "origin", ENVIRON)
    commit = plain.commit("one", b"bytes")
    assert plain.push([Move(ref=LEASE, expect=None, to=commit)])
    assert plain.read_ref(LEASE) == commit
    plain.read(LEASE, commit)
    assert not mark.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a stand-in for git is a shell script here")
def test_no_key_and_no_prompt_reach_git(work: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    real = next(Path(one) / "git" for one in ENVIRON["PATH"].split(os.pathsep) if (Path(one) / "git").exists())
    script(tmp_path / "bin" / "git", f'env >> "{seen}"; exec "{real}" "$@"')
    given = {**ENVIRON, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{ENVIRON['PATH']}", "OPENAI_API_KEY": "kanari",
             "MY_OWN_KEY": "kanari", "GIT_DIR": "/nowhere", "GIT_TRACE": "1"}  # fmt: skip
    PlainGit(work, "origin", given).read_ref(LEASE)
    text = seen.read_text("utf-8")
    assert "kanari" not in text
    assert "GIT_DIR" not in text
    assert "GIT_TRACE" not in text
    assert "GIT_TERMINAL_PROMPT=0" in text
