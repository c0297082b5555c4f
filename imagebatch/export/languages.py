"""The index in each language: deterministic text, with nothing in it that a path or an alt text could end. Pure."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

from imagebatch.export.index import FORMAT, FORMAT_VERSION, File, Image, srcsets, url
from imagebatch.export.quoting import css_quoted, python_quoted, quoted

Language = Literal["json", "ts", "py", "css", "md"]
_HEAD: Final = 200
_WRITTEN: Final = "Written by `imagebatch export`; changes here are lost."


def render_index(language: Language, images: Sequence[Image], *, prefix: str = "") -> str:
    """The whole file.

    `prefix` leads from the file's folder to the project's, for languages in which addresses are relative to the file
    (CSS, Markdown); the others hold project paths.
    """
    return _LANGUAGES[language](images, prefix)


def is_index(text: str) -> bool:
    """Whether a file was written by us, so that it may be written over."""
    return _WRITTEN in text[:_HEAD] or text.startswith(f'{{"format":{quoted(FORMAT)},')


def _json(images: Sequence[Image], _: str) -> str:
    lines = [f'{{"format":{quoted(FORMAT)},"format_version":{quoted(FORMAT_VERSION)},"images":{{']
    lines.append(",\n".join(f"{quoted(one.name)}:{_object(one)}" for one in images))
    return "\n".join([*(line for line in lines if line), "}}", ""])


def _object(image: Image) -> str:
    """One picture as an object of JSON, which is one of JavaScript, too."""
    fields = [
        f'"address":{quoted(image.address)}',
        f'"candidate":{image.candidate}',
        f'"src":{quoted(image.main.path)}',
        f'"width":{image.main.width}',
        f'"height":{image.main.height}',
        f'"alt":{quoted(image.alt)}',
        *([f'"title":{quoted(image.title)}'] if image.title else []),
        f'"sha256":{quoted(image.main.sha256)}',
        f'"placeholder":{quoted(image.placeholder)}',
        '"files":[' + ",".join(map(_file_object, image.files)) + "]",
        '"srcset":{' + ",".join(f"{quoted(kind)}:{quoted(text)}" for kind, text in srcsets(image).items()) + "}",
    ]
    return "{" + ",".join(fields) + "}"


def _file_object(file: File) -> str:
    return (
        f'{{"path":{quoted(file.path)},"width":{file.width},"height":{file.height},"type":{quoted(file.media_type)},'
        f'"bytes":{file.bytes},"sha256":{quoted(file.sha256)}}}'
    )


_TYPES: Final = """\
export interface ImageFile {
  readonly path: string;
  readonly width: number;
  readonly height: number;
  readonly type: string;
  readonly bytes: number;
  readonly sha256: string;
}

type Sets = Readonly<Partial<Record<string, string>>>;

export interface Image {
  readonly address: string;
  readonly candidate: number;
  readonly src: string;
  readonly width: number;
  readonly height: number;
  readonly alt: string;
  readonly title?: string;
  readonly sha256: string;
  readonly placeholder: string;
  readonly files: readonly ImageFile[];
  readonly srcset: Sets;
}
"""


# Any media type may be asked for: that a picture has no set for one is no mistake of whoever asks.
_NAMES: Final = """
export type ImageName = keyof typeof written;
export const images: {
  readonly [Name in ImageName]: Omit<(typeof written)[Name], "srcset"> & { readonly srcset: Sets };
} = written;
"""


def _typescript(images: Sequence[Image], _: str) -> str:
    lines = "".join(f"  {_property(one.name)}: {_object(one)},\n" for one in images)
    return (
        f"// {_WRITTEN}\n\n{_TYPES}\nconst written = {{\n{lines}}} as const satisfies Record<string, Image>;\n{_NAMES}"
    )


def _property(name: str) -> str:
    # As a plain property this one would set the object's prototype.
    return f"[{quoted(name)}]" if name == "__proto__" else quoted(name)


_CLASSES: Final = '''\
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFile:
    """One file of a picture; `path` is relative to the project, sizes are in pixels."""

    path: str
    width: int
    height: int
    type: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One picture in all its files; `srcset` has a text for each media type with several widths."""

    address: str
    candidate: int
    src: str
    width: int
    height: int
    alt: str
    title: str | None
    sha256: str
    placeholder: str
    files: tuple[ImageFile, ...]
    srcset: dict[str, str]
'''


def _python(images: Sequence[Image], _: str) -> str:
    lines = "".join(f"    {python_quoted(one.name)}: {_instance(one)},\n" for one in images)
    value = f"{{\n{lines}}}" if lines else "{}"
    return f'"""{_WRITTEN}"""\n\n{_CLASSES}\n\nIMAGES: Final[dict[str, Image]] = {value}\n'


def _instance(image: Image) -> str:
    files = "".join(
        f"ImageFile(path={python_quoted(one.path)}, width={one.width}, height={one.height}, "
        f"type={python_quoted(one.media_type)}, bytes={one.bytes}, sha256={python_quoted(one.sha256)}), "
        for one in image.files
    )
    groups = ", ".join(f"{python_quoted(kind)}: {python_quoted(text)}" for kind, text in srcsets(image).items())
    title = python_quoted(image.title) if image.title else "None"
    return (
        f"Image(address={python_quoted(image.address)}, candidate={image.candidate}, "
        f"src={python_quoted(image.main.path)}, width={image.main.width}, height={image.main.height}, "
        f"alt={python_quoted(image.alt)}, title={title}, "
        f"sha256={python_quoted(image.main.sha256)}, placeholder={python_quoted(image.placeholder)}, "
        f"files=({files.rstrip()}), srcset={{{groups}}})"
    )


def _css(images: Sequence[Image], prefix: str) -> str:
    lines: list[str] = []
    for name, one in zip(_custom_names(images), images, strict=True):
        lines += [
            f"  --{name}: url({css_quoted(url(prefix + one.main.path))});\n",
            f"  --{name}-ratio: {one.main.width} / {one.main.height};\n",
            f"  --{name}-placeholder: url({css_quoted(one.placeholder)});\n",
        ]
        kinds = _kinds(one)
        if len(kinds) > 1:
            sources = ", ".join(
                f"url({css_quoted(url(prefix + file.path))}) type({css_quoted(file.media_type)})" for file in kinds
            )
            lines.append(f"  --{name}-set: image-set({sources});\n")
    return f"/* {_WRITTEN} */\n:root {{\n{''.join(lines)}}}\n"


def _kinds(image: Image) -> list[File]:
    """The picture's files of one size, one for each media type, as a browser takes the first that it knows."""
    order = ("image/avif", "image/webp", "image/jpeg", "image/png")
    size = (image.main.width, image.main.height)
    alike = {file.media_type: file for file in reversed(image.files) if (file.width, file.height) == size}
    return [alike[kind] for kind in order if kind in alike]


def _custom_names(images: Sequence[Image]) -> list[str]:
    """A custom property's name for each picture; those that would be alike, or would read as another's, get a mark."""
    plain = [f"image-{re.sub('[^a-z0-9]+', '-', one.name.lower()).strip('-')}" for one in images]
    count = Counter(plain)
    taken = {f"{name}{ending}" for name in plain for ending in ("-ratio", "-placeholder", "-set")}
    return [
        name if count[name] == 1 and name not in taken and name != "image-" else f"{name}-{_mark(one.name)}"
        for name, one in zip(plain, images, strict=True)
    ]


def _mark(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:10]


def _markdown(images: Sequence[Image], prefix: str) -> str:
    rows = "".join(
        f"| {_md(one.name)} | ![{_md(one.alt)}]({url(prefix + one.main.path)}) | {one.main.width}x{one.main.height} | "
        f"{_md(one.alt)} |\n"
        for one in images
    )
    return f"<!-- {_WRITTEN} -->\n\n| name | picture | size | alt text |\n| --- | --- | --- | --- |\n{rows}"


def _md(text: str) -> str:
    """Text that means nothing to Markdown: every sign that could is escaped, and it stays on one line."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return re.sub(r"([!-/:-@\[-`{-~])", _md_escape, line)


def _md_escape(match: re.Match[str]) -> str:
    # `<` and `&` begin HTML where Markdown is read loosely, `|` ends a cell wherever it stands.
    entities = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "|": "&#124;"}
    plain = set(",.-/'\";:=%?$^@")
    char = match[1]
    return entities.get(char) or (char if char in plain else f"\\{char}")


_LANGUAGES: Final[Mapping[Language, Callable[[Sequence[Image], str], str]]] = {
    "json": _json,
    "ts": _typescript,
    "py": _python,
    "css": _css,
    "md": _markdown,
}
