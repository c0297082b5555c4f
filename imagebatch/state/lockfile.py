"""The lock's bytes: a header, then one block of text for each address, kept as it stands.

A lock of 100,000 addresses is about 100 MB of text of which a plan needs a few fields of each block, so the text is
never turned into objects as a whole: `decode_lock` finds where blocks begin, `glance` cuts the few fields out of one
block with one regular expression, and only `entry` parses. Text that is valid JSON but not in our form (pretty-printed,
other line ends inside, another tool's) is parsed once and put in our form in memory.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from imagebatch.errors import StateError
from imagebatch.model.canonical import Json
from imagebatch.model.generation import Entry
from imagebatch.model.recorded import Glance
from imagebatch.model.token import LINEAGE_PATTERN
from imagebatch.state.entries import decode_entry, encode_fields
from imagebatch.state.lock_errors import (
    MERGE_HINTS,
    RESTORE_HINTS,
    VERSION,
    address_twice,
    corrupt_lock,
    newer_lock,
    unreadable_lock,
)
from imagebatch.state.strict import DuplicateKeyError, compact, parse_json

FORMAT: Final = "imagebatch-lock"
LOCK_NAME: Final = "imagebatch.lock"

_KNOWN_HEADER: Final = frozenset({"format", "version", "lineage", "generations"})
_HEADER: Final = re.compile(rb'\{\n((?:"[^\n]*\n)*?)"generations": \{\n\n')
_HEAD: Final = re.compile(rb'\n\n("[^\n]*"): \{\n')
_NEWER: Final = re.compile(rb'"version"\s*:\s*([0-9]{1,9})\b')
_MARKER: Final = re.compile(rb"^(?:<{7}|>{7}|\|{7})(?: |$)|^={7}$", re.MULTILINE)
_TEXT: Final = '"([^"]*)"'
# What no block of ours has is left to `entry`, which says what is wrong: an attempt, an amount that can be none.
_ATTEMPT: Final = "(?:[1-9][0-9]{0,3}|10000)"
_COST: Final = r'\[(?:"[0-9.]+ [A-Za-z]+",?)+\]'
_GLANCE: Final = re.compile(
    rf'"[^\n]*": \{{\n "provider": {_TEXT},\n "type": {_TEXT},\n "draw": {_TEXT},\n "request": [^\n]*,\n'
    rf' "labels": {_TEXT},\n "attempt": {_ATTEMPT},\n "token": [^\n]*,\n(?: "generation": [^\n]*,\n)?'
    rf' "status": {_TEXT},\n(?: "candidates": ([^\n]*),\n)?(?: "picked": ([^\n]*),\n)?(?: "outputs": ([^\n]*),\n)?'
    rf'(?: "cost": {_COST},\n)? "on_remove": {_TEXT}([\s\S]*)'
)
_SPECIAL: Final = re.compile(r'\n "(?:failure|protect|held|parts)":')
_CHECKS: Final = re.compile(r'\n "checked": \{"checks":"([^"]*)"')
_REQUEST: Final = re.compile(r'\n "request": ([^\n]*),\n')
_SHIFT: Final = 40
_MASK: Final = (1 << _SHIFT) - 1
_PIECE: Final = 2 * _SHIFT


class Lock:
    """What exists, by address; never changed in place.

    `lineage` names the project, `header` holds header fields that this version does not know. Implements `Recorded`.
    A block is either a span of one piece of `_data` (the files as they were read; piece, offset and length stand in one
    integer, which costs a third of a slice's memory) or, since a change, its own bytes.
    """

    __slots__ = ("_blocks", "_data", "_path", "header", "lineage")

    def __init__(
        self,
        *,
        lineage: str,
        header: Mapping[str, Json] | None = None,
        blocks: dict[str, int | bytes] | None = None,
        data: tuple[bytes, ...] = (),
        path: str = LOCK_NAME,
    ) -> None:
        self.lineage = lineage
        self.header: Mapping[str, Json] = MappingProxyType(dict(header or {}))
        self._blocks = blocks if blocks is not None else {}
        self._data = data
        self._path = path

    def __contains__(self, address: object) -> bool:
        return address in self._blocks

    def __iter__(self) -> Iterator[str]:
        """Addresses, sorted by code point."""
        return iter(self._blocks)

    def __len__(self) -> int:
        return len(self._blocks)

    def block(self, address: str) -> bytes:
        """The block's text without comma and line end. Raises KeyError."""
        where = self._blocks[address]
        if isinstance(where, bytes):
            return where
        start = where >> _SHIFT & _MASK
        return self._data[where >> _PIECE][start : start + (where & _MASK)]

    def glance(self, address: str) -> Glance:
        """The few fields that tell whether anything changed.

        Raises KeyError for an unknown address, StateError for a block that is not in our form and cannot be read.
        """
        where = self._blocks[address]
        try:
            if isinstance(where, int):
                start = where >> _SHIFT & _MASK
                match = _GLANCE.match(self._data[where >> _PIECE][start : start + (where & _MASK)].decode())
            else:
                match = _GLANCE.match(where.decode())
        except UnicodeDecodeError:
            match = None  # `entry` says what is wrong, and where
        if match is None:
            return glance_of(self.entry(address))
        provider, kind, draw, labels, status, candidates, picked, outputs, on_remove, rest = match.groups("[]")
        if '"sha256":"sha256:' not in outputs:
            outputs = outputs.replace('"sha256":"', '"sha256":"sha256:')
        plain = status == "succeeded" and (len(rest) <= 2 or _SPECIAL.search(rest) is None)
        has_earlier = len(rest) > 2 and '\n "earlier":' in rest
        checked = _CHECKS.search(rest) if len(rest) > 2 else None
        checks = checked[1] if checked is not None else ""
        return Glance(provider, kind, draw, labels, picked, candidates, outputs, on_remove, plain, has_earlier, checks)

    def entry(self, address: str) -> Entry:
        """The whole entry, parsed.

        Raises KeyError for an unknown address, StateError for a block that cannot be read.
        """
        try:
            text = self.block(address).decode()
            request = _REQUEST.search(text)
            inner = parse_json(text[text.index(": {\n") + 2 :])
            return decode_entry(inner, request[1] if request is not None else None)
        except (ValueError, RecursionError) as error:
            raise StateError(
                "a block of the lock cannot be read",
                f"The block of {address} in {self._path} is damaged: {error}. "
                "imagebatch will not guess what was paid for.",
                hints=RESTORE_HINTS,
                code="lockfile.corrupt",
                path=self._path,
                line=self._line(address),
                address=address,
            ) from None

    def with_changes(self, kept: Mapping[str, Entry], dropped: Collection[str] = ()) -> "Lock":
        """A lock in which `kept` stand as given and `dropped` (unless kept too) are gone; the rest is shared."""
        blocks = dict(self._blocks)
        for address in dropped:
            blocks.pop(address, None)
        size = len(blocks)
        for address, entry in kept.items():
            blocks[address] = encode_block(address, entry)
        if len(blocks) != size:
            blocks = {address: blocks[address] for address in sorted(blocks)}
        return Lock(lineage=self.lineage, header=self.header, blocks=blocks, data=self._data, path=self._path)

    def only(self, addresses: Collection[str]) -> "Lock":
        """A lock of the same header that holds these addresses alone."""
        wanted = frozenset(addresses)
        blocks = {address: where for address, where in self._blocks.items() if address in wanted}
        return Lock(lineage=self.lineage, header=self.header, blocks=blocks, data=self._data, path=self._path)

    def with_header(self, header: Mapping[str, Json]) -> "Lock":
        """The same blocks under other header fields of no meaning to this version."""
        return Lock(lineage=self.lineage, header=header, blocks=self._blocks, data=self._data, path=self._path)

    def joined(self, parts: Sequence["Lock"]) -> "Lock":
        """This lock and the blocks of `parts` together.

        Raises StateError where two of them have a block of one address.
        """
        blocks: dict[str, int | bytes] = {}
        data: list[bytes] = []
        for lock in (self, *parts):
            lock._add_to(blocks, len(data))  # noqa: SLF001 - the same class
            data += lock._data  # noqa: SLF001 - the same class
        blocks = {address: blocks[address] for address in sorted(blocks)}
        return Lock(lineage=self.lineage, header=self.header, blocks=blocks, data=tuple(data), path=f"{LOCK_NAME}.d")

    def in_doubt(self) -> tuple[str, ...]:
        """Addresses whose draw is in doubt, found without parsing."""
        return self._holding(b'"in_doubt"')

    def with_earlier(self) -> tuple[str, ...]:
        """Addresses that remember earlier draws, found without parsing."""
        return self._holding(b'"earlier"')

    def with_unmet(self) -> tuple[str, ...]:
        """Addresses that do not hold one of their checks, found without parsing."""
        return self._holding(b',"unmet":[')

    def with_looks(self) -> tuple[str, ...]:
        """Addresses that are compared with each other, found without parsing."""
        return self._holding(b',"looks":[')

    def _holding(self, text: bytes) -> tuple[str, ...]:
        """Addresses whose blocks hold `text`; a hit may lie in a string, so the caller looks closer."""
        if not any(text in piece for piece in self._data):
            return tuple(a for a, where in self._blocks.items() if isinstance(where, bytes) and text in where)
        return tuple(address for address in self._blocks if text in self.block(address))

    def _add_to(self, blocks: dict[str, int | bytes], pieces: int) -> None:
        shift = pieces << _PIECE
        for address, where in self._blocks.items():
            if address in blocks:
                raise address_twice(self._path, address, self._line(address))
            blocks[address] = where if isinstance(where, bytes) else where + shift

    def _line(self, address: str) -> int | None:
        where = self._blocks[address]
        if isinstance(where, bytes):
            return None
        return self._data[where >> _PIECE].count(b"\n", 0, where >> _SHIFT & _MASK) + 1


def empty_lock(lineage: str) -> Lock:
    """A lock of a project in which nothing exists yet."""
    return Lock(lineage=lineage)


def encode_lock(lock: Lock) -> bytes:
    """The lock's file: header, blocks sorted by code point, LF, final newline; the same world, the same bytes."""
    header: dict[str, Json] = {"format": FORMAT, "version": VERSION, "lineage": lock.lineage, **lock.header}
    lines = "".join(f"{compact(name)}: {compact(value)},\n" for name, value in header.items())
    blocks = b",\n\n".join(_canonical_block(lock, address) for address in lock)
    head = ("{\n" + lines + '"generations": {\n\n').encode()
    return b"".join((head, blocks, b"\n\n}\n}\n" if blocks else b"}\n}\n"))


def encode_block(address: str, entry: Entry) -> bytes:
    """One address's block: its fields one a line, without comma and line end."""
    fields = ",\n".join(f" {compact(name)}: {value}" for name, value in encode_fields(entry))
    return f"{compact(address)}: {{\n{fields}\n}}".encode()


def glance_of(entry: Entry) -> Glance:
    """What `Lock.glance` would tell of this entry."""
    fields = dict(encode_fields(entry))
    return Glance(
        provider=entry.provider,
        type=entry.type,
        draw=entry.draw,
        labels=entry.labels,
        picked=fields.get("picked", "[]"),
        candidates=fields.get("candidates", "[]"),
        outputs=fields.get("outputs", "[]").replace('"sha256":"', '"sha256":"sha256:'),
        on_remove=entry.on_remove,
        plain=entry.status == "succeeded" and not (entry.failure or entry.protect or entry.held or entry.parts),
        has_earlier=bool(entry.earlier),
        checks=entry.checked.checks if entry.checked is not None else "",
    )


def decode_lock(data: bytes, path: str = LOCK_NAME) -> Lock:
    """Find the blocks of a lock file.

    `path` is for messages. Raises StateError for an empty file, NUL bytes, conflict markers, two blocks of one address,
    another format, a newer version, and text that is no JSON; what is wrong inside one block is told when it is read.
    """
    if not data or data.isspace():
        raise corrupt_lock(path, "The file is empty. An empty lock is damage, never 'nothing exists yet'.")
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise corrupt_lock(path, "The file holds NUL bytes, as after a power loss or a bad disk.", line)
    # One character is found sixteen times as fast as seven, and a lock without any of them is the usual one.
    if (
        (b"<" in data or b">" in data)
        and (b"<<<<<<<" in data or b">>>>>>>" in data)
        and (marker := _MARKER.search(data))
    ):
        raise StateError(
            "the lock holds an unresolved merge",
            f"{path} has conflict markers of git. Both sides may stand for paid pictures, so neither is thrown away.",
            hints=MERGE_HINTS,
            code="lockfile.conflict",
            path=path,
            line=data.count(b"\n", 0, marker.start()) + 1,
        )
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    try:
        lock = _by_blocks(data, path)
    except ValueError:
        lock = None
    return _as_a_whole(data, path) if lock is None else lock


def _by_blocks(data: bytes, path: str) -> Lock | None:
    """The lock, if its text is in our form; None or ValueError where it has to be parsed as a whole."""
    head = _HEADER.match(data)
    if head is None:
        return None
    header = parse_json(f"{{{head[1].decode().rstrip()[:-1]}}}")
    lineage, rest = _checked_header(header, path)
    tail = data.rfind(b"}\n}")
    if data[tail + 3 :].strip():
        return None
    blocks: dict[str, int | bytes] = {}
    heads = [(match.start() + 2, match[1]) for match in _HEAD.finditer(data, head.end() - 2)]
    is_sorted, last = True, ""
    ends = [start for start, _ in heads[1:]]
    ends.append(tail)
    for (start, key), end in zip(heads, ends, strict=False):
        stop = end - 3 if data[end - 4 : end] == b"},\n\n" else _end_of_block(data, end)
        if data[stop - 2 : stop] != b"\n}":
            return None
        if b"\\" not in key and key.count(b'"') == 2:
            address = key[1:-1].decode("utf-8", "replace")
        else:
            address = _quoted_address(key)
        if address in blocks:
            raise address_twice(path, address, data.count(b"\n", 0, start) + 1)
        blocks[address] = start << _SHIFT | (stop - start)
        is_sorted &= address > last
        last = address
    # Every line that starts with a quote is the header's or a block's first: nothing nested was taken for a block.
    if data.count(b'\n"') != head[1].count(b"\n") + 1 + len(blocks) or (
        not blocks and data[head.end() - 1 : tail].strip()
    ):
        return None
    if not is_sorted:
        blocks = {address: blocks[address] for address in sorted(blocks)}
    return Lock(lineage=lineage, header=rest, blocks=blocks, data=(data,), path=path)


def _quoted_address(key: bytes) -> str:
    value = parse_json(key.decode())
    if not isinstance(value, str):
        raise ValueError("the key is no text")
    return value


def _end_of_block(data: bytes, end: int) -> int:
    """Where a block's text ends; a comma or a line too many or too few is what a clean merge may leave."""
    while data[end - 1] in b"\n ,":
        end -= 1
    return end


def _as_a_whole(data: bytes, path: str) -> Lock:
    """The lock from any JSON of the same meaning, put in our form."""
    try:
        value = parse_json(data.decode())
    except DuplicateKeyError as error:
        raise address_twice(path, error.key, None) from None
    except ValueError as error:
        newer = _NEWER.search(data[:4096])
        if newer is not None and int(newer[1]) > VERSION:
            raise newer_lock(path, int(newer[1])) from None
        raise unreadable_lock(data, path, error) from None
    lineage, rest = _checked_header(value, path)
    generations = value.get("generations") if isinstance(value, Mapping) else None
    if not isinstance(generations, Mapping):
        raise corrupt_lock(path, "The field generations is not an object.")
    blocks: dict[str, int | bytes] = {}
    for address in sorted(generations):
        fields = generations[address]
        if not isinstance(fields, Mapping):
            raise corrupt_lock(path, f"The block of {address} is not an object.")
        lines = ",\n".join(f" {compact(name)}: {compact(value)}" for name, value in fields.items())
        blocks[address] = f"{compact(address)}: {{\n{lines}\n}}".encode()
    return Lock(lineage=lineage, header=rest, blocks=blocks, path=path)


def _checked_header(header: Json, path: str) -> tuple[str, dict[str, Json]]:
    """Lineage and unknown fields; format and version are looked at before anything else is believed.

    Version 0 was never released; a lock that says so is read as version 1 and becomes it at the next write.
    """
    if not isinstance(header, Mapping):
        raise corrupt_lock(path, "The file is JSON but not an object.")
    if header.get("format") != FORMAT:
        raise StateError(
            "this is not a lock of imagebatch",
            f"{path} says format {header.get('format')!r}; a lock says {FORMAT!r}.",
            hints=RESTORE_HINTS,
            code="lockfile.format",
            path=path,
        )
    version = header.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise corrupt_lock(path, f"The field version is {version!r}; it has to be a whole number.")
    if version > VERSION:
        raise newer_lock(path, version)
    lineage = header.get("lineage")
    if not isinstance(lineage, str) or LINEAGE_PATTERN.fullmatch(lineage) is None:
        raise corrupt_lock(path, "The field lineage is not 32 hex characters, so nobody knows whose lock this is.")
    return lineage, {name: value for name, value in header.items() if name not in _KNOWN_HEADER}


def _canonical_block(lock: Lock, address: str) -> bytes:
    """The block as it stands where its fields are in our order, else written anew."""
    block = lock.block(address)
    try:
        if _GLANCE.match(block.decode()) is not None:
            return block
        return encode_block(address, lock.entry(address))
    except (StateError, UnicodeDecodeError):
        return block  # damage is told when the block is read, and never made worse by writing
