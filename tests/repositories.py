"""Real repositories for tests: a bare one that stands for the server, and clones of it."""

import os
import subprocess
from pathlib import Path

# Nothing of the person who runs the tests: no hooks, no signing, no names.
ENVIRON = {
    **{name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{role}_{part}": f"{part.lower()}@example.org" for role in ("AUTHOR", "COMMITTER")
       for part in ("NAME", "EMAIL")},
}  # fmt: skip


def git(folder: Path, *words: str) -> str:
    """Run git; gives what it said."""
    ran = subprocess.run(
        ["git", "-C", str(folder), *words], env=ENVIRON, capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def server(folder: Path) -> Path:
    """An empty bare repository."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--bare", "--initial-branch=main")
    return folder


def publish(folder: Path, remote: Path) -> Path:
    """Make a folder a clone of the server whose whole content is there as its first commit."""
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "remote", "add", "origin", str(remote))
    save(folder)
    return folder


def save(folder: Path) -> None:
    """Commit everything and push it, as a person or a job does."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "work")
    git(folder, "push", "--quiet", "origin", "HEAD:main")


def clone(remote: Path, folder: Path) -> Path:
    """A fresh clone, as another machine has it."""
    git(remote, "clone", "--quiet", "--branch", "main", str(remote), str(folder))
    return folder


def refs(remote: Path) -> dict[str, str]:
    """The server's refs of ours, with the commits that they point at."""
    lines = git(remote, "for-each-ref", "--format=%(refname) %(objectname)", "refs/imagebatch").splitlines()
    return dict(line.split(" ", 1) for line in lines)
