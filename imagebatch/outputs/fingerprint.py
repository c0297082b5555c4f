"""The develop fingerprint: what is done to a picked picture. Pure and cheap, for the planner."""

from imagebatch.model.canonical import canonical, fingerprint
from imagebatch.model.variant import EXT_MARK, OutputSpec
from imagebatch.outputs.paths import format_of


def develop_fingerprint(spec: OutputSpec, ext: str) -> str:
    """The fingerprint of an output's steps: format, size, fit and quality; never its path.

    `ext` stands for `{{ ext }}`. What changes nothing is left out: a fit without both sides, a quality where the format
    has none.

    Raises ValueError where the path's ending names no format that we write.
    """
    media = format_of(spec.path.replace(EXT_MARK, ext))
    steps: dict[str, int | str] = {"format": media.removeprefix("image/")}
    if spec.width is not None:
        steps["width"] = spec.width
    if spec.height is not None:
        steps["height"] = spec.height
    if spec.width is not None and spec.height is not None:
        steps["fit"] = spec.fit
    if spec.quality is not None and media != "image/png":
        steps["quality"] = spec.quality
    return fingerprint(canonical(steps))
