"""From a project to an index of its outputs: what is on the disk now, measured and hashed. Sends nothing."""

import base64
import hashlib
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imagebatch.effects import seams
from imagebatch.effects.files import exists, is_folder, read_bytes
from imagebatch.errors import OutputError, StateError, UsageError
from imagebatch.export.index import File, Image, name_of, sorted_images
from imagebatch.export.languages import is_index
from imagebatch.model.generation import Entry
from imagebatch.model.variant import Variant
from imagebatch.outputs.bad_picture import BadPicture
from imagebatch.outputs.paths import path_parts
from imagebatch.outputs.picture import check_bytes
from imagebatch.outputs.thumbs import PLACEHOLDER, Thumbs
from imagebatch.pipeline.gallery import SMALL
from imagebatch.pipeline.inspecting import recorded_now
from imagebatch.pipeline.planning import selected
from imagebatch.pipeline.project import Project, wanted
from imagebatch.plan.picking import wanted_files
from imagebatch.state.files import write_atomic

_NAMED = 10
_MODE = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """The index, and what is not in it, because it is not there."""

    images: tuple[Image, ...]
    missing: tuple[str, ...]


def export_images(
    project: Project,
    select: Sequence[str] = (),
    *,
    exclude: Sequence[str] = (),
    allow_missing: bool = False,
    progress: Callable[[int, int], None] = lambda _, __: None,
) -> Exported:
    """All outputs that are there.

    Raises OutputError for what is not there, unless `allow_missing` leaves it out, and for files that are no pictures.
    """
    ledger = recorded_now(project)
    variants = {one.address: one for one in wanted(project, ledger).variants}
    chosen = selected(project, select, exclude=exclude)
    addresses = [one for one in sorted({*variants, *ledger}) if chosen is None or one in chosen]
    entries = {one: ledger.entry(one) for one in addresses if one in ledger}
    found: list[tuple[str, int, list[int], list[File]]] = []
    missing: list[str] = []
    for address in addresses:
        entry, variant = entries.get(address), variants.get(address)
        if entry is None or not entry.outputs:
            missing += [f"{address}: {_why(entry)}"] if variant is not None else []
            continue
        groups, gone = _files(project.home, entry, variant)
        missing += [f"{address}: {path} is not there" for path in gone]
        found += [(address, number, list(groups), files) for number, files in groups.items()]
    if missing and not allow_missing:
        raise _not_there(missing)
    placeholders = _placeholders(project, [files[0] for *_, files in found], progress)
    images = (
        Image(
            name=name_of(address, number, numbers),
            address=address,
            candidate=number,
            alt=_text(variants, address, "alt"),
            title=_text(variants, address, "title"),
            files=tuple(files),
            placeholder=placeholders[files[0].sha256],
        )
        for address, number, numbers, files in found
    )
    return Exported(images=sorted_images(images), missing=tuple(missing))


def save_index(path: Path, text: str) -> None:
    """Write an index, `path` being real and absolute, over nothing but an index. Raises UsageError, OutputError."""
    if not is_folder(path.parent):
        raise UsageError(
            "The folder is missing",
            f"{path} cannot be written, because there is no folder {path.parent}.",
            hints=(f"mkdir -p {shlex.quote(str(path.parent))}",),
        )
    try:
        before = read_bytes(path).decode("utf-8", "replace") if exists(path) else ""
        if before.strip() and not is_index(before):
            raise UsageError(
                "A file is there already",
                f"{path} is no index that `imagebatch export` wrote, and nothing else is written over.",
                hints=("name another file, or remove that one",),
            )
        write_atomic(path, text.encode("utf-8"), mode=_MODE)
    except (OSError, StateError) as error:
        raise OutputError("the index cannot be written", f"{path}: {error}.", code="export.write") from None


def prefix_from(home: Path, out: Path) -> str:
    """What leads from the folder of a file to the project, `../../` for example; both paths are real and absolute."""
    here, there = out.parent.parts, home.parts
    shared = next(
        (at for at, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), min(len(here), len(there))
    )
    return "../" * (len(here) - shared) + "".join(f"{part}/" for part in there[shared:])


def _why(entry: Entry | None) -> str:
    if entry is None:
        return "it is not drawn yet"
    return "nothing is picked or developed yet" if entry.status == "succeeded" else f"its status is {entry.status}"


def _files(home: Path, entry: Entry, variant: Variant | None) -> tuple[Mapping[int, list[File]], list[str]]:
    """An entry's files by the candidate that they show, in the order of the picks, and the paths that are not there."""
    shows = {one.path: one.candidate for one in wanted_files(variant, entry.picked)} if variant is not None else {}
    first = entry.picked[0] if entry.picked else 1
    groups: dict[int, list[File]] = {}
    gone: list[str] = []
    for output in entry.outputs:
        file = _measured(home, output.path)
        if file is None:
            gone.append(output.path)
        else:
            groups.setdefault(shows.get(output.path, first), []).append(file)
    order = {number: at for at, number in enumerate(entry.picked)}
    return {number: groups[number] for number in sorted(groups, key=lambda one: order.get(one, len(order)))}, gone


def _measured(home: Path, path: str) -> File | None:
    try:
        data = read_bytes(home.joinpath(*path_parts(path)))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _no_picture(path, error.strerror or str(error)) from None
    try:
        head = check_bytes(data)
    except BadPicture as error:
        raise _no_picture(path, str(error)) from None
    return File(
        path=path,
        width=head.width,
        height=head.height,
        media_type=head.media_type,
        bytes=len(data),
        sha256=f"sha256:{hashlib.sha256(data).hexdigest()}",
    )


def _placeholders(project: Project, files: Sequence[File], progress: Callable[[int, int], None]) -> Mapping[str, str]:
    thumbs = Thumbs(project.home / SMALL, PLACEHOLDER)
    sources = {file.sha256: project.home / file.path for file in files}
    broken = seams.clock.run(thumbs.make(sources, done=progress))
    for file in files:
        if file.sha256 in broken:
            raise _no_picture(file.path, broken[file.sha256])
    return {sha256: _data_url(read_bytes(thumbs.path_of(sha256))) for sha256 in sources}


def _data_url(data: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}"


def _text(variants: Mapping[str, Variant], address: str, which: Literal["alt", "title"]) -> str:
    variant = variants.get(address)
    return (getattr(variant, which) or "") if variant is not None else ""


def _not_there(missing: Sequence[str]) -> OutputError:
    def told() -> Iterator[str]:
        yield from missing[:_NAMED]
        if len(missing) > _NAMED:
            yield f"and {len(missing) - _NAMED} more"

    return OutputError(
        "outputs are missing",
        f"{'; '.join(told())}. Code that is built on an index without them would not find its pictures.",
        hints=("imagebatch apply", "leave them out: imagebatch export --allow-missing"),
        code="export.missing",
    )


def _no_picture(path: str, why: str) -> OutputError:
    return OutputError(
        "an output is no picture",
        f"{path}: {why}.",
        hints=("imagebatch verify",),
        code="export.picture",
        path=path,
    )
