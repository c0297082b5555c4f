"""The develop fingerprint: what is done to a picked picture. Pure and cheap, for the planner."""

from imagebatch.model.canonical import Json, canonical, fingerprint
from imagebatch.model.mark import Mark
from imagebatch.model.variant import CENTER, EXT_MARK, OutputSpec
from imagebatch.outputs.paths import format_of

WHITE = "#ffffff"


def develop_fingerprint(spec: OutputSpec, ext: str, mark: Mark | None = None) -> str:
    """The fingerprint of an output's steps, the mark among them; never its path.

    `ext` stands for `{{ ext }}`, `mark` is what the file says of itself. What changes nothing is left out: a fit
    without both sides, a focus without a crop, a quality where the format has none.

    Raises ValueError where the path's ending names no format that we write.
    """
    steps = _steps(spec, ext)
    if mark is not None and (mark.always or _does_something(steps, ext)):
        steps["mark"] = _marked(mark)
    return fingerprint(canonical(steps))


def does_nothing(spec: OutputSpec, ext: str) -> bool:
    """Whether an output is the delivered bytes, if only they are of the type that `ext` stands for.

    Raises ValueError where the path's ending names no format that we write.
    """
    return not _does_something(_steps(spec, ext), ext)


def _does_something(steps: dict[str, Json], ext: str) -> bool:
    return len(steps) > 1 or steps["format"] != _short(f"x.{ext}")


def _short(path: str) -> str:
    return format_of(path).removeprefix("image/")


def _steps(spec: OutputSpec, ext: str) -> dict[str, Json]:
    kind = _short(spec.path.replace(EXT_MARK, ext))
    steps: dict[str, Json] = {"format": kind}
    if spec.width is not None:
        steps["width"] = spec.width
    if spec.height is not None:
        steps["height"] = spec.height
    if spec.width is not None and spec.height is not None:
        steps["fit"] = spec.fit
        if spec.fit == "cover" and spec.focus != CENTER:
            steps["focus"] = list(spec.focus)
    if spec.quality is not None and kind != "png":
        steps["quality"] = spec.quality
    if spec.max_bytes is not None:
        steps["max_bytes"] = spec.max_bytes
    if spec.background is not None and (kind != "jpeg" or spec.background != WHITE):
        steps["background"] = spec.background
    if spec.strip:
        steps["strip"] = True
    return steps


def _marked(mark: Mark) -> dict[str, Json]:
    words = {"title": mark.title, "alt": mark.alt, "prompt": mark.prompt, "system": mark.system}
    made: dict[str, Json] = {"source": mark.source, **{name: word for name, word in words.items() if word is not None}}
    if mark.always:
        made["always"] = True
    if mark.signed is not None:
        made["signed"] = mark.signed
    return made
