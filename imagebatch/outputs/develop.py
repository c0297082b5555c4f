"""From a pick's bytes to an output's bytes: the delivered ones where nothing is to be done, else a derived picture."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from imagebatch.effects import seams
from imagebatch.effects.disk import READ
from imagebatch.effects.files import hash_rest, opened, remove
from imagebatch.errors import OutputError
from imagebatch.model.canonical import Json
from imagebatch.model.generation import Output, PictureFacts
from imagebatch.model.variant import WantedOutput
from imagebatch.outputs.paths import format_of
from imagebatch.outputs.signing import Signer, claim
from imagebatch.outputs.steps import Steps
from imagebatch.outputs.store import Store
from imagebatch.outputs.tree import Tree
from imagebatch.outputs.workers import DEVELOP_S, WorkerGone, Workers
from imagebatch.outputs.xmp import packet


@dataclass(frozen=True, slots=True, kw_only=True)
class Developed:
    """An output's bytes, ready to be placed; `kept` where the file is the store's own and has to stay."""

    path: Path
    sha256: str
    bytes: int
    kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One file to be made: its final path, whose ending decides the format, and what is wanted of it."""

    path: str
    wanted: WantedOutput


def delivered_as_is(request: Request, facts: PictureFacts) -> bool:
    """Whether an output is the delivered bytes: the same type, no step that would change them, no mark asked for."""
    mark = request.wanted.mark
    return _untouched(request, facts) and _fits(request, facts) and not (mark is not None and mark.always)


def _untouched(request: Request, facts: PictureFacts) -> bool:
    """Whether type, size, colours and encoding are wanted as they were delivered.

    A quality asks for a new encoding, except of a PNG, which has none; a JPEG has nothing see-through.
    """
    spec, media_type = request.wanted.spec, format_of(request.path)
    if media_type != facts.media_type or spec.strip or (spec.quality is not None and media_type != "image/png"):
        return False
    if spec.background is not None and media_type != "image/jpeg":
        return False
    return spec.width in {None, facts.width} and spec.height in {None, facts.height}


def _fits(request: Request, facts: PictureFacts) -> bool:
    most = request.wanted.spec.max_bytes
    return most is None or facts.bytes <= most


async def develop(
    requests: Sequence[Request], facts: PictureFacts, *, store: Store, workers: Workers, signer: Signer | None = None
) -> tuple[Developed | OutputError, ...]:
    """Make the bytes of several outputs from one picture in the store, decoded once; in their order.

    Those whose mark asks for a signature are signed by `signer`. Where one cannot be made its error is the last that is
    given. Raises KeyError where the store does not have the picture.
    """
    delivered = Developed(path=store.path_of(facts.sha256), sha256=facts.sha256, bytes=facts.bytes, kept=True)
    due = [one for one in requests if not delivered_as_is(one, facts)]
    targets = {one.path: store.fresh_path() for one in due}
    given: list[Developed | OutputError] = []
    try:
        answers = await _made(
            delivered.path, [_steps(one, facts, targets[one.path]) for one in due], due, workers, signer
        )
        for one in requests:
            answer = answers[one.path] if one.path in targets else _DELIVERED
            if "bad" in answer:
                given.append(_undeveloped(one.path, answer["text"]))
                break
            size, target = answer["bytes"], targets.pop(one.path, None)
            if size is None or target is None:
                given.append(delivered)
                continue
            sha256 = await seams.threads.aside(_hash, target)
            given.append(Developed(path=target, sha256=sha256, bytes=size, kept=False))
    except BaseException:
        discard(given)
        raise
    finally:
        for target in targets.values():
            remove(target)
    return tuple(given)


def discard(made: Iterable[Developed | OutputError]) -> None:
    """Remove what was made, but for the store's own files."""
    for one in made:
        if isinstance(one, Developed) and not one.kept:
            remove(one.path)


_DELIVERED: Mapping[str, Any] = {"bytes": None}


def _steps(request: Request, facts: PictureFacts, target: Path) -> Steps:
    mark = request.wanted.mark
    return Steps.of(
        request.wanted.spec,
        target=str(target),
        media_type=format_of(request.path),
        whole=_untouched(request, facts),
        xmp=packet(mark).decode() if mark is not None else None,
        claim=claim(mark, format_of(request.path)) if mark is not None and mark.signed is not None else None,
    )


async def _made(
    source: Path, files: Sequence[Steps], due: Sequence[Request], workers: Workers, signer: Signer | None
) -> Mapping[str, Mapping[str, Any]]:
    """What became of each file, by its path; one over which a worker dies takes no other with it."""
    if not due:
        return {}
    job: dict[str, Json] = {"do": "develop", "source": str(source), "files": [steps.written() for steps in files]}
    if signer is not None and any(steps.claim is not None for steps in files):
        job["signer"] = signer.written()
    try:
        found = await workers.run(job, seconds=DEVELOP_S * len(due))
    except WorkerGone as error:
        if len(due) > 1:
            alone = [
                await _made(source, [steps], [one], workers, signer) for steps, one in zip(files, due, strict=True)
            ]
            return {path: answer for one in alone for path, answer in one.items()}
        found = {"bad": "image.decoder", "text": str(error)}
    if "bad" in found:
        return {one.path: found for one in due}
    return {one.path: answer for one, answer in zip(due, found["files"], strict=False)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToPlace:
    """One output file to be made and put at its final path.

    `replaces` is the hash that the lock has for the file that may stand there, `spare` that of a file there that may go
    to the trash, and with `force` anything may.
    """

    path: str
    wanted: WantedOutput
    replaces: str | None = None
    spare: str | None = None
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Everything that keeping output files takes, bound together once for a run."""

    store: Store
    workers: Workers
    tree: Tree
    signer: Signer | None = None

    async def write(
        self,
        pictures: Sequence[tuple[Sequence[ToPlace], PictureFacts]],
        *,
        announce: Callable[[str, str], Awaitable[None]],
        placed: Callable[[str, str], None],
    ) -> tuple[Output, ...]:
        """Develop pictures into output files and give the lock's records of them.

        No file appears before all could be made: old and new ones side by side would fit nothing. `announce` is told
        path and hash before a file appears, `placed` once it has.

        Raises RefusedError for a foreign file in the way, OutputError for everything else; where that is about a file's
        place, files before it are in theirs.
        """
        made: list[tuple[ToPlace, Developed | OutputError]] = []
        written: list[Output] = []
        try:
            for files, facts in pictures:
                requests = [Request(path=file.path, wanted=file.wanted) for file in files]
                done = await develop(requests, facts, store=self.store, workers=self.workers, signer=self.signer)
                made += zip(files, done, strict=False)
            for file, one in [(file, _sound(one)) for file, one in made]:
                await announce(file.path, one.sha256)
                place = partial(self.tree.place, replaces=file.replaces, spare=file.spare, force=file.force)
                await seams.threads.aside(place, one.path, file.path, sha256=one.sha256)
                placed(file.path, one.sha256)
                develop_ = file.wanted.develop
                written.append(Output(path=file.path, develop=develop_, sha256=one.sha256, bytes=one.bytes))
        finally:
            discard(one for _, one in made)
        return tuple(written)

    async def trash(self, output: Output, day: str) -> bool:
        """Move an output to the trash of `day`; False where it is gone or was edited, and therefore stays."""
        return await seams.threads.aside(self.tree.trash, output.path, output.sha256, day)

    async def move(
        self, output: Output, path: str, *, spare: str | None = None, force: bool = False
    ) -> Literal["moved", "same", "gone", "not_ours"]:
        """Rename an output; what has the hash `spare`, and with `force` whatever is in the way, goes to the trash."""
        return await seams.threads.aside(self.tree.move, output.path, path, output.sha256, spare=spare, force=force)


def _sound(one: Developed | OutputError) -> Developed:
    if isinstance(one, OutputError):
        raise one
    return one


def _hash(path: Path) -> str:
    with opened(path, READ) as handle:
        return hash_rest(handle)


def _undeveloped(path: str, why: str) -> OutputError:
    return OutputError(
        "an output cannot be developed",
        f"{path}: {why}. The picture itself is safe in the store.",
        hints=("change the steps of this output in outputs:, or the ending of its path",),
        code="output.develop",
        path=path,
    )
