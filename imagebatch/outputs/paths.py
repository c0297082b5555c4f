"""Where an output goes: a path that can neither leave the project nor hit its own files.

Manifests are checked when they are read. This is the check at the moment of writing, which also holds for paths that
come out of a lock somebody edited.
"""

from imagebatch.errors import OutputError

FORMATS = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "avif": "image/avif",
}
"""File endings to media types, of all formats that are accepted and written."""

EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/avif": "avif"}
"""Media types to the ending that the store uses."""

_OWN = frozenset({".git", ".github", ".gitlab", ".imagebatch"})


def format_of(path: str) -> str:
    """The media type that a path's ending names, in any case of letters.

    Raises ValueError with a sentence for an ending that is none of ours.
    """
    ending = path.rpartition("/")[2].rpartition(".")[2].lower()
    try:
        return FORMATS[ending]
    except KeyError:
        raise ValueError(f"{path!r} does not end in one of {', '.join(FORMATS)}") from None


def path_parts(path: str) -> tuple[str, ...]:
    """The components of a project path, checked for writing.

    Raises OutputError (`path.outside_project`, `path.component`, `path.reserved`) naming path and component.
    """
    if path.startswith("/"):
        raise _refused(path, "path.outside_project", "it is absolute")
    parts = tuple(path.split("/"))
    for part in parts:
        if part == "..":
            raise _refused(path, "path.outside_project", "it climbs with '..'")
        if part in {"", "."} or "\\" in part or ":" in part or any(char < " " or char == "\x7f" for char in part):
            raise _refused(path, "path.component", f"{part!r} cannot be a file's or folder's name")
        if len(part.encode("utf-8", "surrogatepass")) > 200:
            raise _refused(path, "path.too_long", "a name in it is over 200 bytes")
    if parts[0].casefold() in _OWN or any(part.casefold() == ".git" for part in parts):
        raise _refused(path, "path.reserved", f"{parts[0]!r} is no place for outputs")
    return parts


def _refused(path: str, code: str, why: str) -> OutputError:
    return OutputError("output path refused", f"{path!r}: {why}. Nothing was written.", code=code, path=path)
