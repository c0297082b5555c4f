"""The files that the project keeps: made from picks, renamed, put away. Never touches a file that is not ours."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

from imagebatch.effects import seams
from imagebatch.effects.files import read_bytes
from imagebatch.errors import OutputError
from imagebatch.model.event import Placing
from imagebatch.model.generation import Entry, Output, PictureFacts
from imagebatch.model.recorded import OutputState
from imagebatch.model.variant import Variant, WantedOutput
from imagebatch.outputs.develop import Outputs, ToPlace
from imagebatch.outputs.download import take_bytes
from imagebatch.outputs.marking import delivered_in, find_mark
from imagebatch.outputs.xmp import origin_in
from imagebatch.plan.options import Force
from imagebatch.plan.picking import WantedFile, is_own, made_as, source_of, wanted_files
from imagebatch.run.leaving import Recorder
from imagebatch.run.trouble import Trouble

_NOT_OURS: Final = frozenset({"path.symlink", "path.not_regular"})


class Disk(Protocol):
    """The project's output files, as they compare with the lock and with what a killed run had put there."""

    def look(self, path: str, sha256: str, size: int) -> OutputState:
        """How a file compares with the lock."""
        ...

    def exists(self, path: str) -> bool:
        """Whether something that is not ours stands at an output path."""
        ...

    def listed(self, path: str) -> bool:
        """Whether the lock lists a file at this path, for whatever address."""
        ...

    def standing(self, sha256: str, size: int) -> str | None:
        """The path of an output, of whatever address, that is just these bytes; `size` is their number."""
        ...

    def placed(self, path: str) -> str | None:
        """The hash of what stands at a path, where a killed run had just put it there."""
        ...

    def spare(self, path: str) -> str | None:
        """The hash of what stands at a path, where it is a picture of ours that no lock entry keeps there."""
        ...

    def note(self, path: str, sha256: str) -> None:
        """Remember a file that was just written with these bytes."""
        ...

    def forget(self, path: str) -> None:
        """Nothing is known of this path any more."""
        ...


@dataclass(slots=True, kw_only=True)
class Handover:
    """Files that the plan takes from their paths, by path, with the entry that has them: where another address needs
    the path, they give way.

    While it `waits` none does: a path may yet come free by itself, and a rename is better than a file made anew.
    `check` raises where another run holds the project now: what stands there may be that run's.
    """

    leaving: Mapping[str, Entry] = field(default_factory=dict)
    going: Collection[str] = ()
    waits: bool = False
    check: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Brings an address's output files in line with its entry, below `root`.

    `day` names the trash folder (`2026-11-21`).
    """

    root: Path
    outputs: Outputs
    disk: Disk
    recorder: Recorder
    forces: frozenset[Force]
    day: str
    handover: Handover = field(default_factory=Handover)

    def lacking(self, variant: Variant, entry: Entry, before: Entry | None) -> tuple[int, ...]:
        """The candidates (from 1) whose bytes are needed to make files that are not there yet, under no name."""
        files = wanted_files(variant, entry.picked)
        wanted = {file.path for file in files}
        spare = [output for output in (before.outputs if before is not None else ()) if output.path not in wanted]
        there = [
            file
            for file in files
            if self._stands(file, entry, before)
            or any(_is_this(output, file, entry, before) and self._is_whole(output, file.path) for output in spare)
        ]
        return tuple(sorted({file.candidate for file in files if file not in there}))

    async def develop(
        self, variant: Variant, entry: Entry, before: Entry | None
    ) -> tuple[tuple[Output, ...], list[str]]:
        """Make, rename and put away files until they are those that are wanted; with what is to be said about it.

        `before` is the entry as it was, whose outputs are on disk. Raises Trouble or OutputError; files that were made
        until then are ours and are found again.
        """
        if before is not None and before.token != entry.token:
            await self.keep_bytes(before)
        recorded = {output.path: output for output in (before.outputs if before is not None else entry.outputs)}
        files = wanted_files(variant, entry.picked)
        wanted = {file.path for file in files}
        spare = [output for path, output in recorded.items() if path not in wanted]
        made: dict[str, Output] = {}
        to_write: list[WantedFile] = []
        warnings: list[str] = []
        for file in files:
            old = recorded.get(file.path)
            if old is not None and self._stands(file, entry, before):
                made[file.path] = old
            elif old is not None and self._edited(old, source_of(entry.candidates[file.candidate - 1])):
                made[file.path] = old
                warnings.append(f"{old.path} was changed by hand and is kept; --force edited replaces it")
            elif (moved := await self._renamed(file, spare, entry, before)) is not None:
                made[file.path] = moved
            else:
                to_write.append(file)
        for output in await self._written(to_write, entry, recorded):
            made[output.path] = output
        if spare and before is not None:
            await self.keep_bytes(before)
        left = [output.path for output in spare if not await self.put_away(output)]
        warnings += [f"{path} is no longer wanted; it was changed by hand, so it stays" for path in left]
        return tuple(made[file.path] for file in files), warnings

    async def keep_bytes(self, entry: Entry) -> None:
        """Take pictures that stand only as the entry's own files into the store, as after a fresh clone.

        Whoever drew them may not have them any more, and a file that is replaced or put away would be the last copy.
        """
        store = self.outputs.store
        offered = [one.facts for one in entry.candidates]
        offered += [one.bought.facts for one in entry.candidates if one.bought is not None]
        pictures = {facts.sha256 for facts in offered if facts is not None and not store.holds(facts.sha256)}
        for output in entry.outputs if pictures else ():
            if self.disk.look(output.path, output.sha256, output.bytes) != "same":
                continue
            found = await seams.threads.aside(self._pictures_in, output.path, pictures)
            for data in found:
                await take_bytes(data, store=self.outputs.store, workers=self.outputs.workers)

    async def bring(self, entry: Entry, indexes: Sequence[int]) -> None:
        """Take those of the candidates (from 1) into the store that are not there and stand as an output of ours.

        The output may be another address's that shares the draw, or has drawn it before. Raises OSError.
        """
        lacking = False
        for index in indexes:
            facts = source_of(entry.candidates[index - 1])
            if facts is None or self.outputs.store.bring(facts.sha256):
                continue
            path = self.disk.standing(facts.sha256, facts.bytes)
            lacking = lacking or path is None
            if path is not None:
                data = await seams.threads.aside(read_bytes, self.root / path)
                await take_bytes(data, store=self.outputs.store, workers=self.outputs.workers)
        if lacking:
            await self.keep_bytes(entry)  # what is marked has the picture's bytes in it

    def _pictures_in(self, path: str, pictures: Collection[str]) -> tuple[bytes, ...]:
        return delivered_in(read_bytes(self.root / path), pictures)

    async def put_away(self, output: Output) -> bool:
        """Move an output to the trash; False where something else stands there, or on the way, and therefore stays."""
        placed = self.disk.placed(output.path) or self.disk.spare(output.path)
        try:
            gone = await self.outputs.trash(replace(output, sha256=placed) if placed is not None else output, self.day)
        except OutputError as error:
            if error.code not in _NOT_OURS:
                raise
            gone = False
        self.disk.forget(output.path)
        return gone or not self.disk.exists(output.path)

    async def put_away_all(self, entry: Entry, beside: Collection[str]) -> tuple[str, ...]:
        """Move all outputs of an entry to the trash, but for those `beside` it: paths that other entries list, too.

        Gives the paths where something stays that is not what the lock lists there.
        """
        await self.keep_bytes(entry)
        own = [output for output in entry.outputs if output.path not in beside]
        return tuple([output.path for output in own if not await self.put_away(output)])

    def _stands(self, file: WantedFile, entry: Entry, before: Entry | None) -> bool:
        """Whether a wanted file is on disk already, made from the same bytes by the same steps."""
        if before is None:
            return False
        old = next((output for output in before.outputs if output.path == file.path), None)
        return (
            old is not None
            and old.develop == file.develop
            and _same_source(file, entry, before)
            and self.disk.look(old.path, old.sha256, old.bytes) == "same"
        )

    def _is_whole(self, output: Output, renamed: str) -> bool:
        """Whether a file is there, under its old name or, after a run that was killed, under its new one."""
        return any(self.disk.look(path, output.sha256, output.bytes) == "same" for path in (output.path, renamed))

    def _edited(self, output: Output, source: PictureFacts | None) -> bool:
        """Whether somebody changed a file; one that is the wanted picture already was put there by a later run."""
        if "edited" in self.forces or self.disk.look(output.path, output.sha256, output.bytes) != "edited":
            return False
        return source is None or self.disk.look(output.path, source.sha256, source.bytes) != "same"

    async def _renamed(
        self, file: WantedFile, spare: list[Output], entry: Entry, before: Entry | None
    ) -> Output | None:
        """A file of ours that nobody wants under its old name, and that is just what is wanted here."""
        for output in spare:
            if not _is_this(output, file, entry, before):
                continue
            await self.recorder.record(Placing(path=file.path, sha256=output.sha256))
            # What the lock lists there is another address's, which has yet to move away itself.
            in_the_way = "overwrite" in self.forces and self.disk.exists(file.path)
            force = in_the_way and not self.disk.listed(file.path)
            spare_hash = await self._spare(file.path)
            if await self.outputs.move(output, file.path, spare=spare_hash, force=force) in {"moved", "same"}:
                spare.remove(output)
                self.disk.forget(output.path)
                self.disk.note(file.path, output.sha256)
                return Output(path=file.path, develop=output.develop, sha256=output.sha256, bytes=output.bytes)
        return None

    async def _written(
        self, files: Sequence[WantedFile], entry: Entry, recorded: Mapping[str, Output]
    ) -> Sequence[Output]:
        """Make files that are not there yet, all of one picture at once; `recorded` is what the lock has by path."""
        pictures: list[tuple[Sequence[ToPlace], PictureFacts]] = []
        for candidate in dict.fromkeys(file.candidate for file in files):
            same = [file for file in files if file.candidate == candidate]
            facts = source_of(entry.candidates[candidate - 1])
            if facts is None or not self.outputs.store.bring(facts.sha256):
                raise Trouble("picture.unavailable", f"{same[0].path} cannot be made: its picture is not here")
            if is_own(entry.candidates[candidate - 1]):
                data = await seams.threads.aside(read_bytes, self.outputs.store.path_of(facts.sha256))
                same = [_with_own_mark(file, origin_in(find_mark(data).xmp)) for file in same]
            pictures.append(([await self._to_place(file, recorded.get(file.path)) for file in same], facts))
        return await self.outputs.write(pictures, announce=self._announce, placed=self.disk.note)

    async def _to_place(self, file: WantedFile, old: Output | None) -> ToPlace:
        return ToPlace(
            path=file.path,
            wanted=WantedOutput(spec=file.spec, develop=file.develop, mark=file.mark),
            replaces=self.disk.placed(file.path) or (old.sha256 if old is not None else None),
            spare=await self._spare(file.path),
            force="overwrite" in self.forces or "edited" in self.forces,
        )

    async def _spare(self, path: str) -> str | None:
        """The hash of what stands at a path and may go to the trash, so that another file has its place.

        The file of an address that is removed goes there at once, as it would at the end. One whose address goes on
        under another path gives way only where its picture is in the store.
        """
        spare = self.disk.spare(path)
        owner = self.handover.leaving.get(path)
        if spare is not None or owner is None or self.handover.waits:
            return spare
        output = next(one for one in owner.outputs if one.path == path)
        if self.disk.look(path, output.sha256, output.bytes) != "same":
            return None
        await self.keep_bytes(owner)
        self.handover.check()
        if path in self.handover.going:
            await self.outputs.trash(output, self.day)
            self.disk.forget(path)
            return None
        return output.sha256 if self._is_stored(owner) else None

    def _is_stored(self, entry: Entry) -> bool:
        sources = [source_of(entry.candidates[at - 1]) for at in entry.picked if at <= len(entry.candidates)]
        return all(facts is not None and self.outputs.store.bring(facts.sha256) for facts in sources)

    async def _announce(self, path: str, sha256: str) -> None:
        await self.recorder.record(Placing(path=path, sha256=sha256))


def _with_own_mark(file: WantedFile, origin: str) -> WantedFile:
    """A file made from a person's own: it says of its origin what that one says, and is never called made by AI.

    It is not signed, either: nobody here saw it made. Prompt and model drew something else, and what needs no change
    keeps all metadata that it came with.
    """
    if file.mark is None:
        return file
    return replace(file, mark=replace(file.mark, always=False, origin=origin, prompt=None, system=None, signed=None))


def _is_this(output: Output, file: WantedFile, entry: Entry, before: Entry | None) -> bool:
    """Whether a file that was listed before is, but for its name, the one that is wanted now."""
    if before is None or before.token != entry.token or not made_as(output, file, before):
        return False
    now, was = source_of(entry.candidates[file.candidate - 1]), source_of(before.candidates[file.candidate - 1])
    return now == was


def _same_source(file: WantedFile, entry: Entry, before: Entry) -> bool:
    if before.token != entry.token or not (before.picked == entry.picked or file.own_candidate):
        return False
    now = source_of(entry.candidates[file.candidate - 1])
    was = source_of(before.candidates[file.candidate - 1])
    return now is not None and was is not None and now.sha256 == was.sha256
