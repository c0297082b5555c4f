"""What a signed file says (C2PA), and who signs it. Pure; only the worker processes speak to the library."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

from imagebatch import __version__
from imagebatch.model.canonical import Json
from imagebatch.model.mark import Mark
from imagebatch.outputs.xmp import ORIGINS

ORIGINAL: Final = "original"
_ORIGINAL_ID: Final = "imagebatch:original"
_AGENT: Final[dict[str, Json]] = {"name": "imagebatch", "version": __version__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Certificates and private key as PEM text, and the algorithm. The key is shown nowhere."""

    certificate: str
    key: str = field(repr=False)
    alg: str

    def written(self) -> dict[str, Json]:
        """This signer as JSON, for the pipe to a worker only."""
        return asdict(self)


def claim(mark: Mark, media_type: str) -> Mapping[str, Json]:
    """What is signed of one file: that the original was opened, what it is, and that this file was made from it.

    The prompt and the model stand in full marks only.
    """
    opened: dict[str, Json] = {
        "action": "c2pa.opened",
        "softwareAgent": _AGENT,
        "parameters": {"ingredientIds": [ORIGINAL]},
    }
    if mark.source:
        opened["digitalSourceType"] = ORIGINS + mark.source
    actions: list[Json] = [opened, {"action": "c2pa.converted", "softwareAgent": _AGENT}]
    assertions: list[Json] = [{"label": "c2pa.actions.v2", "data": {"actions": actions}}]
    words = {"prompt": mark.prompt, "system": mark.system}
    said: dict[str, Json] = {name: word for name, word in words.items() if word is not None}
    if said:
        assertions.append({"label": "org.imagebatch.request", "data": said})
    made: dict[str, Json] = {"claim_generator_info": [_AGENT], "format": media_type, "assertions": assertions}
    return made if mark.title is None else {**made, "title": mark.title}


def ingredient() -> Mapping[str, Json]:
    """How the original is named in the file that was made from it."""
    return {"title": ORIGINAL, "relationship": "parentOf", "label": ORIGINAL, "instance_id": _ORIGINAL_ID}
