"""From a source of bytes to a picture in the store: stream to a temporary file, check, hash, sync, rename.

A picture that is none is a value (`Failure`), as every failed picture is. What may be better later (no connection, a
server in trouble) stays an exception, because nothing is wrong with the picture.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from imagebatch.effects import seams
from imagebatch.effects.disk import NEW
from imagebatch.effects.files import remove, write_bytes, write_whole
from imagebatch.model.generation import Failure, FailureKind, PictureFacts
from imagebatch.model.transfer import DownloadError, OpenStream
from imagebatch.outputs.picture import MAX_BYTES
from imagebatch.outputs.store import Store
from imagebatch.outputs.trouble import disk_errors
from imagebatch.outputs.workers import CHECK_S, WorkerGone, Workers

TRIES = 3
BACKOFF_S = 0.5
LONGEST_WAIT_S = 30.0
PIECE = 256 * 1024

SAFE: Final = "The picture can be fetched again, free of charge, while its provider keeps it."
_NOTES: Final = {
    "blank": "the picture is one colour all over",
    "gps": "the picture tells where it was taken (GPS fields); files developed from it do not",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A picture in the store, and what a person should hear of it."""

    facts: PictureFacts
    warnings: tuple[str, ...] = ()


async def take_picture(
    open_stream: OpenStream,
    *,
    store: Store,
    workers: Workers,
    asked_size: tuple[int, int] | None = None,
    safe: str = SAFE,
    sleep: Callable[[float], Awaitable[None]] | None = None,
) -> Taken | Failure:
    """Fetch one picture into the store; a transfer that breaks, or brings a cut picture, is repeated up to three times.

    `open_stream` opens the source anew each time (see `model.transfer`). `asked_size` is (width, height) in pixels; a
    picture of another size is kept, with a warning. `safe` says what no disk can harm. A `Failure` has its dotted code
    in `provider_code`: kind `expired` where the link is dead, `bad_image` otherwise; `dead_link` says where a fresh
    link may help.

    Raises DownloadError where trying later may help: no connection, too slow, cut off, a server's 5xx or 429;
    OutputError where the disk is full or the decoder cannot be started.
    """
    for attempt in range(1, TRIES + 1):
        last = attempt == TRIES
        try:
            taken = await _tried(open_stream, store, workers, asked_size, safe)
        except DownloadError as error:
            failure = _failure_of(error)
            if failure is not None:
                return failure
            if last or not error.again:
                raise
            wait = BACKOFF_S * 2 ** (attempt - 1) if error.wait_s is None else error.wait_s
            await (sleep or seams.clock.sleep)(min(wait, LONGEST_WAIT_S))
            continue
        cut = isinstance(taken, Failure) and taken.provider_code == "image.truncated"
        if last or not cut:
            return taken
    raise AssertionError("the last try returns or raises")


async def take_bytes(
    data: bytes, *, store: Store, workers: Workers, asked_size: tuple[int, int] | None = None, safe: str = ""
) -> Taken | Failure:
    """Put a picture that came inside an answer into the store, by the same checks."""

    @asynccontextmanager
    async def here() -> AsyncIterator[AsyncIterator[bytes]]:
        yield _in_pieces(data)

    return await _tried(here, store, workers, asked_size, safe)


async def _tried(
    open_stream: OpenStream, store: Store, workers: Workers, asked_size: tuple[int, int] | None, safe: str
) -> Taken | Failure:
    """One try: into a temporary file, then checked and kept; whatever else happens leaves nothing behind."""
    with disk_errors(".imagebatch/store", safe, gone=True):
        path = store.fresh_path()
        taken: Taken | Failure | None = None
        try:
            async with open_stream() as pieces:
                received = await _received(pieces, path)
            # The check stands outside: its time is not the transfer's.
            taken = await _judged(path, received, store, workers, asked_size)
        finally:
            if not isinstance(taken, Taken):
                remove(path)
    return taken


async def _in_pieces(data: bytes) -> AsyncIterator[bytes]:
    """The bytes piece by piece: hashing and writing megabytes at once would hold up the event loop."""
    for at in range(0, len(data), PIECE):
        yield data[at : at + PIECE]
        await asyncio.sleep(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Received:
    """What came: its hash, how many bytes, and the bytes themselves where they have yet to be written."""

    sha256: str
    count: int
    held: bytes | None


async def _judged(
    path: Path, received: _Received, store: Store, workers: Workers, asked_size: tuple[int, int] | None
) -> Taken | Failure:
    """Write what has yet to be written, check it, and take it into the store under its hash."""
    sha256, count = received.sha256, received.count
    if count > MAX_BYTES:
        return _bad("image.too_large", f"the picture is over {MAX_BYTES // (1024 * 1024)} MiB")

    def write() -> None:
        # Making a file can take longer than a turn of the event loop should.
        if received.held is not None:
            write_bytes(path, received.held, new=True)

    def kept(found: Mapping[str, Any]) -> Taken | Failure:
        if "bad" in found:
            return _bad(found["bad"], found["text"])
        facts = PictureFacts(
            sha256=sha256,
            width=found["width"],
            height=found["height"],
            media_type=found["media_type"],
            bytes=count,
        )
        store.adopt(path, sha256, facts.media_type, synced=True)
        return Taken(facts=facts, warnings=_warnings(found, facts, asked_size))

    try:
        return await workers.run_then({"do": "check", "path": str(path)}, kept, seconds=CHECK_S, first=write)
    except WorkerGone as error:
        return _bad("image.decoder", f"{error} over this picture")


async def _received(pieces: AsyncIterator[bytes], path: Path) -> _Received:
    """Hash what comes, until a little over the limit, and write it as it comes where it is large."""
    digest = hashlib.sha256()
    count = 0
    held: list[bytes] = []
    handle: int | None = None
    try:
        async for piece in pieces:
            count += len(piece)
            if count > MAX_BYTES:
                break
            digest.update(piece)
            held.append(piece)
            if count > PIECE:
                # Writing to the page cache does not block for long; the sync happens in a thread.
                handle = seams.disk.open(path, NEW, 0o666) if handle is None else handle
                write_whole(handle, b"".join(held))
                held.clear()
    finally:
        if handle is not None:
            seams.disk.close(handle)
    whole = None if handle is not None else b"".join(held)
    return _Received(sha256="sha256:" + digest.hexdigest(), count=count, held=whole)


def _warnings(found: Mapping[str, Any], facts: PictureFacts, asked_size: tuple[int, int] | None) -> tuple[str, ...]:
    warnings = [_NOTES[note] for note in found["notes"]]
    if asked_size is not None and (facts.width, facts.height) != asked_size:
        asked = f"{asked_size[0]}x{asked_size[1]}"
        warnings.append(f"the picture is {facts.width}x{facts.height}, not {asked} as asked; it is kept")
    return tuple(warnings)


def _failure_of(error: DownloadError) -> Failure | None:
    """A failure of the picture itself; None where the transfer had bad luck."""
    kind: FailureKind | None = {"expired": "expired", "blocked": "bad_image", "too_large": "bad_image"}.get(error.kind)  # type: ignore[assignment]  # mypy reads the values as str
    if kind is None and error.kind == "status" and not error.again:
        kind = "expired"
    return None if kind is None else Failure(kind=kind, message=str(error), provider_code=error.code)


def _bad(code: str, text: str) -> Failure:
    return Failure(kind="bad_image", message=text, provider_code=code)
