"""One picture: what is asked for in, encoded bytes out."""
import io
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What to draw."""

    prompt: str
    width: int
    height: int
    seed: str
    composition: int = 0
    weather: str = ""
    time: str = ""
    style: str = ""
    format: str = "jpeg"
    quality: int = 88
    transparent: bool = False
    detail: float = 1.0


def draw(picture: Picture, references: tuple[bytes, ...] = ()) -> bytes:
    """Draw and encode."""
    from PIL import Image
    from imagebatch.simulator.chance import dice
    r = dice(picture.seed, picture.prompt, picture.composition)
    im = Image.frombytes("RGB", (4, 4), r.randbytes(48)).resize((picture.width, picture.height), 3)
    out = io.BytesIO()
    im.save(out, picture.format)
    return out.getvalue()
