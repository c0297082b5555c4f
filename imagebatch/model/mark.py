"""What a file says of its origin: that a machine made the picture, and with what words."""

from typing import Literal

from imagebatch.model.bulk import made_in_bulk

Embed = Literal["none", "minimal", "full"]


@made_in_bulk
class Mark:
    """What is written into one file, always the same for the same picture.

    `always` tells that the manifest asks for it by name, so that bytes as they were delivered get it, too. `simulated`
    tells that no trained model drew the picture. `origin`, of a file of one's own, is what that file says of itself
    (empty where it says nothing); no fingerprint knows it. `prompt` and `system` (the model, or who drew) stand in full
    marks. `signed` is the fingerprint of the certificate that the file is signed with (C2PA), None for no signature.
    """

    always: bool = False
    simulated: bool = False
    title: str | None = None
    alt: str | None = None
    prompt: str | None = None
    system: str | None = None
    signed: str | None = None
    origin: str | None = None

    @property
    def source(self) -> str:
        """The kind of origin, a word of the IPTC's digital source types; empty where nothing is to be said of it."""
        if self.origin is not None:
            return self.origin
        return "algorithmicMedia" if self.simulated else "trainedAlgorithmicMedia"
