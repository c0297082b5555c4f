"""What both answer-at-once faces share: sizes, models, drawing, keeping and billing in one step."""

import re
import time
from dataclasses import dataclass

from imagebatch.simulator.chance import digest, stable_uuid
from imagebatch.simulator.engine import Call, Simulator
from imagebatch.simulator.loose import Loose
from imagebatch.simulator.state import ImageRecord
from imagebatch.simulator.studio import MEDIA_TYPES
from imagebatch.simulator.wire import dump

_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")
_LARGEST = 4096
REFUSED = (
    "Your request was rejected by the safety system. If you believe this is an error, contact support."
    " safety_violations=[violence]."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be drawn at once: model, prompt, count, size in pixels, file format, input images by name."""

    model: str
    prompt: str
    count: int
    width: int
    height: int
    format: str = "png"
    quality: int = 90
    transparent: bool = False
    references: tuple[str, ...] = ()
    extra: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One picture that was made: its id, bytes and media type."""

    id: str
    data: bytes
    media_type: str

    @property
    def extension(self) -> str:
        """File extension by media type."""
        return {"image/jpeg": "jpg", "image/webp": "webp"}.get(self.media_type, "png")


def size_of(text: Loose, default: tuple[int, int] = (1024, 1024)) -> tuple[int, int]:
    """Read `1024x1536`; anything else, `auto` included, is the default; edges are cut at 4096 pixels."""
    found = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if not found:
        return default
    return min(max(int(found[1]), 1), _LARGEST), min(max(int(found[2]), 1), _LARGEST)


async def make(
    simulator: Simulator, call: Call, order: Order, *, asked: int, amount: str, currency: str, lifetime_s: float | None
) -> tuple[str, list[Made]]:
    """Draw, keep and bill an order; two equal orders are two draws and two bills.

    Args:
        simulator: where to keep it.
        call: the request, for token and account.
        order: what to draw.
        asked: pictures that the caller asked for (and pays), which may be more than `order.count`.
        amount: price of the whole order as decimal text.
        currency: `credit` or `USD`.
        lifetime_s: how long the pictures can be fetched by address; `None` for ever.

    Returns:
        The id of the generation and the pictures.
    """
    wanted = {
        "model": order.model,
        "prompt": order.prompt,
        "asked": asked,
        "size": [order.width, order.height],
        "format": order.format,
    }
    request = digest(call.face, dump(wanted), *order.references, order.extra, call.token)
    draw = simulator.state.next_draw(request)
    seed = digest(simulator.profile.seed, request, draw)
    generation_id, now = stable_uuid("generation", seed), time.time()
    records = []
    for position in range(order.count):
        picture = {
            "prompt": order.prompt,
            "seed": "same" if simulator.profile.images.identical else seed,
            "composition": position,
            "width": order.width,
            "height": order.height,
            "format": order.format,
            "quality": order.quality,
            "transparent": order.transparent,
            "detail": simulator.profile.images.detail,
            "references": list(order.references),
        }
        image_id = stable_uuid(seed, position)
        records.append(
            ImageRecord(
                id=image_id,
                generation_id=generation_id,
                account=call.account,
                created_at=now,
                lifetime_s=lifetime_s,
                picture=picture,
                free=False,
            )
        )
    drawn = [await simulator.studio.picture(record.picture) for record in records]
    bill = simulator.bill(
        call,
        operation="create",
        generation_id=generation_id,
        amount=amount,
        currency=currency,
        prompt=order.prompt,
        asked=asked,
        given=order.count,
    )
    simulator.state.add_images(records, bill)
    media_type = MEDIA_TYPES[order.format]
    return generation_id, [
        Made(id=record.id, data=data, media_type=media_type) for record, data in zip(records, drawn, strict=True)
    ]


async def fetch(simulator: Simulator, image_id: str) -> tuple[bytes, str] | None:
    """Give the bytes and media type of a picture by its id, or nothing where it is unknown or its time is over."""
    image = simulator.state.image(image_id)
    if image is None or (image.lifetime_s is not None and time.time() > image.created_at + image.lifetime_s):
        return None
    return await simulator.studio.picture(image.picture), MEDIA_TYPES[str(image.picture["format"])]


def fails(simulator: Simulator, call: Call, prompt: str) -> bool:
    """Tell whether words in brackets want a failure (`[fail once]`: only the first time for a token or prompt)."""
    if "[fail]" in prompt:
        return True
    return "[fail once]" in prompt and simulator.state.next_draw(f"fail once {call.face} {call.token or prompt}") == 0
