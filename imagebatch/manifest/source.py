"""Project files into text: regular files inside the project only, bounded, UTF-8, hashed."""

import errno
import hashlib
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from os import stat_result
from pathlib import Path, PurePosixPath

from imagebatch.effects import seams
from imagebatch.effects.disk import READ, READ_REGULAR
from imagebatch.effects.files import is_link, opened, read_rest
from imagebatch.manifest.characters import BAD_IN_TEXT, char_kind, describe_char, quoted
from imagebatch.manifest.findings import Findings
from imagebatch.model.variant import Place

PROJECT_FILE = "imagebatch.yaml"
MAX_MANIFEST_BYTES = 4 * 1024 * 1024
MAX_TABLE_BYTES = 64 * 1024 * 1024
MAX_REFERENCE_BYTES = 64 * 1024 * 1024
MAX_FILES = 10_000

_HEAD = 512
_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFLNK: "a link that leads back to itself"}
_LFS = b"version https://git-lfs.github.com/spec/"
_CONFLICT = re.compile(r"^<<<<<<< .*?^=======\r?$.*?^>>>>>>> ", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file of the project as it was read: project path, text without BOM, `sha256` hex of its bytes."""

    path: str
    text: str
    sha256: str


class Sources:
    """Reads files below one project root and remembers what was read.

    Problems go to `findings`; nothing outside the root is opened, and no link, pipe or device can make a read hang.
    """

    def __init__(self, root: Path, findings: Findings) -> None:
        self.root = root
        self._real_root = Path(seams.disk.realpath(root))
        self._findings = findings
        self.hashes: dict[str, str] = {}

    def read_text(
        self, path: str, *, area: str, place: Place | None = None, limit: int = MAX_MANIFEST_BYTES, note: bool = True
    ) -> SourceFile | None:
        """Read a text file.

        Args:
            path: project path with `/`; anything that leads outside is refused.
            area: first part of the problem codes (`manifest`, `data`, `template`, `path`).
            place: where the path was written down, None for files found by themselves.
            limit: largest size in bytes.
            note: whether the file belongs into `hashes`.

        Returns None where a problem was noted.
        """
        data = self._bytes(path, area=area, place=place, limit=limit)
        if data is None:
            return None
        digest = hashlib.sha256(data).hexdigest()
        if note:
            self.hashes[path] = digest
        text = self._decoded(data, path, area)
        if text is None or self._conflicted(text, path, area):
            return None
        return SourceFile(path=path, text=text, sha256=digest)

    def check_file(self, path: str, *, place: Place, what: str) -> bool:
        """Whether `path` is a regular file inside the project; the problem is noted where it is not."""
        if not self.check_inside(path, place=place, what=what):
            return False
        full = self._real_root / path
        try:
            facts = seams.disk.stat(full)
        except OSError as error:
            self._unreadable(path, "path", error, place)
            return False
        return self._confined(full, path, "path", place) and self._regular(facts, path, "path", place)

    def why_no_picture(self, path: str) -> str | None:
        """What a checked file is that no picture is, by its first bytes; None where it may be one."""
        try:
            with opened(self._real_root / path, READ) as handle:
                size = seams.disk.fstat(handle).st_size
                head = read_rest(handle, _HEAD)
        except OSError as error:
            return f"cannot be read: {error.strerror or 'unknown error'}"
        if size > MAX_REFERENCE_BYTES:
            return f"is larger than {MAX_REFERENCE_BYTES // (1024 * 1024)} MiB, the most that a picture may have"
        if not head:
            return "is empty"
        if head.startswith(_LFS):
            return "is only Git LFS's pointer to the picture"
        return "is text, not a picture" if _is_text(head) else None

    def check_inside(self, path: str, *, place: Place | None, what: str) -> bool:
        """Whether a written path stays below the root by its text; notes `path.outside_project` where not."""
        windows = len(path) > 1 and path[1] == ":" and path[0].isascii() and path[0].isalpha()
        if path and not (
            path.startswith(("/", "\\", "~")) or windows or "\\" in path or ".." in PurePosixPath(path).parts
        ):
            return True
        self._findings.add(
            "path.outside_project",
            "path leads outside the project" if path else "path is empty",
            f"{what} {quoted(path)} has to be relative to the project's root, with '/' and without '..'.",
            place=place,
            hint="copy the file into the project and name it from there",
        )
        return False

    def find(
        self, folder: str, suffix: str, *, area: str, limit: int = MAX_FILES, place: Place | None = None
    ) -> tuple[list[str], list[str]]:
        """Project paths of the files below `folder` with `suffix`, and of the others, each sorted by code point.

        Hidden files and folders are left out, linked folders not entered. `place` is where the folder was written down.
        """
        top = self._real_root / folder
        found: list[str] = []
        others: list[str] = []
        if seams.disk.lexists(top) and not self._confined(top, folder, area, place):
            return found, others
        for relative in self._walk(top, area):
            (found if relative.endswith(suffix) else others).append(relative)
            if len(found) + len(others) > limit:
                self._findings.add(
                    f"{area}.too_many_files",
                    "too many files",
                    f"{folder}/ holds more than {limit} files"
                    + ("." if area == "data" else "; put several assets into one file."),
                    place=place,
                    path=folder,
                )
                return [], []
        return sorted(found), sorted(others)

    def _walk(self, top: Path, area: str) -> Iterator[str]:
        def unreadable(error: OSError) -> None:
            # A folder that cannot be looked into must not look like a folder with nothing in it.
            if error.errno not in {errno.ENOENT, errno.ENOTDIR}:
                self._unreadable(self._relative(Path(error.filename or top)), area, error, None)

        for folder, folders, names in seams.disk.walk(top, onerror=unreadable):
            here = Path(folder)
            folders[:] = sorted(
                name for name in folders if not name.startswith(".") and not self._linked(here / name, area)
            )
            for name in sorted(names):
                if not name.startswith(".") and self._named(here / name, area):
                    yield self._relative(here / name)

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._real_root).as_posix()

    def _linked(self, path: Path, area: str) -> bool:
        if not is_link(path):
            return False
        self._findings.add(
            f"{area}.not_read",
            "folder is not read",
            f"{quoted(self._relative(path))} is a linked folder, and those are not entered.",
            path=self._relative(path.parent),
            severity="warning",
        )
        return True

    def _named(self, path: Path, area: str) -> bool:
        """Whether a file's name can be shown and written down."""
        bad = BAD_IN_TEXT.search(path.name)
        if bad is None:
            return True
        self._findings.add(
            f"{area}.{char_kind(bad[0])}",
            "file name cannot be used",
            f"the file name {quoted(path.name)} holds {describe_char(bad[0])}.",
            path=self._relative(path.parent),
        )
        return False

    def _bytes(self, path: str, *, area: str, place: Place | None, limit: int) -> bytes | None:
        full = self._real_root / path
        try:
            facts = seams.disk.lstat(full)
            if stat.S_ISLNK(facts.st_mode):
                if not self._confined(full, path, area, place):
                    return None
                full = Path(seams.disk.realpath(full))
                facts = seams.disk.lstat(full)
            if not self._confined(full, path, area, place) or not self._regular(facts, path, area, place):
                return None
            # lstat first and O_NONBLOCK: a pipe put there in between cannot make open() wait.
            with opened(full, READ_REGULAR) as handle:
                if not self._regular(seams.disk.fstat(handle), path, area, place):
                    return None
                data = read_rest(handle, limit + 1)
        except OSError as error:
            self._unreadable(path, area, error, place)
            return None
        if len(data) > limit:
            self._findings.add(
                f"{area}.too_large",
                "file is too large",
                f"{path} is larger than {limit // (1024 * 1024)} MiB.",
                place=place,
                path=path,
            )
            return None
        return data

    def _confined(self, full: Path, path: str, area: str, place: Place | None) -> bool:
        if Path(seams.disk.realpath(full)).is_relative_to(self._real_root):
            return True
        self._findings.add(
            f"{area}.not_regular" if area != "path" else "path.symlink",
            "file is a link that leads outside the project",
            f"{path} is reached through a link to a place outside the project, so its content is nobody's to check.",
            place=place,
            path=path,
            hint="put the file itself into the project",
        )
        return False

    def _regular(self, facts: stat_result, path: str, area: str, place: Place | None) -> bool:
        if stat.S_ISREG(facts.st_mode):
            return True
        kind = _KINDS.get(stat.S_IFMT(facts.st_mode), "a pipe, device or socket")
        self._findings.add(f"{area}.not_regular", "not a regular file", f"{path} is {kind}.", place=place, path=path)
        return False

    def _unreadable(self, path: str, area: str, error: OSError, place: Place | None) -> None:
        missing = error.errno in {errno.ENOENT, errno.ENOTDIR}
        self._findings.add(
            f"{area}.missing" if missing else f"{area}.unreadable",
            "file is missing" if missing else "file cannot be read",
            f"{path}: {error.strerror or 'unknown error'}.",
            place=place,
            path=path,
        )

    def _decoded(self, data: bytes, path: str, area: str) -> str | None:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            self._findings.add(
                f"{area}.encoding", "file is not UTF-8", f"{path} is UTF-16; save it as UTF-8.", path=path
            )
            return None
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            head = data[: error.start]
            lines = head.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            line = lines.count(b"\n") + 1
            column = len(lines.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
            self._findings.add(
                f"{area}.encoding",
                "file is not UTF-8",
                f"byte {error.start} (0x{data[error.start]:02x}, row {line}) is not UTF-8; save the file as UTF-8.",
                place=Place(path=path, line=line, column=column),
            )
            return None

    def _conflicted(self, text: str, path: str, area: str) -> bool:
        found = _CONFLICT.search(text) if "<<<<<<< " in text else None
        if found is None:
            return False
        line = text.count("\n", 0, found.start()) + 1
        self._findings.add(
            f"{area}.conflict_markers",
            "unresolved git merge",
            f"a merge conflict starts at line {line}; nothing is read until a person has settled it.",
            place=Place(path=path, line=line, column=1),
            hint="settle the conflict, then `git add` the file",
        )
        return True


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The last letter may be cut off. Every kind of picture has a byte near its start that no text has.
        return error.start >= len(head) - 3 and _is_text(head[: error.start])
    return "\0" not in text
