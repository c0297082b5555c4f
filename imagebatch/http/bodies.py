"""Bodies in bounds: one gzip layer at most, a limit on the decoded size, keys masked by value."""

import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Final

from imagebatch.http.errors import UnreadableAnswer
from imagebatch.model.secret import MASK, SHORTEST_MASKED, key_forms

PIECE = 64 * 1024
BAD: Final = "provider.bad_response"


class CutBody(Exception):
    """The body ended before it was whole; the text says how that shows."""


async def decoded(pieces: AsyncIterator[bytes], *, coding: str, limit: int) -> AsyncIterator[bytes]:
    """The body's decoded bytes in pieces of at most 64 KiB or what the wire gave.

    `coding` is the `Content-Encoding` header's text: nothing, `identity`, or one `gzip`; `limit` bounds the decoded
    size in bytes. A deflate bomb costs one piece of memory, whatever it decodes to.

    Raises UnreadableAnswer for another coding or too much, CutBody for a gzip stream without its end.
    """
    name = coding.strip().lower()
    if name in {"", "identity"}:
        unpack = None
    elif name in {"gzip", "x-gzip"}:
        unpack = zlib.decompressobj(wbits=31)
    else:
        raise UnreadableAnswer(f"the answer is coded as {name[:40]!r}, which was not asked for", code=BAD)
    total = 0
    async for raw in pieces:
        for piece in [raw] if unpack is None else _unpacked(unpack, raw):
            total += len(piece)
            if total > limit:
                raise UnreadableAnswer(
                    f"the answer is over {limit // (1024 * 1024) or 1} MiB once decoded", code="provider.too_large"
                )
            yield piece
    if unpack is not None:
        if last := unpack.flush():
            yield last
        if not unpack.eof:
            raise CutBody("the compressed answer ends before its end mark")


def _unpacked(unpack: "zlib._Decompress", raw: bytes) -> Iterator[bytes]:
    while raw:
        if unpack.eof:
            raise UnreadableAnswer("the compressed answer has bytes after its end", code=BAD)
        try:
            yield unpack.decompress(raw, PIECE)
        except zlib.error:
            raise UnreadableAnswer("the answer says gzip and is none", code=BAD) from None
        raw = unpack.unconsumed_tail or unpack.unused_data


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMask:
    """Replaces a key by `***` wherever it appears: plain, percent-encoded, in JSON, in base64 at any offset.

    Keys under eight characters are no secrets (a simulator takes any) and would hit ordinary words.
    """

    forms: tuple[bytes, ...]

    @classmethod
    def of(cls, key: str | None) -> "KeyMask":
        """The mask for one key; None or a short one masks nothing."""
        if key is None or len(key) < SHORTEST_MASKED:
            return cls(forms=())
        forms = {form.encode("utf-8", "surrogateescape") for form in key_forms(key)}
        return cls(forms=tuple(sorted(forms, key=lambda form: (-len(form), form))))

    def in_bytes(self, body: bytes) -> bytes:
        """The body without the key."""
        for form in self.forms:
            if form in body:
                body = body.replace(form, MASK.encode())
        return body

    def masking(self) -> "Masking":
        """This mask over a body that comes in pieces."""
        return Masking(self)

    def in_text(self, text: str) -> str:
        """The text without the key."""
        if not self.forms:
            return text
        return self.in_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


class Masking:
    """A key mask over a body that comes in pieces: nothing leaves in which a key may just have begun."""

    def __init__(self, mask: KeyMask) -> None:
        self._mask = mask
        self._held = max(map(len, mask.forms), default=1) - 1
        self._tail = b""

    def over(self, piece: bytes) -> bytes:
        """What may be passed on after `piece`; its last bytes wait for the next one."""
        if not self._held:
            return piece
        body = self._mask.in_bytes(self._tail + piece)
        self._tail = body[-self._held :]
        return body[: -self._held]

    def rest(self) -> bytes:
        """What is left at the end; a key that is cut off there is masked as far as it came."""
        tail, self._tail = self._tail, b""
        begun = max((_overlap(tail, form) for form in self._mask.forms), default=0)
        return tail[: len(tail) - begun] + MASK.encode() if begun >= SHORTEST_MASKED else tail


def _overlap(tail: bytes, form: bytes) -> int:
    """How many bytes at the end of `tail` are the beginning of `form`."""
    longest = min(len(tail), len(form))
    return next((size for size in range(longest, 0, -1) if tail.endswith(form[:size])), 0)
