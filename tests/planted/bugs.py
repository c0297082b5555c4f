"""Eighteen bugs, each the kind that a tired engineer writes, put into the real program from outside.

The package knows nothing of them. Each names the level of the proof that has to find it: S is the simulated world
(`tests/simulation`), W is the real wire or a real picture (`tests/planted/fence.py`).
"""

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

import aiohttp
from PIL import ImageFile, WebPImagePlugin

from imagebatch.effects import seams
from imagebatch.effects.disk import OVER
from imagebatch.effects.files import opened, sync_folder, write_whole
from imagebatch.http import bodies, client, network
from imagebatch.http.errors import AnswerLost
from imagebatch.model import wire
from imagebatch.model.event import Observed
from imagebatch.model.generation import Failure
from imagebatch.outputs import worker
from imagebatch.pipeline import recording
from imagebatch.providers import all_images_wire
from imagebatch.run import create, leaving, settle
from imagebatch.state import files, journal_file, lockfile_io
from tests.simulation.disk import File, Folder, SimulatedDisk
from tests.simulation.world import World

Level = Literal["S", "W"]
Plant = Callable[[], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """A planted bug: its name, the level that has to find it, and how it is planted; `world` changes a world for it."""

    name: str
    level: Level
    plant: Plant
    world: Callable[[World], None] | None = None


@contextmanager
def nothing() -> Iterator[None]:
    """Plant nothing: the world does it all."""
    yield


@contextmanager
def intent_after_create() -> Iterator[None]:
    """The intent is written when the answer has come, not before the request leaves."""

    async def at_the_last_moment(self: leaving.Leaving) -> None:
        unsent = self.unsent(self.this)
        if unsent is not None:
            raise leaving.Halted(unsent)

    with patch.object(leaving.Leaving, "__call__", at_the_last_moment):
        yield


def commits_are_not_synced(world: World) -> None:
    """The journal is opened with `synchronous=OFF`."""
    world.databases.synced = False


@contextmanager
def files_are_not_synced() -> Iterator[None]:
    """fsync of a file does nothing."""
    real = SimulatedDisk.settle

    def settle(self: SimulatedDisk, node: File | Folder) -> None:
        if isinstance(node, Folder):
            real(self, node)

    with patch.object(SimulatedDisk, "settle", settle):
        yield


@contextmanager
def folders_are_not_synced() -> Iterator[None]:
    """fsync of a folder is left out by the program; what SQLite syncs it syncs."""
    real = SimulatedDisk.fsync

    def fsync(self: SimulatedDisk, handle: int) -> None:
        if isinstance(self._handles[handle].node, File):
            real(self, handle)

    with patch.object(SimulatedDisk, "fsync", fsync):
        yield


@contextmanager
def lock_in_place() -> Iterator[None]:
    """The lock is truncated and written over."""

    def write(path: Path, data: bytes, *, mode: int = 0o644, durable: bool = True) -> None:
        del durable
        with opened(path, OVER, mode) as handle:
            write_whole(handle, data)
            seams.disk.fsync(handle)
        sync_folder(path.parent)

    with patch.object(lockfile_io, "write_atomic", write):
        yield


@contextmanager
def no_adopting() -> Iterator[None]:
    """Nobody looks whether a generation with our token is there already."""

    async def looked_up(self: create.Creator, this: Any) -> Any:
        del self
        return this

    async def settled(self: create.Creator, this: Any, *given: Any, **named: Any) -> Any:
        del self, given, named
        return this

    with patch.object(create.Creator, "_looked_up", looked_up), patch.object(create.Creator, "_settle", settled):
        yield


Sends = Callable[..., Awaitable[wire.Answer]]


@contextmanager
def _creates(change: Callable[[Sends], Sends]) -> Iterator[None]:
    with patch.object(client.ProviderWire, "_create", change(client.ProviderWire._create)):
        yield


def retry_on_a_lost_answer() -> Any:
    """A create whose answer was lost is sent again."""

    def change(real: Sends) -> Sends:
        async def again(*given: Any, **named: Any) -> wire.Answer:
            try:
                return await real(*given, **named)
            except AnswerLost:
                return await real(*given, **named)

        return again

    return _creates(change)


def retry_on_5xx() -> Any:
    """A create that was answered with 5xx is sent again."""

    def change(real: Sends) -> Sends:
        async def again(*given: Any, **named: Any) -> wire.Answer:
            answer = await real(*given, **named)
            return await real(*given, **named) if answer.status >= 500 else answer

        return again

    return _creates(change)


class _AnyToken(dict[str, Any]):
    def get(self, token: str, default: Any = None) -> Any:
        return super().get(token) or next(iter(self.values()), default)


@contextmanager
def adopt_without_token_check() -> Iterator[None]:
    """Whatever the listing shows first is taken for ours."""
    real = settle._by_token

    def by_token(observations: Any) -> settle.Listing:
        return replace(real(observations), by_token=_AnyToken(real(observations).by_token))

    with patch.object(settle, "_by_token", by_token):
        yield


@contextmanager
def trust_the_first_empty_list() -> Iterator[None]:
    """One reading without our token is proof enough."""

    async def find(self: settle.Listings, lane: Any, token: str) -> Any:
        return (await settle.read_listing(lane, self._tag)).by_token.get(token)

    with patch.object(settle.Listings, "find", find):
        yield


@contextmanager
def lock_not_read_again() -> Iterator[None]:
    """Whether the project is still ours is looked at when the run begins, and never again."""

    def believed(*_: object) -> None:
        """Nothing is looked at."""

    with (
        patch.object(recording.Recording, "_check_lease", believed),
        patch.object(journal_file.Claim, "hold", believed),
    ):
        yield


@contextmanager
def deadline_is_a_failure() -> Iterator[None]:
    """A generation that takes too long has failed."""
    real = create.Creator.polled

    async def polled(self: create.Creator, this: Any, generation: str, cost: tuple[str, ...]) -> Any:
        end = await real(self, this, generation, cost)
        if end.status != "pending":
            return end
        failure = Failure(kind="provider", message="it took too long")
        await self.steps.recorder.record(Observed(token=this.token, status="failed", failure=failure))
        return replace(end, status="failed", failure=failure)

    with patch.object(create.Creator, "polled", polled):
        yield


@contextmanager
def temporary_file_elsewhere() -> Iterator[None]:
    """The temporary file of a write lies in the system's folder for such files."""
    real = Path.with_name

    def with_name(self: Path, name: str) -> Path:
        return Path("/tmp") / name if files.TEMP_MARK in name else real(self, name)  # a name in memory

    with patch.object(Path, "with_name", with_name):
        yield


@contextmanager
def redirects_are_followed() -> Iterator[None]:
    """The API client goes where an answer sends it."""
    real = aiohttp.ClientSession.request

    def request(self: aiohttp.ClientSession, method: str, url: Any, **named: Any) -> Any:
        return real(self, method, url, **{**named, "allow_redirects": True})

    with patch.object(aiohttp.ClientSession, "request", request):
        yield


@contextmanager
def key_on_the_download_client(key: str = "canary-key-123456") -> Iterator[None]:
    """Pictures are fetched with the headers of the API."""
    with patch.dict(network.PICTURE_HEADERS, {"api-key": key}):
        yield


@contextmanager
def verify_without_load() -> Iterator[None]:
    """A picture's structure is looked at, and its content is not decoded."""

    def load(self: ImageFile.ImageFile) -> None:
        self.verify()

    kinds = (ImageFile.ImageFile, WebPImagePlugin.WebPImageFile)
    with ExitStack() as stack:
        for kind in kinds:
            stack.enter_context(patch.object(kind, "load", load))
        stack.enter_context(patch.object(worker, "_notes", lambda _: []))
        yield


@contextmanager
def equal_keys_are_accepted() -> Iterator[None]:
    """Of two equal keys in an answer the last counts."""

    def loose(body: bytes) -> Any:
        return json.loads(body)

    with patch.object(wire, "parse_json", loose), patch.object(all_images_wire, "parse_json", loose):
        yield


@contextmanager
def masking_by_header_name() -> Iterator[None]:
    """A key is hidden in the header that it was sent in, and nowhere else."""
    with patch.object(bodies.KeyMask, "of", classmethod(lambda cls, _: cls(forms=()))):
        yield


BUGS: tuple[Bug, ...] = (
    Bug(name="intent after create", level="S", plant=intent_after_create),
    Bug(name="no intent fsync", level="S", plant=nothing, world=commits_are_not_synced),
    Bug(name="no file fsync", level="S", plant=files_are_not_synced),
    Bug(name="no folder fsync", level="S", plant=folders_are_not_synced),
    Bug(name="lock file in place", level="S", plant=lock_in_place),
    Bug(name="no adopt", level="S", plant=no_adopting),
    Bug(name="blind retry on timeout", level="S", plant=retry_on_a_lost_answer),
    Bug(name="retry on 5xx", level="S", plant=retry_on_5xx),
    Bug(name="adopt without token check", level="S", plant=adopt_without_token_check),
    Bug(name="trust first empty list", level="S", plant=trust_the_first_empty_list),
    Bug(name="lock not re-read", level="S", plant=lock_not_read_again),
    Bug(name="poll deadline = failure", level="S", plant=deadline_is_a_failure),
    Bug(name="redirect followed", level="W", plant=redirects_are_followed),
    Bug(name="key on download client", level="W", plant=key_on_the_download_client),
    Bug(name="verify() without load()", level="W", plant=verify_without_load),
    Bug(name="temp file in another folder", level="S", plant=temporary_file_elsewhere),
    Bug(name="duplicate JSON keys accepted", level="W", plant=equal_keys_are_accepted),
    Bug(name="masking by header name only", level="W", plant=masking_by_header_name),
)
