"""Rules for output paths: one portable set on every system, and no two files that some file system takes for one."""

import re
import stat
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from imagebatch.effects import seams
from imagebatch.effects.files import foreign_encoding, is_link
from imagebatch.errors import unnameable
from imagebatch.manifest.characters import BAD_IN_NAME, describe_char, quoted
from imagebatch.model.variant import CANDIDATE_MARK, EXT_MARK

EXTENSIONS: Final = ("png", "jpg", "jpeg", "webp", "avif")
MAX_NAME_BYTES: Final = 200
MAX_PATH_BYTES: Final = 1000

_EMOJI_JOINTS: Final = frozenset("\ufe0f\u200d")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])", re.IGNORECASE)
_SHORT_NAME = re.compile(r"[^.]{1,6}~[0-9]+(?:\.[^.]{0,3})?")
_FORBIDDEN = re.compile(r'[<>:"|?*\\]')
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ -]*(?:\.[A-Za-z0-9_-]+)*")
# Nearly every name is of this form, and needs no other check.
_SAFE_NAME = re.compile(
    rf"(?!(?:con|prn|aux|nul|com|lpt))[a-z0-9_][a-z0-9_-]*(?:\.[a-z0-9_-]+)*\.(?:{'|'.join(EXTENSIONS)}|{EXT_MARK})",
    re.IGNORECASE | re.ASCII,
)
_RESERVED_TOPS = frozenset(
    {"imagebatch.yaml", "imagebatch.lock", "imagebatch.lock.d", "picks.yaml", "manifests", "templates"}
)
_RESERVED_ANYWHERE = frozenset({".git", ".github", ".gitlab", ".imagebatch", ".hg", ".svn"})


class BadPath(ValueError):
    """A path that may not be an output; `code` is the second part of the problem's code."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def normal_path(path: str) -> str:
    """An output path without `.` components.

    Raises BadPath for everything that leaves the project, names a device, or cannot be a file everywhere.
    """
    kept = _parts(path)
    check_extension(kept[-1])
    return "/".join(kept)


def normal_folder(path: str) -> str:
    """A path of a folder that we write into, by the same rules, without `.` components and a last `/`.

    Raises BadPath.
    """
    return "/".join(_parts(path.rstrip("/") if path.strip("/") else path))


def _parts(path: str) -> list[str]:
    if path.startswith("/"):
        raise BadPath("outside_project", f"{quoted(path)} is an absolute path")
    if len(path) > 1 and path[1] == ":" and path[0].isalpha():
        raise BadPath("component", f"{quoted(path)} starts with a drive letter")
    parts = path.split("/")
    if ".." in parts:
        raise BadPath("outside_project", f"{quoted(path)} holds '..', which is not allowed in an output path")
    if len(path.encode("utf-8", "surrogatepass")) > MAX_PATH_BYTES:
        raise BadPath("too_long", f"the path is over {MAX_PATH_BYTES} bytes")
    kept = [part for part in parts if part != "."]
    for part in kept:
        check_component(part, path)
    if not kept:
        raise BadPath("component", "the path is empty")
    if fold(kept[0]) in _RESERVED_TOPS:
        raise BadPath("reserved", f"{quoted(kept[0])} belongs to the project itself and is not a place for output")
    return kept


def check_component(part: str, path: str) -> None:
    """Check one component of a path.

    Raises BadPath.
    """
    if not part:
        raise BadPath("component", f"{quoted(path)} has an empty component")
    if len(part.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
        raise BadPath("too_long", f"the name {quoted(part, 40)} is over {MAX_NAME_BYTES} bytes")
    if _PLAIN.fullmatch(part) and not part.endswith(" ") and " ." not in part and not _DEVICE.match(part):
        return
    _check_odd(part, path)


def _check_odd(part: str, path: str) -> None:
    bare = part.replace(CANDIDATE_MARK, "1").replace(EXT_MARK, "png")
    bad = next((found[0] for found in BAD_IN_NAME.finditer(bare) if found[0] not in _EMOJI_JOINTS), None)
    if bad is not None:
        raise BadPath("component", f"{quoted(path)} holds {describe_char(bad)}")
    forbidden = _FORBIDDEN.search(bare)
    if forbidden is not None:
        names = {"\\": "a backslash", ":": "a colon"}
        word = names.get(forbidden[0], f"the character {forbidden[0]}")
        raise BadPath("component", f"{quoted(path)} holds {word}, which not every file system can keep")
    if "'" in bare:
        raise BadPath("component", f"{quoted(path)} holds an apostrophe, which shells and web pages read as a quote")
    if bare.startswith("~"):
        raise BadPath("component", f"{quoted(path)} starts a name with ~, which shells read as a home folder")
    if bare.startswith("-"):
        raise BadPath("component", f"{quoted(path)} starts a name with a dash, which commands read as an option")
    folded = fold(bare)
    if folded in _RESERVED_ANYWHERE or folded.rstrip(". ") in _RESERVED_ANYWHERE:
        raise BadPath("reserved", f"{quoted(part)} is not a place for output")
    if _SHORT_NAME.fullmatch(bare):
        raise BadPath(
            "reserved", f"{quoted(part)} has the form of an 8.3 short name, which Windows may read as another"
        )
    if _DEVICE.fullmatch(unicodedata.normalize("NFC", bare).split(".")[0].rstrip(" ")):
        raise BadPath("reserved", f"{quoted(part)} is a device name on Windows")
    if bare.endswith((" ", ".")) or bare.startswith(" "):
        raise BadPath("component", f"{quoted(path)} has a name that starts or ends in a space or ends in a dot")


def check_extension(name: str) -> None:
    """Check that a file name ends in a picture format (or in `{{ ext }}`).

    Raises BadPath.
    """
    stem, dot, ending = name.rpartition(".")
    if dot and stem and (ending == EXT_MARK or ending.lower() in EXTENSIONS):
        return
    raise BadPath("extension", f"{quoted(name)} has to end in one of .{', .'.join(EXTENSIONS)} or in .{{{{ ext }}}}")


def fold(text: str) -> str:
    """A name as a case-insensitive, normalising file system compares it: casefold(NFKC(casefold(NFKC(name)))).

    The joints of emoji are dropped, because HFS+ does not see them.
    """
    if text.isascii():
        return text.lower()
    text = "".join(char for char in text if char not in _EMOJI_JOINTS)
    once = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", once).casefold()


def collision_key(path: str) -> str:
    """What two paths share that are one file somewhere."""
    return path.lower() if path.isascii() else "/".join(fold(part) for part in path.split("/"))


def _refuse_unnameable(path: str, encoding: str) -> None:
    bare = path.replace(CANDIDATE_MARK, "1").replace(EXT_MARK, "png")
    if not bare.isascii():
        raise unnameable(quoted(bare), encoding)


@dataclass(slots=True, kw_only=True)
class OutputPaths:
    """All output paths of a project: checks each, remembers who has it.

    `root` is the project's root; existing folders below it are looked at once, for links and things that are no file.
    `encoding` is that of file names where it is not UTF-8.
    """

    root: Path
    encoding: str | None = field(default_factory=foreign_encoding)
    owners: dict[str, str] = field(default_factory=dict)
    _folders: dict[str, "_Folder"] = field(default_factory=dict)

    def claim(self, path: str, owner: str) -> str:
        """Take `path` for the address `owner`; gives the normal form.

        Raises BadPath where it may not be an output, or somebody has it already; OutputError where the locale cannot
        write its name, which is one fault of the machine and none of each path.
        """
        if self.encoding is not None:
            _refuse_unnameable(path, self.encoding)
        folder, _, name = path.rpartition("/")
        known = self._folders.get(folder)
        # An absolute `/x.png` has the folder '' as well: only a path that is its own name stands at the top.
        whole = folder or name == path
        if whole and known is not None and known.plain and len(name) < 100 and _SAFE_NAME.fullmatch(name):
            normal = path
        else:
            normal = normal_path(path)
            folder, _, name = normal.rpartition("/")
            known = self._folders.get(folder)
            if known is None:
                known = self._folders[folder] = self._look(folder)
        if name in known.odd:
            self._refuse_odd(normal)
        key = collision_key(normal)
        count = len(self.owners)
        other = self.owners.setdefault(key, owner)
        if len(self.owners) == count:
            who = f"twice by {owner}" if other == owner else f"by {other} and by {owner}"
            raise BadPath("collision", f"{quoted(normal)} is wanted {who}: on some file systems it is one file")
        return normal

    def nested(self) -> Iterable[tuple[str, str]]:
        """Pairs (path, owner) of files that stand where another path needs a folder."""
        for folder in self._folders:
            parts = collision_key(folder).split("/") if folder else []
            for stop in range(1, len(parts) + 1):
                prefix = "/".join(parts[:stop])
                if prefix in self.owners:
                    yield prefix, self.owners[prefix]

    def _look(self, folder: str) -> "_Folder":
        """What stands in the way in an existing folder: links, and things that are no regular file."""
        plain = len(folder) < 400
        at = self.root
        walked = ""
        for part in folder.split("/") if folder else []:
            at /= part
            walked = f"{walked}/{part}" if walked else part
            try:
                mode = seams.disk.lstat(at).st_mode
            except OSError:  # not there yet
                return _Folder(plain=plain, odd=frozenset())
            if stat.S_ISLNK(mode):
                raise BadPath("symlink", f"{quoted(walked)} is a link; pictures are not written through links")
            if not stat.S_ISDIR(mode):
                raise BadPath("not_regular", f"{quoted(walked)} is there and is not a folder")
        try:
            odd = frozenset(seams.disk.odd_names(at))
        except OSError:  # nothing can be seen there; writing will say why
            odd = frozenset()
        return _Folder(plain=plain, odd=odd)

    def _refuse_odd(self, path: str) -> None:
        if is_link(self.root / path):
            raise BadPath("symlink", f"{quoted(path)} is a link; pictures are not written through links")
        raise BadPath("not_regular", f"{quoted(path)} is there and is not a regular file")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folder:
    """A folder that outputs go to; `plain` where a safe name in it makes a path that is not too long."""

    plain: bool
    odd: frozenset[str]
