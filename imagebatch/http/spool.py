"""The answers that hold the pictures themselves: on disk and synced before anybody parses them.

A spool file is one line of JSON (status and headers), then the decoded body as it came. While it is written its name
ends in `.part`; the rename is the mark that it is whole. After a crash a whole file gives the answer back, and
`Replay` hands it to the adapter as if the provider had just spoken.
"""

import io
import json
import stat
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol, runtime_checkable

from imagebatch.effects import seams
from imagebatch.effects.disk import OVER, READ_REGULAR
from imagebatch.effects.files import make_folders, names_in, opened, read_rest, remove, sync_folder, write_whole
from imagebatch.model.token import TOKEN_PATTERN
from imagebatch.model.wire import Answer, Call, NotSent, Wire

KEPT = frozenset({"content-type", "date", "x-request-id", "retry-after"})
LONGEST_HEAD = 64 * 1024


class Keeper:
    """Collects one answer's body: on disk where `path` is given and the disk plays along, else in memory.

    The file is opened before the request leaves: then less happens between a paid answer and its place on disk. A disk
    that fails under a paid answer must not lose it: what was written is read back, and memory takes the rest.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._memory = io.BytesIO()
        self._handle: int | None = None
        self._head = b""
        self._start = 0
        if path is not None:
            with suppress(OSError):
                self._handle = seams.disk.open(_part(path), OVER, 0o600)

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """The answer's head has come; what is no success is not worth a file."""
        if self._handle is None or self._path is None:
            return
        if not 200 <= status < 300:
            self.end()
            return
        head = {"status": status, "headers": {name: headers[name] for name in sorted(KEPT & headers.keys())}}
        self._head = json.dumps(head).encode() + b"\n"

    @property
    def on_disk(self) -> bool:
        """Whether the body stands in a file."""
        return self._handle is not None

    def write(self, piece: bytes) -> None:
        """Add a piece of the decoded body; the head goes with the first, because every call is a place to die at."""
        rest = memoryview(piece)
        if self._handle is not None:
            try:
                if self._head:
                    write_whole(self._handle, self._head + piece)
                    self._start, self._head, rest = len(self._head), b"", rest[:0]
                while rest:
                    rest = rest[seams.disk.write(self._handle, rest) :]
            except OSError:
                self._fall_back()
        self._memory.write(rest)

    def whole(self) -> bytes:
        """Sync, give the file its final name, and give the whole body."""
        handle, path = self._handle, self._path
        if handle is None or path is None:
            return self._memory.getvalue()
        try:
            if self._head:
                self.write(b"")
                if self._handle is None:
                    return self._memory.getvalue()
            seams.disk.fsync(handle)
            seams.disk.replace(_part(path), path)
            sync_folder(path.parent)
        except OSError:
            self._fall_back()
            return self._memory.getvalue()
        body = self._read(handle)
        self.close()
        return body

    def close(self) -> None:
        """Close the file; without `whole` its name still ends in `.part`, and no program will read it."""
        handle, self._handle = self._handle, None
        if handle is not None:
            with suppress(OSError):
                seams.disk.close(handle)

    def end(self) -> None:
        """No answer comes any more: a file that nothing was written to goes, too."""
        empty = self._handle is not None and self._start == 0
        self.close()
        if empty and self._path is not None:
            with suppress(OSError):
                remove(_part(self._path))

    def _read(self, handle: int) -> bytes:
        seams.disk.lseek(handle, self._start, 0)
        return read_rest(handle)

    def _fall_back(self) -> None:
        if self._handle is not None and not self._head:  # else nothing of the body is there, or not to be told apart
            with suppress(OSError):
                self._memory.write(self._read(self._handle))
        self.close()


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def read_spool(path: Path) -> Answer | None:
    """The answer in a whole spool file; None where there is none or its head cannot be read."""
    try:
        if not stat.S_ISREG(seams.disk.lstat(path).st_mode):
            return None
        with opened(path, READ_REGULAR) as handle:
            head, _, body = read_rest(handle).partition(b"\n")
        fields = json.loads(head[:LONGEST_HEAD])
        headers = {str(name): str(value) for name, value in fields["headers"].items()}
        return Answer(status=int(fields["status"]), headers=headers, body=body)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


class Inbox:
    """A folder of spooled answers, one for each token, until their pictures are in the store (`.imagebatch/inbox`)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = False

    def path(self, token: str) -> Path:
        """Where the whole answer of `token` stands.

        Raises ValueError for a text that is no token: a name from elsewhere must not become a path.
        """
        if not TOKEN_PATTERN.fullmatch(token):
            raise ValueError(f"{token!r} is no token")
        return self._folder / f"{token}.answer"

    def wire(self, token: str, wire: Wire) -> Wire:
        """A wire that spools the create's answer under `token`, synced, before anyone reads it.

        The folder is made now: once the answer comes, everything that happens before it is on disk leaves a doubt.
        """
        if not self._made:
            self._made = True
            with suppress(OSError):
                make_folders(self._folder)
        return SpoolingWire(wire, self.path(token)) if isinstance(wire, Spools) else wire

    def answer(self, token: str) -> Answer | None:
        """A whole answer from an earlier run, None where there is none."""
        return read_spool(self.path(token))

    def holds(self, token: str) -> bool:
        """Whether the answer of `token` is here, whole: a later run can read it again."""
        try:
            return self.answer(token) is not None
        except OSError:
            return False

    def tokens(self) -> tuple[str, ...]:
        """The tokens that whole answers are kept of, sorted."""
        names = (name.removesuffix(".answer") for name in names_in(self._folder) if name.endswith(".answer"))
        return tuple(sorted(name for name in names if TOKEN_PATTERN.fullmatch(name)))

    def sweep(self) -> None:
        """Remove answers that never came whole; only for the one who holds the lease."""
        for name in names_in(self._folder):
            if name.startswith("ib-") and name.endswith(".answer.part"):
                with suppress(OSError):
                    seams.disk.unlink(self._folder / name)

    def discard(self, token: str) -> None:
        """Forget the answer of `token`, whole or not: its pictures are in the store and recorded."""
        path = self.path(token)
        remove(path)
        remove(_part(path))


@runtime_checkable
class Spools(Protocol):
    """A wire that can put a create's answer on disk first."""

    def send(self, call: Call) -> Awaitable[Answer]: ...

    def send_spooled(self, call: Call, path: Path) -> Awaitable[Answer]: ...

    def recall(self, key: str) -> str | None: ...

    def remember(self, key: str, value: str) -> None: ...


class SpoolingWire:
    """A wire whose create's answer is on disk, synced, before the adapter reads it."""

    def __init__(self, wire: Spools, path: Path) -> None:
        self._wire = wire
        self._path = path

    async def send(self, call: Call) -> Answer:
        """As the wire below, with the spool for creates."""
        if call.kind == "create":
            return await self._wire.send_spooled(call, self._path)
        return await self._wire.send(call)

    def recall(self, key: str) -> str | None:
        """What was remembered of this provider's address."""
        return self._wire.recall(key)

    def remember(self, key: str, value: str) -> None:
        """Keep a small fact about this provider's address."""
        self._wire.remember(key, value)


class Replay:
    """A wire that answers the next create with a spooled answer, and sends nothing at all.

    Everything else an adapter may ask (what is remembered of the address) goes to the real wire.
    """

    def __init__(self, answer: Answer, wire: Wire) -> None:
        self._answer = answer
        self._wire = wire

    async def send(self, call: Call) -> Answer:
        """The spooled answer for a create; other calls were not part of it."""
        if call.kind != "create":
            raise NotSent(f"{call.operation} is not asked while a kept answer is read")
        return self._answer

    def recall(self, key: str) -> str | None:
        """What the real wire remembers."""
        return self._wire.recall(key)

    def remember(self, key: str, value: str) -> None:
        """Kept by the real wire."""
        self._wire.remember(key, value)
