"""From a pick's bytes to an output's bytes: the delivered ones where nothing is to be done, else a derived picture."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imagebatch.effects import seams
from imagebatch.effects.disk import READ
from imagebatch.effects.files import hash_rest, opened, remove
from imagebatch.errors import OutputError
from imagebatch.model.canonical import Json
from imagebatch.model.generation import Output, PictureFacts
from imagebatch.model.variant import OutputSpec, WantedOutput
from imagebatch.outputs.paths import final_path, format_of
from imagebatch.outputs.store import Store
from imagebatch.outputs.tree import Tree
from imagebatch.outputs.workers import DEVELOP_S, WorkerGone, Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Developed:
    """An output's bytes, ready to be placed; `kept` where the file is the store's own and has to stay."""

    path: Path
    sha256: str
    bytes: int
    kept: bool


def delivered_as_is(spec: OutputSpec, path: str, facts: PictureFacts) -> bool:
    """Whether an output is the delivered bytes: the same type, and no step that would change anything.

    `path` is the final path. A quality asks for a new encoding, except of a PNG, which has none.
    """
    media_type = format_of(path)
    if media_type != facts.media_type or (spec.quality is not None and media_type != "image/png"):
        return False
    return spec.width in {None, facts.width} and spec.height in {None, facts.height}


async def develop(spec: OutputSpec, path: str, facts: PictureFacts, *, store: Store, workers: Workers) -> Developed:
    """Make an output's bytes from a picture in the store; `path` is the final path, whose ending decides the format.

    Raises OutputError where the picture cannot be developed, KeyError where the store does not have it.
    """
    source = store.path_of(facts.sha256)
    if delivered_as_is(spec, path, facts):
        return Developed(path=source, sha256=facts.sha256, bytes=facts.bytes, kept=True)
    target = store.fresh_path()
    job: dict[str, Json] = {
        "do": "develop",
        "source": str(source),
        "target": str(target),
        "media_type": format_of(path),
        "width": spec.width,
        "height": spec.height,
        "fit": spec.fit,
        "quality": spec.quality,
    }
    try:
        size = await _made(job, path, workers)
        sha256 = await seams.threads.aside(_hash, target)
    except BaseException:
        remove(target)
        raise
    return Developed(path=target, sha256=sha256, bytes=size, kept=False)


async def _made(job: Mapping[str, Json], path: str, workers: Workers) -> int:
    try:
        found = await workers.run(job, seconds=DEVELOP_S)
    except WorkerGone as error:
        raise _undeveloped(path, str(error)) from None
    if "bad" in found:
        raise _undeveloped(path, found["text"])
    return int(found["bytes"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Everything that keeping output files takes, bound together once for a run."""

    store: Store
    workers: Workers
    tree: Tree

    async def write(
        self,
        wanted: WantedOutput,
        facts: PictureFacts,
        *,
        candidate: int,
        ext: str,
        replaces: str | None = None,
        spare: str | None = None,
        force: bool = False,
        announce: Callable[[str, str], Awaitable[None]] | None = None,
    ) -> Output:
        """Develop one picture into one output file and give the lock's record of it.

        `candidate` counts from 1, `ext` stands for `{{ ext }}`; `replaces` is the hash that the lock has for the file
        that may stand there, `spare` that of a file there that may go to the trash. `announce` is told path and hash
        before the file appears.

        Raises RefusedError for a foreign file in the way, OutputError for everything else.
        """
        path = final_path(wanted.spec.path, candidate=candidate, ext=ext)
        made = await develop(wanted.spec, path, facts, store=self.store, workers=self.workers)
        try:
            if announce is not None:
                await announce(path, made.sha256)
            await seams.threads.aside(
                self.tree.place, made.path, path, sha256=made.sha256, replaces=replaces, spare=spare, force=force
            )
        finally:
            if not made.kept:
                remove(made.path)
        return Output(path=path, develop=wanted.develop, sha256=made.sha256, bytes=made.bytes)

    async def trash(self, output: Output, day: str) -> bool:
        """Move an output to the trash of `day`; False where it is gone or was edited, and therefore stays."""
        return await seams.threads.aside(self.tree.trash, output.path, output.sha256, day)

    async def move(
        self, output: Output, path: str, *, spare: str | None = None, force: bool = False
    ) -> Literal["moved", "same", "gone", "not_ours"]:
        """Rename an output; what has the hash `spare`, and with `force` whatever is in the way, goes to the trash."""
        return await seams.threads.aside(self.tree.move, output.path, path, output.sha256, spare=spare, force=force)


def _hash(path: Path) -> str:
    with opened(path, READ) as handle:
        return hash_rest(handle)


def _undeveloped(path: str, why: str) -> OutputError:
    return OutputError(
        "an output cannot be developed",
        f"{path}: {why}. The picture itself is safe in the store.",
        hints=("change width, height or the ending of the output's path",),
        code="output.develop",
        path=path,
    )
