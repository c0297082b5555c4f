"""A disk in memory that knows what would survive a power cut, by the least that file systems promise.

Bytes of a file are durable when the file was synced, names in a folder when the folder was. What was not synced may be
there after a cut, or not, in any order; a file that was cut may end early, in NULs, or be old and new page by page. A
rename is whole: it happened or not.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final, Literal, cast

from imagebatch.effects.disk import PathLike
from imagebatch.effects.locks import SystemLock

Policy = Literal["as it is", "only what was synced", "everything", "torn and reordered"]
POLICIES: Final[tuple[Policy, ...]] = ("as it is", "only what was synced", "everything", "torn and reordered")

_CREATES: Final = os.O_CREAT
_ALONE: Final = os.O_EXCL
_EMPTIES: Final = os.O_TRUNC
_ADDS: Final = os.O_APPEND
_WRITES: Final = os.O_WRONLY | os.O_RDWR
PAGE: Final = 512
FREE_BYTES: Final = 1 << 40


@dataclass(slots=True, eq=False)
class File:
    """A file: what a reader sees, and what is durable of it (None where it was never synced)."""

    number: int
    data: bytes = b""
    synced: bytes | None = None
    mode: int = 0o644
    changed: int = 0


@dataclass(slots=True, eq=False)
class Folder:
    """A folder: its names, the durable ones, and the changes since it was last synced."""

    number: int
    names: "dict[str, Node]" = field(default_factory=dict)
    synced: "dict[str, Node]" = field(default_factory=dict)
    since: "list[tuple[int, str, Node | None]]" = field(default_factory=list)
    mode: int = 0o755


Node = File | Folder


@dataclass(slots=True)
class Opened:
    """A handle: what it is open on, where it stands, and by what path."""

    node: Node
    path: str
    at: int = 0
    adds: bool = False
    writes: bool = False


class Stat:
    """What `os.stat_result` holds, as far as anybody asks."""

    __slots__ = ("_node", "_root", "st_ctime_ns", "st_dev", "st_ino", "st_mode", "st_mtime_ns", "st_size")

    def __init__(self, node: Node, root: Folder) -> None:
        self._node, self._root = node, root
        self.st_ino = node.number
        self.st_dev = 1
        if isinstance(node, File):
            self.st_mode = stat.S_IFREG | node.mode
            self.st_size = len(node.data)
            self.st_mtime_ns = self.st_ctime_ns = node.changed
        else:
            self.st_mode = stat.S_IFDIR | node.mode
            self.st_size = 4096
            self.st_mtime_ns = self.st_ctime_ns = 0

    @property
    def st_nlink(self) -> int:
        """How many names it has; counted where somebody asks, for hardly anybody does."""
        if isinstance(self._node, File):
            return _names_of(self._node, self._root)
        return 2 + sum(isinstance(one, Folder) for one in self._node.names.values())


class SimulatedDisk:
    """The disk seam (`imagebatch.effects.disk.Disk`) on memory; `effect` is told of each change before it happens."""

    def __init__(self, effect: Callable[[str, str], None]) -> None:
        self.effect = effect
        self._numbers = 0
        self._moves = 0
        self._handles: dict[int, Opened] = {}
        self._next = 10
        self._locks: set[int] = set()
        self.root = self._folder()

    # Handles ---------------------------------------------------------------------------------------------------------

    def open(self, path: PathLike, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        folder, name, full = self._parent(path, dir_fd)
        node = folder.names.get(name) if name else folder
        if node is None:
            if not flags & _CREATES:
                raise _error(errno.ENOENT, full)
            self.effect("open", full)
            node = self._file(mode & 0o777)
            self._link(folder, name, node)
        elif flags & _ALONE:
            raise _error(errno.EEXIST, full)
        elif flags & _EMPTIES and isinstance(node, File) and node.data:
            self.effect("truncate", full)
            node.data = b""
        if isinstance(node, File) and flags & os.O_DIRECTORY:
            raise _error(errno.ENOTDIR, full)
        self._next += 1
        self._handles[self._next] = Opened(node, full, adds=bool(flags & _ADDS), writes=bool(flags & _WRITES))
        return self._next

    def read(self, handle: int, count: int, /) -> bytes:
        opened = self._handles[handle]
        if not isinstance(opened.node, File):
            raise _error(errno.EISDIR, opened.path)
        piece = opened.node.data[opened.at : opened.at + count]
        opened.at += len(piece)
        return piece

    def write(self, handle: int, data: bytes | memoryview, /) -> int:
        opened = self._handles[handle]
        if not opened.writes:
            raise _error(errno.EBADF, opened.path)
        self.effect("write", opened.path)
        node = cast("File", opened.node)
        at = len(node.data) if opened.adds else opened.at
        node.data = node.data[:at] + bytes(data) + node.data[at + len(data) :]
        opened.at = at + len(data)
        self._touch(node)
        return len(data)

    def lseek(self, handle: int, position: int, whence: int, /) -> int:
        opened = self._handles[handle]
        opened.at = position if whence == 0 else len(cast("File", opened.node).data) + position
        return opened.at

    def fsync(self, handle: int) -> None:
        opened = self._handles[handle]
        self.effect("fsync", opened.path)
        self.settle(opened.node)

    def close(self, handle: int) -> None:
        del self._handles[handle]

    def dup(self, handle: int, /) -> int:
        self._next += 1
        self._handles[self._next] = self._handles[handle]
        return self._next

    def fstat(self, handle: int) -> os.stat_result:
        return cast("os.stat_result", Stat(self._handles[handle].node, self.root))

    def fchmod(self, handle: int, mode: int) -> None:
        self._handles[handle].node.mode = mode

    # Names -----------------------------------------------------------------------------------------------------------

    def stat(self, path: PathLike, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
        del follow_symlinks  # there are no links here
        return cast("os.stat_result", Stat(self._node(path, dir_fd), self.root))

    def lstat(self, path: PathLike) -> os.stat_result:
        return cast("os.stat_result", Stat(self._node(path), self.root))

    def listdir(self, path: PathLike) -> list[str]:
        node = self._node(path)
        if isinstance(node, File):
            raise _error(errno.ENOTDIR, str(path))
        return list(node.names)

    def odd_names(self, path: PathLike) -> list[str]:
        node = cast("Folder", self._node(path))
        return [name for name, one in node.names.items() if isinstance(one, Folder)]

    def walk(
        self, top: PathLike, *, onerror: Callable[[OSError], object] | None = None
    ) -> Iterator[tuple[str, list[str], list[str]]]:
        try:
            node = self._node(top)
        except OSError as error:
            if onerror is not None:
                onerror(error)
            return
        if isinstance(node, Folder):
            folders = [name for name, one in node.names.items() if isinstance(one, Folder)]
            yield str(top), folders, [name for name, one in node.names.items() if isinstance(one, File)]
            for name in folders:
                yield from self.walk(f"{top}/{name}", onerror=onerror)

    def realpath(self, path: PathLike) -> str:
        return os.path.normpath(os.fspath(path))

    def lexists(self, path: PathLike) -> bool:
        try:
            self._node(path)
        except OSError:
            return False
        return True

    def replace(
        self, src: PathLike, dst: PathLike, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None
    ) -> None:
        origin, name, source = self._parent(src, src_dir_fd)
        target, other, full = self._parent(dst, dst_dir_fd)
        if name not in origin.names:
            raise _error(errno.ENOENT, source)
        if _device(source) != _device(full):
            raise _error(errno.EXDEV, full)
        self.effect("replace", full)
        if name not in origin.names:
            raise _error(errno.ENOENT, source)
        if target.names.get(other) is origin.names[name]:
            return  # two names of one file stay, as POSIX has it
        self._moves += 1
        node = origin.names.pop(name)
        target.names[other] = node
        origin.since.append((self._moves, name, None))
        target.since.append((self._moves, other, node))

    def link(
        self,
        src: PathLike,
        dst: PathLike,
        *,
        src_dir_fd: int | None = None,
        dst_dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        del follow_symlinks  # there are no links here
        origin, name, source = self._parent(src, src_dir_fd)
        target, other, full = self._parent(dst, dst_dir_fd)
        if name not in origin.names:
            raise _error(errno.ENOENT, source)
        if other in target.names:
            raise _error(errno.EEXIST, full)
        self.effect("link", full)
        if name not in origin.names:
            raise _error(errno.ENOENT, source)
        self._link(target, other, origin.names[name])

    def unlink(self, path: PathLike, *, dir_fd: int | None = None) -> None:
        folder, name, full = self._parent(path, dir_fd)
        node = folder.names.get(name)
        if node is None:
            raise _error(errno.ENOENT, full)
        if isinstance(node, Folder):
            raise _error(errno.EISDIR, full)
        self.effect("unlink", full)
        if name not in folder.names:
            raise _error(errno.ENOENT, full)
        self._unlink(folder, name)

    def mkdir(self, path: PathLike, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        folder, name, full = self._parent(path, dir_fd)
        if name in folder.names or not name:
            raise _error(errno.EEXIST, full)
        self.effect("mkdir", full)
        if name in folder.names:
            raise _error(errno.EEXIST, full)
        made = self._folder()
        made.mode = mode & 0o777
        self._link(folder, name, made)

    def rmdir(self, path: PathLike, *, dir_fd: int | None = None) -> None:
        folder, name, full = self._parent(path, dir_fd)
        node = folder.names.get(name)
        if not isinstance(node, Folder):
            raise _error(errno.ENOENT, full)
        if node.names:
            raise _error(errno.ENOTEMPTY, full)
        self.effect("rmdir", full)
        self._unlink(folder, name)

    def chmod(self, path: PathLike, mode: int) -> None:
        self._node(path).mode = mode

    def sync(self) -> None:
        _settled(self.root)

    def free(self, path: PathLike) -> int:
        del path
        return FREE_BYTES

    def lock(self, path: Path, mode: int) -> SystemLock:
        return _Lock(self, str(path), mode)

    # What tests look at and do ---------------------------------------------------------------------------------------

    def settle(self, node: Node) -> None:
        """Make a file's bytes, or a folder's names, durable."""
        if isinstance(node, File):
            node.synced = node.data
        else:
            node.synced = dict(node.names)
            node.since.clear()

    def settle_folder_of(self, path: PathLike) -> None:
        """Make the names durable in the folder that a path is in."""
        self.settle(self._parent(path, None)[0])

    def fill(self, path: PathLike, data: bytes) -> None:
        """Give a file that is there these bytes, durably; no effect of the program."""
        node = cast("File", self._node(path))
        node.data = node.synced = data

    def files(self, path: PathLike = "/") -> dict[str, bytes]:
        """The bytes of all files below a folder, by their path from there."""
        try:
            top = self._node(path)
        except FileNotFoundError:
            return {}
        return dict(_files(top, "")) if isinstance(top, Folder) else {}

    def bytes_of(self, path: PathLike) -> bytes:
        """A file's bytes; none where it is not there."""
        try:
            return cast("File", self._node(path)).data
        except OSError:
            return b""

    def put(self, path: str, data: bytes) -> None:
        """Put a durable file there, as a person would; no effect of the program."""
        folder = self.root
        *folders, name = path.strip("/").split("/")
        for one in folders:
            node = folder.names.get(one)
            if node is None:
                node = folder.names[one] = folder.synced[one] = self._folder()
            folder = cast("Folder", node)
        file = self._file(0o644)
        file.data = file.synced = data
        folder.names[name] = folder.synced[name] = file
        self._touch(file)

    def drop(self, path: str) -> None:
        """Take a file away, durably, as a person would; one that is not there is fine."""
        folder, name, _ = self._parent(path, None)
        folder.names.pop(name, None)
        folder.synced.pop(name, None)

    def cut(self, policy: Policy, chance: Random) -> None:
        """The process ends, and but for the first policy the power goes too: what is there then is durable."""
        self._handles.clear()
        self._locks.clear()
        if policy == "as it is":
            return  # the system has it all in memory still
        if policy == "only what was synced":
            _only_synced(self.root)
        elif policy == "torn and reordered":
            _torn(self.root, chance, {}, set())
        _settled(self.root)

    def take_over(self, other: "SimulatedDisk") -> None:
        """Begin with what another disk holds; nobody has anything of it open."""
        self.root = cast("Folder", _copied(other.root, {}))
        self._numbers, self._moves = other._numbers, other._moves

    # Inside ----------------------------------------------------------------------------------------------------------

    def _file(self, mode: int) -> File:
        self._numbers += 1
        return File(self._numbers, mode=mode)

    def _folder(self) -> Folder:
        self._numbers += 1
        return Folder(self._numbers)

    def _touch(self, node: File) -> None:
        self._numbers += 1
        node.changed = self._numbers

    def _link(self, folder: Folder, name: str, node: Node) -> None:
        self._moves += 1
        folder.names[name] = node
        folder.since.append((self._moves, name, node))

    def _unlink(self, folder: Folder, name: str) -> None:
        self._moves += 1
        del folder.names[name]
        folder.since.append((self._moves, name, None))

    def _parent(self, path: PathLike, dir_fd: int | None) -> tuple[Folder, str, str]:
        text = full = path if isinstance(path, str) else os.fspath(path)
        folder: Any = self.root
        if dir_fd is not None and not text.startswith("/"):
            opened = self._handles[dir_fd]
            folder, full = opened.node, f"{opened.path}/{text}"
        folders, name = _split(text)
        try:
            for part in folders:
                folder = folder.names[part]
            folder.names  # noqa: B018  # a file has none
        except KeyError:
            raise _error(errno.ENOENT, full) from None
        except AttributeError:
            raise _error(errno.ENOTDIR, full) from None
        return folder, name, full

    def _node(self, path: PathLike, dir_fd: int | None = None) -> Node:
        text = path if isinstance(path, str) else os.fspath(path)
        node: Any = self._handles[dir_fd].node if dir_fd is not None and not text.startswith("/") else self.root
        folders, name = _split(text)
        try:
            for part in folders:
                node = node.names[part]
            return cast("Node", node.names[name] if name else node)
        except KeyError:
            raise _error(errno.ENOENT, text) from None
        except AttributeError:
            raise _error(errno.ENOTDIR, text) from None


class _Lock:
    def __init__(self, disk: SimulatedDisk, path: str, mode: int) -> None:
        self._disk = disk
        self._path = path
        self._mode = mode
        self._file = 0

    def acquire(self, timeout_s: float) -> bool:
        del timeout_s
        if not self._disk.lexists(self._path):
            self._disk.close(self._disk.open(self._path, os.O_CREAT, self._mode))
        self._file = self._disk.stat(self._path).st_ino
        if self._file in self._disk._locks:
            return False
        self._disk._locks.add(self._file)
        return True

    def is_in_place(self) -> bool:
        return self._disk.lexists(self._path) and self._disk.stat(self._path).st_ino == self._file

    def release(self) -> None:
        self._disk._locks.discard(self._file)


@cache
def _split(text: str) -> tuple[tuple[str, ...], str]:
    *folders, name = [part for part in text.split("/") if part] or [""]
    return tuple(folders), name


def _device(path: str) -> bool:
    """Whether a path is on the disk for temporary files."""
    return path.startswith("/tmp/")  # a name in memory


_TEXTS: Final = {
    number: os.strerror(number)
    for number in (errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.EXDEV, errno.EBADF)
}


def _error(number: int, path: str) -> OSError:
    return OSError(number, _TEXTS[number], path)


def _copied(node: Node, known: dict[int, Node]) -> Node:
    """The same again, for a node that has two names (before and after a rename, say) once."""
    there = known.get(node.number)
    if there is not None:
        return there
    if isinstance(node, File):
        file = known[node.number] = File(node.number, node.data, node.synced, node.mode, node.changed)
        return file
    made = Folder(node.number, mode=node.mode)
    known[node.number] = made
    made.names = {name: _copied(one, known) for name, one in node.names.items()}
    made.synced = {name: _copied(one, known) for name, one in node.synced.items()}
    made.since = [(move, name, one and _copied(one, known)) for move, name, one in node.since]
    return made


def _files(folder: Folder, at: str) -> Iterator[tuple[str, bytes]]:
    for name, node in folder.names.items():
        if isinstance(node, File):
            yield at + name, node.data
        else:
            yield from _files(node, f"{at}{name}/")


def _only_synced(folder: Folder) -> None:
    folder.names = dict(folder.synced)
    for node in folder.names.values():
        if isinstance(node, Folder):
            _only_synced(node)
        else:
            node.data = node.synced or b""


def _torn(folder: Folder, chance: Random, kept: dict[int, bool], seen: set[int]) -> None:
    """Some of what was not synced is there, some is not; both halves of a rename alike."""
    names = dict(folder.synced)
    for move, name, node in folder.since:
        if kept.setdefault(move, chance.random() < 0.5):
            if node is None:
                names.pop(name, None)
            else:
                names[name] = node
    folder.names = names
    for node in names.values():
        if isinstance(node, Folder):
            _torn(node, chance, kept, seen)
        elif node.number not in seen and node.data != (node.synced or b""):
            seen.add(node.number)
            node.data = _torn_bytes(node, chance)


def _torn_bytes(node: File, chance: Random) -> bytes:
    """What is left of a file's bytes: the old ones, the new ones, or some of both."""
    way = chance.randrange(5)
    synced, data = node.synced or b"", node.data
    if way < 2:
        return data if way else synced
    if way == 2:
        return b"".join(_torn_page(synced, data, at, chance) for at in range(0, len(data), PAGE))
    least = len(synced) if data.startswith(synced) else 0  # what was added leaves what was synced before it
    there = data[: chance.randrange(least, len(data) + 1)]
    return there if way == 3 else there.ljust(len(data), b"\0")


def _torn_page(synced: bytes, data: bytes, at: int, chance: Random) -> bytes:
    new = data[at : at + PAGE]
    return new if chance.random() < 0.5 else synced[at : at + len(new)].ljust(len(new), b"\0")


def _names_of(node: File, folder: Folder) -> int:
    return sum(_names_of(node, one) if isinstance(one, Folder) else one is node for one in folder.names.values())


def _settled(folder: Folder) -> None:
    folder.synced = dict(folder.names)
    folder.since.clear()
    for node in folder.names.values():
        if isinstance(node, Folder):
            _settled(node)
        else:
            node.synced = node.data
