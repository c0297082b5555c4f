"""What is to be done to one picture for one file, as the parent tells a worker."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from imagebatch.model.canonical import Json
from imagebatch.model.variant import CENTER, Fit, OutputSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The steps in their order: sized, cropped, laid on a background, stripped, written, marked.

    `target` is the file to write. `whole` tells that the delivered bytes may stay as far as size and type go: they get
    their mark without being encoded anew where that can be done, and fit `max_bytes`. `xmp` is the packet to put in,
    `claim` what the file is signed with (C2PA), None for no signature.
    """

    target: str
    media_type: str
    width: int | None = None
    height: int | None = None
    fit: Fit = "contain"
    focus: tuple[int, int] = CENTER
    quality: int | None = None
    max_bytes: int | None = None
    background: str | None = None
    strip: bool = False
    whole: bool = False
    xmp: str | None = None
    claim: Mapping[str, Json] | None = None

    @classmethod
    def of(
        cls,
        spec: OutputSpec,
        *,
        target: str,
        media_type: str,
        whole: bool,
        xmp: str | None,
        claim: Mapping[str, Json] | None = None,
    ) -> Self:
        """The steps that an output asks for."""
        return cls(
            target=target,
            media_type=media_type,
            width=spec.width,
            height=spec.height,
            fit=spec.fit,
            focus=spec.focus,
            quality=spec.quality,
            max_bytes=spec.max_bytes,
            background=spec.background,
            strip=spec.strip,
            whole=whole,
            xmp=xmp,
            claim=claim,
        )

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Self:
        """The steps that `written` made into JSON."""
        across, down = written["focus"]
        return cls(**{**written, "focus": (across, down)})

    def written(self) -> Mapping[str, Json]:
        """These steps as JSON."""
        return asdict(self)
