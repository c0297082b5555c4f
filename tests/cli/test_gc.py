"""The store without what nothing names: what stays, what goes, and that it comes back."""

import os
import shutil
import subprocess
import time
from pathlib import Path

from tests.cli.conftest import Project

LONG_AGO = time.time() - 200 * 86400


def git(project: Project, *words: str) -> None:
    """Git in the project, as nobody in particular."""
    names = ("-c", "user.name=T", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *names, *words], cwd=project.root, check=True, capture_output=True)


def pictures(project: Project) -> set[str]:
    """Names of the files in the store."""
    return {path.name for path in (project.root / ".imagebatch/store").rglob("*") if len(path.stem) == 64}


def aged(project: Project, *, days_of: float = LONG_AGO) -> None:
    """Make all pictures of the store old."""
    for path in (project.root / ".imagebatch/store").rglob("*.*"):
        os.utime(path, (days_of, days_of))


def stray(project: Project) -> Path:
    """A picture in the store that nothing has ever named."""
    one = next(path for path in (project.root / ".imagebatch/store").rglob("*") if len(path.stem) == 64)
    target = one.parent / f"{one.name[:2]}{'0' * 62}{one.suffix}"
    shutil.copy(one, target)
    return target


def test_only_what_nothing_names_goes_and_it_comes_back(project: Project) -> None:
    project.run("apply", "-y")
    kept = pictures(project)
    lost = stray(project)
    young = project.run("gc")
    assert (young.code, "Not needed: 0 pictures" in young.out, "no git repository" in young.out) == (0, True, True)
    aged(project)
    told = project.run("gc")
    assert (told.code, "Not needed: 1 picture, " in told.out, lost.exists()) == (0, True, True)
    done = project.run("gc", "-y")
    assert (done.code, "Moved to the trash: 1 picture" in done.out, pictures(project)) == (0, True, kept)
    back = project.run("gc", "--restore")
    assert (back.code, "Restored 1 picture" in back.out, lost.exists()) == (0, True, True)
    assert project.run("gc", "--restore", "2001-01-01").code == 1
    assert project.run("gc", "2001-01-01").code == 64


def test_what_another_branch_names_is_kept(project: Project) -> None:
    project.run("apply", "-y")
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "drawn")
    git(project, "branch", "other")
    before = pictures(project)
    manifest = project.root / "manifests/catalog.yaml"
    manifest.write_text(manifest.read_text("utf-8").replace(", crown", ""), "utf-8")
    project.run("apply", "-y", "--force", "deletes")
    git(project, "commit", "-qam", "no crown")
    aged(project)
    assert "Not needed: 0 pictures" in project.run("gc", "--older", "1d").out
    git(project, "branch", "-D", "other")
    git(project, "commit", "-q", "--amend", "-m", "rewritten")
    git(project, "tag", "old", "HEAD~1")
    assert "Not needed: 0 pictures" in project.run("gc", "--older", "1d").out
    git(project, "tag", "-d", "old")
    assert "Not needed: 0 pictures" in project.run("gc", "--older", "365d").out  # the draw index remembers them
    gone = project.run("gc", "-y", "--older", "1d")
    assert (gone.code, "Moved to the trash: 4 pictures" in gone.out, len(pictures(project))) == (
        0,
        True,
        len(before) - 4,
    )


def test_trash_that_has_had_its_time_is_emptied(project: Project) -> None:
    project.run("apply", "-y")
    old = project.root / ".imagebatch/trash/store-2020-01-01/ab" / f"{'ab' + '0' * 62}.jpg"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"x")
    told = project.run("gc")
    assert ("To be emptied: store-2020-01-01" in told.out, old.exists()) == (True, True)
    project.run("gc", "-y", "--expire", "100000d")
    assert project.run("gc", "-y").code == 0
    assert not old.exists()


def test_a_repository_that_git_cannot_read_stops_it(project: Project) -> None:
    project.run("apply", "-y")
    stray(project)
    aged(project)
    (project.root / ".git").write_text("gitdir: /nowhere\n", "utf-8")
    before = pictures(project)
    refused = project.run("gc", "-y")
    assert (refused.code, "gc.git" in refused.err, pictures(project)) == (1, True, before)
