"""What the commits of a repository hold under some paths: of every ref, stash, work tree, and the index."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from imagebatch.effects.git import GitFailed, PlainGit, local_environment


class LocalGit(PlainGit):
    """The git program in the repository around `root`, asked about this clone only; no remote is spoken to.

    Raises GitFailed (`unusable`) where there is no git program, or where `root` is in no repository.
    """

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        program = shutil.which("git", path=environ.get("PATH"))
        if program is None:
            raise GitFailed("unusable", "there is no git program in PATH")
        self._program = program
        self._root = root
        self._environ = local_environment(environ)
        self._text("rev-parse", "--git-dir")

    def versions(self, paths: Sequence[str]) -> Iterator[bytes]:
        """Every version of these files (or of files below these folders) that a ref or the index has, each once."""
        blobs = set(self._blobs(self._git("ls-files", "--stage", "-z", "--", *paths), at=1))
        for commit in self._commits():
            blobs |= set(self._blobs(self._git("ls-tree", "-r", "-z", commit, "--", *paths), at=2))
        for blob in sorted(blobs):
            yield self._git("cat-file", "blob", blob)

    def unpublished(self, folder: str) -> frozenset[str]:
        """The names of files below a folder that no remote has, as far as this clone has heard: HEAD's own commits."""
        found = self._git("log", "--format=", "--name-only", "--diff-filter=A", "-z", "HEAD", "--not", "--remotes",
                          "--", folder)  # fmt: skip
        return frozenset(_names(found))

    def committed(self, folder: str) -> frozenset[str]:
        """The names of files below a folder that HEAD has."""
        return frozenset(_names(self._git("ls-tree", "-r", "-z", "--name-only", "HEAD", "--", folder)))

    def ignored(self, folder: str) -> frozenset[str]:
        """The names of files below a folder that git leaves out because a .gitignore says so."""
        return frozenset(
            _names(self._git("ls-files", "--others", "--ignored", "--exclude-standard", "-z", "--", folder))
        )

    def in_lfs(self, path: str) -> bool:
        """Whether a file at this path would be kept by Git LFS."""
        return self._git("check-attr", "-z", "filter", "--", path).split(b"\0")[2:3] == [b"lfs"]

    def has_lfs(self) -> bool:
        """Whether Git LFS works in this clone: without its filter git commits whole files, whatever attributes say."""
        return bool(self._git("config", "--get", "--default", "", "filter.lfs.clean").strip())

    def _commits(self) -> tuple[str, ...]:
        """The commits at the tips of all refs, of the stashes, and of all work trees."""
        found: set[str] = set()
        form = "--format=%(objecttype) %(objectname) %(*objecttype) %(*objectname)"
        for line in self._text("for-each-ref", form).splitlines():
            words = line.split()
            found |= {oid for kind, oid in zip(words[::2], words[1::2], strict=False) if kind == "commit"}
        for line in self._text("worktree", "list", "--porcelain").splitlines():
            kind, _, oid = line.partition(" ")
            if kind == "HEAD" and oid.strip("0"):
                found.add(oid)
        if self._text("for-each-ref", "refs/stash"):
            found |= set(self._text("rev-list", "--walk-reflogs", "refs/stash").split())
        return tuple(sorted(found))

    @staticmethod
    def _blobs(listing: bytes, *, at: int) -> Iterator[str]:
        for line in listing.split(b"\0"):
            words = line.partition(b"\t")[0].split()
            if len(words) > at:
                yield words[at].decode("ascii")


def _names(listing: bytes) -> Iterator[str]:
    for path in listing.replace(b"\n", b"\0").split(b"\0"):
        if path:
            yield path.rpartition(b"/")[2].decode("utf-8", "replace")
